/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replies of the daemon as plain values. The strings belong to the JSON document from which a view
 * was read, so a view must not outlive it. Rates are in bytes/s, NaN if unknown; times are in
 * seconds.
 */
#pragma once

#include "control-interface.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where an SA is, as shown: placement and state in one word. */
enum sa_place {
	SA_PLACE_NIC,
	SA_PLACE_MOVING,
	SA_PLACE_SOFTWARE,
	SA_PLACE_REFUSED,
	SA_PLACE_FOREIGN,
	SA_PLACE_HANDS_OFF,
	_SA_PLACE_MAX,
};

struct sa_view {
	const char *spi;
	const char *src;
	const char *dst;
	const char *direction;
	const char *protocol;
	const char *mode;
	const char *mark;
	const char *nic;       /* NULL: in software */
	const char *candidate; /* the NIC by which it leaves, or NULL */
	const char *placement;
	const char *state;
	const char *reason;
	const char *text;
	const char *rule;
	const char *connection; /* of the IKE daemon, or NULL */
	enum sa_place place;
	int64_t reqid;
	int64_t if_id;
	int64_t rank; /* 0: none */
	int64_t bytes;
	int64_t packets;
	double in_place; /* s since it came there */
	double rate;
	double history[CONTROL_HISTORY_SAMPLES]; /* oldest first, NaN: not sampled */
	size_t n_history;
};

/* Slots; -1: unknown. */
struct capacity_view {
	bool shared;
	int64_t in;
	int64_t out;
	int64_t total;
};

struct nic_view {
	const char *name;
	const char *driver; /* or NULL */
	const char *reason; /* or NULL */
	bool up;
	bool esp_offload;
	bool allowed;
	bool trusted;
	const char *file; /* of the line, or NULL */
	int64_t line;     /* 0: no entry of the configuration matches */
	struct capacity_view capacity;
	struct capacity_view used;
	struct capacity_view foreign;
	double rate;
};

/* Of several SAs. */
struct sums_view {
	int64_t peers;
	int64_t sas;
	int64_t offloaded;
	double rate;
	double offloaded_rate;
};

#define PEER_NICS_MAX 8

struct peer_view {
	const char *peer;
	struct sums_view sums;
	const char *nics[PEER_NICS_MAX];
	size_t n_nics;
};

struct action_view {
	double seconds_ago;
	const char *action;
	const char *spi;
	const char *src;
	const char *dst;
	const char *direction;
	const char *nic; /* or NULL */
	const char *reason;
	const char *text;
};

struct order_view {
	const char *kind; /* "pin", "ban" */
	const char *peer; /* NULL: of an SA */
	const char *spi;
	const char *src;
	const char *dst;
	double seconds_left; /* NaN: no end */
	bool persist;
};

/* Of the configuration in force. */
struct trial_view {
	int64_t until; /* s since 1970 */
	double seconds_left;
};

#define STATUS_NICS_MAX 64
#define STATUS_ORDERS_MAX 128

struct cpu_cost_view {
	const char *algorithm;
	const char *operation;
	int64_t key_bits;
	double ns_per_byte; /* NAN: not known */
	double ns_per_packet;
	const char *reason; /* why not; NULL: not measured yet */
};

#define RANKING_COSTS_MAX 64
struct ranking_view {
	bool by_cpu;        /* configured */
	bool in_force;      /* the same */
	const char *reason; /* why it is not in force, or NULL */
	struct cpu_cost_view costs[RANKING_COSTS_MAX];
	size_t n_costs;
};

struct status_view {
	const char *version;
	const char *mode;
	const char *degraded; /* why, or NULL */
	const char *mechanism;
	const char *configuration; /* or NULL */
	size_t n_files;            /* of the configuration */
	bool on_trial;
	struct trial_view trial;
	struct ranking_view ranking;
	bool paused;
	bool fips;
	const char *evacuated[STATUS_NICS_MAX];
	size_t n_evacuated;
	struct order_view orders[STATUS_ORDERS_MAX];
	size_t n_orders;
	double interval;      /* s */
	double dump_interval; /* s between two readings of all SAs */
	double uptime;
	int64_t sas;
	int64_t offloaded;
	double rate;
	double offloaded_rate;
	int64_t promoted;
	int64_t evicted;
	int64_t refused;
	int64_t failed;
	int64_t resyncs;
	int64_t overruns;
	bool has_action;
	struct action_view action;
	struct nic_view nics[STATUS_NICS_MAX];
	size_t n_nics; /* in `nics` */
	size_t n_nics_total;
};

/* The value of a member, or `fallback` if it is absent, null or of another type. */
const char *json_text_or(const json_t *object, const char *key, const char *fallback);
int64_t json_whole_or(const json_t *object, const char *key, int64_t fallback);

/* Return 0, or -EBADMSG if the reply does not follow the interface. sa_views_read(): also -ENOMEM;
 * the caller frees the array. */
int sa_view_read(const json_t *object, struct sa_view *ret_view);
int sa_views_read(const json_t *reply, struct sa_view **ret_views, size_t *ret_n_views);
/* Of a reply of ListPeers: the same. The sums of all peers, and of those that are not shown. */
int peer_views_read(const json_t *reply, struct peer_view **ret_views, size_t *ret_n_views,
		    struct sums_view *ret_all, struct sums_view *ret_others);
int status_view_read(const json_t *reply, struct status_view *ret_view);
int action_view_read(const json_t *object, struct action_view *ret_view);
int order_view_read(const json_t *object, struct order_view *ret_view);
int trial_view_read(const json_t *object, struct trial_view *ret_view);

/* "198.51.100.1, for 2 h, also over a restart". Returns `buffer`. */
#define ORDER_TEXT_MAX 256
char *order_view_text(const struct order_view *order, bool ascii, char buffer[ORDER_TEXT_MAX]);

/* "on trial until 12:34:56 (58 s left): ...", in local time. Returns `buffer`. */
#define TRIAL_TEXT_MAX 192
char *trial_view_text(const struct trial_view *trial, char buffer[TRIAL_TEXT_MAX]);

/* "nic", "sw", "moving", ...; color and attributes (frame.h); glyph, or an ASCII character
 * instead. */
const char *sa_place_word(enum sa_place place);
uint32_t sa_place_style(enum sa_place place);
uint32_t sa_place_glyph(enum sa_place place, bool ascii);

/* The address of the remote end. */
const char *sa_view_peer(const struct sa_view *sa);

/* Orders SAs by their identity: SPI, destination, mark, protocol. */
int sa_view_compare_identity(const struct sa_view *a, const struct sa_view *b);
/* Whether one can be the rekeyed successor of the other. */
bool sa_view_same_lineage(const struct sa_view *a, const struct sa_view *b);
