/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * kvm-ext: the channel between the daemon on the host and kvm_ext_guest.ko in the
 * guest. The channel is the memory of an ivshmem-plain device (PCI 1af4:1110, BAR 2),
 * which the daemon plugs into the running VM. There are no interrupts: both ends read
 * the channel once per epoch.
 *
 * Every page has one writer, named below. All numbers are little endian. Each side reads
 * a value of the other side once, checks the value, and uses the copy. The host does not
 * trust the guest; a guest can at most report false data about itself. Fields called
 * reserved are zero and ignored.
 *
 *   offset                        writer   what
 *   KVM_EXT_CHANNEL_ID_AT         host     identification, before the device is plugged;
 *                                          heartbeat
 *   KVM_EXT_CHANNEL_COMMAND_AT    host     what the guest shall do
 *   KVM_EXT_CHANNEL_TAIL_AT       host     position up to which the ring was read
 *   KVM_EXT_CHANNEL_STATUS_AT     guest    identity, state and account of the guest's end
 *   KVM_EXT_CHANNEL_HEAD_AT       guest    position up to which the ring was written
 *   KVM_EXT_CHANNEL_DECLARED_AT   guest    memory that the host must not unmap
 *   KVM_EXT_CHANNEL_RING_AT       guest    the ring's data
 *
 * All other pages are unused: nobody writes or reads them.
 *
 * When a side starts again (module reloaded, guest rebooted or migrated, daemon
 * restarted), it changes its own number, @instance: the other side sees the change and
 * starts again, too. The ring is then empty: head and tail both become zero, the head
 * first.
 *
 * The daemon starts with a tail of instance 0, and reads the ring only when @host_instance
 * in the status is the daemon's own instance. When the guest sees a new instance of the
 * daemon, it takes a new @instance of its own and carries out the command in the channel,
 * as it does when it claims the device.
 *
 * A living daemon increments @heartbeat at least every second while it uses the channel.
 * The guest measures by its own clock: if @heartbeat has not changed for
 * KVM_EXT_CHANNEL_HOST_PATIENCE_NS, nobody listens. The guest then stops its sampler,
 * reports this once (KVM_EXT_GUEST_UNHEARD) and writes nothing more. When @heartbeat
 * changes again, the guest starts again under a new @instance, with the command in the
 * channel.
 */
#ifndef KVM_EXT_CHANNEL_H
#define KVM_EXT_CHANNEL_H

#include <linux/types.h>

#define KVM_EXT_CHANNEL_PCI_VENDOR	0x1af4
#define KVM_EXT_CHANNEL_PCI_DEVICE	0x1110
#define KVM_EXT_CHANNEL_PCI_BAR		2

#define KVM_EXT_CHANNEL_MAGIC		0x4e48435458564d4bull	/* "KMVXTCHN" */
#define KVM_EXT_CHANNEL_VERSION		1u

#define KVM_EXT_CHANNEL_ID_AT		0x0000u
#define KVM_EXT_CHANNEL_COMMAND_AT	0x1000u
#define KVM_EXT_CHANNEL_TAIL_AT		0x2000u
#define KVM_EXT_CHANNEL_STATUS_AT	0x3000u
#define KVM_EXT_CHANNEL_HEAD_AT		0x4000u
#define KVM_EXT_CHANNEL_DECLARED_AT	0x5000u
#define KVM_EXT_CHANNEL_RING_AT		0x100000u
/*
 * Size of the whole device, 2 MiB: firmware reserves as much for a PCIe root port that is
 * empty at boot; a larger device plugged in there gets no addresses.
 */
#define KVM_EXT_CHANNEL_SIZE		0x200000u
#define KVM_EXT_CHANNEL_RING_SIZE	0x100000u		/* a power of two */

/* How long a guest continues without a heartbeat of the host. */
#define KVM_EXT_CHANNEL_HOST_PATIENCE_NS	15000000000ull

#define KVM_EXT_CHANNEL_PROCESSES	16u
#define KVM_EXT_CHANNEL_NAME		16u	/* like TASK_COMM_LEN, with the terminating zero */

/* --- identification ---------------------------------------------------------------- */

/* The guest claims a device only if @magic, @version and @size have the expected values. */
struct kvm_ext_channel_id {
	__u64 magic;
	__u32 version;
	__u32 size;
	__u64 instance;		/* of the daemon's end; never 0; changes at each start */
	__u64 heartbeat;	/* of the daemon's end; 0: this daemon has no heartbeat */
	__u64 reserved[4];
};

/* --- host to guest ------------------------------------------------------------------- */

enum kvm_ext_channel_sampler {
	KVM_EXT_SAMPLER_NONE = 0,
	KVM_EXT_SAMPLER_EVENTS = 1,	/* guest-pebs: addresses of sampled events */
	KVM_EXT_SAMPLER_ABIT = 2,	/* guest-abit: accessed bits of the guest's page tables */
};

enum kvm_ext_channel_event {
	KVM_EXT_EVENT_AUTO = 0,		/* the event of the CPU's model; refused if there is none */
	KVM_EXT_EVENT_PAGE_FAULTS = 1,	/* the surrogate: the guest's software event */
	KVM_EXT_EVENT_RAW = 2,		/* @config, @config1 */
	/* By PEBS, regardless of latency: the VM may lack what the event of AUTO needs. */
	KVM_EXT_EVENT_LOADS = 3,
	KVM_EXT_EVENT_STORES = 4,
	KVM_EXT_EVENT_ACCESSES = 5,	/* both */
};

/* How the event's samples are collected. */
enum kvm_ext_channel_policy {
	KVM_EXT_POLICY_FIXED = 0,	/* drained at context switches */
	KVM_EXT_POLICY_BUDGET = 1,	/* period adapts to use @budget_ppm of CPU time */
	KVM_EXT_POLICY_POLL = 2,	/* drained by a thread that does nothing else */
};

#define KVM_EXT_COMMAND_RAW_SAMPLES	(1u << 0)	/* write SAMPLES records as well */
#define KVM_EXT_COMMAND_FLUSH		(1u << 1)	/* abit: flush the TLB after a scan */

/*
 * The writer makes @seq odd, writes, and makes @seq even (each with release semantics).
 * The reader copies the whole structure, and uses the copy if @seq was even and the same
 * before and after. The guest reads once per epoch, and acknowledges with @acked in the
 * status.
 */
struct kvm_ext_channel_command {
	__u32 seq;
	__u32 sampler;		/* enum kvm_ext_channel_sampler */
	__u32 event;		/* enum kvm_ext_channel_event */
	__u32 policy;		/* enum kvm_ext_channel_policy */
	__u64 config;		/* for KVM_EXT_EVENT_RAW */
	__u64 config1;
	__u64 period;		/* events per sample; 0: 4093 */
	__u64 epoch_ns;		/* 0: 500 ms; 10 ms to 10 s */
	__u64 interval_ns;	/* abit: start to start of scans; 0: an epoch */
	__u32 budget_ppm;	/* 0: 30000 (3 %) */
	__u32 flags;		/* KVM_EXT_COMMAND_* */
	__u32 granularity;	/* log2 of the smallest range's bytes, 12 to 30; 0: 21 */
	__u32 max_ranges;	/* per process; 0: 500; at most 4096 */
	__u64 epoch;		/* the daemon's number of this setting; repeated in records */
	/* Processes to watch, by thread group id or by name; none: those with the most memory. */
	__u32 nr_pids;
	__u32 nr_names;
	__s32 pids[KVM_EXT_CHANNEL_PROCESSES];
	char names[KVM_EXT_CHANNEL_PROCESSES][KVM_EXT_CHANNEL_NAME];
};

/* --- guest to host --------------------------------------------------------------------- */

enum kvm_ext_channel_state {
	KVM_EXT_GUEST_ABSENT = 0,	/* nobody has claimed the device */
	KVM_EXT_GUEST_IDLE = 1,
	KVM_EXT_GUEST_RUNNING = 2,
	/*
	 * @error says why the command failed. For events, ENODATA: the CPU's PEBS records have
	 * no address; ENXIO: the CPU has no threshold of load latency, which the event needs;
	 * EPROTONOSUPPORT: the CPU has it, but the kernel would not survive that event.
	 */
	KVM_EXT_GUEST_FAILED = 3,
	KVM_EXT_GUEST_UNHEARD = 4,	/* nothing runs: the host's heartbeat has stopped */
};

/* What the sampler cost the guest since it was started; times are of the guest's CPUs. */
/* The times do not overlap: their sum is the cost. */
struct kvm_ext_channel_account {
	__u64 samples;		/* taken; abit: pages found accessed */
	__u64 classified;	/* samples with an address of a watched process */
	__u64 dropped_queue;	/* lost between interrupt and classifier */
	__u64 dropped_ring;	/* records that did not fit the channel */
	__u64 interrupts;	/* performance-monitoring interrupts, once for each event found */
	__u64 interrupt_ns;	/* in overflow handlers */
	__u64 drain_ns;		/* taking samples out of the queue */
	__u64 classify_ns;
	__u64 report_ns;	/* writing records */
	__u64 scan_ns;		/* abit */
	__u64 flushes;
	__u64 flush_ns;
	__u64 scans;		/* abit: complete ones */
	__u64 pages_scanned;
	__u64 epochs;
	__u64 max_scan_ns;
	__u64 memory_bytes;	/* held now */
	__u64 period;		/* now */
	__u64 no_address;	/* samples whose record had no address; none is classified */
};

/*
 * Consistent under @seq, like the command. The guest writes the status at least once per
 * epoch, after the records of the epoch that the status counts in @epochs; an idle guest
 * writes it every 500 ms. The guest writes no status while @state is
 * KVM_EXT_GUEST_UNHEARD.
 */
struct kvm_ext_channel_status {
	__u32 seq;
	__u32 state;		/* enum kvm_ext_channel_state */
	__u64 magic;		/* as in the identification: the device is claimed */
	__u64 instance;		/* of the guest's end; never 0 */
	__u64 host_instance;	/* the daemon's instance that the guest has seen */
	__u64 heartbeat;	/* counts readings of the command */
	__u64 time_ns;		/* guest's CLOCK_MONOTONIC, and its TSC at the same moment */
	__u64 tsc;
	__u32 acked;		/* seq of the command that was carried out, or failed */
	__u32 error;		/* errno; 0: none */
	__u32 surrogate;	/* 1: the event is not the one the tracker is named after */
	__u32 cpus;
	__u64 epoch;		/* epoch of the running command */
	__u64 start_ns;		/* guest's time when the command was started */
	char event[48];		/* the sampled event, such as "sw:page-faults"; ends with zero */
	char release[64];	/* the guest's kernel */
	__u64 work;		/* the workload's own counter, if it has set one */
	__u64 work_writers;
	struct kvm_ext_channel_account account;
};

/* Guest-physical memory that must stay mapped: PEBS buffers of CPUs before Ice Lake. */
#define KVM_EXT_CHANNEL_DECLARED_MAX	128u

struct kvm_ext_channel_span {
	__u64 gfn;
	__u64 npages;
};

struct kvm_ext_channel_declared {
	__u32 seq;		/* as in the command */
	__u32 nr;
	struct kvm_ext_channel_span span[KVM_EXT_CHANNEL_DECLARED_MAX];
};

/* --- the ring ------------------------------------------------------------------------------ */

/*
 * Single producer (the guest), single consumer. Counters run free; a record's offset is
 * counter & (KVM_EXT_CHANNEL_RING_SIZE - 1). A record never wraps: a PAD fills the end.
 * The sizes of records are multiples of 8 bytes, at most KVM_EXT_CHANNEL_REC_MAX. Each
 * counter is written with release semantics and read with acquire semantics. If the ring
 * has no room, the producer counts the loss in its account and continues.
 *
 * To change @instance, the writer sets @instance to 0, writes @bytes, and then sets the new
 * @instance. A reader of a position reads @instance before and after @bytes; if @instance
 * has changed, or is 0, the ring is empty.
 */
struct kvm_ext_channel_position {
	__u64 bytes;		/* head, or tail */
	__u64 instance;		/* of the guest's end: a position of another instance is invalid */
};

#define KVM_EXT_CHANNEL_REC_MAX		65536u

enum kvm_ext_channel_record_type {
	KVM_EXT_CHANNEL_PAD = 0,
	KVM_EXT_CHANNEL_RANGES = 1,
	KVM_EXT_CHANNEL_PAGES = 2,
	KVM_EXT_CHANNEL_SAMPLES = 3,
};

struct kvm_ext_channel_record {
	__u16 type;
	__u16 reserved;
	__u32 size;		/* bytes, this header included */
};

/* One range of a process's addresses. */
struct kvm_ext_channel_range {
	__u64 start;
	__u64 size;
	__u64 accesses;		/* the classifier's decayed count */
	__u32 age;		/* epochs since the range was split off */
	__u32 reserved;
};

/* The ranges of a process's classifier at the end of an epoch, the hottest first. */
struct kvm_ext_channel_ranges {
	struct kvm_ext_channel_record h;
	__u64 epoch;		/* as in the command */
	__u64 number;		/* of the guest's epoch, from 0 */
	__u64 time_ns;		/* guest's */
	__s32 pid;
	__u32 samples;		/* in this epoch */
	char name[KVM_EXT_CHANNEL_NAME];
	__u32 total;		/* ranges of the process */
	__u32 nr;		/* ranges in this record: the hottest */
	struct kvm_ext_channel_range range[];
};

/* The pages of one of the hottest of these ranges, in guest-physical memory, as runs. */
struct kvm_ext_channel_pages {
	struct kvm_ext_channel_record h;
	__u64 epoch;
	__u64 number;
	__s32 pid;
	__u32 rank;		/* of the range, from 0 */
	__u64 start;		/* the range's first address */
	__u32 reserved;
	__u32 nr;
	struct kvm_ext_channel_span span[];
};

struct kvm_ext_channel_sample {
	__u64 address;		/* guest-virtual */
	__u64 tsc;		/* guest's */
};

/* Raw samples; written only with KVM_EXT_COMMAND_RAW_SAMPLES. */
struct kvm_ext_channel_samples {
	struct kvm_ext_channel_record h;
	__u64 epoch;
	__s32 pid;
	__u32 nr;
	struct kvm_ext_channel_sample sample[];
};

#endif /* KVM_EXT_CHANNEL_H */
