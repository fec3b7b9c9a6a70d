// SPDX-License-Identifier: GPL-2.0-or-later
#include "declared.h"

#include <string.h>

G_STATIC_ASSERT(KVM_EXT_CHANNEL_DECLARED_MAX <= KVM_EXT_RANGES_MAX);

static gboolean is_same(const GArray *a, const GArray *b)
{
	return a->len == b->len &&
	       memcmp(a->data, b->data, a->len * sizeof(struct kvm_ext_channel_span)) == 0;
}

static gint lower_first(gconstpointer a, gconstpointer b)
{
	guint64 x = ((const struct kvm_ext_range *)a)->gfn;
	guint64 y = ((const struct kvm_ext_range *)b)->gfn;

	return x < y ? -1 : x > y;
}

/* The module requires sorted and disjoint ranges; the guest's spans may be in any order and may overlap. */
static GArray *ranges_of(const GArray *spans)
{
	g_autoptr(GArray) sorted = g_array_new(FALSE, FALSE, sizeof(struct kvm_ext_range));
	GArray *apart = g_array_new(FALSE, FALSE, sizeof(struct kvm_ext_range));

	for (guint i = 0; i < spans->len; i++) {
		const struct kvm_ext_channel_span *s =
			&g_array_index(spans, struct kvm_ext_channel_span, i);
		struct kvm_ext_range r = { s->gfn, s->npages };

		g_array_append_val(sorted, r);
	}
	g_array_sort(sorted, lower_first);
	for (guint i = 0; i < sorted->len; i++) {
		const struct kvm_ext_range *r = &g_array_index(sorted, struct kvm_ext_range, i);
		struct kvm_ext_range *last =
			apart->len ? &g_array_index(apart, struct kvm_ext_range, apart->len - 1)
				   : NULL;

		if (last && r->gfn <= last->gfn + last->npages)
			last->npages = MAX(last->npages, r->gfn + r->npages - last->gfn);
		else
			g_array_append_val(apart, *r);
	}
	return apart;
}

gboolean kx_declared_look(KxDeclared *d, KxChannel *channel, KxModule *module, GError **error)
{
	g_autoptr(GArray) spans = kx_channel_declared(channel), ranges = NULL;

	if (!spans || (d->spans ? is_same(d->spans, spans) : !spans->len))
		return TRUE;
	/* The list is kept also if the module refuses it, so that the same list is not passed to the module again. */
	g_clear_pointer(&d->spans, g_array_unref);
	d->spans = g_steal_pointer(&spans);
	ranges = ranges_of(d->spans);
	return kx_module_exclude(module, (const struct kvm_ext_range *)ranges->data, ranges->len,
				 &d->pages, error);
}

void kx_declared_clear(KxDeclared *d)
{
	g_clear_pointer(&d->spans, g_array_unref);
	d->pages = 0;
}
