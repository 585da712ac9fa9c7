/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NICs as the policy sees them: which may hold SAs, of what capacity, and for which of them an SA
 * competes. It changes the tables of the policy and the candidate of an SA, and nothing else.
 */
#pragma once

#include "base/clock.h"
#include "config.h"
#include "network/network.h"
#include "placement/orders.h"
#include "placement/refusals.h"
#include "placement/trust.h"
#include "policy.h"
#include "sa/peer-moves.h"
#include "sa/table.h"

/* Bytes/s, and SAs that carry something. */
struct nic_load {
	uint32_t competing_in, competing_out; /* SAs that leave by it */
	double rate_in, rate_out;             /* of these */
	double carried;                       /* of the SAs that it holds */
};

struct placement_nic {
	int ifindex;
	char name[IFNAMSIZ];
	enum candidacy candidacy;        /* CANDIDACY_OK: usable */
	const struct config_nic *config; /* the entry that matches, NULL: none */
	bool vacate; /* it may hold no keys (any more): SAs leave it even while paused */
	bool shared;
	policy_table in, out;               /* the same where slots are shared; POLICY_NONE: none */
	uint32_t capacity_in, capacity_out; /* configured or by driver; of both in `in` if shared */
	uint32_t used_in, used_out;         /* all SAs that it holds */
	uint32_t foreign_in, foreign_out;   /* of these, somebody else's */
	double foreign_reported_at;         /* s, monotonic; 0: not */
	struct nic_load load;
	struct nic_load gathered; /* placement/load.h */
	struct trust trust;
	uint32_t speed;  /* Mbit/s, as last known; 0: unknown */
	bool frees_late; /* as struct nic_driver */
	double left_at;  /* s, monotonic; when an SA last left it, or it was first seen */
};

struct nics;

/* Nothing of it is owned. */
struct nics_parameters {
	const struct clock *clock;
	const struct orders *orders;
	const struct peer_moves *peer_moves;
	const char *kernel_release; /* of uname(2) */
	bool fips;
};

int nics_new(const struct nics_parameters *parameters, struct nics **ret_nics);
struct nics *nics_free(struct nics *nics); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct nics *, nics_free);

/* All three are set before anything else is called, and are not owned. */
void nics_set_network(struct nics *nics, struct network *network);
/* Also forgets what was refused: a reload is the way to say "try again". */
void nics_set_config(struct nics *nics, const struct config *config);
/* The tables that were in the one before are forgotten. */
void nics_set_policy(struct nics *nics, struct policy *policy);

size_t nics_count(const struct nics *nics);
/* An entry stays at its address until the next nics_update(). */
struct placement_nic *nics_at(struct nics *nics, size_t i);
struct placement_nic *nics_get(struct nics *nics, int ifindex);             /* NULL: none */
struct placement_nic *nics_of_table(struct nics *nics, policy_table table); /* NULL: none */
struct refusals *nics_refusals(struct nics *nics);

/* Takes what the network has now, counts the SAs that NICs hold, and sets up the tables. */
void nics_update(struct nics *nics, const struct sa_table *sas);
/* Trust comes back with time, and what was refused long enough ago competes again. Whether
 * something did. */
bool nics_expire(struct nics *nics);
/* Whether this change of a device can change a table, or what an SA competes for. */
bool nics_change_matters(struct nics *nics, const struct nic *before, const struct nic *after);

/* Finds the NIC that the SA competes for (candidate, candidacy), and its table or POLICY_NONE. */
void nics_resolve(struct nics *nics, struct sa *sa, policy_table *ret_table);
/* Devices that SAs left by do not matter any more: all SAs are going to be resolved. */
void nics_forget_routes(struct nics *nics);
/* The table of the NIC that holds it, when we put it there; else POLICY_NONE. */
policy_table nics_table_of_residence(struct nics *nics, const struct sa *sa);
/* HANDS_OFF_DRIVER, with the reason for people, when the driver of the NIC that it competes for
 * would accept it and handle it wrongly. */
enum hands_off nics_check_driver(struct nics *nics, const struct sa *sa, const char **ret_reason);
