// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * explore-manager [--quick | --all | --pairs] [--sample] [--report | --trace] [--causes] [--first]
 * [--world=N] [--life=...]: runs all lives, prints their number and their results. Fails if one
 * fails. --first stops at the first that fails; --trace also prints the messages that the daemon
 * sent in it. --sample tries single events at every fourth step only: for sanitizers. --causes
 * counts the failed lives by scenario and violation. --life repeats one, with the numbers that
 * --report printed.
 */
#include "life.h"
#include "report/journal.h"

#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define ARENA_SIZE (4u << 20)

static void print(const struct life_explorer *e)
{
	(void)printf("lives: %lu\nwrong: %lu\nwith a fault: %lu\n", e->scenarios, e->wrong,
		     e->faults);
	for (enum life_event i = LIFE_NOTHING + 1; i < _LIFE_EVENT_MAX; i++)
		(void)printf("  %s: %lu\n", life_event_name(i), e->events[i]);
	(void)printf("promoted: %lu\nevicted: %lu\npackets lost: %lu\nACQUIREs: %lu\n", e->promoted,
		     e->evicted, e->lost_packets, e->acquires);
	for (enum life_limit i = LIFE_LIMIT_NONE + 1; i < _LIFE_LIMIT_MAX; i++)
		(void)printf("not promised, %s: %lu\n", life_limit_name(i), e->limits[i]);
}

struct options {
	enum life_thoroughness thoroughness;
	long world;       /* -1: all */
	const char *life; /* NULL: all */
};

#define LIFE_NUMBERS 9

/* The format is that of life_describe(). */
static int parse_life(const char *text, struct life_scenario *s)
{
	long n[LIFE_NUMBERS];

	for (size_t i = 0; i < LIFE_NUMBERS; i++) {
		char *end;

		n[i] = strtol(text, &end, 10);
		if (end == text || *end != (i + 1 < LIFE_NUMBERS ? ',' : '\0'))
			return -1;
		text = end + 1;
	}
	s->busy = n[0] != 0;
	s->fault.kind = (int)n[1];
	s->fault.occurrence = (unsigned)n[2];
	s->fault.error = (int)n[3];
	s->fault.count = (unsigned)n[4];
	s->first.event = (int)n[5];
	s->first.step = (unsigned)n[6];
	s->second.event = (int)n[7];
	s->second.step = (unsigned)n[8];
	return 0;
}

static int explore_life(struct life_explorer *e, const struct life_world *world, const char *text)
{
	struct life_scenario s = {.world = world, .fault.text = "injected"};
	struct life_outcome outcome;

	if (parse_life(text, &s) < 0)
		return -1;
	e->tell_all = true;
	life_run(e, &s, &outcome);
	return 0;
}

static int explore(struct life_explorer *e, const struct options *options)
{
	size_t n;
	const struct life_world *worlds = life_worlds(&n);

	for (size_t i = 0; i < n; i++) {
		if (options->world >= 0 && (size_t)options->world != i)
			continue;
		if (options->life && explore_life(e, &worlds[i], options->life) < 0)
			return 2;
		if (!options->life && !life_explore(e, &worlds[i], options->thoroughness))
			break;
	}
	print(e);
	life_causes_print(e);
	life_causes_free(e);
	return e->wrong > 0;
}

static int parse(int argc, char **argv, struct life_explorer *explorer, struct options *options)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--all") == 0) {
			options->thoroughness = LIFE_ALL;
		} else if (strcmp(argv[i], "--pairs") == 0) {
			options->thoroughness = LIFE_PAIRS;
		} else if (strcmp(argv[i], "--quick") == 0) {
			options->thoroughness = LIFE_QUICK;
		} else if (strcmp(argv[i], "--report") == 0) {
			explorer->report = stdout;
		} else if (strcmp(argv[i], "--trace") == 0) {
			explorer->report = stdout;
			explorer->trace = true;
		} else if (strcmp(argv[i], "--causes") == 0) {
			explorer->count_causes = true;
		} else if (strcmp(argv[i], "--sample") == 0) {
			explorer->stride = 4;
		} else if (strcmp(argv[i], "--first") == 0) {
			explorer->limit = 1;
		} else if (strncmp(argv[i], "--world=", 8) == 0) {
			options->world = strtol(argv[i] + 8, NULL, 10);
		} else if (strncmp(argv[i], "--life=", 7) == 0) {
			options->life = argv[i] + 7;
		} else {
			(void)fprintf(
				stderr,
				"usage: explore-manager [--quick | --all | --pairs] [--sample] "
				"[--report | --trace] [--causes] [--first] [--world=N] "
				"[--life=...]\n");
			return -1;
		}
	}
	return 0;
}

/* The journal, which writes nothing here, is of all lives: none has its clock. */
static double no_time(void *userdata)
{
	(void)userdata;
	return 0;
}

int main(int argc, char **argv)
{
	_cleanup_(secret_arena_freep) struct secret_arena *arena = NULL;
	_cleanup_(rescue_closep) struct rescue *rescue = NULL;
	static const struct clock clock = {.monotonic = no_time};
	struct life_explorer explorer = {.stride = 1};
	char directory[] = "/dev/shm/explore-manager-XXXXXX"; /* faster than a disk */
	struct options options = {.thoroughness = LIFE_USUAL, .world = -1};
	int r;

	if (parse(argc, argv, &explorer, &options) < 0)
		return 2;
	if (secret_arena_new(ARENA_SIZE, &arena) < 0 || rescue_open(-1, &rescue) < 0) {
		(void)fprintf(stderr, "explore-manager: cannot lock memory (RLIMIT_MEMLOCK)\n");
		return 77; /* skipped */
	}
	explorer.log = fopen("/dev/null", "we");
	if (!explorer.log || journal_new(&clock, explorer.log, LOG_EMERG, &explorer.journal) < 0 ||
	    !mkdtemp(directory))
		return 1;
	(void)snprintf(explorer.ownership_path, sizeof(explorer.ownership_path), "%s/placed",
		       directory);
	explorer.arena = arena;
	explorer.rescue = rescue;
	r = explore(&explorer, &options);
	journal_free(explorer.journal);
	(void)fclose(explorer.log);
	(void)unlink(explorer.ownership_path);
	(void)rmdir(directory);
	return r;
}
