/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "doctor/examine.h"

#include "network/drivers.h"

#include <errno.h>

static const char *const severity_names[] = {
	[SEVERITY_OK] = "ok",
	[SEVERITY_NOTE] = "note",
	[SEVERITY_WARNING] = "warning",
	[SEVERITY_PROBLEM] = "problem",
};

void report_add(struct report *report, const struct finding *finding)
{
	json_t *object = json_pack("{s:s, s:s, s:s?, s:s, s:s?, s:s?}", "severity",
				   severity_names[finding->severity], "topic", finding->topic,
				   "subject", finding->subject, "what", finding->what, "why",
				   finding->why, "fix", finding->fix);

	if (finding->severity == SEVERITY_PROBLEM)
		report->works = false;
	if (!object || json_array_append_new(report->findings, object) < 0)
		report->error = -ENOMEM;
}

bool facts_kernel_is(const struct facts *facts, unsigned long major, unsigned long minor)
{
	unsigned long number[2] = {};

	(void)kernel_release_parse(facts->release, number, 2);
	return number[0] > major || (number[0] == major && number[1] >= minor);
}
