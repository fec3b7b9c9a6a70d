// SPDX-License-Identifier: GPL-2.0-or-later
#include "hotplug.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

#define SHM_DIR	      "/dev/shm"
#define NAME_PREFIX   "kvm-ext-"
#define POLL_US	      50000u
#define PORTS_MAX     256u
#define OTHERS_ACCESS 0077

struct _KxPlug {
	gatomicrefcount refs;
	char *path, *name;
	guint8 *map;
	KxChannel *channel;
	gboolean was_there;
};

static char *file_name(const char *uuid)
{
	return g_strconcat(NAME_PREFIX, uuid, NULL);
}

static char *device_xml(const char *name)
{
	return g_strdup_printf("<shmem name='%s' role='master'><model type='ivshmem-plain'/>"
			       "<size unit='M'>%u</size></shmem>",
			       name, KVM_EXT_CHANNEL_SIZE >> 20);
}

/* --- the domain's XML --------------------------------------------------------------------------------------------- */

typedef struct {
	char *name;
	KxPlugXml *out;
	int port; /* index of the root port at hand; -1: none */
	guint8 is_port[PORTS_MAX], is_used[PORTS_MAX];
} Reader;

static const char *attribute(const char *want, const char **names, const char **values)
{
	for (; *names; names++, values++) {
		if (g_str_equal(*names, want))
			return *values;
	}
	return "";
}

static void read_controller(Reader *r, const char **names, const char **values)
{
	const char *model = attribute("model", names, values);
	guint64 index;

	if (!g_str_equal(attribute("type", names, values), "pci"))
		return;
	r->out->pci = TRUE;
	r->out->pcie |= g_str_equal(model, "pcie-root");
	if (g_str_equal(model, "pcie-root-port") &&
	    g_ascii_string_to_unsigned(attribute("index", names, values), 10, 0, PORTS_MAX - 1,
				       &index, NULL)) {
		r->port = (int)index;
		r->is_port[index] = TRUE;
	}
}

static void on_element(GMarkupParseContext *context, const char *element, const char **names,
		       const char **values, gpointer data, GError **error)
{
	Reader *r = data;
	guint64 bus;

	if (g_str_equal(element, "shmem"))
		r->out->plugged |= g_str_equal(attribute("name", names, values), r->name);
	else if (g_str_equal(element, "controller"))
		read_controller(r, names, values);
	else if (g_str_equal(element, "target") && r->port >= 0 &&
		 g_str_equal(attribute("hotplug", names, values), "off"))
		r->is_port[r->port] = FALSE;
	else if (g_str_equal(element, "address") &&
		 g_str_equal(attribute("type", names, values), "pci") &&
		 g_str_has_prefix(attribute("bus", names, values), "0x") &&
		 g_ascii_string_to_unsigned(attribute("bus", names, values) + 2, 16, 0,
					    PORTS_MAX - 1, &bus, NULL))
		r->is_used[bus] = TRUE;
}

static void on_end(GMarkupParseContext *context, const char *element, gpointer data, GError **error)
{
	if (g_str_equal(element, "controller"))
		((Reader *)data)->port = -1;
}

gboolean kx_plug_read_xml(const char *xml, const char *uuid, KxPlugXml *out, GError **error)
{
	static const GMarkupParser parser = { .start_element = on_element, .end_element = on_end };
	g_autofree char *name = file_name(uuid);
	Reader r = { .name = name, .out = out, .port = -1 };
	g_autoptr(GMarkupParseContext) context = NULL;

	memset(out, 0, sizeof(*out));
	context = g_markup_parse_context_new(&parser, 0, &r, NULL);
	if (!g_markup_parse_context_parse(context, xml, -1, error) ||
	    !g_markup_parse_context_end_parse(context, error)) {
		g_prefix_error(error, "libvirt's description of the domain: ");
		return FALSE;
	}
	for (guint i = 0; i < PORTS_MAX; i++)
		out->free_ports += r.is_port[i] && !r.is_used[i];
	return TRUE;
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

/* The user and group that QEMU opens files as. */
static gboolean qemu_user(const KxPlugVm *vm, uid_t *uid, gid_t *gid, GError **error)
{
	g_autofree char *path =
		g_strdup_printf("%s/%d/status", vm->proc_root ? vm->proc_root : "/proc", vm->pid);
	g_autofree char *text = NULL;
	const char *u, *g;
	guint fsuid, fsgid;

	if (!g_file_get_contents(path, &text, NULL, error))
		return FALSE;
	u = strstr(text, "\nUid:");
	g = strstr(text, "\nGid:");
	/* real, effective, saved, file system */
	if (!u || !g || sscanf(u, "\nUid: %*u %*u %*u %u", &fsuid) != 1 ||
	    sscanf(g, "\nGid: %*u %*u %*u %u", &fsgid) != 1) {
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s does not name QEMU's user", path);
		return FALSE;
	}
	*uid = fsuid;
	*gid = fsgid;
	return TRUE;
}

static gboolean file_failed(const char *path, const char *what, GError **error)
{
	int err = errno;

	g_set_error(error, KX_ERROR,
		    err == EACCES || err == EPERM ? KX_ERROR_ACCESS_DENIED : KX_ERROR_FAILED,
		    "guest channel: %s %s: %s", path, what, g_strerror(err));
	return FALSE;
}

static gboolean map_file(KxPlug *p, int fd, GError **error)
{
	guint64 instance = 0;

	p->map = mmap(NULL, KVM_EXT_CHANNEL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p->map == MAP_FAILED) {
		p->map = NULL;
		return file_failed(p->path, "cannot be mapped", error);
	}
	while (!instance) {
		if (getrandom(&instance, sizeof(instance), 0) != sizeof(instance))
			return file_failed(p->path, "has no instance number", error);
	}
	p->channel = kx_channel_new(p->map, KVM_EXT_CHANNEL_SIZE, instance, error);
	return p->channel != NULL;
}

static gboolean make_file(KxPlug *p, uid_t uid, gid_t gid, GError **error)
{
	int fd, err;
	gboolean ok;

	/* One that no device uses is a leftover, or somebody's who wants us to use it. */
	if (unlink(p->path) && errno != ENOENT)
		return file_failed(p->path, "is in the way and cannot be removed", error);
	fd = open(p->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return file_failed(p->path, "cannot be made", error);
	/* All of it now: memory that is missing later would be a signal, not an error. */
	err = posix_fallocate(fd, 0, KVM_EXT_CHANNEL_SIZE);
	if (err) {
		errno = err;
		ok = file_failed(p->path, "gets no memory", error);
	} else {
		ok = map_file(p, fd, error) &&
		     (fchown(fd, uid, gid) == 0 ||
		      file_failed(p->path, "cannot be given to QEMU's user", error));
	}
	close(fd);
	if (!ok)
		unlink(p->path);
	return ok;
}

/* The one a device uses: made by an earlier daemon, and by nobody else? */
static gboolean take_file(KxPlug *p, uid_t uid, GError **error)
{
	int fd = open(p->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	gboolean ok;

	if (fd < 0)
		return file_failed(p->path, "is a device's memory, but cannot be opened", error);
	ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	     st.st_size == (off_t)KVM_EXT_CHANNEL_SIZE && !(st.st_mode & OTHERS_ACCESS) &&
	     (st.st_uid == uid || st.st_uid == geteuid());
	if (!ok)
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "guest channel: %s is a device's memory, but not as kvm-ext makes it "
			    "(%u bytes, for QEMU's user alone); unplug that device first",
			    p->path, KVM_EXT_CHANNEL_SIZE);
	else
		ok = map_file(p, fd, error);
	close(fd);
	return ok;
}

gboolean kx_plug_left_behind(const char *dir, const char *uuid)
{
	g_autofree char *name = file_name(uuid);
	g_autofree char *path = g_build_filename(dir ? dir : SHM_DIR, name, NULL);
	struct stat st;

	return lstat(path, &st) == 0;
}

/* --- libvirt ------------------------------------------------------------------------------------------------------ */

static gboolean libvirt_failed(GError **error)
{
	const char *message = virGetLastErrorMessage();
	int code = virGetLastErrorCode();
	gboolean denied = code == VIR_ERR_OPERATION_DENIED || code == VIR_ERR_AUTH_FAILED ||
			  code == VIR_ERR_ACCESS_DENIED || code == VIR_ERR_AUTH_UNAVAILABLE;

	g_set_error(error, KX_ERROR, denied ? KX_ERROR_ACCESS_DENIED : KX_ERROR_NOT_SUPPORTED,
		    "%s%s", message ? message : "no reason given",
		    denied ? " (the daemon's connection may not change domains: it needs libvirt's "
			     "full access, libvirt-uri in kvm-extd.conf)"
			   : "");
	return FALSE;
}

static char *libvirt_xml(gpointer domain, GError **error)
{
	char *raw = virDomainGetXMLDesc(domain, 0);
	char *xml = g_strdup(raw);

	free(raw);
	if (!xml)
		libvirt_failed(error);
	return xml;
}

static const char *libvirt_state(gpointer domain)
{
	int state = VIR_DOMAIN_SHUTOFF;

	if (!domain || virDomainGetState(domain, &state, NULL, 0) < 0)
		return "shut off";
	switch (state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
		return "running";
	case VIR_DOMAIN_PAUSED:
		return "paused";
	case VIR_DOMAIN_PMSUSPENDED:
		return "suspended";
	default:
		return "shut off";
	}
}

static gboolean libvirt_attach(gpointer domain, const char *xml, GError **error)
{
	return virDomainAttachDeviceFlags(domain, xml, VIR_DOMAIN_AFFECT_LIVE) == 0 ||
	       libvirt_failed(error);
}

static gboolean libvirt_detach(gpointer domain, const char *xml, GError **error)
{
	return virDomainDetachDeviceFlags(domain, xml, VIR_DOMAIN_AFFECT_LIVE) == 0 ||
	       libvirt_failed(error);
}

const KxPlugSys kx_plug_libvirt = { libvirt_xml, libvirt_state, libvirt_attach, libvirt_detach };

/* A domain to work on, and how. */
typedef struct {
	const KxPlugSys *sys;
	gpointer domain;
	virDomainPtr own;
} Target;

static void target_clear(Target *t)
{
	if (t->own)
		virDomainFree(t->own);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Target, target_clear)

static void target_of(const KxPlugVm *vm, Target *t)
{
	*t = (Target){ vm->sys ? vm->sys : &kx_plug_libvirt, vm->domain, NULL };
	if (!vm->sys && vm->libvirt)
		t->domain = t->own =
			virDomainLookupByUUIDString(kx_libvirt_connection(vm->libvirt), vm->uuid);
}

/* --- in ----------------------------------------------------------------------------------------------------------- */

static const char *why_no_place(const KxPlugXml *x)
{
	if (!x->pci)
		return "this machine type has no PCI, so nothing can be plugged in";
	if (x->pcie && !x->free_ports)
		return "this machine (PCI Express, q35) has no free port for a device: add "
		       "<controller type='pci' model='pcie-root-port'/> to the domain and start it "
		       "anew";
	return NULL;
}

static gboolean attach_device(const KxPlug *p, const Target *t, const KxPlugVm *vm,
			      const KxPlugXml *x, GError **error)
{
	g_autofree char *device = device_xml(p->name);
	const char *why = why_no_place(x);

	if (t->sys->attach(t->domain, device, error))
		return TRUE;
	unlink(p->path);
	g_prefix_error(error, "VM \"%s\": the channel's device cannot be plugged in: %s%s",
		       vm->name, why ? why : "", why ? "; libvirt: " : "");
	return FALSE;
}

static gboolean check_state(const Target *t, const KxPlugVm *vm, GError **error)
{
	const char *state;

	if (!t->domain) {
		g_set_error(error, KX_ERROR, KX_ERROR_NO_LIBVIRT,
			    "VM \"%s\": trackers in the guest need libvirt, which plugs their "
			    "channel into the VM; it %s",
			    vm->name, vm->libvirt ? "does not know this VM" : "cannot be reached");
		return FALSE;
	}
	state = t->sys->state(t->domain);
	if (g_str_equal(state, "running"))
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
		    "VM \"%s\" is %s: its guest cannot take a device now; resume it first",
		    vm->name, state);
	return FALSE;
}

/* A plug whose file is neither made nor taken yet; *@x: what the domain looks like. */
static KxPlug *plug_new(const KxPlugVm *vm, const Target *t, KxPlugXml *x, GError **error)
{
	g_autofree char *xml = t->sys->xml(t->domain, error);
	KxPlug *p;

	if (!xml || !kx_plug_read_xml(xml, vm->uuid, x, error))
		return NULL;
	p = g_new0(KxPlug, 1);
	g_atomic_ref_count_init(&p->refs);
	p->name = file_name(vm->uuid);
	p->path = g_build_filename(vm->dir ? vm->dir : SHM_DIR, p->name, NULL);
	p->was_there = x->plugged;
	return p;
}

KxPlug *kx_plug_in(const KxPlugVm *vm, GError **error)
{
	g_autoptr(KxPlug) p = NULL;
	g_auto(Target) t = { 0 };
	KxPlugXml x;
	uid_t uid;
	gid_t gid;

	if (!vm->uuid) {
		g_set_error(error, KX_ERROR, KX_ERROR_NO_LIBVIRT,
			    "VM \"%s\" has no UUID: trackers in the guest need a libvirt domain",
			    vm->name);
		return NULL;
	}
	target_of(vm, &t);
	if (!check_state(&t, vm, error) || !qemu_user(vm, &uid, &gid, error))
		return NULL;
	p = plug_new(vm, &t, &x, error);
	if (!p ||
	    (x.plugged ? !take_file(p, uid, error)
		       : !make_file(p, uid, gid, error) || !attach_device(p, &t, vm, &x, error)))
		return NULL;
	return g_steal_pointer(&p);
}

KxPlug *kx_plug_find(const KxPlugVm *vm)
{
	g_autoptr(KxPlug) p = NULL;
	g_auto(Target) t = { 0 };
	KxPlugXml x;
	uid_t uid;
	gid_t gid;

	target_of(vm, &t);
	if (!t.domain || !qemu_user(vm, &uid, &gid, NULL))
		return NULL;
	p = plug_new(vm, &t, &x, NULL);
	if (p && !x.plugged)
		unlink(p->path);
	return p && x.plugged && take_file(p, uid, NULL) ? g_steal_pointer(&p) : NULL;
}

KxPlug *kx_plug_ref(KxPlug *p)
{
	g_atomic_ref_count_inc(&p->refs);
	return p;
}

KxChannel *kx_plug_channel(KxPlug *p)
{
	return p->channel;
}

gboolean kx_plug_was_there(const KxPlug *p)
{
	return p->was_there;
}

gboolean kx_plug_wait_claimed(KxPlug *p, KxPatience *patience, GError **error)
{
	KxChannelStatus st;

	while (!kx_channel_status(p->channel, &st)) {
		if (!kx_patience_rest(patience, kx_channel_state_text(KX_CHANNEL_UNCLAIMED), error))
			return FALSE;
	}
	return TRUE;
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

static gboolean is_plugged(const Target *t, const char *uuid)
{
	g_autofree char *xml = t->sys->xml(t->domain, NULL);
	KxPlugXml x;

	return xml && kx_plug_read_xml(xml, uuid, &x, NULL) && x.plugged;
}

static gboolean unplug(const KxPlug *p, const Target *t, const KxPlugVm *vm, guint timeout_ms,
		       GError **error)
{
	g_autofree char *device = device_xml(p->name);
	gint64 end = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	g_autoptr(GError) refused = NULL;
	gboolean asked = FALSE;

	while (is_plugged(t, vm->uuid)) {
		/* A request that is still under way is refused the second time: then only waiting is left. */
		if (!asked)
			t->sys->detach(t->domain, device, &refused);
		asked = TRUE;
		if (g_get_monotonic_time() > end) {
			g_set_error(
				error, KX_ERROR, KX_ERROR_BUSY,
				"VM \"%s\" does not let go of the channel's device (%s, waited %u "
				"s)%s%s: the device stays plugged in; the next attach takes it "
				"over, "
				"and the next detach tries again",
				vm->name, t->sys->state(t->domain), timeout_ms / 1000,
				refused ? "; libvirt: " : "", refused ? refused->message : "");
			return FALSE;
		}
		g_usleep(POLL_US);
	}
	return TRUE;
}

gboolean kx_plug_out(KxPlug *p, const KxPlugVm *vm, guint timeout_ms, GError **error)
{
	const struct kvm_ext_channel_command nothing = { 0 };
	g_auto(Target) t = { 0 };
	gboolean gone;

	kx_channel_command(p->channel, &nothing);
	target_of(vm, &t);
	gone = vm->gone || (kill(vm->pid, 0) && errno == ESRCH);
	if (!gone && !t.domain) {
		g_set_error(error, KX_ERROR, KX_ERROR_NO_LIBVIRT,
			    "VM \"%s\": libvirt cannot be reached, so the channel's device stays "
			    "plugged in; the next attach takes it over",
			    vm->name);
		return FALSE;
	}
	if (!gone && !g_str_equal(t.sys->state(t.domain), "shut off") &&
	    !unplug(p, &t, vm, timeout_ms, error))
		return FALSE;
	if (unlink(p->path) && errno != ENOENT)
		return file_failed(p->path, "cannot be removed", error);
	return TRUE;
}

void kx_plug_unref(KxPlug *p)
{
	if (!p || !g_atomic_ref_count_dec(&p->refs))
		return;
	kx_channel_free(p->channel);
	if (p->map)
		munmap(p->map, KVM_EXT_CHANNEL_SIZE);
	g_free(p->path);
	g_free(p->name);
	g_free(p);
}
