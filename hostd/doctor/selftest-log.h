/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Self-test: does this kernel's dirty log contain every page that a guest writes? A small test VM, with a few instructions and
 * without an in-kernel irqchip, writes known pages and exits by HLT, or by an I/O instruction (the control). Then the log must
 * contain exactly these pages. Some kernels with PML return from HLT without emptying the CPU's buffer, so that up to 511
 * pages are missing.
 *
 * What the self-test cannot show: losses at other kinds of exits, with several vCPUs, or in a VM with an in-kernel irqchip,
 * which does not return to its VMM at HLT.
 */
#ifndef KX_SELFTEST_LOG_H
#define KX_SELFTEST_LOG_H

#include <glib.h>

#include <kvm-ext/uapi.h>

typedef enum {
	KX_SELFTEST_OK,
	KX_SELFTEST_WRONG,
	KX_SELFTEST_NOT_RUN,
} KxSelftestOutcome;

typedef enum {
	KX_SELFTEST_IO,
	KX_SELFTEST_HLT,
	KX_SELFTEST_EXITS
} KxSelftestExit;

/* Sums over the rounds of one kind of exit. */
typedef struct {
	guint32 rounds, written, missing, extra; /* pages */
} KxSelftestCount;

/* The output of kvm-ext-testvm, the program that runs the test VM. */
typedef struct {
	gint32 error; /* errno of the step that failed; 0: none */
	char step[44];
	gint32 done; /* the test is complete: all rounds ran, or those that the time allowed, with some of each kind */
	KxSelftestCount count[KX_SELFTEST_EXITS];
} KxSelftestRaw;

typedef struct {
	KxSelftestOutcome outcome;
	char *text; /* "ok: …", "loses dirty pages: …", "not run: …" */
} KxSelftest;

/*
 * Blocks, mostly for less than a second, for a minute at most; the program has ended when this function returns. @root: the
 * folder with /proc and /sys, from which only the mechanism's name is read; NULL: /.
 */
KxSelftest *kx_selftest_run(const char *root);
/* FALSE: @text is not the output of the program. */
gboolean kx_selftest_parse(const char *text, KxSelftestRaw *raw);
KxSelftest *kx_selftest_judge(const KxSelftestRaw *raw, enum kvm_ext_log_mechanism mechanism);
KxSelftest *kx_selftest_not_run(const char *why);
KxSelftest *kx_selftest_copy(const KxSelftest *t);
void kx_selftest_free(KxSelftest *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxSelftest, kx_selftest_free)

/* A key that changes with each boot and each load of KVM's module: an outcome is valid as long as the key is the same. */
char *kx_selftest_key(const char *root);

/* "ok", "wrong", "not-run" */
const char *kx_selftest_outcome_name(KxSelftestOutcome outcome);

#endif /* KX_SELFTEST_LOG_H */
