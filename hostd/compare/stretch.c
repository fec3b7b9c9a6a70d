// SPDX-License-Identifier: GPL-2.0-or-later
#include "stretch.h"

#include <math.h>

#include "base/textfmt.h"
#include "model/json-write.h"

/* The numbers of a stretch and their keys in the JSON. */
typedef struct {
	const char *key;
	gsize offset;
} Number;

/* In nanoseconds, the unit with the largest numbers here, this is 30 years on each of a thousand CPUs. */
#define MOST 1e21

#define NUMBER(member)                                      \
	{                                                   \
#member, G_STRUCT_OFFSET(KxStretch, member) \
	}

static const Number numbers[] = {
	NUMBER(run_ns),
	NUMBER(paused_ns),
	NUMBER(passes),
	NUMBER(samples),
	NUMBER(lost_samples),
	NUMBER(cpu_ns),
	NUMBER(drain_cpu_ns),
	NUMBER(guest_cpu_ns),
	NUMBER(exits),
	NUMBER(kvm_flushes),
	NUMBER(flushes),
	NUMBER(flush_ipis),
	NUMBER(vcpu_run_ns),
	NUMBER(vcpu_steal_ns),
	NUMBER(progress),
	NUMBER(truth),
	NUMBER(truth_hit),
	NUMBER(found),
	NUMBER(found_true),
	NUMBER(vmm_cpu_ns),
	NUMBER(vcpu_guest_ns),
	NUMBER(llc_misses),
	NUMBER(guest_instructions),
	NUMBER(memory_bytes),
	NUMBER(tracked_pages),
};

/* Counters of a window whose difference is in a stretch. */
typedef struct {
	gsize from, to;
	gssize na;	  /* char *: if set, the counter is not known; -1: always known */
	gssize valid;	  /* gboolean: the counter is valid only if this is TRUE; -1: always */
	gboolean rounded; /* it can go back a little, which counts as no difference */
} Counter;

#define COUNTER(member, to, na, valid)                                                        \
	{                                                                                     \
		G_STRUCT_OFFSET(KxWindow, member), G_STRUCT_OFFSET(KxStretch, to), na, valid, \
			FALSE                                                                 \
	}
#define OF_STATS(member)      COUNTER(member, member, -1, G_STRUCT_OFFSET(KxWindow, has_stats))
#define OF_VM(member, na, to) COUNTER(member, to, G_STRUCT_OFFSET(KxWindow, na), -1)

static const Counter counters[] = {
	OF_STATS(passes),
	OF_STATS(samples),
	OF_STATS(lost_samples),
	OF_STATS(cpu_ns),
	OF_STATS(flushes),
	OF_STATS(flush_ipis),
	COUNTER(drain_cpu_ns, drain_cpu_ns, -1, -1),
	COUNTER(paused_ns, paused_ns, -1, -1),
	COUNTER(guest_cpu_ns, guest_cpu_ns, -1, G_STRUCT_OFFSET(KxWindow, has_guest)),
	OF_VM(exits, exits_na, exits),
	OF_VM(remote_tlb_flushes, remote_tlb_flushes_na, kvm_flushes),
	OF_VM(vcpu_run_ns, vcpu_run_na, vcpu_run_ns),
	OF_VM(vcpu_steal_ns, vcpu_steal_na, vcpu_steal_ns),
	{ G_STRUCT_OFFSET(KxWindow, vmm_cpu_ns), G_STRUCT_OFFSET(KxStretch, vmm_cpu_ns),
	  G_STRUCT_OFFSET(KxWindow, vmm_cpu_na), -1, TRUE },
};

static double *number_of(KxStretch *s, gsize offset)
{
	return G_STRUCT_MEMBER_P(s, offset);
}

KxStretch *kx_stretch_new(void)
{
	KxStretch *s = g_new0(KxStretch, 1);

	for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
		*number_of(s, numbers[i].offset) = NAN;
	return s;
}

void kx_stretch_free(KxStretch *s)
{
	if (!s)
		return;
	g_free(s->failed);
	g_free(s);
}

KxStretch *kx_stretch_failed(const char *why)
{
	KxStretch *s = kx_stretch_new();

	s->failed = g_strdup(why);
	return s;
}

static gboolean known(const Counter *c, const KxWindow *w)
{
	if (c->na >= 0 && *(char *const *)((const char *)w + c->na))
		return FALSE;
	return c->valid < 0 || *(const gboolean *)((const char *)w + c->valid);
}

static guint64 value(const Counter *c, const KxWindow *w)
{
	return *(const guint64 *)((const char *)w + c->from);
}

KxStretch *kx_stretch_between(const KxWindow *before, const KxWindow *after)
{
	g_autoptr(KxStretch) s = kx_stretch_new();

	if (before->id != after->id)
		return kx_stretch_failed("somebody else switched the tracker meanwhile");
	if (after->log_yielded_ns > before->log_yielded_ns)
		return kx_stretch_failed(
			"the VMM used the dirty log itself for a part of the time");
	s->window = after->id;
	for (guint i = 0; i < G_N_ELEMENTS(counters); i++) {
		const Counter *c = &counters[i];

		if (!known(c, before) || !known(c, after))
			continue;
		if (value(c, after) >= value(c, before))
			*number_of(s, c->to) = (double)(value(c, after) - value(c, before));
		else if (c->rounded)
			*number_of(s, c->to) = 0;
	}
	/* A window has only the pauses that are known: if there may have been more, 0 is not known to be 0. */
	if ((before->paused_na || after->paused_na) && s->paused_ns == 0)
		s->paused_ns = NAN;
	if (!after->memory_na) {
		s->memory_bytes = (double)after->memory_bytes + (double)after->daemon_bytes;
		s->tracked_pages = (double)after->tracked_pages;
	}
	s->run_ns = kx_window_run_ns(after) - kx_window_run_ns(before);
	if (!(s->run_ns > 0))
		return kx_stretch_failed("the VM did not run");
	return g_steal_pointer(&s);
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

void kx_stretch_add_json(JsonBuilder *b, const KxStretch *s)
{
	json_builder_begin_object(b);
	if (s->failed) {
		json_builder_set_member_name(b, "failed");
		json_builder_add_string_value(b, s->failed);
	} else {
		json_builder_set_member_name(b, "window");
		json_builder_add_int_value(b, (gint64)s->window);
		json_builder_set_member_name(b, "start_realtime_ns");
		json_builder_add_int_value(b, s->start_realtime_ns);
		json_builder_set_member_name(b, "end_realtime_ns");
		json_builder_add_int_value(b, s->end_realtime_ns);
	}
	for (guint i = 0; !s->failed && i < G_N_ELEMENTS(numbers); i++) {
		const double *x = G_STRUCT_MEMBER_P(s, numbers[i].offset);

		json_builder_set_member_name(b, numbers[i].key);
		kx_json_add_number(b, *x);
	}
	json_builder_end_object(b);
}

KxStretch *kx_stretch_from_json(JsonObject *o)
{
	const char *failed = json_object_get_string_member_with_default(o, "failed", NULL);
	KxStretch *s;

	if (failed) {
		g_autofree char *clean = kx_text_clean(failed);

		return kx_stretch_failed(clean);
	}
	for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
		double x = json_object_get_double_member_with_default(o, numbers[i].key, 0);

		if (!isnan(x) && !(x >= 0 && x <= MOST))
			return kx_stretch_failed("its file has numbers that no window can have");
	}
	s = kx_stretch_new();
	s->window = (guint64)json_object_get_int_member_with_default(o, "window", 0);
	s->start_realtime_ns = json_object_get_int_member_with_default(o, "start_realtime_ns", 0);
	s->end_realtime_ns = json_object_get_int_member_with_default(o, "end_realtime_ns", 0);
	for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
		*number_of(s, numbers[i].offset) =
			json_object_get_double_member_with_default(o, numbers[i].key, NAN);
	return s;
}
