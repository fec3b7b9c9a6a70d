// SPDX-License-Identifier: GPL-2.0-or-later
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "touch.h"

enum kind {
	SIZE, /* bytes, whole pages, K M G T suffix */
	COUNT,
	REAL,
	CHOICE, /* one of words, kept as its index */
	TEXT,
	FLAG,
	HELP,
	VERSION,
};

struct spec {
	const char *name;
	enum kind kind;
	size_t offset;
	double min, max;
	const char *const *words;
	unsigned int n_words;
	const char *argument;
	const char *help;
};

static const char *const off_on[] = { "off", "on" };

#define AT(member) offsetof(struct wl_options, member)
#define MAX_BYTES  17592186044416.0 /* page numbers have 32 bits */
#define MAX_COUNT  9007199254740992.0

static const struct spec specs[] = {
	{ "pattern", CHOICE, AT(pattern), 0, 0, wl_pattern_names, WL_PATTERN_KINDS, "NAME",
	  "uniform, zipf, hotcold, stairs, seq or idle (uniform)" },
	{ "mem", SIZE, AT(mem_bytes), 4096, MAX_BYTES, NULL, 0, "SIZE",
	  "arena: the buffer whose truth is known (64M)" },
	{ "ws", SIZE, AT(ws_bytes), 4096, MAX_BYTES, NULL, 0, "SIZE",
	  "working set: the first SIZE bytes of the arena (all of it)" },
	{ "read-share", REAL, AT(read_share), 0, 1, NULL, 0, "F",
	  "share of touches that read (0.5)" },
	{ "rate", COUNT, AT(rate), 0, 1e12, NULL, 0, "N",
	  "touches a second, all threads together; 0: as fast as possible (0)" },
	{ "thp", CHOICE, AT(thp), 0, 0, off_on, 2, "on|off",
	  "ask for huge pages, or for none (off)" },
	{ "seed", COUNT, AT(seed), 0, MAX_COUNT, NULL, 0, "N", "same seed, same pages (1)" },
	{ "epoch-ms", COUNT, AT(epoch_ms), 1, 86400000, NULL, 0, "N", "length of an epoch (1000)" },
	{ "epoch-touches", COUNT, AT(epoch_touches), 0, MAX_COUNT, NULL, 0, "N",
	  "end an epoch after N touches instead of a time; 0: by time (0)" },
	{ "epochs", COUNT, AT(epochs), 0, MAX_COUNT, NULL, 0, "N",
	  "quit after N epochs; 0: never (0)" },
	{ "hot-share", REAL, AT(hot_share), 0, 1, NULL, 0, "F",
	  "hotcold, stairs: share of touches in the hot window (0.9)" },
	{ "hot-bytes", SIZE, AT(hot_bytes), 4096, MAX_BYTES, NULL, 0, "SIZE",
	  "hotcold, stairs: size of the hot window (a tenth of the working set)" },
	{ "window", SIZE, AT(hot_bytes), 4096, MAX_BYTES, NULL, 0, "SIZE",
	  "the same as --hot-bytes" },
	{ "step-epochs", COUNT, AT(step_epochs), 1, 4294967295.0, NULL, 0, "N",
	  "stairs: epochs until the window moves by its size (4)" },
	{ "theta", REAL, AT(theta), 0, 10, NULL, 0, "F", "zipf: exponent (0.99)" },
	{ "threads", COUNT, AT(threads), 1, 1024, NULL, 0, "N", "touching threads (1)" },
	{ "faults", FLAG, AT(faults), 0, 0, NULL, 0, NULL,
	  "unmap the working set before each batch of touches: they fault" },
	{ "log", TEXT, AT(log_path), 0, 0, NULL, 0, "PATH",
	  "where the log goes (standard output)" },
	{ "control", TEXT, AT(control_path), 0, 0, NULL, 0, "PATH",
	  "where commands come from, may be the log's port (standard input)" },
	{ "wait", FLAG, AT(wait), 0, 0, NULL, 0, NULL, "wait for a command before touching" },
	{ "virtual", FLAG, AT(virtual), 0, 0, NULL, 0, NULL,
	  "log virtual page numbers: for tests outside a guest" },
	{ "help", HELP, 0, 0, 0, NULL, 0, NULL, "this text" },
	{ "version", VERSION, 0, 0, 0, NULL, 0, NULL, "the version" },
};

#define N_SPECS (sizeof(specs) / sizeof(specs[0]))

static void print_help(void)
{
	puts("Usage: kx-workload [OPTION]...\n"
	     "Touch memory in a known pattern and log exactly which pages were touched.\n");
	for (size_t i = 0; i < N_SPECS; i++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", specs[i].name,
			 specs[i].argument ? " " : "", specs[i].argument ? specs[i].argument : "");
		printf("  %-22s %s\n", left, specs[i].help);
	}
	puts("\nCommands, one a line: go, stop, epoch (exactly one), quit.\n"
	     "Exit status: 0 done, 1 failed, 2 bad usage, 3 no guest-physical page numbers here.");
}

static bool complain(const struct spec *spec, const char *value, const char *why)
{
	fprintf(stderr, "kx-workload: --%s %s: %s\n", spec->name, value, why);
	return false;
}

static bool in_range(const struct spec *spec, const char *value, double number)
{
	char why[80];

	/* Written so that NaN is out of range. */
	if (number >= spec->min && number <= spec->max)
		return true;
	snprintf(why, sizeof(why), "must be from %.15g to %.15g", spec->min, spec->max);
	return complain(spec, value, why);
}

static bool parse_count(const struct spec *spec, const char *value, uint64_t *out)
{
	unsigned int shift = 0;
	char *end;

	errno = 0;
	*out = strtoull(value, &end, 10);
	if (value[0] < '0' || value[0] > '9')
		return complain(spec, value, "not a number");
	if (spec->kind == SIZE && *end) {
		const char *suffixes = "KMGT", *suffix = strchr(suffixes, *end & ~0x20);

		if (suffix) {
			shift = 10 * (suffix - suffixes + 1);
			end++;
		}
	}
	if (*end)
		return complain(spec, value,
				spec->kind == SIZE
					? "not a size (a number, then K, M, G, T or nothing)"
					: "not a number");
	if (errno || !in_range(spec, value, ldexp((double)*out, shift)))
		return errno ? complain(spec, value, "too large") : false;
	*out <<= shift;
	if (spec->kind == SIZE && *out % WL_PAGE_BYTES)
		return complain(spec, value, "must be a multiple of 4K");
	return true;
}

static bool parse_real(const struct spec *spec, const char *value, double *out)
{
	char *end;

	*out = strtod(value, &end);
	if (end == value || *end)
		return complain(spec, value, "not a number");
	return in_range(spec, value, *out);
}

static bool parse_choice(const struct spec *spec, const char *value, uint64_t *out)
{
	for (unsigned int i = 0; i < spec->n_words; i++) {
		if (!strcmp(value, spec->words[i])) {
			*out = i;
			return true;
		}
	}
	fprintf(stderr, "kx-workload: --%s %s: must be one of", spec->name, value);
	for (unsigned int i = 0; i < spec->n_words; i++)
		fprintf(stderr, " %s", spec->words[i]);
	fputc('\n', stderr);
	return false;
}

static bool parse_one(struct wl_options *options, const struct spec *spec, const char *value)
{
	void *member = (char *)options + spec->offset;

	switch (spec->kind) {
	case SIZE:
	case COUNT:
		return parse_count(spec, value, member);
	case REAL:
		return parse_real(spec, value, member);
	case CHOICE:
		return parse_choice(spec, value, member);
	case TEXT:
		*(const char **)member = value;
		return true;
	default:
		*(bool *)member = true;
		return true;
	}
}

static bool fail(const char *why)
{
	fprintf(stderr, "kx-workload: %s\n", why);
	return false;
}

/* Sets defaults that depend on other options, and checks combinations of options. */
static bool settle(struct wl_options *options)
{
	bool windowed = options->pattern == WL_HOTCOLD || options->pattern == WL_STAIRS;

	if (!options->ws_bytes)
		options->ws_bytes = options->mem_bytes;
	if (options->ws_bytes > options->mem_bytes)
		return fail("--ws is larger than --mem");
	if (!options->hot_bytes) {
		options->hot_bytes = options->ws_bytes / 10 & ~(WL_PAGE_BYTES - 1);
		if (!options->hot_bytes)
			options->hot_bytes = WL_PAGE_BYTES;
	}
	if (windowed && options->hot_bytes > options->ws_bytes)
		return fail("--hot-bytes is larger than --ws");
	if (options->mem_bytes / WL_PAGE_BYTES > UINT32_MAX)
		return fail("--mem is too large: page numbers have 32 bits");
	if (options->threads > options->ws_bytes / WL_PAGE_BYTES)
		return fail("--threads is larger than the number of pages in --ws");
	if (options->faults && options->thp)
		return fail("--faults is for small pages: not with --thp on");
	if (options->pattern == WL_IDLE && options->epoch_touches)
		return fail("--pattern idle never touches: --epoch-touches would never end");
	return true;
}

static bool parse_all(struct wl_options *options, int argc, char **argv, const struct option *longs,
		      const struct spec **answer)
{
	int index;

	optind = 0;
	for (;;) {
		int got = getopt_long(argc, argv, "", longs, &index);

		if (got == -1)
			break;
		if (got == '?')
			return fail("see kx-workload --help");
		if (specs[index].kind == HELP || specs[index].kind == VERSION) {
			*answer = &specs[index];
			return true;
		}
		if (!parse_one(options, &specs[index], optarg))
			return false;
	}
	if (optind < argc) {
		fprintf(stderr, "kx-workload: unexpected argument %s\n", argv[optind]);
		return false;
	}
	return settle(options);
}

enum wl_options_result wl_options_parse(struct wl_options *options, int argc, char **argv)
{
	struct option longs[N_SPECS + 1] = { 0 };
	const struct spec *answer = NULL;

	*options = (struct wl_options){
		.pattern = WL_UNIFORM,
		.mem_bytes = 64ul << 20,
		.seed = 1,
		.epoch_ms = 1000,
		.step_epochs = 4,
		.threads = 1,
		.read_share = 0.5,
		.hot_share = 0.9,
		.theta = 0.99,
	};
	for (size_t i = 0; i < N_SPECS; i++)
		longs[i] = (struct option){ specs[i].name,
					    specs[i].argument ? required_argument : no_argument,
					    NULL, 1 };
	if (!parse_all(options, argc, argv, longs, &answer))
		return WL_OPTIONS_BAD;
	if (!answer)
		return WL_OPTIONS_RUN;
	if (answer->kind == HELP)
		print_help();
	else
		puts("kx-workload " WL_VERSION);
	return WL_OPTIONS_DONE;
}

struct wl_pattern_params wl_options_pattern(const struct wl_options *options)
{
	return (struct wl_pattern_params){
		.kind = options->pattern,
		.seed = options->seed,
		.ws_pages = options->ws_bytes / WL_PAGE_BYTES,
		.hot_pages = options->hot_bytes / WL_PAGE_BYTES,
		.hot_share = options->hot_share,
		.theta = options->theta,
		.step_epochs = options->step_epochs,
		.read_share = options->read_share,
		.threads = options->threads,
	};
}
