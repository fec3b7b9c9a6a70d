// SPDX-License-Identifier: GPL-2.0-or-later
#include "module.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"

struct _KxModule {
	gatomicrefcount refs;
	const KxModuleSys *sys;
	int fd;
	void *ring;
	gsize ring_len;
};

static int sys_open(void)
{
	return open(KVM_EXT_DEVICE_PATH, O_RDWR | O_CLOEXEC);
}

static int sys_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg);
}

static void *sys_map(int fd, gsize len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static void sys_unmap(void *map, gsize len)
{
	munmap(map, len);
}

static const KxModuleSys real_sys = { sys_open, sys_ioctl, sys_map, sys_unmap };

/* The meaning of an errno, by request; the rows of a single request come before the rows of any request (0). */
static const struct {
	unsigned long request;
	int err;
	KxError code;
	const char *text;
} meanings[] = {
	{ KVM_EXT_ATTACH, EBUSY, KX_ERROR_BUSY,
	  "another session already holds this VM (another kvm-extd, or a program of its own); end "
	  "that one first" },
	{ KVM_EXT_ATTACH, ESRCH, KX_ERROR_VM_GONE, "the VM's process is exiting" },
	{ KVM_EXT_ATTACH, EINVAL, KX_ERROR_NOT_SUPPORTED,
	  "the descriptor is no KVM VM of this kernel" },
	{ KVM_EXT_ATTACH, EBADF, KX_ERROR_VM_GONE, "the VM's descriptor is closed" },
	{ KVM_EXT_ATTACH, EISCONN, KX_ERROR_ALREADY_ATTACHED, "this session has a VM already" },
	{ KVM_EXT_SET_TRACKER, EINVAL, KX_ERROR_INVALID_OPTION,
	  "the module refuses an option of the tracker" },
	{ KVM_EXT_SET_TRACKER, ERANGE, KX_ERROR_INVALID_OPTION,
	  "the range holds no RAM of this VM" },
	{ KVM_EXT_SET_EXCLUDED, E2BIG, KX_ERROR_NOT_SUPPORTED,
	  "that is more than the module keeps pinned for a guest (64 MiB)" },
	{ KVM_EXT_SET_EXCLUDED, EFAULT, KX_ERROR_FAILED,
	  "the VM's memory there cannot be pinned; check the memlock limit of the VM's process and "
	  "the host's free memory" },
	{ KVM_EXT_RUN_PASS, EINVAL, KX_ERROR_INVALID_OPTION,
	  "the tracker is off: there is no pass to run" },
	{ KVM_EXT_RUN_PASS, ECANCELED, KX_ERROR_FAILED,
	  "the tracker was changed or the VM detached meanwhile" },
	{ KVM_EXT_RUN_PASS, EINTR, KX_ERROR_FAILED, "interrupted" },
	{ KVM_EXT_RUN_PASS, EBUSY, KX_ERROR_BUSY,
	  "another kernel module has replaced the operations of the VM's file" },
	{ 0, EAGAIN, KX_ERROR_BUSY,
	  "the VMM is in an ioctl on its dirty log and does not come out; try again" },
	{ 0, ENODEV, KX_ERROR_VM_GONE, "the VM is gone" },
	{ 0, ENOTCONN, KX_ERROR_NOT_ATTACHED, "the session has no VM" },
	{ 0, ENOTTY, KX_ERROR_NOT_SUPPORTED,
	  "the module does not know this request; install module and daemon of one "
	  "release" },
	{ 0, E2BIG, KX_ERROR_NOT_SUPPORTED,
	  "the module is older than the daemon; install both of one release" },
	{ 0, ENOMEM, KX_ERROR_FAILED, "the kernel has no memory for it" },
};

static gboolean fail(unsigned long request, int err, GError **error)
{
	guint i;

	for (i = 0; i < G_N_ELEMENTS(meanings); i++) {
		if (meanings[i].err == err &&
		    (!meanings[i].request || meanings[i].request == request)) {
			g_set_error_literal(error, KX_ERROR, meanings[i].code, meanings[i].text);
			return FALSE;
		}
	}
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "the module: request 0x%lx: %s", request,
		    g_strerror(err));
	return FALSE;
}

static gboolean call(KxModule *m, unsigned long request, void *arg, GError **error)
{
	return m->sys->ioctl(m->fd, request, arg) == 0 || fail(request, errno, error);
}

KxModule *kx_module_open(const KxModuleSys *sys, GError **error)
{
	KxModule *m;
	int fd;

	if (!sys)
		sys = &real_sys;
	fd = sys->open();
	if (fd < 0) {
		if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
			g_set_error(error, KX_ERROR, KX_ERROR_NO_MODULE,
				    "%s is not there: load the module (modprobe kvm_ext; `make "
				    "install` installs it)",
				    KVM_EXT_DEVICE_PATH);
		else if (errno == EPERM)
			/* The unit's rules for devices were made before the device was there. */
			g_set_error(error, KX_ERROR, KX_ERROR_ACCESS_DENIED,
				    "%s: the daemon's unit does not let it open a device that was "
				    "not there when the unit started: restart the daemon "
				    "(systemctl restart kvm-extd)",
				    KVM_EXT_DEVICE_PATH);
		else if (errno == EACCES)
			g_set_error(error, KX_ERROR, KX_ERROR_ACCESS_DENIED,
				    "%s: %s; only root may open it", KVM_EXT_DEVICE_PATH,
				    g_strerror(errno));
		else
			g_set_error(error, KX_ERROR, KX_ERROR_FAILED, "%s: %s", KVM_EXT_DEVICE_PATH,
				    g_strerror(errno));
		return NULL;
	}
	m = g_new0(KxModule, 1);
	g_atomic_ref_count_init(&m->refs);
	m->sys = sys;
	m->fd = fd;
	return m;
}

KxModule *kx_module_ref(KxModule *m)
{
	g_atomic_ref_count_inc(&m->refs);
	return m;
}

void kx_module_unref(KxModule *m)
{
	if (!m || !g_atomic_ref_count_dec(&m->refs))
		return;
	/* The mapping keeps the session open, as the descriptor does. */
	if (m->ring)
		m->sys->unmap(m->ring, m->ring_len);
	close(m->fd);
	g_free(m);
}

gboolean kx_module_caps(KxModule *m, struct kvm_ext_caps *caps, GError **error)
{
	*caps = (struct kvm_ext_caps){ .size = sizeof(*caps) };
	if (!call(m, KVM_EXT_GET_CAPS, caps, error))
		return FALSE;
	if (caps->api_version == KVM_EXT_API_VERSION)
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_NO_MODULE,
		    "the loaded module speaks version %u of its interface, this build version %u; "
		    "install both of one release "
		    "and reload the module",
		    caps->api_version, (guint)KVM_EXT_API_VERSION);
	return FALSE;
}

gboolean kx_module_attach(KxModule *m, int vm_fd, guint32 ring_pages, GError **error)
{
	struct kvm_ext_attach a = { .size = sizeof(a), .vm_fd = vm_fd, .ring_pages = ring_pages };
	gsize page = (gsize)sysconf(_SC_PAGESIZE);

	if (!call(m, KVM_EXT_ATTACH, &a, error))
		return FALSE;
	m->ring_len = page + a.ring_pages * page;
	m->ring = m->sys->map(m->fd, m->ring_len);
	if (m->ring != MAP_FAILED)
		return TRUE;
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
		    "the sample ring of %u pages cannot be mapped: %s", a.ring_pages,
		    g_strerror(errno));
	m->ring = NULL;
	return FALSE;
}

gboolean kx_module_vm(KxModule *m, struct kvm_ext_vm *vm, GError **error)
{
	*vm = (struct kvm_ext_vm){ .size = sizeof(*vm) };
	return call(m, KVM_EXT_GET_VM, vm, error);
}

static const char *unsupported(const struct kvm_ext_vm *vm, guint32 tracker)
{
	if (vm->paging == KVM_EXT_PAGING_SHADOW)
		return "it runs with shadow paging (kvm_intel ept=0, kvm_amd npt=0), whose tables "
		       "are not the VM's memory";
	if (tracker == KVM_EXT_TRACKER_TRAP)
		return "its memory is encrypted (SEV, SEV-ES, SEV-SNP, TDX), where each removal "
		       "of a mapping would write back the caches of the whole host, or KVM keeps "
		       "its tables in an older way (tdp_mmu=0), or this kernel lets no module "
		       "listen to KVM's tracepoints";
	if (vm->ad_bits == 0)
		return "its CPU has no hardware A bits in the nested tables (kvm_intel eptad=0, or "
		       "an old CPU)";
	return "KVM keeps no table for it that this tracker could read (kvm-ext doctor says what "
	       "the host has)";
}

/* If the errno does not name the reason, properties of the VM may name it. */
static gboolean fail_set(KxModule *m, const struct kvm_ext_tracker *t, int err, GError **error)
{
	struct kvm_ext_vm vm;

	if (err == EOPNOTSUPP && kx_module_vm(m, &vm, NULL))
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			    "this VM cannot be tracked this way: %s", unsupported(&vm, t->tracker));
	else if (err == E2BIG && t->regions_max && kx_module_vm(m, &vm, NULL))
		g_set_error(
			error, KX_ERROR, KX_ERROR_INVALID_OPTION,
			"%u regions at most are too few: each separate stretch of memory needs "
			"one, "
			"and this VM's %u memslots make more than that; allow %u, or give a range",
			t->regions_max, vm.memslots, MAX(vm.memslots, t->regions_max + 1));
	else
		return fail(KVM_EXT_SET_TRACKER, err, error);
	return FALSE;
}

gboolean kx_module_set(KxModule *m, struct kvm_ext_tracker *t, GError **error)
{
	t->size = sizeof(*t);
	return m->sys->ioctl(m->fd, KVM_EXT_SET_TRACKER, t) == 0 || fail_set(m, t, errno, error);
}

gboolean kx_module_stats(KxModule *m, struct kvm_ext_stats *st, GError **error)
{
	*st = (struct kvm_ext_stats){ .size = sizeof(*st) };
	return call(m, KVM_EXT_GET_STATS, st, error);
}

gboolean kx_module_exclude(KxModule *m, const struct kvm_ext_range *ranges, guint nr,
			   guint64 *pages, GError **error)
{
	struct kvm_ext_excluded x = { .size = sizeof(x),
				      .ranges = (guint64)(guintptr)ranges,
				      .nr_ranges = nr };

	if (!call(m, KVM_EXT_SET_EXCLUDED, &x, error))
		return FALSE;
	*pages = x.pages;
	return TRUE;
}

gboolean kx_module_run_pass(KxModule *m, guint64 *pass, GError **error)
{
	struct kvm_ext_run_pass r = { .size = sizeof(r) };

	if (!call(m, KVM_EXT_RUN_PASS, &r, error))
		return FALSE;
	*pass = r.pass;
	return TRUE;
}

int kx_module_fd(const KxModule *m)
{
	return m->fd;
}

void *kx_module_ring(const KxModule *m, gsize *len)
{
	*len = m->ring_len;
	return m->ring;
}
