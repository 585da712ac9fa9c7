/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints the table of docs/policy.md: net bytes as a share of the offline optimum, and moves per
 * hour, for every scenario, policy and cost level, with geometric means. --help lists the options.
 *
 * Bounds take most of the time and depend only on the scenario and the costs: --bounds FILE caches
 * them.
 */
#include "cleanup.h"
#include "families.h"
#include "recorded.h"
#include "sim/bound.h"
#include "sim/run.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <string.h>

#define BOUND_ROUNDS 150
#define POLICIES_MAX 16
#define ROWS_MAX 64

/* The cost of a move, and the allowed number: docs/policy.md, "What was measured". */
static const struct cost {
	char letter;
	const char *text;
	double bytes;
	double seconds;
	double moves_per_second;
} costs[] = {
	{'A', "cheap moves", 64e3, 0.001, 20},
	{'B', "moves as estimated", 4.0 * 1024 * 1024, 0.25, 4},
	{'C', "dear moves", 32.0 * 1024 * 1024, 1, 20},
};
#define MOVES_BURST 256

struct setup {
	struct family_size size;
	const char *letters;
	const char *family; /* NULL: all of a kind */
	const char *policy; /* NULL: all */
	const char *bounds;
	const char *abilene;
	const char *cmu;
	unsigned first_seed;
	unsigned n_seeds;
	bool others;
};

/* A line of the table: sums over seeds. */
struct row {
	char name[32];
	double ratio[POLICIES_MAX];
	double moves[POLICIES_MAX];
	double rekeys;
	double kept;
	unsigned n;
};

/* Lines "KEY NET". */
static int bound_remembered(const char *path, const char *key, double *ret_net)
{
	_cleanup_fclose_ FILE *file = path ? fopen(path, "re") : NULL;
	char line[192];

	while (file && fgets(line, sizeof(line), file)) {
		size_t length = strlen(key);

		if (strncmp(line, key, length) == 0 && line[length] == ' ') {
			*ret_net = strtod(line + length, NULL);
			return 0;
		}
	}
	return -ENOENT;
}

static void bound_remember(const char *path, const char *key, double net)
{
	_cleanup_fclose_ FILE *file = path ? fopen(path, "ae") : NULL;

	if (file)
		(void)fprintf(file, "%s %.17g\n", key, net);
}

static int run_policies(const struct setup *setup, const struct cost *cost, uint32_t capacity,
			const struct sim_trace *trace, const char *key, struct row *row)
{
	struct sim_options options = {
		.capacity = capacity,
		.migration_bytes = cost->bytes,
		.migration_seconds = cost->seconds,
		.moves_per_second = cost->moves_per_second,
		.moves_burst = MOVES_BURST,
	};
	double net;
	int r = bound_remembered(setup->bounds, key, &net);

	if (r < 0) {
		struct sim_bound bound;

		r = sim_bound(trace, &options, BOUND_ROUNDS, &bound);
		if (r < 0)
			return r;
		net = bound.net;
		bound_remember(setup->bounds, key, net);
	}
	for (unsigned p = 0; sim_policies[p].name; p++) {
		_cleanup_(sim_result_done) struct sim_result result = {};

		if (setup->policy && strcmp(setup->policy, sim_policies[p].name) != 0)
			continue;
		r = sim_run(trace, &sim_policies[p], &options, &result);
		if (r < 0)
			return r;
		row->ratio[p] += result.net / net;
		row->moves[p] += result.moves_per_hour;
		if (p == 0) {
			row->rekeys += (double)result.rekeys_of_residents;
			row->kept += (double)result.rekeys_kept;
		}
	}
	row->n++;
	return 0;
}

static int run_family(const struct setup *setup, const struct cost *cost,
		      const struct family *family, struct row *row)
{
	(void)snprintf(row->name, sizeof(row->name), "%s", family->name);
	for (unsigned seed = setup->first_seed; seed < setup->first_seed + setup->n_seeds; seed++) {
		struct sim_trace *trace;
		char key[128];
		int r = family_generate(family, &setup->size, seed, &trace);

		if (r < 0)
			return r;
		(void)snprintf(key, sizeof(key), "%s/%u/%u/%u/%u/%g/%c", family->name, seed,
			       setup->size.n_sas, setup->size.capacity, setup->size.n_ticks,
			       setup->size.interval, cost->letter);
		r = run_policies(setup, cost, setup->size.capacity, trace, key, row);
		sim_trace_free(trace);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Recorded matrices: unchanged with steps of 5 minutes, and a day of Abilene at 10 s. */
static int run_recorded(const struct setup *setup, const struct cost *cost, unsigned which,
			struct row *row)
{
	static const struct {
		const char *name;
		double interval;
		uint32_t n_ticks;
		uint32_t capacity;
	} kinds[] = {{"abilene-5min", 300, 0, 33},
		     {"abilene-10s", 10, 8640, 33},
		     {"cmu-5min", 300, 0, 16}};
	const char *path = which < 2 ? setup->abilene : setup->cmu;
	struct sim_trace *trace;
	char key[128];
	int r;

	if (!path || setup->family)
		return 0;
	r = recorded_load(path, 300, kinds[which].interval, kinds[which].n_ticks, 1, &trace);
	if (r < 0) {
		(void)fprintf(stderr, "sim-table: %s: %s\n", path, strerror(-r));
		return r;
	}
	(void)snprintf(row->name, sizeof(row->name), "%s", kinds[which].name);
	(void)snprintf(key, sizeof(key), "%s/%c", kinds[which].name, cost->letter);
	r = run_policies(setup, cost, kinds[which].capacity, trace, key, row);
	sim_trace_free(trace);
	return r;
}

static bool policy_is_shown(const struct setup *setup, unsigned p)
{
	return !setup->policy || strcmp(setup->policy, sim_policies[p].name) == 0;
}

static void print_header(const struct setup *setup, const struct cost *cost)
{
	(void)printf("\n%c: %s (%.0f bytes + %g s of its rate, %g a second)\n\n%-14s", cost->letter,
		     cost->text, cost->bytes, cost->seconds, cost->moves_per_second, "scenario");
	for (unsigned p = 0; sim_policies[p].name; p++)
		if (policy_is_shown(setup, p))
			(void)printf(" %15s", sim_policies[p].name);
	(void)putchar('\n');
}

static void print_row(const struct setup *setup, const struct row *row)
{
	(void)printf("%-14s", row->name);
	for (unsigned p = 0; sim_policies[p].name; p++)
		if (policy_is_shown(setup, p))
			(void)printf("  %6.4f %7.0f", row->ratio[p] / row->n,
				     row->moves[p] / row->n);
	(void)putchar('\n');
	(void)fflush(stdout);
}

static void print_means(const struct setup *setup, const struct row *rows, unsigned n_rows)
{
	double ratio[POLICIES_MAX] = {}, moves[POLICIES_MAX] = {}, least[POLICIES_MAX] = {};
	double rekeys = 0, kept = 0;

	for (unsigned p = 0; sim_policies[p].name; p++) {
		least[p] = INFINITY;
		for (unsigned i = 0; i < n_rows; i++) {
			double r = rows[i].ratio[p] / rows[i].n;

			/* A share of 0 or less must not make the geometric mean meaningless. */
			ratio[p] += log(fmax(r, 0.001)) / n_rows;
			moves[p] += log(fmax(rows[i].moves[p] / rows[i].n, 1)) / n_rows;
			least[p] = fmin(least[p], r);
		}
	}
	(void)printf("%-14s", "gmean");
	for (unsigned p = 0; sim_policies[p].name; p++)
		if (policy_is_shown(setup, p))
			(void)printf("  %6.4f %7.0f", exp(ratio[p]), exp(moves[p]));
	(void)printf("\n%-14s", "minimum");
	for (unsigned p = 0; sim_policies[p].name; p++)
		if (policy_is_shown(setup, p))
			(void)printf("  %6.4f %7s", least[p], "");
	for (unsigned i = 0; i < n_rows; i++) {
		rekeys += rows[i].rekeys;
		kept += rows[i].kept;
	}
	(void)putchar('\n');
	if (rekeys > 0 && policy_is_shown(setup, 0))
		(void)printf("successors of residents resident within a tick: %.0f of %.0f\n", kept,
			     rekeys);
}

static int run_cost(const struct setup *setup, const struct cost *cost)
{
	struct row rows[ROWS_MAX] = {};
	unsigned n_rows = 0;

	print_header(setup, cost);
	for (const struct family *family = families; family->name; family++) {
		int r;

		if (setup->family ? strcmp(setup->family, family->name) != 0
				  : family->judged == setup->others)
			continue;
		r = run_family(setup, cost, family, &rows[n_rows]);
		if (r < 0)
			return r;
		print_row(setup, &rows[n_rows++]);
	}
	for (unsigned which = 0; which < 3 && !setup->others; which++) {
		int r = run_recorded(setup, cost, which, &rows[n_rows]);

		if (r < 0)
			return r;
		if (rows[n_rows].n > 0)
			print_row(setup, &rows[n_rows++]);
	}
	print_means(setup, rows, n_rows);
	return 0;
}

static void usage(void)
{
	(void)puts("usage: sim-table [OPTIONS]\n"
		   "\n"
		   "  --costs ABC        cheap, estimated, dear moves (default: all)\n"
		   "  --ticks N          length (3600)\n"
		   "  --sas N, --slots N size (1024, 128)\n"
		   "  --interval S       of a tick (1)\n"
		   "  --seeds N          per scenario (1)\n"
		   "  --first-seed N     (1)\n"
		   "  --family NAME      one scenario\n"
		   "  --others           scenarios the policy was not tuned on\n"
		   "  --policy NAME      one policy\n"
		   "  --abilene FILE, --cmu FILE\n"
		   "                     recorded matrices, rows step,series,bytes\n"
		   "  --bounds FILE      remembers bounds");
}

static bool read_count(const char *text, uint32_t *ret_count)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || value < 1 || value > 10000000)
		return false;
	*ret_count = (uint32_t)value;
	return true;
}

static bool read_options(int argc, char **argv, struct setup *setup)
{
	static const struct option options[] = {{"costs", required_argument, NULL, 'c'},
						{"ticks", required_argument, NULL, 't'},
						{"sas", required_argument, NULL, 'n'},
						{"slots", required_argument, NULL, 'k'},
						{"interval", required_argument, NULL, 'i'},
						{"seeds", required_argument, NULL, 's'},
						{"first-seed", required_argument, NULL, 'S'},
						{"family", required_argument, NULL, 'f'},
						{"others", no_argument, NULL, 'o'},
						{"policy", required_argument, NULL, 'p'},
						{"abilene", required_argument, NULL, 'a'},
						{"cmu", required_argument, NULL, 'm'},
						{"bounds", required_argument, NULL, 'b'},
						{"help", no_argument, NULL, 'h'},
						{}};
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		bool good = true;

		switch (option) {
		case 'c':
			setup->letters = optarg;
			break;
		case 't':
			good = read_count(optarg, &setup->size.n_ticks);
			break;
		case 'n':
			good = read_count(optarg, &setup->size.n_sas);
			break;
		case 'k':
			good = read_count(optarg, &setup->size.capacity);
			break;
		case 'i':
			setup->size.interval = strtod(optarg, NULL);
			good = setup->size.interval >= 0.1;
			break;
		case 's':
			good = read_count(optarg, &setup->n_seeds);
			break;
		case 'S':
			good = read_count(optarg, &setup->first_seed);
			break;
		case 'f':
			setup->family = optarg;
			break;
		case 'o':
			setup->others = true;
			break;
		case 'p':
			setup->policy = optarg;
			break;
		case 'a':
			setup->abilene = optarg;
			break;
		case 'm':
			setup->cmu = optarg;
			break;
		case 'b':
			setup->bounds = optarg;
			break;
		default:
			good = false;
			break;
		}
		if (!good)
			return false;
	}
	return optind == argc;
}

int main(int argc, char **argv)
{
	struct setup setup = {
		.size = family_size_default(), .letters = "ABC", .first_seed = 1, .n_seeds = 1};

	if (!read_options(argc, argv, &setup)) {
		usage();
		return 2;
	}
	for (size_t i = 0; i < ELEMENTSOF(costs); i++)
		if (strchr(setup.letters, costs[i].letter) && run_cost(&setup, &costs[i]) < 0)
			return 1;
	return 0;
}
