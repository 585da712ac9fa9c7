/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Findings from what the daemon says: its state, how it sees the NICs, and the SAs that stay out.
 */
#include "doctor/examine.h"

#include "views.h"

#include <inttypes.h>
#include <string.h>

static void add(struct report *report, enum severity severity, const char *subject,
		const char *what, const char *why, const char *fix)
{
	report_add(report, &(struct finding){.severity = severity,
					     .topic = "daemon",
					     .subject = subject,
					     .what = what,
					     .why = why,
					     .fix = fix});
}

static void examine_state(struct report *report, const struct status_view *status)
{
	char what[FINDING_TEXT_SIZE];

	(void)snprintf(what, sizeof(what), "espoffloadd %s runs; it moves SAs by: %s.",
		       status->version, status->mechanism);
	add(report, SEVERITY_OK, NULL, what, NULL, NULL);
	if (strcmp(status->mode, "observe") == 0)
		add(report, SEVERITY_NOTE, NULL, "espoffloadd only observes (mode: observe).",
		    "It moves no SA, and shows what it would do.",
		    "Set 'mode: enforce' and reload when the result is right.");
	if (status->paused)
		add(report, SEVERITY_WARNING, NULL, "espoffloadd is paused.",
		    "No SA is moved into a NIC.", "espoffloadctl resume");
	if (status->degraded)
		add(report, SEVERITY_WARNING, NULL, "espoffloadd is degraded.", status->degraded,
		    "'journalctl -x -u espoffloadd' says what to look at.");
}

/* Why the daemon does not use a NIC, and what helps. */
static const struct {
	const char *reason;
	const char *what;
	const char *fix;
} hindrances[] = {
	{"nic-not-allowed", "the configuration does not allow it",
	 "Add it to 'nics:' of /etc/espoffloadd.conf with 'allow: true' and 'trusted: true'."},
	{"nic-not-trusted", "the configuration does not trust it with keys",
	 "Set 'trusted: true' for it, if it may hold keys."},
	{"nic-fips", "the machine is in FIPS mode and the NIC is not marked as inside the boundary",
	 "Set 'fips: true' for it, if it is."},
	{"nic-distrusted", "several SAs failed in it a short time ago",
	 "See 'espoffloadctl history'."},
	{"nic-evacuated", "it was evacuated", "espoffloadctl resume, with its name"},
	{"nic-down", "it is down", NULL},
};

/* Returns whether the daemon uses the NIC. */
static bool examine_nic(struct report *report, const struct nic_view *nic)
{
	int64_t foreign = (nic->foreign.total > 0 ? nic->foreign.total : 0) +
			  (nic->foreign.in > 0 ? nic->foreign.in : 0) +
			  (nic->foreign.out > 0 ? nic->foreign.out : 0);
	char what[FINDING_TEXT_SIZE];

	if (foreign > 0) {
		(void)snprintf(what, sizeof(what),
			       "SAs in %s that another program offloaded: %" PRId64 ".", nic->name,
			       foreign);
		add(report, SEVERITY_WARNING, nic->name, what,
		    "They take slots and are not moved, however little they carry.",
		    "Switch offload off in the IKE daemon (hw_offload, nic-offload).");
	}
	for (size_t i = 0; nic->esp_offload && nic->reason && i < ELEMENTSOF(hindrances); i++) {
		if (strcmp(nic->reason, hindrances[i].reason) != 0)
			continue;
		(void)snprintf(what, sizeof(what), "espoffloadd does not use %s: %s.", nic->name,
			       hindrances[i].what);
		add(report, SEVERITY_WARNING, nic->name, what, NULL, hindrances[i].fix);
	}
	return !nic->reason;
}

static void examine_nics_of(struct report *report, const struct status_view *status)
{
	bool used = false, fips = false;

	for (size_t i = 0; i < status->n_nics; i++) {
		const char *reason = status->nics[i].reason;

		used |= examine_nic(report, &status->nics[i]);
		fips |= reason && strcmp(reason, "nic-fips") == 0;
	}
	if (!used && fips)
		add(report, SEVERITY_PROBLEM, NULL, "In FIPS mode espoffloadd uses no NIC.",
		    "Only NICs that are marked as inside the boundary get SAs.",
		    "Set 'fips: true' for such a NIC.");
}

static void examine_groups(struct report *report)
{
	const json_t *group;
	size_t i;

	json_array_foreach(report->facts->groups, i, group) {
		const char *reason = json_text_or(group, "reason", "?");
		int64_t sas = json_whole_or(group, "sas", 0);
		char what[FINDING_TEXT_SIZE], fix[FINDING_TEXT_SIZE];

		(void)snprintf(what, sizeof(what), "%" PRId64 " SA%s cannot be offloaded: %s.", sas,
			       sas == 1 ? "" : "s", reason);
		(void)snprintf(fix, sizeof(fix), "espoffloadctl explain %s shows one of them.",
			       json_text_or(group, "example", "SPI"));
		report_add(report, &(struct finding){.severity = SEVERITY_NOTE,
						     .topic = "SAs",
						     .subject = reason,
						     .what = what,
						     .why = json_text_or(group, "text", ""),
						     .fix = fix});
	}
}

void examine_daemon(struct report *report)
{
	struct status_view status;

	if (!report->facts->status)
		return;
	if (status_view_read(report->facts->status, &status) < 0) {
		add(report, SEVERITY_WARNING, NULL, "The answer of espoffloadd cannot be read.",
		    NULL, "Do the versions match? See 'espoffloadctl version'.");
		return;
	}
	examine_state(report, &status);
	examine_nics_of(report, &status);
	examine_groups(report);
}
