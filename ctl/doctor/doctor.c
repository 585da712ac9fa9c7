/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `doctor`: whether ESP offload can work on this machine. */
#include "control-interface.h"
#include "ctl.h"
#include "doctor/doctor-text.h"
#include "doctor/examine.h"
#include "doctor/groups.h"

#include <errno.h>
#include <string.h>

static int add_sas(json_t *reply, bool last, void *userdata)
{
	(void)last;
	return groups_add(userdata, reply);
}

/* The daemon's state, and the SAs that it keeps out of NICs. Without it the rest is examined. */
static int ask(const struct ctl *ctl, struct facts *facts)
{
	int r = ctl_try_call(ctl, CONTROL_INTERFACE ".GetStatus", NULL, &facts->status);

	if (r < 0) {
		char why[FACT_PATH_SIZE];

		(void)snprintf(why, sizeof(why), "%s: %s%s", ctl->socket, strerror(-r),
			       r == -ENOENT || r == -ECONNREFUSED ? " (is espoffloadd running?)"
								  : "");
		facts_unseen(facts, "the daemon and its SAs", why);
		return 0;
	}
	facts->groups = json_array();
	if (!facts->groups)
		return -ENOMEM;
	if (ctl_call_more(ctl, CONTROL_INTERFACE ".ListSAs", json_pack("{s:s}", "sort", "spi"),
			  add_sas, facts->groups) != CTL_OK)
		facts_unseen(facts, "the SAs of the daemon", "its answer ended too early");
	return 0;
}

static int print_text(const struct ctl *ctl, const json_t *document)
{
	return ctl_print_page(ctl, document, doctor_layout);
}

static int examine(const struct ctl *ctl, struct facts *facts, json_t **ret_document)
{
	int r;

	facts_read_files(facts, "");
	facts_read_nics(facts);
	r = ask(ctl, facts);
	return r < 0 ? r : doctor_examine(facts, ret_document);
}

int verb_doctor(const struct ctl *ctl, int argc, char **argv)
{
	_cleanup_free_ struct facts *facts = NULL;
	json_auto_t *document = NULL;
	int r;

	if (!ctl_no_arguments(argc, argv))
		return CTL_USAGE;
	facts = calloc(1, sizeof(*facts));
	r = facts ? examine(ctl, facts, &document) : -ENOMEM;
	if (facts)
		facts_done(facts);
	if (r < 0)
		return ctl_tell_failure(ctl, r);
	r = ctl_show(ctl, document, print_text);
	if (r == CTL_OK && !json_is_true(json_object_get(document, "works")))
		r = CTL_CANNOT_OFFLOAD;
	return r;
}
