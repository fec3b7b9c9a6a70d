/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options and messages that all commands share. */
#include "cli.h"

#include <stdarg.h>

#include "base/textfmt.h"

/* --- messages -------------------------------------------------------------- */

/* The daemon quotes the target as it was sent; a VM has one name in a message: the one that the user gave. */
static char *with_shown(const char *message, const char *target, const char *shown)
{
	g_autofree char *sent = g_strdup_printf("\"%s\"", target);
	g_autofree char *named = g_strdup_printf("\"%s\"", shown);
	g_autoptr(GString) text = g_string_new(message);

	g_string_replace(text, sent, named, 0);
	return kx_text_clean(text->str);
}

int cli_fail(const char *target, const GError *error)
{
	g_autofree char *message = NULL, *shown = NULL;

	g_return_val_if_fail(error != NULL, KX_EXIT_FAILED);
	shown = target ? cli_show(target) : NULL;
	message =
		target ? with_shown(error->message, target, shown) : kx_text_clean(error->message);
	fprintf(stderr, "kvm-ext: %s%s%s\n", shown ? shown : "", shown ? ": " : "", message);
	return kx_exit_code(error);
}

int cli_usage(const char *command, const char *format, ...)
{
	va_list args;

	fputs("kvm-ext: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nTry 'kvm-ext %s%s--help'.\n", command ? command : "",
		command ? " " : "");
	return KX_EXIT_USAGE;
}

void cli_say(const Cli *cli, const char *format, ...)
{
	va_list args;

	if (cli->quiet || cli->json || cli->csv)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void cli_print_json(JsonBuilder *builder, gboolean pretty)
{
	g_autoptr(JsonNode) root = json_builder_get_root(builder);
	g_autofree char *text = json_to_string(root, pretty);

	puts(text);
}

void cli_add_na(JsonBuilder *builder, const char *why)
{
	json_builder_begin_object(builder);
	json_builder_set_member_name(builder, "na");
	json_builder_add_string_value(builder, why);
	json_builder_end_object(builder);
}

static GHashTable *labels; /* of targets that the user did not type: TARGET → text; NULL: none */

void cli_label(const char *target, char *text)
{
	if (!labels)
		labels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_hash_table_insert(labels, g_strdup(target), text);
}

void cli_labels_clear(void)
{
	g_clear_pointer(&labels, g_hash_table_unref);
}

char *cli_show(const char *target)
{
	const char *text = labels ? g_hash_table_lookup(labels, target) : NULL;

	return kx_text_clean(text ? text : target);
}

gboolean cli_is_called(const char *name, GVariant *vm, const char *target)
{
	g_autofree char *process = NULL, *by_pid = NULL;
	const char *uuid = "";
	guint32 pid = 0;

	g_variant_lookup(vm, "uuid", "&s", &uuid);
	g_variant_lookup(vm, "pid", "u", &pid);
	process = g_strdup_printf("/proc/%u", pid);
	by_pid = g_strdup_printf("pid:%u", pid);
	return g_str_equal(target, name) || g_str_equal(target, process) ||
	       g_str_equal(target, by_pid) || (*uuid && g_ascii_strcasecmp(target, uuid) == 0);
}

/* --- options --------------------------------------------------------------- */

static Cli options;
Cli *kx_cli_options = &options;

const GOptionEntry kx_common_entries[] = {
	{ "socket", 0, 0, G_OPTION_ARG_FILENAME, &options.socket,
	  "Reach the daemon at this UNIX socket", "PATH" },
	{ "system-bus", 0, 0, G_OPTION_ARG_NONE, &options.system_bus,
	  "Reach the daemon over the D-Bus system bus", NULL },
	{ "json", 0, 0, G_OPTION_ARG_NONE, &options.json, "Write JSON", NULL },
	{ "quiet", 'q', 0, G_OPTION_ARG_NONE, &options.quiet,
	  "No messages, only results and errors", NULL },
	{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
};

gboolean cli_parse(const GOptionEntry *entries, int *argc, char ***argv)
{
	const Command *c = options.command;
	g_autofree char *name = g_strdup_printf("kvm-ext %s", c->name);
	g_autofree char *examples =
		c->examples ? g_strdup_printf("Examples:\n%s", c->examples) : NULL;
	g_autoptr(GOptionContext) context = g_option_context_new(*c->args ? c->args : NULL);
	g_autoptr(GError) error = NULL;

	g_set_prgname(name);
	g_option_context_set_summary(context, c->summary);
	g_option_context_set_description(context, examples);
	if (entries)
		g_option_context_add_main_entries(context, entries, NULL);
	g_option_context_add_main_entries(context, kx_common_entries, NULL);
	if (!g_option_context_parse(context, argc, argv, &error)) {
		cli_usage(c->name, "%s", error->message);
		return FALSE;
	}
	if (options.csv && options.json) {
		cli_usage(c->name, "--csv and --json exclude each other");
		return FALSE;
	}
	if (*argc > 1) {
		g_autofree char *extra = cli_show((*argv)[1]);

		cli_usage(c->name, "%s takes no argument '%s'", c->name, extra);
		return FALSE;
	}
	return TRUE;
}
