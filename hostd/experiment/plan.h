/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an experiment is to do, from its file (kvm-ext-experiment(1)): the template of the VMs, the workload, the settings, the
 * number of rounds, and the points: each combination of the values that the file lists. Every error names the file's group and
 * key.
 */
#ifndef KX_PLAN_H
#define KX_PLAN_H

#include <glib.h>

#include "placing.h"

#define KX_PLAN_VMS_MAX	   64u
#define KX_PLAN_POINTS_MAX 256u

#define KX_PLAN_ERROR kx_plan_error_quark()
GQuark kx_plan_error_quark(void);
typedef enum {
	KX_PLAN_ERROR_FILE, /* the file, or the template, cannot be read */
	KX_PLAN_ERROR_KEY,  /* a group or key is missing, unknown, or has a wrong value */
} KxPlanError;

/* One combination of the listed values. 0 or NULL: as the template has it. */
typedef struct {
	guint vms, vcpus;
	guint64 memory_bytes;
	char *working_set; /* as the file has it; it stands for {working-set} */
	char *label; /* the values that differ between points: "vms=2 working-set=64M"; "": there is only one point */
} KxPoint;

typedef struct {
	char *text; /* of the file */
	char *name;
	char *uri;	/* of libvirt */
	char *template; /* the XML itself */
	guint rounds;
	guint64 seed;
	gboolean has_seed;
	guint64 boot_limit_ns, run_limit_ns;
	char *prepare, *cleanup; /* commands around each clone's life; NULL: none */
	char *ready; /* command that succeeds when the VM is ready; NULL: the guest agent answers */
	char *command;	     /* that runs the workload; NULL: @exec does */
	char **exec;	     /* for the guest agent: program and arguments, with placeholders */
	GPtrArray *settings; /* KxSetting, `off` first */
	GPtrArray *points;   /* KxPoint */
	KxPlacing placement;
} KxPlan;

/**
 * kx_plan_parse() - the plan in @text
 * @dir: of the file; a relative path of the template begins there
 *
 * Return: the plan; NULL: @error is set, KX_PLAN_ERROR.
 */
KxPlan *kx_plan_parse(const char *text, const char *dir, GError **error);
/* The same for a file. */
KxPlan *kx_plan_read(const char *path, GError **error);
void kx_plan_free(KxPlan *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxPlan, kx_plan_free)

KxPoint *kx_point_copy(const KxPoint *p);
void kx_point_free(KxPoint *p);

#endif /* KX_PLAN_H */
