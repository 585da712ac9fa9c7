/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies as a client reads them. After a failure (-EMSGSIZE, -ENOMEM) the output holds a part of a
 * reply and the connection is of no use. */
#pragma once

#include "control/output.h"

/* `parameters`: NULL for none. `error`: NULL, or its name, as struct control_method has it. */
int control_reply_write(struct control_output *output, const json_t *parameters, const char *error);
/* The error that stands for a negative errno. */
int control_reply_errno(struct control_output *output, int error);
int control_reply_text(struct control_output *output, const char *text);
