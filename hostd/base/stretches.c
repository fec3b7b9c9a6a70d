// SPDX-License-Identifier: GPL-2.0-or-later
#include "stretches.h"

#include <string.h>

const KxStretch *kx_stretches_now(const KxStretches *s)
{
	const KxStretch *last = s->n ? &s->kept[s->n - 1] : NULL;

	return last && last->until_ns == KX_NOT_OVER ? last : NULL;
}

void kx_stretches_begin(KxStretches *s, guint64 from_ns)
{
	if (kx_stretches_now(s))
		return;
	if (s->n)
		from_ns = MAX(from_ns, s->kept[s->n - 1].until_ns);
	if (s->n == KX_STRETCHES_KEPT)
		memmove(&s->kept[0], &s->kept[1], --s->n * sizeof(s->kept[0]));
	s->kept[s->n++] = (KxStretch){ from_ns, KX_NOT_OVER };
}

const KxStretch *kx_stretches_end(KxStretches *s, guint64 until_ns)
{
	KxStretch *last = kx_stretches_now(s) ? &s->kept[s->n - 1] : NULL;

	if (last)
		last->until_ns = MAX(until_ns, last->from_ns);
	return last;
}

guint64 kx_stretch_in(const KxStretch *s, guint64 from_ns, guint64 until_ns)
{
	guint64 from = MAX(s->from_ns, from_ns), until = MIN(s->until_ns, until_ns);

	return until > from ? until - from : 0;
}

guint64 kx_stretches_over_in(const KxStretches *s, guint64 from_ns, guint64 until_ns)
{
	guint64 sum = 0;

	for (guint i = 0; i < s->n; i++) {
		if (s->kept[i].until_ns != KX_NOT_OVER)
			sum += kx_stretch_in(&s->kept[i], from_ns, until_ns);
	}
	return sum;
}

gboolean kx_stretches_cover(const KxStretches *s, guint64 from_ns, guint64 until_ns)
{
	for (guint i = 0; i < s->n && from_ns <= until_ns; i++) {
		if (s->kept[i].from_ns <= from_ns && until_ns <= s->kept[i].until_ns)
			return TRUE;
	}
	return FALSE;
}
