/* SPDX-License-Identifier: GPL-2.0-or-later */
/* espoffloadctl: global options and the table of verbs. Each verb has a line here and a file. */
#include "control-interface.h"
#include "ctl.h"

#include <getopt.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <string.h>
#include <sys/ioctl.h>

struct verb {
	const char *name;
	const char *arguments;
	const char *summary;
	int (*run)(const struct ctl *ctl, int argc, char **argv);
	/* For getopt_long(); NULL: none. */
	const struct option *options;
	const char *short_options;
};

static int verb_help(const struct ctl *ctl, int argc, char **argv);

static const struct verb verbs[] = {
	{"status", "", "What espoffloadd does, its NICs and its moves", verb_status},
	{"list", "[--sort FIELD] [--nic NIC] [--placement WORD] [--peer ADDRESS] [...]",
	 "The SAs, hottest first or by a field, or sums (--group peer)", verb_list, list_options},
	{"top", "[-b] [-n N] [-d SECONDS] [--sort FIELD] [--nic NIC] [...]", "The SAs, live",
	 verb_top, top_options, TOP_SHORT_OPTIONS},
	{"explain", "SPI [DST]", "Why an SA is where it is", verb_explain},
	{"show", "SPI [DST]", "All that is known of an SA", verb_show},
	{"plan", "[--turns N]", "The next moves, and what keeps the best SA outside out", verb_plan,
	 plan_options},
	{"metrics", "[--residents] [--http]", "OpenMetrics text, for Prometheus", verb_metrics,
	 metrics_options},
	{"history", "[SPI|PEER] [--since TIME] [-n N]", "The last moves and why, from the journal",
	 verb_history, history_options, HISTORY_SHORT_OPTIONS},
	{"monitor", "[SPI|PEER] [-n N]", "What happens, as it happens", verb_monitor,
	 monitor_options, MONITOR_SHORT_OPTIONS},
	{"pause", "", "Leave every SA where it is", verb_pause},
	{"evacuate", "NIC", "Empty a NIC and keep it empty until 'resume NIC'", verb_evacuate},
	{"resume", "[NIC]", "Move SAs again: into this NIC, or into all", verb_resume},
	{"pin", "SPI [DST]|PEER [--for TIME] [--persist]", "Give SAs a slot before others",
	 verb_pin, sa_order_options},
	{"unpin", "[SPI [DST]|PEER]", "End a pin, or all", verb_unpin},
	{"ban", "SPI [DST]|PEER [--for TIME] [--persist]", "Keep SAs in software", verb_ban,
	 sa_order_options},
	{"unban", "[SPI [DST]|PEER]", "End a ban, or all", verb_unban},
	{"reload", "[--try TIME | --confirm]", "Read the configuration again, for good or on trial",
	 verb_reload, reload_options},
	{"check-config", "[FILE | --root DIRECTORY] [--effective]",
	 "Check a configuration, without the daemon", verb_check_config, check_config_options},
	{"record", "FILE [--for TIME] [--interval TIME] [--direction in|out]",
	 "Write what the SAs carry as a trace for simulate", verb_record, record_options},
	{"simulate", "--trace FILE.csv --capacity SLOTS[,SLOTS...]|--sweep [--bound] [...]",
	 "What the policy would do with a recorded trace, ranked by bytes", verb_simulate,
	 simulate_options},
	{"doctor", "", "Whether ESP offload can work on this machine, and what is in the way",
	 verb_doctor},
	{"version", "", "The versions of espoffloadctl and of the espoffloadd that runs",
	 verb_version},
	{"help", "[VERB]", "This text, or what a verb does and its options", verb_help},
};

static void print_usage(void)
{
	(void)puts("espoffloadctl [OPTIONS] VERB [ARGUMENTS]\n"
		   "\n"
		   "Shows and controls espoffloadd, which keeps the busiest IPsec SAs in the NIC.\n"
		   "\n"
		   "Verbs:");
	for (size_t i = 0; i < ELEMENTSOF(verbs); i++) {
		(void)printf("  %s %s\n      %s\n", verbs[i].name, verbs[i].arguments,
			     verbs[i].summary);
	}
	(void)puts(
		"\n"
		"Options, before or after the verb:\n"
		"  --json[=pretty|short|off]  JSON: pretty on a terminal, else one line\n"
		"  --socket PATH              Default: " CONTROL_SOCKET_DEFAULT "\n"
		"  --ike SOURCE               Names from: auto, off, vici:PATH, pluto:PATH\n"
		"  --color=auto|always|never  Default: on terminals, unless NO_COLOR is set\n"
		"  --ascii                    No characters outside of ASCII\n"
		"  -h, --help                 This text; after a verb: that of the verb\n"
		"  --version                  The version\n"
		"\n"
		"Exit status: 0 success, 1 failure, 2 wrong usage, 3 espoffloadd not reachable,\n"
		"4 configuration invalid, 5 espoffloadd is degraded (status), 6 offload cannot\n"
		"work here (doctor).\n"
		"\n"
		"Examples:\n"
		"  espoffloadctl top\n"
		"  espoffloadctl list --peer 10.1.0.0/16 --placement software --limit 10\n"
		"  espoffloadctl list --json | jq '.sas[] | select(.placement == \"nic\") | .spi'\n"
		"  espoffloadctl explain 0x00000101\n"
		"  espoffloadctl history 198.51.100.1 --since -2h\n"
		"  espoffloadctl ban 198.51.100.1 --for 2h\n"
		"  espoffloadctl check-config ./espoffloadd.conf && espoffloadctl reload\n"
		"  espoffloadctl top --json -n 60 > minute.ndjson");
}

/* The global options of the command line. */
struct arguments {
	const char *socket;
	const char *ike;
	const char *json; /* "auto" for a bare --json */
	const char *color;
	bool ascii;
	bool help;
	bool version;
	int argc; /* the verb and its arguments */
	char **argv;
};

enum {
	OPTION_SOCKET = 4096, /* beyond the verbs' own */
	OPTION_IKE,
	OPTION_JSON,
	OPTION_COLOR,
	OPTION_ASCII,
	OPTION_VERSION,
	/* getopt_long() returns this for an argument that is not an option. */
	NO_OPTION = 1,
};

static const struct option global_options[] = {
	{"socket", required_argument, NULL, OPTION_SOCKET},
	{"ike", required_argument, NULL, OPTION_IKE},
	{"json", optional_argument, NULL, OPTION_JSON},
	{"color", required_argument, NULL, OPTION_COLOR},
	{"ascii", no_argument, NULL, OPTION_ASCII},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPTION_VERSION},
	{},
};

#define OPTIONS_MAX 64
#define SHORT_OPTIONS_MAX 64

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
		if (strcmp(name, verbs[i].name) == 0)
			return &verbs[i];
	return NULL;
}

/* The options are those that getopt_long() gets, so none is missing. */
static void print_verb(const struct verb *verb)
{
	(void)printf("espoffloadctl %s%s%s\n\n%s.\n", verb->name, verb->arguments[0] ? " " : "",
		     verb->arguments, verb->summary);
	if (verb->options)
		(void)puts("\nOptions:");
	for (size_t i = 0; verb->options && verb->options[i].name; i++) {
		const struct option *option = &verb->options[i];
		bool is_short = verb->short_options && option->val > 0 && option->val <= CHAR_MAX &&
				strchr(verb->short_options, option->val);

		(void)printf("  %c%c%s--%s%s\n", is_short ? '-' : ' ', is_short ? option->val : ' ',
			     is_short ? ", " : "  ", option->name,
			     option->has_arg == required_argument   ? " VALUE"
			     : option->has_arg == optional_argument ? "[=VALUE]"
								    : "");
	}
	(void)puts("\nOptions of all verbs: espoffloadctl --help. More: man espoffloadctl");
}

static int print_help(const char *name)
{
	const struct verb *verb = name ? find_verb(name) : NULL;

	if (name && !verb)
		return ctl_usage("unknown verb '%s'", name);
	if (verb)
		print_verb(verb);
	else
		print_usage();
	return CTL_OK;
}

static int verb_help(const struct ctl *ctl, int argc, char **argv)
{
	(void)ctl;
	if (argc > 2)
		return ctl_usage("help: unexpected argument '%s'", argv[2]);
	return print_help(argv[1]);
}

/* Appends `options` to `joined`. */
static void join_options(struct option *joined, const struct option *options)
{
	size_t n = 0;

	while (joined[n].name)
		n++;
	for (size_t i = 0; options[i].name && n < OPTIONS_MAX - 1; i++)
		joined[n++] = options[i];
}

/* Handles a global option. Returns whether it is one. */
static bool handle_global_option(int option, struct arguments *arguments)
{
	switch (option) {
	case OPTION_SOCKET:
		arguments->socket = optarg;
		return true;
	case OPTION_IKE:
		arguments->ike = optarg;
		return true;
	case OPTION_JSON:
		arguments->json = optarg ? optarg : "auto";
		return true;
	case OPTION_COLOR:
		arguments->color = optarg;
		return true;
	case OPTION_ASCII:
		arguments->ascii = true;
		return true;
	case 'h':
		arguments->help = true;
		return true;
	case OPTION_VERSION:
		arguments->version = true;
		return true;
	default:
		return false;
	}
}

/* Removes the global options from argv, at any position. The verb parses the rest itself. After the
 * name of the verb is read, its options are added, so that it is known which of them have a
 * value. */
static int parse_arguments(int argc, char **argv, struct arguments *ret_arguments)
{
	struct arguments arguments = {.color = "auto", .argv = argv};
	struct option options[OPTIONS_MAX] = {};
	char short_options[SHORT_OPTIONS_MAX] = "-:h"; /* keep the order, and print nothing */
	int option, begin = 1;

	join_options(options, global_options);
	optind = 1;
	while ((option = getopt_long(argc, argv, short_options, options, NULL)) >= 0) {
		const struct verb *verb =
			option == NO_OPTION && arguments.argc == 0 ? find_verb(optarg) : NULL;

		if (option == ':' && optopt >= OPTION_SOCKET)
			return ctl_usage("%s needs a value", argv[optind - 1]);
		if (option == OPTION_SOCKET && !*optarg)
			return ctl_usage("--socket needs a path");
		if (option == '?' && arguments.argc == 0)
			return ctl_usage("unknown option '%s'", argv[optind - 1]);
		if (verb && verb->options)
			join_options(options, verb->options);
		if (verb && verb->short_options)
			(void)snprintf(short_options, sizeof(short_options), "-:h%s",
				       verb->short_options);
		if (!handle_global_option(option, &arguments))
			while (begin < optind)
				argv[arguments.argc++] = argv[begin++];
		begin = optind;
	}
	/* All arguments from "--" on belong to the verb. */
	while (begin < argc)
		argv[arguments.argc++] = argv[begin++];
	argv[arguments.argc] = NULL;
	*ret_arguments = arguments;
	return CTL_OK;
}

static int choose_json(const char *text, struct ctl *ctl)
{
	if (!text || strcmp(text, "off") == 0)
		ctl->json = CTL_JSON_OFF;
	else if (strcmp(text, "pretty") == 0 || (ctl->terminal && strcmp(text, "auto") == 0))
		ctl->json = CTL_JSON_PRETTY;
	else if (strcmp(text, "short") == 0 || strcmp(text, "auto") == 0)
		ctl->json = CTL_JSON_SHORT;
	else
		return ctl_usage("--json is pretty, short or off, not '%s'", text);
	return CTL_OK;
}

static int choose_ike(const char *text, struct ctl *ctl)
{
	if (ike_sources_parse(text ? text : "auto", &ctl->ike) < 0)
		return ctl_usage("--ike is auto, off, vici:PATH or pluto:PATH, not '%s'", text);
	return CTL_OK;
}

static int choose_color(const char *text, struct ctl *ctl)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	bool dumb = !term || !*term || strcmp(term, "dumb") == 0;

	if (strcmp(text, "always") == 0)
		ctl->color = true;
	else if (strcmp(text, "never") == 0)
		ctl->color = false;
	else if (strcmp(text, "auto") == 0)
		ctl->color = ctl->terminal && !dumb && !(no_color && *no_color);
	else
		return ctl_usage("--color is auto, always or never, not '%s'", text);
	return CTL_OK;
}

/* The width of the terminal, else $COLUMNS, else 0. */
static int find_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	long width;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	if (columns && ctl_parse_number(columns, 10, 4096, &width) == 0)
		return (int)width;
	return 0;
}

static int make_ctl(const struct arguments *arguments, struct ctl *ret_ctl)
{
	struct ctl ctl = {
		.socket = arguments->socket ? arguments->socket : CONTROL_SOCKET_DEFAULT,
		.terminal = isatty(STDOUT_FILENO),
		.ascii = arguments->ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0,
		.width = find_width(),
	};
	int r = choose_json(arguments->json, &ctl);

	if (r == CTL_OK)
		r = choose_color(arguments->color, &ctl);
	if (r == CTL_OK)
		r = choose_ike(arguments->ike, &ctl);
	if (r == CTL_OK)
		*ret_ctl = ctl;
	return r;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.color = "auto"};
	const struct verb *verb;
	struct ctl ctl;
	int r;

	(void)setlocale(LC_CTYPE, ""); /* only LC_CTYPE: numbers have a point in every locale */
	r = parse_arguments(argc, argv, &arguments);
	if (r == CTL_OK)
		r = make_ctl(&arguments, &ctl);
	if (r != CTL_OK)
		return r;
	if (arguments.help)
		return print_help(arguments.argc > 0 ? arguments.argv[0] : NULL);
	if (arguments.version) {
		(void)puts("espoffloadctl " ESPOFFLOAD_VERSION);
		return CTL_OK;
	}
	if (arguments.argc == 0)
		return ctl_usage("a verb is needed");
	verb = find_verb(arguments.argv[0]);
	if (verb)
		return verb->run(&ctl, arguments.argc, arguments.argv);
	return ctl_usage("unknown verb '%s'", arguments.argv[0]);
}
