/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SAs and actions as JSON, for several methods. */
#pragma once

#include "manager/manager.h"

#include <jansson.h>
#include <limits.h>

/* Why an SA is where it is: a stable name and a text, which may point to `buffer`. */
struct explanation {
	const char *state; /* "settled", "moving", "foreign", "hands-off", "refused" */
	const char *reason;
	const char *text;
	bool lasting; /* it keeps the SA in software, and does not end by itself */
	char buffer[256];
};
void describe_place(struct manager *m, const struct sa *sa, const struct policy_sa_view *view,
		    struct explanation *ret_explanation);

/* The policy's view of the SA, all zero if it is not in the policy. */
struct policy_sa_view describe_view(struct manager *m, const struct sa *sa);

/* An SA with the texts of its object, which a filter looks at. The strings belong to the row, the
 * configuration and the network: it must not outlive the call of a method. */
struct sa_row {
	const struct sa *sa;
	struct policy_sa_view view;
	struct explanation explanation;
	char spi[sizeof("0x00000000")];
	char source[SA_ADDRESS_TEXT_SIZE], destination[SA_ADDRESS_TEXT_SIZE];
	char mode[32];
	char mark[sizeof("0x00000000/0x00000000")]; /* "": none */
	char rule[PATH_MAX];                        /* "": none */
	const char *nic, *candidate;                /* NULL: none */
	const char *software_driver;                /* NULL: not known */
};
void describe_row(struct manager *m, const struct sa *sa, struct sa_row *ret_row);
const char *sa_placement_name(const struct sa *sa); /* "nic", "software" */
/* Whether the filter is a part of any text, in upper or lower case. */
bool sa_row_matches(const struct sa_row *row, const char *filter);

/* The files of the configuration in force. NULL without memory. */
json_t *describe_files(const struct manager *m);

/* The trial of the configuration in force; null: none. NULL without memory. */
json_t *describe_trial(const struct manager *m);

/* All NULL without memory. */
json_t *sa_row_json(struct manager *m, const struct sa_row *row, size_t rank, bool history);
json_t *describe_sa(struct manager *m, const struct sa *sa, size_t rank, bool history);
json_t *describe_identity(const struct sa_description *d); /* spi, src, dst, direction */
json_t *describe_action(struct manager *m, const struct action *action);

/* Adds the members of `part`, whose reference it takes. Returns 0, or -1 if one of them is NULL or
 * without memory. */
/* Adds to an array of ReasonCount; nothing if `count` is 0. An entry of the same name is increased:
 * names of one enum may be those of another. 0 or -1. */
int describe_count(json_t *counts, const char *reason, uint64_t count);
int describe_merge(json_t *object, json_t *part);

/* The SAs with this SPI, and destination if one is given. The caller frees the array. -ENOMEM. */
int describe_find(struct manager *m, uint32_t spi, const char *dst, struct sa ***ret_sas,
		  size_t *ret_n);
/* NULL: any. */
bool describe_has_destination(const struct sa_id *id, const char *dst);
/* Decimal, octal or hexadecimal with 0x. -EINVAL. */
int describe_parse_spi(const char *text, uint32_t *ret_spi);
