/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "report/worklog.h"

#define HEADER                                                                                    \
	"kx-workload 1 pattern=uniform seed=1 arena_pages=64 ws_pages=64 epoch_ms=100 threads=1 " \
	"addr=gfn\n"

static KxWindow *window(gint64 start, gint64 end)
{
	KxWindow *w = kx_window_new();

	w->start_realtime_ns = start;
	w->end_realtime_ns = end;
	w->has_stats = TRUE;
	return w;
}

/* Joins @text with one window; @found ends with a count of 0. FALSE: *@error is set. */
static gboolean join(const char *text, KxWindow *w, const guint64 (*found)[2], GError **error)
{
	g_autoptr(KxWorklog) log = kx_worklog_new();
	gsize n = 0;

	while (found && found[n][1])
		n++;
	return kx_worklog_add_window(log, w, found, n, NULL, error) &&
	       kx_worklog_feed(log, text, strlen(text), error) && kx_worklog_finish(log, error);
}

static void expect_join(const char *text, KxWindow *w, const guint64 (*found)[2])
{
	g_autoptr(GError) error = NULL;

	if (!join(text, w, found, &error))
		fail_msg("%s", error->message);
}

static const char three_epochs[] = HEADER "arena 100+20,200+20\n"
					  "arena 300+18\n"
					  "ready 1000\n"
					  "epoch 1 begin 1000 work=0\n"
					  "work 1500 50\n"
					  "touch 1 100+10\n"
					  "touch 1 300+2\n"
					  "epoch 1 end 2000 work=100 valid=1\n"
					  "epoch 2 begin 2000 work=100\n"
					  "touch 2 200+4\n"
					  "epoch 2 end 3000 work=300 valid=0\n"
					  "epoch 3 begin 3000 work=300\n"
					  "touch 3 110+1\n"
					  "epoch 3 end 4000 work=400 valid=1\n"
					  "idle 4000\n"
					  "bye 5000 work=400\n";

static void test_truth(void **state)
{
	/* hit: 9 of the 12 of epoch 1 and the 1 of epoch 3. 200+4: invalid epoch, right for precision. */
	static const guint64 found[][2] = { { 0x50, 7 },  { 0x101, 9 }, { 0x110, 2 },
					    { 0x200, 4 }, { 0x999, 5 }, { 0, 0 } };
	g_autoptr(KxWindow) w = window(1000, 4500);

	expect_join(three_epochs, w, found);
	assert_null(w->truth_na);
	assert_null(w->precision_na);
	assert_int_equal(w->truth_touched, 12 + 1);
	assert_int_equal(w->truth_hit, 9 + 1);
	assert_int_equal(w->truth_found, 9 + 2 + 4);
	assert_int_equal(w->truth_true, 9 + 1 + 4);
}

/* Of 8 pages touched 3 were written, one of them (106) in an epoch that is not wholly inside the window. */
static const char reads_and_writes[] = HEADER "arena 100+20\nready 1000\n"
					      "epoch 1 begin 1000 work=0\ntouch 1 100+6\n"
					      "write 1 100+1,102+1\n"
					      "epoch 1 end 2000 work=1 valid=1\n"
					      "epoch 2 begin 2000 work=1\ntouch 2 106+2\n"
					      "write 2 106+1\n"
					      "epoch 2 end 3000 work=2 valid=1\nbye 4000 work=2\n";

static void test_written(void **state)
{
	/* found: both pages written in epoch 1, that of epoch 2, one that was only read, one not touched */
	static const guint64 found[][2] = {
		{ 0x100, 1 }, { 0x102, 2 }, { 0x106, 1 }, { 0x110, 1 }, { 0, 0 }
	};
	g_autoptr(KxWindow) w = window(1000, 2500);

	expect_join(reads_and_writes, w, found);
	assert_null(w->truth_na);
	assert_null(w->written_na);
	assert_null(w->precision_na);
	assert_int_equal(w->truth_touched, 6);
	assert_int_equal(w->truth_hit, 3);
	assert_int_equal(w->truth_written, 2);
	assert_int_equal(w->truth_written_hit, 2);
	assert_int_equal(w->truth_found, 5);
	assert_int_equal(w->truth_true, 4);
	assert_int_equal(w->truth_written_true, 3);
}

/* A log that has only touches does not say which pages were written, unless the workload only reads. */
static void test_not_told_what_is_written(void **state)
{
	static const char touches[] =
		"arena 100+4\nready 1\nepoch 1 begin 1 work=0\ntouch 1 100+4\n"
		"epoch 1 end 2 work=1 valid=1\nbye 3 work=1\n";
	static const guint64 found[][2] = { { 0x100, 4 }, { 0, 0 } };
	g_autofree char *untold = g_strconcat(HEADER, touches, NULL);
	g_autofree char *reads =
		g_strconcat("kx-workload 1 read_share=1.0000 addr=gfn\n", touches, NULL);
	g_autoptr(KxWindow) w = window(1, 3), r = window(1, 3);

	expect_join(untold, w, found);
	assert_null(w->truth_na);
	assert_string_equal(w->written_na,
			    "the workload log does not say which pages were written");
	expect_join(reads, r, found);
	assert_null(r->written_na);
	assert_int_equal(r->truth_written, 0);
	assert_int_equal(r->truth_written_true, 0);
	assert_int_equal(r->truth_true, 4);
}

/* Pages that were touched during priming, or after the last pass, are not expected to be found. */
static void test_covered(void **state)
{
	static const guint64 found[][2] = { { 0x106, 1 }, { 0, 0 } };
	g_autoptr(KxWindow) w = window(500, 3500), short_of = window(500, 3500);

	w->covered_start_realtime_ns = 1500;
	w->covered_end_realtime_ns = 3000;
	expect_join(reads_and_writes, w, found);
	assert_int_equal(w->truth_touched, 2);
	assert_int_equal(w->truth_written, 1);
	assert_int_equal(w->truth_written_hit, 1);
	assert_int_equal(w->truth_true, 1);
	short_of->covered_start_realtime_ns = 1500;
	short_of->covered_end_realtime_ns = 2999;
	expect_join(reads_and_writes, short_of, found);
	assert_int_equal(short_of->truth_touched, 0);
	assert_int_equal(short_of->truth_true, 1);
}

/* Epoch 1 begins before the window: not in T1, but in T2. Epoch 3 begins as it ends: in neither. */
static void test_window_edges(void **state)
{
	static const guint64 found[][2] = { { 0x100, 1 }, { 0x110, 1 }, { 0x200, 1 }, { 0, 0 } };
	g_autoptr(KxWindow) w = window(1001, 3000);

	expect_join(three_epochs, w, found);
	assert_int_equal(w->truth_touched, 0);
	assert_int_equal(w->truth_found, 3);
	assert_int_equal(w->truth_true, 2);
}

static void test_work(void **state)
{
	g_autoptr(KxWindow) all = window(0, 10000), part = window(1250, 2500),
			    after = window(6000, 7000);

	expect_join(three_epochs, all, NULL);
	assert_null(all->work_na);
	assert_true(fabs(all->work - 400) < 1e-9);
	assert_true(fabs(all->work_ns - 3000) < 1e-9);
	/* half of 50 in [1250, 1500], 50 in [1500, 2000], half of 200 in [2000, 2500] */
	expect_join(three_epochs, part, NULL);
	assert_true(fabs(part->work - (25 + 50 + 100)) < 1e-9);
	assert_true(fabs(part->work_ns - 1250) < 1e-9);
	expect_join(three_epochs, after, NULL);
	assert_string_equal(after->work_na,
			    "according to its log the workload did not run in the window");
}

static void add_pause(KxWindow *w, gint64 from, gint64 until)
{
	const KxPause p = { from, until };

	if (!w->pauses)
		w->pauses = g_array_new(FALSE, FALSE, sizeof(KxPause));
	g_array_append_val(w->pauses, p);
	w->pauses_total++;
}

/* A guest works only while the VM runs: the work between two points of the log is spread over this time. */
static void test_work_around_pauses(void **state)
{
	g_autoptr(KxWindow) w = window(0, 2250), too_many = window(0, 2250);

	/* 50 in [1000, 1500]; 50 in [1500, 2000] less 400; of 200 in [2000, 3000] less 500 a quarter of a thousand */
	add_pause(w, 1600, 2000);
	add_pause(w, 2500, 3000);
	expect_join(three_epochs, w, NULL);
	assert_true(fabs(w->work - (50 + 50 + 100)) < 1e-9);
	assert_true(fabs(w->work_ns - (500 + 100 + 250)) < 1e-9);

	add_pause(too_many, 1600, 2000);
	too_many->pauses_total = KX_PAUSES_KEPT + 1;
	expect_join(three_epochs, too_many, NULL);
	assert_string_equal(too_many->work_na,
			    "the VM was paused more often than is kept in the report");
}

/* Between epochs the program writes its log: that time is not the workload's. */
static void test_work_between_epochs(void **state)
{
	g_autoptr(KxWindow) w = window(0, 10000);

	expect_join(HEADER "ready 1000\nwork 2000 0\nepoch 1 begin 2000 work=0\nepoch 1 end 3000 "
			   "work=100 valid=1\n"
			   "epoch 2 begin 7000 work=100\nepoch 2 end 8000 work=300 valid=1\nbye "
			   "9000 work=300\n",
		    w, NULL);
	assert_true(fabs(w->work - 300) < 1e-9);
	assert_true(fabs(w->work_ns - 2000) < 1e-9);
}

/* After 'moved' other frames belong to the workload: windows that began before have neither recall nor precision. */
static void test_moved(void **state)
{
	static const char text[] =
		HEADER "arena 100+4\nready 1000\nepoch 1 begin 1000 work=0\ntouch 1 100+4\n"
		       "epoch 1 end 2000 work=1 valid=0\nmoved 2100\narena 200+4\n"
		       "epoch 2 begin 2200 work=1\ntouch 2 200+2\n"
		       "epoch 2 end 3000 work=2 valid=1\nbye 3000 work=2\n";
	static const guint64 found[][2] = { { 0x100, 4 }, { 0x200, 2 }, { 0, 0 } };
	g_autoptr(KxWindow) before = window(1000, 3000), after = window(2100, 3000);

	expect_join(text, before, found);
	assert_string_equal(before->truth_na,
			    "the guest moved the workload's pages after the window began");
	expect_join(text, after, found);
	assert_null(after->truth_na);
	assert_int_equal(after->truth_touched, 2);
	assert_int_equal(after->truth_found, 2);
	assert_int_equal(after->truth_true, 2);
}

static void test_not_guest_physical(void **state)
{
	g_autoptr(KxWindow) w = window(1, 3);

	expect_join("kx-workload 1 pattern=x addr=virtual\narena 100+4\nready 1\nepoch 1 begin 1 "
		    "work=0\n"
		    "epoch 1 end 3 work=5 valid=1\nbye 3 work=5\n",
		    w, NULL);
	assert_string_equal(w->truth_na, "the workload log holds no guest-physical pages");
	assert_null(w->work_na);
}

/* The log gives the same result in pieces of any size. */
static void test_pieces(void **state)
{
	static const guint64 found[][2] = { { 0x101, 9 } };

	for (gsize size = 1; size < 40; size += 3) {
		g_autoptr(KxWorklog) log = kx_worklog_new();
		g_autoptr(KxWindow) w = window(1000, 4500);

		assert_true(kx_worklog_add_window(log, w, found, 1, NULL, NULL));
		for (gsize at = 0; at < strlen(three_epochs); at += size)
			assert_true(kx_worklog_feed(log, three_epochs + at,
						    MIN(size, strlen(three_epochs) - at), NULL));
		assert_true(kx_worklog_finish(log, NULL));
		assert_int_equal(w->truth_hit, 9);
		assert_true(fabs(w->work - 400) < 1e-9);
	}
}

static void test_precision_unknown(void **state)
{
	static const guint64 found[][2] = { { 0x100, 10 }, { 0, 0 } };
	g_autoptr(KxWindow) early = window(500, 4500), open = window(1000, 2500),
			    late = window(1000, 9000);

	expect_join(three_epochs, early, found);
	assert_string_equal(early->precision_na, "the window begins before the workload was ready");
	assert_int_equal(early->truth_touched, 13);
	/* the guest was stopped inside epoch 2 */
	expect_join(HEADER
		    "arena 100+10\nready 1000\nepoch 1 begin 1000 work=0\ntouch 1 100+5\n"
		    "epoch 1 end 2000 work=1 valid=1\nepoch 2 begin 2000 work=1\nwork 2600 9\n",
		    open, found);
	assert_string_equal(open->precision_na, "the workload log ends inside the window");
	assert_int_equal(open->truth_hit, 5);
	expect_join(HEADER "arena 100+10\nready 1000\nepoch 1 begin 1000 work=0\ntouch 1 100+5\n"
			   "epoch 1 end 2000 work=1 valid=1\n",
		    late, found);
	assert_string_equal(late->precision_na, "the workload log ends inside the window");
}

static void test_tolerated(void **state)
{
	static const guint64 found[][2] = { { 0x100, 4 }, { 0, 0 } };
	g_autoptr(KxWindow) w = window(1000, 3000);

	/* CR of a serial line, words not known, times going back, a last line without its newline */
	expect_join(HEADER
		    "arena 100+4\r\nfuture word 17\n\nready 1000\nepoch 7 begin 1000 work=0\r\n"
		    "work 900 5\nwork 1500 10\nwork 1400 99\nwork 1600 3\nwrite 7 100+1\n"
		    "touch 7 \ntouch 7 102+2\ntouch 7 102+1\n"
		    "epoch 7 end 2000 work=20 valid=1\nidle 2000\nlog wait_ns=5 lost=0\n"
		    "bye 3000 work=20\nwork 4000 999999 and a torn end",
		    w, found);
	assert_int_equal(w->truth_touched, 2);
	assert_int_equal(w->truth_hit, 2);
	assert_int_equal(w->truth_true, 2);
	assert_true(fabs(w->work - 20) < 1e-9);
}

/* If the workload had to drop lines, recall and precision are n/a, and not wrong. */
static void test_gaps(void **state)
{
	static const char *const logs[] = {
		HEADER
		"arena 100+4\nready 1\nepoch 1 begin 1 work=0\nepoch 1 end 2 work=1 valid=1\n"
		"log wait_ns=5 lost=1\nbye 3 work=1\n",
		HEADER "arena 100+4\nready 1\ntouch 5 100+1\nbye 3 work=1\n",
		HEADER "arena 100+4\nready 1\nwrite 5 100+1\nbye 3 work=1\n",
		HEADER "arena 100+4\nready 1\nepoch 5 end 2 work=1 valid=1\nbye 3 work=1\n",
		HEADER "arena 100+4\nready 1\nepoch 5 begin 1 work=0\nepoch 5 begin 2 work=1\n",
	};

	for (guint i = 0; i < G_N_ELEMENTS(logs); i++) {
		g_autoptr(KxWindow) w = window(1, 3);

		expect_join(logs[i], w, NULL);
		assert_string_equal(w->truth_na, "lines of the workload log are missing");
	}
}

static void test_no_arena_or_found(void **state)
{
	g_autoptr(KxWorklog) log = kx_worklog_new();
	g_autoptr(KxWindow) w = window(1, 3), forgotten = window(1, 3);
	static const char text[] = HEADER "ready 1\nepoch 1 begin 1 work=0\nwork 3 10\n";

	expect_join(text, w, NULL);
	assert_string_equal(w->truth_na, "the workload log names no arena");
	assert_null(w->work_na);
	assert_true(kx_worklog_add_window(log, forgotten, NULL, 0, "the daemon forgot", NULL));
	assert_true(kx_worklog_feed(log, text, strlen(text), NULL));
	assert_true(kx_worklog_finish(log, NULL));
	assert_string_equal(forgotten->truth_na, "the daemon forgot");
	assert_null(forgotten->work_na);
}

static void test_malformed(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "no complete line" },
		{ "kx-workload 1 torn", "no complete line" },
		{ "hello\n", "does not start with" },
		{ "kx-workload 2 pattern=x\n", "format version" },
		{ HEADER "arena 100\n", "line 2" },
		{ HEADER "arena 100+\n", "line 2" },
		{ HEADER "arena 100+0\n", "out of range" },
		{ HEADER "arena -1+1\n", "page list" },
		{ HEADER "arena xyz+1\n", "page list" },
		{ HEADER "arena 100+1;200+1\n", "out of range" },
		{ HEADER "arena ffffffffffffffff+2\n", "out of range" },
		{ HEADER "arena fffffffffffffffff+2\n", "page list" },
		{ HEADER "arena 0+18446744073709551615\n", "out of range" },
		{ HEADER "ready 1\nepoch 1 begin 1 work=0\nwrite 1 zz\n", "page list" },
		{ HEADER "work 5\n", "'work'" },
		{ HEADER "work -5 5\n", "'work'" },
		{ HEADER "work 99999999999999999999 5\n", "'work'" },
		{ HEADER "epoch\n", "'epoch'" },
		{ HEADER "epoch 1 middle 5 work=1\n", "'epoch'" },
		{ HEADER "epoch 1 begin 5\n", "'epoch'" },
		{ HEADER "epoch x begin 5 work=1\n", "number" },
		{ HEADER "ready soon\n", "'ready'" },
		{ HEADER "log lost=x\n", "'log'" },
		{ HEADER "bye\n", "'bye'" },
		{ HEADER "moved\n", "'moved'" },
	};

	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(KxWindow) w = window(0, 10);
		g_autoptr(GError) error = NULL;

		if (join(cases[i].text, w, NULL, &error))
			fail_msg("accepted: %s", cases[i].text);
		if (!strstr(error->message, cases[i].says))
			fail_msg("'%s' does not say '%s'", error->message, cases[i].says);
	}
}

static void test_zero_byte(void **state)
{
	static const char text[] = HEADER "work\0 5 5\n";
	g_autoptr(KxWorklog) log = kx_worklog_new();
	g_autoptr(GError) error = NULL;

	assert_false(kx_worklog_feed(log, text, sizeof(text) - 1, &error));
	assert_non_null(strstr(error->message, "zero byte"));
}

/* Too many scattered pages are an error, and do not use up the memory: 2^40 frames are 2^25 chunks. */
static void test_bounded(void **state)
{
	g_autoptr(KxWindow) w = window(0, 10);
	g_autoptr(GError) error = NULL;

	assert_false(join(HEADER "arena 0+1099511627776\n", w, NULL, &error));
	assert_non_null(strstr(error->message, "512 MiB"));
}

/* Any bytes after a valid beginning: an error or a result, and no crash. */
static void test_hostile(void **state)
{
	static const char alphabet[] =
		"kx 1\n\nepoch touch arena work begin end=+,0123456789abcdefvalid";
	GRand *rand = g_rand_new_with_seed(42);
	guint refused = 0;

	for (guint round = 0; round < 3000; round++) {
		g_autoptr(GString) text = g_string_new(three_epochs);
		g_autoptr(KxWindow) w = window(1000, 4500);
		g_autoptr(GError) error = NULL;

		for (guint i = 0; i < 6; i++)
			text->str[g_rand_int_range(rand, 0, (gint)text->len)] =
				alphabet[g_rand_int_range(rand, 0, sizeof(alphabet) - 1)];
		refused += !join(text->str, w, NULL, &error);
		assert_true(w->truth_hit <= w->truth_touched && w->truth_true <= w->truth_found &&
			    w->truth_written_hit <= w->truth_written &&
			    w->truth_written_true <= w->truth_found);
	}
	assert_true(refused > 0);
	g_rand_free(rand);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truth),
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_not_told_what_is_written),
		cmocka_unit_test(test_covered),
		cmocka_unit_test(test_window_edges),
		cmocka_unit_test(test_work),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_tolerated),
		cmocka_unit_test(test_precision_unknown),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_no_arena_or_found),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_zero_byte),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_work_between_epochs),
		cmocka_unit_test(test_work_around_pauses),
		cmocka_unit_test(test_not_guest_physical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
