/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Client of /dev/kvm-ext. One KxModule is one descriptor, and after attach one session; the last unref closes the descriptor
 * and leaves the VM as it was before. The functions for references and kx_module_run_pass may be called from any thread, all
 * other functions from one thread at a time. Errors are KX_ERROR and say what to do next.
 */
#ifndef KX_MODULE_H
#define KX_MODULE_H

#include <glib.h>

#include <kvm-ext/uapi.h>

/* The system calls that are used; unit tests use their own device. */
typedef struct {
	int (*open)(void);
	int (*ioctl)(int fd, unsigned long request, void *arg);
	void *(*map)(int fd, gsize len); /* MAP_FAILED on error */
	void (*unmap)(void *map, gsize len);
} KxModuleSys;

typedef struct _KxModule KxModule;

/* @sys NULL: the real device. */
KxModule *kx_module_open(const KxModuleSys *sys, GError **error);
KxModule *kx_module_ref(KxModule *m);
void kx_module_unref(KxModule *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxModule, kx_module_unref)

gboolean kx_module_caps(KxModule *m, struct kvm_ext_caps *caps, GError **error);
/* @ring_pages 0: the module's default. Maps the ring, too. @vm_fd may be closed afterwards. */
gboolean kx_module_attach(KxModule *m, int vm_fd, guint32 ring_pages, GError **error);
gboolean kx_module_vm(KxModule *m, struct kvm_ext_vm *vm, GError **error);
gboolean kx_module_set(KxModule *m, struct kvm_ext_tracker *t, GError **error);
gboolean kx_module_stats(KxModule *m, struct kvm_ext_stats *st, GError **error);
/* @ranges: sorted and disjoint. *@pages: number of listed pages that are RAM. On an error *@pages and the module's list stay unchanged. */
gboolean kx_module_exclude(KxModule *m, const struct kvm_ext_range *ranges, guint nr,
			   guint64 *pages, GError **error);
/* Blocks until the pass is over. */
gboolean kx_module_run_pass(KxModule *m, guint64 *pass, GError **error);

/* The descriptor to poll: readable when there are records, hung up once the VM is gone. */
int kx_module_fd(const KxModule *m);
/* The ring's mapping; NULL before attach. */
void *kx_module_ring(const KxModule *m, gsize *len);

#endif /* KX_MODULE_H */
