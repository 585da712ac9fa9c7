/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "doctor/examine.h"

#include <errno.h>

static json_t *unseen_of(const struct facts *facts)
{
	json_t *unseen = json_array();

	for (size_t i = 0; i < facts->n_unseen; i++)
		(void)json_array_append_new(unseen,
					    json_pack("{s:s, s:s}", "what", facts->unseen[i].what,
						      "why", facts->unseen[i].why));
	return unseen;
}

int doctor_examine(const struct facts *facts, json_t **ret_document)
{
	struct report report = {.facts = facts, .findings = json_array(), .works = true};

	examine_kernel(&report);
	examine_security(&report);
	examine_nics(&report);
	examine_ike(&report);
	examine_crypto(&report);
	examine_daemon(&report);
	if (report.error < 0) {
		json_decref(report.findings);
		return report.error;
	}
	*ret_document =
		json_pack("{s:b, s:s, s:o, s:o}", "works", (int)report.works, "release",
			  facts->release, "findings", report.findings, "unseen", unseen_of(facts));
	return *ret_document ? 0 : -ENOMEM;
}
