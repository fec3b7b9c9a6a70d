// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <gio/gunixsocketaddress.h>
#include <string.h>

#include "base/names.h"
#include "vm/nodes.h"

GQuark kx_config_error_quark(void)
{
	return g_quark_from_static_string("kx-config-error-quark");
}

static void rule_free(gpointer data)
{
	KxRule *r = data;

	g_pattern_spec_free(r->pattern);
	g_free(r->glob);
	g_free(r);
}

static KxConfig *config_new(void)
{
	KxConfig *c = g_new0(KxConfig, 1);

	c->libvirt_uri = g_strdup(KX_LIBVIRT_URI);
	c->socket = g_strdup(KX_SOCKET_PATH);
	c->slow_nodes = g_strdup(KX_SLOW_NODES_AUTO);
	c->metrics = g_strdup("");
	c->rules = g_ptr_array_new_with_free_func(rule_free);
	c->warnings = g_ptr_array_new_with_free_func(g_free);
	return c;
}

void kx_config_free(KxConfig *c)
{
	if (!c)
		return;
	g_free(c->libvirt_uri);
	g_free(c->socket);
	g_free(c->slow_nodes);
	g_free(c->metrics);
	g_ptr_array_unref(c->rules);
	g_ptr_array_unref(c->warnings);
	g_free(c);
}

/* --- [daemon] ----------------------------------------------------------------------------------------------------- */

static int word_of(const char *const *words, const char *value, GError **error)
{
	g_autofree char *known = NULL;
	int i;

	for (i = 0; words[i]; i++) {
		if (!strcmp(words[i], value))
			return i;
	}
	known = g_strjoinv(", ", (char **)words);
	g_set_error(error, KX_CONFIG_ERROR, KX_CONFIG_ERROR_BAD, "it must be one of: %s", known);
	return -1;
}

gboolean kx_tristate_parse(const char *value, KxTristate *t, GError **error)
{
	static const char *const words[] = { "auto", "yes", "no", NULL };
	int i = word_of(words, value, error);

	if (i >= 0)
		*t = (KxTristate)i;
	return i >= 0;
}

static gboolean set_uri(KxConfig *c, const char *value, GError **error)
{
	g_free(c->libvirt_uri);
	c->libvirt_uri = g_strdup(value);
	return TRUE;
}

/* sun_path has 108 bytes, its NUL included. */
static gboolean is_socket_path(const char *value)
{
	return g_path_is_absolute(value) && strlen(value) < 108;
}

static gboolean set_socket(KxConfig *c, const char *value, GError **error)
{
	if (!is_socket_path(value)) {
		g_set_error(error, KX_CONFIG_ERROR, KX_CONFIG_ERROR_BAD,
			    "it must be an absolute path of less than 108 bytes");
		return FALSE;
	}
	g_free(c->socket);
	c->socket = g_strdup(value);
	return TRUE;
}

static gboolean set_system_bus(KxConfig *c, const char *value, GError **error)
{
	return kx_tristate_parse(value, &c->system_bus, error);
}

static gboolean set_slow_nodes(KxConfig *c, const char *value, GError **error)
{
	if (!kx_nodes_check(value, error))
		return FALSE;
	g_free(c->slow_nodes);
	c->slow_nodes = g_strdup(value);
	return TRUE;
}

static gboolean set_log_format(KxConfig *c, const char *value, GError **error)
{
	static const char *const words[] = { "text", "json", "journal", NULL };
	int i = word_of(words, value, error);

	if (i >= 0)
		c->log_format = (KxLogFormat)i;
	return i >= 0;
}

/* --- [metrics] ---------------------------------------------------------------------------------------------------- */

GSocketAddress *kx_config_metrics_address(const char *value, GError **error)
{
	g_autoptr(GSocketConnectable) parsed = NULL;
	GSocketAddress *address = NULL;

	if (g_path_is_absolute(value) && is_socket_path(value))
		return g_unix_socket_address_new(value);
	parsed = g_path_is_absolute(value) ? NULL : g_network_address_parse(value, 0, NULL);
	if (parsed) {
		const char *host = g_network_address_get_hostname(G_NETWORK_ADDRESS(parsed));
		guint16 port = g_network_address_get_port(G_NETWORK_ADDRESS(parsed));

		address = port ? g_inet_socket_address_new_from_string(
					 g_str_equal(host, "localhost") ? "127.0.0.1" : host, port)
			       : NULL;
	}
	if (!address)
		g_set_error(
			error, KX_CONFIG_ERROR, KX_CONFIG_ERROR_BAD,
			"it must be an address with a port, such as 127.0.0.1:9184 or [::1]:9184, "
			"or an absolute path of less than 108 bytes; empty: no metrics");
	return address;
}

static gboolean set_listen(KxConfig *c, const char *value, GError **error)
{
	g_autoptr(GSocketAddress) address = NULL;

	if (*value) {
		address = kx_config_metrics_address(value, error);
		if (!address)
			return FALSE;
	}
	if (address && G_IS_INET_SOCKET_ADDRESS(address) &&
	    !g_inet_address_get_is_loopback(
		    g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(address))))
		g_ptr_array_add(
			c->warnings,
			g_strdup_printf("[metrics] listen=%s: everybody who reaches this "
					"address can read the metrics, which name all attached "
					"VMs; and under systemd nobody but this host reaches it, "
					"until the unit has an IPAddressAllow= for the readers "
					"(kvm-extd(8))",
					value));
	g_free(c->metrics);
	c->metrics = g_strdup(value);
	return TRUE;
}

/* --- groups of single keys ---------------------------------------------------------------------------------------- */

static const struct {
	const char *group, *key;
	gboolean (*set)(KxConfig *c, const char *value, GError **error);
} single_keys[] = {
	{ "daemon", "libvirt-uri", set_uri },	    { "daemon", "socket", set_socket },
	{ "daemon", "system-bus", set_system_bus }, { "daemon", "log-format", set_log_format },
	{ "daemon", "slow-nodes", set_slow_nodes }, { "metrics", "listen", set_listen },
};

static gboolean set_single_key(KxConfig *c, const char *group, const char *key, const char *value,
			       GError **error)
{
	g_autoptr(GString) known = g_string_new(NULL);

	for (guint i = 0; i < G_N_ELEMENTS(single_keys); i++) {
		if (strcmp(single_keys[i].group, group))
			continue;
		if (!strcmp(single_keys[i].key, key))
			return single_keys[i].set(c, value, error);
		g_string_append_printf(known, "%s%s", known->len ? ", " : "", single_keys[i].key);
	}
	g_set_error(error, KX_CONFIG_ERROR, KX_CONFIG_ERROR_BAD,
		    "there is no such key here; known are %s", known->str);
	return FALSE;
}

/* --- groups ------------------------------------------------------------------------------------------------------- */

static gboolean bad(const char *origin, const char *group, const char *key, const char *value,
		    GError *why, GError **error)
{
	g_set_error(error, KX_CONFIG_ERROR, KX_CONFIG_ERROR_BAD, "%s: [%s] %s=%s: %s", origin,
		    group, key, value ? value : "", why->message);
	return FALSE;
}

static gboolean load_single(KxConfig *c, GKeyFile *file, const char *group, const char *origin,
			    GError **error)
{
	g_auto(GStrv) names = g_key_file_get_keys(file, group, NULL, NULL);
	char **key;

	for (key = names; *key; key++) {
		g_autoptr(GError) why = NULL;
		g_autofree char *value = g_key_file_get_string(file, group, *key, &why);

		if (!value || !set_single_key(c, group, *key, value, &why))
			return bad(origin, group, *key, value, why, error);
	}
	return TRUE;
}

/* Sets the keys in the order of the table, not of the file: the meaning of the other keys depends on `tracker`. */
static gboolean load_options(KxOptions *o, GKeyFile *file, const char *group, const char *origin,
			     GError **error)
{
	g_auto(GStrv) names = g_key_file_get_keys(file, group, NULL, NULL);
	g_autoptr(GError) why = NULL;
	char **key;

	for (key = names; *key; key++) {
		if (kx_option_key(*key))
			continue;
		kx_options_set(o, *key, "", &why);
		return bad(origin, group, *key, NULL, why, error);
	}
	for (const KxOptionKey *k = kx_option_keys; k->key; k++) {
		g_autofree char *value = NULL;

		if (!g_key_file_has_key(file, group, k->key, NULL))
			continue;
		value = g_key_file_get_string(file, group, k->key, &why);
		if (!value || !kx_options_set(o, k->key, value, &why))
			return bad(origin, group, k->key, value, why, error);
	}
	if (kx_options_check(o, &why))
		return TRUE;
	g_set_error(error, KX_CONFIG_ERROR, KX_CONFIG_ERROR_BAD, "%s: [%s]: %s", origin, group,
		    why->message);
	return FALSE;
}

static gboolean has_wildcard(const char *glob)
{
	return strpbrk(glob, "*?") != NULL;
}

/*
 * Whether @earlier matches every name that @later matches. @earlier is matched against the text of @later: a star in @earlier
 * also matches the wildcards in @later. A question mark would match a star as a single character, so a pattern with a question
 * mark is compared only with a @later without wildcards.
 */
static gboolean covers(const KxRule *earlier, const char *later)
{
	return (!strchr(earlier->glob, '?') || !has_wildcard(later)) &&
	       g_pattern_spec_match_string(earlier->pattern, later);
}

/* FALSE: an earlier group of the file already covers this pattern. */
static gboolean check_earlier(KxConfig *c, const char *glob, const char *group, const char *origin,
			      GError **error)
{
	const KxRule *covering = NULL;

	for (guint i = 0; i < c->rules->len; i++) {
		const KxRule *r = c->rules->pdata[i];

		if (!strcmp(r->glob, glob)) {
			g_set_error(error, KX_CONFIG_ERROR, KX_CONFIG_ERROR_BAD,
				    "%s: [%s]: there are several groups for this pattern; make "
				    "one of them",
				    origin, group);
			return FALSE;
		}
		if (!covering && covers(r, glob))
			covering = r;
	}
	if (covering)
		g_ptr_array_add(c->warnings,
				g_strdup_printf("%s: [%s] is never used: [domain %s] stands before "
						"it and matches all names that it matches",
						origin, group, covering->glob));
	return TRUE;
}

static gboolean load_rule(KxConfig *c, GKeyFile *file, const char *group, const char *origin,
			  GError **error)
{
	g_autofree char *glob = g_strstrip(g_strdup(group + strlen("domain ")));
	KxOptions o;
	KxRule *r;

	if (!*glob) {
		g_set_error(error, KX_CONFIG_ERROR, KX_CONFIG_ERROR_BAD,
			    "%s: [%s]: a domain name or pattern is missing", origin, group);
		return FALSE;
	}
	if (!check_earlier(c, glob, group, origin, error))
		return FALSE;
	kx_options_init(&o);
	if (!load_options(&o, file, group, origin, error))
		return FALSE;
	r = g_new0(KxRule, 1);
	r->pattern = g_pattern_spec_new(glob);
	r->glob = g_steal_pointer(&glob);
	r->options = o;
	g_ptr_array_add(c->rules, r);
	return TRUE;
}

static gboolean load_group(KxConfig *c, GKeyFile *file, const char *group, const char *origin,
			   GError **error)
{
	if (!strcmp(group, "daemon") || !strcmp(group, "metrics"))
		return load_single(c, file, group, origin, error);
	if (g_str_has_prefix(group, "domain "))
		return load_rule(c, file, group, origin, error);
	g_set_error(error, KX_CONFIG_ERROR, KX_CONFIG_ERROR_BAD,
		    "%s: [%s]: there is no such group; known are [daemon], [metrics] and [domain "
		    "NAME-OR-PATTERN]",
		    origin, group);
	return FALSE;
}

/* --- groups and keys that occur twice ----------------------------------------------------------------------------- */

/* The name in "[NAME]", parsed as GKeyFile does; NULL: the line does not begin a group. */
static char *group_of(const char *line)
{
	const char *end = *line == '[' ? strchr(line, ']') : NULL;

	return end ? g_strndup(line + 1, (gsize)(end - line - 1)) : NULL;
}

static gboolean is_twice(const char *origin, const char *group, const char *key, GError **error)
{
	g_set_error(error, KX_CONFIG_ERROR, KX_CONFIG_ERROR_BAD, "%s: [%s]%s%s: it is there twice",
		    origin, group, key ? " " : "", key ? key : "");
	return FALSE;
}

/*
 * FALSE: a group or key occurs twice. GKeyFile would merge both without an error and use the last value. @text: GKeyFile has
 * already accepted it.
 */
static gboolean check_twice(const char *text, const char *origin, GError **error)
{
	g_autoptr(GHashTable) groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autofree char *group = NULL;

	for (char **l = lines; *l; l++) {
		const char *line = g_strstrip(*l), *equals = strchr(line, '=');
		char *begun = group_of(line), *key;

		if (begun) {
			g_free(group);
			group = begun;
			g_hash_table_remove_all(keys);
			if (!g_hash_table_add(groups, g_strdup(group)))
				return is_twice(origin, group, NULL, error);
			continue;
		}
		if (*line == '#' || !equals || !group)
			continue;
		key = g_strchomp(g_strndup(line, (gsize)(equals - line)));
		if (g_hash_table_contains(keys, key)) {
			is_twice(origin, group, key, error);
			g_free(key);
			return FALSE;
		}
		g_hash_table_add(keys, key);
	}
	return TRUE;
}

KxConfig *kx_config_parse(const char *text, gsize len, const char *origin, GError **error)
{
	g_autoptr(KxConfig) c = config_new();
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_autoptr(GError) err = NULL;
	g_auto(GStrv) groups = NULL;
	char **group;

	if (!g_key_file_load_from_data(file, text, len, G_KEY_FILE_NONE, &err)) {
		g_set_error(error, KX_CONFIG_ERROR, KX_CONFIG_ERROR_BAD, "%s: %s", origin,
			    err->message);
		return NULL;
	}
	if (!check_twice(text, origin, error))
		return NULL;
	groups = g_key_file_get_groups(file, NULL);
	for (group = groups; *group; group++) {
		if (!load_group(c, file, *group, origin, error))
			return NULL;
	}
	return g_steal_pointer(&c);
}

KxConfig *kx_config_load(const char *path, gboolean required, GError **error)
{
	g_autoptr(GError) err = NULL;
	g_autofree char *text = NULL;
	gsize len;

	if (!path)
		return config_new();
	if (g_file_get_contents(path, &text, &len, &err))
		return kx_config_parse(text, len, path, error);
	if (!required && g_error_matches(err, G_FILE_ERROR, G_FILE_ERROR_NOENT))
		return config_new();
	g_set_error(error, KX_CONFIG_ERROR, KX_CONFIG_ERROR_READ,
		    "the configuration cannot be read: %s", err->message);
	return NULL;
}

const KxRule *kx_config_match(const KxConfig *c, const char *domain)
{
	guint i;

	for (i = 0; i < c->rules->len; i++) {
		const KxRule *r = c->rules->pdata[i];

		if (g_pattern_spec_match_string(r->pattern, domain))
			return r;
	}
	return NULL;
}
