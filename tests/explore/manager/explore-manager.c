// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * explore-manager [--quick | --all] [--report | --trace] [--first] [--world=N]: runs all lives,
 * prints how many and what came of them. Fails if one goes wrong. --first stops at that one;
 * --trace also prints what the daemon sent in it.
 */
#include "journal.h"
#include "life.h"

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

static int explore(struct life_explorer *e, enum life_thoroughness thoroughness, long only)
{
	size_t n;
	const struct life_world *worlds = life_worlds(&n);

	for (size_t i = 0; i < n; i++)
		if ((only < 0 || (size_t)only == i) && !life_explore(e, &worlds[i], thoroughness))
			break;
	print(e);
	return e->wrong > 0;
}

int main(int argc, char **argv)
{
	_cleanup_(secret_arena_freep) struct secret_arena *arena = NULL;
	_cleanup_(rescue_closep) struct rescue *rescue = NULL;
	struct life_explorer explorer = {};
	char directory[] = "/dev/shm/explore-manager-XXXXXX"; /* a disk is slow */
	enum life_thoroughness thoroughness = LIFE_USUAL;
	long only = -1;
	int r;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--all") == 0) {
			thoroughness = LIFE_ALL;
		} else if (strcmp(argv[i], "--quick") == 0) {
			thoroughness = LIFE_QUICK;
		} else if (strcmp(argv[i], "--report") == 0) {
			explorer.report = stdout;
		} else if (strcmp(argv[i], "--trace") == 0) {
			explorer.report = stdout;
			explorer.trace = true;
		} else if (strcmp(argv[i], "--first") == 0) {
			explorer.limit = 1;
		} else if (strncmp(argv[i], "--world=", 8) == 0) {
			only = strtol(argv[i] + 8, NULL, 10);
		} else {
			(void)fprintf(stderr, "usage: explore-manager [--quick | --all] [--report "
					      "| --trace] [--first] "
					      "[--world=N]\n");
			return 2;
		}
	}
	if (secret_arena_new(ARENA_SIZE, &arena) < 0 || rescue_open(-1, &rescue) < 0) {
		(void)fprintf(stderr, "explore-manager: cannot lock memory (RLIMIT_MEMLOCK)\n");
		return 77; /* skipped */
	}
	explorer.log = fopen("/dev/null", "we");
	if (!explorer.log || journal_new(explorer.log, LOG_EMERG, &explorer.journal) < 0 ||
	    !mkdtemp(directory))
		return 1;
	(void)snprintf(explorer.placed_path, sizeof(explorer.placed_path), "%s/placed", directory);
	explorer.arena = arena;
	explorer.rescue = rescue;
	r = explore(&explorer, thoroughness, only);
	journal_free(explorer.journal);
	(void)fclose(explorer.log);
	(void)unlink(explorer.placed_path);
	(void)rmdir(directory);
	return r;
}
