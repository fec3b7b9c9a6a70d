// SPDX-License-Identifier: GPL-2.0-or-later
#include "placing.h"

#include "tracker/units.h"
#include "xml.h"

#define CPUS_MAX  8192u
#define SPLIT_KIB 2048u /* nodes of the guest are whole huge pages */

void kx_placing_clear(KxPlacing *p)
{
	g_clear_pointer(&p->cpus, g_array_unref);
	g_clear_pointer(&p->emulator_cpus, g_free);
}

/* "3" or "0-3". */
static gboolean add_span(GArray *cpus, const char *span)
{
	g_auto(GStrv) ends = g_strsplit(span, "-", 3);
	guint n = g_strv_length(ends);
	guint64 first, last;

	if (n < 1 || n > 2 || !kx_parse_number(ends[0], NULL, &first) ||
	    !kx_parse_number(ends[n - 1], NULL, &last) || first > last || last >= CPUS_MAX)
		return FALSE;
	for (guint64 cpu = first; cpu <= last; cpu++) {
		guint one = (guint)cpu;

		for (guint i = 0; i < cpus->len; i++) {
			if (g_array_index(cpus, guint, i) == one)
				return FALSE;
		}
		g_array_append_val(cpus, one);
	}
	return TRUE;
}

GArray *kx_placing_cpus(const char *text)
{
	g_autoptr(GArray) cpus = g_array_new(FALSE, FALSE, sizeof(guint));
	g_auto(GStrv) spans = g_strsplit(text, ",", -1);

	for (char **span = spans; *span; span++) {
		if (!add_span(cpus, g_strstrip(*span)))
			return NULL;
	}
	return cpus->len ? g_steal_pointer(&cpus) : NULL;
}

static void add_cell(xmlNode *numa, guint id, const char *cpus, guint64 kib)
{
	xmlNode *cell = kx_xml_add(numa, "cell", NULL);

	kx_xml_set_number(cell, "id", id);
	if (cpus)
		kx_xml_set(cell, "cpus", cpus);
	kx_xml_set_number(cell, "memory", kib);
	kx_xml_set(cell, "unit", "KiB");
}

static void add_memnode(const KxPlacing *p, xmlNode *numatune, guint cell, guint node)
{
	xmlNode *memnode = kx_xml_add(numatune, "memnode", NULL);

	kx_xml_set_number(memnode, "cellid", cell);
	kx_xml_set(memnode, "mode", p->preferred ? "preferred" : "strict");
	kx_xml_set_number(memnode, "nodeset", node);
}

static void split(const KxPlacing *p, xmlNode *domain, guint vcpus, guint64 memory_bytes)
{
	guint64 all = memory_bytes / 1024;
	double share = (double)p->fast_share[0] / (double)p->fast_share[1];
	guint64 fast = (guint64)((double)all * share / SPLIT_KIB + 0.5) * SPLIT_KIB;
	g_autofree char *cpus = g_strdup_printf(vcpus > 1 ? "0-%u" : "%u", vcpus - 1);
	xmlNode *cpu = kx_xml_need(domain, "cpu"), *numa, *numatune;

	fast = CLAMP(fast, SPLIT_KIB, all - SPLIT_KIB);
	kx_xml_remove(cpu, "numa");
	numa = kx_xml_add(cpu, "numa", NULL);
	add_cell(numa, 0, cpus, fast);
	add_cell(numa, 1, NULL, all - fast);
	kx_xml_remove(domain, "numatune");
	numatune = kx_xml_add(domain, "numatune", NULL);
	add_memnode(p, numatune, 0, p->fast_node);
	add_memnode(p, numatune, 1, p->slow_node);
}

static void pin(const KxPlacing *p, xmlNode *domain, guint vm, guint vcpus)
{
	xmlNode *cputune = kx_xml_need(domain, "cputune"), *one;

	if (p->cpus)
		kx_xml_remove(cputune, "vcpupin");
	for (guint i = 0; p->cpus && i < vcpus; i++) {
		one = kx_xml_add(cputune, "vcpupin", NULL);
		kx_xml_set_number(one, "vcpu", i);
		kx_xml_set_number(one, "cpuset", g_array_index(p->cpus, guint, vm * vcpus + i));
	}
	if (p->emulator_cpus) {
		kx_xml_remove(cputune, "emulatorpin");
		one = kx_xml_add(cputune, "emulatorpin", NULL);
		kx_xml_set(one, "cpuset", p->emulator_cpus);
	}
}

void kx_placing_apply(const KxPlacing *p, xmlNode *domain, guint vm, guint vcpus,
		      guint64 memory_bytes)
{
	if (p->split)
		split(p, domain, vcpus, memory_bytes);
	if (p->cpus || p->emulator_cpus)
		pin(p, domain, vm, vcpus);
}
