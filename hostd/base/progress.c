// SPDX-License-Identifier: GPL-2.0-or-later
#include "progress.h"

#include "textfmt.h"

/* The progress of a shorter pass is not shown. */
#define LONG_NS 1000000000.0

static char *to_go(double elapsed, double done)
{
	double left = elapsed * (1 - done) / done;

	return left < 1e9 ? g_strdup("less than 1 s to go")
			  : g_strdup_printf("about %.0f s to go", left / 1e9);
}

static const char *step_text(guint32 step)
{
	static const char *const texts[] = {
		[KVM_EXT_STEP_MEMORY] = "",
		[KVM_EXT_STEP_LOG_ENABLE] = ", KVM switches its log on",
		[KVM_EXT_STEP_LOG_HARVEST] = ", KVM hands out its log",
	};

	return step < G_N_ELEMENTS(texts) ? texts[step] : "";
}

char *kx_progress_text(const struct kvm_ext_stats *st)
{
	const struct kvm_ext_progress *p = &st->progress;
	double elapsed = (double)(st->now_ns - p->start_ns), done;
	g_autofree char *what = NULL, *percent = NULL, *left = NULL;

	if (!p->start_ns || p->start_ns > st->now_ns)
		return NULL;
	done = p->total_pages ? (double)p->pages / (double)p->total_pages : 0;
	if (elapsed < LONG_NS && !(done > 0 && elapsed / done >= LONG_NS))
		return NULL;
	what = p->flags & KVM_EXT_PASS_PRIME
		       ? g_strdup("priming")
		       : g_strdup_printf("pass %" G_GUINT64_FORMAT, (guint64)p->pass);
	if (!p->total_pages)
		return g_strdup_printf("%s, for %.0f s so far%s", what, elapsed / 1e9,
				       step_text(p->step));
	percent = done >= 0.1 ? g_strdup_printf("%.0f", 100 * done) : kx_text_number(100 * done);
	left = done > 0 ? to_go(elapsed, done) : g_strdup("how long is not known yet");
	return g_strdup_printf("%s, %s %% of memory, %s%s", what, percent, left,
			       step_text(p->step));
}
