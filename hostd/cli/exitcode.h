/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The exit codes of kvm-ext; kvm-ext(1) documents them. */
#ifndef KX_EXITCODE_H
#define KX_EXITCODE_H

#include <glib.h>

enum {
	KX_EXIT_OK = 0,
	KX_EXIT_FAILED = 1,
	KX_EXIT_USAGE = 2,
	KX_EXIT_DOCTOR = 3, /* a needed check failed */
	KX_EXIT_NO_SUCH_VM = 4,
	KX_EXIT_STATE = 5,	 /* busy, already attached, not attached */
	KX_EXIT_UNREACHABLE = 6, /* the daemon or libvirt cannot be reached */
	KX_EXIT_UNSUPPORTED = 7, /* not possible on this host, kernel or VM */
	KX_EXIT_DENIED = 8,
	KX_EXIT_VM_GONE = 9,
};

/* The domain of errors whose code is the exit code. */
#define KX_EXIT_ERROR kx_exit_error_quark()
GQuark kx_exit_error_quark(void);

int kx_exit_code(const GError *error);

#endif /* KX_EXITCODE_H */
