/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Systematic exploration of the whole daemon over the fake kernel. A scenario is one life of a few
 * SAs, from their birth until after the daemon has evacuated them: they get hot, are promoted, and
 * leave the NIC again. Between any two steps of it something happens: the IKE daemon writes, the
 * NIC goes down, the kernel refuses, the daemon is killed. Then time passes, without faults, and
 * everything that must hold is checked.
 *
 * The clock is the scenario's own: nothing waits and nothing depends on the speed of the machine.
 */
#pragma once

#include "fake-kernel.h"
#include "fake-network.h"
#include "manager/manager.h"
#include "move/rescue.h"

#define LIFE_NIC 3
#define LIFE_SAS_MAX 3
#define LIFE_POLICIES_MAX 5
/* Which the events make or change. */
#define LIFE_POLICY 1
#define LIFE_POLICY_OF_SOCKET 2
/* net.core.xfrm_acq_expires: as the kernel has it, and as charon sets it. */
#define LIFE_LARVAL_SECONDS 30
#define LIFE_LARVAL_SECONDS_CHARON 165

struct life_world {
	const char *name;
	struct fake_sa_spec sas[LIFE_SAS_MAX];
	size_t n;
	struct fake_sa_spec sibling;                         /* of the first; SPI 0: none */
	struct fake_policy_spec policies[LIFE_POLICIES_MAX]; /* index 0: no more of them */
	bool templates_name_spi;                             /* as charon writes its policies */
	bool typical;                                        /* two events in one life */
	bool quick;  /* like others, but for what one event shows: LIFE_QUICK */
	bool always; /* pinned by a rule: promoted at birth, without a rate */
	enum fake_migrate_state migrate_state;
	const char *driver; /* NULL: netdevsim */
	bool nat;           /* peers move behind one; Linux up to 6.10 */
	bool frees_late;    /* the NIC, which decrypts for a while after DELSA (mlx5) */
};

enum life_event {
	LIFE_NOTHING,
	/* The IKE daemon's, on the first SA. */
	LIFE_DELETE,
	LIFE_UPDATE,
	LIFE_REKEY,
	LIFE_REKEY_AND_DELETE,
	LIFE_EXPIRE,
	LIFE_FLUSH,
	LIFE_MOVE,            /* the peer's address changes: charon's update_sa(), all at once */
	LIFE_MOVE_STEPS,      /* ... it reads, deletes and makes the SA at different steps */
	LIFE_MOVE_SLOWLY,     /* ... with others in between */
	LIFE_OPTIONAL,        /* a policy comes that lets packets pass unprotected without an SA */
	LIFE_OPTIONAL_SOCKET, /* ... of a socket, of which nobody is told */
	LIFE_OPTIONAL_UNSEEN, /* ... and its event is lost, which is known */
	LIFE_DELETE_AND_DOWN, /* it deletes the SA, then the NIC goes down */
	LIFE_SIBLING,         /* an SA comes beside it, for another CPU or label, without packets */
	_LIFE_IKE_MAX,        /* these want xfrm_cfg_mutex; those below do not */
	/* The NIC goes down, and is up again half a second after the daemon was told. */
	LIFE_DOWN = _LIFE_IKE_MAX, /* the SAs are deleted, and the message waits */
	LIFE_DOWN_LATE,            /* ... the message comes 0.3 s later */
	LIFE_DOWN_FIRST,           /* the message, and 5 ms later the deletion */
	LIFE_DOWN_SLOW,            /* ... 0.2 s later */
	LIFE_FLAP,                 /* down and up, before the daemon reads either */
	LIFE_DOWN_UNSEEN,          /* the messages are lost, and that is known */
	LIFE_DOWN_NO_MEMORY,       /* the kernel has no memory for the first to be restored */
	LIFE_GONE,                 /* down, and 2 ms later there is no NIC any more */
	LIFE_GONE_AT_ONCE,         /* ... of which one message tells */
	LIFE_DOWN_AND_LOOKUP,      /* a packet looks for its SA then, and is held up */
	LIFE_BURST,                /* as many packets as a link can carry in 10 ms */
	LIFE_BURST_AND_DOWN,
	LIFE_LOOKUP,      /* a packet looks for its SA, and is held up */
	LIFE_PACKET,      /* an inbound packet is inside crypto, and comes out some steps later */
	LIFE_PACKET_SLOW, /* ... many steps later, or when the daemon waits for it */
	LIFE_OVERRUN,     /* events were lost */
	LIFE_DUMP_FAILS,  /* the next, halfway: -EINTR */
	LIFE_DUMPS_FAIL,  /* the next four, at once: -ENOMEM */
	LIFE_OPTIONAL_AND_DUMP_FAILS,
	LIFE_OVERRUN_AND_DUMP_FAILS,
	LIFE_DOWN_AND_DUMP_FAILS,
	LIFE_KILL_AND_DUMP_FAILS,
	LIFE_DISTRUST,      /* the NIC is not trusted any more, for two seconds */
	LIFE_STALL,         /* the daemon stands still until larval SAs have expired */
	LIFE_KILL,          /* the daemon is killed, and started again 250 ms later */
	LIFE_KILL_LATE,     /* ... after larval SAs have expired */
	LIFE_KILL_AND_DOWN, /* ... packets at line rate meanwhile, then the NIC goes down */
	_LIFE_EVENT_MAX,
};

struct life_disturbance {
	enum life_event event;
	unsigned step; /* at the first step from here on at which it can happen */
};

struct life_scenario {
	const struct life_world *world;
	bool busy; /* packets at every step, and replayed ones */
	struct fake_fault fault;
	struct life_disturbance first, second;
};

/* What the daemon does not promise (docs/safety.md, "What is not covered"), each counted. */
enum life_limit {
	LIFE_LIMIT_NONE,
	/* The IKE daemon wrote while its SA was down with its NIC and not yet back. */
	LIFE_LIMIT_WROTE_WHILE_DOWN,
	/* It wrote, and met the larval SA that a packet had inserted in the place of its SA or of
	 * our larval SA. */
	LIFE_LIMIT_MET_ACQUIRED,
	/* What it changed since the last sample is not what an SA is restored with. */
	LIFE_LIMIT_UPDATE_LOST,
	/* It copied our offload to new addresses, and the NIC went down before that was seen. */
	LIFE_LIMIT_COPY_UNSEEN,
	/* It read the SA in a NIC, and the kernel refused the copy with UDP encapsulation. */
	LIFE_LIMIT_COPY_REFUSED,
	/* It read the SA in the middle of a move: a larval SA, without keys. */
	LIFE_LIMIT_READ_LARVAL,
	/* It made the SA anew with another source between our reading and our MIGRATE_STATE. */
	LIFE_LIMIT_MADE_BEFORE_MIGRATE,
	/* A policy that makes the protection optional came within a move, or the NIC went down. */
	LIFE_LIMIT_OPTIONAL_WITHIN,
	/* The daemon stood still, or was dead, until the larval SA in the SA's place expired. */
	LIFE_LIMIT_LARVAL_EXPIRED,
	/* A second failure, or its death, kept the daemon from cleaning up. */
	LIFE_LIMIT_TWO_FAULTS,
	_LIFE_LIMIT_MAX,
};

struct life_outcome {
	bool first_happened; /* else there is no such step, and no scenario */
	bool second_happened;
	bool fault_struck;
	unsigned wrong;
	enum life_limit limit; /* what is wrong is beyond this */
	uint64_t promoted, evicted, lost_packets;
	unsigned acquires;
	unsigned ike_errors; /* requests of the IKE daemon that failed */
};

/* How many lives went wrong by what was done to them and by what was wrong. */
struct life_cause {
	char *text;
	char *example; /* for --life */
	unsigned long n;
};

struct life_explorer {
	struct secret_arena *arena;
	struct rescue *rescue;
	struct journal *journal;
	FILE *log; /* which nobody reads */
	char ownership_path[64];
	FILE *report;        /* NULL: quiet */
	bool trace;          /* ... and the messages of lives that go wrong */
	bool tell_all;       /* ... and those that do not */
	unsigned long limit; /* stop after so many wrong scenarios; 0: never */
	unsigned long scenarios, wrong;
	unsigned long limits[_LIFE_LIMIT_MAX];
	unsigned long events[_LIFE_EVENT_MAX], faults;
	unsigned long promoted, evicted, lost_packets, acquires;
	bool count_causes;
	struct life_cause *causes;
	size_t n_causes;
};

/* One scenario under way. */
struct life {
	struct life_explorer *explorer;
	const struct life_scenario *scenario;
	struct life_outcome *outcome;
	struct fake_kernel *fake;
	struct fake_network network;
	struct nic nic; /* its only one */
	struct manager *manager;
	struct ownership *ownership;
	double now;      /* s, monotonic */
	int64_t seconds; /* of it that the kernel's clock knows */

	struct fake_belief *latest[LIFE_SAS_MAX]; /* the IKE daemon's newest of each */
	struct fake_belief *first;                /* what its writes are about */
	struct fake_belief *sibling;              /* NULL: none yet */
	uint32_t next_spi;

	struct link_message *messages;
	size_t n_messages;
	bool link_up;     /* as the daemon was told last */
	bool nic_gone;    /* for good */
	bool nic_removed; /* ... as the daemon was told */
	bool trusted;     /* the NIC */

	/* After a kill, what outlives the daemon. */
	bool killed;
	double back_at;
	int rescued;       /* what rescue_load() said */
	unsigned nameless; /* larval SAs that no rescue slot told of then */
	struct sa_image image;
	struct sa_offload target;
	char *ownership_text;
	size_t ownership_size;

	bool is_over; /* the story */

	/* For the judge. */
	enum life_moving {
		LIFE_MOVING_NOT,
		LIFE_MOVING_READ,
		LIFE_MOVING_DELETED,
	} moving;                          /* how far the IKE daemon is with update_sa() */
	unsigned moving_pace, moving_wait; /* steps from one to the next of those */
	bool has_moved, read_larval, read_in_nic, optional, optional_within;
	bool was_killed, was_down, wrote_while_down, met_acquired, stalled;
	bool was_updated, unknown_life, sibling_moved, stayed_behind;
	bool within_is_over;   /* the move in which a policy made the protection optional */
	unsigned clear_within; /* packets that left in clear text until then */
	bool was_inexact;      /* killed before it had the notification */
	unsigned packet_wait;  /* steps until the packet inside crypto comes out */
	double away_since;     /* not all are there; 0: they are */
	double away_longest;
	unsigned dumps;
	/* Inbound: the last number accepted as of the last step, and of the last dump. */
	uint64_t accepted[LIFE_SAS_MAX], dumped[LIFE_SAS_MAX];
	FILE *text; /* what is wrong is told; NULL: not */
};

/* life-daemon.c */
void life_start(struct life *life);
void life_stop(struct life *life);
void life_pass(struct life *life, double seconds);        /* the daemon does what is due */
void life_stand_still(struct life *life, double seconds); /* it does not */
double life_larval_seconds(const struct life *life);      /* and some more */
void life_link(struct life *life, double in_seconds, bool up);
void life_flush(struct life *life, double in_seconds);
void life_remove_nic(struct life *life, double in_seconds); /* after the flush */
void life_trust(struct life *life, double in_seconds, bool trusted);
void life_resync(struct life *life, double in_seconds);
/* The kernel has no memory for what the daemon sends next, when what was told so far is read. */
void life_refuse_next(struct life *life);
void life_kill(struct life *life, double dead_seconds);

/* What was accepted since the last dump may be accepted again (docs/safety.md). */
void life_lose_window(struct life *life);

/* life-events.c */
void life_go_on_moving(struct life *life);
void life_go_on_in_crypto(struct life *life);
bool life_can_happen(const struct life *life, enum life_event event, enum fake_moment moment);
void life_happen(struct life *life, enum life_event event);
void life_traffic(struct life *life, unsigned packets);
const char *life_event_name(enum life_event event);

/* life-judge.c */
/* When moves are over, before time passes. */
void life_judge_moves(struct life *life);
void life_judge(struct life *life, size_t arena_in_use);
/* For how many seconds SAs may be away that went down with their NIC. */
double life_allowed_away(const struct life_scenario *scenario);
_printf_(2, 3) void life_complain(struct life *life, const char *format, ...);
const char *life_limit_name(enum life_limit limit);

/* life.c */
void life_run(struct life_explorer *explorer, const struct life_scenario *scenario,
	      struct life_outcome *ret_outcome);

/* life-causes.c */
void life_describe(FILE *report, const struct life_scenario *scenario);
/* Numbers in what was told of the life do not count. */
void life_causes_add(struct life_explorer *explorer, const struct life_scenario *scenario,
		     const char *told);
void life_causes_print(const struct life_explorer *explorer);
void life_causes_free(struct life_explorer *explorer);

/* life-worlds.c */
const struct life_world *life_worlds(size_t *ret_n);

/* life-enumerate.c */
enum life_thoroughness {
	LIFE_QUICK, /* one event, in busy lives */
	LIFE_USUAL, /* one event or fault */
	LIFE_ALL,   /* in typical worlds also two, the second soon after the first */
	LIFE_PAIRS, /* only these, in any world */
};
/* False when the limit was reached. */
bool life_explore(struct life_explorer *explorer, const struct life_world *world,
		  enum life_thoroughness thoroughness);
