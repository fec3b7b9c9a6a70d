// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A structured fuzzer of /dev/kvm-ext: several threads call the device with arguments that are
 * mostly nearly right, while VMs are created and destroyed, memslots change, the VMMs use their
 * dirty logs, and the indices of rings are overwritten.
 *
 * Expected: the kernel's log has no complaint (the program that runs this one reads the log: KASAN,
 * lockdep and others find what this program cannot see); each kind of call has succeeded at least
 * once, so that the fuzzer has reached the code behind the checks; at the end nothing is left, and
 * a VM can be tracked.
 *
 * Each thread makes calls in batches. What a batch does follows from its seed and from what the
 * other threads do at the same time. If the kernel has KCOV, the seeds of batches that reached new
 * code are kept in a file, and later runs begin with these seeds.
 *
 * What it cannot show: errors in code that runs in the module's own thread may be missed, because
 * the coverage does not contain this code; an order of events that never occurs on this machine.
 *
 * usage: fuzz-device SECONDS [SEED [FILE WITH SEEDS]]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "child.h"
#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define VMS	     3
#define FDS	     5
#define RINGS	     6
#define FUZZERS	     3
#define BATCH	     64
#define SLOT_SIZE    (8ul << 20)
#define SLOTS	     4
#define SEEDS_MAX    4096
#define COVER_WORDS  (64u << 10)
#define COVERED_BITS (1u << 20)

struct fuzz_vm {
	pthread_rwlock_t lock; /* held for writing while the VM is created or destroyed */
	bool lives;
	struct vmm vm;
	void *memory[SLOTS]; /* of the slots from 1 on */
};

struct ring {
	void *map;
	size_t size;
};

static struct fuzz_vm vms_[VMS];
static _Atomic int fds[FDS];
static struct ring rings[RINGS];
static pthread_mutex_t rings_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool stop;
static atomic_ulong batches, kept;

static _Atomic uint64_t covered[COVERED_BITS / 64];
static uint64_t seeds[SEEDS_MAX];
static atomic_uint nr_seeds;

/* --- chance -------------------------------------------------------------------------------- */

/* splitmix64 */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static uint64_t below(uint64_t *r, uint64_t n)
{
	return draw(r) % n;
}

static bool one_in(uint64_t *r, unsigned int n)
{
	return !below(r, n);
}

/* Numbers that are often limits in code. */
static uint64_t odd_number(uint64_t *r)
{
	static const uint64_t known[] = { 0,	      1,	  2,	      7,
					  8,	      9,	  511,	      512,
					  513,	      4095,	  4096,	      4097,
					  1u << 20,   1ull << 31, 1ull << 32, 1ull << 52,
					  1ull << 63, ~0ull,	  ~0ull - 1,  0xffffffffull };

	return one_in(r, 4) ? draw(r) : known[below(r, sizeof(known) / sizeof(known[0]))];
}

static uint64_t some_gfn(uint64_t *r)
{
	return one_in(r, 8) ? odd_number(r)
			    : VMM_DATA_GPA / VMM_PAGE + below(r, SLOTS * SLOT_SIZE / VMM_PAGE);
}

/* --- arguments ------------------------------------------------------------------------------ */

/*
 * Chooses the address of an argument of @size bytes. Mostly the argument ends where accessible
 * memory ends, so that a read behind it faults. Each thread has memory of its own for this.
 */
static __thread uint8_t *my_edge;

static void *place(uint64_t *r, const void *argument, size_t size)
{
	uint8_t *at = my_edge + VMM_PAGE - size;

	switch (below(r, 40)) {
	case 0:
		return NULL;
	case 1:
		return my_edge + VMM_PAGE; /* no access */
	case 2:
		at += 8; /* its end cannot be read */
		memmove(at, argument, size - 8);
		return at;
	case 3:
		return (void *)draw(r);
	default:
		memcpy(at, argument, size);
		return at;
	}
}

/* Changes @size, the first member of each structure, in some cases. */
static void spoil_size(uint64_t *r, uint32_t *size)
{
	if (one_in(r, 16))
		*size = one_in(r, 2) ? (uint32_t)odd_number(r) : *size - 8 * (uint32_t)below(r, 8);
}

static int some_fd(uint64_t *r)
{
	return fds[below(r, FDS)];
}

/* --- calls ---------------------------------------------------------------------------------- */

static long fuzz_open(uint64_t *r)
{
	_Atomic int *fd = &fds[below(r, FDS)];
	int new = kx_open(), old;

	if (new < 0)
		return -1;
	old = atomic_exchange(fd, new);
	if (old >= 0)
		close(old);
	return 0;
}

static long fuzz_close(uint64_t *r)
{
	int old = atomic_exchange(&fds[below(r, FDS)], -1);

	return old < 0 ? 0 : close(old);
}

static long fuzz_attach(uint64_t *r)
{
	struct fuzz_vm *v = &vms_[below(r, VMS)];
	struct kvm_ext_attach attach = { .size = sizeof(attach), .ring_pages = 1u << below(r, 6) };
	long ret;

	if (one_in(r, 16))
		attach.ring_pages = (uint32_t)odd_number(r);
	if (one_in(r, 16))
		attach.flags = (uint32_t)odd_number(r);
	spoil_size(r, &attach.size);
	pthread_rwlock_rdlock(&v->lock);
	attach.vm_fd = one_in(r, 16) ? (int)below(r, 64) : v->lives ? v->vm.fd : -1;
	ret = ioctl(some_fd(r), KVM_EXT_ATTACH, place(r, &attach, sizeof(attach)));
	pthread_rwlock_unlock(&v->lock);
	return ret;
}

static uint32_t some_ranges(uint64_t *r, struct kvm_ext_range *ranges, uint32_t max)
{
	uint32_t n = (uint32_t)below(r, max + 1), i;
	uint64_t gfn = VMM_DATA_GPA / VMM_PAGE + below(r, 64);

	for (i = 0; i < n; i++) {
		ranges[i] = (struct kvm_ext_range){ gfn, 1 + below(r, 32) };
		gfn += ranges[i].npages + below(r, 200);
		if (one_in(r, 200))
			ranges[i].npages = odd_number(r);
	}
	return n;
}

static void set_options(uint64_t *r, struct kvm_ext_tracker *t, struct kvm_ext_range *ranges)
{
	if (one_in(r, 3))
		t->flush_scope = (uint32_t)below(r, 5);
	if (t->flush_scope == KVM_EXT_FLUSH_BATCH)
		t->batch_pages = (uint32_t)below(r, 2000);
	if (one_in(r, 4))
		t->granularity = one_in(r, 2) ? 12 : 21;
	if (one_in(r, 6))
		t->flags = (uint32_t)below(r, 4);
	if (one_in(r, 4)) {
		t->regions_max = 1 + (uint32_t)below(r, 2000);
		t->regions_min = 1 + (uint32_t)below(r, t->regions_max);
		t->aggregation_passes = (uint32_t)below(r, 5);
	}
	if (one_in(r, 4)) {
		t->first_gfn = some_gfn(r);
		t->npages = 1 + below(r, 4096);
	}
	if (t->tracker == KVM_EXT_TRACKER_TRAP && one_in(r, 2)) {
		t->trap_faults_per_s = (uint32_t)below(r, 20000);
		t->trap_time_ppm = (uint32_t)below(r, 1000001);
		t->trap_share_ppm = (uint32_t)below(r, 1000001);
		if (one_in(r, 2)) {
			t->first_gfn = t->npages = 0;
			t->nr_ranges = some_ranges(r, ranges, 64);
			t->ranges = (uintptr_t)ranges;
		}
	}
	if (one_in(r, 8))
		t->cpu = (int)below(r, 4) - 1;
}

static long fuzz_set(uint64_t *r)
{
	struct kvm_ext_tracker t = kx_tracker((uint32_t)below(r, 7));
	struct kvm_ext_range ranges[64];

	t.interval_ns = one_in(r, 3) ? 0 : 100000 + below(r, 20000000);
	set_options(r, &t, ranges);
	if (one_in(r, 8)) {
		/* Another value in one field of 32 bits. */
		uint32_t *field = (uint32_t *)&t + 1 + below(r, sizeof(t) / 4 - 1);

		*field = (uint32_t)odd_number(r);
	}
	spoil_size(r, &t.size);
	return ioctl(some_fd(r), KVM_EXT_SET_TRACKER, place(r, &t, sizeof(t)));
}

static long fuzz_stats(uint64_t *r)
{
	struct kvm_ext_stats stats = { .size = sizeof(stats) };

	spoil_size(r, &stats.size);
	return ioctl(some_fd(r), KVM_EXT_GET_STATS, place(r, &stats, sizeof(stats)));
}

static long fuzz_get_vm(uint64_t *r)
{
	struct kvm_ext_vm vm = { .size = sizeof(vm) };

	spoil_size(r, &vm.size);
	return ioctl(some_fd(r), KVM_EXT_GET_VM, place(r, &vm, sizeof(vm)));
}

static long fuzz_caps(uint64_t *r)
{
	struct kvm_ext_caps caps = { .size = sizeof(caps) };

	spoil_size(r, &caps.size);
	return ioctl(some_fd(r), KVM_EXT_GET_CAPS, place(r, &caps, sizeof(caps)));
}

static long fuzz_pass(uint64_t *r)
{
	struct kvm_ext_run_pass run = { .size = sizeof(run) };

	spoil_size(r, &run.size);
	return ioctl(some_fd(r), KVM_EXT_RUN_PASS, place(r, &run, sizeof(run)));
}

static long fuzz_exclude(uint64_t *r)
{
	struct kvm_ext_range ranges[32];
	struct kvm_ext_excluded e = { .size = sizeof(e), .ranges = (uintptr_t)ranges };

	e.nr_ranges = some_ranges(r, ranges, 32);
	if (one_in(r, 16))
		e.nr_ranges = (uint32_t)odd_number(r);
	if (one_in(r, 16))
		e.ranges = odd_number(r);
	spoil_size(r, &e.size);
	return ioctl(some_fd(r), KVM_EXT_SET_EXCLUDED, place(r, &e, sizeof(e)));
}

static long fuzz_anything(uint64_t *r)
{
	uint64_t noise[64];

	for (unsigned int i = 0; i < 64; i++)
		noise[i] = odd_number(r);
	noise[0] = noise[0] << 32 | (one_in(r, 2) ? 8 * below(r, 64) : odd_number(r) & 0xffffffff);
	ioctl(some_fd(r), one_in(r, 4) ? (unsigned int)draw(r) : 0xeb00 | below(r, 16),
	      place(r, noise, sizeof(noise)));
	return 0;
}

/* --- rings ---------------------------------------------------------------------------------- */

static long fuzz_map(uint64_t *r)
{
	struct ring *ring = &rings[below(r, RINGS)];
	size_t size = VMM_PAGE + (VMM_PAGE << below(r, 6));
	off_t offset = one_in(r, 16) ? (off_t)(odd_number(r) & ~0xfffull) : 0;
	int protection = one_in(r, 8) ? PROT_READ : PROT_READ | PROT_WRITE;
	void *map = mmap(NULL, size, protection, one_in(r, 16) ? MAP_PRIVATE : MAP_SHARED,
			 some_fd(r), offset);

	if (map == MAP_FAILED)
		return -1;
	pthread_mutex_lock(&rings_lock);
	if (ring->map)
		munmap(ring->map, ring->size);
	*ring = (struct ring){ map, size };
	if (protection == PROT_READ)
		mprotect(map, size, PROT_READ | PROT_WRITE); /* may be refused */
	pthread_mutex_unlock(&rings_lock);
	return 0;
}

static long fuzz_unmap(uint64_t *r)
{
	struct ring *ring = &rings[below(r, RINGS)];

	pthread_mutex_lock(&rings_lock);
	if (ring->map) {
		/* A part may be replaced first; it stays mapped, so the place is not free. */
		if (one_in(r, 4))
			mmap((uint8_t *)ring->map + VMM_PAGE, VMM_PAGE, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		munmap(ring->map, ring->size);
	}
	ring->map = NULL;
	pthread_mutex_unlock(&rings_lock);
	return 0;
}

/* Writes by a system call, which fails at memory that cannot be written. */
static void write_at(void *at, uint64_t value)
{
	static int out[2] = { -1, -1 };

	if (out[0] < 0 && pipe2(out, O_CLOEXEC | O_NONBLOCK))
		bail("pipe");
	if (write(out[1], &value, sizeof(value)) == sizeof(value) &&
	    read(out[0], at, sizeof(value)) < 0)
		(void)!read(out[0], &value, sizeof(value));
}

/* Overwrites the consumer's index, or a word that belongs to the producer. */
static long fuzz_scribble(uint64_t *r)
{
	struct ring *ring = &rings[below(r, RINGS)];

	pthread_mutex_lock(&rings_lock);
	if (ring->map) {
		uint64_t *words = ring->map;
		uint64_t head = offsetof(struct kvm_ext_ring, data_head) / 8;

		if (one_in(r, 2))
			write_at(&words[below(r, 512)], odd_number(r));
		else
			write_at(&((struct kvm_ext_ring *)ring->map)->data_tail,
				 one_in(r, 2) ? odd_number(r) : words[head] - below(r, 65536));
	}
	pthread_mutex_unlock(&rings_lock);
	return 0;
}

/* Consumes all records, as a correct consumer does. */
static long fuzz_consume(uint64_t *r)
{
	struct ring *ring = &rings[below(r, RINGS)];

	pthread_mutex_lock(&rings_lock);
	if (ring->map) {
		struct kvm_ext_ring *control = ring->map;

		write_at(&control->data_tail,
			 __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE));
	}
	pthread_mutex_unlock(&rings_lock);
	return 0;
}

static long fuzz_poll(uint64_t *r)
{
	struct pollfd p = { .fd = some_fd(r), .events = POLLIN };

	poll(&p, 1, 0);
	return 0;
}

/* --- VMs and their VMMs --------------------------------------------------------------------- */

static uint64_t slot_gpa(unsigned int slot)
{
	return VMM_DATA_GPA + slot * SLOT_SIZE;
}

static void guest_at_work(struct vmm *vm)
{
	uint32_t list[2048];

	for (uint32_t i = 0; i < 2048; i++)
		list[i] = vmm_write(VMM_DATA_GPA / VMM_PAGE + i);
	vmm_loop(vm, 0, list, 2048);
}

static void make_vm(uint64_t *r, struct fuzz_vm *v)
{
	static const enum vmm_log logs[] = { VMM_LOG_PLAIN, VMM_LOG_MANUAL, VMM_LOG_ALL_SET };
	struct vmm_config config = { .mode = one_in(r, 2) ? VMM_32 : VMM_64,
				     .log = logs[below(r, 3)] };

	vmm_create_as(&v->vm, &config, 1, -1);
	for (unsigned int i = 0; i < SLOTS; i++) {
		if (!v->memory[i])
			v->memory[i] = vmm_memory(SLOT_SIZE, one_in(r, 2) ? VMM_THP : VMM_SMALL);
		vmm_map(&v->vm, i + 1, slot_gpa(i), SLOT_SIZE, v->memory[i], 0);
	}
	guest_at_work(&v->vm);
	v->lives = true;
}

static long fuzz_vm(uint64_t *r)
{
	struct fuzz_vm *v = &vms_[below(r, VMS)];

	if (!one_in(r, 20))
		return 0;
	pthread_rwlock_wrlock(&v->lock);
	if (v->lives)
		vmm_destroy(&v->vm);
	v->lives = false;
	if (!one_in(r, 4))
		make_vm(r, v);
	pthread_rwlock_unlock(&v->lock);
	return 0;
}

/* The guest writes to the first slot, which therefore is not deleted; its log may change. */
static long fuzz_slot(uint64_t *r)
{
	struct fuzz_vm *v = &vms_[below(r, VMS)];
	unsigned int slot = (unsigned int)below(r, SLOTS);
	uint32_t flags = one_in(r, 2) ? KVM_MEM_LOG_DIRTY_PAGES : 0;
	long ret = 0;

	pthread_rwlock_wrlock(&v->lock);
	if (v->lives && slot && one_in(r, 2)) {
		vmm_map(&v->vm, slot + 1, slot_gpa(slot), 0, v->memory[slot], 0);
		if (!one_in(r, 8))
			ret = vmm_map(&v->vm, slot + 1, slot_gpa(slot), SLOT_SIZE >> below(r, 3),
				      v->memory[slot], flags);
	} else if (v->lives) {
		ret = vmm_map(&v->vm, slot + 1, slot_gpa(slot), SLOT_SIZE, v->memory[slot], flags);
	}
	pthread_rwlock_unlock(&v->lock);
	return ret;
}

static long fuzz_log(uint64_t *r)
{
	struct fuzz_vm *v = &vms_[below(r, VMS)];
	uint32_t slot = 1 + (uint32_t)below(r, SLOTS);
	uint64_t bitmap[SLOT_SIZE / VMM_PAGE / 64] = { 0 };

	pthread_rwlock_rdlock(&v->lock);
	if (v->lives && vmm_get_log(&v->vm, slot, bitmap) == 0)
		vmm_clear_log(&v->vm, slot, 64 * below(r, 32), 64 * (1 + (uint32_t)below(r, 4)),
			      bitmap);
	pthread_rwlock_unlock(&v->lock);
	return 0;
}

static long fuzz_memory(uint64_t *r)
{
	static const int advice[] = { MADV_DONTNEED, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLD,
				      MADV_PAGEOUT };
	struct fuzz_vm *v = &vms_[below(r, VMS)];
	uint64_t page = below(r, SLOT_SIZE / VMM_PAGE - 64);
	unsigned int slot = (unsigned int)below(r, SLOTS);

	pthread_rwlock_rdlock(&v->lock);
	if (v->memory[slot])
		madvise((uint8_t *)v->memory[slot] + page * VMM_PAGE, (1 + below(r, 64)) * VMM_PAGE,
			advice[below(r, 5)]);
	pthread_rwlock_unlock(&v->lock);
	return 0;
}

/* --- batches -------------------------------------------------------------------------------- */

static const struct call {
	const char *name;
	unsigned int weight;
	long (*run)(uint64_t *r);
} calls[] = {
	{ "open", 4, fuzz_open },
	{ "close", 2, fuzz_close },
	{ "ATTACH", 8, fuzz_attach },
	{ "SET_TRACKER", 16, fuzz_set },
	{ "RUN_PASS", 6, fuzz_pass },
	{ "GET_STATS", 6, fuzz_stats },
	{ "GET_VM", 4, fuzz_get_vm },
	{ "GET_CAPS", 2, fuzz_caps },
	{ "SET_EXCLUDED", 5, fuzz_exclude },
	{ "any ioctl", 4, fuzz_anything },
	{ "mmap", 5, fuzz_map },
	{ "munmap", 3, fuzz_unmap },
	{ "write to the ring", 8, fuzz_scribble },
	{ "consume", 6, fuzz_consume },
	{ "poll", 2, fuzz_poll },
	{ "VM", 2, fuzz_vm },
	{ "memslot", 3, fuzz_slot },
	{ "the VMM's log", 4, fuzz_log },
	{ "the VMM's memory", 4, fuzz_memory },
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

static atomic_ulong succeeded[CALLS], failed[CALLS];

static size_t some_call(uint64_t *r)
{
	unsigned int sum = 0, at;
	size_t i;

	for (i = 0; i < CALLS; i++)
		sum += calls[i].weight;
	at = (unsigned int)below(r, sum);
	for (i = 0; at >= calls[i].weight; i++)
		at -= calls[i].weight;
	return i;
}

static void run_batch(uint64_t seed)
{
	for (unsigned int i = 0; i < BATCH && !stop; i++) {
		size_t call = some_call(&seed);

		if (calls[call].run(&seed) < 0)
			failed[call]++;
		else
			succeeded[call]++;
	}
	batches++;
}

/* --- coverage ------------------------------------------------------------------------------- */

#define KCOV_INIT_TRACE _IOR('c', 1, unsigned long)
#define KCOV_ENABLE	_IO('c', 100)
#define KCOV_TRACE_PC	0

static uint64_t *kcov_start(void)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	uint64_t *cover;

	if (fd < 0)
		return NULL;
	if (ioctl(fd, KCOV_INIT_TRACE, (unsigned long)COVER_WORDS))
		bail("KCOV_INIT_TRACE");
	cover = mmap(NULL, COVER_WORDS * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (cover == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
		bail("KCOV_ENABLE");
	return cover;
}

/* Do the first @n places contain code that no batch has reached before? */
static bool covers_more(const uint64_t *places, uint64_t n)
{
	bool more = false;

	for (uint64_t i = 0; i < n && i < COVER_WORDS - 1; i++) {
		uint64_t hash = places[i] * 0x9e3779b97f4a7c15ull >> 44;
		uint64_t bit = 1ull << (hash & 63);

		more |= !(atomic_fetch_or(&covered[hash / 64], bit) & bit);
	}
	return more;
}

static void keep_seed(uint64_t seed)
{
	unsigned int n = atomic_fetch_add(&nr_seeds, 1);

	if (n < SEEDS_MAX)
		seeds[n] = seed;
	kept++;
}

/* Uses the known seeds first, then new ones, and sometimes a known one again. */
static void *fuzzer(void *arg)
{
	uint64_t state = *(uint64_t *)arg, *cover = kcov_start();
	unsigned int known = nr_seeds < SEEDS_MAX ? nr_seeds : SEEDS_MAX, next = 0;

	my_edge = mmap(NULL, 2 * VMM_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	if (my_edge == MAP_FAILED || mprotect(my_edge + VMM_PAGE, VMM_PAGE, PROT_NONE))
		bail("memory");
	while (!stop) {
		bool old = next < known || (known && one_in(&state, 4));
		uint64_t seed = !old	       ? draw(&state)
				: next < known ? seeds[next++]
					       : seeds[below(&state, known)];

		if (cover)
			__atomic_store_n(cover, 0, __ATOMIC_RELAXED);
		run_batch(seed);
		if (cover && covers_more(cover + 1, __atomic_load_n(cover, __ATOMIC_RELAXED)) &&
		    !old)
			keep_seed(seed);
	}
	munmap(my_edge, 2 * VMM_PAGE);
	return NULL;
}

static void read_seeds(const char *path)
{
	FILE *f = fopen(path, "r");
	uint64_t seed;

	while (f && nr_seeds < SEEDS_MAX && fscanf(f, "%" SCNx64, &seed) == 1)
		seeds[nr_seeds++] = seed;
	if (f)
		fclose(f);
	note("%u seeds of earlier runs", nr_seeds);
}

static void write_seeds(const char *path)
{
	unsigned int n = nr_seeds < SEEDS_MAX ? nr_seeds : SEEDS_MAX, i;
	FILE *f = fopen(path, "w");

	for (i = 0; f && i < n; i++)
		fprintf(f, "%016" PRIx64 "\n", seeds[i]);
	if (!f || fclose(f))
		bail("%s cannot be written", path);
}

/* --- the run -------------------------------------------------------------------------------- */

static void tidy_up(void)
{
	unsigned int i, slot;

	for (i = 0; i < RINGS; i++) {
		if (rings[i].map)
			munmap(rings[i].map, rings[i].size);
	}
	for (i = 0; i < FDS; i++) {
		int fd = atomic_exchange(&fds[i], -1);

		if (fd >= 0)
			close(fd);
	}
	for (i = 0; i < VMS; i++) {
		if (vms_[i].lives)
			vmm_destroy(&vms_[i].vm);
		for (slot = 0; slot < SLOTS; slot++) {
			if (vms_[i].memory[slot])
				vmm_free(vms_[i].memory[slot], SLOT_SIZE);
		}
	}
}

static void can_still_track(void)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_EPT_WALK);
	struct kx_samples got;
	uint32_t list[8], found = 0;
	struct vmm vm;
	struct kx kx;
	void *memory = vmm_memory(SLOT_SIZE, VMM_SMALL);

	vmm_create(&vm, 1, -1);
	vmm_map(&vm, 1, VMM_DATA_GPA, SLOT_SIZE, memory, 0);
	for (uint32_t i = 0; i < 8; i++)
		list[i] = vmm_write(VMM_DATA_GPA / VMM_PAGE + 3 * i);
	kx_attach(&kx, vm.fd, 0);
	kx_samples_init(&got);
	kx_start(&kx, &t);
	vmm_touch(&vm, 0, list, 8);
	kx_pass(&kx, &got);
	for (uint32_t i = 0; i < 8; i++)
		found += got.page[vmm_entry_gfn(list[i])] == 1;
	ok_eq(found, 8, "a VM can be tracked");
	kx_samples_free(&got);
	kx_close(&kx);
	vmm_destroy(&vm);
	vmm_free(memory, SLOT_SIZE);
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? (unsigned int)atoi(argv[1]) : 10, i;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1, states[FUZZERS];
	const char *file = argc > 3 ? argv[3] : NULL;
	pthread_t threads[FUZZERS];
	int references = module_references();

	if (!seconds)
		bail("usage: fuzz-device SECONDS [SEED [FILE]]");
	note("%u s, seed %#" PRIx64, seconds, seed);
	if (file)
		read_seeds(file);
	for (i = 0; i < FDS; i++)
		fds[i] = -1;
	for (i = 0; i < VMS; i++) {
		pthread_rwlock_init(&vms_[i].lock, NULL);
		make_vm(&seed, &vms_[i]);
	}
	for (i = 0; i < FUZZERS; i++) {
		states[i] = draw(&seed);
		if (pthread_create(&threads[i], NULL, fuzzer, &states[i]))
			bail("pthread_create");
	}
	sleep(seconds);
	stop = true;
	for (i = 0; i < FUZZERS; i++)
		pthread_join(threads[i], NULL);
	tidy_up();
	note("%lu batches of %u calls; %lu of them reached new code", batches, BATCH, kept);
	for (i = 0; i < CALLS; i++)
		ok(succeeded[i] > 0, "%s: %lu, refused %lu", calls[i].name, succeeded[i],
		   failed[i]);
	ok(soon(session_threads, 0), "no thread of a session is left");
	ok(soon(module_references, references), "no reference to the module is left");
	can_still_track();
	if (file)
		write_seeds(file);
	return tap_end();
}
