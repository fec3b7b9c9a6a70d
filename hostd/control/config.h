/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's configuration: a GKeyFile with the groups [daemon] and [metrics], and any number of groups [domain GLOB], whose keys are
 * the tracker options. See kvm-extd.conf(5).
 */
#ifndef KX_CONFIG_H
#define KX_CONFIG_H

#include <gio/gio.h>

#include "tracker/options.h"

#define KX_CONFIG_PATH "/etc/kvm-ext/kvm-extd.conf"
#define KX_LIBVIRT_URI "qemu:///system"

#define KX_CONFIG_ERROR kx_config_error_quark()
GQuark kx_config_error_quark(void);
typedef enum {
	KX_CONFIG_ERROR_READ,
	KX_CONFIG_ERROR_BAD,
} KxConfigError;

typedef enum {
	KX_AUTO,
	KX_YES,
	KX_NO
} KxTristate;

typedef enum {
	KX_LOG_TEXT,
	KX_LOG_JSON,
	KX_LOG_JOURNAL
} KxLogFormat;

/* Domains whose name matches @glob (* and ?) are attached with @options when they start. */
typedef struct {
	char *glob;
	GPatternSpec *pattern;
	KxOptions options;
} KxRule;

typedef struct {
	char *libvirt_uri; /* "": no libvirt */
	char *socket;	   /* absolute path */
	KxTristate system_bus;
	KxLogFormat log_format;
	char *slow_nodes; /* as kx_nodes_check() accepts it */
	char *metrics; /* where metrics are served: "ADDRESS:PORT" or an absolute path; "": nowhere */
	GPtrArray *rules;    /* KxRule, in the file's order */
	GPtrArray *warnings; /* char *: valid, but probably a mistake */
} KxConfig;

/* If @path is NULL, or missing and not @required: the defaults. The error names file, group, key and value. */
KxConfig *kx_config_load(const char *path, gboolean required, GError **error);
KxConfig *kx_config_parse(const char *text, gsize len, const char *origin, GError **error);
void kx_config_free(KxConfig *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KxConfig, kx_config_free)

/* The first rule that matches, or NULL. */
const KxRule *kx_config_match(const KxConfig *c, const char *domain);

/* The address of [metrics] listen=; NULL: it is none. */
GSocketAddress *kx_config_metrics_address(const char *value, GError **error);

gboolean kx_tristate_parse(const char *value, KxTristate *t, GError **error);

#endif /* KX_CONFIG_H */
