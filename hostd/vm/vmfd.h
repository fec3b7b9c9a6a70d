/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a VM's name to a copy of QEMU's KVM descriptor of this VM: pidfd_open pins the process, the command line proves that
 * it is the right process, pidfd_getfd copies the descriptor, and the copy is checked once more. The caller needs
 * CAP_SYS_PTRACE (or runs as QEMU's own user). The errors say which step failed and what to do.
 */
#ifndef KX_VMFD_H
#define KX_VMFD_H

#include <glib.h>
#include <sys/types.h>

#define KX_VMFD_LINK "anon_inode:kvm-vm"

typedef struct {
	int fd;	    /* our copy; the caller closes it */
	int number; /* in QEMU; with the pid it names the VM's debugfs directory */
} KxVmFd;

/* Name and UUID on QEMU's command line; NULL if not given there. */
typedef struct {
	char *name, *uuid;
} KxQemuIdent;

void kx_qemu_ident_clear(KxQemuIdent *i);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KxQemuIdent, kx_qemu_ident_clear)

/* KX_ERROR_NO_SUCH_VM if there is no such process. */
gboolean kx_vmfd_ident(const char *proc_root, pid_t pid, KxQemuIdent *ident, GError **error);

/*
 * The pid of domain @name with @uuid: libvirt's NAME.pid in one of @state_dirs, confirmed by -uuid on the process's
 * command line, else any process that has this -uuid. KX_ERROR_NO_SUCH_VM if none, KX_ERROR_FAILED if several.
 */
pid_t kx_vmfd_find_pid(const char *proc_root, const char *const *state_dirs, const char *name,
		       const char *uuid, GError **error);

/* The processes whose command line has -name @name, as "12, 34"; "": none. */
char *kx_vmfd_find_named(const char *proc_root, const char *name);

/* A set of the UUIDs, in lower case, on the command lines of all processes; NULL: the processes cannot be read. */
GHashTable *kx_vmfd_uuids(const char *proc_root);

/* Directories in which libvirt's QEMU driver keeps its pid files: of the system, and of this user's session. */
char **kx_vmfd_state_dirs(void);

/*
 * The number of the descriptor of @pid whose link is @link. KX_ERROR_NOT_SUPPORTED if there is none (a VM without KVM),
 * KX_ERROR_FAILED if there are several of different VMs.
 */
int kx_vmfd_find_number(const char *proc_root, pid_t pid, const char *link, GError **error);

/*
 * Who emulates the vCPUs of process @pid, as users read it: "QEMU TCG"; NULL: nobody. A process with a VM of KVM is not taken for an
 * emulator, whatever its threads are called.
 */
const char *kx_vmfd_emulator(const char *proc_root, pid_t pid);

/*
 * All steps for process @pid. @uuid: the UUID that the command line must have; NULL: not checked. @link: KX_VMFD_LINK (tests
 * use another link).
 */
gboolean kx_vmfd_open(const char *proc_root, pid_t pid, const char *uuid, const char *link,
		      KxVmFd *out, GError **error);

#endif /* KX_VMFD_H */
