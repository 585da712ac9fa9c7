/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Systematic exploration of the whole daemon over the fake kernel. A scenario is one life of a few
 * SAs, from their creation until after the daemon has evacuated them: they get hot, are promoted,
 * and leave the NIC again. An event happens between any two steps of it: the IKE daemon writes, the
 * NIC goes down, the kernel refuses a request, the daemon is killed. Then time passes without
 * faults, and everything that must hold is checked.
 *
 * The scenario has its own clock: nothing waits, and nothing depends on the speed of the machine.
 */
#pragma once

#include "fake-kernel.h"
#include "fake-network.h"
#include "manager/manager.h"
#include "move/rescue.h"

#define LIFE_NIC 3
#define LIFE_SAS_MAX 3
#define LIFE_POLICIES_MAX 5
/* The policies that events make or change. */
#define LIFE_POLICY 1
#define LIFE_POLICY_OF_SOCKET 2
/* net.core.xfrm_acq_expires: the kernel's default, and charon's value. */
#define LIFE_LARVAL_SECONDS 30
#define LIFE_LARVAL_SECONDS_CHARON 165

struct life_world {
	const char *name;
	struct fake_sa_spec sas[LIFE_SAS_MAX];
	size_t n;
	struct fake_sa_spec sibling;                         /* beside the first SA; SPI 0: none */
	struct fake_policy_spec policies[LIFE_POLICIES_MAX]; /* index 0: end of the list */
	bool templates_name_spi;                             /* as charon writes its policies */
	bool typical;                                        /* also runs two events in one life */
	bool quick;  /* for LIFE_QUICK: differs from others only in what one event shows */
	bool always; /* pinned by a rule: promoted when it appears, without a rate */
	enum fake_migrate_state migrate_state;
	const char *driver; /* NULL: netdevsim */
	bool nat;           /* peers move behind a NAT; Linux up to 6.10 */
	bool frees_late;    /* the NIC decrypts for some time after DELSA (mlx5) */
	bool sliced;        /* dumps show one SA at a time, with pauses */
};

enum life_event {
	LIFE_NOTHING,
	/* Events of the IKE daemon, on the first SA. */
	LIFE_DELETE,
	LIFE_UPDATE,
	LIFE_REKEY,
	LIFE_REKEY_AND_DELETE,
	LIFE_EXPIRE,
	LIFE_FLUSH,
	LIFE_MOVE,            /* the peer's address changes: charon's update_sa(), all at once */
	LIFE_MOVE_STEPS,      /* ... it reads, deletes and installs the SA at different steps */
	LIFE_MOVE_SLOWLY,     /* ... with others in between */
	LIFE_OPTIONAL,        /* a new policy lets packets pass unprotected if there is no SA */
	LIFE_OPTIONAL_SOCKET, /* ... of a socket: there is no event */
	LIFE_OPTIONAL_UNSEEN, /* ... and its event is lost, which the daemon knows */
	LIFE_DELETE_AND_DOWN, /* it deletes the SA, then the NIC goes down */
	LIFE_SIBLING,         /* a second SA for another CPU or label is added, without packets */
	_LIFE_IKE_MAX,        /* the events above need xfrm_cfg_mutex; those below do not */
	/* The NIC goes down, and is up again half a second after the link message. */
	LIFE_DOWN = _LIFE_IKE_MAX, /* the SAs are deleted, and the message is queued */
	LIFE_DOWN_LATE,            /* ... the message comes 0.3 s later */
	LIFE_DOWN_FIRST,           /* the message, and 5 ms later the deletion */
	LIFE_DOWN_SLOW,            /* ... 0.2 s later */
	LIFE_FLAP,                 /* down and up, before the daemon reads either */
	LIFE_DOWN_UNSEEN,          /* the messages are lost, which the daemon knows */
	LIFE_DOWN_NO_MEMORY,       /* the kernel has no memory for the first SA to be restored */
	LIFE_GONE,                 /* down, and removed 2 ms later */
	LIFE_GONE_AT_ONCE,         /* ... in one message */
	LIFE_DOWN_AND_LOOKUP,      /* a packet looks up its SA then, and is delayed */
	LIFE_BURST,                /* as many packets as a link can carry in 10 ms */
	LIFE_BURST_AND_DOWN,
	LIFE_LOOKUP,      /* a packet looks up its SA, and is delayed */
	LIFE_PACKET,      /* an inbound packet is inside crypto, and leaves it some steps later */
	LIFE_PACKET_SLOW, /* ... many steps later, or when the daemon waits for it */
	LIFE_OVERRUN,     /* events were lost */
	LIFE_DUMP_FAILS,  /* the next dump, halfway: -EINTR */
	LIFE_DUMPS_FAIL,  /* the next four dumps, at once: -ENOMEM */
	LIFE_OPTIONAL_AND_DUMP_FAILS,
	LIFE_OVERRUN_AND_DUMP_FAILS,
	LIFE_DOWN_AND_DUMP_FAILS,
	LIFE_KILL_AND_DUMP_FAILS,
	LIFE_DISTRUST,      /* the NIC is not trusted any more, for two seconds */
	LIFE_STALL,         /* the daemon is stopped until larval SAs have expired */
	LIFE_KILL,          /* the daemon is killed, and started again 250 ms later */
	LIFE_KILL_LATE,     /* ... after larval SAs have expired */
	LIFE_KILL_AND_DOWN, /* ... with packets at line rate in that time, then the NIC goes down */
	_LIFE_EVENT_MAX,
};

struct life_disturbance {
	enum life_event event;
	unsigned step; /* it happens at the first possible step from this one on */
};

struct life_scenario {
	const struct life_world *world;
	bool busy; /* packets and replayed packets at every step */
	struct fake_fault fault;
	struct life_disturbance first, second;
};

/* What the daemon does not promise (docs/safety.md, "What is not covered"), each counted. */
enum life_limit {
	LIFE_LIMIT_NONE,
	/* The IKE daemon wrote after its SA was lost with its NIC and before it was back. */
	LIFE_LIMIT_WROTE_WHILE_DOWN,
	/* It wrote, and hit the larval SA that a packet had inserted in the place of its SA or of
	 * our larval SA. */
	LIFE_LIMIT_MET_ACQUIRED,
	/* An SA is restored without the change that the IKE daemon made since the last sample. */
	LIFE_LIMIT_UPDATE_LOST,
	/* It copied our offload to new addresses, and the NIC went down before the daemon read the
	 * copy. */
	LIFE_LIMIT_COPY_UNSEEN,
	/* It read the SA in a NIC, and the kernel refused the copy with UDP encapsulation. */
	LIFE_LIMIT_COPY_REFUSED,
	/* It read the SA in the middle of a move: a larval SA, without keys. */
	LIFE_LIMIT_READ_LARVAL,
	/* It installed the SA again with another source between our GETSA and our MIGRATE_STATE. */
	LIFE_LIMIT_MADE_BEFORE_MIGRATE,
	/* A policy that makes the protection optional was installed during a move, or the NIC went
	 * down. */
	LIFE_LIMIT_OPTIONAL_WITHIN,
	/* The daemon was stopped or dead until the larval SA in the SA's place expired. */
	LIFE_LIMIT_LARVAL_EXPIRED,
	/* A second failure, or its death, prevented the daemon from cleaning up. */
	LIFE_LIMIT_TWO_FAULTS,
	_LIFE_LIMIT_MAX,
};

struct life_outcome {
	bool first_happened; /* false: there is no such step, so no scenario */
	bool second_happened;
	bool fault_struck;
	unsigned wrong;
	enum life_limit limit; /* the limit that explains the violations */
	uint64_t promoted, evicted, lost_packets;
	unsigned acquires;
	unsigned ike_errors; /* requests of the IKE daemon that failed */
};

/* The number of failed lives with the same scenario and the same violations. */
struct life_cause {
	char *text;
	char *example; /* for --life */
	unsigned long n;
};

struct life_explorer {
	struct secret_arena *arena;
	struct rescue *rescue;
	struct journal *journal;
	FILE *log; /* not read */
	char ownership_path[64];
	FILE *report;        /* NULL: quiet */
	bool trace;          /* ... and the messages of lives that fail */
	bool tell_all;       /* ... and of those that do not */
	unsigned long limit; /* stop after so many wrong scenarios; 0: never */
	unsigned stride;     /* between the steps that all_events() tries; 1: all */
	unsigned long scenarios, wrong;
	unsigned long limits[_LIFE_LIMIT_MAX];
	unsigned long events[_LIFE_EVENT_MAX], faults;
	unsigned long promoted, evicted, lost_packets, acquires;
	bool count_causes;
	struct life_cause *causes;
	size_t n_causes;
};

/* One running scenario. */
struct life {
	struct life_explorer *explorer;
	const struct life_scenario *scenario;
	struct life_outcome *outcome;
	struct fake_kernel *fake;
	struct fake_network network;
	struct nic nic; /* the only NIC */
	struct manager *manager;
	struct ownership *ownership;
	double now;      /* s, monotonic */
	int64_t seconds; /* the part of `now` that the kernel's clock has advanced */

	struct fake_belief *latest[LIFE_SAS_MAX]; /* the IKE daemon's newest SA of each */
	struct fake_belief *first;                /* the SA that the IKE daemon's events change */
	struct fake_belief *sibling;              /* NULL: none yet */
	uint32_t next_spi;

	struct link_message *messages;
	size_t n_messages;
	bool link_up;     /* according to the last message to the daemon */
	bool nic_gone;    /* for good */
	bool nic_removed; /* ... according to a message to the daemon */
	bool trusted;     /* the NIC */
	double waited_at; /* when lookups will have finished; 0: not waited for */

	/* After a kill: the state that outlives the daemon. */
	bool killed;
	double back_at;
	int rescued;       /* the result of rescue_load() */
	unsigned nameless; /* larval SAs that no rescue slot mentioned then */
	struct sa_image image;
	struct sa_offload target;
	char *ownership_text;
	size_t ownership_size;

	bool is_over; /* the story */

	/* For life-judge.c. */
	enum life_moving {
		LIFE_MOVING_NOT,
		LIFE_MOVING_READ,
		LIFE_MOVING_DELETED,
	} moving;                          /* the IKE daemon's progress in update_sa() */
	unsigned moving_pace, moving_wait; /* steps between two of these stages */
	bool has_moved, read_larval, read_in_nic, optional, optional_within;
	bool was_killed, was_down, wrote_while_down, met_acquired, stalled;
	bool was_updated, unknown_life, sibling_moved, stayed_behind;
	bool within_is_over;   /* the move in which a policy became optional has ended */
	unsigned clear_within; /* packets that left in clear text during that move */
	bool was_inexact;      /* the daemon was killed before it had the notification */
	unsigned packet_wait;  /* steps until the packet leaves crypto */
	double away_since;     /* since then not all SAs exist; 0: all exist */
	double away_longest;
	unsigned dumps;
	/* Inbound: the last accepted number at the last step, when the last dump began, and when
	 * the last one began that the daemon has read. */
	uint64_t accepted[LIFE_SAS_MAX], at_dump[LIFE_SAS_MAX], dumped[LIFE_SAS_MAX];
	FILE *text; /* violations are written here; NULL: not */
};

/* life-daemon.c */
void life_start(struct life *life);
void life_stop(struct life *life);
void life_pass(struct life *life, double seconds);        /* the daemon does the due work */
void life_stand_still(struct life *life, double seconds); /* the daemon does nothing */
double life_larval_seconds(const struct life *life); /* longer than the lifetime of larval SAs */
void life_link(struct life *life, double in_seconds, bool up);
void life_flush(struct life *life, double in_seconds);
void life_remove_nic(struct life *life, double in_seconds); /* after the flush */
void life_trust(struct life *life, double in_seconds, bool trusted);
void life_resync(struct life *life, double in_seconds);
/* After the pending messages are read, the kernel has no memory for the daemon's next request. */
void life_refuse_next(struct life *life);
void life_kill(struct life *life, double dead_seconds);

/* Packets that were accepted since the last dump may be accepted again (docs/safety.md). */
void life_lose_window(struct life *life);

/* life-events.c */
void life_go_on_moving(struct life *life);
void life_go_on_in_crypto(struct life *life);
bool life_can_happen(const struct life *life, enum life_event event, enum fake_moment moment);
void life_happen(struct life *life, enum life_event event);
void life_traffic(struct life *life, unsigned packets);
const char *life_event_name(enum life_event event);

/* life-judge.c */
/* Called when moves are over, before time passes. */
void life_judge_moves(struct life *life);
void life_judge(struct life *life, size_t arena_in_use);
/* How many seconds SAs that were lost with their NIC may be absent. */
double life_allowed_away(const struct life_scenario *scenario);
_printf_(2, 3) void life_complain(struct life *life, const char *format, ...);
const char *life_limit_name(enum life_limit limit);

/* life.c */
void life_run(struct life_explorer *explorer, const struct life_scenario *scenario,
	      struct life_outcome *ret_outcome);

/* life-causes.c */
void life_describe(FILE *report, const struct life_scenario *scenario);
/* Lives whose reports differ only in numbers count as one cause. */
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
	LIFE_PAIRS, /* only pairs, in any world */
};
/* False when the limit was reached. */
bool life_explore(struct life_explorer *explorer, const struct life_world *world,
		  enum life_thoroughness thoroughness);
