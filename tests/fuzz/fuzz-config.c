/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a configuration. Besides the sanitizers this checks: a file is either accepted with
 * values that are in range, or refused with a message; and messages are valid UTF-8 without control
 * characters, whatever was in the file.
 */
#include "cleanup.h"
#include "config.h"
#include "text.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_match(const struct config_match *match)
{
	check(match->source.length <= (match->source.family == 2 ? 32 : 128));
	check((match->mark.value & ~match->mark_mask) == 0);
}

static void check_config(const struct config *config)
{
	struct sa_description sa = {.id.family = 2, .direction = SA_DIRECTION_OUT};
	const struct config_nic_identity nic = {"eth0", "ixgbe", "0000:3b:00.0",
						"02:00:5e:10:00:01"};

	check(config->interval >= 0.1 && config->interval <= 60);
	check(config->moves_per_second >= 0.1 && config->moves_per_second <= 1000);
	check(config->moves_burst >= 1 && config->moves_burst <= 100000);
	check(config->retry_refused >= 1 && config->retry_refused <= 3600);
	for (size_t i = 0; i < config->n_nics; i++)
		check(config->nics[i].capacity.in <= 1048576 && config->nics[i].line > 0 &&
		      config->nics[i].max_rate >= 0);
	for (size_t i = 0; i < config->n_rules; i++) {
		const struct config_rule *rule = &config->rules[i];

		check(rule->weight >= 0.001 && rule->weight <= 1000);
		check(rule->min_rate >= 0 && rule->line > 0);
		check_match(&rule->match);
	}
	check(config->n_groups <= 64);
	for (size_t i = 0; i < config->n_groups; i++) {
		const struct config_group *group = &config->groups[i];

		check(group->name && strlen(group->name) <= 32 && group->line > 0);
		check(group->ceiling == 0 || group->floor <= group->ceiling);
		check_match(&group->match);
	}
	(void)config_match_nic(config, &nic);
	(void)config_match_rule(config, &sa);
	(void)config_match_group(config, &sa);
}

static void check_errors(const char *text, size_t size)
{
	for (size_t at = 0; at < size;) {
		uint32_t code;
		size_t length = text_decode(text + at, size - at, &code);

		check(length > 0);
		check(code == '\n' || text_is_printable(code));
		at += length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_(config_report_done) struct config_report report = {0};
	_cleanup_free_ char *errors = NULL;
	int r;

	r = config_parse("fuzz", (const char *)data, size, &report, &config);
	check(config_report_text(&report, &errors) == 0);
	check_errors(errors, strlen(errors));
	if (r < 0) {
		check(r == -EBADMSG && !config && strstr(errors, "error: "));
	} else {
		check(!strstr(errors, ": error: "));
		check_config(config);
	}
	return 0;
}
