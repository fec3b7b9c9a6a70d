// SPDX-License-Identifier: GPL-2.0-or-later
/* The life of an experiment's VM in libvirt. */
#include "experiment-internal.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/textfmt.h"
#include "vm/domain-words.h"
#include "vm/libvirt.h"

#define CHECK_US      200000			    /* between two readings of a VM's state */
#define COMMAND_US    (60 * (gint64)G_USEC_PER_SEC) /* that prepare and cleanup may take */
#define DESTROY_TRIES 3u

void experiment_clone_fail(Clone *c, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	if (c->failed)
		return;
	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	c->failed = kx_text_clean(text);
}

static char **environment_of(const Clone *c, const KxSetting *s)
{
	char **e = g_get_environ();
	g_autofree char *index = g_strdup_printf("%u", c->wish.index);
	const char *size = c->wish.point->working_set;

	e = g_environ_setenv(e, "KVM_EXT_VM", c->name, TRUE);
	e = g_environ_setenv(e, "KVM_EXT_UUID", c->uuid, TRUE);
	e = g_environ_setenv(e, "KVM_EXT_INDEX", index, TRUE);
	e = g_environ_setenv(e, "KVM_EXT_WORKING_SET", size ? size : "", TRUE);
	return g_environ_setenv(e, "KVM_EXT_SETTING", s->text, TRUE);
}

Clone *experiment_clone_new(Experiment *x, const KxPoint *point, guint index, const KxSetting *s)
{
	Clone *c = g_new0(Clone, 1);

	/* The names are the same in each run, so that files named after the clones are replaced and do not pile up. */
	c->name = g_strdup_printf("%s-%.8s-%u", x->plan->name, x->id, index + 1);
	c->uuid = g_uuid_string_random();
	c->doubts = g_ptr_array_new_with_free_func(g_free);
	c->wish = (KxCloneWish){ x->id, c->name, c->uuid, index, point, &x->plan->placement };
	c->environment = environment_of(c, s);
	return c;
}

void experiment_clone_free(gpointer clone)
{
	Clone *c = clone;

	g_free(c->name);
	g_free(c->uuid);
	g_strfreev(c->environment);
	g_free(c->unanswered);
	g_free(c->nvram);
	kx_window_free(c->begin);
	kx_stretch_free(c->stretch);
	g_free(c->failed);
	g_ptr_array_unref(c->doubts);
	question_free(c->question);
	job_free(c->job);
	if (c->dom)
		virDomainFree(c->dom);
	g_free(c);
}

/* --- commands around its life ------------------------------------------------------------------------------------- */

static gboolean run_command(Experiment *x, Clone *c, const char *command, GError **error)
{
	g_autoptr(Job) job = job_start(command, c->environment, JOB_SILENT, error);
	gint64 until = g_get_monotonic_time() + COMMAND_US;

	while (job && !job_ended(job)) {
		if (g_get_monotonic_time() > until) {
			g_set_error_literal(error, KX_ERROR, KX_ERROR_FAILED,
					    "it did not end within a minute");
			return FALSE;
		}
		g_main_context_iteration(NULL, FALSE);
		g_usleep(5000);
	}
	return job && job_succeeded(job, error);
}

/* --- start -------------------------------------------------------------------------------------------------------- */

/* Reads the file's name while the VM runs: when it has ended, libvirt does not know the VM any more. */
static void note_nvram(Clone *c)
{
	char *xml = virDomainGetXMLDesc(c->dom, 0);

	c->nvram = xml ? kx_clone_nvram(xml, c->name, c->uuid) : NULL;
	free(xml);
}

void experiment_clone_start(Experiment *x, Clone *c)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = NULL;

	if (x->plan->prepare && !run_command(x, c, x->plan->prepare, &error)) {
		experiment_clone_fail(c, "[vm] prepare: %s", error->message);
		return;
	}
	xml = kx_clone_xml(x->plan->template, &c->wish, &error);
	if (!xml) {
		experiment_clone_fail(c, "%s", error->message);
		return;
	}
	c->dom = virDomainCreateXML(x->conn, xml, x->start_flags);
	if (c->dom)
		note_nvram(c);
	else
		experiment_clone_fail(c, "the VM could not be started: %s",
				      kx_libvirt_last_message());
}

/* --- meanwhile ---------------------------------------------------------------------------------------------------- */

void experiment_clone_check(Clone *c)
{
	gint64 now = g_get_monotonic_time();
	int state = VIR_DOMAIN_NOSTATE, reason = 0;
	const char *why;

	if (c->failed || !c->dom || now - c->checked_us < CHECK_US)
		return;
	c->checked_us = now;
	if (virDomainGetState(c->dom, &state, &reason, 0) < 0) {
		experiment_clone_fail(c, "the VM has gone: %s", kx_libvirt_last_message());
		return;
	}
	if (state == VIR_DOMAIN_SHUTOFF || state == VIR_DOMAIN_CRASHED ||
	    state == VIR_DOMAIN_SHUTDOWN) {
		experiment_clone_fail(c, "the VM ended before its workload: it is %s",
				      kx_domain_word_state(state));
		return;
	}
	why = kx_domain_word_paused(state, reason);
	if (why)
		experiment_clone_fail(c, "the VM does not run: %s", why);
}

/* --- end ---------------------------------------------------------------------------------------------------------- */

/* Only a clone of this experiment is destroyed: by now the name or UUID may be that of another domain. */
static gboolean is_ours(const Experiment *x, const Clone *c)
{
	char *xml = virDomainGetXMLDesc(c->dom, 0);
	gboolean ours = xml && kx_clone_is_ours(xml, x->id);

	free(xml);
	return ours;
}

static gboolean is_there(const Clone *c)
{
	return virDomainIsActive(c->dom) == 1;
}

static void destroy(Experiment *x, Clone *c)
{
	for (guint i = 0; is_there(c) && i < DESTROY_TRIES; i++) {
		if (!is_ours(x, c)) {
			if (is_there(c))
				fprintf(stderr,
					"kvm-ext: %s is left alone: it does not carry this "
					"experiment's marker\n",
					c->name);
			return;
		}
		if (virDomainDestroy(c->dom) == 0)
			return;
	}
	/* 0: it has ended. A domain that has ended and is transient is unknown to libvirt. */
	if (virDomainIsActive(c->dom) != 0 && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN)
		fprintf(stderr, "kvm-ext: %s (%s) may still run: %s\n", c->name, c->uuid,
			kx_libvirt_last_message());
}

/* The clones of the next run have the same names, and must not begin with what the guest wrote in this run. */
static void remove_nvram(const Clone *c)
{
	if (c->nvram && !is_there(c) && unlink(c->nvram) != 0 && errno != ENOENT)
		fprintf(stderr, "kvm-ext: %s: its UEFI variables %s are left: %s\n", c->name,
			c->nvram, g_strerror(errno));
}

void experiment_clone_end(Experiment *x, Clone *c)
{
	g_autoptr(GError) error = NULL;

	g_clear_pointer(&c->job, job_free);
	g_clear_pointer(&c->question, question_free);
	/* An error does not matter: the VM may have ended, and the daemon's session with it. */
	if (c->attached)
		cli_ask_detach(x->cli, c->uuid, NULL, NULL);
	c->attached = FALSE;
	if (c->pid)
		cli_ask_release(x->cli, c->pid);
	if (c->dom) {
		destroy(x, c);
		remove_nvram(c);
		virDomainFree(g_steal_pointer(&c->dom));
	}
	if (x->plan->cleanup && !run_command(x, c, x->plan->cleanup, &error))
		fprintf(stderr, "kvm-ext: %s: [vm] cleanup: %s\n", c->name, error->message);
}
