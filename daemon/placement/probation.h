/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds NICs that harm SAs. For some seconds after a promotion the SA's own counters of
 * integrity failures and replays are watched, which a move starts from zero. Whether its rate
 * suffers the policy finds out (policy/compare.c). An SA that fared worse goes back to software and
 * stays there with a doubling back-off. A NIC that broke several SAs, or in which several stood
 * still, loses its trust for a while (placement/trust.h), and everything that was put there leaves;
 * that it is slower than software costs it no trust.
 *
 * Somebody who sends forged packets to an inbound SA can raise its integrity failures, and so keep
 * it in software: that is where it would be without this daemon.
 */
#pragma once

#include "sa/table.h"

/* What happens before `from` (s, monotonic) is not the NIC's fault. */
void probation_begin(struct sa *sa, const struct sa_facts *facts, double from);
/* What was found wrong, a static name, NULL: nothing. Then, and when its time is over, it ends. Of
 * a sample that shows the SA where it was before; `now`: s, monotonic. */
const char *probation_check(struct sa *sa, const struct sa_facts *facts, double now);
void probation_end(struct sa *sa);
