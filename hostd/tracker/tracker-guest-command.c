// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands to the guest's module, and its answers. */
#include "tracker-guest.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

#define EPOCH_DEFAULT_NS 500000000ull

guint64 kx_guest_epoch_ns(guint64 asked)
{
	return asked ? asked : EPOCH_DEFAULT_NS;
}

void kx_guest_command(const KxOptions *o, struct kvm_ext_channel_command *c)
{
	const KxGuestOptions *g = &o->guest;

	memset(c, 0, sizeof(*c));
	c->sampler =
		o->tracker->can & KX_CAN_EVENTS ? KVM_EXT_SAMPLER_EVENTS : KVM_EXT_SAMPLER_ABIT;
	c->event = (guint32)g->event.kind;
	c->config = g->event.config;
	c->config1 = g->event.config1;
	c->policy = g->policy;
	c->period = g->period;
	c->epoch_ns = o->epoch_ns;
	c->budget_ppm = g->budget_ppm;
	c->flags = g->flush ? KVM_EXT_COMMAND_FLUSH : 0;
	c->granularity = o->range_order;
	c->nr_pids = g->processes.nr_pids;
	c->nr_names = g->processes.nr_names;
	memcpy(c->pids, g->processes.pids, sizeof(c->pids));
	memcpy(c->names, g->processes.names, sizeof(c->names));
}

G_STATIC_ASSERT(KX_OPTIONS_PROCESSES_MAX == KVM_EXT_CHANNEL_PROCESSES);
G_STATIC_ASSERT(KX_OPTIONS_PROCESS_NAME == KVM_EXT_CHANNEL_NAME);

gboolean kx_guest_command_is_same(const struct kvm_ext_channel_command *a,
				  const struct kvm_ext_channel_command *b)
{
	struct kvm_ext_channel_command x = *a, y = *b;

	x.seq = y.seq = 0;
	x.epoch = y.epoch = 0;
	return memcmp(&x, &y, sizeof(x)) == 0;
}

#define SURROGATE "--event page-faults is a surrogate that works anywhere"

/* The meaning of the errno in the answer of the guest's module. */
static const struct {
	int error;
	const char *words;
} refusals[] = {
	{ EOPNOTSUPP,
	  "its CPU has no event that gives addresses, or does not show it (PEBS: QEMU passes it "
	  "on with -cpu host,migratable=no, libvirt's host-passthrough and migratable='off'; "
	  "AMD: IBS; where QEMU emulates the CPU, only QEMU with the series 10.0-tcg of "
	  "qemu-patches and x-tcg-pebs=on has one); " SURROGATE ", --event raw:… another event" },
	{ ENODATA,
	  "the PEBS records of its CPU hold no address, since bit 14 of IA32_PERF_CAPABILITIES "
	  "(MSR 0x345) is clear there. It is the host's KVM that masks it (Linux since commit "
	  "9e985cbf2942), unless it has the patches of kvm-ext/kvm-patches and "
	  "kvm_intel.guest_adaptive_pebs=1; kvm-ext doctor says what KVM offers, and where it "
	  "does, QEMU has to pass it on (-cpu host,migratable=no); " SURROGATE },
	{ ENXIO,
	  "load latency has no threshold there (MSR 0x3f6): the host's KVM lacks it, unless it "
	  "has the patches of kvm-ext/kvm-patches and kvm_intel.guest_pebs_load_latency=1. "
	  "--event loads+stores, loads or stores sample without one" },
	{ EPROTONOSUPPORT,
	  "its kernel does not survive load latency with adaptive PEBS records where the CPU's "
	  "performance monitoring is of a version below 5, and KVM shows its guests version 2. "
	  "--event loads+stores, loads or stores are safe" },
	{ ENOENT, "its kernel does not know the event; " SURROGATE },
	{ ESRCH, "it has no such process; --processes names those to watch" },
	{ ENODEV,
	  "its CPU has the event, but the VM or the guest's kernel does not offer it (PEBS: QEMU "
	  "passes it on with -cpu host,migratable=no, libvirt's host-passthrough and "
	  "migratable='off', and pmu=on); " SURROGATE },
	{ EINVAL, "it does not take these options" },
	{ ERANGE, "an option is out of the range that it takes" },
	{ ENOSPC, "all of its CPU's counters for this event are taken" },
	{ EBADMSG, "it met a command that was not written to its end; try again" },
	{ ENOMEM, "it has not enough memory for it" },
	{ EBUSY, "the performance counters are in use by somebody else" },
};

static gboolean refused(int err, const char *tracker, GError **error)
{
	const char *words = NULL;

	for (guint i = 0; i < G_N_ELEMENTS(refusals); i++) {
		if (refusals[i].error == err)
			words = refusals[i].words;
	}
	g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED, "tracker %s: the guest refuses it: %s",
		    tracker,
		    words ? words
		    : err ? g_strerror(err)
			  : "it gives no reason");
	return FALSE;
}

gboolean kx_tracker_guest_propose(KxChannel *channel, const KxOptions *o, KxPatience *patience,
				  GError **error)
{
	struct kvm_ext_channel_command old, new;
	KxChannelStatus st;
	guint32 seq;

	kx_channel_commanded(channel, &old);
	kx_guest_command(o, &new);
	new.epoch = kx_tracker_new_epoch();
	seq = kx_channel_command(channel, &new);
	/* The guest's module reads commands once per epoch of the old command, and may have to finish an epoch first. */
	kx_patience_renew(patience,
			  3 * (kx_guest_epoch_ns(old.epoch_ns) + kx_guest_epoch_ns(new.epoch_ns)));
	while (!kx_channel_status(channel, &st) || st.acked != seq) {
		gboolean broken = kx_channel_is_broken(channel);

		if (broken)
			g_set_error_literal(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
					    kx_channel_state_text(KX_CHANNEL_BROKEN));
		if (broken ||
		    !kx_patience_rest(patience, kx_channel_state_text(KX_CHANNEL_SILENT), error)) {
			kx_channel_command(channel, &old);
			g_prefix_error(error, "tracker %s: ", o->tracker->name);
			return FALSE;
		}
	}
	if (st.state == KVM_EXT_GUEST_RUNNING)
		return TRUE;
	kx_channel_command(channel, &old);
	return refused(st.error, o->tracker->name, error);
}
