// SPDX-License-Identifier: GPL-2.0-or-later
/* Over time: which setting the VM had, when it was paused, and how fast the guest worked. */
#include "page-internal.h"

#include <math.h>

#include "base/textfmt.h"
#include "compare/comparison-ground.h"
#include "report/cells.h"
#include "report/pool.h"

#define BAR  16u /* height of lanes, in pixels */
#define WORK 64u

/* A period with one setting. */
typedef struct {
	guint lane;
	double from, until;   /* seconds from the begin of the picture */
	double rate;	      /* of the guest's work, 1/s; NAN: not known */
	double paused;	      /* seconds */
	const char *failed;   /* why it was not measured; NULL: it was */
	const GArray *pauses; /* KxPause; NULL: single pauses are not known */
} Period;

/* One picture. */
typedef struct {
	const char *scope, *title, *work_title, *work_na;
	GPtrArray *labels; /* char *: of the lanes */
	GArray *periods;
	gint64 begin_ns; /* host CLOCK_REALTIME */
	double length;
} Timeline;

static void timeline_init(Timeline *t, const char *scope)
{
	*t = (Timeline){ .scope = scope,
			 .labels = g_ptr_array_new_with_free_func(g_free),
			 .periods = g_array_new(FALSE, FALSE, sizeof(Period)) };
}

static void timeline_clear(Timeline *t)
{
	g_ptr_array_unref(t->labels);
	g_array_unref(t->periods);
}

static double seconds_since(const Timeline *t, gint64 ns)
{
	return (double)(ns - t->begin_ns) / 1e9;
}

/* --- drawing ---------------------------------------------------------------------------------------------------------- */

static char *period_text(const Timeline *t, const Period *d)
{
	g_autofree char *from = kx_tick_seconds(d->from);
	g_autofree char *time = kx_text_ns((d->until - d->from) * 1e9);
	g_autofree char *rate = isnan(d->rate) ? NULL : kx_text_number(d->rate);

	return g_strdup_printf("%s: from %s on, for %s%s%s%s%s%s",
			       (char *)t->labels->pdata[d->lane], from, time, rate ? ", " : "",
			       rate ? rate : "", rate ? " units of work per s" : "",
			       d->failed ? "; missing: " : "", d->failed ? d->failed : "");
}

/* A bar with a tooltip. */
static void bar(KxPage *p, const KxAxis *a, const char *class, double from, double to, double y,
		double height, const char *words)
{
	double x = CLAMP(kx_axis_place(a, from), 0, 100), end = CLAMP(kx_axis_place(a, to), 0, 100);

	kx_html_open(p->h, "rect", class);
	kx_html_attrf(p->h, "x", "%.3f%%", x);
	kx_html_attrf(p->h, "width", "%.3f%%", MAX(end - x, 0.05)); /* so that it can be seen */
	kx_html_attrf(p->h, "y", "%.2f", y);
	kx_html_attrf(p->h, "height", "%.2f", height);
	kx_plot_title(p, words);
	kx_html_close(p->h);
}

static void draw_pauses(KxPage *p, const Timeline *t, const KxAxis *a, const Period *d)
{
	for (guint i = 0; d->pauses && i < d->pauses->len; i++) {
		const KxPause *pause = &g_array_index(d->pauses, KxPause, i);

		bar(p, a, "paused", seconds_since(t, pause->from_ns),
		    seconds_since(t, pause->until_ns), 2, BAR - 4, "the VM was paused");
	}
}

static void draw_lane(KxPage *p, const Timeline *t, const KxAxis *a, guint lane)
{
	g_autofree char *total = NULL;
	double sum = 0;
	guint n = 0;

	kx_plot_lane_open(p, t->labels->pdata[lane], a, BAR);
	for (guint i = 0; i < t->periods->len; i++) {
		const Period *d = &g_array_index(t->periods, Period, i);
		g_autofree char *words = NULL;

		if (d->lane != lane)
			continue;
		words = period_text(t, d);
		bar(p, a, d->failed ? "failed" : "period", d->from, d->until, 2, BAR - 4, words);
		draw_pauses(p, t, a, d);
		sum += d->until - d->from;
		n++;
	}
	kx_plot_lane_value(p);
	total = kx_text_ns(sum * 1e9);
	kx_html_textf(p->h, "%u x, %s", n, total);
	kx_plot_lane_close(p);
}

static double best_rate(const Timeline *t)
{
	double best = 0;

	for (guint i = 0; i < t->periods->len; i++)
		best = fmax(best, g_array_index(t->periods, Period, i).rate);
	return best;
}

/* How fast the guest worked: bars from 0 up to the highest rate of the picture. */
static void draw_work(KxPage *p, const Timeline *t, const KxAxis *a)
{
	double best = best_rate(t);
	g_autofree char *most = kx_text_number(best);

	if (!(best > 0)) {
		kx_html_open(p->h, "p", "absent");
		kx_html_textf(p->h, "guest progress: n/a: %s.", t->work_na);
		kx_html_close(p->h);
		return;
	}
	kx_plot_lane_open(p, "guest progress", a, WORK);
	for (guint i = 0; i < t->periods->len; i++) {
		const Period *d = &g_array_index(t->periods, Period, i);
		g_autofree char *words = period_text(t, d);
		double height = isnan(d->rate) ? 0 : WORK * d->rate / best;

		if (!isnan(d->rate))
			bar(p, a, "work", d->from, d->until, WORK - height, height, words);
	}
	kx_plot_lane_value(p);
	kx_html_textf(p->h, "0 to %s units of work per s", most);
	kx_plot_lane_close(p);
}

static void table(KxPage *p, const Timeline *t)
{
	static const char *const titles[] = { "setting",	   "from", "time", "paused",
					      "guest work\nper s", NULL };

	kx_page_table_open(p, "The periods one by one", NULL);
	kx_page_table_head(p, titles);
	for (guint i = 0; i < t->periods->len; i++) {
		const Period *d = &g_array_index(t->periods, Period, i);
		KxFigure rate = { .value = d->rate, .low = NAN, .high = NAN };
		g_autofree char *text = kx_text_number(d->rate);

		if (d->failed)
			rate.na = (char *)d->failed;
		else if (isnan(d->rate))
			rate.na = (char *)t->work_na;
		kx_page_row_open(p, t->labels->pdata[d->lane]);
		kx_page_cell_take(p, kx_tick_seconds(d->from));
		kx_page_cell_take(p, kx_text_ns((d->until - d->from) * 1e9));
		kx_page_cell_take(p, d->paused > 0 ? kx_text_ns(d->paused * 1e9) : g_strdup("-"));
		kx_page_cell_figure(p, NULL, &rate, text);
		kx_page_row_close(p);
	}
	kx_page_table_close(p);
}

static void draw(KxPage *p, const Timeline *t)
{
	KxAxis a = kx_axis_until(t->length);
	g_autofree char *begin = kx_page_time(t->begin_ns);
	g_autofree char *axis = g_strdup_printf("time since %s", begin);

	if (!t->periods->len) {
		kx_page_absent(p, "nothing was measured");
		return;
	}
	kx_plot_open(p, t->title, t->scope);
	for (guint i = 0; i < t->labels->len; i++)
		draw_lane(p, t, &a, i);
	draw_work(p, t, &a);
	kx_plot_axis(p, &a, kx_tick_seconds, axis);
	kx_plot_close(p);
	table(p, t);
}

static void add_period(Timeline *t, Period d, gint64 from_ns, gint64 until_ns)
{
	d.from = seconds_since(t, from_ns);
	d.until = seconds_since(t, MAX(until_ns, from_ns));
	t->length = fmax(t->length, d.until);
	g_array_append_val(t->periods, d);
}

/* --- of a comparison -------------------------------------------------------------------------------------------------- */

static gint64 first_stretch(const KxComparedVm *v)
{
	gint64 first = 0;

	for (guint i = 0; i < v->stretches->len; i++) {
		const KxStretch *s = v->stretches->pdata[i];

		if (s && s->start_realtime_ns && (!first || s->start_realtime_ns < first))
			first = s->start_realtime_ns;
	}
	return first;
}

static gint by_time(gconstpointer a, gconstpointer b)
{
	double x = ((const Period *)a)->from, y = ((const Period *)b)->from;

	return x < y ? -1 : x > y;
}

static void trial_vm(KxPage *p, const KxPageTrial *trial, guint vm)
{
	const KxComparison *c = trial->c;
	const KxComparedVm *v = c->vms->pdata[vm];
	g_autofree char *title = NULL;
	Timeline t;

	timeline_init(&t, trial->scope);
	t.begin_ns = first_stretch(v);
	t.work_na = c->progress_na ? c->progress_na : "how much the guest got done is not known";
	for (guint k = 0; k < c->settings->len; k++) {
		const KxComparedSetting *setting = c->settings->pdata[k];

		if (setting->left_out)
			continue;
		g_ptr_array_add(t.labels, g_strdup(setting->label));
		for (guint round = 0; round < c->rounds; round++) {
			const KxStretch *s = kx_comparison_at(c, vm, round, k);

			if (s && s->start_realtime_ns)
				add_period(&t,
					   (Period){ .lane = t.labels->len - 1,
						     .rate = c->progress && !s->failed
								     ? 1e9 * kx_ground_rate(s)
								     : NAN,
						     .paused = s->paused_ns / 1e9,
						     .failed = s->failed },
					   s->start_realtime_ns, s->end_realtime_ns);
		}
	}
	g_array_sort(t.periods, by_time);
	title = g_strdup_printf("Measured periods of %s, and how fast the guest worked in them",
				v->name);
	t.title = title;
	draw(p, &t);
	timeline_clear(&t);
}

/* --- of a report ------------------------------------------------------------------------------------------------------ */

static guint row_of(const KxPageVm *v, const KxWindow *w)
{
	guint i;

	for (i = 0; i + 1 < v->rows->len && !kx_row_pools(v->rows->pdata[i], w); i++)
		; /* each window is in a row */
	return i;
}

static double rate_of(const KxWindow *w)
{
	double units, s;

	return kx_window_work(w, &units, &s) && s > 0 ? units / s : NAN;
}

static const char *no_work(const KxPageVm *v)
{
	const KxWindow *last = v->v->windows->pdata[v->v->windows->len - 1];

	return last->work_na ? last->work_na : "too little time of the log lies in the windows";
}

static void vm(KxPage *p, const KxPageVm *v)
{
	const KxWindow *first = v->v->windows->pdata[0];
	Timeline t;

	timeline_init(&t, v->scope);
	t.title = "Windows of each setting, and how fast the guest worked in them";
	t.begin_ns = first->start_realtime_ns;
	t.work_na = no_work(v);
	for (guint i = 0; i < v->rows->len; i++)
		g_ptr_array_add(t.labels, kx_row_cell(v->rows, i));
	for (guint i = 0; i < v->v->windows->len; i++) {
		const KxWindow *w = v->v->windows->pdata[i];
		gint64 until = w->open ? w->start_realtime_ns + (gint64)w->duration_ns
				       : w->end_realtime_ns;

		add_period(&t,
			   (Period){ .lane = row_of(v, w),
				     .rate = rate_of(w),
				     .paused = (double)w->paused_ns / 1e9,
				     .pauses = w->pauses },
			   w->start_realtime_ns, until);
	}
	draw(p, &t);
	timeline_clear(&t);
}

void kx_page_timeline(KxPage *p)
{
	for (guint i = 0; i < p->trials->len; i++) {
		const KxPageTrial *t = p->trials->pdata[i];

		kx_page_trial_heading(p, t);
		for (guint k = 0; k < t->c->vms->len; k++)
			trial_vm(p, t, k);
	}
	for (guint i = 0; i < p->vms->len; i++) {
		const KxPageVm *v = p->vms->pdata[i];

		kx_page_vm_heading(p, v);
		if (v->rows->len)
			vm(p, v);
		else
			kx_page_absent(p, "no tracker was set on this VM yet");
	}
}
