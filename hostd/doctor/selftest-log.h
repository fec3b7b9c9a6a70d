/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does this kernel's dirty log hold every page that a guest writes? A VM of our own, of a few instructions and without an
 * in-kernel irqchip, writes known pages and leaves the guest by HLT, or by an I/O instruction as the control; the log must
 * then hold exactly them. Some kernels with PML come back from HLT without emptying the CPU's buffer, so that up to 511
 * pages are missing.
 *
 * What it cannot show: losses on other ways out of the guest, of several vCPUs, or of a VM with an in-kernel irqchip, which
 * does not come back to its VMM for a HLT.
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

/* What kvm-ext-testvm says, the program that runs the test VM. */
typedef struct {
	gint32 error; /* errno of the step that failed; 0: none */
	char step[44];
	gint32 done; /* all rounds ran, or as many as the time allowed, but some of each kind */
	KxSelftestCount count[KX_SELFTEST_EXITS];
} KxSelftestRaw;

typedef struct {
	KxSelftestOutcome outcome;
	char *text; /* "ok: …", "loses dirty pages: …", "not run: …" */
} KxSelftest;

/*
 * Blocks, mostly for less than a second, for a minute at most; the program has ended when this returns. @root: where /proc and /sys are found, for the
 * mechanism's name alone; NULL: /.
 */
KxSelftest *kx_selftest_run(const char *root);
/* FALSE: @text is not what the program prints. */
gboolean kx_selftest_parse(const char *text, KxSelftestRaw *raw);
KxSelftest *kx_selftest_judge(const KxSelftestRaw *raw, enum kvm_ext_log_mechanism mechanism);
KxSelftest *kx_selftest_not_run(const char *why);
KxSelftest *kx_selftest_copy(const KxSelftest *t);
void kx_selftest_free(KxSelftest *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxSelftest, kx_selftest_free)

/* Changes with the boot and with each load of KVM's module: an outcome holds as long as this does. */
char *kx_selftest_key(const char *root);

/* "ok", "wrong", "not-run" */
const char *kx_selftest_outcome_name(KxSelftestOutcome outcome);

#endif /* KX_SELFTEST_LOG_H */
