/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `version`: of this program, and of the daemon if it answers. */
#include "control-interface.h"
#include "ctl.h"
#include "frame.h"
#include "views.h"

#include <errno.h>
#include <string.h>

#define LINE_WIDTH 256

static int print_text(const struct ctl *ctl, const json_t *document)
{
	const char *client = json_text_or(document, "client", "");
	const char *daemon = json_text_or(document, "daemon", NULL);
	_cleanup_(frame_freep) struct frame *frame = NULL;
	int r = frame_new(LINE_WIDTH, 1, ctl->ascii, &frame);

	if (r < 0)
		return r;
	(void)printf("espoffloadctl %s\n", client);
	(void)frame_printf(frame, 0, 0, FRAME_PLAIN, "espoffloadd   %s%s",
			   daemon ? "" : "not known: ",
			   daemon ? daemon : json_text_or(document, "daemonError", ""));
	frame_write(frame, ctl->color, stdout);
	if (daemon && strcmp(client, daemon) != 0)
		(void)puts("The versions differ: 'systemctl restart espoffloadd' starts the one "
			   "that is installed.");
	return 0;
}

/* NULL without memory. */
static json_t *make_document(const struct ctl *ctl)
{
	json_auto_t *status = NULL;
	int r = ctl_try_call(ctl, CONTROL_INTERFACE ".GetStatus", NULL, &status);
	const char *version = json_text_or(status, "version", NULL);

	if (r == 0 && !version)
		r = -EBADMSG;
	return json_pack("{s:s, s:s?, s:o}", "client", ESPOFFLOAD_VERSION, "daemon", version,
			 "daemonError",
			 r < 0 ? json_sprintf("%s: %s", ctl->socket, strerror(-r)) : json_null());
}

int verb_version(const struct ctl *ctl, int argc, char **argv)
{
	json_auto_t *document = NULL;

	if (!ctl_no_arguments(argc, argv))
		return CTL_USAGE;
	document = make_document(ctl);
	if (!document)
		return ctl_tell_failure(ctl, -ENOMEM);
	return ctl_show(ctl, document, print_text);
}
