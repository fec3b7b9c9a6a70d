// SPDX-License-Identifier: GPL-2.0-or-later
/* Checks of the daemon, libvirt, the channel to guests, and the machine. */
#include "doctor-internal.h"

#include <kvm-ext/channel.h>

#include "model/hardware.h"
#include "vm/apparmor.h"
#include "vm/hostinfo.h"

static const char *group_remedy(const KxDoctor *d)
{
	return d->facts->group < 0
		       ? "groupadd --system kvm-ext (the package and make install do so), then "
			 "adduser USER kvm-ext, and restart kvm-extd"
		       : "adduser USER kvm-ext, then log in again";
}

/* A daemon that refuses a member has opened its socket when there was no group, or another one of this name. */
static const char *daemon_remedy(const KxDoctor *d)
{
	if (!d->facts->daemon_denied)
		return "systemctl start kvm-extd (or run kvm-extd as root)";
	return d->facts->group == 1 ? "systemctl restart kvm-extd" : group_remedy(d);
}

void kx_doctor_check_daemon(KxDoctor *d)
{
	if (d->facts->daemon_version)
		kx_doctor_say(d, KX_CHECK_YES, NULL, "kvm-extd %s answers",
			      d->facts->daemon_version);
	else
		kx_doctor_say(d, KX_CHECK_NO, daemon_remedy(d), "%s",
			      d->facts->daemon_error ? d->facts->daemon_error
						     : "kvm-extd is not reachable");
}

/* A daemon whose URI is empty uses no libvirt, however well libvirtd runs. */
static gboolean is_without_libvirt(const KxDoctor *d)
{
	return d->facts->libvirt_uri && !*d->facts->libvirt_uri;
}

/* For the case that the daemon is not connected. */
static const char *libvirt_remedy(const KxDoctor *d)
{
	return is_without_libvirt(d) ? "give the daemon a libvirt-uri, such as qemu:///system"
				     : "systemctl start libvirtd";
}

void kx_doctor_check_libvirt(KxDoctor *d)
{
	static const char *const sockets[] = { "run/libvirt/libvirt-sock",
					       "run/libvirt/virtqemud-sock" };
	const char *uri = d->facts->libvirt_uri ? d->facts->libvirt_uri : "libvirt";

	if (d->facts->libvirt == 1) {
		kx_doctor_say(d, KX_CHECK_YES, NULL, "the daemon is connected to %s", uri);
		return;
	}
	if (d->facts->libvirt == 0) {
		g_autofree char *remedy =
			g_strconcat(libvirt_remedy(d), "; without it name VMs with --pid", NULL);

		if (is_without_libvirt(d))
			kx_doctor_say(d, KX_CHECK_NO, remedy,
				      "the daemon uses no libvirt: its libvirt-uri is empty");
		else
			kx_doctor_say(d, KX_CHECK_NO, remedy, "the daemon is not connected to %s",
				      uri);
		return;
	}
	for (guint i = 0; i < G_N_ELEMENTS(sockets); i++) {
		if (kx_doctor_exists(d, "%s", sockets[i])) {
			kx_doctor_say(d, KX_CHECK_YES, NULL, "/%s exists", sockets[i]);
			return;
		}
	}
	kx_doctor_say(d, KX_CHECK_NO, "install and start libvirtd; without it name VMs with --pid",
		      "there is no socket of libvirtd or virtqemud in /run/libvirt");
}

/* Whether a VM's QEMU supports the mode is known only when the tracker is set. */
void kx_doctor_check_dirty_rate(KxDoctor *d)
{
	if (d->facts->libvirt == 1)
		kx_doctor_say(
			d, KX_CHECK_YES, NULL,
			"qemu-dirty-rate can ask QEMU through libvirt; mode dirty-ring needs a "
			"VM that runs with KVM's dirty ring");
	else if (d->facts->libvirt == 0)
		kx_doctor_say(d, KX_CHECK_NO, libvirt_remedy(d),
			      "qemu-dirty-rate asks QEMU through libvirt, which the daemon is not "
			      "connected to");
	else
		kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL,
			      "whether the daemon is connected to libvirt is not known");
}

/* A VM's own QEMU is asked when the tracker is set: the command to its monitor taints the domain. */
void kx_doctor_check_tap(KxDoctor *d)
{
	const KxDoctorFacts *f = d->facts;

	if (!f->qemu)
		kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL, "no QEMU was found that could be asked");
	else if (f->tap < 0)
		kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL,
			      "%s does not say which monitor commands it has", f->qemu);
	else if (f->tap)
		kx_doctor_say(
			d, KX_CHECK_YES, NULL,
			"%s has a tap of its dirty log, for dirty-log --log-via qemu; a domain "
			"may name another <emulator>",
			f->qemu);
	else
		kx_doctor_say(d, KX_CHECK_INFO, NULL,
			      "%s has no tap of its dirty log, as QEMU without kvm-ext's patches; "
			      "only dirty-log --log-via qemu needs one, and a domain may name "
			      "another <emulator>",
			      f->qemu);
}

/* The host's part of the channel to a guest. Whether the guest has loaded its module is known only when a tracker is set. */
void kx_doctor_check_guest_channel(KxDoctor *d)
{
	const KxDoctorFacts *f = d->facts;
	g_autofree char *parser = kx_apparmor_parser(f->root ? f->root : "");
	g_autofree char *enabled = kx_doctor_parameter(d, "apparmor", "enabled");
	gboolean apparmor = kx_doctor_is_on(enabled);

	if (f->libvirt == 0)
		kx_doctor_say(d, KX_CHECK_NO, libvirt_remedy(d),
			      "trackers in the guest need libvirt, which plugs their channel in");
	else if (!f->qemu)
		kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL, "no QEMU was found that could be asked");
	else if (f->ivshmem < 0)
		kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL, "%s does not say which devices it has",
			      f->qemu);
	else if (!f->ivshmem)
		kx_doctor_say(d, KX_CHECK_NO,
			      "use a QEMU that is built with it (CONFIG_IVSHMEM_DEVICE)",
			      "%s has no device ivshmem-plain", f->qemu);
	else if (f->shm_free_bytes < (gint64)KVM_EXT_CHANNEL_SIZE)
		kx_doctor_say(
			d, KX_CHECK_NO, "mount a tmpfs at /dev/shm, or make room there",
			f->shm_free_bytes < 0
				? "there is no /dev/shm"
				: "/dev/shm does not have the %u MiB that a VM's channel needs",
			KVM_EXT_CHANNEL_SIZE >> 20);
	else if (apparmor && !parser)
		kx_doctor_say(d, KX_CHECK_NO, "install apparmor_parser (package apparmor)",
			      "AppArmor confines QEMU, and without apparmor_parser no running "
			      "domain can be "
			      "allowed to open its channel's memory");
	else
		kx_doctor_say(d, KX_CHECK_YES, NULL,
			      "%s has ivshmem-plain, /dev/shm has room%s; the guest needs "
			      "kvm_ext_guest.ko",
			      f->qemu,
			      apparmor ? ", a rule for the channel is added to AppArmor's profile "
					 "of a domain"
				       : "");
}

void kx_doctor_check_group(KxDoctor *d)
{
	if (d->facts->group == 1)
		kx_doctor_say(d, KX_CHECK_YES, NULL, "this user may call the daemon");
	else
		kx_doctor_say(d, KX_CHECK_NO, group_remedy(d),
			      "this user is neither root nor in the group kvm-ext%s",
			      d->facts->group < 0 ? ", which does not exist" : "");
}

void kx_doctor_check_cpus(KxDoctor *d)
{
	g_autoptr(KxHostInfo) h = kx_hostinfo_read(d->facts->root, d->facts->root ? "" : NULL);

	if (!h->cpus)
		kx_doctor_say(d, KX_CHECK_UNKNOWN, NULL, "/proc/cpuinfo lists no CPU");
	else
		kx_doctor_say(d, KX_CHECK_INFO, NULL, "%u%s", h->cpus,
			      h->cpus == 1 ? "; passes and vCPUs share this CPU" : "");
}

void kx_doctor_check_hardware(KxDoctor *d)
{
	g_autoptr(KxHostInfo) h = kx_hostinfo_read(d->facts->root, d->facts->root ? "" : NULL);
	g_autofree char *heading = kx_hardware_heading(h->hardware, h->under);
	const char *times = kx_hardware_times(h->hardware);

	kx_doctor_say(d, h->hardware == KX_HARDWARE_UNKNOWN ? KX_CHECK_UNKNOWN : KX_CHECK_INFO,
		      NULL, "%s%s%s", heading, times ? ". " : ", as far as can be seen",
		      times ? times : "");
}
