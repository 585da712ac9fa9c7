/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `simulate`: runs the policy over a recorded trace, and shows the result. Needs neither the daemon
 * nor privileges. */
#include "config.h"
#include "ctl.h"
#include "sim/bound.h"
#include "sim/run.h"
#include "simulate/curve.h"
#include "simulate/selection.h"
#include "simulate/trace.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define BOUND_ROUNDS 200
#define CAPACITY_MAX 1000000
#define CAPACITIES_MAX 64
#define POLICIES_MAX 16

struct arguments {
	const char *trace;
	const char *config;
	const char *nic; /* NULL: all SAs compete for one table */
	const char *moves;
	const char *svg;
	const struct sim_policy *policies[POLICIES_MAX];
	size_t n_policies;
	uint32_t capacities[CAPACITIES_MAX]; /* ascending */
	size_t n_capacities;
	double interval;
	double reserve;
	double migration_bytes;
	double migration_seconds;
	double moves_per_second;
	double moves_burst;
	double dump_every;
	const struct config *rules; /* those of the configuration, with its groups */
	bool sweep;
	bool bound;
	bool per_sa;
};

enum long_option {
	OPTION_TRACE = 256,
	OPTION_CONFIG,
	OPTION_NIC,
	OPTION_MOVES,
	OPTION_POLICY,
	OPTION_INTERVAL,
	OPTION_CAPACITY,
	OPTION_RESERVE,
	OPTION_MIGRATION_BYTES,
	OPTION_MIGRATION_SECONDS,
	OPTION_MOVES_PER_SECOND,
	OPTION_MOVES_BURST,
	OPTION_DUMP_EVERY,
	OPTION_SWEEP,
	OPTION_SVG,
	OPTION_BOUND,
	OPTION_PER_SA,
};

const struct option simulate_options[] = {
	{"trace", required_argument, NULL, OPTION_TRACE},
	{"config", required_argument, NULL, OPTION_CONFIG},
	{"nic", required_argument, NULL, OPTION_NIC},
	{"moves", required_argument, NULL, OPTION_MOVES},
	{"policy", required_argument, NULL, OPTION_POLICY},
	{"interval", required_argument, NULL, OPTION_INTERVAL},
	{"capacity", required_argument, NULL, OPTION_CAPACITY},
	{"reserve", required_argument, NULL, OPTION_RESERVE},
	{"migration-bytes", required_argument, NULL, OPTION_MIGRATION_BYTES},
	{"migration-seconds", required_argument, NULL, OPTION_MIGRATION_SECONDS},
	{"moves-per-second", required_argument, NULL, OPTION_MOVES_PER_SECOND},
	{"moves-burst", required_argument, NULL, OPTION_MOVES_BURST},
	{"dump-every", required_argument, NULL, OPTION_DUMP_EVERY},
	{"sweep", no_argument, NULL, OPTION_SWEEP},
	{"svg", required_argument, NULL, OPTION_SVG},
	{"bound", no_argument, NULL, OPTION_BOUND},
	{"per-sa", no_argument, NULL, OPTION_PER_SA},
	{},
};

/* Parses a number of the command line, by a table of variables and limits. */
static int parse_number(struct arguments *arguments, int option, const char *text)
{
	const struct {
		int option;
		double *value;
		double min;
		double max;
	} numbers[] = {
		{OPTION_INTERVAL, &arguments->interval, 0.1, 1e6},
		{OPTION_RESERVE, &arguments->reserve, 0, 1e6},
		{OPTION_MIGRATION_BYTES, &arguments->migration_bytes, 0, 1e15},
		{OPTION_MIGRATION_SECONDS, &arguments->migration_seconds, 0, 1e6},
		{OPTION_MOVES_PER_SECOND, &arguments->moves_per_second, 0, 1e9},
		{OPTION_MOVES_BURST, &arguments->moves_burst, 0, 1e9},
		{OPTION_DUMP_EVERY, &arguments->dump_every, 1, 1e6},
	};
	const char *name = "";
	char *end;
	double value = strtod(text, &end);

	for (size_t i = 0; simulate_options[i].name; i++)
		if (simulate_options[i].val == option)
			name = simulate_options[i].name;
	for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
		if (numbers[i].option != option)
			continue;
		if (end == text || *end || !(value >= numbers[i].min && value <= numbers[i].max))
			return ctl_usage("simulate: --%s '%s' is not a number from %g to %g", name,
					 text, numbers[i].min, numbers[i].max);
		*numbers[i].value = value;
	}
	return CTL_OK;
}

/* Calls `add` for each part of a list that commas separate. */
static int parse_list(struct arguments *arguments, const char *list,
		      int (*add)(struct arguments *arguments, const char *part))
{
	_cleanup_free_ char *copy = strdup(list);
	char *rest = copy, *part;
	int r = copy ? CTL_OK : CTL_FAILURE;

	while (r == CTL_OK && (part = strsep(&rest, ",")))
		r = add(arguments, part);
	return r;
}

/* Keeps the list in order and without repetitions. */
static int add_capacity(struct arguments *arguments, const char *text)
{
	size_t at = arguments->n_capacities;
	long value;

	if (ctl_parse_number(text, 0, CAPACITY_MAX, &value) < 0)
		return ctl_usage("simulate: --capacity '%s' is not a whole number from 0 to %d",
				 text, CAPACITY_MAX);
	while (at > 0 && arguments->capacities[at - 1] > value)
		at--;
	if (at > 0 && arguments->capacities[at - 1] == value)
		return CTL_OK;
	if (arguments->n_capacities == CAPACITIES_MAX)
		return ctl_usage("simulate: --capacity has more than %d numbers", CAPACITIES_MAX);
	memmove(&arguments->capacities[at + 1], &arguments->capacities[at],
		(arguments->n_capacities - at) * sizeof(arguments->capacities[0]));
	arguments->capacities[at] = (uint32_t)value;
	arguments->n_capacities++;
	return CTL_OK;
}

static int add_policy(struct arguments *arguments, const char *name)
{
	const struct sim_policy *policy = sim_policy_find(name);

	if (!policy) {
		for (policy = sim_policies; policy->name; policy++)
			(void)fprintf(stderr, "  %-16s %s\n", policy->name, policy->text);
		return ctl_usage("simulate: there is no policy '%s'; see above for those there are",
				 name);
	}
	for (size_t i = 0; i < arguments->n_policies; i++)
		if (arguments->policies[i] == policy)
			return ctl_usage("simulate: --policy has '%s' twice", name);
	if (arguments->n_policies < POLICIES_MAX)
		arguments->policies[arguments->n_policies++] = policy;
	return CTL_OK;
}

static int parse_option(struct arguments *arguments, int option)
{
	switch (option) {
	case OPTION_TRACE:
		arguments->trace = optarg;
		return CTL_OK;
	case OPTION_CONFIG:
		arguments->config = optarg;
		return CTL_OK;
	case OPTION_NIC:
		arguments->nic = optarg;
		return CTL_OK;
	case OPTION_MOVES:
		arguments->moves = optarg;
		return CTL_OK;
	case OPTION_SVG:
		arguments->svg = optarg;
		return CTL_OK;
	case OPTION_POLICY:
		arguments->n_policies = 0;
		return parse_list(arguments, optarg, add_policy);
	case OPTION_CAPACITY:
		arguments->n_capacities = 0;
		return parse_list(arguments, optarg, add_capacity);
	case OPTION_SWEEP:
		arguments->sweep = true;
		return CTL_OK;
	case OPTION_BOUND:
		arguments->bound = true;
		return CTL_OK;
	case OPTION_PER_SA:
		arguments->per_sa = true;
		return CTL_OK;
	default:
		return parse_number(arguments, option, optarg);
	}
}

/* Whether the result is a table of several runs. */
static bool is_curve(const struct arguments *arguments)
{
	return arguments->sweep || arguments->svg || arguments->n_capacities > 1 ||
	       arguments->n_policies > 1;
}

static int check_arguments(const struct arguments *arguments)
{
	if (!arguments->trace)
		return ctl_usage("simulate: --trace FILE.csv is needed");
	if (arguments->n_capacities == 0 && !arguments->sweep)
		return ctl_usage("simulate: --capacity SLOTS[,SLOTS...] or --sweep is needed");
	if (arguments->n_capacities > 0 && arguments->sweep)
		return ctl_usage("simulate: --capacity and --sweep exclude each other");
	if (is_curve(arguments) && (arguments->moves || arguments->per_sa))
		return ctl_usage("simulate: %s is for one capacity and one policy, without --svg",
				 arguments->moves ? "--moves" : "--per-sa");
	return CTL_OK;
}

static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
	int option, r;

	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", simulate_options, NULL)) >= 0) {
		if (option == '?')
			return ctl_usage("simulate: unknown option '%s'", argv[optind - 1]);
		if (option == ':')
			return ctl_usage("simulate: %s needs a value", argv[optind - 1]);
		r = parse_option(arguments, option);
		if (r != CTL_OK)
			return r;
	}
	if (optind < argc)
		return ctl_usage("simulate: unexpected argument '%s'", argv[optind]);
	return check_arguments(arguments);
}

/* Applies the configuration, except options of the command line. */
static int apply_config(struct arguments *arguments, struct config **ret_config)
{
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(config_report_done) struct config_report report = {0};
	int r = arguments->config ? config_load(arguments->config, &report, &config)
				  : config_new_default(&config);

	config_report_print(&report, stderr);
	if (r < 0)
		return r == -EBADMSG ? CTL_INVALID_CONFIG : CTL_FAILURE;
	if (arguments->moves_per_second < 0)
		arguments->moves_per_second = config->moves_per_second;
	if (arguments->interval < 0)
		arguments->interval = arguments->config ? config->interval : 0;
	if (arguments->moves_burst < 0 && arguments->config)
		arguments->moves_burst = config->moves_burst;
	arguments->rules = config;
	*ret_config = TAKE_PTR(config);
	return CTL_OK;
}

/* One run of a policy. */
struct setup {
	const struct arguments *arguments;
	const struct simulate_trace *trace;
	const struct sim_policy *policy;
	struct sim_options options;
};

static struct sim_options make_options(const struct arguments *arguments, uint32_t capacity)
{
	return (struct sim_options){
		.capacity = capacity,
		.reserve = arguments->reserve < 0 ? policy_assumed_reserve(capacity)
						  : (uint32_t)arguments->reserve,
		.migration_bytes = arguments->migration_bytes,
		.migration_seconds = arguments->migration_seconds,
		.moves_per_second = arguments->moves_per_second,
		.moves_burst = arguments->moves_burst < 0 ? 2.0 * capacity : arguments->moves_burst,
		.dump_every = (uint32_t)arguments->dump_every,
	};
}

static json_t *describe_sas(const struct simulate_trace *trace, const struct sim_result *result)
{
	json_t *sas = json_array();

	for (uint32_t i = 0; i < trace->trace->n_sas; i++) {
		const struct sim_sa_result *sa = &result->sas[i];

		(void)json_array_append_new(
			sas, json_pack("{s:s, s:I, s:I, s:I, s:I, s:f}", "sa", trace->names[i],
				       "offeredBytes", (json_int_t)sa->offered, "offloadedBytes",
				       (json_int_t)sa->offloaded, "promotions",
				       (json_int_t)sa->promotions, "evictions",
				       (json_int_t)sa->evictions, "residentSeconds",
				       sa->ticks_resident * trace->trace->interval));
	}
	return sas;
}

static json_t *describe(const struct setup *setup, const struct sim_result *result,
			const struct sim_bound *bound)
{
	const struct simulate_trace *trace = setup->trace;
	json_t *document = json_pack(
		"{s:s, s:s, s:I, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "trace",
		setup->arguments->trace, "policy", setup->policy->name, "capacity",
		(json_int_t)setup->options.capacity, "intervalSeconds", trace->trace->interval,
		"seconds", result->seconds, "rows", (json_int_t)trace->n_rows, "sas",
		(json_int_t)trace->trace->n_sas, "offeredBytes", (json_int_t)result->offered,
		"offloadedBytes", (json_int_t)result->offloaded, "migrationCostBytes",
		(json_int_t)result->cost, "netBytes", (json_int_t)result->net, "promotions",
		(json_int_t)result->promotions, "evictions", (json_int_t)result->evictions,
		"movesPerHour", result->moves_per_hour);

	if (document && setup->arguments->nic)
		(void)json_object_set_new(document, "nic", json_string(setup->arguments->nic));
	if (document && bound)
		(void)json_object_set_new(
			document, "bound",
			json_pack("{s:I, s:f}", "netBytes", (json_int_t)bound->net, "ratio",
				  bound->net > 0 ? result->net / bound->net : 1.0));
	if (document && setup->arguments->per_sa)
		(void)json_object_set_new(document, "perSa", describe_sas(trace, result));
	return document;
}

static double number(const json_t *document, const char *key)
{
	return json_number_value(json_object_get(document, key));
}

static void print_share(const char *label, const json_t *document, const char *key)
{
	double offered = number(document, "offeredBytes");

	(void)printf("%-10s %18.0f bytes  %6.2f %%\n", label, number(document, key),
		     offered > 0 ? 100 * number(document, key) / offered : 0);
}

static const char *plural(double n)
{
	return n == 1 ? "" : "s";
}

static int print_text(const struct ctl *ctl, const json_t *document)
{
	const json_t *bound = json_object_get(document, "bound"), *sa;
	char sas[CURVE_SAS_SIZE];
	size_t i;

	(void)ctl;
	(void)printf("%s: %s, %.0f s in steps of %g s, %.0f slot%s, policy %s\n",
		     json_string_value(json_object_get(document, "trace")),
		     curve_sas(document, sas), number(document, "seconds"),
		     number(document, "intervalSeconds"), number(document, "capacity"),
		     plural(number(document, "capacity")),
		     json_string_value(json_object_get(document, "policy")));
	print_share("offered", document, "offeredBytes");
	print_share("offloaded", document, "offloadedBytes");
	print_share("moves cost", document, "migrationCostBytes");
	print_share("net", document, "netBytes");
	if (bound)
		(void)printf("%-10s %18.0f bytes  net is %.2f %% of it\n", "optimum",
			     number(bound, "netBytes"), 100 * number(bound, "ratio"));
	(void)printf("%-10s %.0f promotion%s, %.0f eviction%s, %.0f an hour\n", "moves",
		     number(document, "promotions"), plural(number(document, "promotions")),
		     number(document, "evictions"), plural(number(document, "evictions")),
		     number(document, "movesPerHour"));
	json_array_foreach(json_object_get(document, "perSa"), i, sa)
		(void)printf("%s: offloaded %.0f of %.0f bytes, %.0f promotions, %.0f evictions, "
			     "%.0f s\n",
			     json_string_value(json_object_get(sa, "sa")),
			     number(sa, "offloadedBytes"), number(sa, "offeredBytes"),
			     number(sa, "promotions"), number(sa, "evictions"),
			     number(sa, "residentSeconds"));
	return 0;
}

/* What the callbacks of a run need. */
struct run {
	FILE *moves;
	const struct simulate_trace *trace;
	const struct config *config;
};

static void record_move(void *userdata, double time, uint32_t sa, bool promote)
{
	const struct run *run = userdata;

	(void)fprintf(run->moves, "%.10g,%s,%s\n", time, run->trace->names[sa],
		      promote ? "promote" : "evict");
}

/* As the daemon. No rule matches an SA without addresses, and only a group without conditions. */
static void configure_sa(void *userdata, uint32_t sa, struct policy_sa_config *config)
{
	const struct run *run = userdata;
	const struct sa_description *description = simulate_trace_description(run->trace, sa);
	const struct config_group *group = config_match_group(run->config, description);
	const struct config_rule *rule =
		description ? config_match_rule(run->config, description) : NULL;

	if (rule) {
		config->weight = rule->weight;
		config->min_rate = rule->min_rate;
		config->pinned = rule->offload == CONFIG_OFFLOAD_ALWAYS;
		config->banned = rule->offload == CONFIG_OFFLOAD_NEVER;
	}
	config->group = group ? 1 + (uint32_t)(group - run->config->groups) : 0;
}

static void set_groups(const struct config *config,
		       struct policy_group_config groups[POLICY_GROUPS_MAX])
{
	for (size_t i = 0; i < config->n_groups; i++)
		groups[i] = (struct policy_group_config){
			.floor = config->groups[i].floor,
			.ceiling = config->groups[i].ceiling,
		};
}

static int run_policy(const struct setup *setup, struct sim_result *ret_result)
{
	_cleanup_fclose_ FILE *file = NULL;
	const struct arguments *arguments = setup->arguments;
	struct policy_group_config groups[POLICY_GROUPS_MAX];
	struct run run = {.trace = setup->trace, .config = arguments->rules};
	struct sim_options options = setup->options;
	int r;

	set_groups(arguments->rules, groups);
	options.configure = configure_sa;
	options.groups = groups;
	options.n_groups = arguments->rules->n_groups;
	options.userdata = &run;
	if (arguments->moves) {
		file = run.moves = fopen(arguments->moves, "we");
		if (!file) {
			ctl_error("cannot write '%s': %m", arguments->moves);
			return CTL_FAILURE;
		}
		(void)fputs("time,sa,action\n", file);
		options.on_move = record_move;
	}
	r = sim_run(setup->trace->trace, setup->policy, &options, ret_result);
	if (r < 0) {
		ctl_error("simulate: %s", strerror(-r));
		return CTL_FAILURE;
	}
	if (file && (fflush(file) != 0 || ferror(file))) {
		ctl_error("cannot write '%s': %m", arguments->moves);
		return CTL_FAILURE;
	}
	return CTL_OK;
}

/* Runs all policies with one capacity, and appends their documents to `rows`. */
static int run_policies(const struct arguments *arguments, const struct simulate_trace *trace,
			uint32_t capacity, json_t *rows)
{
	struct setup setup = {
		.arguments = arguments,
		.trace = trace,
		.options = make_options(arguments, capacity),
	};
	struct sim_bound bound;
	int r = arguments->bound ? sim_bound(trace->trace, &setup.options, BOUND_ROUNDS, &bound)
				 : 0;

	if (r < 0) {
		ctl_error("simulate: no bound: %s", strerror(-r));
		return CTL_FAILURE;
	}
	for (size_t i = 0; i < arguments->n_policies; i++) {
		_cleanup_(sim_result_done) struct sim_result result = {};

		setup.policy = arguments->policies[i];
		r = run_policy(&setup, &result);
		if (r != CTL_OK)
			return r;
		if (json_array_append_new(rows, describe(&setup, &result,
							 arguments->bound ? &bound : NULL)) < 0) {
			ctl_error("simulate: the trace's name is not UTF-8");
			return CTL_FAILURE;
		}
	}
	return CTL_OK;
}

/* Doubles the slots until there is one for every SA that carries something. */
static void choose_capacities(struct arguments *arguments, const struct sim_trace *trace)
{
	uint32_t most = sim_trace_most_sas(trace), capacity = 1;

	for (;; capacity *= 2) {
		arguments->capacities[arguments->n_capacities++] = capacity;
		if (capacity >= most || capacity > CAPACITY_MAX)
			return;
	}
}

static int show_curve(const struct ctl *ctl, const struct arguments *arguments, const json_t *rows)
{
	const struct curve curve = {.rows = rows, .n_policies = arguments->n_policies};
	const json_t *row;
	size_t i;
	int r = arguments->svg ? curve_write_svg(&curve, arguments->svg) : 0;

	if (r < 0) {
		ctl_error("--svg: cannot write '%s': %s", arguments->svg, strerror(-r));
		return CTL_FAILURE;
	}
	if (ctl->json != CTL_JSON_OFF)
		json_array_foreach(rows, i, row)
			ctl_print_json(ctl, row);
	else
		r = curve_print(ctl, &curve);
	if (r < 0) {
		ctl_error("simulate: %s", strerror(-r));
		return CTL_FAILURE;
	}
	return ctl_check_output();
}

static int run_all(const struct ctl *ctl, struct arguments *arguments,
		   const struct simulate_trace *trace)
{
	json_t *rows = json_array();
	int r = rows ? CTL_OK : CTL_FAILURE;

	if (arguments->sweep)
		choose_capacities(arguments, trace->trace);
	/* One run is of the daemon's policy. A curve is compared with what is done without it. */
	if (arguments->n_policies == 0) {
		arguments->n_policies = is_curve(arguments) ? 2 : 1;
		arguments->policies[0] = sim_policies;
		arguments->policies[1] = sim_policy_find("first-come");
	}
	for (size_t i = 0; r == CTL_OK && i < arguments->n_capacities; i++)
		r = run_policies(arguments, trace, arguments->capacities[i], rows);
	if (r == CTL_OK)
		r = is_curve(arguments) ? show_curve(ctl, arguments, rows)
					: ctl_show(ctl, json_array_get(rows, 0), print_text);
	json_decref(rows);
	return r;
}

static int load_trace(const struct arguments *arguments, struct simulate_trace **ret_trace)
{
	_cleanup_(simulate_trace_freep) struct simulate_trace *trace = NULL;
	_cleanup_(selection_freep) struct selection *selection = NULL;
	struct simulate_selection of_trace;
	int r = selection_new(arguments->rules, arguments->nic, &selection);

	if (r >= 0) {
		of_trace = selection_of_trace(selection);
		r = simulate_trace_load(arguments->trace, arguments->interval, &of_trace, stderr,
					&trace);
	}
	if (r < 0) {
		if (r != -EBADMSG)
			ctl_error("cannot read '%s': %s", arguments->trace, strerror(-r));
		return CTL_FAILURE;
	}
	selection_report(selection, stderr);
	if (trace->trace->n_sas == 0) {
		ctl_error("simulate: no SA of the trace competes for the table of '%s'",
			  arguments->nic);
		return CTL_FAILURE;
	}
	*ret_trace = TAKE_PTR(trace);
	return CTL_OK;
}

int verb_simulate(const struct ctl *ctl, int argc, char **argv)
{
	struct arguments arguments = {
		.interval = -1,
		.reserve = -1,
		.migration_bytes = -1,
		.migration_seconds = POLICY_ASSUMED_MIGRATION_SECONDS,
		.moves_per_second = -1,
		.moves_burst = -1,
		.dump_every = 1,
	};
	_cleanup_(simulate_trace_freep) struct simulate_trace *trace = NULL;
	_cleanup_(config_freep) struct config *config = NULL;
	int r = parse_arguments(argc, argv, &arguments);

	if (r == CTL_OK)
		r = apply_config(&arguments, &config);
	if (r == CTL_OK)
		r = load_trace(&arguments, &trace);
	return r == CTL_OK ? run_all(ctl, &arguments, trace) : r;
}
