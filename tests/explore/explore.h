/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Systematic exploration of the migrator over the fake kernel: a scenario is a world (an SA, a NIC
 * and a kernel), and what goes wrong in it: a fault of the kernel, writes of the IKE daemon and
 * other events between any two steps, the daemon's death at any step. Every scenario is run, and
 * after each everything that must hold is checked.
 */
#pragma once

#include "fake-kernel.h"
#include "move/migrator.h"
#include "move/rescue.h"

#define EXPLORE_NIC 3
#define EXPLORE_OTHER_NIC 4
#define EXPLORE_NEVER UINT32_MAX

enum explore_answer {
	ANSWER_ACCEPTS,
	ANSWER_FULL,          /* -ENOSPC */
	ANSWER_REFUSES,       /* -EINVAL */
	ANSWER_SILENT,        /* success, in software */
	ANSWER_ELSEWHERE,     /* success, on another NIC */
	ANSWER_OUT_OF_MEMORY, /* -ENOMEM once */
	_ANSWER_MAX,
};

/* Whether another SA of the protocol has the same SPI. */
enum explore_spi {
	SPI_UNIQUE,
	SPI_SHARED,         /* with another destination, as kernels up to 2025 allow */
	SPI_SHARED_REFUSED, /* ... but this kernel allows it to NEWSA only, not to ALLOCSPI */
};

struct explore_world {
	const char *name;
	struct fake_sa_spec spec;
	bool evict;
	enum explore_answer answer; /* of the NIC, to a promotion */
	enum explore_spi spi;
	enum fake_migrate_state migrate_state; /* how the kernel moves SAs itself */
	bool names_spi;                        /* templates of policies do, as charon's */
};

enum explore_event {
	EVENT_NONE,
	EVENT_DELETE, /* these are the IKE daemon's */
	EVENT_UPDATE,
	EVENT_REKEY,
	EVENT_REKEY_AND_DELETE,
	EVENT_READD,    /* deletes it and makes another one with the same SPI */
	EVENT_ADD_BACK, /* makes another one with the same SPI, if it had deleted it */
	EVENT_EXPIRE,
	EVENT_FLUSH,
	EVENT_SECOND,   /* a second passes */
	EVENT_LATE,     /* so much that larval SAs expire */
	_EVENT_IKE_MAX, /* these want xfrm_cfg_mutex or a socket; those below do not */
	EVENT_LINK_DOWN = _EVENT_IKE_MAX,
	EVENT_PACKETS,
	EVENT_LOOKUP, /* a packet begins to look for its SA, and is held up */
	EVENT_KILL,
	_EVENT_MAX,
};

struct explore_disturbance {
	enum explore_event event;
	uint32_t step; /* at the first step from here on at which it can happen */
};

struct explore_scenario {
	const struct explore_world *world;
	/* Packets at every step, and replayed ones; and the SA is guarded before its move, as the
	 * manager does with several. */
	bool busy;
	struct fake_fault fault;
	struct explore_disturbance first;
	struct explore_disturbance second;
	/* After the daemon was killed, before it is back. */
	enum explore_event before_recovery;
};

/* What is known to be beyond the migrator's construction. */
enum explore_limit {
	LIMIT_NONE,
	LIMIT_LINK_DOWN, /* a NIC that went down took the SA with it: for the link watch */
	/* ALLOCSPI failed, so that the IKE daemon's deletion in the gap is not seen, or the next
	 * daemon takes the absence of the larval SA for its deletion. */
	LIMIT_NO_LARVAL,
	/* The IKE daemon wrote in the instant between the daemon's reading and its deletion, and
	 * the notification or the answers are lost, or the daemon dies: what it wrote is not known
	 * then, nor whose deletion it was. */
	LIMIT_WRITTEN_BEFORE,
	/* The IKE daemon deleted the SA and made another with the same SPI, twice within a move:
	 * the other one is taken for the larval SA, or gets the limits of the old one. */
	LIMIT_SAME_SPI,
	/* The IKE daemon made the SA anew in place of the larval one, and nobody can look. */
	LIMIT_CANNOT_LOOK,
	/* The IKE daemon is asked for an SA, and nothing else is wrong. The daemon stood still for
	 * so long that larval SAs expired, just before it deleted the SA. */
	LIMIT_STOOD_STILL,
	/* ... or the SA stayed where it was, and a lookup that stood at the guard when that was
	 * taken away lost the chain. Elsewhere the new SA is before the guard. */
	LIMIT_STOOD_AT_GUARD,
	/* A packet whose template names the SPI came between the deletion and the larval SA in its
	 * place, and made one itself: the IKE daemon is asked, and nothing else is wrong. */
	LIMIT_SPI_NAMED,
	/* ... and the IKE daemon wrote, or time passed, before that was replaced: its request met
	 * the packet's larval SA and not the SA. */
	LIMIT_WRITTEN_TO_LARVAL,
	/* The IKE daemon deleted the SA, which was away, while the daemon was dead, and a packet
	 * whose template names the SPI made a larval SA in its place. A packet that was faster than
	 * ours leaves the same. */
	LIMIT_DELETED_WHILE_DEAD,
	/* The daemon stood still, or was dead, until the larval SA in the SA's place expired: the
	 * IKE daemon is told and closes its SA, which then has to stay away. */
	LIMIT_LARVAL_EXPIRED,
	/* The kernel refused to delete a larval SA as often as that was tried: it expires. */
	LIMIT_CANNOT_CLEAN_UP,
	/* The daemon was killed and left a larval SA whose SPI was taken. One without an SPI has no
	 * name by which it can be deleted, and nothing that tells whose it is: it expires. */
	LIMIT_NAMELESS,
	/* The kernel put the SA into another NIC, and the daemon was killed after the move and
	 * before that was mended, or nobody could look where the SA is: for the manager. */
	LIMIT_ELSEWHERE,
	LIMIT_NOT_UNDONE,
	_LIMIT_MAX,
};

/* What came of it. */
struct explore_outcome {
	bool first_happened; /* else there is no such step, and no scenario */
	bool second_happened;
	uint32_t first_step; /* at which they did */
	uint32_t second_step;
	bool fault_struck;
	bool killed;
	bool implausible; /* no kernel would do this: not counted */
	enum move_result result;
	unsigned wrong;           /* things that must hold and do not */
	enum explore_limit limit; /* what is wrong is beyond this */
	unsigned acquires;
	unsigned ike_errors;
	unsigned restores; /* calls of migrator_restore() that it took */
	unsigned lost_packets;
};

/* Which scenarios are run; NULL: all. */
struct explore_selection {
	const char *world;  /* a part of explore_world_name() */
	const char *event;  /* pairs of events only, and those whose first is this one */
	const char *second; /* ... and the second this one */
};

/* Kept over all scenarios. */
struct explore {
	struct explore_selection selection;
	struct secret_arena *arena;
	struct rescue *rescue;
	fake_filter filter;   /* a mutation */
	unsigned broken_wait; /* another one: see struct fake_config */
	FILE *report;         /* NULL: quiet */
	bool excused;         /* report what is beyond a known limit too */
	unsigned long scenarios;
	unsigned long wrong;
	unsigned long limits[_LIMIT_MAX];
	unsigned long with_acquire;
	unsigned long with_ike_error;
	unsigned long lost_packets;
	unsigned long results[MOVE_RESULT_LOST + 1];
	unsigned long kills;
	unsigned long limit; /* stop after so many wrong scenarios; 0: never */
};

/* explore-run.c */
void explore_run(struct explore *explore, const struct explore_scenario *scenario,
		 struct explore_outcome *ret_outcome);

/* explore-limits.c */
const char *explore_limit_name(enum explore_limit limit);

/* explore-worlds.c */
extern const struct explore_world *explore_worlds(size_t *ret_n);
#define EXPLORE_WORLD_NAME_SIZE 128
void explore_world_name(const struct explore_world *world, char name[EXPLORE_WORLD_NAME_SIZE]);
const char *explore_event_name(enum explore_event event);
const char *explore_fault_name(enum fake_fault_kind kind);

/* explore-enumerate.c: all scenarios of a world. False: the limit was reached. */
bool explore_world(struct explore *explore, const struct explore_world *world, bool thorough);

/* explore-mutations.c */
struct explore_mutation {
	const char *name;
	fake_filter filter;
	unsigned broken_wait;
	bool pairs; /* it takes two things that go wrong */
};
const struct explore_mutation *explore_mutations(size_t *ret_n);
