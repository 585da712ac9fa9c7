/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `evacuate`: asks the daemon to empty a NIC, and waits until it is empty. SAs offloaded by another
 * program stay, since the daemon never moves them. They are reported, because `ip link set NIC
 * down` deletes them.
 */
#include "control-interface.h"
#include "ctl.h"

#include <string.h>
#include <time.h>

#define POLL_NANOSECONDS 200000000L
/* Longer than emptying any table takes. After that the remaining SAs are reported. */
#define POLLS_MAX 300

static json_int_t sum(const json_t *capacity)
{
	if (json_is_true(json_object_get(capacity, "shared")))
		return json_integer_value(json_object_get(capacity, "total"));
	return json_integer_value(json_object_get(capacity, "in")) +
	       json_integer_value(json_object_get(capacity, "out"));
}

static const json_t *find_nic(const json_t *status, const char *name)
{
	const json_t *nics = json_object_get(status, "nics");

	for (size_t i = 0; i < json_array_size(nics); i++) {
		const json_t *nic = json_array_get(nics, i);
		const char *other = json_string_value(json_object_get(nic, "name"));

		if (other && strcmp(other, name) == 0)
			return nic;
	}
	return NULL;
}

static int print_evacuated(const struct ctl *ctl, const json_t *document)
{
	const char *nic = json_string_value(json_object_get(document, "nic"));
	json_int_t left = json_integer_value(json_object_get(document, "left"));
	json_int_t foreign = json_integer_value(json_object_get(document, "foreign"));

	(void)ctl;
	if (left > 0)
		(void)printf("%s: %" JSON_INTEGER_FORMAT " SAs are still there; see 'espoffloadctl "
			     "list --filter %s' for why\n",
			     nic, left, nic);
	else
		(void)printf("%s: empty, and kept so until 'espoffloadctl resume %s'\n", nic, nic);
	if (foreign > 0)
		(void)printf("%s: %" JSON_INTEGER_FORMAT
			     " SAs of another program stay there; they are "
			     "deleted when it goes down\n",
			     nic, foreign);
	return 0;
}

static int wait_until_empty(const struct ctl *ctl, const char *name, json_t **ret_document)
{
	const struct timespec pause = {.tv_nsec = POLL_NANOSECONDS};
	json_int_t left = 0, foreign = 0;

	for (unsigned i = 0; i < POLLS_MAX; i++) {
		json_t *status = NULL;
		const json_t *nic;
		int r = ctl_call(ctl, CONTROL_INTERFACE ".GetStatus", NULL, &status);

		if (r != CTL_OK)
			return r;
		nic = find_nic(status, name);
		foreign = nic ? sum(json_object_get(nic, "foreign")) : 0;
		left = nic ? sum(json_object_get(nic, "used")) - foreign : 0;
		json_decref(status);
		if (left <= 0)
			break;
		(void)nanosleep(&pause, NULL);
	}
	*ret_document = json_pack("{s:s, s:I, s:I}", "nic", name, "left", left, "foreign", foreign);
	return CTL_OK;
}

int verb_evacuate(const struct ctl *ctl, int argc, char **argv)
{
	json_t *reply = NULL, *document = NULL;
	bool empty;
	int r;

	if (argc != 2)
		return ctl_usage("evacuate: which NIC?");
	r = ctl_call(ctl, CONTROL_INTERFACE ".Evacuate", json_pack("{s:s}", "nic", argv[1]),
		     &reply);
	if (r != CTL_OK)
		return r;
	json_decref(reply);
	r = wait_until_empty(ctl, argv[1], &document);
	if (r != CTL_OK)
		return r;
	empty = json_integer_value(json_object_get(document, "left")) <= 0;
	r = ctl_show(ctl, document, print_evacuated);
	json_decref(document);
	return r == CTL_OK && !empty ? CTL_FAILURE : r;
}
