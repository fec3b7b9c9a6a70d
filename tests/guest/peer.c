// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The daemon's end of a guest channel, for tests of kvm_ext_guest.ko: maps FILE, which is the
 * memory of an emulated host's ivshmem device, and executes the requests of a script inside that
 * host.
 *
 * usage: peer FILE DIR [AT]
 *
 * DIR/requests: lines "N WORD ARGUMENT…", appended by the script. The answer to N is
 * DIR/answer.N, whose first line is "ok" or "refused". The emulated host can access DIR, but FILE
 * only as the device's memory; so all that an answer contains about the guest has passed through
 * the device. If this program runs in the emulated host itself, FILE is /dev/mem, and AT is the
 * address of the device's memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest/channel.h"

#define LOOK_US 10000

/* The last ranges record of a process, and the frames of its hottest ranges. */
typedef struct {
	GByteArray *ranges; /* struct kvm_ext_channel_ranges */
	GArray *spans;	    /* struct kvm_ext_channel_span of all ranks in epoch @number */
	guint64 number;
} Process;

/* Sums since the last command. */
typedef struct {
	guint64 ranges, pages, samples; /* records */
	guint64 in_ranges, in_samples;	/* samples in these records */
	/* Epoch numbers. The gaps between them are only meaningful for records of one process. */
	guint64 first, last, gaps;
} Sums;

typedef struct {
	guint8 *map;
	KxChannel *c;
	gboolean hold; /* do not read the ring */
	gboolean deaf; /* neither read nor write the channel, as after a daemon's death */
	KxChannelState state;
	KxChannelStatus status;
	GHashTable *processes; /* pid: Process */
	Sums sums;
} Peer;

typedef struct {
	const char *word;
	gboolean (*answer)(Peer *p, char **args, GString *out);
} Request;

static void process_free(gpointer data)
{
	Process *one = data;

	g_byte_array_unref(one->ranges);
	g_array_unref(one->spans);
	g_free(one);
}

static Process *process_of(Peer *p, gint32 pid)
{
	Process *one = g_hash_table_lookup(p->processes, GINT_TO_POINTER(pid));

	if (!one) {
		one = g_new0(Process, 1);
		one->ranges = g_byte_array_new();
		one->spans = g_array_new(FALSE, FALSE, sizeof(struct kvm_ext_channel_span));
		g_hash_table_insert(p->processes, GINT_TO_POINTER(pid), one);
	}
	return one;
}

/* --- records ------------------------------------------------------------------------------------------------------ */

static void on_ranges(void *data, const struct kvm_ext_channel_ranges *r)
{
	Peer *p = data;
	Process *one = process_of(p, r->pid);

	g_byte_array_set_size(one->ranges, 0);
	g_byte_array_append(one->ranges, (const guint8 *)r, r->h.size);
	g_array_set_size(one->spans, 0);
	one->number = r->number;
	if (!p->sums.ranges++)
		p->sums.first = r->number;
	else if (r->number > p->sums.last + 1)
		p->sums.gaps += r->number - p->sums.last - 1;
	p->sums.last = r->number;
	p->sums.in_ranges += r->samples;
}

static void on_pages(void *data, const struct kvm_ext_channel_pages *r)
{
	Peer *p = data;
	Process *one = process_of(p, r->pid);

	p->sums.pages++;
	if (one->number == r->number)
		g_array_append_vals(one->spans, r->span, r->nr);
}

static void on_samples(void *data, const struct kvm_ext_channel_samples *r)
{
	Peer *p = data;

	p->sums.samples++;
	p->sums.in_samples += r->nr;
}

static const KxChannelOps ops = { on_ranges, on_pages, on_samples };

static void look(Peer *p)
{
	if (!p->c || p->deaf)
		return;
	p->state = kx_channel_look(p->c, (guint64)g_get_monotonic_time() * 1000, &p->status);
	if (!p->hold)
		kx_channel_drain(p->c, &ops, p);
}

static void forget(Peer *p)
{
	p->sums = (Sums){ 0 };
	g_hash_table_remove_all(p->processes);
}

/* --- requests: the channel as such ---------------------------------------------------------------------------------- */

/* Creates the channel as a daemon does at its start. */
static gboolean answer_new(Peer *p, char **args, GString *out)
{
	g_autoptr(GError) error = NULL;

	g_clear_pointer(&p->c, kx_channel_free);
	forget(p);
	p->c = kx_channel_new(p->map, KVM_EXT_CHANNEL_SIZE, g_random_int() | 1, &error);
	if (!p->c)
		g_string_append(out, error->message);
	return p->c != NULL;
}

/* FIELD VALUE: writes an identification whose FIELD is VALUE; all other fields are right. */
static gboolean answer_identify(Peer *p, char **args, GString *out)
{
	struct kvm_ext_channel_id id = { .magic = KVM_EXT_CHANNEL_MAGIC,
					 .version = KVM_EXT_CHANNEL_VERSION,
					 .size = KVM_EXT_CHANNEL_SIZE,
					 .instance = 1 };
	guint64 value = g_ascii_strtoull(args[1] ? args[1] : "0", NULL, 0);

	g_clear_pointer(&p->c, kx_channel_free);
	if (!g_strcmp0(args[0], "magic"))
		id.magic = value;
	else if (!g_strcmp0(args[0], "version"))
		id.version = (guint32)value;
	else if (!g_strcmp0(args[0], "size"))
		id.size = (guint32)value;
	else
		return FALSE;
	memset(p->map, 0, KVM_EXT_CHANNEL_SIZE);
	memcpy(p->map + KVM_EXT_CHANNEL_ID_AT, &id, sizeof(id));
	return TRUE;
}

/* Succeeds if all pages except the host's contain zeroes. */
static gboolean answer_untouched(Peer *p, char **args, GString *out)
{
	for (gsize i = KVM_EXT_CHANNEL_STATUS_AT; i < KVM_EXT_CHANNEL_SIZE; i++) {
		if (p->map[i]) {
			g_string_append_printf(out, "byte %zu is %u\n", i, p->map[i]);
			return FALSE;
		}
	}
	return TRUE;
}

/* SECONDS: writes random data to the host's pages for this time. */
static gboolean answer_scribble(Peer *p, char **args, GString *out)
{
	static const guint32 pages[] = { KVM_EXT_CHANNEL_ID_AT, KVM_EXT_CHANNEL_COMMAND_AT,
					 KVM_EXT_CHANNEL_TAIL_AT };
	static const guint32 favourites[] = {
		0, 1, 2, 3, 16, 17, 0x7fffffff, 0x80000000, 0xffffffff
	};
	gint64 end = g_get_monotonic_time() +
		     g_ascii_strtoll(args[0] ? args[0] : "1", NULL, 10) * G_USEC_PER_SEC;
	g_autoptr(GRand) rand = g_rand_new_with_seed(7);

	g_clear_pointer(&p->c, kx_channel_free);
	while (g_get_monotonic_time() < end) {
		for (guint i = 0; i < 4096; i++) {
			guint32 at = pages[g_rand_int_range(rand, 0, G_N_ELEMENTS(pages))];
			guint32 value = g_rand_boolean(rand)
						? g_rand_int(rand)
						: favourites[g_rand_int_range(
							  rand, 0, G_N_ELEMENTS(favourites))];
			/*
			 * The guest reads the beginnings of the pages, so half of the writes go
			 * there.
			 */
			guint32 word = g_rand_int_range(rand, 0, g_rand_boolean(rand) ? 16 : 1024);

			memcpy(p->map + at + 4 * word, &value, sizeof(value));
		}
		/* An even sequence number makes the guest read the random data as a command. */
		if (g_rand_int_range(rand, 0, 2)) {
			guint32 seq = g_rand_int(rand) & ~1u;

			memcpy(p->map + KVM_EXT_CHANNEL_COMMAND_AT, &seq, sizeof(seq));
		}
		g_usleep((gulong)g_rand_int_range(rand, 1000, 60000));
	}
	return TRUE;
}

static gboolean answer_hold(Peer *p, char **args, GString *out)
{
	p->hold = !g_strcmp0(args[0], "on");
	return TRUE;
}

static gboolean answer_deaf(Peer *p, char **args, GString *out)
{
	p->deaf = !g_strcmp0(args[0], "on");
	return TRUE;
}

/*
 * The guest's state and time, read directly from the channel, and a checksum of all the guest's
 * pages.
 */
static gboolean answer_raw(Peer *p, char **args, GString *out)
{
	const struct kvm_ext_channel_status *s = (void *)(p->map + KVM_EXT_CHANNEL_STATUS_AT);
	g_autofree char *sum =
		g_compute_checksum_for_data(G_CHECKSUM_SHA256, p->map + KVM_EXT_CHANNEL_STATUS_AT,
					    KVM_EXT_CHANNEL_SIZE - KVM_EXT_CHANNEL_STATUS_AT);

	g_string_append_printf(out, "state %u\ntime_ns %" PRIu64 "\nsum %s\n", s->state,
			       (guint64)s->time_ns, sum);
	return TRUE;
}

/* --- requests: commands ----------------------------------------------------------------------------------------------- */

static const char *const samplers[] = { "none", "events", "abit", NULL };
static const char *const events[] = { "auto",	"page-faults",	"raw", "loads",
				      "stores", "loads+stores", NULL };
static const char *const policies[] = { "fixed", "budget", "poll", NULL };

static gboolean one_of(const char *const *words, const char *word, __u32 *value)
{
	for (guint32 i = 0; words[i]; i++) {
		if (!strcmp(words[i], word)) {
			*value = i;
			return TRUE;
		}
	}
	return FALSE;
}

static gboolean set_field(struct kvm_ext_channel_command *c, const char *key, const char *value)
{
	const struct {
		const char *key;
		__u64 *wide;
		__u32 *narrow;
	} numbers[] = {
		{ "config", &c->config, NULL },		  { "config1", &c->config1, NULL },
		{ "period", &c->period, NULL },		  { "epoch_ns", &c->epoch_ns, NULL },
		{ "interval_ns", &c->interval_ns, NULL }, { "epoch", &c->epoch, NULL },
		{ "budget_ppm", NULL, &c->budget_ppm },	  { "flags", NULL, &c->flags },
		{ "granularity", NULL, &c->granularity }, { "max_ranges", NULL, &c->max_ranges },
	};
	guint64 number = g_ascii_strtoull(value, NULL, 0);

	for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
		if (strcmp(numbers[i].key, key))
			continue;
		if (numbers[i].wide)
			*numbers[i].wide = number;
		else
			*numbers[i].narrow = (guint32)number;
		return TRUE;
	}
	if (!strcmp(key, "sampler"))
		return one_of(samplers, value, &c->sampler);
	if (!strcmp(key, "event"))
		return one_of(events, value, &c->event);
	if (!strcmp(key, "policy"))
		return one_of(policies, value, &c->policy);
	if (!strcmp(key, "name") && c->nr_names < KVM_EXT_CHANNEL_PROCESSES) {
		g_strlcpy(c->names[c->nr_names++], value, KVM_EXT_CHANNEL_NAME);
		return TRUE;
	}
	if (!strcmp(key, "pid") && c->nr_pids < KVM_EXT_CHANNEL_PROCESSES) {
		c->pids[c->nr_pids++] = (gint32)number;
		return TRUE;
	}
	return FALSE;
}

/* KEY=VALUE…; answers with the command's number. */
static gboolean answer_command(Peer *p, char **args, GString *out)
{
	struct kvm_ext_channel_command command = { 0 };

	for (; *args; args++) {
		char *value = strchr(*args, '=');

		if (value)
			*value++ = 0;
		if (!value || !set_field(&command, *args, value)) {
			g_string_append_printf(out, "unknown argument '%s'", *args);
			return FALSE;
		}
	}
	forget(p);
	g_string_append_printf(out, "%" PRIu32 "\n", kx_channel_command(p->c, &command));
	return TRUE;
}

/* --- requests: the guest's status and records ------------------------------------------------------------------------- */

static gboolean answer_status(Peer *p, char **args, GString *out)
{
	const KxChannelStatus *s = &p->status;
	const struct kvm_ext_channel_account *a = &s->account;
	const struct {
		const char *key;
		guint64 value;
	} numbers[] = {
		{ "channel", p->state },
		{ "state", s->state },
		{ "instance", s->instance },
		{ "heartbeat", s->heartbeat },
		{ "acked", s->acked },
		{ "error", (guint64)s->error },
		{ "surrogate", s->surrogate },
		{ "cpus", s->cpus },
		{ "epoch", s->epoch },
		{ "time_ns", s->time_ns },
		{ "start_ns", s->start_ns },
		{ "work", s->work },
		{ "work_writers", s->work_writers },
		{ "samples", a->samples },
		{ "classified", a->classified },
		{ "dropped_queue", a->dropped_queue },
		{ "dropped_ring", a->dropped_ring },
		{ "no_address", a->no_address },
		{ "interrupts", a->interrupts },
		{ "cost_ns", a->interrupt_ns + a->drain_ns + a->classify_ns + a->report_ns +
				     a->scan_ns + a->flush_ns },
		{ "interrupt_ns", a->interrupt_ns },
		{ "drain_ns", a->drain_ns },
		{ "classify_ns", a->classify_ns },
		{ "report_ns", a->report_ns },
		{ "scan_ns", a->scan_ns },
		{ "flushes", a->flushes },
		{ "flush_ns", a->flush_ns },
		{ "scans", a->scans },
		{ "pages_scanned", a->pages_scanned },
		{ "epochs", a->epochs },
		{ "memory_bytes", a->memory_bytes },
		{ "period", a->period },
	};

	for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
		g_string_append_printf(out, "%s %" PRIu64 "\n", numbers[i].key, numbers[i].value);
	g_string_append_printf(out, "event %s\nrelease %s\n", s->event, s->release);
	return TRUE;
}

static gboolean answer_sums(Peer *p, char **args, GString *out)
{
	const Sums *s = &p->sums;
	KxChannelCounts n = { 0 };

	if (p->c)
		kx_channel_counts(p->c, &n);
	g_string_append_printf(
		out,
		"ranges %" PRIu64 "\npages %" PRIu64 "\nsamples %" PRIu64 "\nin_ranges %" PRIu64
		"\nin_samples %" PRIu64 "\nfirst %" PRIu64 "\nlast %" PRIu64 "\ngaps %" PRIu64
		"\nbad %" PRIu64 "\nresyncs %" PRIu64 "\nrestarts %" PRIu64 "\nprocesses %u\n",
		s->ranges, s->pages, s->samples, s->in_ranges, s->in_samples, s->first, s->last,
		s->gaps, n.bad, n.resyncs, n.restarts, g_hash_table_size(p->processes));
	return TRUE;
}

static Process *asked_for(Peer *p, char **args)
{
	return args[0] ? g_hash_table_lookup(p->processes, GINT_TO_POINTER(atoi(args[0]))) : NULL;
}

/* PID: prints its ranges, the hottest first: START SIZE ACCESSES AGE, the first two in pages. */
static gboolean answer_ranges(Peer *p, char **args, GString *out)
{
	const Process *one = asked_for(p, args);
	const struct kvm_ext_channel_ranges *r;

	if (!one || !one->ranges->len)
		return FALSE;
	r = (const void *)one->ranges->data;
	for (guint32 i = 0; i < r->nr; i++)
		g_string_append_printf(out, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu32 "\n",
				       (guint64)r->range[i].start >> 12,
				       (guint64)r->range[i].size >> 12,
				       (guint64)r->range[i].accesses, r->range[i].age);
	return TRUE;
}

/* PID: prints the frames of its ranges, as runs FIRST NUMBER. */
static gboolean answer_pages(Peer *p, char **args, GString *out)
{
	const Process *one = asked_for(p, args);

	if (!one)
		return FALSE;
	for (guint i = 0; i < one->spans->len; i++) {
		const struct kvm_ext_channel_span *s =
			&g_array_index(one->spans, struct kvm_ext_channel_span, i);

		g_string_append_printf(out, "%" PRIu64 " %" PRIu64 "\n", (guint64)s->gfn,
				       (guint64)s->npages);
	}
	return TRUE;
}

static gboolean answer_declared(Peer *p, char **args, GString *out)
{
	g_autoptr(GArray) spans = kx_channel_declared(p->c);

	for (guint i = 0; spans && i < spans->len; i++) {
		const struct kvm_ext_channel_span *s =
			&g_array_index(spans, struct kvm_ext_channel_span, i);

		for (guint64 k = 0; k < s->npages; k++)
			g_string_append_printf(out, "%" PRIx64 "\n", (guint64)s->gfn + k);
	}
	return spans != NULL;
}

static const Request requests[] = {
	{ "new", answer_new },
	{ "identify", answer_identify },
	{ "untouched", answer_untouched },
	{ "scribble", answer_scribble },
	{ "hold", answer_hold },
	{ "deaf", answer_deaf },
	{ "raw", answer_raw },
	{ "command", answer_command },
	{ "status", answer_status },
	{ "sums", answer_sums },
	{ "ranges", answer_ranges },
	{ "pages", answer_pages },
	{ "declared", answer_declared },
};

static gboolean needs_channel(const char *word)
{
	static const char *const others[] = { "new", "identify", "untouched", NULL };

	return !g_strv_contains(others, word);
}

/* --- main ------------------------------------------------------------------------------------------------------------- */

static void answer(Peer *p, const char *dir, const char *line)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *path = NULL;
	gboolean good = FALSE;

	if (!words[0] || !words[1])
		return;
	path = g_strdup_printf("%s/answer.%s", dir, words[0]);
	for (guint i = 0; i < G_N_ELEMENTS(requests); i++) {
		if (strcmp(requests[i].word, words[1]))
			continue;
		if (p->c || !needs_channel(words[1]))
			good = requests[i].answer(p, words + 2, out);
		else
			g_string_append(out, "no channel");
	}
	g_string_append_printf(text, "%s\n%s", good ? "ok" : "refused", out->str);
	/* Written by rename, so that a reader sees the complete answer. */
	g_file_set_contents(path, text->str, (gssize)text->len, NULL);
}

static void answer_all(Peer *p, const char *dir, FILE *from)
{
	char line[1024];
	long at = ftell(from);

	while (fgets(line, sizeof(line), from)) {
		if (!strchr(line, '\n')) {
			fseek(from, at, SEEK_SET); /* the line is not complete yet */
			break;
		}
		look(p);
		answer(p, dir, g_strchomp(line));
		at = ftell(from);
	}
	clearerr(from);
}

int main(int argc, char **argv)
{
	Peer p = { 0 };
	g_autofree char *path = NULL;
	FILE *from;
	int fd;

	if (argc != 3 && argc != 4) {
		g_printerr("usage: peer FILE DIR [AT]\n");
		return 2;
	}
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	p.map = mmap(NULL, KVM_EXT_CHANNEL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		     argc == 4 ? (off_t)g_ascii_strtoull(argv[3], NULL, 0) : 0);
	path = g_build_filename(argv[2], "requests", NULL);
	from = fopen(path, "a+e");
	if (fd < 0 || p.map == MAP_FAILED || !from) {
		g_printerr("peer: %s, %s: %s\n", argv[1], path, g_strerror(errno));
		return 1;
	}
	p.processes = g_hash_table_new_full(NULL, NULL, NULL, process_free);
	rewind(from);
	for (;;) {
		look(&p);
		answer_all(&p, argv[2], from);
		g_usleep(LOOK_US);
	}
}
