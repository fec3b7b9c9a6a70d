// SPDX-License-Identifier: GPL-2.0-or-later
#include "reasons.h"

#include "base/textfmt.h"

typedef struct {
	const char *why;
	GPtrArray *labels; /* const char * */
} Reason;

struct _KxReasons {
	GPtrArray *reasons; /* Reason */
	guint rows;
};

static void reason_free(gpointer data)
{
	Reason *reason = data;

	g_ptr_array_unref(reason->labels);
	g_free(reason);
}

KxReasons *kx_reasons_new(void)
{
	KxReasons *r = g_new0(KxReasons, 1);

	r->reasons = g_ptr_array_new_with_free_func(reason_free);
	return r;
}

void kx_reasons_free(KxReasons *r)
{
	g_ptr_array_unref(r->reasons);
	g_free(r);
}

static Reason *reason_of(KxReasons *r, const char *why)
{
	Reason *reason;

	for (guint i = 0; i < r->reasons->len; i++) {
		reason = r->reasons->pdata[i];
		if (g_str_equal(reason->why, why))
			return reason;
	}
	reason = g_new0(Reason, 1);
	reason->why = why;
	reason->labels = g_ptr_array_new();
	g_ptr_array_add(r->reasons, reason);
	return reason;
}

void kx_reasons_add(KxReasons *r, const char *label, const char *why)
{
	r->rows++;
	if (why)
		g_ptr_array_add(reason_of(r, why)->labels, (gpointer)label);
}

/* "all trackers" if there are several and the reason applies to all. */
static char *whose(const GPtrArray *labels, guint rows)
{
	if (rows > 1 && labels->len == rows)
		return g_strdup("all trackers");
	return kx_text_list((const char *const *)labels->pdata, labels->len);
}

void kx_reasons_tell(const KxReasons *r, const char *name, GPtrArray *notes)
{
	for (guint i = 0; i < r->reasons->len; i++) {
		const Reason *reason = r->reasons->pdata[i];
		g_autofree char *labels = whose(reason->labels, r->rows);

		g_ptr_array_add(notes,
				g_strdup_printf("%s of %s: n/a, %s", name, labels, reason->why));
	}
}
