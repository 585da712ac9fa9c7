// SPDX-License-Identifier: GPL-2.0-or-later
/* Reload and ConfirmReload. */
#include "control/describe.h"
#include "control/methods.h"

#include <errno.h>
#include <string.h>

/* The configuration in force. NULL without memory. */
static json_t *in_force(const struct manager *m)
{
	return json_pack("{s:s, s:o}", "path", config_source_name(&m->environment.config_source),
			 "files", describe_files(m));
}

/* Makes a Varlink error of what manager_reload() returns. */
static int answer_failure(const struct manager *m, int error, const char *messages,
			  json_t **ret_reply, const char **ret_error)
{
	if (error == -ENOMEM)
		return error;
	if (error == -EBUSY && manager_is_on_trial(m)) {
		*ret_error = "OnTrial";
		*ret_reply = json_pack("{s:f}", "secondsLeft", manager_trial_left(m));
	} else {
		*ret_error = "InvalidConfiguration";
		*ret_reply = json_pack("{s:s, s:s}", "path",
				       config_source_name(&m->environment.config_source),
				       "messages", messages ? messages : strerror(-error));
	}
	return *ret_reply ? 0 : -ENOMEM;
}

int method_reload(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error)
{
	struct manager *m = ((const struct methods *)userdata)->manager;
	_cleanup_free_ char *messages = NULL;
	json_int_t seconds;
	int r = control_read_count(parameters, "trySeconds", CONTROL_TRIAL_SECONDS_MIN,
				   CONTROL_TRIAL_SECONDS_MAX, &seconds, ret_reply, ret_error);

	if (r < 0 || *ret_error)
		return r;
	r = manager_reload(m, (double)seconds, &messages);
	if (r < 0)
		return answer_failure(m, r, messages, ret_reply, ret_error);
	*ret_reply = in_force(m);
	r = describe_merge(*ret_reply,
			   json_pack("{s:o, s:s*}", "trial", describe_trial(m), "warnings",
				     messages && messages[0] ? messages : NULL));
	return r == 0 ? 0 : -ENOMEM;
}

int method_confirm_reload(json_t *parameters, void *userdata, json_t **ret_reply,
			  const char **ret_error)
{
	struct manager *m = ((const struct methods *)userdata)->manager;

	(void)parameters;
	if (manager_confirm(m) < 0) {
		*ret_error = "NotOnTrial";
		return 0;
	}
	*ret_reply = in_force(m);
	return *ret_reply ? 0 : -ENOMEM;
}
