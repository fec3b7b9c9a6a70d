// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kvm-ext-testvm: runs a VM with a few instructions that writes known pages, and compares KVM's dirty log with these pages. The
 * counts are printed as a key file, which hostd/doctor/selftest-log.c reads and judges. This is a program of its own, so that
 * the VM and its possible failures stay out of the daemon.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE	   4096u
#define CODE_GPA   0x1000u
#define LIST_GPA   0x2000u /* the number of addresses, then the addresses */
#define LOW_SIZE   0x10000u
#define DATA_GPA   0x100000u
#define DATA_PAGES 1024u
#define DATA_SIZE  (DATA_PAGES * PAGE)
#define DATA_SLOT  1u
/* After this time no new round begins. */
#define ENOUGH_MS 500
/* Limits far beyond the need of a slow machine. A guest that loops uses CPU time; anything else that hangs uses only time. */
#define CPU_LIMIT_S 10
#define TIMEOUT_S   60

/* Numbers of pages: fewer than the CPU's buffer can hold (512), about as many, and more. */
static const guint16 round_pages[] = { 1, 100, 511, 513, 700, 30 };

/* --- the guest --------------------------------------------------------------------------------------------------- */

/* The code writes to each address of the list. It exists twice, with one ending for each kind of exit. */
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
	kx_selftest_guest_hlt; /* the size in bytes; the offset of the copy that ends with HLT */

/* --- its VM ------------------------------------------------------------------------------------------------------ */

typedef enum {
	EXIT_IO,
	EXIT_HLT,
	EXITS
} Exit;

/* Sums over the rounds of one kind of exit. */
typedef struct {
	guint32 rounds, written, missing, extra; /* pages */
} Count;

typedef struct {
	const char *step; /* the step that failed with @error; NULL: no step failed */
	int error;
	gboolean
		done; /* the test is complete: all rounds ran, or those that the time allowed, with some of each kind */
	Count count[EXITS];
	int kvm, vm, vcpu;
	struct kvm_run *run;
	guint8 *memory; /* low memory, then data */
} Vm;

static gboolean failed(Vm *v, const char *step)
{
	v->error = errno ? errno : EIO;
	v->step = step;
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
	/* Only Intel CPUs without unrestricted guest need it. */
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

/* 32-bit protected mode, flat, without paging: so there are no page tables whose A/D bits would be logged. */
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

static gboolean run_guest(Vm *v, Exit kind)
{
	static const guint32 expected[] = { [EXIT_IO] = KVM_EXIT_IO, [EXIT_HLT] = KVM_EXIT_HLT };
	struct kvm_regs regs = { .rip = CODE_GPA, .rflags = 2 };

	if (kind == EXIT_HLT)
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

/* One round: the guest writes the first word of @n pages, which are scattered over the data, each once. */
static gboolean write_pages(Vm *v, Exit kind, guint32 n, guint32 seed, Count *count)
{
	guint64 log[DATA_PAGES / 64], wanted[DATA_PAGES / 64] = { 0 };
	guint32 *list = (guint32 *)(v->memory + LIST_GPA);
	guint32 i, page = seed;

	*list = n;
	for (i = 0; i < n; i++) {
		page = (page + 397) % DATA_PAGES; /* odd: reaches every page once */
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
	return g_get_monotonic_time() / 1000;
}

/* The control runs first: pages that a HLT leaves in the CPU's buffer would appear in the log of later rounds. */
static void run_rounds(Vm *v)
{
	Count first = { 0 };
	gint64 start = now_ms();
	guint kind, i;

	/* After this round every page is mapped: later writes do not fault, and only the CPU can log them. */
	if (!make_vm(v) || !make_vcpu(v) || !write_pages(v, EXIT_IO, DATA_PAGES, 0, &first))
		return;
	for (kind = 0; kind < EXITS; kind++) {
		for (i = 0; i < G_N_ELEMENTS(round_pages); i++) {
			if (i >= 2 && now_ms() - start > ENOUGH_MS / 2 * (kind + 1))
				break;
			if (!write_pages(v, kind, round_pages[i], 31 * i + kind, &v->count[kind]))
				return;
		}
	}
	v->done = TRUE;
}

/* --- output ------------------------------------------------------------------------------------------------------ */

static void tell(const Vm *v)
{
	static const char *const groups[] = { [EXIT_IO] = "io", [EXIT_HLT] = "hlt" };
	g_autoptr(GKeyFile) f = g_key_file_new();
	g_autofree char *text = NULL;

	g_key_file_set_boolean(f, "vm", "done", v->done);
	if (v->step) {
		g_key_file_set_string(f, "vm", "step", v->step);
		g_key_file_set_integer(f, "vm", "errno", v->error);
	}
	for (guint kind = 0; kind < EXITS; kind++) {
		const Count *c = &v->count[kind];

		g_key_file_set_uint64(f, groups[kind], "rounds", c->rounds);
		g_key_file_set_uint64(f, groups[kind], "written", c->written);
		g_key_file_set_uint64(f, groups[kind], "missing", c->missing);
		g_key_file_set_uint64(f, groups[kind], "extra", c->extra);
	}
	text = g_key_file_to_data(f, NULL, NULL);
	g_print("%s", text);
}

int main(void)
{
	static const struct rlimit cpu = { CPU_LIMIT_S, CPU_LIMIT_S };
	Vm v = { .kvm = -1, .vm = -1, .vcpu = -1 };

	/* The caller waits until this program ends: if the guest does not exit, a signal ends the program. */
	setrlimit(RLIMIT_CPU, &cpu);
	alarm(TIMEOUT_S);
	run_rounds(&v);
	tell(&v);
	return 0;
}
