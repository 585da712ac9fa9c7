/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds out whether the NIC slows an SA down: see compare.c.
 */
#pragma once

#include "policy.h"

struct sa;

enum comparison_stage {
	COMPARISON_NONE,
	COMPARISON_IN_NIC,   /* its rate in the NIC is compared with that before */
	COMPARISON_DOUBTED,  /* it carries less: it is to leave, or is leaving */
	COMPARISON_RETURNED, /* back in software: find out whether it carries more */
	COMPARISON_SLOWER,   /* verdict: the NIC slows it down */
	COMPARISON_CLEARED,  /* verdict: the traffic decreased by itself */
};

/* The comparison of one SA. Rates in bytes/s, unweighted. */
struct comparison {
	double before;    /* in software, until it was promoted */
	double usual;     /* long-run average */
	double n_before;  /* weight of samples in `before` */
	double deviation; /* of single samples */
	double in_nic;
	double after;   /* back in software */
	double counted; /* time of its last sample */
	/* The present window. */
	double carried; /* bytes */
	double seconds;
	double last;           /* sample */
	double varied;         /* sum of absolute differences of successive samples */
	double others_carried; /* policy->others_* at the beginning of the window */
	double others_expected;
	policy_table table; /* of the NIC */
	uint32_t n;         /* samples */
	uint8_t windows;    /* earlier windows in this stage */
	uint8_t stage;      /* enum comparison_stage */
};

/* The SA was promoted. Its rate is still the one in software. Without memory it is not compared. */
void policy_compare_begin(struct policy *policy, struct sa *sa);
/* Ends the comparison, if there is one. */
void policy_compare_end(struct sa *sa);
/* The SA was evicted. */
void policy_compare_evicted(struct policy *policy, struct sa *sa);
/* A sample, before it changes the SA's rate. `carried`: bytes since the last sample of the rate, or
 * of the comparison if that is later. */
void policy_compare_sample(struct policy *policy, struct sa *sa, double carried);
