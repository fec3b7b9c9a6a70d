// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KVM_EXT_SET_STALENESS: does it measure the known share of accesses that a tracker misses, because
 * they go through stale TLB entries?
 *
 * The guest is that of t-flush: it accesses some pages without a VM exit, all of them between two
 * passes. So a policy that flushes misses no access. A policy that does not flush misses all
 * accesses, except after VM exits, which flush; the control of this policy finds all.
 *
 * With one CPU every pass takes the guest off this CPU. Then the test cannot tell how much is
 * missed without a flush; everything else is tested.
 *
 * What it cannot show: how many accesses are missed on hardware (see t-flush).
 */
#include <stdio.h>
#include <unistd.h>

#include "kx.h"
#include "tap.h"
#include "vmm.h"

/* With two CPUs: one for the guest, the other for the passes and this program. */
#define GUEST_CPU 1
#define OUR_CPU	  0

#define DATA_GFN     (VMM_DATA_GPA / VMM_PAGE)
#define DATA_SIZE    (4ul << 20)
#define PAGES	     32u
#define BATCH	     8u
#define ROUNDS	     200	   /* number of passes; half of them follow a control */
#define ENOUGH	     (ROUNDS / 20) /* number of passes that suffices to judge */
#define INTERVAL_NS  3000000ull
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct vmm vm;
static struct kx kx;
static struct kx_samples got;
static uint32_t list[PAGES];

static const struct policy {
	const char *name;
	uint32_t tracker, scope, flags;
	bool flushes;
} policies[] = {
	{ "abit", KVM_EXT_TRACKER_ABIT, 0, 0, false },
	{ "abit-flush by pass", KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_FLUSH_PASS, 0, true },
	{ "abit-flush by batch", KVM_EXT_TRACKER_ABIT_FLUSH, KVM_EXT_FLUSH_BATCH, 0, true },
	{ "ept-walk by pass", KVM_EXT_TRACKER_EPT_WALK, KVM_EXT_FLUSH_PASS, 0, true },
	{ "ept-walk by batch", KVM_EXT_TRACKER_EPT_WALK, KVM_EXT_FLUSH_BATCH, 0, true },
	{ "ept-walk reading all tables", KVM_EXT_TRACKER_EPT_WALK, KVM_EXT_FLUSH_PASS,
	  KVM_EXT_SET_NO_SKIP, true },
	{ "ept-walk without a flush", KVM_EXT_TRACKER_EPT_WALK, KVM_EXT_FLUSH_NONE, 0, false },
};

struct tally {
	uint64_t passes, samples;
};

/* Passes by the pass before them: [0] it followed the policy, [1] it was the control. */
struct result {
	struct tally all[2];
	struct tally timely[2];	   /* without pass 1, which begins right after the priming pass */
	struct tally stayed;	   /* after the policy, without a VM exit in between */
	uint64_t first_is_control; /* number of pairs */
	uint64_t bad_pairs;	   /* number of pairs without exactly one of each kind */
	uint64_t bad;
	struct kvm_ext_staleness_stats stats;
	uint64_t stats_passes, stats_samples;
};

static bool one_cpu(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) < 2;
}

static struct kvm_ext_tracker tracker(const struct policy *policy)
{
	struct kvm_ext_tracker t = kx_tracker(policy->tracker);

	t.first_gfn = DATA_GFN;
	t.npages = PAGES;
	t.cpu = one_cpu() ? -1 : OUR_CPU;
	t.flags = policy->flags | KVM_EXT_SET_STALENESS;
	t.flush_scope = policy->scope;
	t.batch_pages = policy->scope == KVM_EXT_FLUSH_BATCH ? BATCH : 0;
	return t;
}

static void count(struct tally *t)
{
	t->passes++;
	t->samples += got.samples;
}

/* Runs pass @nr and adds it to @r. Returns true if the pass before it was a control. */
static bool one_pass(struct result *r, uint64_t nr, uint64_t *exits)
{
	bool control, stayed;

	vmm_wait_iters(&vm, 0, 2);
	kx_pass(&kx, &got);
	control = got.controls;
	stayed = kx_stayed(kx.fd, exits);
	if (stayed && !control)
		count(&r->stayed);
	count(&r->all[control]);
	count(&r->timely[control]);
	r->bad += got.bad || got.begins != 1 || got.ends != 1 || got.last_pass != nr ||
		  got.sum.samples != got.samples;
	return control;
}

static struct result rounds(const struct policy *policy)
{
	struct kvm_ext_tracker t = tracker(policy);
	struct result r = { 0 };
	struct kvm_ext_stats s;
	bool first = false, control;
	uint64_t exits;
	int i;

	if (kx_set(kx.fd, &t))
		bail("SET_TRACKER");
	/* The first requested pass is pass 1, which follows the priming pass. */
	if (kx_run_pass(kx.fd, NULL))
		bail("RUN_PASS");
	kx_samples_clear(&got);
	kx_read(&kx, &got);
	first = got.controls;
	r.bad += got.last_pass != 1 || got.begins != 2 || got.ends != 2 || got.bad;
	count(&r.all[first]);
	kx_stayed(kx.fd, &exits);
	for (i = 2; i <= ROUNDS; i++) {
		control = one_pass(&r, i, &exits);
		if (i % 2) {
			first = control;
			continue;
		}
		r.first_is_control += first;
		r.bad_pairs += first == control;
	}
	s = kx_stats(kx.fd);
	r.stats = s.staleness;
	r.stats_passes = s.passes;
	r.stats_samples = s.samples;
	return r;
}

/* As in t-flush, only passes before which the guest kept its CPU show what is missed. */
static struct result undisturbed_rounds(const struct policy *policy)
{
	const uint64_t deadline = now_ns() + 20000000000ull;
	struct result r;

	do {
		r = rounds(policy);
	} while (!policy->flushes && !one_cpu() && r.stayed.passes < ENOUGH && now_ns() < deadline);
	return r;
}

static double recall(const struct tally *t)
{
	return t->passes ? (double)t->samples / (double)(PAGES * t->passes) : 0;
}

static void misses(const struct policy *policy, const struct result *r)
{
	if (policy->flushes)
		ok(recall(&r->timely[0]) > 0.99, "%s: the policy misses nearly nothing",
		   policy->name);
	else if (r->stayed.passes < ENOUGH)
		skip(one_cpu() ? "with one CPU every pass takes the guest off this CPU"
			       : "the guest was taken off its CPU before every pass",
		     "%s: the policy misses most", policy->name);
	else
		ok(recall(&r->stayed) < 0.5, "%s: the policy misses most", policy->name);
}

static void run(const struct policy *policy)
{
	struct result r = undisturbed_rounds(policy);
	double control = recall(&r.timely[1]);

	note("%s: recall after the policy %.3f, after the control %.3f; %llu of %llu passes "
	     "without a "
	     "VM exit before them",
	     policy->name, recall(&r.timely[0]), control, (unsigned long long)r.stayed.passes,
	     (unsigned long long)r.timely[0].passes);
	ok_eq(r.bad, 0, "%s: the passes and their accounts are right", policy->name);
	ok(r.all[0].passes == ROUNDS / 2 && r.all[1].passes == ROUNDS / 2 && !r.bad_pairs,
	   "%s: each pair of passes has one after the policy and one after the control",
	   policy->name);
	ok(r.first_is_control > ROUNDS / 2 / 5 && r.first_is_control < ROUNDS / 2 * 4 / 5,
	   "%s: pairs are in random order (%llu of %d begin with the control)", policy->name,
	   (unsigned long long)r.first_is_control, ROUNDS / 2);
	ok(r.stats.passes == r.all[0].passes && r.stats.samples == r.all[0].samples &&
		   r.stats.control_passes == r.all[1].passes &&
		   r.stats.control_samples == r.all[1].samples &&
		   r.stats_passes == r.all[0].passes + r.all[1].passes &&
		   r.stats_samples == r.all[0].samples + r.all[1].samples,
	   "%s: the statistics agree with the records", policy->name);
	ok(control > 0.99, "%s: after the control nearly all pages are found", policy->name);
	misses(policy, &r);
}

/* --- the interval is the time between passes ------------------------------------ */

static struct rest {
	uint64_t end_ns, shortest_ns;
	int pauses;
} rest;

static void see_pauses(void *arg, const struct kvm_ext_record *record)
{
	const struct kvm_ext_rec_pass_begin *begin = (const void *)record;
	const struct kvm_ext_rec_pass_end *end = (const void *)record;

	(void)arg;
	if (record->type == KVM_EXT_REC_PASS_END)
		rest.end_ns = end->time_ns;
	if (record->type != KVM_EXT_REC_PASS_BEGIN || !rest.end_ns)
		return;
	rest.pauses++;
	if (begin->time_ns - rest.end_ns < rest.shortest_ns)
		rest.shortest_ns = begin->time_ns - rest.end_ns;
}

static void interval(void)
{
	struct kvm_ext_tracker t = tracker(&policies[0]);
	struct kvm_ext_stats s;

	rest = (struct rest){ .shortest_ns = ~0ull };
	t.interval_ns = INTERVAL_NS;
	kx_discard(&kx);
	if (kx_set(kx.fd, &t))
		bail("SET_TRACKER");
	do {
		usleep(20000);
		s = kx_stats(kx.fd);
	} while (s.passes < 60);
	t = kx_tracker(KVM_EXT_TRACKER_OFF);
	kx_set(kx.fd, &t);
	kx.hook = see_pauses;
	kx_read(&kx, &got);
	kx.hook = NULL;
	ok(rest.pauses >= 60 && rest.shortest_ns >= INTERVAL_NS,
	   "with an interval of %llu us, the shortest time between two passes is %llu us",
	   INTERVAL_NS / 1000, (unsigned long long)rest.shortest_ns / 1000);
	ok(s.staleness.passes + s.staleness.control_passes == s.passes &&
		   s.staleness.samples + s.staleness.control_samples == s.samples,
	   "each pass counts as a pass after the policy or after the control");
}

int main(void)
{
	void *memory = vmm_memory(DATA_SIZE, VMM_SMALL);
	uint32_t i;

	vmm_create(&vm, 1, one_cpu() ? -1 : GUEST_CPU);
	vmm_stay_on(OUR_CPU);
	if (!memory || vmm_map(&vm, 1, VMM_DATA_GPA, DATA_SIZE, memory, 0))
		bail("guest memory");
	for (i = 0; i < PAGES; i++)
		list[i] = vmm_read(DATA_GFN + i);
	kx_attach(&kx, vm.fd, 0);
	kx_samples_init(&got);
	vmm_loop(&vm, 0, list, PAGES);
	for (i = 0; i < COUNT(policies); i++)
		run(&policies[i]);
	interval();
	vmm_halt(&vm, 0);
	kx_samples_free(&got);
	kx_close(&kx);
	vmm_destroy(&vm);
	return tap_end();
}
