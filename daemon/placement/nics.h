/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NICs as tables of the policy: which NICs may hold SAs, their capacity, and which NIC an SA
 * competes for. This component changes the tables of the policy and the candidate of SAs, and
 * nothing else.
 */
#pragma once

#include "base/clock.h"
#include "config.h"
#include "network/drivers.h"
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

/* Moves into and out of a NIC, and refusals of its driver, since it was added. */
struct nic_moves {
	uint64_t promoted[_POLICY_REASON_MAX], evicted[_POLICY_REASON_MAX];
	uint64_t refused[_REFUSAL_CAUSE_MAX];
};

struct placement_nic {
	int ifindex;
	char name[IFNAMSIZ];
	enum candidacy candidacy;        /* CANDIDACY_OK: usable */
	const struct config_nic *config; /* the entry that matches, NULL: none */
	bool vacate; /* it must not hold keys: SAs leave it even during a pause */
	bool shared;
	policy_table in, out;               /* equal if slots are shared; POLICY_NONE: none */
	uint32_t capacity_in, capacity_out; /* configured or by driver; if shared, in capacity_in */
	uint32_t used_in, used_out;         /* number of SAs in it */
	uint32_t foreign_in, foreign_out;   /* of these, offloaded by other programs */
	double foreign_reported_at;         /* s, monotonic; 0: never */
	struct nic_load load;
	struct nic_load gathered; /* placement/load.h */
	struct nic_moves moves;
	struct trust trust;
	uint32_t speed;                  /* Mbit/s, as last known; 0: unknown */
	const struct nic_driver *driver; /* of a bond, that of the active slave; NULL: unknown */
	double left_at;    /* s, monotonic; when an SA last left it, at first when it was added */
	double evicted_at; /* s, monotonic; when the daemon last took one out, -INFINITY: never */
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

/* These three must be set before other functions are called. They are not owned. */
void nics_set_network(struct nics *nics, struct network *network);
/* Also clears the refusals: after a reload, refused SAs are tried again. */
void nics_set_config(struct nics *nics, const struct config *config);
/* Forgets the tables of the old policy. */
void nics_set_policy(struct nics *nics, struct policy *policy);

size_t nics_count(const struct nics *nics);
/* `i` < nics_count(). Pointers to entries are valid until the next nics_update(). */
struct placement_nic *nics_at(struct nics *nics, size_t i);
struct placement_nic *nics_get(struct nics *nics, int ifindex);             /* NULL: none */
struct placement_nic *nics_of_table(struct nics *nics, policy_table table); /* NULL: none */
struct refusals *nics_refusals(struct nics *nics);
/* Whether the candidate of the SA is a NIC that refused its shape, and that is not offered it now.
 * `ret_text` as of refusals_hold(). */
bool nics_have_refused(const struct nics *nics, const struct sa *sa, const char **ret_text);

/* Reads the devices of the network, counts the SAs in NICs, and configures the tables. */
void nics_update(struct nics *nics, const struct sa_table *sas);
/* Ends lost trust and refusals whose time is over. Returns whether there were any. */
bool nics_expire(struct nics *nics);
/* Whether this change of a device can affect a table or the candidate of an SA. `before` NULL: new;
 * `after` NULL: gone. */
bool nics_change_matters(struct nics *nics, const struct nic *before, const struct nic *after);

/* Sets the NIC that the SA competes for and the reason (sa->candidate), and returns its table or
 * POLICY_NONE. */
void nics_resolve(struct nics *nics, struct sa *sa, policy_table *ret_table);
/* Instead: the SA is idle, and competes for no NIC. */
void nics_leave_idle(struct sa *sa);
/* Forgets the egress devices of SAs. The caller resolves all SAs again. */
void nics_forget_routes(struct nics *nics);
/* The table of the NIC that holds the SA, or POLICY_NONE if it is foreign or in software. */
policy_table nics_table_of_residence(struct nics *nics, const struct sa *sa);
/* HANDS_OFF_DRIVER and a static text, if the driver of the NIC that the SA competes for would
 * accept it and handle it wrongly. Otherwise HANDS_OFF_NONE. */
enum hands_off nics_check_driver(struct nics *nics, const struct sa *sa, const char **ret_reason);
