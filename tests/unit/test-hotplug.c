// SPDX-License-Identifier: GPL-2.0-or-later
/* Plugging the channel in and out of a domain that a fake libvirt has, with files in a directory of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "error.h"
#include "fake-guest.h"
#include "fake-root.h"
#include "hotplug.h"

#define UUID "c7a5fdbd-edaf-9455-926a-d65c16db1809"
#define NAME "kvm-ext-" UUID

typedef struct {
	const char *state, *controllers;
	gboolean plugged, refuses, holds_on; /* libvirt refuses; the guest does not let go */
	guint attaches, detaches;
	char *attached; /* XML */
} Domain;

typedef struct {
	char *root, *file;
	Domain d;
	KxPlugVm vm;
} Fixture;

static char *fake_xml(gpointer domain, GError **error)
{
	const Domain *d = domain;

	return g_strdup_printf("<domain type='kvm'><description>&lt;shmem name='%s'&gt;"
			       "</description><devices>%s%s</devices></domain>",
			       NAME, d->controllers, d->plugged ? "<shmem name='" NAME "'/>" : "");
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

static const KxPlugSys fake_sys = { fake_xml, fake_state, fake_attach, fake_detach };

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
					   "type='ivshmem-plain'/><size unit='M'>4</size></shmem>");
	assert_int_equal(stat(f->file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, KVM_EXT_CHANNEL_SIZE);
	assert_true(st.st_blocks * 512 >= (long)KVM_EXT_CHANNEL_SIZE);
	assert_int_equal(st.st_uid, geteuid());
	assert_true(kx_plug_out(p, &f->vm, 1000, &error));
	assert_int_equal(f->d.detaches, 1);
	assert_false(exists(f));
}

/* Another daemon's, plugged: taken over under a new instance. */
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

/* What is no device's memory is removed, whoever made it; a link is not followed. */
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

static void takes_no_file_that_is_not_ours(void **state)
{
	Fixture *f = *state;
	g_autofree char *other = g_build_filename(f->root, "other", NULL);
	g_autoptr(KxPlug) p = kx_plug_in(&f->vm, NULL);

	assert_int_equal(chmod(f->file, 0644), 0);
	refused(f, KX_ERROR_FAILED, "not as kvm-ext makes it");
	assert_int_equal(chmod(f->file, 0600), 0);
	assert_int_equal(link(f->file, other), 0);
	refused(f, KX_ERROR_FAILED, "not as kvm-ext makes it");
	assert_int_equal(unlink(other), 0);
	assert_int_equal(truncate(f->file, 4096), 0);
	refused(f, KX_ERROR_FAILED, "not as kvm-ext makes it");
	assert_int_equal(unlink(f->file), 0);
	refused(f, KX_ERROR_FAILED, "cannot be opened");
}

static void says_why_not(void **state)
{
	static const struct {
		const char *controllers, *words;
	} places[] = {
		{ "<controller type='usb' index='0'/>", "has no PCI" },
		{ "<controller type='pci' index='0' model='pcie-root'/>", "no free port" },
		{ "<controller type='pci' index='0' model='pcie-root'/><controller type='pci' "
		  "index='1' model='pcie-root-port'><address type='pci' bus='0x00'/></controller>"
		  "<disk><address type='pci' bus='0x01'/></disk>",
		  "no free port" },
		{ "<controller type='pci' index='0' model='pcie-root'/><controller type='pci' "
		  "index='1' model='pcie-root-port'><target chassis='1' "
		  "hotplug='off'/></controller>",
		  "no free port" },
		{ "<controller type='pci' index='0' model='pci-root'/>",
		  "plugged in: internal error: No more" },
	};
	Fixture *f = *state;
	KxPlugXml x;

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
	refused(f, KX_ERROR_NO_LIBVIRT, "need libvirt");
	f->vm.uuid = NULL;
	refused(f, KX_ERROR_NO_LIBVIRT, "UUID");
	assert_true(kx_plug_read_xml(
		"<d><controller type='pci' index='0' model='pcie-root'/><controller type='pci' "
		"index='7' model='pcie-root-port'/></d>",
		UUID, &x, NULL));
	assert_int_equal(x.free_ports, 1);
	assert_false(kx_plug_read_xml("<d>", UUID, &x, NULL));
}

static void says_that_the_guest_holds_on(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autoptr(KxPlug) p = kx_plug_in(&f->vm, NULL);

	f->d.holds_on = TRUE;
	assert_false(kx_plug_out(p, &f->vm, 200, &error));
	assert_int_equal(error->code, KX_ERROR_BUSY);
	assert_non_null(strstr(error->message, "does not let go"));
	assert_true(exists(f));
	f->d.holds_on = FALSE;
	assert_true(kx_plug_out(p, &f->vm, 200, NULL));
	assert_false(exists(f));
}

static void cleans_up_after_a_vm_that_went(void **state)
{
	Fixture *f = *state;
	g_autoptr(KxPlug) p = kx_plug_in(&f->vm, NULL);

	f->d.state = "shut off";
	assert_true(kx_plug_out(p, &f->vm, 1000, NULL));
	assert_int_equal(f->d.detaches, 0);
	assert_false(exists(f));
}

/* After a daemon that died: the device is found, a file without one is removed. */
static void finds_what_was_left(void **state)
{
	Fixture *f = *state;
	g_autoptr(KxPlug) p = kx_plug_in(&f->vm, NULL), found = kx_plug_find(&f->vm);

	assert_non_null(found);
	assert_true(kx_plug_was_there(found));
	f->d.plugged = FALSE;
	assert_null(kx_plug_find(&f->vm));
	assert_false(exists(f));
	assert_int_equal(f->d.attaches, 1);
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
		cmocka_unit_test_setup_teardown(plugs_in_and_out, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_over, setup, teardown),
		cmocka_unit_test_setup_teardown(replaces_what_is_in_the_way, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_no_file_that_is_not_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(says_why_not, setup, teardown),
		cmocka_unit_test_setup_teardown(says_that_the_guest_holds_on, setup, teardown),
		cmocka_unit_test_setup_teardown(cleans_up_after_a_vm_that_went, setup, teardown),
		cmocka_unit_test_setup_teardown(finds_what_was_left, setup, teardown),
		cmocka_unit_test_setup_teardown(waits_for_the_module, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
