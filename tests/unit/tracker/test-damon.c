// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tracker damon on a kernel that is a directory: what another user has is left alone, what is ours is removed, what a killed
 * daemon left is told from both, and what the trace event reports ends up in the right memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>

#include "base/error.h"
#include "fake-root.h"
#include "tracker/damon-events.h"
#include "tracker/damon-kernel.h"
#include "tracker/damon-setup.h"
#include "tracker/tracker.h"

#define ADMIN	    "sys/kernel/mm/damon/admin/kdamonds"
#define EVENT	    "sys/kernel/tracing/events/damon/damon_aggregated"
#define VMM	    4711
#define OTHER_VMM   4712
#define KDAMOND(n)  ((int)(900 + (n)))
#define OPENED_MAX  8u
#define BUFFER_TURN 37u /* events start here, so that they wrap soon */

/* gfn 0 to 1023 and 1M to 1M + 4095 follow each other in the VMM; 2M to 2M + 1023 lie below them. */
#define LOW_HVA	  0x7f0000000000ull
#define UPPER_HVA (LOW_HVA + 1024 * 4096ull)
#define FAR_HVA	  0x7e0000000000ull
#define UPPER_GFN 0x100000ull
#define FAR_GFN	  0x200000ull

/* Offsets of the event's fields. */
typedef struct {
	const char *format;
	guint start, end, accesses, age, regions, len;
} Layout;

/* As in Linux 6.12. */
static const Layout layout_6_12 = {
	.format = "name: damon_aggregated\nID: 321\nformat:\n"
		  "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
		  "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
		  "\tfield:unsigned long target_id;\toffset:8;\tsize:8;\tsigned:0;\n"
		  "\tfield:unsigned int nr_regions;\toffset:16;\tsize:4;\tsigned:0;\n"
		  "\tfield:unsigned long start;\toffset:24;\tsize:8;\tsigned:0;\n"
		  "\tfield:unsigned long end;\toffset:32;\tsize:8;\tsigned:0;\n"
		  "\tfield:unsigned int nr_accesses;\toffset:40;\tsize:4;\tsigned:0;\n"
		  "\tfield:unsigned int age;\toffset:44;\tsize:4;\tsigned:0;\n\n"
		  "print fmt: \"target_id=%lu nr_regions=%u\", REC->target_id, REC->nr_regions\n",
	.regions = 16,
	.start = 24,
	.end = 32,
	.accesses = 40,
	.age = 44,
	.len = 48,
};

/* In the order that later events of DAMON have, and with a field that is not known here. */
static const Layout layout_later = {
	.format =
		"name: damon_aggregated\nID: 321\nformat:\n"
		"\tfield:unsigned long target_id;\toffset:8;\tsize:8;\tsigned:0;\n"
		"\tfield:unsigned long start;\toffset:16;\tsize:8;\tsigned:0;\n"
		"\tfield:unsigned long end;\toffset:24;\tsize:8;\tsigned:0;\n"
		"\tfield:unsigned int nr_regions;\toffset:32;\tsize:4;\tsigned:0;\n"
		"\tfield:unsigned int nr_accesses;\toffset:36;\tsize:4;\tsigned:0;\n"
		"\tfield:unsigned int age;\toffset:40;\tsize:4;\tsigned:0;\n"
		"\tfield:__data_loc unsigned char[] probe_hits;\toffset:44;\tsize:4;\tsigned:0;\n",
	.start = 16,
	.end = 24,
	.regions = 32,
	.accesses = 36,
	.age = 40,
	.len = 52,
};

/* --- the kernel ----------------------------------------------------------------------------------------------------------- */

static struct {
	char *root;
	gboolean later; /* the kernel has the files of kernels after 6.12 */
	gboolean no_fvaddr;
	gboolean exclusive; /* a monitor of the kernel itself runs */
	guint busy;	    /* this many writes find the files in use */
	guint opened;	    /* of these: */
	struct {
		pid_t tid;
		struct perf_event_mmap_page *control;
		gsize bytes;
		int end; /* closed when the kdamond ends */
	} events[OPENED_MAX];
	void (*watched)(const char *path); /* called before a write; NULL: nobody watches */
} kernel;

/* In place, and without GLib's fsync: there are hundreds of these files. */
static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void have(const char *text, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void have(const char *text, const char *format, ...)
{
	g_autofree char *name = NULL, *path = NULL, *dir = NULL;
	va_list args;

	va_start(args, format);
	name = g_strdup_vprintf(format, args);
	va_end(args);
	path = g_build_filename(kernel.root, name, NULL);
	dir = g_path_get_dirname(path);
	g_mkdir_with_parents(dir, 0755);
	write_file(path, text);
}

static char *said(const char *format, ...) G_GNUC_PRINTF(1, 2);
static char *said(const char *format, ...)
{
	g_autofree char *name = NULL, *path = NULL;
	char *text = NULL;
	va_list args;

	va_start(args, format);
	name = g_strdup_vprintf(format, args);
	va_end(args);
	path = g_build_filename(kernel.root, ADMIN, name, NULL);
	return g_file_get_contents(path, &text, NULL, NULL) ? g_strchomp(text) : NULL;
}

#define PATIENCE_US (60 * G_USEC_PER_SEC)

/* Waits for this content, because stopping a tracker does not always wait until its thread has removed the setup. */
static void says(const char *name, const char *want)
{
	gint64 until = g_get_monotonic_time() + PATIENCE_US;

	for (;;) {
		g_autofree char *text = said("%s", name);

		if (!g_strcmp0(text, want))
			return;
		if (g_get_monotonic_time() > until)
			fail_msg("%s: %s, expected %s", name, text, want);
		g_usleep(1000);
	}
}

static gboolean kdamond_is_on(guint i)
{
	g_autofree char *state = said("%u/state", i);

	return !g_strcmp0(state, "on");
}

static void make_kdamond(guint i)
{
	have("off\n", ADMIN "/%u/state", i);
	have("-1\n", ADMIN "/%u/pid", i);
	have("0\n", ADMIN "/%u/contexts/nr_contexts", i);
}

static void make_context(guint i)
{
	have(kernel.no_fvaddr ? "paddr\n" : "vaddr\nfvaddr\npaddr\n",
	     ADMIN "/%u/contexts/0/avail_operations", i);
	have("vaddr\n", ADMIN "/%u/contexts/0/operations", i);
	have("5000\n", ADMIN "/%u/contexts/0/monitoring_attrs/intervals/sample_us", i);
	have("100000\n", ADMIN "/%u/contexts/0/monitoring_attrs/intervals/aggr_us", i);
	have("60000000\n", ADMIN "/%u/contexts/0/monitoring_attrs/intervals/update_us", i);
	if (kernel.later)
		have("3\n", ADMIN "/%u/contexts/0/monitoring_attrs/intervals/intervals_goal/aggrs",
		     i);
	have("10\n", ADMIN "/%u/contexts/0/monitoring_attrs/nr_regions/min", i);
	have("1000\n", ADMIN "/%u/contexts/0/monitoring_attrs/nr_regions/max", i);
	have("0\n", ADMIN "/%u/contexts/0/targets/nr_targets", i);
}

static void remove_below(const char *name)
{
	g_autofree char *path = g_build_filename(kernel.root, ADMIN, name, NULL);

	fake_remove(path);
}

static int put_nr_kdamonds(guint n)
{
	g_autofree char *before = said("nr_kdamonds");
	guint had = (guint)atoi(before);

	for (guint i = 0; i < had; i++) {
		if (kdamond_is_on(i))
			return EBUSY;
	}
	for (guint i = 0; i < had; i++) {
		g_autofree char *name = g_strdup_printf("%u", i);

		remove_below(name);
	}
	for (guint i = 0; i < n; i++)
		make_kdamond(i);
	return 0;
}

static int put_state(guint i, const char *text)
{
	g_autofree char *pid = g_strdup_printf("%d\n", KDAMOND(i));

	if (g_str_equal(text, "off\n")) {
		if (!kdamond_is_on(i))
			return EPERM;
		have("-1\n", ADMIN "/%u/pid", i);
		return 0;
	}
	if (!g_str_equal(text, "on\n"))
		return EINVAL;
	if (kernel.exclusive)
		return EBUSY;
	have(pid, ADMIN "/%u/pid", i);
	return 0;
}

/* As the kernel's, as far as they are used: a number makes directories, a state starts and ends. */
static int kernel_put(const char *path, const char *text)
{
	g_autofree char *admin = g_build_filename(kernel.root, ADMIN "/", NULL);
	const char *name = path + strlen(admin), *rest = strchr(name, '/');
	guint i = (guint)atoi(name), n = (guint)atoi(text);
	int err = 0;

	if (kernel.watched)
		kernel.watched(path);
	if (kernel.busy && kernel.busy--)
		return EBUSY;
	if (!g_file_test(path, G_FILE_TEST_EXISTS))
		return ENOENT;
	if (g_str_equal(name, "nr_kdamonds"))
		err = put_nr_kdamonds(n);
	else if (g_str_equal(rest, "/state"))
		err = put_state(i, text);
	else if (g_str_equal(rest, "/contexts/nr_contexts") && n)
		make_context(i);
	else if (g_str_equal(rest, "/contexts/0/targets/nr_targets")) {
		have("0\n", ADMIN "/%u/contexts/0/targets/0/pid_target", i);
		have("0\n", ADMIN "/%u/contexts/0/targets/0/regions/nr_regions", i);
	}
	for (guint k = 0; rest && g_str_has_suffix(rest, "regions/nr_regions") && k < n; k++) {
		have("0\n", ADMIN "/%u/contexts/0/targets/0/regions/%u/start", i, k);
		have("0\n", ADMIN "/%u/contexts/0/targets/0/regions/%u/end", i, k);
	}
	if (!err)
		write_file(path, text);
	return err;
}

static int kernel_open_events(guint64 id, pid_t tid, gsize bytes, void **map)
{
	gsize page = (gsize)sysconf(_SC_PAGESIZE);
	int ends[2];

	assert_int_equal(id, 321);
	assert_true(kernel.opened < OPENED_MAX);
	assert_int_equal(pipe(ends), 0);
	*map = mmap(NULL, page + bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(*map, MAP_FAILED);
	kernel.events[kernel.opened].tid = tid;
	kernel.events[kernel.opened].control = *map;
	kernel.events[kernel.opened].bytes = bytes;
	kernel.events[kernel.opened].end = ends[1];
	kernel.events[kernel.opened].control->data_head = bytes - BUFFER_TURN * 8;
	kernel.events[kernel.opened].control->data_tail = bytes - BUFFER_TURN * 8;
	kernel.opened++;
	return ends[0];
}

static const KxDamonKernel kernel_here = { kernel_put, kernel_open_events };

/* --- its events ----------------------------------------------------------------------------------------------------------- */

static void write_record(guint32 type, const void *body, gsize len)
{
	guint o = kernel.opened - 1;
	struct perf_event_mmap_page *c = kernel.events[o].control;
	guint8 *data = (guint8 *)c + sysconf(_SC_PAGESIZE);
	gsize mask = kernel.events[o].bytes - 1;
	struct perf_event_header h = { .type = type, .size = (guint16)(sizeof(h) + len) };
	guint64 head = c->data_head;

	for (gsize i = 0; i < sizeof(h); i++)
		data[(head + i) & mask] = ((const guint8 *)&h)[i];
	for (gsize i = 0; i < len; i++)
		data[(head + sizeof(h) + i) & mask] = ((const guint8 *)body)[i];
	__atomic_store_n(&c->data_head, head + h.size, __ATOMIC_RELEASE);
}

static void write_raw(const guint8 *raw, guint32 len)
{
	guint8 body[256] = { 0 };

	memcpy(body + 8, &len, sizeof(len));
	memcpy(body + 12, raw, len);
	write_record(PERF_RECORD_SAMPLE, body, 12 + len);
}

static void event(const Layout *l, guint32 regions, guint64 start, guint64 end, guint32 accesses,
		  guint32 age)
{
	guint8 raw[64] = { 0 };

	memcpy(raw + l->start, &start, 8);
	memcpy(raw + l->end, &end, 8);
	memcpy(raw + l->accesses, &accesses, 4);
	memcpy(raw + l->age, &age, 4);
	memcpy(raw + l->regions, &regions, 4);
	write_raw(raw, l->len % 8 == 4 ? l->len : l->len + 4);
}

static void lose_events(void)
{
	const guint64 lost[2] = { 321, 5 };

	write_record(PERF_RECORD_LOST, lost, sizeof(lost));
}

/* --- fixture -------------------------------------------------------------------------------------------------------------- */

typedef struct {
	char *proc;
	KxLayout layout;
	const KxLayout *as_known;
	struct kvm_ext_vm vm;
	KxTracker *t, *second;
	KxOptions o;
	/* of passes that count */
	GArray *regions; /* struct kvm_ext_region, of the last aggregation */
	GArray *runs;	 /* struct kvm_ext_range */
	guint64 samples, cpu_ns, checks;
	guint passes;
} Fixture;

static void add_part(KxLayout *l, guint64 gfn, guint64 npages, guint64 hva)
{
	const KxLayoutPart part = { gfn, npages, hva };

	g_array_append_val(l->parts, part);
}

static void process(const Fixture *f, pid_t pid, guint64 started)
{
	g_autofree char *name = g_strdup_printf("%d/stat", pid);
	g_autofree char *text = g_strdup_printf("%d (x) S 1 2 3 4 5 4194560 0 0 0 0 0 0 0 0 20 0 1 "
						"0 %" G_GUINT64_FORMAT " 0",
						pid, started);

	fake_write(f->proc, name, text);
}

static void speaks(const Layout *l)
{
	have("321\n", EVENT "/id");
	have(l->format, EVENT "/format");
}

static int set_up(void **state)
{
	Fixture *f = g_new0(Fixture, 1);

	memset(&kernel, 0, sizeof(kernel));
	kernel.root = fake_root_new();
	kx_damon_kernel = &kernel_here;
	have("0\n", ADMIN "/nr_kdamonds");
	speaks(&layout_6_12);
	f->proc = g_build_filename(kernel.root, "proc", NULL);
	process(f, getpid(), 5555);
	process(f, VMM, 6666);
	f->layout.parts = g_array_new(FALSE, FALSE, sizeof(KxLayoutPart));
	add_part(&f->layout, 0, 1024, LOW_HVA);
	add_part(&f->layout, UPPER_GFN, 4096, UPPER_HVA);
	add_part(&f->layout, FAR_GFN, 1024, FAR_HVA);
	f->as_known = &f->layout;
	f->vm.ram_pages = kx_layout_pages(&f->layout);
	f->vm.last_gfn = kx_layout_last_gfn(&f->layout);
	f->regions = g_array_new(FALSE, FALSE, sizeof(struct kvm_ext_region));
	f->runs = g_array_new(FALSE, FALSE, sizeof(struct kvm_ext_range));
	kx_options_init(&f->o);
	assert_true(kx_options_set(&f->o, "tracker", "damon", NULL));
	*state = f;
	return 0;
}

/* Waits until the reader has closed the events, which is the last thing that it does. */
static void until_closed(int end)
{
	struct pollfd p = { .fd = end };

	while (end >= 0 && poll(&p, 1, 1000) >= 0 && !(p.revents & POLLERR))
		;
	if (end >= 0)
		close(end);
}

static int tear_down(void **state)
{
	Fixture *f = *state;

	kx_tracker_free(f->t);
	kx_tracker_free(f->second);
	for (guint i = 0; i < kernel.opened; i++)
		until_closed(kernel.events[i].end);
	kx_damon_kernel = &kx_damon_kernel_real;
	g_array_unref(f->layout.parts);
	g_array_unref(f->regions);
	g_array_unref(f->runs);
	fake_remove(kernel.root);
	g_free(kernel.root);
	g_free(f->proc);
	g_free(f);
	return 0;
}

static gboolean start_one(Fixture *f, KxTracker **t, pid_t pid, GError **error)
{
	const KxTrackerVm vm = { .pid = pid,
				 .proc_root = f->proc,
				 .root = kernel.root,
				 .vm = &f->vm,
				 .layout = (KxLayout *const *)&f->as_known };
	const KxTrackerOps *ops = kx_tracker_ops(f->o.tracker, FALSE);

	assert_true(kx_options_check(&f->o, error));
	assert_ptr_equal(ops, kx_tracker_ops(f->o.tracker, TRUE));
	if (!*t)
		*t = kx_tracker_open(ops, &vm, NULL);
	return (*t)->ops->start(*t, &f->o, error);
}

static void started(Fixture *f)
{
	g_autoptr(GError) error = NULL;

	if (!start_one(f, &f->t, VMM, &error))
		fail_msg("%s", error->message);
}

/* The tracker is refused with these words, and all files are unchanged. */
static void refused(Fixture *f, KxError code, const char *words)
{
	g_autoptr(GError) error = NULL;
	KxTracker *t = NULL;

	assert_false(start_one(f, &t, VMM, &error));
	assert_true(g_error_matches(error, KX_ERROR, (int)code));
	if (!strstr(error->message, words))
		fail_msg("%s", error->message);
	t->ops = &kx_tracker_damon;
	g_free(t->priv);
	g_free(t);
}

static void on_run(void *data, const struct kvm_ext_rec_run *r)
{
	const struct kvm_ext_range run = { r->gfn, r->npages };

	g_array_append_val(((Fixture *)data)->runs, run);
}

static void on_regions(void *data, const struct kvm_ext_rec_regions *r,
		       const struct kvm_ext_region *regions)
{
	Fixture *f = data;

	if (!r->first)
		g_array_set_size(f->regions, 0);
	g_array_append_vals(f->regions, regions, r->nr);
	f->checks = r->checks;
}

static void on_end(void *data, const struct kvm_ext_rec_pass_end *r)
{
	Fixture *f = data;

	if (r->h.flags)
		return;
	f->passes++;
	f->samples += r->samples;
	f->cpu_ns += r->cpu_ns;
}

static const KxStreamOps sink = { .run = on_run, .regions = on_regions, .pass_end = on_end };

static void drain(Fixture *f)
{
	g_autoptr(GError) error = NULL;

	if (!f->t->ops->drain(f->t, &sink, f, &error))
		fail_msg("%s", error->message);
}

static void until_passes(Fixture *f, guint n)
{
	struct kvm_ext_stats st = { 0 };

	while (st.passes < n) {
		assert_true(f->t->ops->stats(f->t, &st, NULL));
		g_usleep(1000);
	}
	drain(f);
	assert_int_equal(f->passes, n);
}

static gboolean has_primed(Fixture *f)
{
	struct kvm_ext_stats st;

	assert_true(f->t->ops->stats(f->t, &st, NULL));
	return st.prime_ns > 0;
}

/* An aggregation that primes. */
static void primes(Fixture *f, const Layout *l)
{
	event(l, 1, LOW_HVA, UPPER_HVA, 20, 0);
	while (!has_primed(f))
		g_usleep(1000);
}

/* --- what it finds --------------------------------------------------------------------------------------------------------- */

static void region_is(const Fixture *f, guint i, guint64 gfn, guint64 npages, guint accesses)
{
	const struct kvm_ext_region *r = &g_array_index(f->regions, struct kvm_ext_region, i);

	assert_true(i < f->regions->len);
	assert_int_equal(r->gfn, gfn);
	assert_int_equal(r->npages, npages);
	assert_int_equal(r->accesses, accesses);
}

/* A region over two parts is found in both, and its samples count once; memory that is not the guest's is not reported. */
static void finds(Fixture *f, const Layout *l)
{
	struct kvm_ext_stats st;

	speaks(l);
	started(f);
	assert_int_equal(kernel.events[0].tid, KDAMOND(1));
	primes(f, l);
	have("7000000 1 2\n", "proc/%d/schedstat", KDAMOND(1));
	event(l, 4, FAR_HVA, FAR_HVA + 0x100000, 3, 0);
	event(l, 4, FAR_HVA + 0x100000, FAR_HVA + 0x400000, 0, 9);
	event(l, 4, LOW_HVA + 0x200000, UPPER_HVA + 0x300000, 20, 7);
	event(l, 4, UPPER_HVA + 0x300000, UPPER_HVA + 0x2000000, 1, 0);
	until_passes(f, 1);
	assert_int_equal(f->regions->len, 5);
	region_is(f, 0, 0x200, 512, 20);
	region_is(f, 1, UPPER_GFN, 0x300, 20);
	region_is(f, 2, UPPER_GFN + 0x300, 4096 - 0x300, 1);
	region_is(f, 3, FAR_GFN, 256, 3);
	region_is(f, 4, FAR_GFN + 256, 768, 0);
	assert_int_equal(g_array_index(f->regions, struct kvm_ext_region, 0).age, 7);
	assert_int_equal(f->checks, 20);
	assert_int_equal(f->samples, 24);
	assert_int_equal(f->runs->len, 4);
	assert_true(f->cpu_ns >= 7000000);
	assert_true(f->t->ops->stats(f->t, &st, NULL));
	assert_int_equal(st.interval_ns, 100000000);
	assert_int_equal(st.regions.regions, 5);
	assert_int_equal(st.regions.aggregations, 1);
	assert_int_equal(st.samples, 24);
	assert_true(st.cpu_ns >= 7000000);
}

static void test_finds_6_12(void **state)
{
	finds(*state, &layout_6_12);
}

static void test_finds_later(void **state)
{
	kernel.later = TRUE;
	finds(*state, &layout_later);
	says("1/contexts/0/monitoring_attrs/intervals/intervals_goal/aggrs", "0");
}

/* Many regions, in several records, and over the end of the buffer. */
static void test_many_regions(void **state)
{
	Fixture *f = *state;

	started(f);
	primes(f, &layout_6_12);
	for (guint pass = 1; pass <= 3; pass++) {
		for (guint64 i = 0; i < 1000; i++)
			event(&layout_6_12, 1000, UPPER_HVA + i * 0x4000,
			      UPPER_HVA + (i + 1) * 0x4000, i % 2, pass);
		until_passes(f, pass);
		assert_int_equal(f->regions->len, 1000);
		assert_int_equal(f->samples, pass * 500);
		region_is(f, 999, UPPER_GFN + 999 * 4, 4, 1);
	}
}

/* An aggregation that lacks an event, or has an invalid one, is dropped; the next one is read. */
static void test_malformed_events(void **state)
{
	Fixture *f = *state;
	const guint8 raw[20] = { 0 };
	struct kvm_ext_stats st;

	started(f);
	primes(f, &layout_6_12);
	have("40000000 1 2\n", "proc/%d/schedstat", KDAMOND(1));
	event(&layout_6_12, 2, LOW_HVA, LOW_HVA + 0x1000, 5, 0);
	lose_events();
	event(&layout_6_12, 2, LOW_HVA, LOW_HVA + 0x1000, 5, 0);
	write_raw(raw, sizeof(raw));
	event(&layout_6_12, 2, LOW_HVA, LOW_HVA + 0x1000, 5, 0);
	event(&layout_6_12, 2, LOW_HVA + 0x3000, LOW_HVA + 0x2000, 5, 0);
	event(&layout_6_12, 3, LOW_HVA, LOW_HVA + 0x1000, 5, 0);
	event(&layout_6_12, 2, LOW_HVA + 0x1000, LOW_HVA + 0x2000, 5, 0);
	event(&layout_6_12, 2, LOW_HVA, LOW_HVA + 0x1000, 1, 0);
	event(&layout_6_12, 2, LOW_HVA + 0x1000, LOW_HVA + 0x3000, 25, 0);
	until_passes(f, 1);
	assert_int_equal(f->regions->len, 2);
	region_is(f, 1, 1, 2, 20); /* no more than there were checks */
	assert_int_equal(f->samples, 21);
	/* Two aggregations were lost, each of which cost as much as the complete one: their cost is not a cost of samples. */
	assert_true(f->t->ops->stats(f->t, &st, NULL));
	assert_int_equal(st.overruns, 2);
	assert_in_range(f->cpu_ns, 10000000, 20000000);
	assert_true(st.cpu_ns - st.prime_cpu_ns >= 40000000);
}

/* A record with an impossible size: the contents of the buffer are dropped, later records are read. */
static void test_malformed_buffer(void **state)
{
	Fixture *f = *state;
	struct perf_event_mmap_page *c;

	started(f);
	primes(f, &layout_6_12);
	c = kernel.events[0].control;
	__atomic_store_n(&c->data_head, c->data_head + 64, __ATOMIC_RELEASE); /* zeros */
	while (__atomic_load_n(&c->data_tail, __ATOMIC_ACQUIRE) != c->data_head)
		g_usleep(1000);
	event(&layout_6_12, 1, LOW_HVA, UPPER_HVA, 2, 0);
	until_passes(f, 1);
	assert_int_equal(f->samples, 2);
}

static void test_unknown_event(void **state)
{
	Fixture *f = *state;
	g_autofree char *tracing = g_build_filename(kernel.root, "sys/kernel/tracing", NULL);

	have("name: x\n\tfield:unsigned long start;\toffset:24;\tsize:8;\tsigned:0;\n",
	     EVENT "/format");
	refused(f, KX_ERROR_NOT_SUPPORTED, "another form");
	have("none\n", EVENT "/id");
	refused(f, KX_ERROR_NOT_SUPPORTED, "another form");
	fake_remove(tracing);
	refused(f, KX_ERROR_NOT_SUPPORTED, "tracefs");
	says("nr_kdamonds", "0");
}

/* --- the setup -------------------------------------------------------------------------------------------------------------- */

static void test_setup(void **state)
{
	Fixture *f = *state;
	g_autofree char *mark = g_strdup_printf("%u", KX_DAMON_MARK);
	g_autofree char *self = g_strdup_printf("%d", getpid());
	g_autofree char *start = g_strdup_printf("%llu", FAR_HVA);
	g_autofree char *end = g_strdup_printf("%llu", UPPER_HVA + 4096 * 4096ull);

	assert_true(kx_options_set(&f->o, "interval", "10ms", NULL));
	assert_true(kx_options_set(&f->o, "regions", "5:50", NULL));
	assert_true(kx_options_set(&f->o, "aggregation", "300ms", NULL));
	started(f);
	says("nr_kdamonds", "128");
	says("0/state", "off");
	says("0/contexts/0/targets/0/pid_target", self);
	says("0/contexts/0/monitoring_attrs/intervals/update_us", mark);
	says("0/contexts/0/monitoring_attrs/intervals/aggr_us", "5555");
	says("1/state", "on");
	says("1/contexts/0/operations", "fvaddr");
	says("1/contexts/0/targets/0/pid_target", "4711");
	says("1/contexts/0/monitoring_attrs/intervals/update_us", mark);
	says("1/contexts/0/monitoring_attrs/intervals/sample_us", "10000");
	says("1/contexts/0/monitoring_attrs/intervals/aggr_us", "300000");
	says("1/contexts/0/monitoring_attrs/nr_regions/min", "5");
	says("1/contexts/0/monitoring_attrs/nr_regions/max", "50");
	says("1/contexts/0/targets/0/regions/nr_regions", "2");
	says("1/contexts/0/targets/0/regions/0/start", start);
	says("1/contexts/0/targets/0/regions/1/end", end);
	/* After a switch to another setting the old monitor has ended, and the new one runs. */
	started(f);
	says("1/state", "off");
	says("2/state", "on");
	f->t->ops->stop(f->t);
	says("nr_kdamonds", "0");
	says("0/state", NULL);
}

/* A second VM comes while the first one is monitored, and the first one leaves while the second is. */
static void test_two_vms(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;

	process(f, OTHER_VMM, 7777);
	started(f);
	assert_true(start_one(f, &f->second, OTHER_VMM, &error));
	says("1/state", "on");
	says("2/state", "on");
	says("2/contexts/0/targets/0/pid_target", "4712");
	f->t->ops->stop(f->t);
	says("1/state", "off");
	says("1/contexts/nr_contexts", "0");
	says("2/state", "on");
	started(f);
	says("1/state", "on");
	f->second->ops->stop(f->second);
	f->t->ops->stop(f->t);
	says("nr_kdamonds", "0");
}

static void test_range(void **state)
{
	Fixture *f = *state;

	assert_true(kx_options_set(&f->o, "range", "0x100000+16", NULL));
	started(f);
	says("1/contexts/0/targets/0/regions/nr_regions", "1");
	f->t->ops->stop(f->t);
	assert_true(kx_options_set(&f->o, "range", "0x80000+16", NULL));
	refused(f, KX_ERROR_INVALID_OPTION, "none of the VM's RAM");
}

/* If the files are in use for a short time, the write is tried again. */
static void test_busy_files(void **state)
{
	Fixture *f = *state;

	kernel.busy = 7;
	started(f);
	says("1/state", "on");
	kernel.busy = 5;
	f->t->ops->stop(f->t);
	says("nr_kdamonds", "0");
}

/* Somebody uses DAMON's files for longer than the daemon waits: the setup that could not be removed is removed later. */
static void test_files_stay_busy(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;

	started(f);
	kernel.busy = G_MAXUINT;
	f->t->ops->stop(f->t);
	says("1/state", "on");
	assert_false(start_one(f, &f->second, OTHER_VMM, &error));
	assert_true(g_error_matches(error, KX_ERROR, KX_ERROR_FAILED));
	kernel.busy = 0;
	assert_true(start_one(f, &f->second, OTHER_VMM, NULL));
	f->second->ops->stop(f->second);
	says("nr_kdamonds", "0");
}

/* --- what is refused ----------------------------------------------------------------------------------------------------------- */

/* A setup of another user: @n kdamonds, the first of which has a context and, if @on, runs. */
static void another_user(guint n, gboolean on)
{
	g_autofree char *path = g_build_filename(kernel.root, ADMIN "/nr_kdamonds", NULL);
	g_autofree char *text = g_strdup_printf("%u\n", n);

	assert_int_equal(kernel_put(path, text), 0);
	have("1\n", ADMIN "/0/contexts/nr_contexts");
	make_context(0);
	if (on) {
		have("on\n", ADMIN "/0/state");
		have("812\n", ADMIN "/0/pid");
	}
}

static void test_another_user_runs(void **state)
{
	another_user(2, TRUE);
	refused(*state, KX_ERROR_BUSY, "kdamond 0 of 2 is on, its pid is 812");
	kx_trackers_recover(kernel.root, ((Fixture *)*state)->proc);
	says("nr_kdamonds", "2");
	says("0/state", "on");
}

/* The other user may start it again. Nor is the number of kdamonds a mark. */
static void test_another_user_has_set_up(void **state)
{
	g_autofree char *why = NULL;

	another_user(KX_DAMON_KDAMONDS, FALSE);
	refused(*state, KX_ERROR_BUSY, "there are 128 kdamonds, none of which runs");
	kx_trackers_recover(kernel.root, ((Fixture *)*state)->proc);
	says("nr_kdamonds", "128");
	says("0/contexts/nr_contexts", "1");
	why = kx_damon_refusal(kernel.root, ((Fixture *)*state)->proc);
	assert_non_null(strstr(why, "another user"));
}

static void test_garbage(void **state)
{
	have("many\n", ADMIN "/nr_kdamonds");
	refused(*state, KX_ERROR_BUSY, "holds no number");
	have("", ADMIN "/nr_kdamonds");
	refused(*state, KX_ERROR_BUSY, "holds no number");
}

static void test_kernel_without(void **state)
{
	g_autofree char *path = g_build_filename(kernel.root, "sys/kernel/mm", NULL);
	g_autofree char *why = NULL;

	fake_remove(path);
	refused(*state, KX_ERROR_NOT_SUPPORTED, "CONFIG_DAMON");
	why = kx_damon_refusal(kernel.root, ((Fixture *)*state)->proc);
	assert_non_null(strstr(why, "CONFIG_DAMON"));
}

static void test_kernel_without_addresses(void **state)
{
	kernel.no_fvaddr = TRUE;
	refused(*state, KX_ERROR_NOT_SUPPORTED, "CONFIG_DAMON_VADDR");
	says("nr_kdamonds", "0");
}

/* Kernels from 6.17 on may monitor all memory by themselves, and then nothing else. */
static void test_exclusive_monitor(void **state)
{
	g_autofree char *why = NULL;

	have("Y\n", "sys/module/damon_stat/parameters/enabled");
	why = kx_damon_refusal(kernel.root, ((Fixture *)*state)->proc);
	assert_non_null(strstr(why, "damon_stat"));
	kernel.exclusive = TRUE;
	refused(*state, KX_ERROR_BUSY, "/sys/module/damon_stat/parameters/enabled");
	says("nr_kdamonds", "0");
}

static void test_too_few_regions(void **state)
{
	Fixture *f = *state;

	for (guint64 i = 0; i < 10; i++)
		add_part(&f->layout, 0x300000 + i * 16, 8, 0x7d0000000000ull + i * 0x10000);
	assert_true(kx_options_set(&f->o, "regions", "3:11", NULL));
	refused(f, KX_ERROR_INVALID_OPTION, "less than the 12 separate parts");
}

/* --- what a killed daemon left -------------------------------------------------------------------------------------------------- */

/* A daemon that was process @pid, started at @ticks, has set up and runs one monitor; this daemon forgets that it was itself. */
static void leave_behind(Fixture *f, pid_t pid, const char *ticks)
{
	g_autofree char *text = g_strdup_printf("%d\n", pid);

	started(f);
	have(text, ADMIN "/0/contexts/0/targets/0/pid_target");
	have(ticks, ADMIN "/0/contexts/0/monitoring_attrs/intervals/aggr_us");
	f->t->ops->stop(f->t);
	says("1/state", "on");
}

static void test_leftover(void **state)
{
	Fixture *f = *state;

	leave_behind(f, 31337, "77\n");
	kx_trackers_recover(kernel.root, f->proc);
	says("nr_kdamonds", "0");
	/* If nothing has removed the setup before, the next VM does. */
	leave_behind(f, 31337, "77\n");
	started(f);
	says("nr_kdamonds", "128");
	says("1/state", "on");
	says("0/contexts/0/monitoring_attrs/intervals/aggr_us", "5555");
}

/* If another process has the pid by now, the daemon has ended. */
static void test_leftover_of_a_reused_pid(void **state)
{
	Fixture *f = *state;

	process(f, 31337, 78);
	leave_behind(f, 31337, "77\n");
	kx_trackers_recover(kernel.root, f->proc);
	says("nr_kdamonds", "0");
	/* This is so even if the pid is that of this daemon. */
	leave_behind(f, getpid(), "77\n");
	kx_trackers_recover(kernel.root, f->proc);
	says("nr_kdamonds", "0");
}

static void test_another_daemon(void **state)
{
	Fixture *f = *state;

	process(f, 31337, 77);
	leave_behind(f, 31337, "77\n");
	kx_trackers_recover(kernel.root, f->proc);
	says("1/state", "on");
	refused(f, KX_ERROR_BUSY, "another kvm-extd, process 31337");
}

/* Another user runs a kdamond in a setup that a daemon left: it is not removed. */
static void test_leftover_in_use(void **state)
{
	Fixture *f = *state;

	leave_behind(f, 31337, "77\n");
	have("on\n", ADMIN "/9/state");
	kx_trackers_recover(kernel.root, f->proc);
	says("9/state", "on");
	says("1/state", "on");
	refused(f, KX_ERROR_BUSY, "another user runs DAMON's kdamond 9");
}

/* The daemon was killed before it wrote its mark: no user has anything in the setup. */
static void test_blank_leftover(void **state)
{
	g_autofree char *path = g_build_filename(kernel.root, ADMIN "/nr_kdamonds", NULL);

	assert_int_equal(kernel_put(path, "128\n"), 0);
	kx_trackers_recover(kernel.root, ((Fixture *)*state)->proc);
	says("nr_kdamonds", "0");
}

static void put(const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(kernel.root, ADMIN, name, NULL);

	assert_int_equal(kernel_put(path, text), 0);
}

/* The daemon was killed after one of the writes of its mark (not the first): the setup is removed, unless somebody runs it. */
static void test_half_marked_leftover(void **state)
{
	static const char *const writes[][2] = {
		{ "0/contexts/nr_contexts", "1\n" },
		{ "0/contexts/0/monitoring_attrs/intervals/update_us", "60000000\n" },
		{ "0/contexts/0/monitoring_attrs/intervals/aggr_us", "77\n" },
		{ "0/contexts/0/targets/nr_targets", "1\n" },
	};
	const Fixture *f = *state;
	g_autofree char *mark = g_strdup_printf("%u\n", (guint)KX_DAMON_MARK);

	for (guint done = 2; done <= G_N_ELEMENTS(writes); done++) {
		put("nr_kdamonds", "128\n");
		for (guint i = 0; i < done; i++)
			put(writes[i][0], i == 1 ? mark : writes[i][1]);
		kx_trackers_recover(kernel.root, f->proc);
		says("nr_kdamonds", "0");
	}
	put("nr_kdamonds", "128\n");
	put("0/contexts/nr_contexts", "1\n");
	kx_trackers_recover(kernel.root, f->proc);
	says("nr_kdamonds", "128");
	put(writes[1][0], mark);
	have("on\n", ADMIN "/0/state");
	kx_trackers_recover(kernel.root, f->proc);
	says("nr_kdamonds", "128");
}

/* As another process of ours has it while it makes a setup; -1: it is not free. */
static int try_lock(void)
{
	g_autofree char *path = g_build_filename(kernel.root, ADMIN "/nr_kdamonds", NULL);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	assert_int_equal(errno, EWOULDBLOCK);
	close(fd);
	return -1;
}

/* Before its mark is whole, a setup looks as if a killed daemon had left it. */
static void test_setup_in_the_making(void **state)
{
	Fixture *f = *state;
	g_autofree char *why = NULL;
	int fd = try_lock();

	assert_true(fd >= 0);
	put("nr_kdamonds", "128\n");
	kx_trackers_recover(kernel.root, f->proc);
	says("nr_kdamonds", "128");
	refused(f, KX_ERROR_BUSY, "another kvm-extd is changing DAMON's setup");
	says("nr_kdamonds", "128");
	why = kx_damon_refusal(kernel.root, f->proc);
	assert_null(why);
	close(fd);
	kx_trackers_recover(kernel.root, f->proc);
	says("nr_kdamonds", "0");
}

static guint writes_watched;

static void is_locked(const char *path)
{
	assert_int_equal(try_lock(), -1);
	writes_watched++;
}

/* From the first write to the last one, of the setup and of its end, no other process of ours takes it for a leftover. */
static void test_setup_is_locked(void **state)
{
	Fixture *f = *state;
	int fd;

	writes_watched = 0;
	kernel.watched = is_locked;
	started(f);
	assert_true(writes_watched > 6);
	/* Only then. */
	fd = try_lock();
	assert_true(fd >= 0);
	close(fd);
	writes_watched = 0;
	f->t->ops->stop(f->t);
	assert_true(writes_watched > 0);
	leave_behind(f, 31337, "77\n");
	writes_watched = 0;
	kx_trackers_recover(kernel.root, f->proc);
	assert_true(writes_watched > 0);
	says("nr_kdamonds", "0");
}

/* The kdamond has ended, and another user has made a setup in its place: stopping the tracker does not change it. */
static void test_replaced(void **state)
{
	Fixture *f = *state;

	started(f);
	have("off\n", ADMIN "/1/state");
	another_user(3, TRUE);
	have("on\n", ADMIN "/1/state");
	f->t->ops->stop(f->t);
	says("nr_kdamonds", "3");
	says("1/state", "on");
}

/* --- the end ---------------------------------------------------------------------------------------------------------------------- */

static void ends_as(Fixture *f, KxError code, const char *words)
{
	g_autoptr(GError) error = NULL;
	gpointer handle;
	struct kvm_ext_stats st;
	guint64 pass;

	started(f);
	primes(f, &layout_6_12);
	if (code == KX_ERROR_VM_GONE) {
		g_autofree char *vmm = g_build_filename(f->proc, "4711", NULL);

		fake_remove(vmm);
	}
	close(kernel.events[0].end);
	kernel.events[0].end = -1;
	handle = f->t->ops->pass_handle(f->t);
	assert_false(f->t->ops->run_pass(handle, &pass, &error));
	f->t->ops->pass_handle_free(handle);
	assert_true(g_error_matches(error, KX_ERROR, (int)code));
	assert_non_null(strstr(error->message, words));
	assert_int_equal(f->t->ops->drain(f->t, &sink, f, NULL), code == KX_ERROR_VM_GONE);
	assert_true(f->t->ops->stats(f->t, &st, NULL));
	assert_int_equal((st.state & KVM_EXT_STATE_VM_GONE) != 0, code == KX_ERROR_VM_GONE);
	says("nr_kdamonds", "0");
}

static void test_vm_ends(void **state)
{
	ends_as(*state, KX_ERROR_VM_GONE, "has ended");
}

static void test_stopped_by_another(void **state)
{
	ends_as(*state, KX_ERROR_FAILED, "stopped by another user");
}

/* A pass on request is the next aggregation. */
static void test_pass_on_request(void **state)
{
	Fixture *f = *state;
	gpointer handle;
	guint64 pass = 0;

	started(f);
	primes(f, &layout_6_12);
	event(&layout_6_12, 1, LOW_HVA, UPPER_HVA, 3, 0);
	until_passes(f, 1);
	event(&layout_6_12, 1, LOW_HVA, UPPER_HVA, 4, 0);
	event(&layout_6_12, 1, LOW_HVA, UPPER_HVA, 4, 0);
	event(&layout_6_12, 1, LOW_HVA, UPPER_HVA, 4, 0);
	event(&layout_6_12, 1, LOW_HVA, UPPER_HVA, 4, 0);
	until_passes(f, 5);
	handle = f->t->ops->pass_handle(f->t);
	f->t->ops->stop(f->t);
	assert_false(f->t->ops->run_pass(handle, &pass, NULL));
	f->t->ops->pass_handle_free(handle);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_finds_6_12),
		CASE(test_finds_later),
		CASE(test_many_regions),
		CASE(test_malformed_events),
		CASE(test_malformed_buffer),
		CASE(test_unknown_event),
		CASE(test_setup),
		CASE(test_two_vms),
		CASE(test_range),
		CASE(test_busy_files),
		CASE(test_files_stay_busy),
		CASE(test_another_user_runs),
		CASE(test_another_user_has_set_up),
		CASE(test_garbage),
		CASE(test_kernel_without),
		CASE(test_kernel_without_addresses),
		CASE(test_exclusive_monitor),
		CASE(test_too_few_regions),
		CASE(test_leftover),
		CASE(test_leftover_of_a_reused_pid),
		CASE(test_another_daemon),
		CASE(test_leftover_in_use),
		CASE(test_blank_leftover),
		CASE(test_half_marked_leftover),
		CASE(test_setup_in_the_making),
		CASE(test_setup_is_locked),
		CASE(test_replaced),
		CASE(test_vm_ends),
		CASE(test_stopped_by_another),
		CASE(test_pass_on_request),
	};

	/* Hundreds of files are made and removed for each case: where there is memory for files, not on a disk. */
	if (g_file_test("/dev/shm", G_FILE_TEST_IS_DIR))
		g_setenv("TMPDIR", "/dev/shm", TRUE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
