/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How KVM learns of a guest's writes for its dirty log; known from the module, else from the parameters of KVM's modules. */
#ifndef KX_LOGMECH_H
#define KX_LOGMECH_H

#include <glib.h>

#include <kvm-ext/uapi.h>

typedef struct {
	enum kvm_ext_log_mechanism mechanism;
	gboolean told; /* TRUE: the module has reported it; FALSE: derived from @host */
	char *host;    /* "kvm_intel ept=Y eptad=Y pml=N", "AMD without PML", …; never NULL */
} KxLogMechanism;

void kx_log_mechanism_clear(KxLogMechanism *m);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KxLogMechanism, kx_log_mechanism_clear)

/* @told: the module's answer. @root: the directory with proc and sys; NULL: /. */
void kx_log_mechanism(enum kvm_ext_log_mechanism told, const char *root, KxLogMechanism *m);

/* "pml", "write-protect", "unknown" */
const char *kx_log_mechanism_name(enum kvm_ext_log_mechanism mechanism);
/* "plain", "manual-protect", "initially-all-set", "dirty-ring" */
const char *kx_log_mode_name(enum kvm_ext_log_mode mode);

/* KX_ERROR_NOT_SUPPORTED if @wanted is a mechanism and @m is another one. */
gboolean kx_log_mechanism_check(const KxLogMechanism *m, enum kvm_ext_log_mechanism wanted,
				GError **error);

/* "kvm_intel", "kvm_amd"; NULL: another or unknown vendor. */
const char *kx_vendor_module(const char *vendor);

#endif /* KX_LOGMECH_H */
