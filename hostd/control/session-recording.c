// SPDX-License-Identifier: GPL-2.0-or-later
/* A session that is recorded (record/recorder.h): begin and end of the recording; the settings and the account in it. */
#include "session-internal.h"

#include <json-glib/json-glib.h>

#include "base/names.h"
#include "model/accessmap-json.h"
#include "model/json-write.h"
#include "record/format.h"
#include "report/json.h"

/* The time between two reports. It becomes longer if making reports would take more than a hundredth of the time. */
#define REPORT_EVERY_US (10 * G_USEC_PER_SEC)
#define REPORT_SHARE	100

static void put_head(KxSession *s, const KxOverTime *parts)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	KxInstant now = kx_session_instant();

	json_builder_begin_object(b);
	kx_json_add_text(b, "schema", "kvm-ext-record/1");
	kx_json_add_text(b, "version", s->record.host->version);
	kx_json_add_text(b, "name", s->ident.name);
	kx_json_add_text(b, "uuid", s->ident.uuid);
	kx_json_add_int(b, "pid", s->ident.pid);
	kx_json_add_int(b, "realtime_ns", now.realtime_ns);
	kx_json_add_int(b, "realtime_offset_ns", now.realtime_ns - (gint64)now.monotonic_ns);
	kx_session_record_add_u64(b, "vcpus", s->vm.vcpus);
	kx_session_record_add_memory(b, s);
	kx_json_add_over_time(b, parts);
	json_builder_end_object(b);
	kx_session_record_put(s, KX_FRAME_HEAD, b);
}

void kx_session_record_setting(KxSession *s)
{
	g_autoptr(JsonBuilder) b = NULL;
	g_autofree char *options = NULL;

	if (!s->record.to)
		return;
	b = json_builder_new();
	options = kx_options_to_string(&s->options);
	json_builder_begin_object(b);
	kx_session_record_add_u64(b, "epoch", s->epoch);
	kx_json_add_text(b, "tracker", s->options.tracker->name);
	kx_json_add_text(b, "options", options);
	kx_json_add_text(b, "mechanism", kx_session_mechanism_now(s));
	kx_json_add_int(b, "realtime_ns", kx_session_instant().realtime_ns);
	json_builder_end_object(b);
	kx_session_record_put(s, KX_FRAME_SETTING, b);
	s->record.report_at = 0; /* the window before this setting is closed: a report is due */
}

/* --- reports ------------------------------------------------------------------------------------------------------------- */

static void book(KxSession *s)
{
	KxRecorderStats now = kx_recorder_stats(s->record.to), *told = &s->record.told;

	kx_account_add_recording(s->account, now.cpu_ns - told->cpu_ns, now.bytes - told->bytes,
				 now.lost - told->lost);
	*told = now;
}

static void put_report(KxSession *s, gboolean last)
{
	KxReport *r = s->record.host;
	gint64 begin = g_get_monotonic_time(), took;
	g_autofree char *json = NULL;

	book(s);
	r->generated_realtime_ns = g_get_real_time() * 1000;
	g_ptr_array_add(r->vms, kx_session_report(s, NULL));
	json = kx_report_to_json(r);
	g_ptr_array_set_size(r->vms, 0);
	kx_recorder_put_report(s->record.to, json, last);
	took = g_get_monotonic_time() - begin;
	s->record.report_at = g_get_monotonic_time() + MAX(REPORT_EVERY_US, took * REPORT_SHARE);
}

void kx_session_record_look(KxSession *s)
{
	if (!s->record.to)
		return;
	kx_recorder_flush(s->record.to);
	if (g_get_monotonic_time() >= s->record.report_at)
		put_report(s, FALSE);
	else
		book(s);
}

/* --- begin and end ------------------------------------------------------------------------------------------------------- */

void kx_session_record(KxSession *s, KxRecorder *r, KxReport *host, KxOverTime *parts)
{
	kx_session_drain_now(s, NULL); /* records from before the recording are not part of it */
	s->record.to = r;
	s->record.host = host;
	s->record.told = (KxRecorderStats){ 0 };
	put_head(s, parts);
	kx_session_record_setting(s);
	put_report(s, FALSE); /* so that a recording that is cut off early has a report, too */
	kx_over_time_free(parts);
}

static void put_end(const KxSession *s, const char *why)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	KxRecorderStats now = kx_recorder_stats(s->record.to);

	json_builder_begin_object(b);
	kx_json_add_text(b, "why", why);
	kx_json_add_int(b, "realtime_ns", kx_session_instant().realtime_ns);
	kx_session_record_add_u64(b, "records", now.records);
	kx_session_record_add_u64(b, "lost", now.lost);
	kx_session_record_add_u64(b, "reports_lost", now.reports_lost);
	kx_session_record_add_u64(b, "cpu_ns", now.cpu_ns);
	json_builder_end_object(b);
	kx_session_record_put(s, KX_FRAME_END, b);
}

void kx_session_record_stop(KxSession *s, const char *why)
{
	if (!s->record.to)
		return;
	if (s->tracker)
		kx_session_drain_now(s, NULL);
	put_report(s, TRUE);
	put_end(s, why);
	kx_recorder_end(s->record.to);
	kx_recorder_ask_end(
		s->record.to); /* whoever waits for the recording is told, if not by that */
	g_clear_pointer(&s->record.to, kx_recorder_unref);
	g_clear_pointer(&s->record.host, kx_report_free);
}
