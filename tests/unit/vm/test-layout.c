// SPDX-License-Identifier: GPL-2.0-or-later
/* From QEMU's monitor to addresses, against a monitor in memory. The text is that of QEMU 7.2. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "vm/layout.h"

static const char tree[] =
	"address-space: I/O\r\n"
	"  0000000000000000-000000000000ffff (prio 0, ram): io\r\n\r\n"
	"address-space: cpu-memory-0\r\naddress-space: memory\r\naddress-space: nic\r\n"
	"  0000000000000000-ffffffffffffffff (prio 0, i/o): system\r\n"
	"    0000000000000000-00000000bfffffff (prio 0, i/o): alias ram-below-4g @pc.ram "
	"0000000000000000-00000000bfffffff\r\n"
	"    0000000000000000-ffffffffffffffff (prio -1, i/o): pci\r\n"
	"      00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem\r\n"
	"      00000000000c0000-00000000000dffff (prio 1, rom): pc.rom\r\n"
	"      00000000000e0000-00000000000fffff (prio 1, rom): alias isa-bios @pc.bios "
	"0000000000020000-000000000003ffff\r\n"
	"      00000000e0000000-00000000e00007ff (prio 0, ram): less than a page\r\n"
	"      00000000f0000000-00000000f0ffffff (prio 1, ramd): 0000:01:00.0 BAR 0\r\n"
	"      00000000fe000000-00000000fe1fffff (prio 1, ram): a shared memory @ its best\r\n"
	"    00000000000a0000-00000000000bffff (prio 1, i/o): alias smram-region @pci "
	"00000000000a0000-00000000000bffff\r\n"
	"    00000000000c0000-00000000000c3fff (prio 1, ram): alias pam-ram @pc.ram "
	"00000000000c0000-00000000000c3fff\r\n"
	"    00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi\r\n"
	"    0000000100000000-000000011fffffff (prio 0, i/o): alias ram-above-4g @pc.ram "
	"00000000c0000000-00000000dfffffff\r\n\r\n"
	"address-space: cpu-smm-0\r\n"
	"  0000000000000000-00000000ffffffff (prio 0, ram): smram\r\n\r\n"
	"memory-region: pc.ram\r\n"
	"  0000000000000000-00000000dfffffff (prio 0, i/o): pc.ram\r\n"
	"    0000000000000000-000000003fffffff (prio 0, ram): node0\r\n"
	"    0000000040000000-00000000dfffffff (prio 0, ram): node1\r\n\r\n"
	"memory-region: pci\r\n"
	"  0000000000000000-ffffffffffffffff (prio -1, i/o): pci\r\n"
	"    00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem\r\n\r\n";

/* What the guest sees: node1 is right behind node0 in the VMM, until the hole. */
#define BASE 0x7f0000000000ull
static const struct {
	guint64 first, end;
	const char *name; /* NULL: not RAM */
	guint64 hva;
} seen[] = {
	{ 0, 0xa0000, "node0", BASE },
	{ 0xa0000, 0xc0000, NULL, 0 },
	{ 0xc0000, 0xc4000, "node0", BASE + 0xc0000 },
	{ 0xc4000, 0xe0000, "pc.rom", 0x7e0000000000 },
	{ 0xe0000, 0x100000, "pc.bios", 0x7e0001000000 },
	{ 0x100000, 0x40000000, "node0", BASE + 0x100000 },
	{ 0x40000000, 0xc0000000, "node1", BASE + 0x40000000 },
	{ 0xfc000000, 0xfc200000, "0000:02:00.0 BAR 2", 0x7c0000000000 },
	{ 0xfd000000, 0xfd200000, "0000:03:00.0 BAR 2", 0x7b0000000000 },
	{ 0xfe000000, 0xfe200000, "a shared memory @ its best", 0x7d0000000000 },
	{ 0x100000000, 0x120000000, "node1", BASE + 0xc0000000 },
};

typedef struct {
	const char *tree;
	const char *address; /* NULL: as it should be */
	guint asked;
} Fake;

static char *say(guint64 gpa)
{
	for (guint i = 0; i < G_N_ELEMENTS(seen); i++) {
		if (gpa < seen[i].first || gpa >= seen[i].end)
			continue;
		if (!seen[i].name)
			break;
		return g_strdup_printf("Host virtual address for 0x%" PRIx64 " (%s) is 0x%" PRIx64
				       "\r\n",
				       gpa, seen[i].name, seen[i].hva + gpa - seen[i].first);
	}
	return g_strdup_printf(gpa < 0x200000000 ? "Memory at address 0x%" PRIx64 " is not RAM\r\n"
						 : "No memory is mapped at address 0x%" PRIx64
						   "\r\n",
			       gpa);
}

static char *ask(gpointer data, const char *command, GError **error)
{
	Fake *f = data;
	unsigned long long gpa;

	/* "info mtree -f" keeps devices from being unplugged, see layout.c. */
	if (g_str_equal(command, "info mtree")) {
		if (!f->tree)
			g_set_error(error, KX_ERROR, KX_ERROR_NO_LIBVIRT, "no monitor");
		return g_strdup(f->tree);
	}
	assert_int_equal(sscanf(command, "gpa2hva 0x%llx", &gpa), 1);
	f->asked++;
	return f->address ? g_strdup(f->address) : say(gpa);
}

static KxLayout *read_from(Fake *f, GError **error)
{
	return kx_layout_read(&(KxMonitor){ .ask = ask, .data = f }, error);
}

static char *say_cpus(gpointer data, const char *command, GError **error)
{
	assert_string_equal(command, "info cpus");
	return g_strdup(data);
}

/* One thread may run them all. */
static void counts_vcpus(void **state)
{
	KxMonitor m = { .ask = say_cpus };
	g_autoptr(GString) many = g_string_new(NULL);

	assert_int_equal(kx_monitor_vcpus(&m), 0);
	m.data = (gpointer) "* CPU #0: thread_id=4712\r\n  CPU #1: thread_id=4712\r\n";
	assert_int_equal(kx_monitor_vcpus(&m), 2);
	for (guint i = 0; i < 10000; i++)
		g_string_append(many, "  CPU #0: thread_id=1\r\n");
	m.data = many->str;
	assert_int_equal(kx_monitor_vcpus(&m), 0);
}

static void finds_ram_and_nothing_else(void **state)
{
	Fake f = { .tree = tree };
	g_autoptr(GError) error = NULL;
	g_autoptr(KxLayout) l = read_from(&f, &error);
	static const struct {
		guint64 gfn, hva, npages; /* 0: no RAM */
	} cases[] = {
		{ 0, BASE, 0xa0 },
		{ 0x9f, BASE + 0x9f000, 1 },
		{ 0xa0, 0, 0 },
		{ 0xbf, 0, 0 },
		{ 0xc0, BASE + 0xc0000, 4 }, /* in front of the ROM */
		{ 0xc4, 0, 0 },
		{ 0xff, 0, 0 },
		{ 0x100, BASE + 0x100000, 0xbff00 }, /* two nodes in one piece */
		{ 0x40000, BASE + 0x40000000, 0x80000 },
		{ 0xbffff, BASE + 0xbffff000, 1 },
		{ 0xc0000, 0, 0 },
		{ 0xe0000, 0, 0 },
		{ 0xf0000, 0, 0 },
		{ 0xfe000, 0x7d0000000000, 0x200 },
		{ 0xfe200, 0, 0 },
		{ 0x100000, BASE + 0xc0000000, 0x20000 },
		{ 0x11ffff, BASE + 0xdffff000, 1 },
		{ 0x120000, 0, 0 },
		{ G_MAXUINT64, 0, 0 },
	};

	if (!l)
		fail_msg("%s", error->message);
	assert_in_range(f.asked, 10, 30);
	assert_int_equal(l->parts->len, 5);
	assert_int_equal(kx_layout_pages(l), 0xa0 + 4 + 0xbff00 + 0x200 + 0x20000);
	assert_int_equal(kx_layout_last_gfn(l), 0x11ffff);
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		guint64 hva = 0, npages = 0;

		assert_int_equal(kx_layout_find(l, cases[i].gfn, &hva, &npages),
				 cases[i].npages != 0);
		assert_int_equal(hva, cases[i].hva);
		assert_int_equal(npages, cases[i].npages);
	}
}

/* Of the bridges each has a region of this name; the aliases of both lead to all of them. */
static void finds_ram_behind_each_bridge(void **state)
{
	static const char bridges[] =
		"address-space: memory\n"
		"  0000000000000000-ffffffffffffffff (prio 0, i/o): system\n"
		"    00000000fc000000-00000000fc1fffff (prio 1, i/o): alias pci_bridge_pref_mem "
		"@pci_bridge_pci 00000000fc000000-00000000fc1fffff\n"
		"    00000000fd000000-00000000fd1fffff (prio 1, i/o): alias pci_bridge_pref_mem "
		"@pci_bridge_pci 00000000fd000000-00000000fd1fffff\n\n"
		"memory-region: pci_bridge_pci\n"
		"  0000000000000000-ffffffffffffffff (prio 0, i/o): pci_bridge_pci\n"
		"    00000000fc000000-00000000fc1fffff (prio 1, ram): 0000:02:00.0 BAR 2\n\n"
		"memory-region: pci_bridge_pci\n"
		"  0000000000000000-ffffffffffffffff (prio 0, i/o): pci_bridge_pci\n"
		"    00000000fd000000-00000000fd1fffff (prio 1, ram): 0000:03:00.0 BAR 2\n\n"
		"memory-region: pci_bridge_pci\n"
		"  0000000000000000-ffffffffffffffff (prio 0, i/o): pci_bridge_pci\n\n";
	Fake f = { .tree = bridges };
	g_autoptr(GError) error = NULL;
	g_autoptr(KxLayout) l = read_from(&f, &error);
	guint64 hva, npages;

	if (!l)
		fail_msg("%s", error->message);
	assert_int_equal(kx_layout_pages(l), 0x400);
	assert_true(kx_layout_find(l, 0xfc000, &hva, &npages));
	assert_int_equal(hva, 0x7c0000000000);
	assert_true(kx_layout_find(l, 0xfd000, &hva, &npages));
	assert_int_equal(hva, 0x7b0000000000);
}

static void believes_no_nonsense(void **state)
{
	static const char space[] = "address-space: memory\n  0000000000000000-ffffffffffffffff "
				    "(prio 0, i/o): system\n";
	static const struct {
		const char *parts, *address, *why;
	} cases[] = {
		{ "", NULL, "names no RAM" },
		{ "    0000000000000000-0000000000000fff (prio 0, rom): pc.bios\n", NULL,
		  "names no RAM" },
		{ "    0000000000000000-ffffffffffffffff (prio 0, ram): a\n", NULL,
		  "names no RAM" },
		{ "    0000000000001000-0000000000001fff (prio 0, ram): a\n", "is not RAM",
		  "names no RAM" },
		{ "    0000000000001000-0000000000001fff (prio 0, ram): a\n", "unknown command",
		  "does not say where" },
		{ "    0000000000001000-0000000000001fff (prio 0, ram): a\n",
		  "Host virtual address for 0x1000 (a) is 0x7f0000000001", "does not say where" },
		{ "    0000000000001000-0000000000001fff (prio 0, ram): a\n",
		  "Host virtual address for 0x1000 (a) is 0x0", "does not say where" },
		{ "    0000000000001000-0000000000001fff (prio 0, ram): a\n",
		  "Host virtual address for 0x1000 (b) is 0x7f0000000000", "names no RAM" },
		{ "    0000000000001000-0000000000008fff (prio 0, ram): a\n",
		  "Host virtual address for 0x1000 (a) is 0x7f0000000000",
		  "does not end where it should" },
		/* an alias of itself */
		{ "    0000000000000000-0000000000ffffff (prio 0, i/o): alias a @a "
		  "0000000000000000-0000000000ffffff\nmemory-region: a\n"
		  "  0000000000000000-0000000000ffffff (prio 0, i/o): alias a @a "
		  "0000000000000000-0000000000ffffff\n",
		  NULL, "names no RAM" },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = g_strconcat(space, cases[i].parts, NULL);
		g_autoptr(GError) error = NULL;

		assert_null(read_from(&(Fake){ text, cases[i].address, 0 }, &error));
		assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED));
		if (!strstr(error->message, cases[i].why))
			fail_msg("case %u: %s", i, error->message);
	}
}

static void hands_on_what_the_monitor_says(void **state)
{
	g_autoptr(GError) error = NULL;

	assert_null(read_from(&(Fake){ 0 }, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_NO_LIBVIRT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_vcpus),
		cmocka_unit_test(finds_ram_and_nothing_else),
		cmocka_unit_test(finds_ram_behind_each_bridge),
		cmocka_unit_test(believes_no_nonsense),
		cmocka_unit_test(hands_on_what_the_monitor_says),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
