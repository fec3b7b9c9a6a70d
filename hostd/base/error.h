/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library's error domain. A caller can act upon the codes; the message says what was wrong, what was found and what to
 * do next. On D-Bus the codes become org.kvmext1.Error.*.
 */
#ifndef KX_ERROR_H
#define KX_ERROR_H

#include <glib.h>

#define KX_ERROR kx_error_quark()
GQuark kx_error_quark(void);
typedef enum {
	KX_ERROR_FAILED,
	KX_ERROR_NO_SUCH_VM,
	KX_ERROR_NOT_ATTACHED,
	KX_ERROR_ALREADY_ATTACHED,
	KX_ERROR_BUSY,
	KX_ERROR_INVALID_OPTION,
	KX_ERROR_NOT_SUPPORTED,
	KX_ERROR_VM_GONE,
	KX_ERROR_NO_MODULE,
	KX_ERROR_NO_LIBVIRT,
	KX_ERROR_ACCESS_DENIED,
	KX_N_ERRORS
} KxError;

#endif /* KX_ERROR_H */
