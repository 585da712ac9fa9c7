/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Detects NICs that damage traffic. For some seconds after a promotion, the SA's counters of
 * integrity failures and replays are checked. (The policy compares its rate: policy/compare.c.) An
 * SA with such failures goes back to software, and stays there with a doubling back-off. A NIC in
 * which several SAs had failures, or stopped, loses its trust for a time (placement/trust.h), and
 * all owned SAs leave it. A NIC that is only slower than software keeps its trust.
 *
 * An attacker who sends forged packets to an inbound SA can cause integrity failures, and so keep
 * the SA in software, where it would be without this daemon.
 */
#pragma once

#include "sa/table.h"

/* Failures before `from` (s, monotonic) do not count against the NIC. */
void probation_begin(struct sa *sa, const struct sa_facts *facts, double from);
/* Checks a sample of an SA that is still in the same place. Returns a static name of the fault, or
 * NULL. Ends the probation after a fault and when its time is over. `now`: s, monotonic. */
const char *probation_check(struct sa *sa, const struct sa_facts *facts, double now);
void probation_end(struct sa *sa);
