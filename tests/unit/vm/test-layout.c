// SPDX-License-Identifier: GPL-2.0-or-later
/* From QEMU's monitor to addresses, against a monitor in memory. The text is that of QEMU 7.2. */
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
	"FlatView #0\r\n AS \"I/O\", root: io\r\n Root memory region: io\r\n"
	"  0000000000000000-0000000000000007 (prio 0, i/o): dma-chan\r\n\r\n"
	"FlatView #1\r\n AS \"VGA\", root: bus master container\r\n"
	" Root memory region: (none)\r\n  No rendered FlatView\r\n\r\n"
	"FlatView #2\r\n AS \"memory\", root: system\r\n AS \"cpu-memory-0\", root: system\r\n"
	" Root memory region: system\r\n"
	"  0000000000000000-000000000009ffff (prio 0, ram): pc.ram kvm\r\n"
	"  00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem\r\n"
	"  00000000000c0000-00000000000dffff (prio 1, rom): pc.rom kvm\r\n"
	"  00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000 kvm\r\n"
	"  0000000000100000-000000003fffffff (prio 0, ram): node0 @0000000000100000 kvm\r\n"
	"  0000000040000000-00000000bfffffff (prio 0, ram): node1 kvm\r\n"
	"  00000000e0000000-00000000e00007ff (prio 0, ram): less than a page\r\n"
	"  00000000f0000000-00000000f0ffffff (prio 1, ramd): 0000:01:00.0 BAR 0\r\n"
	"  00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi\r\n"
	"  0000000100000000-000000011fffffff (prio 0, ram): pc.ram @00000000c0000000 kvm\r\n\r\n"
	"FlatView #3\r\n AS \"cpu-smm-0\", root: memory\r\n Root memory region: memory\r\n"
	"  0000000000000000-00000000ffffffff (prio 0, ram): pc.ram\r\n\r\n";

typedef struct {
	const char *tree;
	const char *address; /* NULL: as it should be */
	guint asked;
} Fake;

/* The memory begins at BASE, and node1 is right behind node0. */
#define BASE 0x7f0000000000ull

static char *ask(gpointer data, const char *command, GError **error)
{
	Fake *f = data;
	unsigned long long gpa, at;

	if (g_str_equal(command, "info mtree -f")) {
		if (!f->tree)
			g_set_error(error, KX_ERROR, KX_ERROR_NO_LIBVIRT, "no monitor");
		return g_strdup(f->tree);
	}
	assert_int_equal(sscanf(command, "gpa2hva 0x%llx", &gpa), 1);
	f->asked++;
	if (f->address)
		return g_strdup(f->address);
	at = BASE + (gpa < 0x100000000ull ? gpa : gpa - 0x40000000ull + 0x1000000ull);
	return g_strdup_printf("Host virtual address for 0x%llx (pc.ram) is 0x%llx\r\n", gpa, at);
}

static KxLayout *read_from(Fake *f, GError **error)
{
	return kx_layout_read(&(KxMonitor){ ask, f }, error);
}

static void finds_ram_and_nothing_else(void **state)
{
	Fake f = { .tree = tree };
	g_autoptr(KxLayout) l = read_from(&f, NULL);
	static const struct {
		guint64 gfn, hva, npages; /* 0: no RAM */
	} cases[] = {
		{ 0, BASE, 0xa0 },
		{ 0x9f, BASE + 0x9f000, 1 },
		{ 0xa0, 0, 0 },
		{ 0xff, 0, 0 },
		{ 0x100, BASE + 0x100000, 0xbff00 }, /* two nodes in one piece */
		{ 0x40000, BASE + 0x40000000, 0x80000 },
		{ 0xbffff, BASE + 0xbffff000, 1 },
		{ 0xc0000, 0, 0 },
		{ 0xe0000, 0, 0 },
		{ 0xf0000, 0, 0 },
		{ 0x100000, BASE + 0xc1000000, 0x20000 },
		{ 0x11ffff, BASE + 0xe0fff000, 1 },
		{ 0x120000, 0, 0 },
		{ G_MAXUINT64, 0, 0 },
	};

	assert_non_null(l);
	assert_int_equal(f.asked, 4);
	assert_int_equal(l->parts->len, 3);
	assert_int_equal(kx_layout_pages(l), 0xa0 + 0xbff00 + 0x20000);
	assert_int_equal(kx_layout_last_gfn(l), 0x11ffff);
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		guint64 hva = 0, npages = 0;

		assert_int_equal(kx_layout_find(l, cases[i].gfn, &hva, &npages),
				 cases[i].npages != 0);
		assert_int_equal(hva, cases[i].hva);
		assert_int_equal(npages, cases[i].npages);
	}
}

static void believes_no_nonsense(void **state)
{
	static const char view[] = "FlatView #0\n AS \"memory\", root: system\n";
	static const struct {
		const char *parts, *address, *why;
	} cases[] = {
		{ "", NULL, "names no RAM" },
		{ "  0000000000000000-0000000000000fff (prio 0, rom): pc.bios\n", NULL,
		  "names no RAM" },
		{ "  0000000000001000-0000000000001fff (prio 0, ram): a\n"
		  "  0000000000001000-0000000000001fff (prio 0, ram): b\n",
		  NULL, "out of order" },
		{ "  0000000000000000-ffffffffffffffff (prio 0, ram): a\n", NULL, "names no RAM" },
		{ "  0000000000001000-0000000000001fff (prio 0, ram): a\n", "not RAM",
		  "does not say where" },
		{ "  0000000000001000-0000000000001fff (prio 0, ram): a\n",
		  "Host virtual address for 0x1000 (a) is 0x7f0000000001", "does not say where" },
		{ "  0000000000001000-0000000000001fff (prio 0, ram): a\n",
		  "Host virtual address for 0x1000 (a) is 0x0", "does not say where" },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = g_strconcat(view, cases[i].parts, NULL);
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
		cmocka_unit_test(finds_ram_and_nothing_else),
		cmocka_unit_test(believes_no_nonsense),
		cmocka_unit_test(hands_on_what_the_monitor_says),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
