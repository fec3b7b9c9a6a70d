// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* pipe2, close_range */
#include "selftest-log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hostinfo.h"
#include "logmech.h"

#define PAGE	   4096u
#define CODE_GPA   0x1000u
#define LIST_GPA   0x2000u /* how many, then that many addresses */
#define LOW_SIZE   0x10000u
#define DATA_GPA   0x100000u
#define DATA_PAGES 1024u
#define DATA_SIZE  (DATA_PAGES * PAGE)
#define DATA_SLOT  1u
/* No further round is begun after this long. */
#define ENOUGH_MS 500

/* Fewer than the CPU's buffer holds (512), about as many, and more. */
static const guint16 round_pages[] = { 1, 100, 511, 513, 700, 30 };

/* --- the test VM: a process of its own, which after fork() may only make system calls ------------------------------- */

/* Writes to each address of the list; two ends, one for each kind of exit. */
__asm__(".pushsection .rodata\n"
	".code32\n"
	".macro kx_selftest_write_list\n"
	"	mov $0x2000, %esi\n"
	"	mov (%esi), %ecx\n"
	"0:	add $4, %esi\n"
	"	jecxz 1f\n"
	"	mov (%esi), %edi\n"
	"	mov %ecx, (%edi)\n"
	"	dec %ecx\n"
	"	jmp 0b\n"
	"1:\n"
	".endm\n"
	"kx_selftest_guest:\n"
	"	kx_selftest_write_list\n"
	"	out %al, $0x10\n"
	"3:\n"
	"	kx_selftest_write_list\n"
	"	hlt\n"
	"2:\n"
	".code64\n"
	".balign 4\n"
	"kx_selftest_guest_size: .long 2b - kx_selftest_guest\n"
	"kx_selftest_guest_hlt: .long 3b - kx_selftest_guest\n"
	".popsection\n");
extern const char kx_selftest_guest[];
extern const guint32 kx_selftest_guest_size,
	kx_selftest_guest_hlt; /* bytes; where the second begins */

typedef struct {
	KxSelftestRaw *raw;
	int kvm, vm, vcpu;
	struct kvm_run *run;
	guint8 *memory; /* low memory, then data */
} Vm;

static gboolean failed(Vm *v, const char *step)
{
	v->raw->error = errno ? errno : EIO;
	strncpy(v->raw->step, step, sizeof(v->raw->step) - 1);
	return FALSE;
}

static gboolean map_slot(Vm *v, guint32 slot, guint32 flags, guint64 gpa, guint64 size, void *at)
{
	struct kvm_userspace_memory_region r = { .slot = slot,
						 .flags = flags,
						 .guest_phys_addr = gpa,
						 .memory_size = size,
						 .userspace_addr = (uintptr_t)at };

	return ioctl(v->vm, KVM_SET_USER_MEMORY_REGION, &r) == 0 ||
	       failed(v, "KVM_SET_USER_MEMORY_REGION");
}

static gboolean make_vm(Vm *v)
{
	v->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (v->kvm < 0)
		return failed(v, "/dev/kvm");
	v->vm = ioctl(v->kvm, KVM_CREATE_VM, 0);
	if (v->vm < 0)
		return failed(v, "KVM_CREATE_VM");
	/* Only Intel asks for it, and only without unrestricted guest. */
	ioctl(v->vm, KVM_SET_TSS_ADDR, 0xfffbd000ul);
	v->memory = mmap(NULL, LOW_SIZE + DATA_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (v->memory == MAP_FAILED)
		return failed(v, "mmap of the guest's memory");
	madvise(v->memory, LOW_SIZE + DATA_SIZE, MADV_NOHUGEPAGE);
	memcpy(v->memory + CODE_GPA, kx_selftest_guest, kx_selftest_guest_size);
	return map_slot(v, 0, 0, 0, LOW_SIZE, v->memory) &&
	       map_slot(v, DATA_SLOT, KVM_MEM_LOG_DIRTY_PAGES, DATA_GPA, DATA_SIZE,
			v->memory + LOW_SIZE);
}

/* 32-bit protected mode, flat, without paging: no page tables whose own bits would be logged. */
static gboolean make_vcpu(Vm *v)
{
	struct kvm_segment seg = {
		.limit = ~0u, .selector = 8, .type = 11, .present = 1, .db = 1, .s = 1, .g = 1
	};
	struct kvm_sregs sregs;
	int size = ioctl(v->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	v->vcpu = ioctl(v->vm, KVM_CREATE_VCPU, 0);
	if (v->vcpu < 0 || size < 0)
		return failed(v, "KVM_CREATE_VCPU");
	v->run = mmap(NULL, (gsize)size, PROT_READ | PROT_WRITE, MAP_SHARED, v->vcpu, 0);
	if (v->run == MAP_FAILED)
		return failed(v, "mmap of the vCPU");
	if (ioctl(v->vcpu, KVM_GET_SREGS, &sregs))
		return failed(v, "KVM_GET_SREGS");
	sregs.cs = seg;
	seg.type = 3;
	seg.selector = 16;
	sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = seg;
	sregs.cr0 |= 1;
	return ioctl(v->vcpu, KVM_SET_SREGS, &sregs) == 0 || failed(v, "KVM_SET_SREGS");
}

static gboolean run_guest(Vm *v, KxSelftestExit kind)
{
	static const guint32 expected[] = {
		[KX_SELFTEST_IO] = KVM_EXIT_IO, [KX_SELFTEST_HLT] = KVM_EXIT_HLT
	};
	struct kvm_regs regs = { .rip = CODE_GPA, .rflags = 2 };

	if (kind == KX_SELFTEST_HLT)
		regs.rip += kx_selftest_guest_hlt;
	if (ioctl(v->vcpu, KVM_SET_REGS, &regs))
		return failed(v, "KVM_SET_REGS");
	while (ioctl(v->vcpu, KVM_RUN, 0)) {
		if (errno != EINTR && errno != EAGAIN)
			return failed(v, "KVM_RUN");
	}
	errno = 0;
	return v->run->exit_reason == expected[kind] || failed(v, "KVM_RUN: another exit");
}

static gboolean get_log(Vm *v, guint64 *bits)
{
	struct kvm_dirty_log log = { .slot = DATA_SLOT, .dirty_bitmap = bits };

	return ioctl(v->vm, KVM_GET_DIRTY_LOG, &log) == 0 || failed(v, "KVM_GET_DIRTY_LOG");
}

static gboolean bit(const guint64 *bits, guint32 n)
{
	return bits[n / 64] >> (n % 64) & 1;
}

/* One round: @n pages, scattered over the data, each once. The first word of each is written. */
static gboolean write_pages(Vm *v, KxSelftestExit kind, guint32 n, guint32 seed,
			    KxSelftestCount *count)
{
	guint64 log[DATA_PAGES / 64], wanted[DATA_PAGES / 64] = { 0 };
	guint32 *list = (guint32 *)(v->memory + LIST_GPA);
	guint32 i, page = seed;

	*list = n;
	for (i = 0; i < n; i++) {
		page = (page + 397) % DATA_PAGES; /* odd: comes round to every page */
		wanted[page / 64] |= 1ull << (page % 64);
		list[1 + i] = DATA_GPA + page * PAGE;
	}
	if (!run_guest(v, kind) || !get_log(v, log))
		return FALSE;
	count->rounds++;
	count->written += n;
	for (i = 0; i < DATA_PAGES; i++) {
		count->missing += bit(wanted, i) && !bit(log, i);
		count->extra += bit(log, i) && !bit(wanted, i);
	}
	return TRUE;
}

static gint64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (gint64)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The control first: what a HLT leaves in the CPU's buffer would show up in the rounds after it. */
static void run_rounds(Vm *v)
{
	KxSelftestCount first = { 0 };
	gint64 start = now_ms();
	guint kind, i;

	/* From here on every page is mapped, so that writes do not fault and only the CPU knows of them. */
	if (!make_vm(v) || !make_vcpu(v) || !write_pages(v, KX_SELFTEST_IO, DATA_PAGES, 0, &first))
		return;
	for (kind = 0; kind < KX_SELFTEST_EXITS; kind++) {
		for (i = 0; i < G_N_ELEMENTS(round_pages); i++) {
			if (i >= 2 && now_ms() - start > ENOUGH_MS / 2 * (kind + 1))
				break;
			if (!write_pages(v, kind, round_pages[i], 31 * i + kind,
					 &v->raw->count[kind]))
				return;
		}
	}
	v->raw->done = 1;
}

static G_GNUC_NORETURN void child(int out, pid_t parent)
{
	KxSelftestRaw raw = { 0 };
	Vm v = { .raw = &raw };

	/* Sessions of the daemon must not live on in here. */
	if (out != 3 && dup2(out, 3) < 0)
		_exit(1);
	close_range(4, ~0u, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	run_rounds(&v);
	if (write(3, &raw, sizeof(raw)) != (ssize_t)sizeof(raw))
		_exit(1);
	_exit(0);
}

/* --- the caller's side ---------------------------------------------------------------------------------------------- */

/* FALSE: nothing came in time, or the process died. */
static gboolean await(int in, KxSelftestRaw *raw)
{
	gint64 deadline = now_ms() + KX_SELFTEST_TIMEOUT_MS;
	struct pollfd p = { .fd = in, .events = POLLIN };
	gint64 left;
	int n = 0;

	/* Less than PIPE_BUF is written, so it comes in one piece. */
	while ((left = deadline - now_ms()) > 0 && (n = poll(&p, 1, (int)left)) < 0 &&
	       errno == EINTR)
		;
	return n > 0 && read(in, raw, sizeof(*raw)) == (ssize_t)sizeof(*raw);
}

KxSelftest *kx_selftest_run(const char *root)
{
	g_auto(KxLogMechanism) m = { 0 };
	KxSelftestRaw raw = { 0 };
	pid_t parent = getpid(), pid;
	gboolean answered;
	int ends[2];

	kx_log_mechanism(KVM_EXT_LOG_UNKNOWN, root, &m);
	if (pipe2(ends, O_CLOEXEC))
		return kx_selftest_not_run(g_strerror(errno));
	pid = fork();
	if (pid == 0)
		child(ends[1], parent);
	close(ends[1]);
	answered = pid > 0 && await(ends[0], &raw);
	close(ends[0]);
	if (pid < 0)
		return kx_selftest_not_run("no process could be started for it");
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return answered ? kx_selftest_judge(&raw, m.mechanism)
			: kx_selftest_not_run("the test VM did not come to an end within 1 s");
}

static KxSelftest *new_outcome(KxSelftestOutcome outcome, char *text)
{
	KxSelftest *t = g_new(KxSelftest, 1);

	*t = (KxSelftest){ outcome, text };
	return t;
}

KxSelftest *kx_selftest_not_run(const char *why)
{
	return new_outcome(KX_SELFTEST_NOT_RUN, g_strdup_printf("not run: %s", why));
}

/* @what: "missing", "too many". */
static void add_count(GString *text, guint32 pages, const char *what, const KxSelftestCount *c,
		      const char *where)
{
	if (pages)
		g_string_append_printf(text, "%s%u of %u %s at %s", text->len ? ", " : "", pages,
				       c->written, what, where);
}

KxSelftest *kx_selftest_judge(const KxSelftestRaw *raw, enum kvm_ext_log_mechanism mechanism)
{
	static const char *const where[] = {
		[KX_SELFTEST_IO] = "I/O exits",
		[KX_SELFTEST_HLT] = "HLT exits without an in-kernel irqchip",
	};
	const KxSelftestCount *hlt = &raw->count[KX_SELFTEST_HLT],
			      *io = &raw->count[KX_SELFTEST_IO];
	g_autoptr(GString) lost = g_string_new(NULL), extra = g_string_new(NULL);
	const char *name = kx_log_mechanism_name(mechanism);
	guint kind;

	for (kind = KX_SELFTEST_EXITS; kind-- > 0;) {
		const KxSelftestCount *c = &raw->count[kind];

		add_count(lost, c->missing, "missing", c, where[kind]);
		add_count(extra, c->extra, "too many", c, where[kind]);
	}
	if (lost->len)
		return new_outcome(
			KX_SELFTEST_WRONG,
			g_strdup_printf("loses dirty pages: %s (mechanism %s)", lost->str, name));
	if (extra->len)
		return new_outcome(KX_SELFTEST_WRONG,
				   g_strdup_printf("logs pages that were not written: %s "
						   "(mechanism %s)",
						   extra->str, name));
	if (!raw->done || !hlt->written || !io->written) {
		g_autofree char *why = g_strdup_printf(
			"%.*s: %s", (int)sizeof(raw->step), *raw->step ? raw->step : "the test VM",
			raw->error ? g_strerror(raw->error) : "ended early");

		return kx_selftest_not_run(why);
	}
	return new_outcome(KX_SELFTEST_OK,
			   g_strdup_printf("ok: %u pages in %u rounds logged exactly, at HLT "
					   "exits without an in-kernel irqchip and at I/O exits "
					   "(mechanism %s)",
					   hlt->written + io->written, hlt->rounds + io->rounds,
					   name));
}

KxSelftest *kx_selftest_copy(const KxSelftest *t)
{
	return t ? new_outcome(t->outcome, g_strdup(t->text)) : NULL;
}

void kx_selftest_free(KxSelftest *t)
{
	if (!t)
		return;
	g_free(t->text);
	g_free(t);
}

/* A module that is loaded again gets a new directory in sysfs, with a new inode. */
char *kx_selftest_key(const char *root)
{
	g_autofree char *boot = kx_read_line(root, "proc/sys/kernel/random/boot_id");
	g_autofree char *vendor = kx_cpuinfo_value(root, "vendor_id");
	const char *module = kx_vendor_module(vendor);
	g_autofree char *path =
		g_build_filename(root ? root : "/", "sys/module", module ? module : "kvm", NULL);
	g_auto(KxLogMechanism) m = { 0 };
	struct stat st = { 0 };

	kx_log_mechanism(KVM_EXT_LOG_UNKNOWN, root, &m);
	if (stat(path, &st))
		st.st_ino = 0;
	return g_strdup_printf("%s %" G_GUINT64_FORMAT " %s", boot ? boot : "", (guint64)st.st_ino,
			       m.host);
}

const char *kx_selftest_outcome_name(KxSelftestOutcome outcome)
{
	static const char *const outcome_names[] = {
		[KX_SELFTEST_OK] = "ok",
		[KX_SELFTEST_WRONG] = "wrong",
		[KX_SELFTEST_NOT_RUN] = "not-run",
	};

	return outcome_names[outcome];
}
