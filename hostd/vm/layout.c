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

/* --- "info cpus" ---------------------------------------------------------------------------------------------------- */

/* More than QEMU has on any host. Its text is not trusted. */
#define VCPUS_MAX 8192u

/* A line for each: "* CPU #0: thread_id=4712". */
guint kx_monitor_vcpus(const KxMonitor *monitor)
{
	g_autofree char *text = monitor->ask(monitor->data, "info cpus", NULL);
	const char *at = text;
	guint n = 0;

	while (at && (at = strstr(at, "CPU #")) && n <= VCPUS_MAX) {
		at++;
		n++;
	}
	return n <= VCPUS_MAX ? n : 0;
}

/* --- "info mtree" --------------------------------------------------------------------------------------------------- */

/*
 * The source is the tree of regions, although QEMU's flat view of it ("info mtree -f") has what is needed: for "info mtree -f" QEMU
 * (7.2, and later versions) takes a reference to the view for each address space that has it, and drops only one of them. After
 * that, no device whose memory is in the view could ever be unplugged.
 *
 * A section is an address space or a region to which aliases point. Its lines, bounds inclusive:
 * address-space: cpu-memory-0
 * address-space: memory
 *   0000000000000000-ffffffffffffffff (prio 0, i/o): system
 *     0000000000000000-00000000bfffffff (prio 0, ram): alias ram-below-4g @pc.ram 0000000000000000-00000000bfffffff
 *     00000000000a0000-00000000000bffff (prio 1, i/o): alias smram-region @pci 00000000000a0000-00000000000bffff
 * memory-region: pc.ram
 *   0000000000000000-00000000ffffffff (prio 0, ram): pc.ram
 */
#define SECTION_MEMORY "address-space: memory"
#define SECTION_SPACE  "address-space: "
#define SECTION_REGION "memory-region: "

/* Bounds aliases of aliases; no machine type comes near this bound. */
#define DEPTH_MAX 16u

/* Far above what any machine type has. QEMU's text is not trusted: aliases of aliases could go on without end. */
#define STEPS_MAX 8192u

typedef struct {
	guint64 first, last;
	gboolean ram;
	char *name, *target; /* target: of an alias, where it begins at @offset; else NULL */
	guint64 offset;
} Line;

/* What can be RAM, in pages. */
typedef struct {
	guint64 gfn, end;
} Span;

typedef struct {
	GHashTable *sections; /* heading: GPtrArray of those that have it, GArray of Line each */
	GArray *memory;	      /* borrowed; NULL: none */
	/* found on the way: */
	GArray *ram;	   /* Span */
	GArray *cuts;	   /* guint64, page frame numbers at which something begins or ends */
	GHashTable *names; /* of regions that are RAM; borrowed */
	guint steps;	   /* lines looked at, with those that aliases show again */
} Tree;

static void line_clear(gpointer data)
{
	g_free(((Line *)data)->name);
	g_free(((Line *)data)->target);
}

static void tree_clear(Tree *t)
{
	g_clear_pointer(&t->sections, g_hash_table_unref);
	g_clear_pointer(&t->ram, g_array_unref);
	g_clear_pointer(&t->cuts, g_array_unref);
	g_clear_pointer(&t->names, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Tree, tree_clear)

/* "alias NAME @TARGET FIRST-LAST", or a name. Names may have spaces. */
static void take_names(const char *text, Line *line)
{
	const char *at = g_strrstr(text, " @"), *bounds = at ? strrchr(at, ' ') : NULL;
	uint64_t offset;

	if (g_str_has_prefix(text, "alias ") && bounds > at &&
	    sscanf(bounds, " %16" SCNx64 "-", &offset) == 1) {
		line->target = g_strndup(at + 2, (gsize)(bounds - at - 2));
		line->offset = offset;
	} else {
		line->name = g_strdup(text);
	}
}

static gboolean parse_line(const char *text, Line *line)
{
	uint64_t first, last;
	char kind[16];
	int prio, length = 0;

	if (sscanf(text, " %16" SCNx64 "-%16" SCNx64 " (prio %d, %15[^)]): %n", &first, &last,
		   &prio, kind, &length) != 4 ||
	    !length || last < first)
		return FALSE;
	*line = (Line){ .first = first, .last = last, .ram = g_str_equal(kind, "ram") };
	take_names(text + length, line);
	return TRUE;
}

/* @now: the section at hand; NULL: none. Spaces that have one tree are named one after the other, before it. */
static GArray *begin_section(Tree *t, GArray *now, const char *heading)
{
	GArray *section =
		now && !now->len ? g_array_ref(now) : g_array_new(FALSE, FALSE, sizeof(Line));
	GPtrArray *same;

	g_array_set_clear_func(section, line_clear);
	if (g_str_equal(heading, SECTION_MEMORY))
		t->memory = section;
	same = g_hash_table_lookup(t->sections, heading);
	if (!same) {
		same = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
		g_hash_table_insert(t->sections, g_strdup(heading), same);
	}
	g_ptr_array_add(same, section);
	return section;
}

static void parse_tree(const char *text, Tree *t)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	GArray *section = NULL;

	for (char **line = lines; *line; line++) {
		Line parsed;

		g_strchomp(*line);
		if (!**line)
			section = NULL;
		else if (g_str_has_prefix(*line, SECTION_SPACE) ||
			 g_str_has_prefix(*line, SECTION_REGION))
			section = begin_section(t, section, *line);
		else if (section && parse_line(*line, &parsed))
			g_array_append_val(section, parsed);
	}
}

/* --- what can be RAM ------------------------------------------------------------------------------------------------- */

static void add_cuts(Tree *t, guint64 first, guint64 last)
{
	const guint64 cuts[] = { first >> PAGE_SHIFT, (first >> PAGE_SHIFT) + 1, last >> PAGE_SHIFT,
				 (last >> PAGE_SHIFT) + 1 };

	g_array_append_vals(t->cuts, cuts, G_N_ELEMENTS(cuts));
}

/* Only whole pages are added: a smaller part is not guest RAM. */
static void add_ram(Tree *t, guint64 first, guint64 last)
{
	Span span = { first / PAGE_BYTES + (first % PAGE_BYTES != 0),
		      last / PAGE_BYTES + (last % PAGE_BYTES == PAGE_BYTES - 1) };

	if (span.gfn < span.end && span.end <= KX_GFN_END)
		g_array_append_val(t->ram, span);
}

/*
 * Regions may have equal names: each PCI bridge has a "pci_bridge_pci". An alias does not say which region is meant, so all of them
 * are taken: the result is memory that can be RAM, and "gpa2hva" decides.
 */
static const GPtrArray *targets_of(const Tree *t, const Line *line)
{
	g_autofree char *heading =
		line->target ? g_strconcat(SECTION_REGION, line->target, NULL) : NULL;

	return heading ? g_hash_table_lookup(t->sections, heading) : NULL;
}

/* The parts of @section from @first to @last; the guest sees @first at @at. */
static void walk(Tree *t, const GArray *section, guint64 first, guint64 last, guint64 at,
		 guint depth)
{
	for (guint i = 0; i < section->len; i++) {
		const Line *line = &g_array_index(section, Line, i);
		guint64 from = MAX(line->first, first), to = MIN(line->last, last), gpa;
		const GPtrArray *targets;

		if (from > to)
			continue;
		if (++t->steps > STEPS_MAX)
			return;
		gpa = at + (from - first);
		add_cuts(t, gpa, gpa + (to - from));
		if (line->ram) {
			add_ram(t, gpa, gpa + (to - from));
			g_hash_table_add(t->names, line->target ? line->target : line->name);
			continue;
		}
		targets = depth < DEPTH_MAX ? targets_of(t, line) : NULL;
		for (guint n = 0; targets && n < targets->len; n++) {
			const GArray *target = g_ptr_array_index(targets, n);
			guint64 begin;

			if (!target->len)
				continue;
			/* Its own place is in its first line. */
			begin = g_array_index(target, Line, 0).first + line->offset +
				(from - line->first);
			walk(t, target, begin, begin + (to - from), gpa, depth + 1);
		}
	}
}

static gint lower_first(gconstpointer a, gconstpointer b)
{
	guint64 x = *(const guint64 *)a, y = *(const guint64 *)b;

	return x < y ? -1 : x > y;
}

static gboolean read_tree(Tree *t, const char *text, GError **error)
{
	t->sections = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
					    (GDestroyNotify)g_ptr_array_unref);
	t->ram = g_array_new(FALSE, FALSE, sizeof(Span));
	t->cuts = g_array_new(FALSE, FALSE, sizeof(guint64));
	t->names = g_hash_table_new(g_str_hash, g_str_equal);
	parse_tree(text, t);
	if (t->memory)
		walk(t, t->memory, 0, G_MAXUINT64, 0, 0);
	if (t->steps > STEPS_MAX)
		return failed(error, "it has too many regions");
	g_array_sort(t->cuts, lower_first);
	return t->ram->len || failed(error, "it names no RAM");
}

/* --- "gpa2hva" -------------------------------------------------------------------------------------------------------- */

/* "Host virtual address for 0x100000000 (pc.ram) is 0x7f3f53e00000" */
static gboolean parse_address(const char *text, guint64 *hva, char **name)
{
	const char *at = g_strrstr(text, ") is 0x"), *begin = strstr(text, " (");
	uint64_t value;

	if (!at || !begin || begin > at || !g_str_has_prefix(text, "Host virtual address for ") ||
	    sscanf(at + strlen(") is "), "%" SCNx64, &value) != 1 || !value || value % PAGE_BYTES)
		return FALSE;
	*hva = value;
	*name = g_strndup(begin + 2, (gsize)(at - begin - 2));
	return TRUE;
}

static gboolean is_hole(const char *answer)
{
	return strstr(answer, "not RAM") || strstr(answer, "No memory is mapped");
}

/* What the guest sees at @gfn: RAM at @hva; or something else that hides the RAM (*@hva is 0). */
static gboolean ask_address(const KxMonitor *monitor, const Tree *t, guint64 gfn, guint64 *hva,
			    GError **error)
{
	g_autofree char *command =
		g_strdup_printf("gpa2hva 0x%" G_GINT64_MODIFIER "x", gfn << PAGE_SHIFT);
	g_autofree char *answer = monitor->ask(monitor->data, command, error), *name = NULL;

	*hva = 0;
	if (!answer)
		return FALSE;
	if (!parse_address(answer, hva, &name))
		return is_hole(answer) || failed(error, "it does not say where a part of it is");
	/* ROM has an address, too. */
	if (!g_hash_table_contains(t->names, name))
		*hva = 0;
	return TRUE;
}

static gboolean can_be_ram(const Tree *t, guint64 gfn, guint64 end)
{
	for (guint i = 0; i < t->ram->len; i++) {
		const Span *span = &g_array_index(t->ram, Span, i);

		if (span->gfn <= gfn && end <= span->end)
			return TRUE;
	}
	return FALSE;
}

/* Between two consecutive cuts the memory is of one kind, so only its first page is asked about. */
static gboolean find_parts(const KxMonitor *monitor, const Tree *t, GArray *parts, GError **error)
{
	guint asked = 0;

	for (guint i = 1; i < t->cuts->len; i++) {
		guint64 gfn = g_array_index(t->cuts, guint64, i - 1);
		guint64 end = g_array_index(t->cuts, guint64, i);
		KxLayoutPart part = { .gfn = gfn, .npages = end - gfn };

		if (gfn == end || !can_be_ram(t, gfn, end))
			continue;
		if (asked++ == KX_LAYOUT_PARTS_MAX)
			return failed(error, "it has too many parts");
		if (!ask_address(monitor, t, gfn, &part.hva, error))
			return FALSE;
		if (part.hva)
			g_array_append_val(parts, part);
	}
	return parts->len || failed(error, "it names no RAM");
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

/* FALSE: a part ends at another address than it should, because it was not understood, or has changed meanwhile. */
static gboolean check_ends(const KxMonitor *monitor, const Tree *t, const GArray *parts,
			   GError **error)
{
	for (guint i = 0; i < parts->len; i++) {
		const KxLayoutPart *p = &g_array_index(parts, KxLayoutPart, i);
		guint64 hva;

		if (!ask_address(monitor, t, p->gfn + p->npages - 1, &hva, error))
			return FALSE;
		if (hva != p->hva + ((p->npages - 1) << PAGE_SHIFT))
			return failed(error, "a part of it does not end where it should");
	}
	return TRUE;
}

KxLayout *kx_layout_read(const KxMonitor *monitor, GError **error)
{
	g_autoptr(KxLayout) l = g_new0(KxLayout, 1);
	g_autofree char *text = monitor->ask(monitor->data, "info mtree", error);
	g_auto(Tree) t = { 0 };

	l->parts = g_array_new(FALSE, FALSE, sizeof(KxLayoutPart));
	if (!text || !read_tree(&t, text, error) || !find_parts(monitor, &t, l->parts, error))
		return NULL;
	join(l->parts);
	if (!check_ends(monitor, &t, l->parts, error))
		return NULL;
	return g_steal_pointer(&l);
}

KxLayout *kx_layout_copy(const KxLayout *l)
{
	KxLayout *c = g_new0(KxLayout, 1);

	c->parts = g_array_copy(l->parts);
	return c;
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
