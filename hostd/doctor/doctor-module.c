// SPDX-License-Identifier: GPL-2.0-or-later
/* Checks of the loaded module: whether it is of this build, and its capabilities on this host. */
#include "doctor-internal.h"

#include <errno.h>

#include <kvm-ext/version.h>

#include "tracker/logmech.h"
#include "tracker/release.h"

/* After an installation the old daemon and the old module run until they are restarted or loaded again. */
void kx_doctor_check_versions(KxDoctor *d)
{
	g_autofree char *daemon =
		kx_release_daemon_warning(d->facts->daemon_version, "this program");
	g_autofree char *module = kx_release_module_warning(d->facts->root, "this program");

	if (!d->facts->daemon_version && !kx_doctor_exists(d, "sys/module/kvm_ext")) {
		kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL, "neither the daemon nor the module runs");
		return;
	}
	if (daemon || module)
		kx_doctor_say(d, KX_CHECK_NO, "see kvm-ext-version(1)", "%s%s%s",
			      daemon ? daemon : "", daemon && module ? ". Also " : "",
			      module ? module : "");
	else
		kx_doctor_say(
			d, KX_CHECK_YES, NULL,
			"what runs of kvm-ext has the version of this program, " KVM_EXT_VERSION);
}

void kx_doctor_check_device(KxDoctor *d)
{
	int error = d->facts->caps_error;

	if (!error)
		kx_doctor_say(d, KX_CHECK_YES, NULL, "%s answers; %u VMs attached",
			      KVM_EXT_DEVICE_PATH, d->facts->caps.sessions);
	else if (error == EACCES || error == EPERM)
		kx_doctor_say(d, KX_CHECK_UNKNOWN,
			      "run doctor as root to check it; the other commands do not need root",
			      "only root may open %s", KVM_EXT_DEVICE_PATH);
	else
		kx_doctor_say(d, KX_CHECK_NO,
			      error == ENOENT ? "load the module" : "see the kernel's log",
			      "%s: %s", KVM_EXT_DEVICE_PATH, g_strerror(error));
}

/* FALSE: the module's capabilities are not known; the check's status is set to unknown. */
static gboolean have_caps(KxDoctor *d)
{
	if (!d->facts->caps_error)
		return TRUE;
	kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL, "%s cannot be queried", KVM_EXT_DEVICE_PATH);
	return FALSE;
}

void kx_doctor_check_api(KxDoctor *d)
{
	guint32 version = d->facts->caps.api_version;

	if (!have_caps(d))
		return;
	if (version == KVM_EXT_API_VERSION)
		kx_doctor_say(d, KX_CHECK_YES, NULL, "version %u", version);
	else
		kx_doctor_say(d, KX_CHECK_NO, "install module and programs from one build",
			      "the module has version %u, these programs have version %u", version,
			      KVM_EXT_API_VERSION);
}

void kx_doctor_check_build(KxDoctor *d)
{
	if (!have_caps(d))
		return;
	if (d->facts->caps.caps & KVM_EXT_CAP_TEST_BUILD)
		kx_doctor_say(d, KX_CHECK_NO, "make modules install, then reload kvm_ext",
			      "the module was built with a test switch; its results are wrong on "
			      "purpose");
	else
		kx_doctor_say(d, KX_CHECK_YES, NULL, "built for use");
}

void kx_doctor_check_elided(KxDoctor *d)
{
	if (!have_caps(d))
		return;
	if (d->facts->caps.caps & KVM_EXT_CAP_ELIDES_YOUNG_FLUSH)
		kx_doctor_say(d, KX_CHECK_INFO, NULL,
			      "this kernel omits the flush; abit-flush requests a flush by itself");
	else
		kx_doctor_say(d, KX_CHECK_INFO, NULL,
			      "this kernel flushes; abit-flush requests a flush by itself anyway");
}

static gboolean has_tracker(const KxDoctor *d, enum kvm_ext_tracker_id id)
{
	return d->facts->caps.trackers & (1ull << id);
}

void kx_doctor_check_dirty_log(KxDoctor *d)
{
	g_auto(KxLogMechanism) m = { 0 };

	if (!have_caps(d))
		return;
	kx_log_mechanism(KVM_EXT_LOG_UNKNOWN, d->facts->root, &m);
	if (has_tracker(d, KVM_EXT_TRACKER_DIRTY_LOG))
		kx_doctor_say(d, KX_CHECK_YES, NULL,
			      "trackers dirty-log and pml-abit, mechanism %s",
			      kx_log_mechanism_name(m.mechanism));
	else
		kx_doctor_say(d, KX_CHECK_NO, "make modules install, then reload kvm_ext",
			      "the loaded module has no tracker dirty-log");
}

void kx_doctor_check_log_selftest(KxDoctor *d)
{
	const KxSelftest *t = d->facts->selftest;

	if (!t && d->facts->kvm_error)
		kx_doctor_say(d, KX_CHECK_UNKNOWN,
			      d->facts->kvm_error == EACCES
				      ? "run doctor as a user who may open /dev/kvm"
				      : NULL,
			      "not run: /dev/kvm: %s", g_strerror(d->facts->kvm_error));
	else if (!t || t->outcome == KX_SELFTEST_NOT_RUN)
		kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL, "%s", t ? t->text : "not run");
	else if (t->outcome == KX_SELFTEST_OK)
		kx_doctor_say(d, KX_CHECK_YES, NULL, "%s", t->text);
	else
		kx_doctor_say(d, KX_CHECK_NO,
			      "use a kernel with the fix, or reload kvm_intel with pml=0; until "
			      "then all reports show this result",
			      "%s", t->text);
}

/* While the module tracks, it intercepts the VMM's calls to KVM; so it needs no support of the kernel for migration safety. */
void kx_doctor_check_migration(KxDoctor *d)
{
	if (!have_caps(d))
		return;
	if (!has_tracker(d, KVM_EXT_TRACKER_DIRTY_LOG))
		kx_doctor_say(d, KX_CHECK_INFO, NULL,
			      "no tracker of this module touches the dirty log");
	else if (d->facts->caps.caps & KVM_EXT_CAP_TEST_BUILD)
		kx_doctor_say(
			d, KX_CHECK_NO, "make modules install, then reload kvm_ext",
			"the module was built with a test switch: a migration may lose memory");
	else
		kx_doctor_say(d, KX_CHECK_YES, NULL,
			      "dirty-log yields before the VMM's own use of the log takes effect");
}
