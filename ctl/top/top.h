/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by live and batch `top`. */
#pragma once

#include "ctl.h"
#include "top/ui.h"

struct top_options {
	bool batch;
	long iterations; /* 0: until killed */
	double delay;    /* seconds */
	long rows;       /* of a plain frame, 0: all */
	struct top_page page;
	uint32_t columns; /* 0: the usual ones */
	bool mouse;
};

/* Both return an exit status. */
int top_run_batch(const struct ctl *ctl, const struct top_options *options);
int top_run_live(const struct ctl *ctl, const struct top_options *options);
