// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The interface with callers that violate its rules: wrong sizes, flags, ranges and descriptors; a
 * reader that stops reading, or writes nonsense to the ring. The program that runs this test checks
 * the kernel log.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kx.h"
#include "tap.h"
#include "vmm.h"

#define DATA_GFN     (VMM_DATA_GPA / VMM_PAGE)
#define DATA_SIZE    (16ul << 20)
#define DATA_PAGES   (DATA_SIZE / VMM_PAGE)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct vmm vm;
static uint32_t list[DATA_PAGES];
static bool intel; /* the CPU's vendor, by CPUID */

/* Room for any structure, and for bytes behind it. */
union arg {
	uint32_t size;
	uint8_t bytes[8192];
};

static const struct call {
	const char *name;
	unsigned long cmd;
	uint32_t size;
	uint32_t first; /* the size in the first version */
} calls[] = {
	{ "GET_CAPS", KVM_EXT_GET_CAPS, sizeof(struct kvm_ext_caps), sizeof(struct kvm_ext_caps) },
	{ "ATTACH", KVM_EXT_ATTACH, sizeof(struct kvm_ext_attach), sizeof(struct kvm_ext_attach) },
	{ "GET_VM", KVM_EXT_GET_VM, sizeof(struct kvm_ext_vm),
	  offsetof(struct kvm_ext_vm, log_mechanism) },
	{ "SET_TRACKER", KVM_EXT_SET_TRACKER, sizeof(struct kvm_ext_tracker),
	  offsetof(struct kvm_ext_tracker, regions_min) },
	{ "GET_STATS", KVM_EXT_GET_STATS, sizeof(struct kvm_ext_stats),
	  offsetof(struct kvm_ext_stats, log) },
	{ "RUN_PASS", KVM_EXT_RUN_PASS, sizeof(struct kvm_ext_run_pass),
	  sizeof(struct kvm_ext_run_pass) },
	{ "SET_EXCLUDED", KVM_EXT_SET_EXCLUDED, sizeof(struct kvm_ext_excluded),
	  sizeof(struct kvm_ext_excluded) },
};

static int call(int fd, const struct call *c, union arg *arg, uint32_t size)
{
	arg->size = size;
	return ioctl(fd, c->cmd, arg);
}

/* --- without a VM ------------------------------------------------------------------ */

static void sizes(int fd, const struct call *c)
{
	static union arg arg;

	memset(&arg, 0, sizeof(arg));
	ok_errno(call(fd, c, &arg, 0), EINVAL, "%s: size 0", c->name);
	ok_errno(call(fd, c, &arg, 4), EINVAL, "%s: size 4", c->name);
	ok_errno(call(fd, c, &arg, c->first - 1), EINVAL, "%s: a byte too small", c->name);
	ok_errno(call(fd, c, &arg, 4097), E2BIG, "%s: more than a page", c->name);
	ok_errno(call(fd, c, &arg, ~0u), E2BIG, "%s: size ~0", c->name);
	memset(&arg, 0, sizeof(arg));
	arg.bytes[c->size + 9] = 1;
	ok_errno(call(fd, c, &arg, c->size + 16), E2BIG,
		 "%s: a non-zero byte behind the known part", c->name);
	memset(&arg, 0, sizeof(arg));
	arg.bytes[4] = 1;
	ok_errno(call(fd, c, &arg, c->size), EINVAL, "%s: a flag", c->name);
	ok_errno(ioctl(fd, c->cmd, NULL), EFAULT, "%s: NULL", c->name);
	ok_errno(ioctl(fd, c->cmd, (void *)0xffff800000000000ul), EFAULT, "%s: a kernel address",
		 c->name);
}

static void bad_numbers(int fd)
{
	union arg arg = { .size = 64 };

	ok_errno(ioctl(fd, _IO(KVM_EXT_IOC_MAGIC, 7), &arg), ENOTTY, "the first unknown ioctl");
	ok_errno(ioctl(fd, _IO(KVM_EXT_IOC_MAGIC, 255), &arg), ENOTTY, "the last unknown ioctl");
	ok_errno(ioctl(fd, _IO('X', 0), &arg), ENOTTY, "another magic");
	ok_errno(ioctl(fd, _IOWR(KVM_EXT_IOC_MAGIC, 0, struct kvm_ext_caps), &arg), ENOTTY,
		 "a known number with a size in it");
}

static void without_vm(int fd)
{
	static const unsigned long cmds[] = { KVM_EXT_GET_VM, KVM_EXT_SET_TRACKER,
					      KVM_EXT_GET_STATS, KVM_EXT_RUN_PASS,
					      KVM_EXT_SET_EXCLUDED };
	struct kvm_ext_tracker off = kx_tracker(KVM_EXT_TRACKER_OFF);
	struct kvm_ext_stats stats = { .size = sizeof(stats) };
	struct kvm_ext_run_pass run = { .size = sizeof(run) };
	struct kvm_ext_excluded none = { .size = sizeof(none) };
	struct kvm_ext_vm info = { .size = sizeof(info) };
	void *args[] = { &info, &off, &stats, &run, &none };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t i;

	for (i = 0; i < COUNT(cmds); i++)
		ok_errno(ioctl(fd, cmds[i], args[i]), ENOTCONN, "ioctl %lu without a VM",
			 cmds[i] & 0xff);
	ok(mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == ENOTCONN,
	   "mmap without a VM");
	ok(poll(&p, 1, 0) == 0, "poll without a VM: nothing");
}

static void caps(int fd)
{
	struct {
		struct kvm_ext_caps caps;
		uint8_t newer[16];
	} big = { .caps.size = sizeof(big) };
	struct kvm_ext_caps c = kx_caps(fd);

	ok_eq(c.api_version, KVM_EXT_API_VERSION, "API version");
	ok_eq(c.trackers, 127,
	      "trackers off, abit, abit-flush, dirty-log, pml-abit, ept-walk, trap");
	ok_eq(c.vendor, intel ? KVM_EXT_VENDOR_INTEL : KVM_EXT_VENDOR_AMD, "the CPU's vendor");
	ok_eq(c.sessions, 0, "no session yet");
	memset(big.newer, 0, sizeof(big.newer));
	ok(ioctl(fd, KVM_EXT_GET_CAPS, &big) == 0 && big.caps.size == sizeof(big) &&
		   big.caps.trackers == c.trackers,
	   "a newer caller, whose additions are zero, is served");
}

/* The size of a structure in an earlier version. */
static void older_size(int fd, const struct call *c, uint32_t size)
{
	static union arg arg;

	memset(&arg, 0, sizeof(arg));
	memset(arg.bytes + size, 0x55, c->size - size);
	ok(call(fd, c, &arg, size) == 0 && arg.size == size && arg.bytes[size] == 0x55 &&
		   arg.bytes[c->size - 1] == 0x55,
	   "%s: an older caller, of %u bytes, is served", c->name, size);
}

/* A program with earlier, smaller structures is served, and nothing is written behind them. */
static void older_callers(int fd)
{
	size_t i;

	for (i = 0; i < COUNT(calls); i++) {
		if (calls[i].first != calls[i].size)
			older_size(fd, &calls[i], calls[i].first);
		if (calls[i].cmd == KVM_EXT_GET_STATS) {
			older_size(fd, &calls[i], offsetof(struct kvm_ext_stats, walk));
			older_size(fd, &calls[i], offsetof(struct kvm_ext_stats, memory_bytes));
		}
	}
}

/* --- attach ---------------------------------------------------------------------------- */

static void attach_wrong_fds(int fd)
{
	char path[] = "/tmp/kvm-vm.XXXXXX";
	int file = mkstemp(path), event = eventfd(0, 0), mem = memfd_create("kvm-vm", 0);
	int dir = open("/", O_RDONLY | O_PATH);

	ok_errno(kx_try_attach(fd, -1, 0), EBADF, "attach to descriptor -1");
	ok_errno(kx_try_attach(fd, 1000, 0), EBADF, "attach to a closed descriptor");
	ok_errno(kx_try_attach(fd, file, 0), EINVAL, "attach to a file");
	ok_errno(kx_try_attach(fd, event, 0), EINVAL, "attach to an eventfd");
	ok_errno(kx_try_attach(fd, mem, 0), EINVAL, "attach to a memfd named kvm-vm");
	ok_errno(kx_try_attach(fd, vm.kvm, 0), EINVAL, "attach to /dev/kvm");
	ok_errno(kx_try_attach(fd, vm.vcpu[0].fd, 0), EINVAL, "attach to a vCPU");
	ok_errno(kx_try_attach(fd, fd, 0), EINVAL, "attach to itself");
	ok_errno(kx_try_attach(fd, dir, 0), EBADF, "attach to an O_PATH descriptor");
	close(file);
	unlink(path);
	close(event);
	close(mem);
	close(dir);
}

static void attach_rings(int fd)
{
	ok_errno(kx_try_attach(fd, vm.fd, 3), EINVAL, "a ring of 3 pages");
	ok_errno(kx_try_attach(fd, vm.fd, KVM_EXT_RING_PAGES_MAX * 2), EINVAL, "a ring too large");
	ok_errno(kx_try_attach(fd, vm.fd, 0x80000000u), EINVAL, "a ring of 2^31 pages");
}

static void attached_twice(void)
{
	int one = kx_open(), two = kx_open();

	ok_eq(kx_try_attach(one, vm.fd, 0), 0, "after all these errors, attach works");
	ok_eq(kx_caps(two).sessions, 1, "one session");
	ok_errno(kx_try_attach(two, vm.fd, 0), EBUSY, "a VM has one session");
	ok_errno(kx_try_attach(one, vm.fd, 0), EISCONN, "a session has one VM");
	close(one);
	ok_eq(kx_try_attach(two, vm.fd, 1), 0, "after close() the VM can have another session");
	close(two);
	one = kx_open();
	ok_eq(kx_caps(one).sessions, 0, "no session is left");
	close(one);
}

/* --- trackers --------------------------------------------------------------------------- */

struct bad_tracker {
	const char *what;
	int err;
	struct kvm_ext_tracker t;
};

#define ON(cpu_nr, id, ...)                                                               \
	{                                                                                 \
		.size = sizeof(struct kvm_ext_tracker), .tracker = (id), .cpu = (cpu_nr), \
		##__VA_ARGS__                                                             \
	}
#define T(id, ...) ON(-1, id, ##__VA_ARGS__)

#define WALK		     KVM_EXT_TRACKER_EPT_WALK
#define TRAP		     KVM_EXT_TRACKER_TRAP
#define RANGES(id, list, nr) T(id, .ranges = (uintptr_t)(list), .nr_ranges = (nr))

static const struct kvm_ext_range good_ranges[] = { { DATA_GFN, 8 }, { DATA_GFN + 8, 1 } };
static const struct kvm_ext_range empty_range[] = { { DATA_GFN, 0 } };
static const struct kvm_ext_range wrapping_range[] = { { ~0ull - 1, 3 } };
static const struct kvm_ext_range unsorted_ranges[] = { { DATA_GFN + 8, 1 }, { DATA_GFN, 8 } };
static const struct kvm_ext_range overlapping_ranges[] = { { DATA_GFN, 8 }, { DATA_GFN + 7, 8 } };
static const struct kvm_ext_range far_ranges[] = { { 1ull << 24, 8 }, { 1ull << 40, 8 } };

static void bad_trackers(struct kx *kx)
{
	const struct bad_tracker bad[] = {
		{ "an unknown tracker", EINVAL, T(7) },
		{ "tracker ~0", EINVAL, T(~0u) },
		{ "granularity 1", EINVAL, T(1, .granularity = 1) },
		{ "granularity 13", EINVAL, T(1, .granularity = 13) },
		{ "granularity 30", EINVAL, T(1, .granularity = 30) },
		{ "an interval of 9999 ns", EINVAL, T(1, .interval_ns = 9999) },
		{ "an interval above an hour", EINVAL, T(1, .interval_ns = 3600000000001ull) },
		{ "an interval of ~0", EINVAL, T(1, .interval_ns = ~0ull) },
		{ "a first gfn without a length", EINVAL, T(1, .first_gfn = 1) },
		{ "a range that wraps", EINVAL, T(1, .first_gfn = ~0ull, .npages = 2) },
		{ "a range without RAM", ERANGE, T(1, .first_gfn = 1 << 24, .npages = 9) },
		{ "a range behind the RAM", ERANGE,
		  T(1, .first_gfn = DATA_GFN + DATA_PAGES, .npages = 1ull << 50) },
		{ "CPU -2", EINVAL, ON(-2, 1) },
		{ "CPU 100000", EINVAL, ON(100000, 1) },
		{ "CPU 77", EINVAL, ON(77, 1) },
		{ "flush scope 5", EINVAL, T(WALK, .flush_scope = 5) },
		{ "no flush with abit-flush", EINVAL, T(2, .flush_scope = KVM_EXT_FLUSH_NONE) },
		{ "a flush scope with abit", EINVAL, T(1, .flush_scope = KVM_EXT_FLUSH_PASS) },
		{ "a flush scope with off", EINVAL, T(0, .flush_scope = KVM_EXT_FLUSH_PAGE) },
		{ "a batch without its scope", EINVAL, T(2, .batch_pages = 7) },
		{ "the reserved field", EINVAL, T(1, .reserved = 1) },
		{ "the other reserved field", EINVAL, T(TRAP, .reserved2 = 1) },
		{ "the other reserved field with abit", EINVAL, T(1, .reserved2 = 1) },
		{ "an unknown flag", EINVAL, T(WALK, .flags = 4) },
		{ "all flags", EINVAL, T(WALK, .flags = ~0u) },
		{ "NO_SKIP with abit", EINVAL, T(1, .flags = KVM_EXT_SET_NO_SKIP) },
		{ "staleness with off", EINVAL, T(0, .flags = KVM_EXT_SET_STALENESS) },
		{ "staleness with the log", EINVAL, T(3, .flags = KVM_EXT_SET_STALENESS) },
		{ "staleness with trap", EINVAL, T(TRAP, .flags = KVM_EXT_SET_STALENESS) },
		{ "staleness with regions", EINVAL,
		  T(1, .flags = KVM_EXT_SET_STALENESS, .regions_min = 1, .regions_max = 9) },
		{ "regions without a minimum", EINVAL, T(1, .regions_max = 9) },
		{ "regions without a maximum", EINVAL, T(1, .regions_min = 9) },
		{ "fewer regions than the minimum", EINVAL,
		  T(1, .regions_min = 10, .regions_max = 9) },
		{ "too many regions", EINVAL,
		  T(1, .regions_min = 1, .regions_max = KVM_EXT_REGIONS_MAX + 1) },
		{ "~0 regions", EINVAL, T(WALK, .regions_min = ~0u, .regions_max = ~0u) },
		{ "an aggregation without regions", EINVAL, T(1, .aggregation_passes = 9) },
		{ "regions with off", EINVAL, T(0, .regions_min = 1, .regions_max = 9) },
		{ "regions with the log", EINVAL, T(3, .regions_min = 1, .regions_max = 9) },
		{ "regions with pml-abit", EINVAL, T(4, .regions_min = 1, .regions_max = 9) },
		{ "regions with trap", EINVAL, T(TRAP, .regions_min = 1, .regions_max = 9) },
		{ "regions of 2M", EINVAL,
		  T(1, .granularity = 21, .regions_min = 1, .regions_max = 9) },
		{ "two stretches of memory, one region", E2BIG,
		  T(WALK, .regions_min = 1, .regions_max = 1) },
		{ "trap by blocks", EINVAL, T(TRAP, .granularity = 21) },
		{ "trap with a flush scope", EINVAL, T(TRAP, .flush_scope = 3) },
		{ "a share above one", EINVAL, T(TRAP, .trap_share_ppm = 1000001) },
		{ "a share of the time above one", EINVAL, T(TRAP, .trap_time_ppm = 1000001) },
		{ "too many faults", EINVAL,
		  T(TRAP, .trap_faults_per_s = KVM_EXT_TRAP_FAULTS_MAX + 1) },
		{ "a share with abit", EINVAL, T(1, .trap_share_ppm = 1) },
		{ "faults with ept-walk", EINVAL, T(WALK, .trap_faults_per_s = 1) },
		{ "a share of the time with off", EINVAL, T(0, .trap_time_ppm = 1) },
		{ "ranges with abit", EINVAL, RANGES(1, good_ranges, 2) },
		{ "ranges with ept-walk", EINVAL, RANGES(WALK, good_ranges, 2) },
		{ "ranges without a number", EINVAL, RANGES(TRAP, good_ranges, 0) },
		{ "a number without ranges", EINVAL, T(TRAP, .nr_ranges = 1) },
		{ "too many ranges", EINVAL, RANGES(TRAP, good_ranges, KVM_EXT_RANGES_MAX + 1) },
		{ "~0 ranges", EINVAL, RANGES(TRAP, good_ranges, ~0u) },
		{ "ranges at a kernel address", EFAULT,
		  T(TRAP, .ranges = 0xffff800000000000ull, .nr_ranges = 1) },
		{ "ranges at address 16", EFAULT, T(TRAP, .ranges = 16, .nr_ranges = 1) },
		{ "an empty range", EINVAL, RANGES(TRAP, empty_range, 1) },
		{ "a range of the list that wraps", EINVAL, RANGES(TRAP, wrapping_range, 1) },
		{ "ranges in descending order", EINVAL, RANGES(TRAP, unsorted_ranges, 2) },
		{ "ranges that overlap", EINVAL, RANGES(TRAP, overlapping_ranges, 2) },
		{ "ranges without RAM", ERANGE, RANGES(TRAP, far_ranges, 2) },
	};
	struct kvm_ext_stats before, after;
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_ABIT);
	size_t i;

	if (kx_set(kx->fd, &t))
		bail("abit");
	before = kx_stats(kx->fd);
	for (i = 0; i < COUNT(bad); i++)
		ok_errno(kx_set(kx->fd, &bad[i].t), bad[i].err, "%s", bad[i].what);
	after = kx_stats(kx->fd);
	ok(after.epoch == before.epoch && after.tracker == KVM_EXT_TRACKER_ABIT,
	   "after errors the running tracker continues");
}

static void good_trackers(struct kx *kx)
{
	const struct bad_tracker good[] = {
		{ "the shortest interval", 0, T(1, .interval_ns = KVM_EXT_INTERVAL_MIN_NS) },
		{ "the longest interval", 0, T(1, .interval_ns = KVM_EXT_INTERVAL_MAX_NS) },
		{ "one page", 0, T(2, .first_gfn = DATA_GFN, .npages = 1) },
		{ "more than the RAM", 0, T(2, .first_gfn = 1, .npages = 1ull << 52) },
		{ "a batch of one", 0, T(2, .flush_scope = KVM_EXT_FLUSH_BATCH, .batch_pages = 1) },
		{ "a batch of 2^32 - 1", 0, T(2, .flush_scope = 2, .batch_pages = ~0u) },
		{ "CPU 0", 0, ON(0, 1) },
		{ "ept-walk", 0, T(WALK) },
		{ "ept-walk without a flush", 0, T(WALK, .flush_scope = KVM_EXT_FLUSH_NONE) },
		{ "both flags", 0, T(WALK, .flags = KVM_EXT_SET_NO_SKIP | KVM_EXT_SET_STALENESS) },
		{ "staleness with pml-abit", 0, T(4, .flags = KVM_EXT_SET_STALENESS) },
		{ "as many regions as there may be", 0,
		  T(WALK, .regions_min = 1, .regions_max = KVM_EXT_REGIONS_MAX) },
		{ "an aggregation of 2^32 - 1 passes", 0,
		  T(1, .regions_min = 9, .regions_max = 9, .aggregation_passes = ~0u) },
		{ "trap", 0, T(TRAP) },
		{ "trap with all fields at their largest value", 0,
		  T(TRAP, .trap_share_ppm = 1000000, .trap_time_ppm = 1000000,
		    .trap_faults_per_s = KVM_EXT_TRAP_FAULTS_MAX) },
		{ "trap with all fields at their smallest value", 0,
		  T(TRAP, .trap_share_ppm = 1, .trap_time_ppm = 1, .trap_faults_per_s = 1) },
		{ "ranges", 0, RANGES(TRAP, good_ranges, 2) },
		{ "off", 0, T(0) },
	};
	uint64_t epoch = kx_stats(kx->fd).epoch;
	size_t i;

	for (i = 0; i < COUNT(good); i++)
		ok_eq(kx_set(kx->fd, &good[i].t), 0, "%s", good[i].what);
	ok_eq(kx_stats(kx->fd).epoch, epoch + COUNT(good), "each setting opened an account");
	ok_errno(kx_run_pass(kx->fd, NULL), EINVAL, "no pass with off");
}

static void vm_info(struct kx *kx)
{
	struct kvm_ext_vm info = kx_vm(kx->fd);

	ok_eq(info.vcpus, 1, "vCPUs");
	ok_eq(info.memslots, 2, "memslots");
	ok_eq(info.ram_pages, (DATA_SIZE + VMM_LOW_SIZE) / VMM_PAGE, "pages of RAM");
	ok_eq(info.last_gfn, DATA_GFN + DATA_PAGES - 1, "last gfn");
	ok_eq(info.paging, intel ? KVM_EXT_PAGING_EPT : KVM_EXT_PAGING_NPT, "nested paging");
	ok_eq(info.root_level, 4, "levels");
	ok_eq(info.ad_bits, 1, "accessed bits by hardware");
	ok(info.exits >= vm.vcpu[0].exits, "VM exits: at least those that the VMM has seen");
}

/* --- the ring ------------------------------------------------------------------------------ */

static void mmaps(struct kx *kx)
{
	uint64_t size = 4096 + kx->size;
	struct kvm_ext_ring *ro;

	ok(mmap(NULL, size - 4096, PROT_READ, MAP_SHARED, kx->fd, 0) == MAP_FAILED &&
		   errno == EINVAL,
	   "mmap of less than the ring");
	ok(mmap(NULL, size + 4096, PROT_READ, MAP_SHARED, kx->fd, 0) == MAP_FAILED &&
		   errno == EINVAL,
	   "mmap of more than the ring");
	ok(mmap(NULL, size, PROT_READ, MAP_SHARED, kx->fd, 4096) == MAP_FAILED && errno == EINVAL,
	   "mmap at an offset");
	ok(mmap(NULL, size, PROT_READ, MAP_PRIVATE, kx->fd, 0) == MAP_FAILED && errno == EINVAL,
	   "a private mapping");
	ok(mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, kx->fd, 0) == MAP_FAILED &&
		   errno == EPERM,
	   "an executable mapping");
	ro = mmap(NULL, size, PROT_READ, MAP_SHARED, kx->fd, 0);
	ok(ro != MAP_FAILED && ro->magic == KVM_EXT_RING_MAGIC, "a read-only mapping is accepted");
	ok_errno(mprotect(ro, size, PROT_READ | PROT_EXEC), EACCES,
		 "a read-only mapping cannot be made executable later");
	ok(mremap(ro, size, size + 4096, MREMAP_MAYMOVE) == MAP_FAILED, "a mapping cannot grow");
	munmap(ro, size);
}

static bool readable(struct kx *kx)
{
	struct pollfd p = { .fd = kx->fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && p.revents == POLLIN;
}

static void polling(struct kx *kx)
{
	struct pollfd p = { .fd = kx->fd, .events = POLLIN };
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_ABIT);

	kx_start(kx, &t);
	ok(!readable(kx), "an empty ring does not poll readable");
	kx_run_pass(kx->fd, NULL);
	ok(readable(kx), "after a pass the ring polls readable");
	kx_discard(kx);
	ok(!readable(kx), "after the records were read the ring does not poll readable");
	t.interval_ns = 5000000;
	kx_set(kx->fd, &t);
	ok(poll(&p, 1, 60000) == 1 && p.revents == POLLIN, "poll wakes up at the end of a pass");
	t = kx_tracker(KVM_EXT_TRACKER_OFF);
	kx_set(kx->fd, &t);
	kx_discard(kx);
}

/* Every second page is accessed, so a pass writes bitmaps, which do not fit the smallest ring. */
static void touch_all(void)
{
	uint32_t i;

	for (i = 0; i < DATA_PAGES / 2; i++)
		list[i] = vmm_write(DATA_GFN + 2 * i);
	vmm_touch(&vm, 0, list, DATA_PAGES / 2);
}

static void overflow(void)
{
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_ABIT_FLUSH);
	struct kx_samples got, more;
	struct kvm_ext_stats stats;
	uint64_t lost;
	struct kx kx;
	int i;

	kx_attach(&kx, vm.fd, 1);
	kx_samples_init(&got);
	kx_samples_init(&more);
	t.first_gfn = DATA_GFN;
	t.npages = DATA_PAGES;
	kx_start(&kx, &t);
	for (i = 0; i < 5; i++) {
		touch_all();
		kx_run_pass(kx.fd, NULL);
	}
	stats = kx_stats(kx.fd);
	kx_read(&kx, &got);
	lost = kx.ring->lost_samples;
	/* The statistics also contain the counted pass of kx_start(). */
	ok_eq(stats.samples, 5 * DATA_PAGES / 2, "a full ring: all samples are counted");
	ok(stats.lost_samples > 0, "a full ring loses samples (%llu of %llu)",
	   (unsigned long long)stats.lost_samples, (unsigned long long)stats.samples);
	ok_eq(got.samples + stats.lost_samples, stats.samples,
	      "samples that were read, and lost samples, are all samples");
	ok_eq(lost, stats.lost_samples, "the control page has the same number of lost samples");
	ok_eq(got.losts, 0, "no LOST record while there is no room");
	ok_eq(got.bad, 0, "all records in the ring are complete");

	kx_run_pass(kx.fd, NULL);
	kx_read(&kx, &more);
	ok_eq(more.losts, 1, "as soon as there is room, there is a LOST record");
	ok_eq(more.lost_samples, lost, "LOST has the number of samples");
	ok_eq(more.lost_records, kx.ring->lost_records, "LOST has the number of records");
	ok(more.begins == 1 && more.ends == 1, "the records after LOST are complete");
	kx_samples_free(&got);
	kx_samples_free(&more);
	kx_close(&kx);
}

/* A wrong data_tail makes the ring look full, and is not used to access memory. */
static void garbage(void)
{
	static const uint64_t offsets[] = { 1, 8, 4096, 4097, 1ull << 20, 1ull << 63 };
	struct kvm_ext_tracker t = kx_tracker(KVM_EXT_TRACKER_ABIT);
	struct kx_samples got;
	struct kx kx;
	size_t i;

	kx_attach(&kx, vm.fd, 1);
	kx_samples_init(&got);
	kx_start(&kx, &t);
	for (i = 0; i < COUNT(offsets); i++) {
		uint64_t head = kx.ring->data_head;

		kx.ring->data_tail = head + offsets[i];
		touch_all();
		kx_run_pass(kx.fd, NULL);
		ok_eq(kx.ring->data_head, head, "data_tail = head + %#llx: nothing is written",
		      (unsigned long long)offsets[i]);
		kx.ring->data_tail = kx.ring->data_head;
	}
	/* The kernel does not read the rest of the shared memory. */
	memset(kx.data, 0xff, kx.size);
	memset(kx.ring->reserved0, 0xff, sizeof(kx.ring->reserved0));
	kx.ring->data_size = ~0ull;
	kx.ring->data_offset = ~0u;
	kx.ring->lost_samples = 0;
	kx_run_pass(kx.fd, NULL);
	kx_read(&kx, &got);
	ok(got.begins == 1 && got.ends == 1 && got.losts == 1 && !got.bad,
	   "a ring whose content was overwritten is written correctly");
	kx.ring->data_offset = 4096;
	kx_samples_free(&got);
	kx_close(&kx);
}

/* --- permissions ------------------------------------------------------------------------------ */

static void not_root(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgid(65534) || setuid(65534))
			_exit(2);
		_exit(kx_open() < 0 && errno == EACCES ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	ok(status == 0, "a user other than root cannot open " KVM_EXT_DEVICE_PATH);
}

static bool cpu_is_intel(void)
{
	unsigned int max, b, c, d;

	return __get_cpuid(0, &max, &b, &c, &d) && b == signature_INTEL_ebx;
}

int main(void)
{
	void *memory = vmm_memory(DATA_SIZE, VMM_SMALL);
	struct kx kx;
	size_t i;
	int fd;

	intel = cpu_is_intel();
	vmm_create(&vm, 1, -1);
	if (!memory || vmm_map(&vm, 1, VMM_DATA_GPA, DATA_SIZE, memory, 0))
		bail("guest memory");
	touch_all();

	not_root();
	fd = kx_open();
	if (fd < 0)
		bail(KVM_EXT_DEVICE_PATH);
	caps(fd);
	bad_numbers(fd);
	for (i = 0; i < COUNT(calls); i++)
		sizes(fd, &calls[i]);
	without_vm(fd);
	attach_wrong_fds(fd);
	attach_rings(fd);
	close(fd);
	attached_twice();

	kx_attach(&kx, vm.fd, 0);
	for (i = 0; i < COUNT(calls); i++)
		sizes(kx.fd, &calls[i]);
	older_callers(kx.fd);
	vm_info(&kx);
	bad_trackers(&kx);
	good_trackers(&kx);
	mmaps(&kx);
	polling(&kx);
	kx_close(&kx);
	overflow();
	garbage();
	vmm_destroy(&vm);
	return tap_end();
}
