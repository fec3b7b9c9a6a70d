// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Adaptive PEBS in guests, as the emulated CPU (tests/lab, lab intel --pebs) and KVM with
 * kvm-ext/kvm-patches provide it. Does a guest that stores to known addresses get one record for
 * every PERIOD stores, with exactly these addresses? Two VMs on one CPU must neither lose records
 * nor stop sampling; the same is true of a vCPU that moves from CPU to CPU all the time. Reserved
 * bits of the registers are refused.
 *
 * The guest consists of some instructions in 64-bit mode: it configures the counter, stores to
 * consecutive words of its buffer, and halts. Its PEBS buffer is memory that was never mapped, so
 * the first record in each page of the buffer causes an EPT violation.
 *
 * What it cannot show: how a CPU in hardware behaves.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"
#include "vmm.h"

#define MSR_PERF_CAPABILITIES 0x345u
#define MSR_PEBS_LD_LAT	      0x3f6u
#define CAP_PEBS_BASELINE     (1u << 14)

#define PERIOD	    101u
#define RECORDS	    10000u
#define RECORD_SIZE 64u				       /* the basic and the memory group */
#define STORES	    ((uint64_t)(RECORDS + 5) * PERIOD) /* five more: some are late */
#define LATE_MAX    3u				       /* VM exits in a row that delay a record */

#define MEMORY_SIZE (32ul << 20)
#define PML4_GPA    0x1000ul
#define PDPT_GPA    0x2000ul
#define PD_GPA	    0x3000ul
#define RESULT_GPA  0x5000ul /* where struct result is */
#define CODE_GPA    0x10000ul
#define DS_GPA	    0x20000ul
#define RECORDS_GPA 0x400000ul
#define DATA_GPA    0x800000ul
#define DATA_WORDS  0x40000ul /* a power of two */

/* What the guest writes at its end. */
struct result {
	uint64_t status, counter;
};

/* The part of the DS management area that PEBS uses. */
struct ds {
	uint64_t bts[4];
	uint64_t base, index, maximum, threshold;
	uint64_t reset[8];
};

struct record {
	uint64_t format, ip, counters, tsc;
	uint64_t address, source, latency, tsx;
};

_Static_assert(sizeof(struct record) == RECORD_SIZE,
	       "the size is that of the basic group and the memory group");

/*
 * rdi: data; rsi: number of stores; r8: the DS area; r9: -period; r10: lower half of the event,
 * r11: upper half.
 */
__asm__(".pushsection .rodata\n"
	".macro kx_wrmsr msr\n"
	"	mov $\\msr, %ecx\n"
	"	wrmsr\n"
	".endm\n"
	"pebs_guest:\n"
	"	mov %r8d, %eax\n"
	"	xor %edx, %edx\n"
	"	kx_wrmsr 0x600\n" /* DS_AREA */
	"	mov $1, %eax\n"
	"	kx_wrmsr 0x3f2\n" /* PEBS_DATA_CFG: the memory group */
	"	mov %r10d, %eax\n"
	"	mov %r11d, %edx\n"
	"	kx_wrmsr 0x186\n" /* PERFEVTSEL0 */
	"	mov %r9d, %eax\n"
	"	xor %edx, %edx\n"
	"	kx_wrmsr 0xc1\n" /* PMC0, sign-extended */
	"	mov $1, %eax\n"
	"	kx_wrmsr 0x3f1\n" /* PEBS_ENABLE */
	"	mov $1, %eax\n"
	"	kx_wrmsr 0x38f\n" /* GLOBAL_CTRL */
	"	xor %ebx, %ebx\n"
	"1:	mov %rbx, %rax\n"
	"	and $0x3ffff, %eax\n"
	"pebs_guest_store:\n"
	"	mov %rbx, (%rdi,%rax,8)\n"
	"	inc %rbx\n"
	"	cmp %rsi, %rbx\n"
	"	jb 1b\n"
	"	xor %eax, %eax\n"
	"	xor %edx, %edx\n"
	"	kx_wrmsr 0x38f\n"
	"	mov $0x38e, %ecx\n" /* GLOBAL_STATUS */
	"	rdmsr\n"
	"	mov %eax, 0x5000\n"
	"	mov %edx, 0x5004\n"
	"	mov $0xc1, %ecx\n"
	"	rdmsr\n"
	"	mov %eax, 0x5008\n"
	"	mov %edx, 0x500c\n"
	"	hlt\n"
	"pebs_guest_end:\n"
	".popsection\n");
extern const char pebs_guest[], pebs_guest_store[], pebs_guest_end[];

struct vm {
	int fd, vcpu;
	struct kvm_run *run;
	uint8_t *memory;
	pthread_t thread;
};

static int kvm;
static struct kvm_cpuid2 *cpuid;
static uint64_t capabilities;

/* --- a VM ------------------------------------------------------------------ */

/* 1: done */
static int one_msr(int fd, unsigned long request, uint32_t index, uint64_t *value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1, .entry = { .index = index, .data = *value } };
	int done = ioctl(fd, request, &msrs);

	*value = msrs.entry.data;
	return done;
}

static void ask_kvm(void)
{
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		bail("/dev/kvm: %s", strerror(errno));
	if (one_msr(kvm, KVM_GET_MSRS, MSR_PERF_CAPABILITIES, &capabilities) != 1)
		capabilities = 0;
	cpuid = calloc(1, sizeof(*cpuid) + 256 * sizeof(struct kvm_cpuid_entry2));
	cpuid->nent = 256;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid))
		bail("KVM_GET_SUPPORTED_CPUID: %s", strerror(errno));
}

/* Maps guest memory one to one, by pages of 2 MiB. */
static void make_page_tables(uint8_t *memory)
{
	uint64_t *pml4 = (uint64_t *)(memory + PML4_GPA), *pdpt = (uint64_t *)(memory + PDPT_GPA);
	uint64_t *pd = (uint64_t *)(memory + PD_GPA);

	pml4[0] = PDPT_GPA | 3;
	pdpt[0] = PD_GPA | 3;
	for (uint64_t i = 0; i < MEMORY_SIZE / VMM_2M; i++)
		pd[i] = i * VMM_2M | 0x83;
}

static void make_ds(uint8_t *memory)
{
	struct ds *ds = (struct ds *)(memory + DS_GPA);

	ds->base = ds->index = RECORDS_GPA;
	ds->maximum = RECORDS_GPA + 2 * RECORDS * RECORD_SIZE;
	ds->threshold = ds->maximum + 1; /* never */
	ds->reset[0] = -(uint64_t)PERIOD & 0xffffffffffffull;
}

static void make_memory(struct vm *vm)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY_SIZE };

	vm->memory =
		mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (vm->memory == MAP_FAILED)
		bail("mmap: %s", strerror(errno));
	make_page_tables(vm->memory);
	make_ds(vm->memory);
	memcpy(vm->memory + CODE_GPA, pebs_guest,
	       (uintptr_t)pebs_guest_end - (uintptr_t)pebs_guest);
	region.userspace_addr = (uintptr_t)vm->memory;
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region))
		bail("KVM_SET_USER_MEMORY_REGION: %s", strerror(errno));
}

static void make_vcpu(struct vm *vm)
{
	uint64_t caps = capabilities;

	vm->vcpu = ioctl(vm->fd, KVM_CREATE_VCPU, 0);
	if (vm->vcpu < 0)
		bail("KVM_CREATE_VCPU: %s", strerror(errno));
	vm->run = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		       MAP_SHARED, vm->vcpu, 0);
	if (vm->run == MAP_FAILED || ioctl(vm->vcpu, KVM_SET_CPUID2, cpuid) ||
	    one_msr(vm->vcpu, KVM_SET_MSRS, MSR_PERF_CAPABILITIES, &caps) != 1)
		bail("the vCPU: %s", strerror(errno));
}

static void set_registers(struct vm *vm)
{
	struct kvm_segment code = {
		.limit = ~0u, .selector = 8, .type = 11, .present = 1, .l = 1, .s = 1, .g = 1
	};
	struct kvm_segment data = {
		.limit = ~0u, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1
	};
	struct kvm_regs regs = {
		.rip = CODE_GPA,
		.rflags = 2,
		.rsp = 0x30000,
		.rdi = DATA_GPA,
		.rsi = STORES,
		.r8 = DS_GPA,
		.r9 = (uint32_t)-PERIOD,
		.r10 = 0x82d0 | 3 << 16 | 1 << 22, /* all stores, any mode, enabled */
		.r11 = 1 << 2,			   /* adaptive */
	};
	struct kvm_sregs s;

	if (ioctl(vm->vcpu, KVM_GET_SREGS, &s))
		bail("KVM_GET_SREGS: %s", strerror(errno));
	s.cr0 = 0x80050033;
	s.cr4 = 0x620;
	s.efer = 0x500;
	s.cr3 = PML4_GPA;
	s.cs = code;
	s.ds = s.es = s.ss = s.fs = s.gs = data;
	if (ioctl(vm->vcpu, KVM_SET_SREGS, &s) || ioctl(vm->vcpu, KVM_SET_REGS, &regs))
		bail("the vCPU's registers: %s", strerror(errno));
}

static void make(struct vm *vm)
{
	vm->fd = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		bail("KVM_CREATE_VM: %s", strerror(errno));
	make_memory(vm);
	make_vcpu(vm);
	set_registers(vm);
}

static void *run(void *arg)
{
	struct vm *vm = arg;

	while (ioctl(vm->vcpu, KVM_RUN, 0)) {
		if (errno != EINTR && errno != EAGAIN)
			bail("KVM_RUN: %s", strerror(errno));
	}
	if (vm->run->exit_reason != KVM_EXIT_HLT)
		bail("unexpected VM exit %u", vm->run->exit_reason);
	return NULL;
}

static void destroy(struct vm *vm)
{
	munmap(vm->memory, MEMORY_SIZE);
	close(vm->vcpu);
	close(vm->fd);
}

/* --- the records that are expected ----------------------------------------- */

static uint64_t word_of(const struct record *r)
{
	return (r->address - DATA_GPA) / 8;
}

/*
 * If a VM exit prevents that a record is written, the record is written for the next store: its
 * distance from the record before it is larger by one, or by two if there was a VM exit at that
 * store, too. This happens at each page of the buffer that was not mapped, and at interrupts.
 */
static void check(struct vm *vm, const char *name)
{
	const struct ds *ds = (const struct ds *)(vm->memory + DS_GPA);
	const struct record *r = (const struct record *)(vm->memory + RECORDS_GPA);
	uint64_t n = (ds->index - ds->base) / RECORD_SIZE, late = 0, gaps = 0, wrong = 0;
	uint64_t pages = (RECORDS * RECORD_SIZE + VMM_PAGE - 1) / VMM_PAGE;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t distance =
			i ? (word_of(&r[i]) - word_of(&r[i - 1])) % DATA_WORDS : word_of(&r[0]) + 1;

		if (distance >= PERIOD && distance <= PERIOD + LATE_MAX)
			late += distance - PERIOD;
		else
			gaps++;
		wrong +=
			r[i].ip != CODE_GPA + (uintptr_t)pebs_guest_store - (uintptr_t)pebs_guest ||
			r[i].format != (1 | (uint64_t)RECORD_SIZE << 48) || r[i].counters != 1 ||
			r[i].address % 8 || r[i].address < DATA_GPA ||
			r[i].address >= DATA_GPA + 8 * DATA_WORDS;
	}
	note("%s: %llu records of %llu stores, %llu stores late in all, %llu pages of buffer", name,
	     (unsigned long long)n, (unsigned long long)STORES, (unsigned long long)late,
	     (unsigned long long)pages);
	ok(n >= RECORDS, "%s: at least %u records", name, RECORDS);
	ok_eq(n, (STORES - late) / PERIOD, "%s: a record for each %u stores", name, PERIOD);
	ok_eq(gaps, 0, "%s: no record is missing between two others", name);
	ok_eq(wrong, 0, "%s: instruction, address and counter are right in every record", name);
	ok(late <= 2 * pages, "%s: few records are late", name);
	ok_eq(((struct result *)(vm->memory + RESULT_GPA))->status, 0,
	      "%s: no overflow is reported", name);
}

static void one_vm(void)
{
	struct vm vm;

	make(&vm);
	run(&vm);
	check(&vm, "one VM");
	destroy(&vm);
}

static void move_until_done(pthread_t thread)
{
	const struct timespec rest = { .tv_nsec = 5000000 };
	unsigned int moves = 0;

	while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
		cpu_set_t cpu;

		CPU_ZERO(&cpu);
		CPU_SET(moves++ % 2, &cpu);
		pthread_setaffinity_np(thread, sizeof(cpu), &cpu);
		nanosleep(&rest, NULL);
	}
	note("the vCPU was moved %u times", moves);
	ok(moves > 20, "the vCPU was moved between CPUs");
}

static void a_vm_that_moves(void)
{
	struct vm vm;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		skip("one CPU", "a vCPU that moves between CPUs");
		return;
	}
	make(&vm);
	if (pthread_create(&vm.thread, NULL, run, &vm))
		bail("no thread");
	move_until_done(vm.thread);
	check(&vm, "a vCPU that moves between CPUs");
	destroy(&vm);
}

static void two_vms_on_a_cpu(void)
{
	struct vm vms[2];

	vmm_stay_on(0);
	for (int i = 0; i < 2; i++)
		make(&vms[i]);
	for (int i = 0; i < 2; i++) {
		if (pthread_create(&vms[i].thread, NULL, run, &vms[i]))
			bail("no thread");
	}
	for (int i = 0; i < 2; i++)
		pthread_join(vms[i].thread, NULL);
	check(&vms[0], "first of two VMs");
	check(&vms[1], "second of two VMs");
	for (int i = 0; i < 2; i++)
		destroy(&vms[i]);
	vmm_stay_on(-1);
}

/* --- registers -------------------------------------------------------------- */

static void refused(int vcpu, uint32_t index, uint64_t value, const char *what)
{
	uint64_t v = value;

	ok(one_msr(vcpu, KVM_SET_MSRS, index, &v) != 1, "KVM refuses %s", what);
}

static bool asked_for_load_latency(void)
{
	int fd = open("/sys/module/kvm_intel/parameters/guest_pebs_load_latency", O_RDONLY);
	char value = 0;

	if (fd < 0 || read(fd, &value, 1) != 1)
		value = 0;
	if (fd >= 0)
		close(fd);
	return value == 'Y';
}

static void guest_registers(void)
{
	uint64_t value = 64;
	struct vm vm;

	make(&vm);
	if (asked_for_load_latency()) {
		ok(one_msr(vm.vcpu, KVM_SET_MSRS, MSR_PEBS_LD_LAT, &value) == 1 &&
			   one_msr(vm.vcpu, KVM_GET_MSRS, MSR_PEBS_LD_LAT, &value) == 1 &&
			   value == 64,
		   "the threshold of load latency can be set and is kept");
		refused(vm.vcpu, MSR_PEBS_LD_LAT, 0x10000, "a threshold of more than 16 bits");
	} else {
		refused(vm.vcpu, MSR_PEBS_LD_LAT, 64,
			"the threshold of load latency, which was not requested");
	}
	refused(vm.vcpu, 0x3f2, 8, "branch records, which may be the host's");
	refused(vm.vcpu, 0x3f2, 1u << 24, "a number of branch records");
	refused(vm.vcpu, 0x3f1, 1ull << 63, "PEBS on a counter that does not exist");
	destroy(&vm);
}

static bool host_takes(int fd, uint32_t index, uint64_t value)
{
	return pwrite(fd, &value, sizeof(value), index) == sizeof(value);
}

/*
 * Writes reserved bits to registers of the emulated CPU itself. The other bits have the values that
 * the host's kernel has set while nothing is sampled.
 */
static void host_registers(void)
{
	static const struct {
		uint32_t index;
		uint64_t value;
		const char *what;
	} refusals[] = {
		{ 0x186, 1ull << 21, "AnyThread in an event select" },
		{ 0x186, 1ull << 35, "an unknown bit in an event select" },
		{ 0x38d, 1ull << 2, "AnyThread of a fixed counter" },
		{ 0x38f, 1ull << 8, "a ninth counter" },
		{ 0x3f1, 1ull << 8, "PEBS on a ninth counter" },
		{ 0x3f2, 1ull << 3, "branch records" },
		{ 0x3f6, 1ull << 16, "a threshold of more than 16 bits" },
		{ 0x38e, 0, "writing the status" },
		{ 0x345, 0, "writing the capabilities" },
		{ 0x600, 1ull << 62, "a DS area that is not canonical" },
		{ 0x4c1, 1ull << 48, "a counter of 49 bits" },
	};
	int fd = open("/dev/cpu/0/msr", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		skip("no /dev/cpu/0/msr", "the CPU refuses reserved bits");
		return;
	}
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		ok(!host_takes(fd, refusals[i].index, refusals[i].value), "the CPU refuses %s",
		   refusals[i].what);
	ok(host_takes(fd, 0x3f6, 64) && host_takes(fd, 0x3f6, 0), "the CPU takes a threshold");
	close(fd);
}

int main(void)
{
	ask_kvm();
	if (!(capabilities & CAP_PEBS_BASELINE)) {
		skip("KVM offers guests no adaptive PEBS (MSR 0x345, bit 14)", "PEBS in guests");
		return tap_end();
	}
	one_vm();
	two_vms_on_a_cpu();
	a_vm_that_moves();
	guest_registers();
	host_registers();
	return tap_end();
}
