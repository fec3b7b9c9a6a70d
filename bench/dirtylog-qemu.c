// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What QEMU's calc-dirty-rate (dirty-bitmap mode) and dirty-log cost on the same
 * QEMU VM, in turn, phase by phase. The guest is that of the migration test,
 * which writes pages at a steady rate.
 *
 * QEMU's phases are the ioctls of its threads that run no vCPU, as the kernel
 * traces them: switching the log on, clearing it at the start (QEMU 7.2 was seen
 * not to do this), reading it after one second, switching it off. QEMU never
 * clears what it has read. The time of a traced ioctl includes the entry into the
 * kernel, and has a resolution of a microsecond; the module times the same ioctls
 * itself.
 *
 * usage: dirtylog-qemu ROUNDS DIRECTORY GUEST     DIRECTORY: a tmpfs
 * Prints lines of `SOURCE PHASE NANOSECONDS PAGES DIRTY_PAGES`.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tests/migrate/vm.h"
#include "args.h"
#include "kx.h"
#include "tap.h"
#include "vm/vmfd.h"

#define TRACING	 "/sys/kernel/tracing/instances/kvm-ext-bench"
#define WINDOW_S 1
#define PACE	 20000 /* loops of the guest between two pages */

static Vm *vm;
static struct kx kx;
static guint64 pages;

static void phase(const char *source, const char *name, guint64 ns, guint64 dirty)
{
	printf("%s %s %llu %llu %llu\n", source, name, (unsigned long long)ns,
	       (unsigned long long)pages, (unsigned long long)dirty);
}

/* --- what the kernel traces of QEMU -------------------------------------------------- */

static void put(const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(TRACING, name, NULL);
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bail("%s", path);
	close(fd);
}

/* QEMU's first thread and those that it starts from now on; not its vCPU. */
static void trace_set_up(void)
{
	g_autofree char *pid = g_strdup_printf("%d", vm->pid);
	g_autofree char *filter = g_strdup_printf("cmd == %#lx || cmd == %#lx || cmd == %#lx",
						  (unsigned long)KVM_SET_USER_MEMORY_REGION,
						  (unsigned long)KVM_GET_DIRTY_LOG,
						  (unsigned long)KVM_CLEAR_DIRTY_LOG);

	if (g_mkdir_with_parents(TRACING, 0700))
		bail(TRACING);
	put("tracing_on", "0");
	put("options/event-fork", "1");
	put("set_event_pid", pid);
	put("events/syscalls/sys_enter_ioctl/filter", filter);
	put("events/syscalls/sys_enter_ioctl/enable", "1");
	put("events/syscalls/sys_exit_ioctl/enable", "1");
}

typedef struct {
	unsigned long cmd;
	double start, end; /* seconds */
} Call;

/* One line of a trace: "comm-tid [cpu] flags seconds: sys_ioctl(fd: 9, cmd: 4010ae42, arg: …)" or "… sys_ioctl -> 0x0". */
static void parse_line(const char *line, GArray *calls)
{
	const char *event = strstr(line, ": sys_ioctl"), *time = event, *cmd;
	double at;

	if (!event)
		return;
	while (time > line && time[-1] != ' ')
		time--;
	at = g_ascii_strtod(time, NULL);
	cmd = strstr(event, "cmd: ");
	if (cmd) {
		Call call = { .cmd = strtoul(cmd + 5, NULL, 16), .start = at };

		g_array_append_val(calls, call);
	} else if (calls->len && !g_array_index(calls, Call, calls->len - 1).end) {
		/* QEMU's lock serialises these ioctls. */
		g_array_index(calls, Call, calls->len - 1).end = at;
	}
}

static GArray *traced_calls(void)
{
	GArray *calls = g_array_new(FALSE, TRUE, sizeof(Call));
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents(TRACING "/trace", &text, NULL, NULL))
		bail(TRACING "/trace");
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++)
		parse_line(*line, calls);
	return calls;
}

static void tell_qemu(const GArray *calls, guint64 dirty)
{
	guint sets = 0, gets = 0, clears = 0;
	double enable = 0, arm = 0, harvest = 0, disable = 0, first_get = 0;

	for (guint i = 0; i < calls->len; i++) {
		const Call *c = &g_array_index(calls, Call, i);
		double took = c->end - c->start;
		gboolean at_end = first_get && c->start > first_get + WINDOW_S / 2.0;

		if (took < 0)
			bail("an ioctl of QEMU's has no end");
		sets += c->cmd == KVM_SET_USER_MEMORY_REGION;
		gets += c->cmd == KVM_GET_DIRTY_LOG;
		clears += c->cmd == KVM_CLEAR_DIRTY_LOG;
		if (c->cmd == KVM_GET_DIRTY_LOG && !first_get)
			first_get = c->start;
		if (c->cmd == KVM_SET_USER_MEMORY_REGION)
			*(at_end ? &disable : &enable) += took;
		else if (c->cmd == KVM_CLEAR_DIRTY_LOG)
			arm += took;
		else if (at_end)
			harvest += took;
	}
	note("calc-dirty-rate: KVM_SET_USER_MEMORY_REGION %u times, KVM_GET_DIRTY_LOG %u, "
	     "KVM_CLEAR_DIRTY_LOG %u",
	     sets, gets, clears);
	if (!enable || !harvest || !disable)
		bail("calc-dirty-rate did not use the log: %u ioctls", calls->len);
	phase("qemu", "enable", (guint64)(enable * 1e9), dirty);
	if (arm)
		phase("qemu", "arm", (guint64)(arm * 1e9), dirty);
	phase("qemu", "harvest", (guint64)(harvest * 1e9), dirty);
	phase("qemu", "disable", (guint64)(disable * 1e9), dirty);
}

/* --- rounds ----------------------------------------------------------------------------- */

static void wait_measured(void)
{
	gint64 end = g_get_monotonic_time() + QMP_TIMEOUT_S * G_USEC_PER_SEC;

	for (;;) {
		g_autoptr(JsonNode) node = qmp_call(vm->qmp, "query-dirty-rate", NULL);
		JsonObject *info = json_node_get_object(node);

		if (!strcmp(json_object_get_string_member(info, "status"), "measured"))
			return;
		if (g_get_monotonic_time() > end)
			bail("calc-dirty-rate does not end");
		g_usleep(20000);
	}
}

static void qemu_round(void)
{
	g_autofree uint32_t *before =
		g_memdup2((const void *)vm_versions(vm), GUEST_PAGES * sizeof(uint32_t));
	g_autoptr(GArray) calls = NULL;
	guint64 changed = 0;

	put("trace", "");
	put("tracing_on", "1");
	qmp_do(vm->qmp, "calc-dirty-rate", "{'calc-time': <%x>, 'mode': <'dirty-bitmap'>}",
	       (gint64)WINDOW_S);
	wait_measured();
	put("tracing_on", "0");
	for (guint i = 0; i < GUEST_PAGES; i++)
		changed += vm_versions(vm)[i] != before[i];
	calls = traced_calls();
	tell_qemu(calls, changed);
}

static void our_round(void)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_DIRTY_LOG);
	struct kvm_ext_stats before, after;
	guint64 dirty;

	kx_start(&kx, &t);
	before = kx_stats(kx.fd);
	g_usleep(WINDOW_S * G_USEC_PER_SEC);
	if (kx_run_pass(kx.fd, NULL))
		bail("pass");
	kx_discard(&kx);
	after = kx_stats(kx.fd);
	dirty = after.samples - before.samples;
	phase("ours-qemu", "enable", after.log.enable_ns, dirty);
	if (after.log.arm_pages)
		phase("ours-qemu", "arm", after.log.arm_ns, dirty);
	phase("ours-qemu", "harvest", after.log.harvest_ns - before.log.harvest_ns, dirty);
	if (after.log.clears != before.log.clears)
		phase("ours-qemu", "clear", after.log.clear_ns - before.log.clear_ns, dirty);
	phase("ours-qemu", "pass", after.pass_ns_sum - before.pass_ns_sum, dirty);
	t = kx_tracker(KVM_EXT_TRACKER_OFF);
	if (kx_set(kx.fd, &t))
		bail("off");
	phase("ours-qemu", "disable", kx_stats(kx.fd).log.disable_ns, dirty);
}

static void wait_for_guest(void)
{
	gint64 end = g_get_monotonic_time() + QMP_TIMEOUT_S * G_USEC_PER_SEC;

	while (vm->box->magic != GUEST_MAGIC) {
		if (g_get_monotonic_time() > end)
			bail("the guest does not come up");
		g_usleep(10000);
	}
	vm->box->loops = PACE;
}

#define USAGE "dirtylog-qemu ROUNDS DIRECTORY GUEST"

int main(int argc, char **argv)
{
	VmSettings settings = { .qemu = "qemu-system-x86_64",
				.accel = "kvm",
				.bandwidth = 1 << 20,
				.downtime_ms = 100 };
	g_autoptr(GError) error = NULL;
	KxVmFd vm_fd;
	int rounds, i;

	if (argc != 4)
		args_refuse(USAGE, NULL);
	rounds = (int)args_number(argv[1], 1, 1000, USAGE);
	settings.run_dir = argv[2];
	settings.guest = argv[3];
	vm = vm_start(&settings, argv[2], FALSE);
	vm_cont(vm);
	wait_for_guest();
	if (!kx_vmfd_open("/proc", vm->pid, NULL, KX_VMFD_LINK, &vm_fd, &error))
		bail("%s", error->message);
	kx_attach(&kx, vm_fd.fd, 0);
	close(vm_fd.fd);
	pages = kx_vm(kx.fd).ram_pages;
	trace_set_up();
	for (i = 0; i < rounds; i++) {
		qemu_round();
		our_round();
	}
	kx_close(&kx);
	vm_free(vm);
	return 0;
}
