// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "procstat.h"

void kx_qemu_ident_clear(KxQemuIdent *i)
{
	g_clear_pointer(&i->name, g_free);
	g_clear_pointer(&i->uuid, g_free);
}

/* QEMU's option lists: "guest=web,debug-threads=on" or "web,…"; a comma in a value is written twice. */
static char *name_of_option(const char *value)
{
	GString *name = g_string_new(NULL);
	const char *p = g_str_has_prefix(value, "guest=") ? value + strlen("guest=") : value;

	for (; *p; p++) {
		if (*p == ',' && *++p != ',')
			break;
		g_string_append_c(name, *p);
	}
	return g_string_free(name, FALSE);
}

static void no_process(GError **error, pid_t pid)
{
	g_set_error(error, KX_ERROR, KX_ERROR_NO_SUCH_VM, "there is no process %d", pid);
}

static void take_option(KxQemuIdent *ident, const char *option, const char *value)
{
	/* QEMU takes -uuid and --uuid alike; the last one given counts. */
	if (g_str_has_prefix(option, "--"))
		option++;
	/* The user who started the process controls this text. A UUID becomes part of file names, so it must be valid. */
	if (!strcmp(option, "-uuid")) {
		g_free(ident->uuid);
		ident->uuid = g_uuid_string_is_valid(value) ? g_ascii_strdown(value, -1) : NULL;
	} else if (!strcmp(option, "-name")) {
		g_free(ident->name);
		ident->name = name_of_option(value);
	}
}

gboolean kx_vmfd_ident(const char *proc_root, pid_t pid, KxQemuIdent *ident, GError **error)
{
	g_autofree char *path = g_strdup_printf("%s/%d/cmdline", proc_root, pid);
	g_autofree char *text = NULL;
	const char *option = NULL, *arg;
	gsize len;

	*ident = (KxQemuIdent){ 0 };
	if (!g_file_get_contents(path, &text, &len, NULL)) {
		no_process(error, pid);
		return FALSE;
	}
	/* Each argument ends with NUL; g_file_get_contents adds one more at the end. */
	for (arg = text; arg < text + len; arg += strlen(arg) + 1) {
		if (option)
			take_option(ident, option, arg);
		option = *arg == '-' ? arg : NULL;
	}
	return TRUE;
}

static gboolean has_uuid(const char *proc_root, pid_t pid, const char *uuid)
{
	g_auto(KxQemuIdent) ident = { 0 };

	return kx_vmfd_ident(proc_root, pid, &ident, NULL) && ident.uuid &&
	       !g_ascii_strcasecmp(ident.uuid, uuid);
}

static gboolean parse_pid(const char *text, pid_t *pid)
{
	guint64 n;

	if (!g_ascii_string_to_unsigned(text, 10, 1, G_MAXINT, &n, NULL))
		return FALSE;
	*pid = (pid_t)n;
	return TRUE;
}

static pid_t pid_from_files(const char *proc_root, const char *const *state_dirs, const char *name,
			    const char *uuid)
{
	g_autofree char *file = g_strconcat(name, ".pid", NULL);
	pid_t pid;

	for (; state_dirs && *state_dirs; state_dirs++) {
		g_autofree char *path = g_build_filename(*state_dirs, file, NULL);
		g_autofree char *text = NULL;

		/* The file may come from an earlier run of the domain: the command line decides. */
		if (g_file_get_contents(path, &text, NULL, NULL) &&
		    parse_pid(g_strstrip(text), &pid) && has_uuid(proc_root, pid, uuid))
			return pid;
	}
	return 0;
}

pid_t kx_vmfd_find_pid(const char *proc_root, const char *const *state_dirs, const char *name,
		       const char *uuid, GError **error)
{
	pid_t pid = name ? pid_from_files(proc_root, state_dirs, name, uuid) : 0, found = 0;
	g_autoptr(GDir) dir = NULL;
	const char *entry;

	if (pid)
		return pid;
	dir = g_dir_open(proc_root, 0, error);
	if (!dir)
		return 0;
	while ((entry = g_dir_read_name(dir))) {
		if (!parse_pid(entry, &pid) || !has_uuid(proc_root, pid, uuid))
			continue;
		if (found) {
			g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
				    "processes %d and %d both run a VM with UUID %s; name the one "
				    "meant by --pid",
				    found, pid, uuid);
			return 0;
		}
		found = pid;
	}
	if (!found)
		g_set_error(error, KX_ERROR, KX_ERROR_NO_SUCH_VM,
			    "no process on this host runs VM \"%s\" (UUID %s): it is not running, "
			    "or runs elsewhere",
			    name ? name : uuid, uuid);
	return found;
}

char *kx_vmfd_find_named(const char *proc_root, const char *name)
{
	g_autoptr(GDir) dir = g_dir_open(proc_root, 0, NULL);
	GString *pids = g_string_new(NULL);
	const char *entry;
	pid_t pid;

	while (dir && (entry = g_dir_read_name(dir))) {
		g_auto(KxQemuIdent) ident = { 0 };

		if (parse_pid(entry, &pid) && kx_vmfd_ident(proc_root, pid, &ident, NULL) &&
		    !g_strcmp0(ident.name, name))
			g_string_append_printf(pids, "%s%d", pids->len ? ", " : "", pid);
	}
	return g_string_free(pids, FALSE);
}

GHashTable *kx_vmfd_uuids(const char *proc_root)
{
	g_autoptr(GDir) dir = g_dir_open(proc_root, 0, NULL);
	GHashTable *uuids =
		dir ? g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL) : NULL;
	const char *entry;
	pid_t pid;

	while (dir && (entry = g_dir_read_name(dir))) {
		g_auto(KxQemuIdent) ident = { 0 };

		if (parse_pid(entry, &pid) && kx_vmfd_ident(proc_root, pid, &ident, NULL) &&
		    ident.uuid)
			g_hash_table_add(uuids, g_steal_pointer(&ident.uuid));
	}
	return uuids;
}

char **kx_vmfd_state_dirs(void)
{
	g_autoptr(GStrvBuilder) b = g_strv_builder_new();
	g_autofree char *session =
		g_build_filename(g_get_user_runtime_dir(), "libvirt", "qemu", "run", NULL);

	g_strv_builder_add_many(b, "/run/libvirt/qemu", session, NULL);
	return g_strv_builder_end(b);
}

static gboolean same_file(pid_t pid, int a, int b)
{
	return syscall(SYS_kcmp, pid, pid, KCMP_FILE, a, b) == 0;
}

int kx_vmfd_find_number(const char *proc_root, pid_t pid, const char *link, GError **error)
{
	g_autofree char *path = g_strdup_printf("%s/%d/fd", proc_root, pid);
	int number, found = -1;
	g_autoptr(GError) err = NULL;
	g_autoptr(GDir) dir = NULL;
	const char *entry;

	dir = g_dir_open(path, 0, &err);
	if (g_error_matches(err, G_FILE_ERROR, G_FILE_ERROR_ACCES)) {
		g_set_error(error, KX_ERROR, KX_ERROR_ACCESS_DENIED,
			    "the descriptors of process %d may not be read: CAP_SYS_PTRACE is "
			    "needed (run as root)",
			    pid);
		return -1;
	}
	if (!dir) {
		no_process(error, pid);
		return -1;
	}
	while ((entry = g_dir_read_name(dir))) {
		g_autofree char *entry_path = g_build_filename(path, entry, NULL);
		g_autofree char *target = g_file_read_link(entry_path, NULL);

		if (g_strcmp0(target, link) || sscanf(entry, "%d", &number) != 1)
			continue;
		if (found >= 0 && !same_file(pid, found, number)) {
			g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
				    "process %d runs several VMs (descriptors %d and %d); that is "
				    "not supported",
				    pid, found, number);
			return -1;
		}
		if (found < 0 || number < found)
			found = number;
	}
	if (found < 0)
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			    "process %d has no KVM VM (no %s descriptor): it is no VM, or QEMU "
			    "emulates it (TCG, <domain type='qemu'>) and does not name its threads "
			    "(-name debug-threads=on)",
			    pid, link);
	return found;
}

const char *kx_vmfd_emulator(const char *proc_root, pid_t pid)
{
	return kx_procstat_is_emulated(proc_root, pid) &&
			       kx_vmfd_find_number(proc_root, pid, KX_VMFD_LINK, NULL) < 0
		       ? "QEMU TCG"
		       : NULL;
}

static int open_pidfd(pid_t pid, GError **error)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd >= 0)
		return fd;
	if (errno == ESRCH)
		no_process(error, pid);
	else if (errno == ENOSYS)
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			    "this kernel has no pidfd_open; Linux 6.1 or later is needed");
	else
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "pidfd_open of process %d: %s", pid,
			    g_strerror(errno));
	return -1;
}

static int copy_fd(int pidfd, pid_t pid, int number, GError **error)
{
	int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	int code = KX_ERROR_FAILED;
	const char *hint = "";

	if (fd >= 0)
		return fd;
	switch (errno) {
	case EPERM:
	case EACCES: /* a security module, on behalf of QEMU's profile */
		code = KX_ERROR_ACCESS_DENIED;
		hint = ": CAP_SYS_PTRACE is needed (run as root; see kernel.yama.ptrace_scope and "
		       "the unit's sandbox)";
		break;
	case ESRCH:
	case EBADF:
		code = KX_ERROR_VM_GONE;
		hint = ": it ended meanwhile";
		break;
	case ENOSYS:
		code = KX_ERROR_NOT_SUPPORTED;
		hint = ": this kernel has no pidfd_getfd; Linux 6.1 or later is needed";
		break;
	}
	g_set_error(error, KX_ERROR, code, "descriptor %d of process %d cannot be copied (%s)%s",
		    number, pid, g_strerror(errno), hint);
	return -1;
}

/* The number may have been closed and used again between the check and the copy. */
static gboolean is_link(int fd, const char *link)
{
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
	g_autofree char *target = g_file_read_link(path, NULL);

	return !g_strcmp0(target, link);
}

static gboolean check_uuid(const char *proc_root, pid_t pid, const char *uuid, GError **error)
{
	g_auto(KxQemuIdent) ident = { 0 };

	if (!uuid)
		return TRUE;
	if (!kx_vmfd_ident(proc_root, pid, &ident, error))
		return FALSE;
	if (ident.uuid && !g_ascii_strcasecmp(ident.uuid, uuid))
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_NO_SUCH_VM,
		    "process %d is not the VM with UUID %s (it says %s)", pid, uuid,
		    ident.uuid ? ident.uuid : "none");
	return FALSE;
}

gboolean kx_vmfd_open(const char *proc_root, pid_t pid, const char *uuid, const char *link,
		      KxVmFd *out, GError **error)
{
	int pidfd = open_pidfd(pid, error), number, fd = -1;

	if (pidfd < 0)
		return FALSE;
	/*
	 * From here on the process may die and its pid may be used again, but then the copy fails, because the pidfd refers
	 * to the process for which it was opened. So data read by number in between needs no second check.
	 */
	if (!check_uuid(proc_root, pid, uuid, error))
		goto out;
	number = kx_vmfd_find_number(proc_root, pid, link, error);
	if (number < 0)
		goto out;
	fd = copy_fd(pidfd, pid, number, error);
	if (fd < 0)
		goto out;
	if (!is_link(fd, link)) {
		close(fd);
		fd = -1;
		g_set_error(error, KX_ERROR, KX_ERROR_VM_GONE, "process %d closed its VM meanwhile",
			    pid);
		goto out;
	}
	*out = (KxVmFd){ .fd = fd, .number = number };
out:
	close(pidfd);
	return fd >= 0;
}
