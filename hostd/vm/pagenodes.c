// SPDX-License-Identifier: GPL-2.0-or-later
#include "pagenodes.h"

#include <errno.h>
#include <time.h>

#include "base/error.h"
#include "procstat.h"

#define PAGE_SHIFT 12u

typedef struct {
	const KxNumaSys *sys;
	const char *proc_root;
	pid_t pid;
	KxPageNodes *out;
	guint filled;
	void *pages[KX_PAGENODES_BATCH];
	int status[KX_PAGENODES_BATCH];
} Query;

static guint64 thread_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (guint64)t.tv_sec * 1000000000u + (guint64)t.tv_nsec;
}

/* A process that exits keeps its number for a while, but has no memory any more: the kernel then answers EINVAL. */
static gboolean refused(const Query *q, int err, GError **error)
{
	gboolean over = err == ESRCH || kx_procstat_is_over(q->proc_root, q->pid);

	g_set_error(error, KX_ERROR,
		    over	   ? KX_ERROR_VM_GONE
		    : err == EPERM ? KX_ERROR_ACCESS_DENIED
				   : KX_ERROR_FAILED,
		    "the kernel does not say where the pages of process %d are: %s", q->pid,
		    over ? "it has ended" : g_strerror(err));
	return FALSE;
}

/*
 * A negative @status is an errno. The kernel returns ENOENT or EFAULT for pages that the page table does not map, and for its page of
 * zeros; which of the two depends on the kernel and on the kind of memory.
 */
static gboolean count(const Query *q, int status, GError **error)
{
	if (status == -ENOENT || status == -EFAULT) {
		q->out->absent++;
		return TRUE;
	}
	if (status >= 0 && status < (int)KX_NODES_MAX) {
		q->out->on[status]++;
		return TRUE;
	}
	g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
		    "the kernel's answer where a page of process %d is was not understood: %d",
		    q->pid, status);
	return FALSE;
}

static gboolean ask(Query *q, GError **error)
{
	guint n = q->filled;

	q->filled = 0;
	if (!n)
		return TRUE;
	/* An entry that the kernel does not write must not look like an answer. */
	for (guint i = 0; i < n; i++)
		q->status[i] = G_MININT;
	if (q->sys->move_pages(q->pid, n, q->pages, NULL, q->status, 0) < 0)
		return refused(q, errno, error);
	q->out->batches++;
	q->out->asked += n;
	for (guint i = 0; i < n; i++) {
		if (!count(q, q->status[i], error))
			return FALSE;
	}
	return TRUE;
}

static gboolean add(Query *q, guint64 hva, GError **error)
{
	q->pages[q->filled++] = GSIZE_TO_POINTER(hva);
	return q->filled < KX_PAGENODES_BATCH || ask(q, error);
}

/* One page of each of @n strata. The pages are numbered through all spans; @before: number of the current span's first page. */
static gboolean ask_strata(Query *q, const GArray *spans, guint64 n, GRand *rand, GError **error)
{
	const KxSpan *span = &g_array_index(spans, KxSpan, 0);
	guint64 before = 0;

	for (guint64 i = 0; i < n; i++) {
		guint64 first = q->out->pages / n * i + q->out->pages % n * i / n;
		guint64 end = q->out->pages / n * (i + 1) + q->out->pages % n * (i + 1) / n;
		guint64 page = first;

		if (end - first > 1)
			page += (guint64)(g_rand_double(rand) * (double)(end - first));
		page = MIN(page, end - 1); /* of rounding */
		while (page - before >= span->npages)
			before += span++->npages;
		if (!add(q, span->hva + ((page - before) << PAGE_SHIFT), error))
			return FALSE;
	}
	return ask(q, error);
}

gboolean kx_page_nodes_ask(const KxNumaSys *sys, const char *proc_root, pid_t pid,
			   const GArray *spans, GRand *rand, KxPageNodes *out, GError **error)
{
	g_autofree Query *q = g_new0(Query, 1);
	guint64 began = thread_ns();
	gboolean ok;

	*out = (KxPageNodes){ 0 };
	*q = (Query){ .sys = sys, .proc_root = proc_root, .pid = pid, .out = out };
	for (guint i = 0; i < spans->len; i++)
		out->pages += g_array_index(spans, KxSpan, i).npages;
	ok = !out->pages || ask_strata(q, spans, MIN(out->pages, KX_PAGENODES_MAX), rand, error);
	out->cpu_ns = thread_ns() - began;
	return ok;
}
