// SPDX-License-Identifier: GPL-2.0-or-later
/* What a session that is recorded (record/recorder.h) hands on as it comes: samples, and the size of the memory. */
#include "session-internal.h"

#include <json-glib/json-glib.h>

#include "model/json-write.h"
#include "record/format.h"

void kx_session_record_put(const KxSession *s, guint type, JsonBuilder *b)
{
	g_autoptr(JsonNode) root = json_builder_get_root(b);
	g_autofree char *json = json_to_string(root, FALSE);

	kx_recorder_put(s->record.to, type, json);
}

void kx_session_record_add_u64(JsonBuilder *b, const char *key, guint64 value)
{
	json_builder_set_member_name(b, key);
	kx_json_add_u64(b, value);
}

void kx_session_record_add_memory(JsonBuilder *b, KxSession *s)
{
	s->record.last_gfn = s->vm.last_gfn;
	kx_session_record_add_u64(b, "last_gfn", s->vm.last_gfn);
	kx_session_record_add_u64(b, "ram_pages", s->vm.ram_pages);
}

void kx_session_record_memory(KxSession *s)
{
	g_autoptr(JsonBuilder) b = NULL;

	if (!s->record.to || s->vm.last_gfn == s->record.last_gfn)
		return;
	b = json_builder_new();
	json_builder_begin_object(b);
	kx_session_record_add_memory(b, s);
	json_builder_end_object(b);
	kx_session_record_put(s, KX_FRAME_MEMORY, b);
}

/* --- samples ------------------------------------------------------------------------------------------------------------- */

void kx_session_record_sample(const KxSession *s, const struct kvm_ext_record *r)
{
	if (s->record.to)
		kx_recorder_sample(s->record.to, r);
}

void kx_session_record_ranked(const KxSession *s, guint64 gfn, guint64 npages, guint64 accesses)
{
	const struct kx_rec_ranked r = {
		{ KX_RECORD_RANKED, 0, sizeof(r) }, gfn, npages, accesses
	};

	kx_session_record_sample(s, &r.h);
}
