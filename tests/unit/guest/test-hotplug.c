// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* F_OFD_SETLK */
/* Plugging the channel in and out of a domain that a fake libvirt has, with files in a directory of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "cases.h"
#include "fake-guest.h"
#include "fake-root.h"
#include "guest/hotplug.h"
#include "vm/libvirt.h"

#define UUID "c7a5fdbd-edaf-9455-926a-d65c16db1809"
#define NAME "kvm-ext-" UUID

typedef struct {
	const char *state, *controllers, *seclabel;
	gboolean plugged, refuses, holds_on; /* libvirt refuses; the guest does not let go */
	guint attaches, detaches;
	char *attached; /* XML */
	gboolean mute;	/* the connection to libvirt is lost */
} Domain;

/* What AppArmor was asked for; one domain at a time is tested. */
static struct {
	gboolean refuses;
	guint restores;
	char *allowed;
} confinement;

typedef struct {
	char *root, *file;
	Domain d;
	KxPlugVm vm;
} Fixture;

static char *fake_xml(gpointer domain, GError **error)
{
	const Domain *d = domain;

	if (d->mute) {
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED, "the connection was lost");
		return NULL;
	}
	return g_strdup_printf("<domain type='kvm'><description>&lt;shmem name='%s'&gt;"
			       "</description><devices>%s%s</devices>%s</domain>",
			       NAME, d->controllers, d->plugged ? "<shmem name='" NAME "'/>" : "",
			       d->seclabel ? d->seclabel : "");
}

static const char *fake_state(gpointer domain)
{
	return ((Domain *)domain)->state;
}

static gboolean fake_attach(gpointer domain, const char *xml, GError **error)
{
	Domain *d = domain;

	d->attaches++;
	if (d->refuses) {
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
			    "internal error: No more available PCI slots");
		return FALSE;
	}
	g_free(d->attached);
	d->attached = g_strdup(xml);
	d->plugged = TRUE;
	return TRUE;
}

static gboolean fake_detach(gpointer domain, const char *xml, GError **error)
{
	Domain *d = domain;

	d->detaches++;
	d->plugged = d->holds_on;
	return TRUE;
}

static gboolean fake_allow(const char *profile, const char *path, GError **error)
{
	if (confinement.refuses) {
		g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED, "the rule is missing");
		return FALSE;
	}
	g_free(confinement.allowed);
	confinement.allowed = g_strdup_printf("%s %s", profile, path);
	return TRUE;
}

static void fake_restore(const char *profile)
{
	confinement.restores++;
}

static const KxPlugSys fake_sys = { fake_xml,	 fake_state, fake_attach,
				    fake_detach, fake_allow, fake_restore };

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);

	f->root = fake_root_new();
	f->file = g_build_filename(f->root, NAME, NULL);
	f->d = (Domain){ .state = "running",
			 .controllers = "<controller type='pci' index='0' model='pci-root'/>" };
	f->vm = (KxPlugVm){ .sys = &fake_sys,
			    .domain = &f->d,
			    .name = "vm",
			    .uuid = UUID,
			    .pid = getpid(),
			    .dir = f->root };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	Fixture *f = *state;

	fake_remove(f->root);
	g_free(f->root);
	g_free(f->file);
	g_free(f->d.attached);
	g_free(f);
	g_clear_pointer(&confinement.allowed, g_free);
	memset(&confinement, 0, sizeof(confinement));
	return 0;
}

static gboolean exists(const Fixture *f)
{
	return kx_plug_left_behind(f->root, UUID);
}

static void refused(const Fixture *f, int code, const char *words)
{
	g_autoptr(GError) error = NULL;

	assert_null(kx_plug_in(&f->vm, &error));
	if (error->code != code || !strstr(error->message, words))
		fail_msg("%d: %s", error->code, error->message);
}

static void plugs_in_and_out(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autoptr(KxPlug) p = kx_plug_in(&f->vm, &error);
	struct stat st;

	assert_non_null(p);
	assert_false(kx_plug_was_there(p));
	assert_string_equal(f->d.attached, "<shmem name='" NAME "' role='master'><model "
					   "type='ivshmem-plain'/><size unit='M'>2</size></shmem>");
	assert_int_equal(stat(f->file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, KVM_EXT_CHANNEL_SIZE);
	assert_true(st.st_blocks * 512 >= (long)KVM_EXT_CHANNEL_SIZE);
	assert_int_equal(st.st_uid, geteuid());
	assert_true(kx_plug_out(p, &f->vm, 1000000000, &error));
	assert_int_equal(f->d.detaches, 1);
	assert_false(exists(f));
}

/* A device that another daemon has plugged in is taken over with a new instance number. */
static void takes_over(void **state)
{
	Fixture *f = *state;
	g_autoptr(KxPlug) first = kx_plug_in(&f->vm, NULL), second = NULL;
	FakeGuest guest;
	KxChannelStatus st;
	g_autofree char *map = NULL;
	gsize len;
	guint64 instance;

	assert_true(g_file_get_contents(f->file, &map, &len, NULL));
	fake_guest_at(&guest, (guint8 *)map);
	instance = guest.id->instance;
	g_clear_pointer(&first, kx_plug_unref);
	assert_true(exists(f));
	second = kx_plug_in(&f->vm, NULL);
	assert_non_null(second);
	assert_true(kx_plug_was_there(second));
	assert_int_equal(f->d.attaches, 1);
	g_free(map);
	assert_true(g_file_get_contents(f->file, &map, &len, NULL));
	fake_guest_at(&guest, (guint8 *)map);
	assert_int_not_equal(guest.id->instance, instance);
	assert_false(kx_channel_status(kx_plug_channel(second), &st));
}

/* A file that is not the memory of a device is removed, whoever made it; a link is not followed. */
static void replaces_what_is_in_the_way(void **state)
{
	Fixture *f = *state;
	g_autofree char *victim = g_build_filename(f->root, "victim", NULL);
	g_autoptr(KxPlug) p = NULL;
	g_autofree char *text = NULL;

	fake_write(f->root, "victim", "untouched");
	fake_link(f->root, NAME, victim);
	p = kx_plug_in(&f->vm, NULL);
	assert_non_null(p);
	assert_true(g_file_get_contents(victim, &text, NULL, NULL));
	assert_string_equal(text, "untouched");
	assert_false(g_file_test(f->file, G_FILE_TEST_IS_SYMLINK));
}

/* A directory of that name, which any user can make: an empty one is removed, another is moved aside with what is in it. */
static void replaces_a_directory(void **state)
{
	Fixture *f = *state;
	g_autoptr(KxPlug) p = NULL;
	g_autoptr(GDir) dir = NULL;
	const char *name;
	guint kept = 0;

	fake_write(f->root, NAME "/inside", "theirs");
	p = kx_plug_in(&f->vm, NULL);
	assert_non_null(p);
	assert_true(g_file_test(f->file, G_FILE_TEST_IS_REGULAR));
	dir = g_dir_open(f->root, 0, NULL);
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *inside = g_build_filename(f->root, name, "inside", NULL);

		kept += g_file_test(inside, G_FILE_TEST_EXISTS);
	}
	assert_int_equal(kept, 1);
}

static void replaces_an_empty_directory(void **state)
{
	Fixture *f = *state;
	g_autoptr(KxPlug) p = NULL;

	assert_int_equal(mkdir(f->file, 0700), 0);
	p = kx_plug_in(&f->vm, NULL);
	assert_non_null(p);
	assert_true(g_file_test(f->file, G_FILE_TEST_IS_REGULAR));
}

/* As QEMU makes it for a domain that is restored or migrated in: taken over, and closed to others. */
static void takes_over_what_qemu_made(void **state)
{
	Fixture *f = *state;
	g_autoptr(KxPlug) p = NULL;
	g_autofree char *blank = g_malloc0(KVM_EXT_CHANNEL_SIZE);
	g_autoptr(GError) error = NULL;
	struct stat st;

	assert_true(g_file_set_contents(f->file, blank, KVM_EXT_CHANNEL_SIZE, NULL));
	assert_int_equal(chmod(f->file, 0644), 0);
	f->d.plugged = TRUE;
	p = kx_plug_in(&f->vm, &error);
	assert_null(error);
	assert_true(kx_plug_was_there(p));
	assert_int_equal(f->d.attaches + f->d.detaches, 0);
	assert_int_equal(stat(f->file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_uid, getuid());
}

typedef enum {
	OPEN_TO_ALL,
	LINKED,
	SHORT,
	GONE,
	HOW_MANY
} Unfit;

static void make_unfit(const Fixture *f, const char *other, Unfit how)
{
	switch (how) {
	case OPEN_TO_ALL:
		assert_int_equal(chmod(f->file, 0666), 0);
		break;
	case LINKED:
		assert_int_equal(link(f->file, other), 0);
		break;
	case SHORT:
		assert_int_equal(truncate(f->file, 4096), 0);
		break;
	default:
		assert_int_equal(unlink(f->file), 0);
	}
}

/* A device whose memory cannot be trusted is unplugged, and another one is plugged in; or the error says why not. */
static void replaces_a_device_that_is_not_ours(void **state)
{
	Fixture *f = *state;
	g_autofree char *other = g_build_filename(f->root, "other", NULL);

	for (Unfit how = 0; how < HOW_MANY; how++) {
		g_autoptr(KxPlug) first = kx_plug_in(&f->vm, NULL), second = NULL;
		guint attaches = f->d.attaches, detaches = f->d.detaches;

		assert_non_null(first);
		g_clear_pointer(&first, kx_plug_unref);
		make_unfit(f, other, how);
		second = kx_plug_in(&f->vm, NULL);
		assert_non_null(second);
		assert_false(kx_plug_was_there(second));
		assert_int_equal(f->d.attaches, attaches + 1);
		assert_int_equal(f->d.detaches, detaches + 1);
		assert_true(kx_plug_out(second, &f->vm, 1000000000, NULL));
		unlink(other);
	}
}

static void finds_the_files_of_all_domains(void **state)
{
	Fixture *f = *state;
	g_auto(GStrv) none = kx_plug_all_left_behind(f->root), one = NULL;

	assert_int_equal(g_strv_length(none), 0);
	fake_write(f->root, NAME, "x");
	fake_write(f->root, "kvm-ext-not-a-uuid", "x");
	one = kx_plug_all_left_behind(f->root);
	assert_int_equal(g_strv_length(one), 1);
	assert_string_equal(one[0], UUID);
}

#define ROOT(more) "<controller type='pci' index='0' model='pcie-root'/>" more
#define PORT(n, more)                                                                   \
	"<controller type='pci' index='" n "' model='pcie-root-port'>" more "<address " \
	"type='pci' bus='0x00' slot='0x02'/></controller>"

/* On PCI Express a free root port is named; elsewhere libvirt finds a place. */
static void finds_a_place(void **state)
{
	static const struct {
		const char *controllers, *address;
	} places[] = {
		{ ROOT(PORT("1", "") PORT("2", "")) "<disk><address type='pci' bus='0x01'/></disk>",
		  "bus='0x02' slot='0x00'" },
		{ ROOT(PORT("1", "<target chassis='1' hotplug='off'/>") PORT("11", "")),
		  "bus='0x0b' slot='0x00'" },
		/* a place on the host is not one in the domain */
		{ ROOT(PORT("1", "")) "<interface><source><address type='pci' bus='0x01'/></source>"
				      "<address type='pci' bus='0x00'/></interface>",
		  "bus='0x01' slot='0x00'" },
		{ ROOT("<controller type='pci' index='1' model='pcie-to-pci-bridge'/>"), NULL },
		{ "<controller type='pci' index='0' model='pci-root'/>", NULL },
	};
	Fixture *f = *state;

	for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
		g_autoptr(KxPlug) p = NULL;

		f->d.controllers = places[i].controllers;
		p = kx_plug_in(&f->vm, NULL);
		assert_non_null(p);
		if (places[i].address)
			assert_non_null(strstr(f->d.attached, places[i].address));
		else
			assert_null(strstr(f->d.attached, "<address"));
		assert_true(kx_plug_out(p, &f->vm, 1000000000, NULL));
	}
}

/* AppArmor: the rule before the device, and gone with it. */
static void asks_who_confines_qemu(void **state)
{
	Fixture *f = *state;
	g_autoptr(KxPlug) p = kx_plug_in(&f->vm, NULL);
	g_autofree char *allowed = g_strdup_printf("libvirt-x %s", f->file);

	assert_null(confinement.allowed);
	assert_true(kx_plug_out(p, &f->vm, 1000000000, NULL));
	g_clear_pointer(&p, kx_plug_unref);
	f->d.seclabel = "<seclabel type='dynamic' model='dac'><label>+1:+1</label></seclabel>"
			"<seclabel type='dynamic' model='apparmor'><label>libvirt-x</label>"
			"</seclabel>";
	p = kx_plug_in(&f->vm, NULL);
	assert_string_equal(confinement.allowed, allowed);
	assert_int_equal(confinement.restores, 0);
	assert_true(kx_plug_out(p, &f->vm, 1000000000, NULL));
	assert_int_equal(confinement.restores, 1);
	g_clear_pointer(&p, kx_plug_unref);
	/* The rule cannot be added: the error says so only if QEMU cannot open the file for this reason. */
	confinement.refuses = TRUE;
	p = kx_plug_in(&f->vm, NULL);
	assert_non_null(p);
	assert_true(kx_plug_out(p, &f->vm, 1000000000, NULL));
	assert_int_equal(confinement.restores, 1);
	f->d.refuses = TRUE;
	refused(f, KX_ERROR_NOT_SUPPORTED, "the rule is missing; libvirt: ");
}

/*
 * SELinux: the file has the label of the domain's files before QEMU opens it, and also when it is taken over. What SELinux makes of
 * the label is not tested here: without SELinux the kernel keeps any text.
 */
static void labels_the_file(void **state)
{
	static const char label[] = "system_u:object_r:svirt_image_t:s0:c107,c434";
	Fixture *f = *state;
	g_autoptr(KxPlug) p = NULL;
	char found[sizeof(label) + 1];

	if (setxattr(f->root, "security.selinux", label, sizeof(label), 0))
		skip(); /* only root may, and some file systems have no such labels */
	f->d.seclabel = "<seclabel type='dynamic' model='selinux' relabel='yes'>"
			"<label>system_u:system_r:svirt_t:s0:c107,c434</label><imagelabel>"
			"system_u:object_r:svirt_image_t:s0:c107,c434</imagelabel></seclabel>";
	for (guint i = 0; i < 2; i++) {
		p = kx_plug_in(&f->vm, NULL);
		assert_non_null(p);
		assert_int_equal(kx_plug_was_there(p), i);
		assert_int_equal(getxattr(f->file, "security.selinux", found, sizeof(found)),
				 sizeof(label));
		assert_string_equal(found, label);
		/* what QEMU may have made when it restored the domain */
		assert_int_equal(setxattr(f->file, "security.selinux", "else", 5, 0), 0);
		if (i)
			assert_true(kx_plug_out(p, &f->vm, 1000000000, NULL));
		g_clear_pointer(&p, kx_plug_unref);
	}
}

#define CONFINED "<seclabel type='dynamic' model='apparmor'><label>libvirt-x</label></seclabel>"

/* The rule of a daemon that has ended is removed with its device, whoever unplugs it, and with a file that it has left. */
static void takes_back_the_rule_of_another(void **state)
{
	Fixture *f = *state;
	g_autoptr(KxPlug) p = NULL;

	f->d.seclabel = CONFINED;
	for (guint i = 0; i < 2; i++) {
		p = kx_plug_in(&f->vm, NULL);
		g_clear_pointer(&p, kx_plug_unref);
		p = i ? kx_plug_in(&f->vm, NULL) : kx_plug_find(&f->vm);
		assert_true(kx_plug_was_there(p));
		assert_int_equal(confinement.restores, i);
		assert_true(kx_plug_out(p, &f->vm, 1000000000, NULL));
		assert_int_equal(confinement.restores, i + 1);
		g_clear_pointer(&p, kx_plug_unref);
	}
	/* The device cannot be taken over, and is unplugged. */
	p = kx_plug_in(&f->vm, NULL);
	g_clear_pointer(&p, kx_plug_unref);
	make_unfit(f, NULL, SHORT);
	assert_null(kx_plug_find(&f->vm));
	assert_false(f->d.plugged);
	assert_int_equal(confinement.restores, 3);
	/* The daemon died beside a file without a device. */
	assert_true(exists(f));
	assert_null(kx_plug_find(&f->vm));
	assert_false(exists(f));
	assert_int_equal(confinement.restores, 4);
	/* Nothing was left behind, so no profile is loaded. */
	assert_null(kx_plug_find(&f->vm));
	assert_int_equal(confinement.restores, 4);
}

static void says_why_not(void **state)
{
	static const struct {
		const char *controllers, *words;
	} places[] = {
		{ "<controller type='usb' index='0'/>", "has no PCI" },
		{ "<controller type='pci' index='0' model='pcie-root'/>", "no free root port" },
		{ "<controller type='pci' index='0' model='pcie-root'/><controller type='pci' "
		  "index='1' model='pcie-root-port'><address type='pci' bus='0x00'/></controller>"
		  "<disk><address type='pci' bus='0x01'/></disk>",
		  "no free root port" },
		{ "<controller type='pci' index='0' model='pcie-root'/><controller type='pci' "
		  "index='1' model='pcie-root-port'><target chassis='1' "
		  "hotplug='off'/></controller>",
		  "no free root port" },
		{ "<controller type='pci' index='0' model='pci-root'/>",
		  "plugged in: internal error: No more" },
	};
	Fixture *f = *state;
	g_autoptr(KxLibvirt) libvirt = kx_libvirt_open("test:///default", NULL);
	g_auto(KxPlugXml) x = { 0 };

	f->d.state = "paused";
	refused(f, KX_ERROR_NOT_SUPPORTED, "is paused");
	f->d.state = "running";
	f->d.refuses = TRUE;
	for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
		f->d.controllers = places[i].controllers;
		refused(f, KX_ERROR_NOT_SUPPORTED, places[i].words);
		assert_false(exists(f));
	}
	f->vm.domain = NULL;
	refused(f, KX_ERROR_NO_LIBVIRT, "cannot be reached");
	f->vm.sys = NULL;
	assert_non_null(libvirt);
	f->vm.libvirt = libvirt;
	refused(f, KX_ERROR_NOT_SUPPORTED, "does not know this VM");
	f->vm.libvirt = NULL;
	f->vm.uuid = NULL;
	refused(f, KX_ERROR_NOT_SUPPORTED, "UUID");
	assert_false(kx_plug_read_xml("<d>", UUID, &x, NULL));
}

static void says_that_the_guest_holds_on(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autoptr(KxPlug) p = kx_plug_in(&f->vm, NULL);

	f->d.holds_on = TRUE;
	assert_false(kx_plug_out(p, &f->vm, 200000000, &error));
	assert_int_equal(error->code, KX_ERROR_BUSY);
	assert_non_null(strstr(error->message, "does not release"));
	assert_true(exists(f));
	f->d.holds_on = FALSE;
	assert_true(kx_plug_out(p, &f->vm, 200000000, NULL));
	assert_false(exists(f));
}

/* If the connection is lost, it is not known whether the device is unplugged, so the file stays. */
static void keeps_the_file_where_libvirt_is_mute(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autoptr(KxPlug) p = kx_plug_in(&f->vm, NULL);

	f->d.mute = TRUE;
	assert_false(kx_plug_out(p, &f->vm, 200000000, &error));
	assert_int_equal(error->code, KX_ERROR_BUSY);
	assert_non_null(strstr(error->message, "the connection was lost"));
	assert_int_equal(f->d.detaches, 0);
	assert_true(exists(f));
	f->d.mute = FALSE;
	assert_true(kx_plug_out(p, &f->vm, 200000000, NULL));
	assert_int_equal(f->d.detaches, 1);
	assert_false(exists(f));
}

static void cleans_up_after_a_vm_that_went(void **state)
{
	Fixture *f = *state;
	g_autoptr(KxPlug) p = kx_plug_in(&f->vm, NULL);

	f->d.state = "shut off";
	assert_true(kx_plug_out(p, &f->vm, 1000000000, NULL));
	assert_int_equal(f->d.detaches, 0);
	assert_false(exists(f));
}

/* After a daemon that died: the device is found, a file without one is removed. */
static void finds_what_was_left(void **state)
{
	Fixture *f = *state;
	g_autoptr(KxPlug) p = kx_plug_in(&f->vm, NULL), found = NULL;

	g_clear_pointer(&p, kx_plug_unref);
	found = kx_plug_find(&f->vm);
	assert_non_null(found);
	assert_true(kx_plug_was_there(found));
	g_clear_pointer(&found, kx_plug_unref);
	f->d.plugged = FALSE;
	assert_null(kx_plug_find(&f->vm));
	assert_false(exists(f));
	assert_int_equal(f->d.attaches, 1);
}

/* Two daemons, each with a socket of its own: the second leaves device and file of the first alone, whatever stage the first is at. */
static void leaves_a_live_channel_alone(void **state)
{
	Fixture *f = *state;
	g_autoptr(KxPlug) first = kx_plug_in(&f->vm, NULL), second = NULL;
	g_autofree char *before = NULL, *after = NULL;
	gsize len;

	assert_true(g_file_get_contents(f->file, &before, &len, NULL));
	for (guint i = 0; i < 2; i++) {
		f->d.plugged = !i;
		refused(f, KX_ERROR_BUSY, "another kvm-extd");
		assert_null(kx_plug_find(&f->vm));
	}
	assert_int_equal(f->d.attaches, 1);
	assert_int_equal(f->d.detaches, 0);
	assert_true(g_file_get_contents(f->file, &after, &len, NULL));
	assert_memory_equal(before, after, KVM_EXT_CHANNEL_SIZE);
	f->d.plugged = TRUE;
	g_clear_pointer(&first, kx_plug_unref);
	second = kx_plug_in(&f->vm, NULL);
	assert_non_null(second);
	assert_true(kx_plug_was_there(second));
}

/* A lock that any user can take on a file that all may read, or on a file of the user's own, keeps nobody out. */
static void strangers_locks_do_not_count(void **state)
{
	Fixture *f = *state;
	struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	g_autoptr(KxPlug) p = kx_plug_in(&f->vm, NULL);
	int fd;

	g_clear_pointer(&p, kx_plug_unref);
	fd = open(f->file, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), 0);
	p = kx_plug_in(&f->vm, NULL);
	assert_non_null(p);
	assert_true(kx_plug_was_there(p));
	close(fd);
	assert_true(kx_plug_out(p, &f->vm, 1000000000, NULL));
	g_clear_pointer(&p, kx_plug_unref);

	fake_write(f->root, NAME, "a trap");
	fd = open(f->file, O_RDWR | O_CLOEXEC);
	l.l_type = F_WRLCK;
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), 0);
	if (fchmod(fd, 0666) || fchown(fd, 65534, (gid_t)-1))
		assert_int_not_equal(geteuid(), 0); /* without root it counts as open to others */
	p = kx_plug_in(&f->vm, NULL);
	assert_non_null(p);
	assert_false(kx_plug_was_there(p));
	close(fd);
}

static void waits_for_the_module(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autoptr(KxPlug) p = kx_plug_in(&f->vm, NULL);
	g_autoptr(KxPatience) patience = kx_patience_new(NULL, getpid(), 120000000, NULL);

	assert_false(kx_plug_wait_claimed(p, patience, &error));
	assert_int_equal(error->code, KX_ERROR_NOT_SUPPORTED);
	assert_non_null(strstr(error->message, "kvm_ext_guest"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(plugs_in_and_out),
		CASE(takes_over),
		CASE(replaces_what_is_in_the_way),
		CASE(replaces_a_directory),
		CASE(replaces_an_empty_directory),
		CASE(takes_over_what_qemu_made),
		CASE(replaces_a_device_that_is_not_ours),
		CASE(finds_the_files_of_all_domains),
		CASE(finds_a_place),
		CASE(asks_who_confines_qemu),
		CASE(labels_the_file),
		CASE(takes_back_the_rule_of_another),
		CASE(says_why_not),
		CASE(says_that_the_guest_holds_on),
		CASE(keeps_the_file_where_libvirt_is_mute),
		CASE(cleans_up_after_a_vm_that_went),
		CASE(finds_what_was_left),
		CASE(leaves_a_live_channel_alone),
		CASE(strangers_locks_do_not_count),
		CASE(waits_for_the_module),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
