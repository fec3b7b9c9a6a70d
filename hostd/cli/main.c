/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm-ext: the table of commands, and the call of the given command. */
#include "cli.h"

#include <errno.h>
#include <locale.h>
#include <string.h>

#include "tracker/options.h"

static const Command table[] = {
	/* ends with name NULL */
	{ "doctor", "", "Check what this host offers, and show how to provide what is missing",
	  "  kvm-ext doctor\n  kvm-ext doctor --json | jq '.checks[] | select(.status == \"no\")'",
	  cmd_doctor },
	{ "list", "", "List the VMs and their trackers", "  kvm-ext list\n  kvm-ext list --json",
	  cmd_list },
	{ "attach", "DOMAIN...", "Attach to running VMs and set their tracker",
	  "  kvm-ext attach vm1 --tracker abit-flush --interval 100ms\n"
	  "  kvm-ext attach \"web server\" db --tracker abit --granularity 2M --cpu 1\n"
	  "  kvm-ext attach --pid 4242 --range 0x100000+65536 --tracker abit\n"
	  "  kvm-ext help trackers                  # what each tracker is, and cannot see",
	  cmd_attach },
	{ "set", "DOMAIN...", "Switch the tracker of attached VMs, or its options, at once",
	  "  kvm-ext set vm1 --tracker abit\n"
	  "  kvm-ext set --all --tracker abit-flush --flush-scope batch --batch-pages 1024\n"
	  "  kvm-ext set vm1 --tracker abit --staleness      # how many accesses it misses\n"
	  "  kvm-ext set vm1 --tracker ept-walk --regions 10:1000 --aggregation 20s\n"
	  "  kvm-ext set vm1 --tracker trap --pages hottest:1% --fault-budget 500\n"
	  "  kvm-ext set vm1 --interval 0        # from now on only 'kvm-ext pass vm1'",
	  cmd_set },
	{ "detach", "DOMAIN...", "Stop tracking; the results stay available for reports",
	  "  kvm-ext detach vm1\n  kvm-ext detach --all", cmd_detach },
	{ "pass", "DOMAIN...", "Run one pass now and wait until its samples are counted",
	  "  kvm-ext pass vm1", cmd_pass },
	{ "compare", "DOMAIN...", "Compare trackers on running VMs, in rounds, with intervals",
	  "  kvm-ext compare vm1 --trackers all --workload-log vm1.log\n"
	  "  kvm-ext compare vm1 vm2 --rounds 12 --window 10s \\\n"
	  "          --trackers "
	  "abit:interval=250ms,abit-flush:flush-scope=page,ept-walk,dirty-log\n"
	  "  kvm-ext compare db --trackers abit,ept-walk --precision 1% --max-time 30m \\\n"
	  "          --progress-command 'redis-cli -h db info stats | sed -n "
	  "s/^total_commands_processed://p'\n"
	  "  kvm-ext compare vm1 --trackers all --json -o c.json; kvm-ext compare --input c.json\n"
	  "  kvm-ext compare --resume 3fa9c1d2     # that was interrupted",
	  cmd_compare },
	{ "experiment", "FILE",
	  "Run a workload in fresh VMs under each tracker, and compare the costs",
	  "  kvm-ext experiment --check gups.conf\n"
	  "  kvm-ext experiment gups.conf --json -o gups.json\n"
	  "  kvm-ext experiment --input gups.json",
	  cmd_experiment },
	{ "history", "", "List the comparisons and experiments that are kept, or delete some",
	  "  kvm-ext history\n  kvm-ext history --domain vm1 --limit 10 --json\n"
	  "  kvm-ext history --delete 3fa9c1d2",
	  cmd_history },
	{ "show", "ID", "Show a comparison or experiment that is kept, as it was printed",
	  "  kvm-ext show 3fa9c1d2\n  kvm-ext show 3fa9 --json -o c.json\n"
	  "  kvm-ext show 3fa9 --html c.html",
	  cmd_show },
	{ "diff", "A B", "Show what changed between two comparisons, with intervals",
	  "  kvm-ext diff 3fa9c1d2 77b0e142\n  kvm-ext diff before.json 77b0 --json", cmd_diff },
	{ "report", "[DOMAIN...]", "Report what each tracker cost per sample",
	  "  kvm-ext report vm1\n"
	  "  kvm-ext report --json --output report.json\n"
	  "  kvm-ext report --workload-log vm1=vm1.log --workload-log vm2=vm2.log\n"
	  "  kvm-ext report --input report.json  # no daemon needed\n"
	  "  kvm-ext report vm1 --html report.html --comparison 3fa9c1d2",
	  cmd_report },
	{ "heat", "DOMAIN...", "Show the hottest ranges of a VM's memory",
	  "  kvm-ext heat vm1\n  kvm-ext heat vm1 --tracker ept-walk --top 5\n"
	  "  kvm-ext heat vm1 --json | jq '.[0].heat.agreement'",
	  cmd_heat },
	{ "heatmap", "DOMAIN...", "Show heat over time and memory: text, picture, CSV",
	  "  kvm-ext heatmap vm1\n  kvm-ext heatmap vm1 -o vm1.png\n"
	  "  kvm-ext heatmap --input vm1.rec --from 10s --until 20s",
	  cmd_heatmap },
	{ "wss", "DOMAIN...", "Show the size of the working set, and how it changes",
	  "  kvm-ext wss vm1\n  kvm-ext wss vm1 --idle-age\n  kvm-ext wss --input vm1.rec --csv",
	  cmd_wss },
	{ "record", "DOMAIN [-- COMMAND...]", "Record the samples of a VM into a file",
	  "  kvm-ext record vm1 -o vm1.rec --duration 1m\n"
	  "  kvm-ext record vm1 -o vm1.rec -t ept-walk --interval 100ms -d 1m\n"
	  "  kvm-ext record vm1 -o vm1.rec -- ssh vm1 ./benchmark\n"
	  "  kvm-ext report --input vm1.rec; kvm-ext heatmap --input vm1.rec",
	  cmd_record },
	{ "export", "damo DOMAIN...", "Write heat over time as a record of damo",
	  "  kvm-ext export damo vm1 -o vm1.damo; damo report heatmap --input vm1.damo\n"
	  "  kvm-ext export damo --input vm1.rec -o vm1.damo",
	  cmd_export },
	{ "stats", "[DOMAIN...]", "Show the rates of attached VMs, one line each",
	  "  kvm-ext stats\n  kvm-ext stats --follow --interval 5s vm1 vm2\n"
	  "  kvm-ext stats --follow --count 10 --json",
	  cmd_stats },
	{ "top", "[DOMAIN...]",
	  "Show all VMs on the full screen, sorted; switch trackers with a key",
	  "  kvm-ext top\n  kvm-ext top --sort cost -d 5\n  kvm-ext top | head\n"
	  "  kvm-ext top --json -d 10 -n 6",
	  cmd_top },
	{ "events", "[DOMAIN...]", "Print what happens to VMs: attach, switch, yield, end",
	  "  kvm-ext events\n  kvm-ext events vm1 --count 1\n"
	  "  kvm-ext events --json | jq -r 'select(.event == \"vm-gone\") | .name'",
	  cmd_events },
	{ "stat", "DOMAIN... -- COMMAND [ARGUMENT...]",
	  "Track VMs while a command runs, and report what it cost",
	  "  kvm-ext stat vm1 --tracker ept-walk --interval 100ms -- ssh vm1 make -j4\n"
	  "  kvm-ext stat -r 5 -o build.txt vm1 vm2 -- ./load\n"
	  "  kvm-ext stat --json -o run.json vm1 -- sleep 10",
	  cmd_stat },
	{ "version", "", "Show the versions of this program, the daemon and the module",
	  "  kvm-ext version\n  kvm-ext version --json | jq .warnings", cmd_version },
	{ "help", "[COMMAND|trackers]",
	  "Show help on a command, or what each tracker is and cannot see",
	  "  kvm-ext help attach\n  kvm-ext help trackers", cmd_help },
	{ NULL, NULL, NULL, NULL, NULL },
};

/* Whether @text is a tracker, or means all of them, so that the user looks for the help on trackers. */
static gboolean means_trackers(const char *text)
{
	return g_str_equal(text, "tracker") || kx_tracker_meant(text);
}

static int no_command(const char *text)
{
	g_autofree char *shown = cli_show(text);

	if (means_trackers(text))
		return cli_usage(NULL,
				 "there is no command '%s'; 'kvm-ext help trackers' says what each "
				 "tracker is and cannot see",
				 shown);
	return cli_usage(NULL, "there is no command '%s'", shown);
}

static const Command *find(const char *name)
{
	for (const Command *c = table; c->name; c++) {
		if (g_str_equal(c->name, name))
			return c;
	}
	return NULL;
}

static char *command_list(void)
{
	GString *s = g_string_new("Commands:\n");

	for (const Command *c = table; c->name; c++)
		g_string_append_printf(s, "  %-10s  %s\n", c->name, c->summary);
	g_string_append(
		s, "\n'kvm-ext COMMAND --help' shows a command's options. 'kvm-ext help trackers' "
		   "shows what\neach tracker is and what it cannot see. kvm-ext(1) explains exit "
		   "codes and files.");
	return g_string_free(s, FALSE);
}

static gboolean version_wanted; /* by --version */

static GOptionContext *main_context(void)
{
	static const GOptionEntry entries[] = {
		{ "version", 'V', 0, G_OPTION_ARG_NONE, &version_wanted,
		  "The same as the command version", NULL },
		{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
	};
	GOptionContext *context = g_option_context_new("COMMAND [ARGUMENT...]");
	g_autofree char *commands = command_list();

	g_option_context_set_summary(
		context,
		"Tracks which pages a running VM uses and reports what each sample costs.");
	g_option_context_set_description(context, commands);
	g_option_context_add_main_entries(context, kx_common_entries, NULL);
	g_option_context_add_main_entries(context, entries, NULL);
	/* options after the command's name belong to the command */
	g_option_context_set_strict_posix(context, TRUE);
	return context;
}

static void print_trackers(void)
{
	printf("Trackers:\n");
	for (const KxTrackerRow *t = kx_trackers; t->name; t++)
		printf("  %-15s  %s\n", t->name, t->summary);
	printf("\nWhat they cannot see:\n");
	for (const KxBlindSpot *s = kx_blind_spots; s->what; s++) {
		g_autofree char *names = kx_blind_trackers(s->bit);

		printf("  %s,\n    because %s.\n    Not seen by %s.\n", s->what, s->why,
		       names ? names : "any tracker");
	}
}

int cmd_help(Cli *cli, int argc, char **argv)
{
	const Command *c = argc > 1 && argv[1][0] != '-' ? find(argv[1]) : NULL;
	char help[] = "--help";
	char *args[] = { NULL, help, NULL };

	if (argc > 1 && g_str_equal(argv[1], "trackers")) {
		print_trackers();
		return KX_EXIT_OK;
	}
	if (argc > 1 && argv[1][0] != '-' && !c)
		return no_command(argv[1]);
	if (c && c->run != cmd_help) {
		cli->command = c;
		args[0] = argv[1];
		return c->run(cli, 2, args);
	}
	g_autoptr(GOptionContext) context = main_context();
	g_autofree char *text = g_option_context_get_help(context, TRUE, NULL);

	g_set_prgname("kvm-ext");
	cli_print_help(text);
	return KX_EXIT_OK;
}

static int run(int argc, char **argv)
{
	g_autoptr(GOptionContext) context = main_context();
	g_autoptr(GError) error = NULL;
	const Command *c;

	g_set_prgname("kvm-ext");
	if (!g_option_context_parse(context, &argc, &argv, &error))
		return cli_usage(NULL, "%s", error->message);
	if (argc > 1 && g_str_equal(argv[1], "--")) {
		argc--;
		argv++;
	}
	if (argc < 2 && !version_wanted)
		return cli_usage(NULL, "no command is given");
	c = find(version_wanted ? "version" : argv[1]);
	if (!c)
		return no_command(argv[1]);
	kx_cli_options->command = c;
	/* --version is given in place of a command */
	return c->run(kx_cli_options, version_wanted ? argc : argc - 1,
		      version_wanted ? argv : argv + 1);
}

int main(int argc, char **argv)
{
	int code;

	setlocale(LC_ALL, "");
	/* GLib prints help with this function. */
	g_set_print_handler(cli_print_help);
	setlocale(LC_NUMERIC, "C"); /* numbers look the same in all locales and can be parsed */
	code = run(argc, argv);
	cli_disconnect(kx_cli_options);
	cli_labels_clear();
	g_clear_pointer(&kx_cli_options->socket, g_free);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "kvm-ext: cannot write to standard output: %s\n", strerror(errno));
		return code ? code : KX_EXIT_FAILED;
	}
	return code;
}
