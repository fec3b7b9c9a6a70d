// SPDX-License-Identifier: GPL-2.0-or-later
#include "layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/gfnset.h"

#define PAGE_SHIFT 12u
#define PAGE_BYTES (1ull << PAGE_SHIFT)

static gboolean failed(GError **error, const char *what)
{
	g_set_error(error, KX_ERROR, KX_ERROR_NOT_SUPPORTED,
		    "where the VM's memory is in QEMU cannot be read from its monitor: %s", what);
	return FALSE;
}

/* --- "info mtree -f" ------------------------------------------------------------------------------------------------ */

/*
 * A flat view begins with "FlatView #2", then has a line for each address space that it belongs to:
 *  AS "memory", root: system
 * and a line for each part, its bounds inclusive:
 *   0000000000100000-00000000bfffffff (prio 0, ram): pc.ram @0000000000100000 kvm
 */
static gboolean is_view(const char *line)
{
	return g_str_has_prefix(line, "FlatView #");
}

static gboolean is_memory(const char *line)
{
	return g_str_has_prefix(line, " AS \"memory\",");
}

/* Only whole pages: a smaller part is not guest RAM. */
static gboolean ram_of(const char *line, KxLayoutPart *part)
{
	uint64_t first, last;
	char kind[16];
	int prio;

	if (sscanf(line, " %16" SCNx64 "-%16" SCNx64 " (prio %d, %15[^)])", &first, &last, &prio,
		   kind) != 4 ||
	    !g_str_equal(kind, "ram") || last < first || last >= KX_GFN_END << PAGE_SHIFT)
		return FALSE;
	first = (first + PAGE_BYTES - 1) >> PAGE_SHIFT;
	last = (last + 1) >> PAGE_SHIFT;
	*part = (KxLayoutPart){ .gfn = first, .npages = last > first ? last - first : 0 };
	return part->npages > 0;
}

static gboolean parse_tree(const char *text, GArray *parts, GError **error)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	gboolean inside = FALSE, done = FALSE;
	guint64 end = 0;

	for (char **line = lines; *line && !done; line++) {
		KxLayoutPart part;

		g_strchomp(*line);
		if (is_view(*line)) {
			done = inside;
			inside = FALSE;
		}
		inside = inside || is_memory(*line);
		if (done || !inside || !ram_of(*line, &part))
			continue;
		if (part.gfn < end || parts->len == KX_LAYOUT_PARTS_MAX)
			return failed(error, "its parts are out of order, or too many");
		end = part.gfn + part.npages;
		g_array_append_val(parts, part);
	}
	return parts->len || failed(error, "it names no RAM");
}

/* --- "gpa2hva" -------------------------------------------------------------------------------------------------------- */

/* "Host virtual address for 0x100000000 (pc.ram) is 0x7f3f53e00000" */
static gboolean parse_address(const char *text, guint64 *hva)
{
	const char *at = g_strrstr(text, " is 0x");
	uint64_t value;

	if (!at || !g_str_has_prefix(text, "Host virtual address for ") ||
	    sscanf(at + strlen(" is "), "%" SCNx64, &value) != 1 || !value || value % PAGE_BYTES)
		return FALSE;
	*hva = value;
	return TRUE;
}

static gboolean ask_address(const KxMonitor *monitor, KxLayoutPart *part, GError **error)
{
	g_autofree char *command =
		g_strdup_printf("gpa2hva 0x%" G_GINT64_MODIFIER "x", part->gfn << PAGE_SHIFT);
	g_autofree char *answer = monitor->ask(monitor->data, command, error);

	return answer && (parse_address(answer, &part->hva) ||
			  failed(error, "it does not say where a part of it is"));
}

/* Merges parts that are contiguous both in the guest and in the VMM. */
static void join(GArray *parts)
{
	guint n = 0;

	for (guint i = 1; i < parts->len; i++) {
		KxLayoutPart *last = &g_array_index(parts, KxLayoutPart, n);
		const KxLayoutPart *next = &g_array_index(parts, KxLayoutPart, i);

		if (next->gfn == last->gfn + last->npages &&
		    next->hva == last->hva + (last->npages << PAGE_SHIFT))
			last->npages += next->npages;
		else
			g_array_index(parts, KxLayoutPart, ++n) = *next;
	}
	g_array_set_size(parts, n + 1);
}

KxLayout *kx_layout_read(const KxMonitor *monitor, GError **error)
{
	g_autoptr(KxLayout) l = g_new0(KxLayout, 1);
	g_autofree char *tree = monitor->ask(monitor->data, "info mtree -f", error);

	l->parts = g_array_new(FALSE, FALSE, sizeof(KxLayoutPart));
	if (!tree || !parse_tree(tree, l->parts, error))
		return NULL;
	for (guint i = 0; i < l->parts->len; i++) {
		if (!ask_address(monitor, &g_array_index(l->parts, KxLayoutPart, i), error))
			return NULL;
	}
	join(l->parts);
	return g_steal_pointer(&l);
}

void kx_layout_free(KxLayout *l)
{
	if (!l)
		return;
	g_array_unref(l->parts);
	g_free(l);
}

/* --- queries ------------------------------------------------------------------------------------------------------------ */

gboolean kx_layout_find(const KxLayout *l, guint64 gfn, guint64 *hva, guint64 *npages)
{
	guint from = 0, to = l->parts->len;

	while (from < to) {
		guint middle = from + (to - from) / 2;
		const KxLayoutPart *p = &g_array_index(l->parts, KxLayoutPart, middle);

		if (gfn < p->gfn) {
			to = middle;
		} else if (gfn - p->gfn >= p->npages) {
			from = middle + 1;
		} else {
			*hva = p->hva + ((gfn - p->gfn) << PAGE_SHIFT);
			*npages = p->npages - (gfn - p->gfn);
			return TRUE;
		}
	}
	return FALSE;
}

guint64 kx_layout_pages(const KxLayout *l)
{
	guint64 sum = 0;

	for (guint i = 0; i < l->parts->len; i++)
		sum += g_array_index(l->parts, KxLayoutPart, i).npages;
	return sum;
}

guint64 kx_layout_last_gfn(const KxLayout *l)
{
	const KxLayoutPart *last = &g_array_index(l->parts, KxLayoutPart, l->parts->len - 1);

	return last->gfn + last->npages - 1;
}
