/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config.h"

#include <string.h>

/* Parses a configuration. If it has errors, prints them and returns NULL. */
static inline struct config *config_of(const char *text)
{
	_cleanup_(config_report_done) struct config_report report = {0};
	struct config *config = NULL;

	(void)config_parse("test", text, strlen(text), &report, &config);
	if (!config)
		config_report_print(&report, stderr);
	return config;
}
