/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The findings of `doctor`, made from facts only.
 *
 * A problem means that offload cannot work here until it is solved.
 */
#pragma once

#include "doctor/facts.h"

enum severity {
	SEVERITY_OK,
	SEVERITY_NOTE,
	SEVERITY_WARNING,
	SEVERITY_PROBLEM,
};

struct report {
	const struct facts *facts;
	json_t *findings;
	bool works; /* no problem so far */
	int error;
};

/* The texts of a finding. `why` and `fix` may be NULL. */
struct finding {
	enum severity severity;
	const char *topic;
	const char *subject; /* what it is about, or NULL */
	const char *what;
	const char *why;
	const char *fix;
};

#define FINDING_TEXT_SIZE 512

void report_add(struct report *report, const struct finding *finding);

/* Whether the kernel is of this release or later. */
bool facts_kernel_is(const struct facts *facts, unsigned long major, unsigned long minor);

void examine_kernel(struct report *report);
void examine_security(struct report *report);
void examine_nics(struct report *report);
void examine_ike(struct report *report);
void examine_crypto(struct report *report);
void examine_daemon(struct report *report);

/* {"works": bool, "release": string, "findings": [{severity, topic, subject, what, why, fix}],
 * "unseen": [{what, why}]}. -ENOMEM. */
int doctor_examine(const struct facts *facts, json_t **ret_document);
