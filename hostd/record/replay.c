// SPDX-License-Identifier: GPL-2.0-or-later
#include "replay.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "account/heat.h"
#include "base/error.h"
#include "base/jsontext.h"
#include "format.h"
#include "model/accessmap-json.h"
#include "model/fields.h"
#include "model/json-read.h"

/* The records go through a ring in memory, so that the reader of the module's ring checks them. */
#define RING_DATA   (2 * KX_FRAME_SAMPLES_MAX)
#define RING_OFFSET 4096u

typedef struct {
	KxReplayPart part;
	KxReplay *out;
	KxReport *report;
	KxOverTime *head_parts; /* with the parts of the memory */
	KxHeat *heat;
	guint64 running, ram_pages, vcpus;
	gint64 realtime_ns;  /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	guint64 first_ns;    /* when the first pass began; 0: none yet */
	gboolean incomplete; /* records of the current pass were lost */
	guint8 *ring;
	char *wrong;
} Replay;

/* --- JSON ---------------------------------------------------------------------------------------------------------------- */

static JsonObject *object_in(JsonParser *parser, const guint8 *data, gsize len)
{
	JsonNode *root;

	if (!kx_json_load(parser, (const char *)data, (gssize)len, NULL))
		return NULL;
	root = json_parser_get_root(parser);
	return root && JSON_NODE_HOLDS_OBJECT(root) ? json_node_get_object(root) : NULL;
}

typedef struct {
	char *schema, *tracker, *options, *mechanism;
	guint64 epoch, last_gfn, ram_pages, vcpus, records;
	gint64 realtime_offset_ns;
} Facts;

#define FACT(t, member)                                                                 \
	{                                                                               \
#member, KX_FIELD_##t, G_STRUCT_OFFSET(Facts, member), -1, -1, 0, FALSE \
	}
static const KxField fact_fields[] = {
	FACT(STRING, schema),
	FACT(STRING, tracker),
	FACT(STRING, options),
	FACT(STRING, mechanism),
	FACT(U64, epoch),
	FACT(U64, last_gfn),
	FACT(U64, ram_pages),
	FACT(U64, vcpus),
	FACT(U64, records),
	FACT(I64, realtime_offset_ns),
	{ NULL, KX_FIELD_STRING, 0, -1, -1, 0, FALSE },
};

static gboolean wrong(Replay *p, const char *what)
{
	if (!p->wrong)
		p->wrong = g_strdup(what);
	return FALSE;
}

static gboolean read_facts(Replay *p, const guint8 *data, gsize len, Facts *f, const char *what)
{
	g_autoptr(JsonParser) parser = json_parser_new_immutable();
	JsonObject *o = object_in(parser, data, len);

	return (o && kx_json_read_fields(fact_fields, o, f, what, NULL)) || wrong(p, what);
}

/* --- frames -------------------------------------------------------------------------------------------------------------- */

static gboolean take_head(Replay *p, const guint8 *data, gsize len)
{
	g_autoptr(JsonParser) parser = json_parser_new_immutable();
	JsonObject *o = object_in(parser, data, len);
	guint64 cells = KX_ACCESS_CELLS_MAX;
	Facts f = { 0 };
	gboolean ok = o && kx_json_read_fields(fact_fields, o, &f, "the head", NULL) &&
		      !g_strcmp0(f.schema, "kvm-ext-record/1") && !p->heat;

	if (ok) {
		p->heat = kx_heat_new(MIN(f.last_gfn, KX_GFN_END - 1), (guint)MIN(f.vcpus, 65536));
		p->realtime_ns = f.realtime_offset_ns;
		p->ram_pages = f.ram_pages;
		p->head_parts = kx_json_read_over_time(o, &cells, "the head", NULL);
	}
	kx_free_strings(fact_fields, &f);
	return ok || wrong(p, "the recording's head cannot be read");
}

/* Canonical text, "interval=100ms granularity=4K". */
static gboolean options_from(const Facts *f, KxOptions *o)
{
	g_auto(GStrv) words = g_strsplit(f->options ? f->options : "", " ", -1);

	kx_options_init(o);
	if (!f->tracker || !kx_options_set(o, "tracker", f->tracker, NULL))
		return FALSE;
	for (char **w = words; *w; w++) {
		char *value = strchr(*w, '=');

		if (!**w)
			continue;
		if (!value)
			return FALSE;
		*value++ = '\0';
		if (!kx_options_set(o, *w, value, NULL))
			return FALSE;
	}
	return TRUE;
}

static gboolean take_setting(Replay *p, const guint8 *data, gsize len)
{
	Facts f = { 0 };
	KxOptions o;
	gboolean ok = read_facts(p, data, len, &f, "a setting in the recording cannot be read");

	if (ok && options_from(&f, &o)) {
		kx_heat_open(p->heat, f.epoch, &o, f.mechanism);
		p->running = f.epoch;
	} else if (ok) {
		ok = wrong(p, "the recording has a tracker or an option that this version does "
			      "not know");
	}
	kx_free_strings(fact_fields, &f);
	return ok;
}

static gboolean take_memory(Replay *p, const guint8 *data, gsize len)
{
	Facts f = { 0 };
	gboolean ok = read_facts(p, data, len, &f, "a size of the memory cannot be read");

	if (ok)
		kx_heat_grow(p->heat, MIN(f.last_gfn, KX_GFN_END - 1));
	if (ok && f.ram_pages)
		p->ram_pages = f.ram_pages;
	kx_free_strings(fact_fields, &f);
	return ok;
}

static gboolean take_lost(Replay *p, const guint8 *data, gsize len)
{
	Facts f = { 0 };
	gboolean ok = read_facts(p, data, len, &f, "a count of lost records cannot be read");

	p->out->lost += f.records;
	if (f.records)
		p->incomplete = TRUE;
	kx_free_strings(fact_fields, &f);
	return ok;
}

static gboolean take_report(Replay *p, const guint8 *data, gsize len)
{
	g_autoptr(KxReport) r = kx_report_from_json((const char *)data, NULL);

	if (!r || r->vms->len != 1)
		return wrong(p, "a report in the recording cannot be read");
	kx_report_free(p->report);
	p->report = g_steal_pointer(&r);
	return TRUE;
}

/* --- samples ------------------------------------------------------------------------------------------------------------- */

static void on_pass_begin(void *data, const struct kvm_ext_rec_pass_begin *r)
{
	Replay *p = data;

	if (!p->first_ns)
		p->first_ns = r->time_ns;
	p->incomplete = FALSE;
	kx_heat_sink.pass_begin(p->heat, r);
}

static gboolean is_wanted(const Replay *p, guint64 time_ns)
{
	guint64 at = time_ns > p->first_ns ? time_ns - p->first_ns : 0;

	return at >= p->part.from_ns && at <= p->part.until_ns;
}

static void on_pass_end(void *data, const struct kvm_ext_rec_pass_end *r)
{
	Replay *p = data;
	struct kvm_ext_rec_pass_end judged = *r;

	if (p->incomplete || !is_wanted(p, r->time_ns))
		judged.h.flags |= KVM_EXT_PASS_CUT;
	p->incomplete = FALSE;
	kx_heat_sink.pass_end(p->heat, &judged);
}

static void on_run(void *data, const struct kvm_ext_rec_run *r)
{
	kx_heat_sink.run(((Replay *)data)->heat, r);
}

static void on_bitmap(void *data, const struct kvm_ext_rec_bitmap *r, const guint64 *bits,
		      gsize nwords)
{
	kx_heat_sink.bitmap(((Replay *)data)->heat, r, bits, nwords);
}

static void on_faults(void *data, const struct kvm_ext_rec_faults *r,
		      const struct kvm_ext_fault *faults)
{
	kx_heat_sink.faults(((Replay *)data)->heat, r, faults);
}

static void on_regions(void *data, const struct kvm_ext_rec_regions *r,
		       const struct kvm_ext_region *regions)
{
	kx_heat_sink.regions(((Replay *)data)->heat, r, regions);
}

static const KxStreamOps sink = {
	.pass_begin = on_pass_begin,
	.run = on_run,
	.bitmap = on_bitmap,
	.pass_end = on_pass_end,
	.faults = on_faults,
	.regions = on_regions,
};

static gboolean drain(Replay *p, const guint8 *records, gsize len)
{
	struct kvm_ext_ring *ring = (struct kvm_ext_ring *)p->ring;
	g_autoptr(KxStream) s = NULL;
	guint64 n = 0;
	gboolean ok;

	*ring = (struct kvm_ext_ring){ .magic = KVM_EXT_RING_MAGIC,
				       .api_version = KVM_EXT_API_VERSION,
				       .data_offset = RING_OFFSET,
				       .data_size = RING_DATA,
				       .data_head = len };
	memcpy(p->ring + RING_OFFSET, records, len);
	s = kx_stream_new(p->ring, RING_OFFSET + RING_DATA, NULL);
	ok = s && kx_stream_drain(s, &sink, p, &n, NULL);
	p->out->records += n;
	return ok || wrong(p, "a record of samples is damaged");
}

static void take_ranked(Replay *p, const guint8 *at)
{
	struct kx_rec_ranked r;

	memcpy(&r, at, sizeof(r));
	kx_heat_sink.ranked(p->heat, r.gfn, r.npages, r.accesses);
	p->out->records++;
}

/* Consecutive records of the module's types go through the ring; KX_RECORD_RANKED does not. */
static gboolean take_samples(Replay *p, const guint8 *data, gsize len)
{
	gsize from = 0, at = 0;

	if (len > KX_FRAME_SAMPLES_MAX)
		return wrong(p, "a frame of samples is too long");
	while (at < len) {
		struct kvm_ext_record h;

		if (len - at < sizeof(h))
			return wrong(p, "a record of samples is cut off");
		memcpy(&h, data + at, sizeof(h));
		if (h.size < sizeof(h) || h.size % 8 || h.size > len - at)
			return wrong(p, "a record of samples has an impossible size");
		if (h.type == KX_RECORD_RANKED && h.size == sizeof(struct kx_rec_ranked)) {
			if (at > from && !drain(p, data + from, at - from))
				return FALSE;
			take_ranked(p, data + at);
			from = at + h.size;
		}
		at += h.size;
	}
	return at == from || drain(p, data + from, at - from);
}

static gboolean take_end(Replay *p, const guint8 *data, gsize len)
{
	g_free(p->out->end_json);
	p->out->end_json = g_strndup((const char *)data, len);
	return TRUE;
}

static const struct {
	guint type;
	gboolean (*take)(Replay *p, const guint8 *data, gsize len);
} kinds[] = {
	{ KX_FRAME_HEAD, take_head },	  { KX_FRAME_SETTING, take_setting },
	{ KX_FRAME_MEMORY, take_memory }, { KX_FRAME_SAMPLES, take_samples },
	{ KX_FRAME_LOST, take_lost },	  { KX_FRAME_REPORT, take_report },
	{ KX_FRAME_END, take_end },
};

/* Frames of other types are skipped: a later version has written them, in the same format. */
static gboolean take_frame(Replay *p, guint type, const guint8 *data, gsize len)
{
	if (!p->heat && type != KX_FRAME_HEAD)
		return wrong(p, "the recording does not begin with its head");
	for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (kinds[i].type == type)
			return kinds[i].take(p, data, len);
	}
	return TRUE;
}

static void read_frames(Replay *p, KxRecordReader *reader)
{
	const guint8 *data;
	guint type;
	gsize len;

	while ((data = kx_record_reader_next(reader, &type, &len))) {
		if (!take_frame(p, type, data, len)) {
			p->out->broken = g_strdup_printf("%s (frame %" G_GUINT64_FORMAT ")",
							 p->wrong, kx_record_reader_frames(reader));
			break;
		}
		if (p->part.progress)
			p->part.progress(kx_record_reader_share(reader), p->part.data);
	}
	if (!p->out->broken)
		p->out->broken = g_strdup(kx_record_reader_broken(reader));
	p->out->frames = kx_record_reader_frames(reader);
}

/* --- the result ---------------------------------------------------------------------------------------------------------- */

/* Maps of guest processes are not made of samples: they are those of the last report. */
static void keep_processes(KxHeatReport *to, const KxHeatReport *from)
{
	for (guint i = 0; from && i < from->maps->len; i++) {
		const KxHeatMap *m = from->maps->pdata[i];

		if (m->process)
			g_ptr_array_add(to->maps, kx_heat_map_copy(m));
	}
}

/* Whether the daemon has seen nested guests: it adds a note to the maps of trackers that cannot see their accesses. */
static gboolean saw_nested(const KxHeatReport *heat)
{
	for (guint i = 0; heat && i < heat->maps->len; i++) {
		if (((const KxHeatMap *)heat->maps->pdata[i])->unseen)
			return TRUE;
	}
	return FALSE;
}

static void put_heat(Replay *p, KxVmReport *v)
{
	gboolean nested;
	KxHeatReport *heat = kx_heat_report(p->heat, v->attached ? p->running : 0, p->ram_pages);

	keep_processes(heat, v->heat);
	nested = saw_nested(v->heat);
	kx_heat_report_free(v->heat);
	v->heat = heat;
	kx_over_time_free(v->over_time);
	v->over_time = kx_heat_over_time(p->heat, v->attached ? p->running : 0, p->realtime_ns);
	if (nested) {
		kx_heat_note_nested(v->heat);
		kx_heat_note_nested_over_time(v->over_time);
	}
	if (p->head_parts) {
		g_array_append_vals(v->over_time->parts, p->head_parts->parts->data,
				    p->head_parts->parts->len);
		v->over_time->parts_na = g_strdup(p->head_parts->parts_na);
	} else {
		v->over_time->parts_na = g_strdup("not in the recording");
	}
}

KxReplay *kx_replay(KxRecordReader *reader, const KxReplayPart *part, GError **error)
{
	g_autofree guint8 *ring = g_malloc0(RING_OFFSET + RING_DATA);
	g_autoptr(KxReplay) out = g_new0(KxReplay, 1);
	Replay p = { .out = out, .ring = ring, .part = { .until_ns = G_MAXUINT64 } };

	if (part)
		p.part = *part;
	read_frames(&p, reader);
	if (p.report)
		put_heat(&p, p.report->vms->pdata[0]);
	else
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "nothing in the recording can be used: %s",
			    out->broken ? out->broken : "it has no report");
	out->report = p.report;
	kx_over_time_free(p.head_parts);
	kx_heat_free(p.heat);
	g_free(p.wrong);
	return out->report ? g_steal_pointer(&out) : NULL;
}

void kx_replay_free(KxReplay *r)
{
	if (!r)
		return;
	kx_report_free(r->report);
	g_free(r->broken);
	g_free(r->end_json);
	g_free(r);
}
