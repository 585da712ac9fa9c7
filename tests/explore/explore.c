// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * explore [--quick | --all] [--sample] [--first] [--report] [--world=TEXT] [--event=NAME]
 * [--second=NAME]: runs all scenarios, prints their number and their results, then runs each
 * mutation until it is noticed. Fails if a scenario fails or a mutation is not noticed. --first
 * stops at the first scenario that fails, without the mutations: for tools/mutate and sanitizers.
 * --sample tries every fourth step only: for sanitizers. --world runs the worlds whose name
 * contains TEXT. --event and --second run the pairs of these events, with the names that --report
 * prints. All three leave out the mutations.
 */
#include "explore.h"

#include <string.h>

#define ARENA_SIZE (1u << 20)

enum thoroughness {
	NO_PAIRS,
	TYPICAL_PAIRS,
	ALL_PAIRS,
};

/* Faults with events, and pairs of events, give a hundred times as many scenarios. So by default
 * they run only in the worlds that differ in what the migrator does. Pairs in worlds whose
 * templates name the SPI run only with --all. */
static bool is_typical(const struct explore_world *world)
{
	return world->spi == SPI_UNIQUE && world->migrate_state == FAKE_MIGRATE_ABSENT &&
	       !world->names_spi && (world->spec.esn || world->spec.sequence == 10) &&
	       !world->spec.direction &&
	       (world->answer == ANSWER_ACCEPTS || world->answer == ANSWER_FULL);
}

static bool is_selected(const struct explore *explore, const struct explore_world *world)
{
	char name[EXPLORE_WORLD_NAME_SIZE];

	explore_world_name(world, name);
	return !explore->selection.world || strstr(name, explore->selection.world);
}

static void explore_all(struct explore *explore, enum thoroughness thoroughness)
{
	size_t n;
	const struct explore_world *worlds = explore_worlds(&n);

	for (size_t i = 0; i < n; i++)
		if (is_selected(explore, &worlds[i]) &&
		    !explore_world(explore, &worlds[i],
				   thoroughness == ALL_PAIRS || (thoroughness == TYPICAL_PAIRS &&
								 is_typical(&worlds[i]))))
			return;
}

static void print(const struct explore *explore)
{
	(void)printf("scenarios: %lu\nwrong: %lu\n", explore->scenarios, explore->wrong);
	(void)printf("with the daemon killed: %lu\n", explore->kills);
	(void)printf("with an ACQUIRE: %lu\n", explore->with_acquire);
	(void)printf("with a request of the IKE daemon refused: %lu\n", explore->with_ike_error);
	(void)printf("packets lost: %lu\n", explore->lost_packets);
	for (enum explore_limit i = LIMIT_NONE + 1; i < _LIMIT_MAX; i++)
		(void)printf("beyond a known limit, %s: %lu\n", explore_limit_name(i),
			     explore->limits[i]);
	for (enum move_result i = 0; i <= MOVE_RESULT_LOST; i++)
		if (explore->results[i] > 0)
			(void)printf("  %s: %lu\n", move_result_name(i), explore->results[i]);
}

static bool try_mutation(const struct explore *explore, const struct explore_mutation *mutation)
{
	struct explore mutated = {.arena = explore->arena,
				  .rescue = explore->rescue,
				  .filter = mutation->filter,
				  .broken_wait = mutation->broken_wait,
				  .limit = 1,
				  .stride = 1};

	explore_all(&mutated, mutation->pairs ? TYPICAL_PAIRS : NO_PAIRS);
	(void)printf("mutation '%s': %s after %lu scenarios\n", mutation->name,
		     mutated.wrong > 0 ? "noticed" : "NOT NOTICED", mutated.scenarios);
	return mutated.wrong > 0;
}

static bool parse_selection(const char *argument, struct explore_selection *selection)
{
	const struct {
		const char *prefix;
		const char **value;
	} options[] = {
		{"--world=", &selection->world},
		{"--event=", &selection->event},
		{"--second=", &selection->second},
	};

	for (size_t i = 0; i < ELEMENTSOF(options); i++) {
		size_t length = strlen(options[i].prefix);

		if (strncmp(argument, options[i].prefix, length) != 0)
			continue;
		*options[i].value = argument + length;
		return true;
	}
	return false;
}

static bool selects(const struct explore_selection *selection)
{
	return selection->world || selection->event || selection->second;
}

int main(int argc, char **argv)
{
	_cleanup_(secret_arena_freep) struct secret_arena *arena = NULL;
	_cleanup_(rescue_closep) struct rescue *rescue = NULL;
	struct explore explore = {.stride = 1};
	const struct explore_mutation *mutations;
	enum thoroughness thoroughness = TYPICAL_PAIRS;
	unsigned unnoticed = 0;
	size_t n;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--quick") == 0) {
			thoroughness = NO_PAIRS;
		} else if (strcmp(argv[i], "--all") == 0) {
			thoroughness = ALL_PAIRS;
		} else if (strcmp(argv[i], "--sample") == 0) {
			explore.stride = 4;
		} else if (strcmp(argv[i], "--first") == 0) {
			explore.limit = 1;
		} else if (strcmp(argv[i], "--report") == 0) {
			explore.report = stdout;
		} else if (strcmp(argv[i], "--excused") == 0) {
			explore.report = stdout;
			explore.excused = true;
		} else if (!parse_selection(argv[i], &explore.selection)) {
			(void)fprintf(stderr, "usage: explore [--quick | --all] [--sample] "
					      "[--first] [--report | --excused] "
					      "[--world=TEXT] [--event=NAME] [--second=NAME]\n");
			return 2;
		}
	}
	if (secret_arena_new(ARENA_SIZE, &arena) < 0 || rescue_open(-1, &rescue) < 0) {
		(void)fprintf(stderr, "explore: cannot lock memory (RLIMIT_MEMLOCK)\n");
		return 77; /* skipped */
	}
	explore.arena = arena;
	explore.rescue = rescue;
	explore_all(&explore, thoroughness);
	print(&explore);
	if (explore.limit != 0 || selects(&explore.selection))
		return explore.wrong > 0;

	mutations = explore_mutations(&n);
	for (size_t i = 0; i < n; i++)
		unnoticed += !try_mutation(&explore, &mutations[i]);
	return explore.wrong > 0 || unnoticed > 0;
}
