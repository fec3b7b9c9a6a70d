// SPDX-License-Identifier: GPL-2.0-or-later
/* Gets the facts that cannot be read from files, by calls to the host. */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <grp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/names.h"
#include "doctor-pebs.h"

static int ask_module(struct kvm_ext_caps *caps)
{
	int fd = open(KVM_EXT_DEVICE_PATH, O_RDWR | O_CLOEXEC), error = 0;

	if (fd < 0)
		return errno;
	*caps = (struct kvm_ext_caps){ .size = sizeof(*caps) };
	if (ioctl(fd, KVM_EXT_GET_CAPS, caps) < 0)
		error = errno;
	close(fd);
	return error;
}

static int ask_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int ask_pidfd_getfd(void)
{
#ifdef SYS_pidfd_getfd
	return syscall(SYS_pidfd_getfd, -1, -1, 0) < 0 ? errno : 0;
#else
	return ENOSYS;
#endif
}

static int ask_group(void)
{
	const struct group *g = getgrnam(KX_GROUP);
	gid_t groups[1024];
	int n = getgroups(G_N_ELEMENTS(groups), groups);

	if (geteuid() == 0)
		return 1;
	if (!g)
		return -1;
	for (int i = 0; i < n; i++) {
		if (groups[i] == g->gr_gid)
			return 1;
	}
	return getegid() == g->gr_gid;
}

static char *find_qemu(void)
{
	static const char *const names[] = { "qemu-system-x86_64", "/usr/libexec/qemu-kvm", "kvm" };
	char *path = NULL;

	for (guint i = 0; i < G_N_ELEMENTS(names) && !path; i++)
		path = g_find_program_in_path(names[i]);
	return path;
}

/* Whether @word is in what @argv (its first element NULL: no QEMU) says to @input; -1: it says nothing. */
static int is_told(const char *const *argv, const char *input, const char *word)
{
	g_autoptr(GSubprocess) p =
		*argv ? g_subprocess_newv(argv,
					  G_SUBPROCESS_FLAGS_STDIN_PIPE |
						  G_SUBPROCESS_FLAGS_STDOUT_PIPE |
						  G_SUBPROCESS_FLAGS_STDERR_SILENCE,
					  NULL)
		      : NULL;
	g_autofree char *out = NULL;

	if (!p || !g_subprocess_communicate_utf8(p, input, NULL, &out, NULL, NULL) ||
	    !g_subprocess_get_successful(p))
		return -1;
	return strstr(out, word) != NULL;
}

static int ask_ivshmem(const char *qemu)
{
	const char *const argv[] = { qemu, "-device", "help", NULL };

	return is_told(argv, "", "\"ivshmem-plain\"");
}

int kx_doctor_ask_tap(const char *qemu)
{
	static const char commands[] = "{\"execute\": \"qmp_capabilities\"}\n"
				       "{\"execute\": \"query-commands\"}\n"
				       "{\"execute\": \"quit\"}\n";
	/* a machine without anything, which has the same commands as any */
	const char *const argv[] = { qemu,  "-nodefaults", "-no-user-config", "-display", "none",
				     "-M",  "none",	   "-accel",	      "kvm",	  "-accel",
				     "tcg", "-qmp",	   "stdio",	      NULL };

	return is_told(argv, commands, "\"x-dirty-tap-start\"");
}

static gint64 ask_shm(void)
{
	struct statvfs fs;

	return statvfs("/dev/shm", &fs) ? -1 : (gint64)(fs.f_bavail * fs.f_frsize);
}

void kx_doctor_probe(KxDoctorFacts *facts)
{
	facts->caps_error = ask_module(&facts->caps);
	facts->kvm_error = ask_kvm();
	facts->pidfd_error = ask_pidfd_getfd();
	facts->group = ask_group();
	facts->selftest = facts->kvm_error ? NULL : kx_selftest_run(facts->root);
	kx_pebs_probe(&facts->pebs);
	facts->qemu = find_qemu();
	facts->ivshmem = ask_ivshmem(facts->qemu);
	facts->tap = kx_doctor_ask_tap(facts->qemu);
	facts->shm_free_bytes = ask_shm();
}

void kx_doctor_facts_clear(KxDoctorFacts *facts)
{
	g_clear_pointer(&facts->selftest, kx_selftest_free);
	g_clear_pointer(&facts->qemu, g_free);
}
