// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tap.h"
#include "vmm.h"

#define CODE_GPA  0x1000ul
#define CTL_GPA	  0x2000ul /* one page for each vCPU */
#define LIST_GPA  0x100000ul
#define LIST_SIZE (VMM_LIST_MAX * sizeof(uint32_t))
#define PML4_GPA  (LIST_GPA + VMM_MAX_VCPUS * LIST_SIZE)
#define PDPT_GPA  (PML4_GPA + VMM_PAGE)
#define GIBS	  (VMM_GPA_END >> 30)
#define PD_GPA	  (PDPT_GPA + VMM_PAGE) /* one page for each GiB */
#define PT_GPA	  (PD_GPA + GIBS * VMM_PAGE)
#define PT_END	  (PT_GPA + 512 * VMM_PAGE)

_Static_assert(PT_END <= VMM_LOW_SIZE, "the page tables fit into the low memory");

#define CODE_OFFSET 64 /* of the function of vmm_put_code() in its page */
#define STRING(x)   #x
#define TEXT(x)	    STRING(x)

/*
 * The guest's code. ebx: the control block (struct vmm_ctl); edi: the address of the page; edx: the
 * kind of access. The same bytes are used in 32-bit and in 64-bit mode. So there is no DEC: its
 * short form is a prefix in 64-bit mode. WIDE is this prefix, which makes operands 64 bits wide; in
 * 32-bit mode it decrements eax, which is not used.
 *
 * A write goes to the first bytes of the page: in entries of the page-modification log, Bochs 2.7
 * does not clear the offset in the page, as a CPU does, and KVM warns of each entry with an offset.
 */
#define WIDE ".byte 0x48\n"

__asm__(".pushsection .rodata\n"
	"guest_start:\n"
	".code32\n"
	"1:	mov (%ebx), %ebp\n"  /* seq */
	"	cmp 4(%ebx), %ebp\n" /* done */
	"	jne 2f\n"
	"guest_exit:\n"
	"	hlt\n"
	"	nop\n"
	"	jmp 1b\n"
	"2:	mov 12(%ebx), %ecx\n" /* count */
	"	mov 16(%ebx), %esi\n" /* list */
	"3:	test %ecx, %ecx\n"
	"	jz 7f\n"
	"	mov (%esi), %edi\n"
	"	mov %edi, %edx\n"
	"	and $-4, %edi\n" WIDE "	shl $10, %edi\n"
	"	and $3, %edx\n"
	"	jnz 4f\n"
	"	mov (%edi), %eax\n" /* VMM_READ */
	"	jmp 6f\n"
	"4:	cmp $1, %edx\n"
	"	jne 5f\n"
	"	mov %ebp, (%edi)\n" /* VMM_WRITE */
	"	jmp 6f\n"
	"5:\n" WIDE "	lea " TEXT(CODE_OFFSET) "(%edi), %edi\n"
						"	call *%edi\n" /* VMM_EXEC */
						"6:	add $4, %esi\n"
						"	sub $1, %ecx\n"
						"	jmp 3b\n"
						"7:	incl 20(%ebx)\n" /* iters */
						"	cmp (%ebx), %ebp\n"
						"	jne 8f\n"
						"	cmpl $0, 8(%ebx)\n" /* loop */
						"	jne 2b\n"
						"8:	mov %ebp, 4(%ebx)\n"
						"	jmp 1b\n"
						".code64\n"
						"guest_end:\n"
						".popsection\n");
extern const char guest_start[], guest_exit[], guest_end[];

static const uint8_t out_insn[] = { 0xe6, 0x10 }; /* out %al, $0x10 */
static const uint8_t ret_insn = 0xc3;

static long futex(volatile uint32_t *word, int op, uint32_t value)
{
	return syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

/* --- vCPU threads ---------------------------------------------------------- */

static void interrupted(int sig)
{
	(void)sig;
}

/* The vCPU has left the guest. Waits until the test changes seq. */
static void wait_for_work(struct vmm_vcpu *vcpu)
{
	while (!vcpu->vm->stop && vcpu->ctl->seq == vcpu->ctl->done)
		futex(&vcpu->ctl->seq, FUTEX_WAIT, vcpu->ctl->done);
}

static _Noreturn void unexpected_exit(struct vmm_vcpu *vcpu)
{
	struct kvm_regs regs = { 0 };
	struct kvm_sregs sregs = { 0 };

	ioctl(vcpu->fd, KVM_GET_REGS, &regs);
	ioctl(vcpu->fd, KVM_GET_SREGS, &sregs);
	bail("unexpected VM exit %u: rip %#llx rbx %#llx rcx %#llx rsi %#llx rdi %#llx cr2 %#llx "
	     "cr3 %#llx cs %#x",
	     vcpu->run->exit_reason, regs.rip, regs.rbx, regs.rcx, regs.rsi, regs.rdi, sregs.cr2,
	     sregs.cr3, sregs.cs.selector);
}

static void *vcpu_thread(void *arg)
{
	struct vmm_vcpu *vcpu = arg;

	while (!vcpu->vm->stop) {
		if (ioctl(vcpu->fd, KVM_RUN, 0) < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			bail("KVM_RUN");
		}
		vcpu->exits++;
		if (vcpu->run->exit_reason !=
		    (vcpu->vm->config.io_exit ? KVM_EXIT_IO : KVM_EXIT_HLT))
			unexpected_exit(vcpu);
		__atomic_store_n(&vcpu->halted, vcpu->ctl->done, __ATOMIC_RELEASE);
		futex(&vcpu->halted, FUTEX_WAKE, INT32_MAX);
		wait_for_work(vcpu);
	}
	return NULL;
}

#define CPUID_ENTRIES 256

/* The guest's CPU has the host's features: newer kernels refuse modes that CPUID does not show. */
static void set_cpuid(struct vmm_vcpu *vcpu)
{
	size_t size = sizeof(struct kvm_cpuid2) + CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2);
	struct kvm_cpuid2 *cpuid = calloc(1, size);

	if (!cpuid)
		bail("memory");
	cpuid->nent = CPUID_ENTRIES;
	if (ioctl(vcpu->vm->kvm, KVM_GET_SUPPORTED_CPUID, cpuid) ||
	    ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid))
		bail("KVM_SET_CPUID2");
	free(cpuid);
}

/* Enables virtualisation, as a hypervisor in the guest does: EFER.SVME or CR4.VMXE. */
static void host_guests(struct kvm_sregs *sregs)
{
	unsigned int max, vendor, c, d;

	if (__get_cpuid(0, &max, &vendor, &c, &d) && vendor == signature_INTEL_ebx)
		sregs->cr4 |= 1 << 13;
	else
		sregs->efer |= 1 << 12;
}

static void set_mode(struct vmm_vcpu *vcpu, uint32_t ctl_gpa)
{
	struct kvm_segment seg = {
		.limit = ~0u, .selector = 8, .type = 11, .present = 1, .db = 1, .s = 1, .g = 1
	};
	/*
	 * The guest's interrupts are enabled, though the guest gets none: while they are disabled,
	 * Bochs holds back interrupts of the host, too, and a guest that loops would keep the CPU
	 * for ever.
	 */
	struct kvm_regs regs = {
		.rip = CODE_GPA, .rflags = 0x202, .rbx = ctl_gpa, .rsp = ctl_gpa + VMM_PAGE
	};
	const struct vmm_config *config = &vcpu->vm->config;
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs))
		bail("KVM_GET_SREGS");
	sregs.cs = seg;
	seg.type = 3;
	seg.selector = 16;
	sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = seg;
	sregs.cr0 |= 1;
	if (config->mode != VMM_32 || config->hosts_guests)
		set_cpuid(vcpu);
	if (config->hosts_guests)
		host_guests(&sregs);
	if (config->mode != VMM_32) {
		sregs.cs.db = 0;
		sregs.cs.l = 1;
		sregs.cr3 = PML4_GPA;
		sregs.cr4 |= 1 << 5;   /* PAE */
		sregs.efer |= 0x500;   /* LME, LMA */
		sregs.cr0 |= 1u << 31; /* PG */
	}
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) || ioctl(vcpu->fd, KVM_SET_REGS, &regs))
		bail("KVM_SET_REGS");
}

/* With KVM's interrupt controllers, all vCPUs except the first wait for a start. */
static void make_runnable(struct vmm_vcpu *vcpu)
{
	struct kvm_mp_state state = { .mp_state = KVM_MP_STATE_RUNNABLE };

	if (vcpu->vm->config.irqchip && ioctl(vcpu->fd, KVM_SET_MP_STATE, &state))
		bail("KVM_SET_MP_STATE");
}

static void start_vcpu(struct vmm *vm, int i, int cpu)
{
	struct vmm_vcpu *vcpu = &vm->vcpu[i];
	uint32_t ctl_gpa = CTL_GPA + i * VMM_PAGE;
	long size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	pthread_attr_t attr;
	cpu_set_t cpus;

	vcpu->vm = vm;
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, i);
	if (vcpu->fd < 0 || size < 0)
		bail("KVM_CREATE_VCPU");
	vcpu->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		bail("mmap of the vCPU");
	vcpu->ctl = (volatile struct vmm_ctl *)(vm->low + ctl_gpa);
	vcpu->list = (uint32_t *)(vm->low + LIST_GPA + i * LIST_SIZE);
	vcpu->ctl->list = LIST_GPA + i * LIST_SIZE;
	set_mode(vcpu, ctl_gpa);
	make_runnable(vcpu);

	pthread_attr_init(&attr);
	if (cpu >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET(cpu, &cpus);
		pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	}
	if (pthread_create(&vcpu->thread, &attr, vcpu_thread, vcpu))
		bail("vCPU thread");
	pthread_attr_destroy(&attr);
}

/* --- the VM ------------------------------------------------------------------ */

/* Maps all memory one to one: present and writable; bit 7 marks a large page. */
static void build_page_tables(struct vmm *vm)
{
	uint64_t *pml4 = (uint64_t *)(vm->low + PML4_GPA), *pdpt = (uint64_t *)(vm->low + PDPT_GPA);
	uint64_t *pd = (uint64_t *)(vm->low + PD_GPA), *pt = (uint64_t *)(vm->low + PT_GPA);
	uint64_t i;

	pml4[0] = PDPT_GPA | 3;
	for (i = 0; i < GIBS; i++)
		pdpt[i] = (PD_GPA + i * VMM_PAGE) | 3;
	for (i = 0; i < GIBS * 512; i++)
		pd[i] = i * VMM_2M | 0x83;
	if (vm->config.mode != VMM_64_4K)
		return;
	for (i = 0; i < 512; i++)
		pd[i] = (PT_GPA + i * VMM_PAGE) | 3;
	for (i = 0; i < 512 * 512; i++)
		pt[i] = i * VMM_PAGE | 3;
}

static void load_guest(struct vmm *vm)
{
	/* cppcheck-suppress comparePointers ; two labels of one piece of code */
	memcpy(vm->low + CODE_GPA, guest_start, guest_end - guest_start);
	if (vm->config.io_exit)
		/* cppcheck-suppress comparePointers ; as above */
		memcpy(vm->low + CODE_GPA + (guest_exit - guest_start), out_insn, sizeof(out_insn));
	if (vm->config.mode != VMM_32)
		build_page_tables(vm);
}

static void enable_cap(struct vmm *vm, uint32_t cap, uint64_t arg)
{
	struct kvm_enable_cap enable = { .cap = cap, .args = { arg } };

	if (ioctl(vm->fd, KVM_ENABLE_CAP, &enable))
		bail("KVM_ENABLE_CAP %u", cap);
}

static void set_up_log(struct vmm *vm)
{
	switch (vm->config.log) {
	case VMM_LOG_PLAIN:
		break;
	case VMM_LOG_MANUAL:
		enable_cap(vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
			   KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE);
		break;
	case VMM_LOG_ALL_SET:
		enable_cap(vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
			   KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET);
		break;
	case VMM_LOG_RING:
		enable_cap(vm, KVM_CAP_DIRTY_LOG_RING, 65536);
		break;
	}
}

void vmm_create_as(struct vmm *vm, const struct vmm_config *config, int nr_vcpus, int first_cpu)
{
	struct sigaction sa = { .sa_handler = interrupted };
	int i;

	memset(vm, 0, sizeof(*vm));
	vm->config = *config;
	vm->config.io_exit |= config->irqchip;
	sigaction(SIGUSR1, &sa, NULL);
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		bail("/dev/kvm");
	vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		bail("KVM_CREATE_VM");
	/* Needed only on Intel's CPUs without unrestricted guest; has no effect elsewhere. */
	ioctl(vm->fd, KVM_SET_TSS_ADDR, 0xfffbd000);
	set_up_log(vm);
	if (vm->config.irqchip && ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0))
		bail("KVM_CREATE_IRQCHIP");
	vm->low = vmm_memory(VMM_LOW_SIZE, VMM_SMALL);
	if (!vm->low || vmm_map(vm, 0, 0, VMM_LOW_SIZE, vm->low, 0))
		bail("low memory");
	load_guest(vm);
	vm->nr_vcpus = nr_vcpus;
	for (i = 0; i < nr_vcpus; i++)
		start_vcpu(vm, i, first_cpu < 0 ? -1 : first_cpu + i);
}

void vmm_create(struct vmm *vm, int nr_vcpus, int first_cpu)
{
	static const struct vmm_config simple;

	vmm_create_as(vm, &simple, nr_vcpus, first_cpu);
}

void vmm_destroy(struct vmm *vm)
{
	long size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	int i;

	vm->stop = true;
	for (i = 0; i < vm->nr_vcpus; i++) {
		struct vmm_vcpu *vcpu = &vm->vcpu[i];

		/* Repeated, because the thread may be about to enter the guest or to wait. */
		while (pthread_tryjoin_np(vcpu->thread, NULL) == EBUSY) {
			vcpu->run->immediate_exit = 1;
			futex(&vcpu->ctl->seq, FUTEX_WAKE, INT32_MAX);
			pthread_kill(vcpu->thread, SIGUSR1);
			usleep(200);
		}
		munmap(vcpu->run, size);
		close(vcpu->fd);
	}
	close(vm->fd);
	close(vm->kvm);
	vmm_free(vm->low, VMM_LOW_SIZE);
}

int vmm_map(struct vmm *vm, uint32_t slot, uint64_t gpa, uint64_t size, void *memory,
	    uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

int vmm_get_log(struct vmm *vm, uint32_t slot, uint64_t *bitmap)
{
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bitmap };

	return ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log);
}

int vmm_clear_log(struct vmm *vm, uint32_t slot, uint64_t first_page, uint32_t npages,
		  uint64_t *bitmap)
{
	struct kvm_clear_dirty_log log = {
		.slot = slot,
		.first_page = first_page,
		.num_pages = npages,
		.dirty_bitmap = bitmap,
	};

	return ioctl(vm->fd, KVM_CLEAR_DIRTY_LOG, &log);
}

void vmm_stay_on(int cpu)
{
	cpu_set_t cpus;
	int i;

	CPU_ZERO(&cpus);
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (cpu < 0 || i == cpu)
			CPU_SET(i, &cpus);
	}
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		bail("CPU %d", cpu);
}

/* --- memory ---------------------------------------------------------------------- */

static void *aligned_anonymous(size_t size)
{
	size_t room = size + VMM_2M;
	uint8_t *p = mmap(NULL, room, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *start;

	if (p == MAP_FAILED)
		return NULL;
	start = (uint8_t *)(((uintptr_t)p + VMM_2M - 1) & ~(VMM_2M - 1));
	if (start > p)
		munmap(p, start - p);
	munmap(start + size, p + room - (start + size));
	return start;
}

static void *hugetlb(size_t size, int order)
{
	void *p =
		mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | (order << MAP_HUGE_SHIFT), -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void *vmm_fresh_memory(size_t size, enum vmm_backing backing)
{
	void *p;

	if (backing == VMM_HUGETLB || backing == VMM_HUGETLB_1G)
		return hugetlb(size, backing == VMM_HUGETLB ? 21 : 30);
	p = aligned_anonymous(size);
	if (p)
		madvise(p, size, backing == VMM_THP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return p;
}

void *vmm_memory(size_t size, enum vmm_backing backing)
{
	void *p = vmm_fresh_memory(size, backing);

	if (p)
		memset(p, 0, size);
	return p;
}

void vmm_put_code(void *page)
{
	memcpy((uint8_t *)page + CODE_OFFSET, &ret_insn, sizeof(ret_insn));
}

void vmm_free(void *memory, size_t size)
{
	munmap(memory, size);
}

/* --- what the guest does ------------------------------------------------------------ */

static void start(struct vmm_vcpu *vcpu, const uint32_t *list, uint32_t count, bool loop)
{
	if (count > VMM_LIST_MAX)
		bail("list too long: %u", count);
	memcpy(vcpu->list, list, count * sizeof(*list));
	vcpu->ctl->count = count;
	vcpu->ctl->loop = loop;
	__atomic_store_n(&vcpu->ctl->seq, vcpu->ctl->done + 1, __ATOMIC_RELEASE);
	futex(&vcpu->ctl->seq, FUTEX_WAKE, INT32_MAX);
}

/* Waits until the vCPU has left the guest; then its CPU has dropped cached translations. */
static void wait_halted(struct vmm_vcpu *vcpu)
{
	uint32_t halted;

	while ((halted = __atomic_load_n(&vcpu->halted, __ATOMIC_ACQUIRE)) != vcpu->ctl->seq)
		futex(&vcpu->halted, FUTEX_WAIT, halted);
}

void vmm_begin(struct vmm *vm, int vcpu, const uint32_t *list, uint32_t count)
{
	start(&vm->vcpu[vcpu], list, count, false);
}

void vmm_finish(struct vmm *vm, int vcpu)
{
	wait_halted(&vm->vcpu[vcpu]);
}

void vmm_touch(struct vmm *vm, int vcpu, const uint32_t *list, uint32_t count)
{
	vmm_begin(vm, vcpu, list, count);
	vmm_finish(vm, vcpu);
}

void vmm_touch_shared(struct vmm *vm, const uint32_t *list, uint32_t count)
{
	uint32_t share = count / vm->nr_vcpus, first;
	int i;

	for (i = 0; i < vm->nr_vcpus; i++) {
		first = i * share;
		vmm_begin(vm, i, list + first, i == vm->nr_vcpus - 1 ? count - first : share);
	}
	for (i = 0; i < vm->nr_vcpus; i++)
		vmm_finish(vm, i);
}

void vmm_age_page_tables(struct vmm *vm)
{
	uint64_t *entry = (uint64_t *)(vm->low + PML4_GPA), *end = (uint64_t *)(vm->low + PT_END);
	struct kvm_sregs sregs;
	int i;

	for (; entry < end; entry++)
		*entry &= ~0x60ull;
	for (i = 0; i < vm->nr_vcpus; i++) {
		/* A change of CR4.PGE flushes the TLB. */
		if (ioctl(vm->vcpu[i].fd, KVM_GET_SREGS, &sregs))
			bail("KVM_GET_SREGS");
		sregs.cr4 ^= 1 << 7; /* PGE */
		if (ioctl(vm->vcpu[i].fd, KVM_SET_SREGS, &sregs))
			bail("KVM_SET_SREGS");
	}
}

void vmm_loop(struct vmm *vm, int vcpu, const uint32_t *list, uint32_t count)
{
	uint32_t before = vm->vcpu[vcpu].ctl->iters;

	start(&vm->vcpu[vcpu], list, count, true);
	/* After the first time, all pages of the list are mapped. */
	while (vm->vcpu[vcpu].ctl->iters == before)
		usleep(50);
}

void vmm_halt(struct vmm *vm, int vcpu)
{
	vm->vcpu[vcpu].ctl->loop = 0;
	wait_halted(&vm->vcpu[vcpu]);
}

void vmm_wait_iters(struct vmm *vm, int vcpu, uint32_t n)
{
	uint32_t start = vm->vcpu[vcpu].ctl->iters;

	/*
	 * One iteration more: the current one may have passed the page in question already. If the
	 * host has a single CPU, the guest needs it.
	 */
	while (vm->vcpu[vcpu].ctl->iters - start <= n)
		sched_yield();
}
