// SPDX-License-Identifier: GPL-2.0-or-later
#include "selftest-log.h"

#include <gio/gio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tracker/logmech.h"
#include "vm/hostinfo.h"

#define PROGRAM "kvm-ext-testvm"

/* --- the test VM's program ---------------------------------------------------------------------------------------- */

/* The program's path: beside the running program (as in a build folder), else where it is installed. */
static char *find_program(void)
{
	g_autofree char *exe = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *dir = exe ? g_path_get_dirname(exe) : NULL;
	g_autofree char *beside = dir ? g_build_filename(dir, PROGRAM, NULL) : NULL;

	if (beside && access(beside, X_OK) == 0)
		return g_steal_pointer(&beside);
	return g_strdup(KX_LIBEXECDIR "/" PROGRAM);
}

/* Returns the program's output; NULL: the program failed, @why says how. The program ends by itself in a bounded time. */
static char *run_program(char **why)
{
	g_autofree char *path = find_program(), *text = NULL;
	g_autoptr(GSubprocess) child = NULL;
	g_autoptr(GError) err = NULL;

	child = g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE, &err, path, NULL);
	if (!child || !g_subprocess_communicate_utf8(child, NULL, NULL, &text, NULL, &err)) {
		*why = g_strdup(err->message);
		return NULL;
	}
	if (g_subprocess_get_successful(child))
		return g_steal_pointer(&text);
	*why = g_subprocess_get_if_signaled(child)
		       ? g_strdup("the test VM did not end within 10 s of CPU time or a "
				  "minute")
		       : g_strdup_printf(PROGRAM " ended with status %d",
					 g_subprocess_get_exit_status(child));
	return NULL;
}

static guint32 read_count(GKeyFile *f, const char *group, const char *key)
{
	return (guint32)g_key_file_get_uint64(f, group, key, NULL);
}

gboolean kx_selftest_parse(const char *text, KxSelftestRaw *raw)
{
	static const char *const groups[] = { [KX_SELFTEST_IO] = "io", [KX_SELFTEST_HLT] = "hlt" };
	g_autoptr(GKeyFile) f = g_key_file_new();
	g_autofree char *step = NULL;

	*raw = (KxSelftestRaw){ 0 };
	if (!g_key_file_load_from_data(f, text, (gsize)-1, G_KEY_FILE_NONE, NULL) ||
	    !g_key_file_has_key(f, "vm", "done", NULL))
		return FALSE;
	raw->done = g_key_file_get_boolean(f, "vm", "done", NULL);
	raw->error = g_key_file_get_integer(f, "vm", "errno", NULL);
	step = g_key_file_get_string(f, "vm", "step", NULL);
	g_strlcpy(raw->step, step ? step : "", sizeof(raw->step));
	for (guint kind = 0; kind < KX_SELFTEST_EXITS; kind++) {
		raw->count[kind].rounds = read_count(f, groups[kind], "rounds");
		raw->count[kind].written = read_count(f, groups[kind], "written");
		raw->count[kind].missing = read_count(f, groups[kind], "missing");
		raw->count[kind].extra = read_count(f, groups[kind], "extra");
	}
	return TRUE;
}

KxSelftest *kx_selftest_run(const char *root)
{
	g_auto(KxLogMechanism) m = { 0 };
	g_autofree char *why = NULL, *text = run_program(&why);
	KxSelftestRaw raw;

	kx_log_mechanism(KVM_EXT_LOG_UNKNOWN, root, &m);
	if (!text)
		return kx_selftest_not_run(why);
	return kx_selftest_parse(text, &raw) ? kx_selftest_judge(&raw, m.mechanism)
					     : kx_selftest_not_run(PROGRAM " printed no counts");
}

/* --- judging ------------------------------------------------------------------------------------------------------ */

static KxSelftest *new_outcome(KxSelftestOutcome outcome, char *text)
{
	KxSelftest *t = g_new(KxSelftest, 1);

	*t = (KxSelftest){ outcome, text };
	return t;
}

KxSelftest *kx_selftest_not_run(const char *why)
{
	return new_outcome(KX_SELFTEST_NOT_RUN, g_strdup_printf("not run: %s", why));
}

/* @what: "missing", "too many". */
static void add_count(GString *text, guint32 pages, const char *what, const KxSelftestCount *c,
		      const char *where)
{
	if (pages)
		g_string_append_printf(text, "%s%u of %u %s at %s", text->len ? ", " : "", pages,
				       c->written, what, where);
}

KxSelftest *kx_selftest_judge(const KxSelftestRaw *raw, enum kvm_ext_log_mechanism mechanism)
{
	static const char *const where[] = {
		[KX_SELFTEST_IO] = "I/O exits",
		[KX_SELFTEST_HLT] = "HLT exits without an in-kernel irqchip",
	};
	const KxSelftestCount *hlt = &raw->count[KX_SELFTEST_HLT],
			      *io = &raw->count[KX_SELFTEST_IO];
	g_autoptr(GString) lost = g_string_new(NULL), extra = g_string_new(NULL);
	const char *name = kx_log_mechanism_name(mechanism);
	guint kind;

	for (kind = KX_SELFTEST_EXITS; kind-- > 0;) {
		const KxSelftestCount *c = &raw->count[kind];

		add_count(lost, c->missing, "missing", c, where[kind]);
		add_count(extra, c->extra, "too many", c, where[kind]);
	}
	if (lost->len)
		return new_outcome(
			KX_SELFTEST_WRONG,
			g_strdup_printf("loses dirty pages: %s (mechanism %s)", lost->str, name));
	if (extra->len)
		return new_outcome(KX_SELFTEST_WRONG,
				   g_strdup_printf("logs pages that were not written: %s "
						   "(mechanism %s)",
						   extra->str, name));
	if (!raw->done || !hlt->written || !io->written) {
		g_autofree char *why = g_strdup_printf(
			"%.*s: %s", (int)sizeof(raw->step), *raw->step ? raw->step : "the test VM",
			raw->error ? g_strerror(raw->error) : "ended early");

		return kx_selftest_not_run(why);
	}
	return new_outcome(KX_SELFTEST_OK,
			   g_strdup_printf("ok: %u pages in %u rounds logged exactly, at HLT "
					   "exits without an in-kernel irqchip and at I/O exits "
					   "(mechanism %s)",
					   hlt->written + io->written, hlt->rounds + io->rounds,
					   name));
}

KxSelftest *kx_selftest_copy(const KxSelftest *t)
{
	return t ? new_outcome(t->outcome, g_strdup(t->text)) : NULL;
}

void kx_selftest_free(KxSelftest *t)
{
	if (!t)
		return;
	g_free(t->text);
	g_free(t);
}

/* When a module is loaded again, its new directory in sysfs has another inode. */
char *kx_selftest_key(const char *root)
{
	g_autofree char *boot = kx_read_line(root, "proc/sys/kernel/random/boot_id");
	g_autofree char *vendor = kx_cpuinfo_value(root, "vendor_id");
	const char *module = kx_vendor_module(vendor);
	g_autofree char *path =
		g_build_filename(root ? root : "/", "sys/module", module ? module : "kvm", NULL);
	g_auto(KxLogMechanism) m = { 0 };
	struct stat st = { 0 };

	kx_log_mechanism(KVM_EXT_LOG_UNKNOWN, root, &m);
	if (stat(path, &st))
		st.st_ino = 0;
	return g_strdup_printf("%s %" G_GUINT64_FORMAT " %s", boot ? boot : "", (guint64)st.st_ino,
			       m.host);
}

const char *kx_selftest_outcome_name(KxSelftestOutcome outcome)
{
	static const char *const outcome_names[] = {
		[KX_SELFTEST_OK] = "ok",
		[KX_SELFTEST_WRONG] = "wrong",
		[KX_SELFTEST_NOT_RUN] = "not-run",
	};

	return outcome_names[outcome];
}
