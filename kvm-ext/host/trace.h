/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace events of this module, in /sys/kernel/tracing/events/kvm_ext/, for diagnosis on a host. @vm
 * is the pid of the VMM.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvm_ext

#if !defined(KVM_EXT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define KVM_EXT_TRACE_H

#include <linux/string.h>
#include <linux/tracepoint.h>
#include <kvm-ext/uapi.h>

#define kx_show_tracker(id)						\
	__print_symbolic(id,						\
			 { KVM_EXT_TRACKER_OFF, "off" },		\
			 { KVM_EXT_TRACKER_ABIT, "abit" },		\
			 { KVM_EXT_TRACKER_ABIT_FLUSH, "abit-flush" },	\
			 { KVM_EXT_TRACKER_DIRTY_LOG, "dirty-log" },	\
			 { KVM_EXT_TRACKER_PML_ABIT, "pml-abit" },	\
			 { KVM_EXT_TRACKER_EPT_WALK, "ept-walk" },	\
			 { KVM_EXT_TRACKER_TRAP, "trap" })

#define kx_show_pass_flags(flags)					\
	__print_flags(flags, "|",					\
		      { KVM_EXT_PASS_PRIME, "prime" },			\
		      { KVM_EXT_PASS_CUT, "cut" },			\
		      { KVM_EXT_PASS_YIELDED, "yielded" },		\
		      { KVM_EXT_PASS_CONTROL, "control" })

#define kx_show_access(access)						\
	__print_symbolic(access,					\
			 { KVM_EXT_ACCESS_READ, "read" },		\
			 { KVM_EXT_ACCESS_WRITE, "write" },		\
			 { KVM_EXT_ACCESS_EXEC, "exec" })

/* A pass begins. In the pass thread. */
TRACE_EVENT(kvm_ext_pass_begin,
	TP_PROTO(pid_t vm, const struct kvm_ext_rec_pass_begin *begin),
	TP_ARGS(vm, begin),

	TP_STRUCT__entry(
		__field(pid_t, vm)
		__field(u32, tracker)
		__field(u64, epoch)
		__field(u64, pass)
		__field(u16, flags)
	),

	TP_fast_assign(
		__entry->vm = vm;
		__entry->tracker = begin->tracker;
		__entry->epoch = begin->epoch;
		__entry->pass = begin->pass;
		__entry->flags = begin->h.flags;
	),

	TP_printk("vm=%d tracker=%s epoch=%llu pass=%llu flags=%s",
		  __entry->vm, kx_show_tracker(__entry->tracker), __entry->epoch, __entry->pass,
		  kx_show_pass_flags(__entry->flags))
);

/* A pass has ended. @error: why the pass could not be run, as a positive errno; 0: no error. */
TRACE_EVENT(kvm_ext_pass_end,
	TP_PROTO(pid_t vm, const struct kvm_ext_rec_pass_end *end, int error),
	TP_ARGS(vm, end, error),

	TP_STRUCT__entry(
		__field(pid_t, vm)
		__field(int, error)
		__field(u64, pass)
		__field(u64, wall_ns)
		__field(u64, cpu_ns)
		__field(u64, pages)
		__field(u64, samples)
		__field(u64, lost)
		__field(u64, flushes)
		__field(u16, flags)
	),

	TP_fast_assign(
		__entry->vm = vm;
		__entry->error = -error;
		__entry->pass = end->pass;
		__entry->wall_ns = end->wall_ns;
		__entry->cpu_ns = end->cpu_ns;
		__entry->pages = end->pages_scanned;
		__entry->samples = end->samples;
		__entry->lost = end->lost_samples;
		__entry->flushes = end->flushes;
		__entry->flags = end->h.flags;
	),

	TP_printk("vm=%d pass=%llu flags=%s wall_ns=%llu cpu_ns=%llu pages=%llu samples=%llu lost=%llu flushes=%llu error=%d",
		  __entry->vm, __entry->pass, kx_show_pass_flags(__entry->flags),
		  __entry->wall_ns, __entry->cpu_ns, __entry->pages, __entry->samples,
		  __entry->lost, __entry->flushes, __entry->error)
);

/* The dirty log of a memslot is given back to the VMM. In the VMM's task. */
TRACE_EVENT(kvm_ext_yield,
	TP_PROTO(pid_t vm, u32 slot, u64 gfn, u64 npages),
	TP_ARGS(vm, slot, gfn, npages),

	TP_STRUCT__entry(
		__field(pid_t, vm)
		__field(u32, slot)
		__field(u64, gfn)
		__field(u64, npages)
	),

	TP_fast_assign(
		__entry->vm = vm;
		__entry->slot = slot;
		__entry->gfn = gfn;
		__entry->npages = npages;
	),

	TP_printk("vm=%d slot=%#x gfn=%#llx npages=%llu",
		  __entry->vm, __entry->slot, __entry->gfn, __entry->npages)
);

/* @nr mappings of 2^@order pages each, from @gfn on, were armed. In the pass thread. */
TRACE_EVENT(kvm_ext_trap_armed,
	TP_PROTO(pid_t vm, u64 gfn, u8 order, u32 nr),
	TP_ARGS(vm, gfn, order, nr),

	TP_STRUCT__entry(
		__field(pid_t, vm)
		__field(u32, nr)
		__field(u64, gfn)
		__field(u8, order)
	),

	TP_fast_assign(
		__entry->vm = vm;
		__entry->nr = nr;
		__entry->gfn = gfn;
		__entry->order = order;
	),

	TP_printk("vm=%d gfn=%#llx order=%u nr=%u",
		  __entry->vm, __entry->gfn, __entry->order, __entry->nr)
);

/* An armed mapping faulted. In the vCPU's task. */
TRACE_EVENT(kvm_ext_trap_hit,
	TP_PROTO(pid_t vm, const struct kvm_ext_fault *fault),
	TP_ARGS(vm, fault),

	TP_STRUCT__entry(
		__field(pid_t, vm)
		__field(u32, vcpu)
		__field(u64, gfn)
		__field(u8, order)
		__field(u8, access)
	),

	TP_fast_assign(
		__entry->vm = vm;
		__entry->vcpu = fault->vcpu;
		__entry->gfn = fault->gfn;
		__entry->order = fault->order;
		__entry->access = fault->access;
	),

	TP_printk("vm=%d vcpu=%u gfn=%#llx order=%u access=%s",
		  __entry->vm, __entry->vcpu, __entry->gfn, __entry->order,
		  kx_show_access(__entry->access))
);

/* KVM_EXT_SET_TRACKER was refused. In the caller's task. */
TRACE_EVENT(kvm_ext_refused,
	TP_PROTO(const char *reason),
	TP_ARGS(reason),

	TP_STRUCT__entry(
		__array(char, reason, 64)
	),

	TP_fast_assign(
		strscpy(__entry->reason, reason, sizeof(__entry->reason));
	),

	TP_printk("%s", __entry->reason)
);

#endif /* KVM_EXT_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
