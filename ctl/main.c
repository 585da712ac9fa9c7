/* SPDX-License-Identifier: GPL-2.0-or-later */
/* espoffloadctl: global options and the table of verbs. A verb is a line here and a file. */
#include "control-interface.h"
#include "ctl.h"

#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <sys/ioctl.h>

struct verb {
	const char *name;
	const char *arguments;
	const char *summary;
	int (*run)(const struct ctl *ctl, int argc, char **argv);
};

static int verb_help(const struct ctl *ctl, int argc, char **argv);

static const struct verb verbs[] = {
	{"status", "", "What espoffloadd does, its NICs and its moves", verb_status},
	{"list", "[--limit N] [--filter TEXT]", "The SAs, hottest first", verb_list},
	{"top", "[-b] [-n N] [-d SECONDS] [--rows N]", "The SAs, live", verb_top},
	{"explain", "SPI [DST]", "Why an SA is where it is", verb_explain},
	{"pause", "", "Leave every SA where it is", verb_pause},
	{"evacuate", "NIC", "Empty a NIC and keep it empty until 'resume NIC'", verb_evacuate},
	{"resume", "[NIC]", "Move SAs again: into this NIC, or into all", verb_resume},
	{"reload", "", "Read the configuration again", verb_reload},
	{"check-config", "[FILE]", "Check a configuration, without the daemon", verb_check_config},
	{"simulate", "--trace FILE.csv --capacity SLOTS [--bound] [--policy NAME] [...]",
	 "What the policy would do with a recorded trace", verb_simulate},
	{"help", "", "This text", verb_help},
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
		"  --color=auto|always|never  Default: on terminals, unless NO_COLOR is set\n"
		"  --ascii                    No characters outside of ASCII\n"
		"  -h, --help                 This text\n"
		"  --version                  The version\n"
		"\n"
		"Exit status: 0 success, 1 failure, 2 wrong usage, 3 espoffloadd not reachable,\n"
		"4 configuration invalid, 5 espoffloadd is degraded (status).\n"
		"\n"
		"Examples:\n"
		"  espoffloadctl top\n"
		"  espoffloadctl list --filter 10.1. --limit 10\n"
		"  espoffloadctl list --json | jq '.sas[] | select(.placement == \"nic\") | .spi'\n"
		"  espoffloadctl explain 0x00000101\n"
		"  espoffloadctl check-config ./espoffloadd.conf && espoffloadctl reload\n"
		"  espoffloadctl top --json -n 60 > minute.ndjson");
}

static int verb_help(const struct ctl *ctl, int argc, char **argv)
{
	(void)ctl;
	(void)argc;
	(void)argv;
	print_usage();
	return CTL_OK;
}

/* What the command line says before the environment and the terminal have been asked. */
struct arguments {
	const char *socket;
	const char *json; /* "auto" for a bare --json */
	const char *color;
	bool ascii;
	bool help;
	bool version;
	int argc; /* the verb and what belongs to it */
	char **argv;
};

/* Matches "--name", "--name=VALUE", and, unless `optional`, "--name VALUE". Returns whether the
 * argument is this option; *ret_value is NULL when it has no value. */
static bool match_option(char **argv, int *i, const char *name, bool optional,
			 const char **ret_value)
{
	size_t length = strlen(name);

	if (strncmp(argv[*i], name, length) != 0)
		return false;
	if (argv[*i][length] == '=') {
		*ret_value = argv[*i] + length + 1;
		return true;
	}
	if (argv[*i][length])
		return false;
	*ret_value = optional ? "auto" : NULL;
	if (!optional && argv[*i + 1])
		*ret_value = argv[++*i];
	return true;
}

static bool is_flag(const char *argument, const char *flag)
{
	return strcmp(argument, flag) == 0;
}

/* Takes the global options out of argv, wherever they are; what is left is the verb's. */
static int parse_arguments(int argc, char **argv, struct arguments *ret_arguments)
{
	struct arguments arguments = {.color = "auto", .argv = argv};

	for (int i = 1; i < argc; i++) {
		if (is_flag(argv[i], "--")) {
			while (i < argc)
				argv[arguments.argc++] = argv[i++];
		} else if (match_option(argv, &i, "--socket", false, &arguments.socket)) {
			if (!arguments.socket || !*arguments.socket)
				return ctl_usage("--socket needs a path");
		} else if (match_option(argv, &i, "--color", false, &arguments.color)) {
			if (!arguments.color)
				return ctl_usage("--color needs auto, always or never");
		} else if (match_option(argv, &i, "--json", true, &arguments.json)) {
			continue;
		} else if (is_flag(argv[i], "--ascii")) {
			arguments.ascii = true;
		} else if (is_flag(argv[i], "--help") || is_flag(argv[i], "-h")) {
			arguments.help = true;
		} else if (is_flag(argv[i], "--version")) {
			arguments.version = true;
		} else {
			argv[arguments.argc++] = argv[i];
		}
	}
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

/* Of the terminal, else $COLUMNS, else 0. */
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
		*ret_ctl = ctl;
	return r;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.color = "auto"};
	struct ctl ctl;
	int r;

	(void)setlocale(LC_CTYPE, ""); /* numbers keep their point in every locale */
	r = parse_arguments(argc, argv, &arguments);
	if (r == CTL_OK)
		r = make_ctl(&arguments, &ctl);
	if (r != CTL_OK)
		return r;
	if (arguments.help) {
		print_usage();
		return CTL_OK;
	}
	if (arguments.version) {
		(void)puts("espoffloadctl " ESPOFFLOAD_VERSION);
		return CTL_OK;
	}
	if (arguments.argc == 0)
		return ctl_usage("a verb is needed");
	for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
		if (strcmp(arguments.argv[0], verbs[i].name) == 0)
			return verbs[i].run(&ctl, arguments.argc, arguments.argv);
	return ctl_usage("unknown verb '%s'", arguments.argv[0]);
}
