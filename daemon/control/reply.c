// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/reply.h"

#include "control/control.h"

#include <errno.h>
#include <string.h>

/* The error for an errno; varlinkctl knows it. */
#define SYSTEM_ERROR "io.systemd.System"

int control_reply_text(struct control_output *output, const char *text)
{
	return control_output_append(output, text, strlen(text));
}

/* Error names are constants of the code, so there is nothing to quote in them. */
static int write_error(struct control_output *output, const char *error)
{
	int r = control_reply_text(output, "\"error\":\"");

	if (r >= 0 && !strchr(error, '.'))
		r = control_reply_text(output, CONTROL_INTERFACE ".");
	if (r >= 0)
		r = control_reply_text(output, error);
	if (r >= 0)
		r = control_reply_text(output, "\",");
	return r;
}

int control_reply_write(struct control_output *output, const json_t *parameters, const char *error)
{
	int r = control_reply_text(output, "{");

	if (r >= 0 && error)
		r = write_error(output, error);
	if (r >= 0)
		r = control_reply_text(output, "\"parameters\":");
	if (r >= 0)
		r = parameters ? control_output_json(output, parameters, 0)
			       : control_reply_text(output, "{}");
	if (r >= 0)
		r = control_output_append(output, "}", sizeof("}")); /* with the NUL */
	return r;
}

int control_reply_errno(struct control_output *output, int error)
{
	json_auto_t *parameters = json_pack("{s:s, s:i, s:s}", "origin", "linux", "errno", -error,
					    "message", strerror(-error));

	return parameters ? control_reply_write(output, parameters, SYSTEM_ERROR) : -ENOMEM;
}
