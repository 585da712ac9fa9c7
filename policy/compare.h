/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does the NIC slow an SA down? See compare.c.
 */
#pragma once

#include "policy.h"

struct sa;

enum comparison_stage {
	COMPARISON_NONE,
	COMPARISON_IN_NIC,   /* its rate there is held against that of before */
	COMPARISON_DOUBTED,  /* it carries less: it leaves, or is on its way */
	COMPARISON_RETURNED, /* back in software: does it carry more there? */
	COMPARISON_SLOWER,   /* yes: the NIC slows it down. Verdict, to be told */
	COMPARISON_CLEARED,  /* no, the traffic went by itself. The same */
};

/* Of one SA. Rates in bytes/s, unweighted. */
struct comparison {
	double before;    /* in software, until it was promoted */
	double usual;     /* in the long run */
	double n_before;  /* samples in that mean, by weight */
	double deviation; /* of single samples */
	double in_nic;
	double after; /* back in software */
	/* The present window. */
	double carried; /* bytes */
	double seconds;
	double last;           /* sample */
	double varied;         /* sum of the differences of successive samples */
	double others_carried; /* policy->others_*, at its begin */
	double others_expected;
	policy_table table; /* of the NIC */
	uint32_t n;         /* samples */
	uint8_t windows;    /* in this stage, before this one */
	uint8_t stage;      /* enum comparison_stage */
};

/* The SA was promoted; its rate is still that in software. */
void policy_compare_begin(struct policy *policy, struct sa *sa);
/* It was evicted. */
void policy_compare_evicted(struct policy *policy, struct sa *sa);
/* A sample, before the SA's rate takes it in. */
void policy_compare_sample(struct policy *policy, struct sa *sa, double carried, double dt);
