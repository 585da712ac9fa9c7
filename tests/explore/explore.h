/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Systematic exploration of the migrator over the fake kernel: a scenario is a world (an SA, a NIC
 * and a kernel) with faults and events: a fault of the kernel, writes of the IKE daemon and other
 * events between any two steps, the daemon's death at any step. Every scenario is run, and
 * everything that must hold is checked after it.
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
	SPI_SHARED,         /* with another destination; kernels up to 2025 allow that */
	SPI_SHARED_REFUSED, /* ... but this kernel allows it only for NEWSA, not for ALLOCSPI */
};

struct explore_world {
	const char *name;
	struct fake_sa_spec spec;
	bool evict;
	enum explore_answer answer; /* of the NIC, to a promotion */
	enum explore_spi spi;
	enum fake_migrate_state migrate_state; /* how the kernel moves SAs itself */
	bool names_spi; /* the templates of policies name the SPI, as charon's do */
};

enum explore_event {
	EVENT_NONE,
	EVENT_DELETE, /* events of the IKE daemon begin here */
	EVENT_UPDATE,
	EVENT_REKEY,
	EVENT_REKEY_AND_DELETE,
	EVENT_READD,    /* deletes it and makes another one with the same SPI */
	EVENT_ADD_BACK, /* makes another one with the same SPI, if it had deleted it */
	EVENT_EXPIRE,
	EVENT_FLUSH,
	EVENT_SECOND,   /* a second passes */
	EVENT_LATE,     /* so many seconds that larval SAs expire */
	_EVENT_IKE_MAX, /* the events above need xfrm_cfg_mutex or a socket; those below do not */
	EVENT_LINK_DOWN = _EVENT_IKE_MAX,
	EVENT_PACKETS,
	EVENT_LOOKUP, /* a packet begins to look up its SA, and is delayed */
	EVENT_KILL,
	_EVENT_MAX,
};

struct explore_disturbance {
	enum explore_event event;
	uint32_t step; /* it happens at the first possible step from this one on */
};

struct explore_scenario {
	const struct explore_world *world;
	/* Packets and replayed packets at every step. The SA is guarded before its move, as the
	 * manager guards several. */
	bool busy;
	struct fake_fault fault;
	struct explore_disturbance first;
	struct explore_disturbance second;
	/* After the daemon was killed, before it is started again. */
	enum explore_event before_recovery;
};

/* The known limits of the migrator. */
enum explore_limit {
	LIMIT_NONE,
	LIMIT_LINK_DOWN, /* the SA was lost with its NIC: the link watch handles that */
	/* ALLOCSPI failed. So the IKE daemon's deletion in the gap is not noticed, or the next
	 * daemon takes the missing larval SA as a sign of such a deletion. */
	LIMIT_NO_LARVAL,
	/* The IKE daemon changed the SA between the daemon's GETSA and its DELSA, and the
	 * notification or the answers are lost, or the daemon dies. Then the daemon knows neither
	 * the change nor who deleted the SA. */
	LIMIT_WRITTEN_BEFORE,
	/* The IKE daemon deleted the SA and made another with the same SPI, twice within a move:
	 * the new SA is taken for the larval SA, or gets the limits of the old one. */
	LIMIT_SAME_SPI,
	/* The IKE daemon installed the SA again in place of the larval one, and the SA cannot be
	 * read. */
	LIMIT_CANNOT_LOOK,
	/* An ACQUIRE is sent, and nothing else is wrong. The daemon was stopped until larval SAs
	 * expired, just before it deleted the SA. */
	LIMIT_STOOD_STILL,
	/* ... or the SA stayed where it was, and a lookup was at the guard when the guard was
	 * deleted, so it lost the chain. In all other cases the new SA is before the guard. */
	LIMIT_STOOD_AT_GUARD,
	/* A packet whose template names the SPI came between the deletion and the larval SA in its
	 * place, and inserted a larval SA itself: an ACQUIRE is sent, and nothing else is wrong. */
	LIMIT_SPI_NAMED,
	/* ... and the IKE daemon wrote, or time passed, before the packet's larval SA was replaced:
	 * the request hit that larval SA and not the SA. */
	LIMIT_WRITTEN_TO_LARVAL,
	/* While the daemon was dead and the SA absent, the IKE daemon deleted the SA, and a packet
	 * whose template names the SPI inserted a larval SA in its place. The state is the same as
	 * when the packet's larval SA was inserted before ours. */
	LIMIT_DELETED_WHILE_DEAD,
	/* The daemon was stopped or dead until the larval SA in the SA's place expired: the kernel
	 * notifies the IKE daemon, which closes its SA. Then the SA must not come back. */
	LIMIT_LARVAL_EXPIRED,
	/* The kernel refused each attempt to delete a larval SA: it expires. */
	LIMIT_CANNOT_CLEAN_UP,
	/* The daemon was killed and left a larval SA whose SPI another one had taken. A larval SA
	 * without an SPI cannot be named in a DELSA, and nothing shows which program made it: it
	 * expires. */
	LIMIT_NAMELESS,
	/* The kernel put the SA into another NIC, and the daemon was killed after the move and
	 * before the correction, or the SA could not be read: the manager handles that. */
	LIMIT_ELSEWHERE,
	LIMIT_NOT_UNDONE,
	_LIMIT_MAX,
};

/* The outcome of a scenario. */
struct explore_outcome {
	bool first_happened; /* false: there is no such step, so no scenario */
	bool second_happened;
	uint32_t first_step; /* the step at which they happened */
	uint32_t second_step;
	bool fault_struck;
	bool killed;
	bool implausible; /* no kernel has this fault: not counted */
	enum move_result result;
	unsigned wrong;           /* violations */
	enum explore_limit limit; /* the limit that explains the violations */
	unsigned acquires;
	unsigned ike_errors;
	unsigned restores; /* needed calls of migrator_restore() */
	unsigned lost_packets;
};

/* Which scenarios are run; NULL: all. */
struct explore_selection {
	const char *world;  /* substring of explore_world_name() */
	const char *event;  /* only pairs of events whose first is this one */
	const char *second; /* ... and whose second is this one */
};

/* Kept over all scenarios. */
struct explore {
	struct explore_selection selection;
	struct secret_arena *arena;
	struct rescue *rescue;
	fake_filter filter;   /* a mutation */
	unsigned broken_wait; /* another mutation: see struct fake_config */
	FILE *report;         /* NULL: quiet */
	bool excused;         /* also report scenarios beyond a known limit */
	unsigned long scenarios;
	unsigned long wrong;
	unsigned long limits[_LIMIT_MAX];
	unsigned long with_acquire;
	unsigned long with_ike_error;
	unsigned long lost_packets;
	unsigned long results[MOVE_RESULT_LOST + 1];
	unsigned long kills;
	unsigned long limit; /* stop after so many wrong scenarios; 0: never */
	unsigned stride;     /* between the steps that are tried; 1: all */
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
	bool pairs; /* only scenarios with two faults can notice it */
};
const struct explore_mutation *explore_mutations(size_t *ret_n);
