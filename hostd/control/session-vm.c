// SPDX-License-Identifier: GPL-2.0-or-later
/* The VM of a session: how it is attached, with or without the module, and what is known of it. */
#include "session-internal.h"

#include <errno.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/onlinecpus.h"
#include "tracker/release.h"
#include "tracker/tapoffer.h"
#include "vm/dirtytap.h"
#include "vm/procstat.h"

#define NS_PER_MS G_GUINT64_CONSTANT(1000000)

/* New memory is noticed within this time, and with each report. */
#define VM_READ_US G_USEC_PER_SEC

/* The VM may have new memory: pages beyond the known end of the memory would be ignored. */
void kx_session_take_vm(KxSession *s, const struct kvm_ext_vm *vm)
{
	if (vm != &s->vm)
		s->vm = *vm;
	s->vm_read_at = g_get_monotonic_time();
	kx_heat_grow(s->heat, vm->last_gfn);
	kx_account_grow(s->account, vm->last_gfn);
	kx_session_record_memory(s);
}

KxVmCounters *kx_session_counters(KxSession *s, const KxKvmStat *qmp)
{
	struct kvm_ext_vm vm;
	gboolean have = s->module && kx_module_vm(s->module, &vm, NULL);
	KxVmCounters *c;

	if (have)
		kx_session_take_vm(s, &vm);
	c = kx_vm_counters_read(have ? &vm : NULL, s->kvm_dir, qmp, s->host->proc_root,
				s->ident.pid);
	/* KVM does not run it: no source, QEMU neither, can ever have counters of KVM. */
	if (s->emulated_by)
		kx_set_text(&c->kvm_na, "QEMU emulates this VM, KVM is not used");
	s->kvm_unread = !s->emulated_by && (!c->source || !g_strcmp0(c->source, "qmp"));
	return c;
}

/* Takes @layout. Without the module, the size of the VM's memory comes from QEMU. */
static void take_layout(KxSession *s, KxLayout *layout)
{
	struct kvm_ext_vm vm = s->vm;

	kx_layout_free(s->layout);
	s->layout = layout;
	if (s->module)
		return;
	vm.ram_pages = kx_layout_pages(layout);
	vm.last_gfn = kx_layout_last_gfn(layout);
	kx_session_take_vm(s, &vm);
}

void kx_session_follow_memory(KxSession *s)
{
	struct kvm_ext_vm vm;
	KxLayout *layout;

	if (s->module) {
		if (g_get_monotonic_time() - s->vm_read_at >= VM_READ_US &&
		    kx_module_vm(s->module, &vm, NULL))
			kx_session_take_vm(s, &vm);
		return;
	}
	layout = s->tracker && s->tracker->ops->layout ? s->tracker->ops->layout(s->tracker) : NULL;
	if (layout)
		take_layout(s, layout);
}

/* Call this before a tracker removes mappings, because declared memory must stay mapped. */
void kx_session_look_at_declared(KxSession *s)
{
	g_autoptr(GError) error = NULL;

	if (!s->plug || !s->module ||
	    kx_declared_look(&s->declared, kx_plug_channel(s->plug), s->module, &error) ||
	    s->declared_logged)
		return;
	s->declared_logged = TRUE; /* logged once, so that a guest cannot fill the log */
	kx_log(G_LOG_LEVEL_WARNING, "declared", s->ident.name, s->options.tracker->name,
	       "the guest has declared memory that trackers must leave alone, but the module "
	       "refuses it: %s",
	       error->message);
}

/* Checks in advance what the module would refuse without a reason. */
gboolean kx_session_check_log(const KxSession *s, const KxOptions *o, GError **error)
{
	if (!(o->tracker->can & KX_CAN_LOG))
		return TRUE;
	if (s->vm.log_mode == KVM_EXT_LOG_MODE_RING && !s->tap) {
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			    "tracker %s: this VM runs with KVM's dirty ring, which belongs to its "
			    "VMM alone, and KVM keeps no dirty log beside it; use abit or "
			    "abit-flush, or start the VM without dirty-ring-size (libvirt: "
			    "<dirty-ring>)",
			    o->tracker->name);
		return FALSE;
	}
	return kx_log_mechanism_check(&s->log, o->mechanism, error);
}

/* Checked here because the module's error would not name the option. */
gboolean kx_session_check_cpu(const KxSession *s, const KxOptions *o, GError **error)
{
	return o->cpu < 0 || kx_online_cpus_check(s->host->root, o->cpu, error);
}

/* --- attaching ------------------------------------------------------------------------------------------------------ */

/* Returns a copy of the VM's descriptor, which the caller closes. Sets @s->kvm_dir. */
static gboolean open_vm(KxSession *s, KxVmFd *vm, GError **error)
{
	if (!s->host->open_vm(s->host->proc_root, s->ident.pid, s->ident.uuid, vm, error))
		return FALSE;
	g_free(s->kvm_dir);
	s->kvm_dir = kx_kvmstat_dir(s->host->debugfs_root, s->ident.pid, vm->number);
	return TRUE;
}

static gboolean attach_with(KxSession *s, guint32 ring_pages, GError **error)
{
	KxVmFd vm = { -1, -1 };
	struct kvm_ext_caps caps;
	gboolean ok;

	g_clear_pointer(&s->module, kx_module_unref);
	s->module = kx_module_open(s->host->module_sys, error);
	if (!s->module || !kx_module_caps(s->module, &caps, error))
		return FALSE;
	if (!open_vm(s, &vm, error))
		return FALSE;
	ok = kx_module_attach(s->module, vm.fd, ring_pages, error);
	close(vm.fd); /* the module has its own reference on the file */
	return ok && kx_module_vm(s->module, &s->vm, error);
}

/* The size of the VM's memory is known only after attaching: a large VM is attached again, with a larger ring. */
static gboolean attach_sized(KxSession *s, GError **error)
{
	guint32 want;

	if (!attach_with(s, s->options.ring_pages, error))
		return FALSE;
	want = kx_options_ring_pages(&s->options, s->vm.ram_pages);
	if (s->options.ring_pages || want <= KVM_EXT_RING_PAGES_DEFAULT ||
	    attach_with(s, want, NULL))
		return TRUE;
	kx_log(G_LOG_LEVEL_WARNING, "ring-size", s->ident.name, s->options.tracker->name,
	       "%s: a sample ring of %u MiB cannot be allocated, it has 1 MiB", s->ident.name,
	       want >> 8);
	return attach_with(s, 0, error);
}

/* The module's interface is checked apart from this: modules of other versions may have the same interface. */
static void warn_of_module(const KxSession *s)
{
	g_autofree char *warning = kx_release_module_warning(s->host->root, "this daemon");

	if (warning)
		kx_log(G_LOG_LEVEL_WARNING, "module-version", s->ident.name, NULL, "%s", warning);
}

static gboolean attach_module(KxSession *s, GError **error)
{
	if (!attach_sized(s, error)) {
		g_clear_pointer(&s->module, kx_module_unref);
		return FALSE;
	}
	warn_of_module(s);
	kx_log_mechanism_clear(&s->log);
	kx_log_mechanism(s->vm.log_mechanism, s->host->root, &s->log);
	kx_module_ring(s->module, &s->ring_bytes);
	s->ring_bytes -= (gsize)sysconf(_SC_PAGESIZE); /* the first page holds no samples */
	return TRUE;
}

/* The pidfd is opened before the process is examined, so that both are the same process even if its number is reused. */
static gboolean attach_process(KxSession *s, GError **error)
{
	KxVmFd vm = { -1, -1 };
	g_autoptr(GArray) vcpus = NULL;

	s->process = pidfd_open(s->ident.pid, 0);
	if (s->process < 0) {
		g_set_error(error, KX_ERROR,
			    errno == ESRCH ? KX_ERROR_VM_GONE : KX_ERROR_NOT_SUPPORTED,
			    "process %d: %s", s->ident.pid, g_strerror(errno));
		return FALSE;
	}
	if (!s->emulated_by) {
		if (!open_vm(s, &vm, error))
			return FALSE;
		close(vm.fd);
	}
	vcpus = kx_procstat_vcpus(s->host->proc_root, s->ident.pid, s->kvm_dir, NULL);
	s->vm.vcpus = vcpus ? vcpus->len : 0;
	s->vm.log_mode = ~0u; /* not known: only the module asks KVM */
	if (!s->emulated_by)
		kx_log_mechanism(KVM_EXT_LOG_UNKNOWN, s->host->root, &s->log);
	return TRUE;
}

static gboolean attach_alone(KxSession *s, const GError *why, GError **error)
{
	g_autofree char *alone = kx_trackers_that(KX_CAN_ALONE);

	if (!attach_process(s, error))
		return FALSE;
	kx_log(G_LOG_LEVEL_WARNING, "no-module", s->ident.name, s->options.tracker->name,
	       "%s: attached without the host's module, so only these trackers can run: %s "
	       "(%s)",
	       s->ident.name, alone, why->message);
	return TRUE;
}

static gboolean read_layout(KxSession *s, const KxOptions *o, const KxMonitor *monitor,
			    GError **error)
{
	gboolean needed = o->tracker->can & KX_CAN_VMM;
	g_autoptr(GError) why = NULL;
	KxLayout *layout;

	if (s->module && !needed)
		return TRUE;
	layout = monitor ? kx_layout_read(monitor, &why) : NULL;
	if (layout) {
		take_layout(s, layout);
	} else if (needed) {
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			    "tracker %s works on the VMM's address space, where the VM's memory "
			    "has to be found: %s",
			    o->tracker->name,
			    why ? why->message
				: "QEMU's monitor can be asked only through libvirt, which does "
				  "not run this VM or cannot be reached");
		return FALSE;
	}
	return TRUE;
}

/* Reads what sources other than the module know of the VM. */
static gboolean ask_around(KxSession *s, const KxOptions *o, const KxMonitor *monitor,
			   GError **error)
{
	if (monitor && monitor->libvirt_uri) {
		g_free(s->libvirt_uri);
		s->libvirt_uri = monitor->libvirt_uri(monitor->data);
	}
	return read_layout(s, o, monitor, error);
}

static gboolean refused(const KxOptions *o, GError *why, GError **error)
{
	if (g_error_matches(why, KX_ERROR, KX_ERROR_NO_MODULE))
		g_prefix_error(&why, "tracker %s: ", o->tracker->name);
	g_propagate_error(error, why);
	return FALSE;
}

/* What a tracker of the host works on, such a VM does not have; or what would be measured is QEMU's translator. */
static gboolean check_emulated(const KxSession *s, const KxOptions *o, GError **error)
{
	const guint in_guest = KX_CAN_GUEST;
	g_autofree char *names = NULL;

	if (!s->emulated_by || o->tracker->can & in_guest || g_str_equal(o->tracker->name, "off"))
		return TRUE;
	names = kx_trackers_that(in_guest);
	g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
		    "tracker %s: QEMU emulates this VM (TCG, <domain type='qemu'>), so %s; only "
		    "these trackers work on it: %s",
		    o->tracker->name,
		    o->tracker->can & KX_CAN_ALONE
			    ? "what the host sees of its memory are QEMU's own accesses"
			    : "it has no nested page table and no dirty log of KVM",
		    names);
	return FALSE;
}

/* One thread runs all vCPUs in turn if QEMU cannot emulate them side by side: QEMU knows how many there are. */
static void count_vcpus(KxSession *s, const KxMonitor *monitor)
{
	guint n = monitor ? kx_monitor_vcpus(monitor) : 0;

	if (n)
		s->vm.vcpus = n;
}

static gboolean attach_emulated(KxSession *s, const KxOptions *o, const KxMonitor *monitor,
				GError **error)
{
	if (!attach_process(s, error))
		return FALSE;
	count_vcpus(s, monitor);
	kx_log(G_LOG_LEVEL_MESSAGE, "emulated", s->ident.name, o->tracker->name,
	       "%s: QEMU emulates this VM (TCG): trackers in the guest alone can run",
	       s->ident.name);
	return TRUE;
}

/* --- a tap of the dirty log ------------------------------------------------------------------------------------------------- */

guint kx_session_backends(const KxSession *s)
{
	return (s->module ? KX_BACKEND_MODULE : 0) | (s->tap ? KX_BACKEND_TAP : 0);
}

/* Also before the session has looked for it, or has attached through the module. */
static gboolean guest_has_declared(const KxSession *s)
{
	g_autoptr(GArray) spans = s->plug ? kx_channel_declared(kx_plug_channel(s->plug)) : NULL;

	return s->declared.pages || (spans && spans->len);
}

/* Why @o cannot be served by a tap, whichever QEMU it is; NULL: it can. */
static const char *against_tap(const KxSession *s, const KxOptions *o)
{
	if (!o->interval_ns || o->interval_ns % NS_PER_MS ||
	    o->interval_ns > KX_DIRTY_TAP_MS_MAX * NS_PER_MS)
		return "QEMU reads its dirty log by its own timer; give an interval of whole "
		       "milliseconds, up to an hour";
	if (guest_has_declared(s))
		return "the guest has declared memory that must stay mapped, and QEMU logs all "
		       "memory";
	return NULL;
}

/* FALSE: whether QEMU offers a tap is not known. */
static gboolean ask_for_tap(KxSession *s, const KxMonitor *monitor, GError **error)
{
	g_autofree char *uri =
		monitor && monitor->libvirt_uri ? monitor->libvirt_uri(monitor->data) : NULL;

	if (s->tap_offer.known)
		return TRUE;
	if (!uri) {
		g_set_error_literal(
			error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			"QEMU can be asked only through libvirt, which does not run this "
			"VM or cannot be reached");
		return FALSE;
	}
	s->tap_offer.known = kx_tap_offered(uri, s->ident.uuid, &s->tap_offer.offered, error);
	return s->tap_offer.known;
}

/* Decides whether QEMU reads its dirty log for @o. */
static gboolean choose_tap(KxSession *s, const KxOptions *o, const KxMonitor *monitor,
			   GError **error)
{
	gboolean must = o->log_via == KX_LOG_VIA_QEMU;
	g_autoptr(GError) why = NULL;
	const char *against;

	s->tap = FALSE;
	if (!(o->tracker->can & KX_CAN_TAP) || o->log_via == KX_LOG_VIA_MODULE)
		return TRUE;
	against = against_tap(s, o);
	if (must && against) {
		g_set_error(error, KX_ERROR, KX_ERROR_INVALID_OPTION,
			    "log-via qemu: %s, or use log-via module", against);
		return FALSE;
	}
	s->tap = !against && ask_for_tap(s, monitor, &why) && s->tap_offer.offered;
	if (s->tap || !must)
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
		    "log-via qemu: %s%s; log-via module reads KVM's dirty log beside QEMU",
		    why ? "it is not known whether the VM's QEMU offers a tap of its dirty log: "
			: "the VM's QEMU offers no tap of its dirty log: it lacks the patches "
			  "(qemu-patches in kvm-ext's source)",
		    why ? why->message : "");
	return FALSE;
}

/* Whether @o's tracker runs without the module. */
static gboolean can_alone(const KxSession *s, const KxOptions *o)
{
	return o->tracker->can & KX_CAN_ALONE || s->tap;
}

static gboolean attach_either_way(KxSession *s, const KxOptions *o, const KxMonitor *monitor,
				  GError **error)
{
	g_autoptr(GError) why = NULL;

	if (s->emulated_by)
		return attach_emulated(s, o, monitor, error);
	if (attach_module(s, &why))
		return TRUE;
	if (can_alone(s, o) && g_error_matches(why, KX_ERROR, KX_ERROR_NO_MODULE))
		return attach_alone(s, why, error);
	return refused(o, g_steal_pointer(&why), error);
}

gboolean kx_session_attach_vm(KxSession *s, const KxOptions *o, const KxMonitor *monitor,
			      GError **error)
{
	s->emulated_by = kx_vmfd_emulator(s->host->proc_root, s->ident.pid);
	if (!check_emulated(s, o, error) || !choose_tap(s, o, monitor, error) ||
	    !attach_either_way(s, o, monitor, error))
		return FALSE;
	s->heat = kx_heat_new(s->vm.last_gfn, s->vm.vcpus);
	return ask_around(s, o, monitor, error);
}

/* If the module was loaded after the attach, the session attaches through it as soon as a tracker needs it. */
gboolean kx_session_prepare_vm(KxSession *s, const KxOptions *o, const KxMonitor *monitor,
			       GError **error)
{
	GError *why = NULL;

	if (!check_emulated(s, o, error) || !choose_tap(s, o, monitor, error))
		return FALSE;
	if (!s->module && !s->emulated_by && !can_alone(s, o)) {
		if (!attach_module(s, &why))
			return refused(o, why, error);
		kx_session_take_vm(s, &s->vm);
	}
	return ask_around(s, o, monitor, error);
}
