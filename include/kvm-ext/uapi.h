/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * kvm-ext: the interface between kvm_ext.ko and user space.
 *
 * open("/dev/kvm-ext") gives a descriptor without a VM. KVM_EXT_ATTACH binds it
 * to one running VM; from then on the descriptor *is* the session. Closing the
 * descriptor, for any reason, stops the tracker and leaves the VM as it was before
 * the session. A VM has at most one session (EBUSY). Closing waits until the module
 * has released the VM. There is one exception: if the VMM has been in an ioctl on its
 * dirty log for half a second, closing does not wait. The module then releases the VM,
 * which can have another session afterwards, as soon as the VMM leaves the ioctl or dies.
 *
 * Every argument structure starts with its own size in bytes, as in the header with
 * which the caller was compiled. A smaller (older) structure is extended with zeros, a larger
 * (newer) one is refused with E2BIG unless the part this kernel does not know
 * is zero. On return at most @size bytes are written. Unknown flags and
 * non-zero reserved fields are refused with EINVAL. @size below the first
 * published size is EINVAL.
 *
 * Units are in the names. Times are CLOCK_MONOTONIC nanoseconds. A page is
 * 4 KiB of guest-physical memory and a gfn its number, whatever the size of the
 * mapping that covers it.
 *
 * Errors common to all ioctls of a session:
 *   ENOTTY  unknown ioctl
 *   EFAULT  the argument cannot be read or written
 *   ENOTCONN  the descriptor has no VM yet (KVM_EXT_ATTACH first)
 *   ENODEV  the VM has ended; KVM_EXT_GET_STATS still works
 */
#ifndef KVM_EXT_UAPI_H
#define KVM_EXT_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define KVM_EXT_DEVICE_PATH	"/dev/kvm-ext"
#define KVM_EXT_API_VERSION	1

#define KVM_EXT_IOC_MAGIC	0xEB
/* The ioctl numbers contain no size: the structures contain their size and may grow. */
#define KVM_EXT_GET_CAPS	_IO(KVM_EXT_IOC_MAGIC, 0x00)
#define KVM_EXT_ATTACH		_IO(KVM_EXT_IOC_MAGIC, 0x01)
#define KVM_EXT_GET_VM		_IO(KVM_EXT_IOC_MAGIC, 0x02)
#define KVM_EXT_SET_TRACKER	_IO(KVM_EXT_IOC_MAGIC, 0x03)
#define KVM_EXT_GET_STATS	_IO(KVM_EXT_IOC_MAGIC, 0x04)
#define KVM_EXT_RUN_PASS	_IO(KVM_EXT_IOC_MAGIC, 0x05)
#define KVM_EXT_SET_EXCLUDED	_IO(KVM_EXT_IOC_MAGIC, 0x06)

enum kvm_ext_tracker_id {
	KVM_EXT_TRACKER_OFF = 0,	/* no pass runs: the control */
	KVM_EXT_TRACKER_ABIT = 1,	/* MMU-notifier clear_young, no flush */
	KVM_EXT_TRACKER_ABIT_FLUSH = 2,	/* like ABIT, then a TLB flush by the module */
	KVM_EXT_TRACKER_DIRTY_LOG = 3,	/* KVM's dirty log: pages written */
	KVM_EXT_TRACKER_PML_ABIT = 4,	/* A bits of those pages that the dirty log has named */
	KVM_EXT_TRACKER_EPT_WALK = 5,	/* A bits of the nested page table itself, table by table */
	KVM_EXT_TRACKER_TRAP = 6,	/* the first access to pages whose mapping was removed */
};

enum kvm_ext_cpu_vendor {
	KVM_EXT_VENDOR_OTHER = 0,
	KVM_EXT_VENDOR_INTEL = 1,
	KVM_EXT_VENDOR_AMD = 2,
};

enum kvm_ext_paging {
	KVM_EXT_PAGING_UNKNOWN = 0,	/* no vCPU has a root yet */
	KVM_EXT_PAGING_EPT = 1,
	KVM_EXT_PAGING_NPT = 2,
	KVM_EXT_PAGING_SHADOW = 3,
};

/* How KVM learns of a write for its dirty log. */
enum kvm_ext_log_mechanism {
	KVM_EXT_LOG_UNKNOWN = 0,	/* this kernel gives no information */
	KVM_EXT_LOG_WRITE_PROTECT = 1,	/* a fault at the first write to a page */
	KVM_EXT_LOG_PML = 2,		/* the CPU logs the write; an exit per full buffer */
};

/* How the VMM has set up the log of its VM. */
enum kvm_ext_log_mode {
	KVM_EXT_LOG_MODE_PLAIN = 0,	/* KVM_GET_DIRTY_LOG gets and clears */
	/* KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2: KVM_CLEAR_DIRTY_LOG clears */
	KVM_EXT_LOG_MODE_MANUAL = 1,
	KVM_EXT_LOG_MODE_ALL_SET = 2,	/* like MANUAL, with KVM_DIRTY_LOG_INITIALLY_SET */
	KVM_EXT_LOG_MODE_RING = 3,	/* KVM_CAP_DIRTY_LOG_RING: no tracker can use it */
};

/* --- KVM_EXT_GET_CAPS: works without a VM ------------------------------- */

/* Properties of the running kernel, as the build found them. */
/* clear_flush_young does not flush by itself */
#define KVM_EXT_CAP_ELIDES_YOUNG_FLUSH	(1u << 0)
/* built with a test switch: not for use */
#define KVM_EXT_CAP_TEST_BUILD		(1u << 1)

struct kvm_ext_caps {
	__u32 size;
	__u32 flags;		/* in: 0 */
	__u32 api_version;	/* out: KVM_EXT_API_VERSION */
	__u32 caps;		/* out: KVM_EXT_CAP_* */
	__u64 trackers;		/* out: bit n set: tracker id n is built in */
	__u32 vendor;		/* out: enum kvm_ext_cpu_vendor */
	__u32 sessions;		/* out: VMs attached now, through all descriptors */
};

/* --- KVM_EXT_ATTACH ------------------------------------------------------ */

#define KVM_EXT_RING_PAGES_DEFAULT	256u
#define KVM_EXT_RING_PAGES_MAX		65536u

/*
 * Errors: EBADF no such descriptor; EINVAL not a KVM VM, bad @ring_pages;
 * EBUSY the VM has a session; EISCONN this descriptor has a VM; ESRCH the VM's
 * process is exiting; ENOMEM.
 */
struct kvm_ext_attach {
	__u32 size;
	__u32 flags;		/* in: 0 */
	__s32 vm_fd;		/* in: anon_inode:kvm-vm; may be closed after the call */
	__u32 ring_pages;	/* in/out: data pages, a power of two; 0: default */
};

/* --- KVM_EXT_GET_VM ------------------------------------------------------ */

struct kvm_ext_vm {
	__u32 size;
	__u32 flags;		/* in: 0 */
	__u32 vcpus;
	__u32 memslots;		/* RAM memslots that are tracked */
	__u64 ram_pages;	/* pages in them; an aliased page counts once */
	__u64 last_gfn;		/* highest gfn of these pages; 0 if none */
	__u32 paging;		/* enum kvm_ext_paging */
	__u32 root_level;	/* 4 or 5; 0 unknown */
	__u32 ad_bits;		/* 1: hardware A/D bits; 0: emulated by faults; ~0: unknown */
	__u32 address_spaces;	/* 2 if SMM has its own */
	__u64 mapped_4k;	/* leaf mappings now present, by size */
	__u64 mapped_2m;
	__u64 mapped_1g;
	__u64 exits;		/* VM exits of all vCPUs since creation */
	__u64 remote_tlb_flushes; /* KVM's own remote flushes since creation, without the module's */
	__u32 log_mechanism;	/* enum kvm_ext_log_mechanism, also while nothing is logged */
	__u32 log_mode;		/* enum kvm_ext_log_mode */
	__u64 logged_pages;	/* pages in all memslots with a log, of tracker or VMM */
};

/* --- KVM_EXT_SET_TRACKER: at any time, also while another tracker runs --- */

enum kvm_ext_flush_scope {
	/* abit, dirty-log, trap: none; abit-flush, pml-abit, ept-walk: pass */
	KVM_EXT_FLUSH_DEFAULT = 0,
	KVM_EXT_FLUSH_PAGE = 1,		/* after each leaf found accessed */
	KVM_EXT_FLUSH_BATCH = 2,	/* per @batch_pages pages scanned, if any was accessed */
	KVM_EXT_FLUSH_PASS = 3,		/* once at the end of a pass, if any was accessed */
	KVM_EXT_FLUSH_NONE = 4,		/* never: only ept-walk, which then skips nothing */
};

/* flags of struct kvm_ext_tracker */
/* ept-walk: read every table, also those below an entry whose A bit is clear */
#define KVM_EXT_SET_NO_SKIP	(1u << 0)
/* trackers of A bits: measure how many accesses go through stale TLB entries */
#define KVM_EXT_SET_STALENESS	(1u << 1)

/* A run of guest pages. */
struct kvm_ext_range {
	__u64 gfn;
	__u64 npages;
};

#define KVM_EXT_RANGES_MAX	4096u
#define KVM_EXT_REGIONS_MAX	1048576u
#define KVM_EXT_AGGREGATION_PASSES_DEFAULT	20u
#define KVM_EXT_TRAP_FAULTS_DEFAULT		1000u	/* a second */
#define KVM_EXT_TRAP_FAULTS_MAX			1000000u
#define KVM_EXT_TRAP_TIME_DEFAULT		10000u	/* ppm of the vCPUs' time: 1 % */
#define KVM_EXT_TRAP_IDLE_NS			1000000000ull

#define KVM_EXT_GRANULARITY_4K	12u
#define KVM_EXT_GRANULARITY_2M	21u

#define KVM_EXT_INTERVAL_MIN_NS	10000ull		/* 10 us */
#define KVM_EXT_INTERVAL_MAX_NS	3600000000000ull	/* 1 h */

/*
 * The running tracker is stopped (its pass is cut short), its account is closed,
 * and the new tracker is started before the call returns. Setting the tracker that
 * already runs opens a new account, too. On error the old tracker continues.
 *
 * The first pass after SET_TRACKER is the *priming* pass: it clears what
 * earlier accesses left and yields no samples (flag KVM_EXT_PASS_PRIME). A
 * tracker that flushes always flushes at the end of this pass. If the priming pass is
 * cut short or fails, it is run again: no pass counts before a priming pass is
 * complete. Later passes prime, too, if accesses were not tracked for an unknown
 * time: after KVM_EXT_SET_EXCLUDED has freed pages, after a log has started anew, and
 * after a cut pass over regions. (`trap` primes once: its samples have a time of their
 * own.)
 *
 * If the range contains only a part of a leaf, or with KVM_EXT_GRANULARITY_2M of a
 * block of 2 MiB, the whole leaf or block is tested and reported. A block of 2 MiB in
 * which a memslot begins or ends is tested page by page at any granularity.
 *
 * The dirty log. `dirty-log` and `pml-abit` switch the log of a memslot on and
 * off and read the log through KVM's own ioctls on the VM's file. These trackers use
 * only memslots that the VMM does not log. They give a memslot back to the VMM before
 * the VMM's own KVM_SET_USER_MEMORY_REGION, KVM_GET_DIRTY_LOG or KVM_CLEAR_DIRTY_LOG
 * is carried out: the VMM finds the log as if nobody had used it, and a migration
 * loses nothing. When the VMM has switched its log off, the tracker takes the memslot
 * again; pages that it finds in the pass that takes the memslot are not counted.
 *
 * Samples of the log are always pages of 4 KiB. Each address space has a log of
 * its own: a page written both in SMM and outside SMM is a sample in each. The log
 * also contains writes that the guest's CPU makes by itself, such as the A and D bits
 * of the guest's page tables. It does not contain writes of the VMM. KVM considers a
 * page written when the page is first mapped while the log is on, even if it is read:
 * after memory was unmapped (reclaim, a memslot set anew, huge pages restored)
 * the log contains too many pages once, never too few.
 *
 * `pml-abit` keeps the pages that the log has named as candidates, does not clear
 * the candidates' bits in the log, and tests and clears A bits only of candidates. A
 * candidate that was not accessed for KVM_EXT_CANDIDATE_PASSES to twice as many passes
 * returns to the log. The tracker never sees pages that are only read.
 *
 * `ept-walk` reads and clears the A bits in the VM's own nested page table. It does
 * not see memory that nested guests map in tables of their own (KVM_EXT_STATE_NESTED).
 * The CPU sets A bits on every level: unless KVM_EXT_SET_NO_SKIP or KVM_EXT_FLUSH_NONE
 * is given, the tracker clears A bits on every level, and does not read the tables
 * below an entry whose A bit is clear. The pages of these tables count as scanned. If
 * the range contains only a part of a leaf, the whole leaf is reported.
 *
 * Staleness. With KVM_EXT_SET_STALENESS passes come in pairs. In random order, one pass
 * of a pair flushes the TLB after each leaf that it finds accessed (the control), and
 * the other pass flushes as @flush_scope says. The numbers found by the passes that
 * follow these two show how many accesses the policy misses: a pass that follows a
 * control has KVM_EXT_PASS_CONTROL. Passes 1 and 2 are a pair, 3 and 4, and so
 * on. @interval_ns is then from the end of a pass to the start of the next.
 *
 * Regions. With @regions_max a pass does not test every page. Memory is divided into
 * at most @regions_max regions of adjacent pages, and a pass tests one random page of
 * each region: the page that the previous pass has chosen; then it chooses the next
 * page. After @aggregation_passes passes the regions are written to the ring with the
 * number of accesses found in each region, similar neighbours are merged, and regions
 * are split at random while there are few of them. There are at least @regions_min
 * regions. If @regions_min and @regions_max are both the number of pages, each page is a
 * region. A sample is a check that found its page accessed.
 *
 * `trap` removes the mappings of pages that it chooses from the range or ranges
 * and records the first fault of each page after that: a sample. A page is armed
 * from the removal until this fault; a larger mapping is armed, and faults, as a whole.
 * The tracker keeps up to @trap_share_ppm of the pages armed, at random, but never more
 * pages than could fault at once without exceeding @trap_faults_per_s or, at the cost
 * of a fault measured so far, @trap_time_ppm of the vCPUs' time. A pass collects the
 * faults and arms pages again. A page that is not touched stays armed, and occupies its
 * part of these budgets, for KVM_EXT_TRAP_IDLE_NS at least; then, if there are pages that
 * are not armed, the tracker disarms it and arms others (@trap_more.idle). The mapping of
 * such a page is missing until the guest's next access, whose fault is no sample and none
 * of @trap_faults_per_s, but counts with its time (@trap_more.late_faults). So the faults
 * that the tracker causes stay below the limit on average, and a guest that comes back to
 * much memory at once may exceed the limit for a moment. When the tracker is stopped, it
 * disarms all pages; a mapping comes back with the next access.
 *
 * Errors: EINVAL a field is out of its range, or is set for a tracker to which it
 * does not apply (a flush scope with a tracker that does not flush, 2M with the dirty
 * log or regions, regions without A bits, staleness with regions); EOPNOTSUPP
 * this VM cannot be tracked in this way (shadow paging or no hardware A bits for
 * A-bit trackers, a dirty ring for the log, encrypted memory for traps); ERANGE the
 * range contains no RAM; E2BIG memory has more separate parts than @regions_max;
 * ENOMEM; EAGAIN the running tracker uses the dirty log, and a task of the VMM has been
 * in an ioctl on the dirty log for a second; EINTR the caller was killed.
 */
#define KVM_EXT_CANDIDATE_PASSES	8u

struct kvm_ext_tracker {
	__u32 size;
	__u32 flags;		/* KVM_EXT_SET_* */
	__u32 tracker;		/* enum kvm_ext_tracker_id */
	__u32 granularity;	/* log2 of bytes: KVM_EXT_GRANULARITY_*; 0: 4K */
	__u64 interval_ns;	/* start to start of passes; 0: only on RUN_PASS */
	__u64 first_gfn;	/* range to track; */
	__u64 npages;		/*   0: all RAM (then @first_gfn must be 0) */
	__s32 cpu;		/* CPU the passes run on; -1: any that is not isolated */
	__u32 flush_scope;	/* enum kvm_ext_flush_scope */
	__u32 batch_pages;	/* for KVM_EXT_FLUSH_BATCH, else 0; 0: 512 */
	__u32 reserved;
	__u32 regions_min;	/* 1 to @regions_max */
	__u32 regions_max;	/* 1 to KVM_EXT_REGIONS_MAX; 0: no regions */
	__u32 aggregation_passes; /* 0: KVM_EXT_AGGREGATION_PASSES_DEFAULT */
	__u32 trap_share_ppm;	/* share of the pages to keep armed if the budget allows; 0: all */
	__u32 trap_faults_per_s; /* in any second; 0: KVM_EXT_TRAP_FAULTS_DEFAULT */
	__u32 trap_time_ppm;	/* share of the vCPUs' time; 0: 1 %; 1000000: no limit */
	__u64 ranges;		/* trap: struct kvm_ext_range[@nr_ranges], within the range above */
	__u32 nr_ranges;	/* 0: no list; at most KVM_EXT_RANGES_MAX, sorted, disjoint */
	__u32 reserved2;
};

/* --- KVM_EXT_RUN_PASS ----------------------------------------------------- */

/*
 * Runs one pass now and waits for its end. Passes at the interval continue.
 * Errors: EINTR; EINVAL the tracker is `off`; ECANCELED the tracker was changed
 * meanwhile. With the dirty log: EAGAIN a task of the VMM stays in an ioctl on the
 * VM's memslots or their log (KVM_EXT_STATE_ASIDE); EBUSY another module has replaced
 * the VM file's operations; ENOMEM. Passes at the interval try again.
 */
struct kvm_ext_run_pass {
	__u32 size;
	__u32 flags;		/* in: 0 */
	__u64 pass;		/* out: number of the pass that ran */
};

/* --- KVM_EXT_SET_EXCLUDED: pages that no tracker touches ------------------- */

#define KVM_EXT_EXCLUDED_PAGES_MAX	16384u	/* 64 MiB */

/*
 * Replaces the list of guest pages that no tracker touches: the A bits of these pages
 * are not cleared, the pages are not trapped, and their writes are not logged again.
 * The pages are faulted into the VMM's memory and pinned there until the list changes
 * or the session ends. If a huge page of the host may map such a page, the whole huge
 * page is excluded. Excluded memory is neither in samples nor in pages scanned.
 *
 * The running tracker's pass is cut short and the tracker continues with the new list,
 * in the same account. If the new list lacks pages of the old list, or if the tracker
 * uses the log, the next pass primes. When the call returns, no page of the list is
 * touched any more. If a trap has removed the mapping of a page, the mapping comes back
 * with the next access, as always.
 *
 * A log in KVM_EXT_LOG_MODE_ALL_SET starts full and is never cleared for these pages:
 * the CPU has nothing to log. In other modes KVM arms a memslot as a whole: the module
 * does not log a memslot that contains such a page.
 *
 * Errors: EINVAL the list is not sorted, or its ranges overlap; E2BIG more
 * pages than KVM_EXT_EXCLUDED_PAGES_MAX; EFAULT memory cannot be pinned; ENOMEM; EAGAIN,
 * EINTR as for KVM_EXT_SET_TRACKER. On error the old list stays in effect.
 */
struct kvm_ext_excluded {
	__u32 size;
	__u32 flags;		/* in: 0 */
	__u64 ranges;		/* in: struct kvm_ext_range[@nr_ranges] */
	__u32 nr_ranges;	/* in: 0: none; at most KVM_EXT_RANGES_MAX, sorted, disjoint */
	__u32 reserved;
	__u64 pages;		/* out: pages of the list that are RAM: excluded and pinned */
};

/* --- KVM_EXT_GET_STATS: the account of the tracker set now ---------------- */

#define KVM_EXT_STATE_VM_GONE	(1u << 0)
/* the VMM itself logs all memory of the range (a migration): nothing is tracked until it ends */
#define KVM_EXT_STATE_YIELDED	(1u << 1)
/* ept-walk: a vCPU was seen to run nested guests; memory that they map is not covered */
#define KVM_EXT_STATE_NESTED	(1u << 2)
/* the last pass stood aside: the VMM stayed in an ioctl on its dirty log */
#define KVM_EXT_STATE_ASIDE	(1u << 3)

/* For trackers that use the dirty log; zero for others. Each ioctl's time is in one figure only. */
struct kvm_ext_log_stats {
	__u32 mechanism;	/* enum kvm_ext_log_mechanism */
	__u32 mode;		/* enum kvm_ext_log_mode */
	__u64 pages;		/* pages in memslots that the tracker logs now */
	__u64 vmm_pages;	/* pages in memslots that the VMM logs: not tracked now */
	__u64 other_pages;	/* pages in memslots without a log (guest_memfd): never tracked */
	__u64 enable_ns;	/* KVM_SET_USER_MEMORY_REGION with the log on */
	__u64 enable_pages;
	__u64 arm_ns;		/* the first KVM_CLEAR_DIRTY_LOG of a log that starts all set */
	__u64 arm_pages;
	__u64 harvest_ns;	/* KVM_GET_DIRTY_LOG; in plain mode this clears, too */
	__u64 harvest_pages;
	__u64 clear_ns;		/* KVM_CLEAR_DIRTY_LOG */
	__u64 clear_pages;	/* dirty pages cleared */
	__u64 clears;		/* calls; each holds KVM's mmu_lock and flushes the TLB once */
	__u64 pml_full_exits;	/* exits of this VM's process while the tracker was on */
	__u64 candidates;	/* pml-abit: pages watched now */
	__u64 yields;		/* memslots yielded to the VMM while the tracker logged them */
	__u64 resumes;		/* memslots taken back after the VMM had logged them */
	__u64 last_yield_ns;	/* 0: never */
	__u64 last_resume_ns;
	__u64 yielded_passes;	/* passes that found KVM_EXT_STATE_YIELDED: not counted */
	__u64 errors;		/* ioctls of the module that KVM refused */
	__u32 last_errno;	/* errno of the last refused ioctl; 0: none */
	__u32 reserved;
	/* The cost of stopping the tracker *before* this one: */
	__u64 disable_ns;	/* KVM_SET_USER_MEMORY_REGION with the log off */
	__u64 disable_pages;
};

/* More figures of trackers that use the dirty log. */
struct kvm_ext_log_more_stats {
	__u64 aside_passes;	/* passes cut because of KVM_EXT_STATE_ASIDE: not counted */
	/*
	 * Pages in memslots whose log KVM refused to switch off when the memslot was yielded to the
	 * VMM or the tracker was stopped; for all trackers of this session. The log stays on, with
	 * every page marked dirty. Not an estimate.
	 */
	__u64 stuck_pages;
};

/* For `ept-walk`, over all passes; zero for others. */
struct kvm_ext_walk_stats {
	__u64 tables_read;	/* tables of any level of which entries were read */
	__u64 subtrees_skipped;	/* entries above the last level with a clear A bit */
	__u64 pages_skipped;	/* pages that these entries could map */
	__u64 upper_cleared;	/* A bits cleared above the last level */
	__u64 upper_restored;	/* of these, set again: accessed at the time of clearing */
	__u64 holds;		/* times that KVM's mmu_lock was held, for writing */
	__u64 hold_ns;
	__u64 max_hold_ns;
	__u64 contended;	/* holds that ended early because another task waited */
};

/* For a setting with KVM_EXT_SET_STALENESS, over counted passes; zero for others. */
struct kvm_ext_staleness_stats {
	__u64 passes;		/* after the policy under test */
	__u64 samples;
	__u64 control_passes;	/* after the control */
	__u64 control_samples;
};

/* For a setting with regions; zero for others. */
struct kvm_ext_regions_stats {
	__u64 regions;		/* now */
	__u64 aggregations;
	__u64 checks;		/* pages tested in counted passes: at most @regions_max a pass */
	__u64 max_checks;	/* in one pass */
	__u64 splits;
	__u64 merges;
};

/* For `trap`; zero for others. "Pages" are mappings of any size. */
struct kvm_ext_trap_stats {
	__u64 eligible;		/* pages that may be armed */
	__u64 armed;		/* now */
	__u64 armings;
	__u64 faults;		/* first faults; each is a sample, in the ring or lost */
	__u64 lost;		/* of these, lost: no room until the next pass collected them */
	/* vCPU time from first faults, and from late ones, to entries: at most 1 ms each */
	__u64 fault_ns;
	__u64 timed_faults;	/* number of faults in @fault_ns */
	__u64 max_faults_per_s;	/* most in any one second */
	__u64 max_time_ppm;	/* most of the vCPUs' time in any one second */
	__u64 zap_ns;		/* time to remove mappings, including KVM's TLB flush each time */
	__u64 held_passes;	/* passes that armed less than the share, because of the budget */
};

/* For `trap`, added later. "Pages" are mappings of any size. */
struct kvm_ext_trap_more_stats {
	/* pages not touched for KVM_EXT_TRAP_IDLE_NS or longer while armed, and then disarmed */
	__u64 idle;
	__u64 late_faults;	/* first faults of such pages after that, while not armed again */
};

/* What the running pass does now. */
enum kvm_ext_step {
	KVM_EXT_STEP_MEMORY = 0,	/* goes over memory: @pages grows */
	KVM_EXT_STEP_LOG_ENABLE = 1,	/* KVM switches logs on, a memslot at a time */
	KVM_EXT_STEP_LOG_HARVEST = 2,	/* KVM returns the log of a memslot as a whole */
};

/*
 * The progress of the pass that runs when these figures are read; for every tracker
 * with passes. These figures are not sums: they describe one moment, also during a
 * priming pass or a pass that will be cut. As long as no counted pass has ended
 * (@passes is 0) and @flags has KVM_EXT_PASS_PRIME, the tracker primes and has found
 * nothing yet.
 *
 * @pages / @total_pages is the part of memory done. If @pages is not 0, the time to go
 * is about (now_ns - @start_ns) * (@total_pages - @pages) / @pages. This is an estimate,
 * because the pass goes over memory that is not mapped much faster than over mapped
 * memory, and @pages does not grow while @step is not KVM_EXT_STEP_MEMORY. Both numbers
 * are updated about every millisecond, less often only during an ioctl of the module in KVM.
 */
struct kvm_ext_progress {
	__u64 pass;		/* number of that pass; if none runs, of the next pass */
	__u64 start_ns;		/* when the pass began; 0: none runs, then @pages is 0 */
	__u64 pages;		/* pages done so far, at most @total_pages */
	__u64 total_pages;	/* 0: not known yet, or no pass over memory (regions, trap) */
	__u64 next_ns;		/* if none runs: when the next pass is due; 0: on RUN_PASS */
	__u32 flags;		/* KVM_EXT_PASS_PRIME, KVM_EXT_PASS_CONTROL: of that pass */
	__u32 step;		/* enum kvm_ext_step */
};

struct kvm_ext_stats {
	__u32 size;
	__u32 flags;		/* in: 0 */
	__u32 tracker;
	__u32 state;		/* KVM_EXT_STATE_* */
	__u64 epoch;		/* counts SET_TRACKER calls of this session, from 1 */
	__u64 start_ns;		/* when this tracker was set */
	__u64 now_ns;		/* when these figures were read */
	__u64 interval_ns;	/* as requested */
	__u64 passes;		/* complete passes, without the priming pass */
	__u64 overruns;		/* intervals skipped because a pass took longer */
	__u64 first_start_ns;	/* start of the first and of the last counted pass: */
	__u64 last_start_ns;	/*   achieved interval = difference / (passes - 1) */
	__u64 pages_scanned;	/* pages examined in counted passes */
	__u64 leaves_tested;	/* calls of the A-bit test: a leaf or page that is mapped */
	__u64 samples;		/* leaves found accessed in counted passes */
	__u64 sample_pages;	/* pages that these leaves cover */
	__u64 lost_samples;	/* of @samples, those that did not fit the ring */
	__u64 cpu_ns;		/* CPU time of the pass thread for this tracker, priming included */
	__u64 prime_cpu_ns;	/* part of @cpu_ns in passes that prime, also if they were cut */
	__u64 prime_ns;		/* wall time of passes that prime */
	__u64 pass_ns_sum;	/* wall time of counted passes: mean = sum / passes */
	__u64 pass_ns_min;
	__u64 pass_ns_max;
	__u64 pass_ns_p99;	/* upper edge of the histogram bucket: at most 12.5 % too high */
	__u64 flushes;		/* TLB flushes requested (a flush of all vCPUs counts 1) */
	__u64 flush_ipis;	/* vCPUs that these flushes interrupted in guest mode */
	__u64 flush_ns;		/* wall time spent requesting flushes */
	/*
	 * Longest CPU time between two rescheduling points. With the dirty log this may be the
	 * time of one of KVM's ioctls, which work on a memslot as a whole.
	 */
	__u64 max_hold_ns;
	__u64 slot_changes;	/* passes that met changed memslots and continued */
	__u64 dropped_pages;	/* findings dropped because their memslot was removed */
	struct kvm_ext_log_stats log;
	struct kvm_ext_walk_stats walk;
	struct kvm_ext_staleness_stats staleness;
	struct kvm_ext_regions_stats regions;
	struct kvm_ext_trap_stats trap;
	struct kvm_ext_progress progress;
	/*
	 * For `trap`: time in which the tracker had enabled the tracepoints of page faults and VM
	 * entries. These tracepoints exist once for all VMs of the host: each VM then calls the
	 * tracker at each of its own faults and entries. The tracepoints are enabled while mappings
	 * are armed, and a quarter of a second longer.
	 */
	__u64 trap_listened_ns;
	struct kvm_ext_log_more_stats log_more;
	struct kvm_ext_trap_more_stats trap_more;
	/*
	 * Memory that the module has allocated for this VM: the session with the ring and, while a
	 * tracker is set, its bitmaps, lists and buffers. The sum of the requested sizes, which the
	 * kernel's allocators round up. Not included: the stack of the pass thread, KVM's memory
	 * for a dirty log (two bits per page of the memslots), and memory that is freed at the end
	 * of an ioctl or a pass. Never 0: an older module, which does not know this field, leaves 0
	 * in it.
	 */
	__u64 memory_bytes;
};

/* --- the sample ring ------------------------------------------------------ */

/*
 * mmap(fd, offset 0, MAP_SHARED, PROT_READ | PROT_WRITE) of
 * page size + @data_size: one control page, then the data. The kernel reads only
 * @data_tail. It reads @data_tail once, checks the value, and never uses it to access
 * memory outside the ring; an invalid value makes the ring look full.
 *
 * Single producer, single consumer, counters run free (index = counter &
 * (data_size - 1)). The kernel writes records, then @data_head with release
 * semantics; a reader loads @data_head with acquire semantics, consumes, then
 * stores @data_tail with release semantics. A record never wraps: if the next record
 * does not fit before the end of the data, a KVM_EXT_REC_PAD fills the end. The sizes of
 * records are multiples of 8 bytes, at most KVM_EXT_REC_MAX.
 *
 * The descriptor polls readable when unread records exist at the end of a pass
 * or the ring is half full; POLLHUP after the VM has ended.
 */
#define KVM_EXT_RING_MAGIC	0x474e5254584d564bull	/* "KVMXTRNG" */

struct kvm_ext_ring {
	__u64 magic;
	__u32 api_version;
	__u32 data_offset;	/* bytes from the start of the mapping */
	__u64 data_size;	/* bytes, a power of two */
	__u8  reserved0[40];
	__u64 data_head;	/* written by the kernel */
	__u64 lost_samples;	/* since attach; written by the kernel */
	__u64 lost_records;
	__u8  reserved1[40];
	__u64 data_tail;	/* written by user space */
	__u8  reserved2[56];
};

#define KVM_EXT_REC_MAX		4096u

enum kvm_ext_record_type {
	KVM_EXT_REC_PAD = 0,		/* header only: skip @size bytes */
	KVM_EXT_REC_PASS_BEGIN = 1,
	KVM_EXT_REC_RUN = 2,
	KVM_EXT_REC_BITMAP = 3,
	KVM_EXT_REC_PASS_END = 4,
	KVM_EXT_REC_LOST = 5,
	KVM_EXT_REC_FAULTS = 6,
	KVM_EXT_REC_REGIONS = 7,
};

struct kvm_ext_record {
	__u16 type;
	__u16 flags;
	__u32 size;		/* bytes, this header included */
};

/* flags of PASS_BEGIN and PASS_END */
#define KVM_EXT_PASS_PRIME	(1u << 0)	/* the priming pass: no samples belong to it */
#define KVM_EXT_PASS_CUT	(1u << 1)	/* END: stopped before its end; not counted */
#define KVM_EXT_PASS_YIELDED	(1u << 2)	/* END: the VMM has the log; not counted */
#define KVM_EXT_PASS_CONTROL	(1u << 3)	/* finds accesses since a control pass */

struct kvm_ext_rec_pass_begin {
	struct kvm_ext_record h;
	__u64 epoch;		/* as in kvm_ext_stats */
	__u64 pass;		/* per epoch: 0 primes; counted from 1; a pass that primes later */
				/*   has the number of the pass before it */
	__u64 time_ns;
	__u32 tracker;
	__u32 granularity;
};

/* @npages pages from @gfn on found accessed, through leaves of 2^leaf_order pages. */
struct kvm_ext_rec_run {
	struct kvm_ext_record h;
	__u64 pass;
	__u64 gfn;
	__u64 npages;
	__u32 as_id;		/* address space: 1 is SMM */
	__u32 leaf_order;	/* 0, 9 or 18: samples = npages >> leaf_order */
};

/* Bit i of @bits set: page @gfn + i found accessed (written), as a page of 4 KiB. */
struct kvm_ext_rec_bitmap {
	struct kvm_ext_record h;
	__u64 pass;
	__u64 gfn;
	__u32 as_id;
	__u32 nbits;		/* valid bits; the rest of the last word is zero */
	__u64 bits[];
};

/* The kind of the first access to an armed page. */
enum kvm_ext_access {
	KVM_EXT_ACCESS_READ = 0,
	KVM_EXT_ACCESS_WRITE = 1,
	KVM_EXT_ACCESS_EXEC = 2,
};

/* flags of struct kvm_ext_fault */
#define KVM_EXT_FAULT_PAGE_WALK	(1u << 0)	/* by the CPU, in the guest's page tables */

struct kvm_ext_fault {
	__u64 time_ns;
	__u64 tsc;		/* TSC of the host at the same moment */
	__u64 gfn;		/* accessed page; the 2^order pages around it were armed */
	__u32 vcpu;		/* vcpu_id */
	__u8  access;		/* enum kvm_ext_access */
	__u8  order;		/* 0, 9 or 18 */
	__u8  flags;		/* KVM_EXT_FAULT_* */
	__u8  reserved;
};

/* trap: the first faults that the pass collected, ordered by time; equal times in any order. */
struct kvm_ext_rec_faults {
	struct kvm_ext_record h;
	__u64 pass;
	__u32 nr;
	__u32 reserved;
	struct kvm_ext_fault faults[];
};

struct kvm_ext_region {
	__u64 gfn;
	__u64 npages;
	__u32 as_id;
	__u32 accesses;		/* checks that found their page accessed, of @checks */
	__u32 age;		/* aggregations since its access rate last changed much */
	__u32 reserved;
};

/*
 * All regions at the end of an aggregation, in order, in as many records as needed.
 * These records come before the PASS_END of the aggregation's last pass.
 */
struct kvm_ext_rec_regions {
	struct kvm_ext_record h;
	__u64 pass;
	__u64 aggregation;	/* from 0 per epoch */
	__u64 time_ns;
	__u32 checks;		/* of each region */
	__u32 first;		/* index of the first region in this record */
	__u32 total;		/* regions in all records */
	__u32 nr;		/* regions in this record */
	struct kvm_ext_region regions[];
};

/* The account of this pass; the sum over passes agrees with kvm_ext_stats. */
struct kvm_ext_rec_pass_end {
	struct kvm_ext_record h;
	__u64 pass;
	__u64 time_ns;
	__u64 wall_ns;
	__u64 cpu_ns;
	__u64 pages_scanned;
	__u64 leaves_tested;
	__u64 samples;
	__u64 sample_pages;
	__u64 lost_samples;
	__u64 flushes;
	__u64 flush_ipis;
	__u64 flush_ns;
};

/* After records did not fit: written before the first record that fits again. */
struct kvm_ext_rec_lost {
	struct kvm_ext_record h;
	__u64 samples;
	__u64 records;
};

#endif /* KVM_EXT_UAPI_H */
