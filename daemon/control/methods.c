/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of methods, and the methods that change something. */
#include "control/methods.h"

#include "control/describe.h"
#include "manager/manager.h"

#include <errno.h>
#include <string.h>

static struct manager *manager_of(void *userdata)
{
	return ((const struct methods *)userdata)->manager;
}

static int method_pause(json_t *parameters, void *userdata, json_t **ret_reply,
			const char **ret_error)
{
	(void)parameters;
	(void)ret_reply;
	(void)ret_error;
	manager_set_paused(manager_of(userdata), true);
	return 0;
}

static int method_resume(json_t *parameters, void *userdata, json_t **ret_reply,
			 const char **ret_error)
{
	struct manager *m = manager_of(userdata);
	const char *nic = json_string_value(json_object_get(parameters, "nic"));

	if (nic && manager_end_evacuation(m, nic) < 0) {
		*ret_error = "NotEvacuated";
		*ret_reply = json_pack("{s:s}", "nic", nic);
		return *ret_reply ? 0 : -ENOMEM;
	}
	if (nic)
		return 0;
	manager_end_evacuations(m);
	manager_set_paused(m, false);
	return 0;
}

static int method_evacuate(json_t *parameters, void *userdata, json_t **ret_reply,
			   const char **ret_error)
{
	const char *nic = json_string_value(json_object_get(parameters, "nic"));
	int r = manager_evacuate(manager_of(userdata), nic);

	if (r == -ENODEV) {
		*ret_error = "NoSuchNic";
		*ret_reply = json_pack("{s:s}", "nic", nic);
		return *ret_reply ? 0 : -ENOMEM;
	}
	return r;
}

void methods_refused(const char *method, const struct ucred *peer, void *userdata)
{
	report_denied(manager_of(userdata)->reporter, method, peer->uid, peer->pid);
}

/* Those of struct query. */
/* clang-format off */
#define QUERY_PARAMETERS                                                                           \
	{"limit", CONTROL_COUNT}, {"offset", CONTROL_COUNT}, {"sort", CONTROL_TEXT},               \
	{"reverse", CONTROL_FLAG}, {"nic", CONTROL_TEXT}, {"placement", CONTROL_TEXT},             \
	{"peer", CONTROL_TEXT}, {"direction", CONTROL_TEXT}, {"filter", CONTROL_TEXT}
/* clang-format on */

static const struct control_parameter list_parameters[] = {
	QUERY_PARAMETERS,
	{"followSpi", CONTROL_TEXT},
	{"followDst", CONTROL_TEXT},
	{"history", CONTROL_FLAG},
	{},
};
static const struct control_parameter peers_parameters[] = {
	QUERY_PARAMETERS,
	{"followPeer", CONTROL_TEXT},
	{},
};
static const struct control_parameter explain_parameters[] = {
	{"spi", CONTROL_TEXT, .required = true},
	{"dst", CONTROL_TEXT},
	{},
};
static const struct control_parameter monitor_parameters[] = {
	{"spi", CONTROL_TEXT},
	{"peer", CONTROL_TEXT},
	{},
};
static const struct control_parameter plan_parameters[] = {{"turns", CONTROL_COUNT}, {}};
static const struct control_parameter nic_or_all[] = {{"nic", CONTROL_TEXT}, {}};
static const struct control_parameter reload_parameters[] = {{"trySeconds", CONTROL_COUNT}, {}};
static const struct control_parameter one_nic[] = {{"nic", CONTROL_TEXT, .required = true}, {}};

static const struct control_parameter order_parameters[] = {
	{"spi", CONTROL_TEXT},      {"dst", CONTROL_TEXT},     {"peer", CONTROL_TEXT},
	{"seconds", CONTROL_COUNT}, {"persist", CONTROL_FLAG}, {},
};
static const struct control_parameter ended_parameters[] = {
	{"spi", CONTROL_TEXT},
	{"dst", CONTROL_TEXT},
	{"peer", CONTROL_TEXT},
	{},
};

const struct control_method methods_table[] = {
	{"GetStatus", .call = method_get_status},
	{"ListSAs", .list = &list_of_sas, .parameters = list_parameters},
	{"ListPeers", .list = &list_of_peers, .parameters = peers_parameters},
	{"Explain", .list = &list_of_explanations, .parameters = explain_parameters},
	{"Monitor", .list = &list_of_events, .parameters = monitor_parameters},
	{"Plan", .call = method_plan, .parameters = plan_parameters},
	{"Pause", .call = method_pause, .changes = true},
	{"Resume", .call = method_resume, .changes = true, .parameters = nic_or_all},
	{"Evacuate", .call = method_evacuate, .changes = true, .parameters = one_nic},
	{"Pin", .call = method_pin, .changes = true, .parameters = order_parameters},
	{"Unpin", .call = method_unpin, .changes = true, .parameters = ended_parameters},
	{"Ban", .call = method_ban, .changes = true, .parameters = order_parameters},
	{"Unban", .call = method_unban, .changes = true, .parameters = ended_parameters},
	{"Reload", .call = method_reload, .changes = true, .parameters = reload_parameters},
	{"ConfirmReload", .call = method_confirm_reload, .changes = true},
};
const size_t methods_count = ELEMENTSOF(methods_table);
