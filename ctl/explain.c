/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `explain SPI [DST]`: why an SA is where it is. `show SPI [DST]`: what is known of it. Both print
 * the same reply.
 */
#include "control-interface.h"
#include "ctl.h"
#include "explain-text.h"
#include "show-text.h"
#include "spi.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static int print_sentences(const struct ctl *ctl, const json_t *reply)
{
	return ctl_print_page(ctl, reply, explain_layout);
}

static int print_facts(const struct ctl *ctl, const json_t *reply)
{
	return ctl_print_page(ctl, reply, show_layout);
}

static int ask(const struct ctl *ctl, int argc, char **argv,
	       int (*print)(const struct ctl *ctl, const json_t *reply))
{
	_cleanup_(ike_names_freep) struct ike_names *names = NULL;
	json_auto_t *reply = NULL;
	json_t *parameters;
	char spi[16];
	uint32_t value;
	int r;

	if (argc < 2 || argc > 3)
		return ctl_usage("%s: an SPI is needed, and may be followed by a destination",
				 argv[0]);
	if (spi_parse(argv[1], &value) < 0)
		return ctl_usage("%s: '%s' is not an SPI: up to 8 hexadecimal digits, as in "
				 "0x00000101",
				 argv[0], argv[1]);
	(void)snprintf(spi, sizeof(spi), "0x%08x", value);
	parameters = json_pack("{s:s, s:s*}", "spi", spi, "dst", argc > 2 ? argv[2] : NULL);
	if (!parameters)
		return ctl_usage("%s: the destination is not UTF-8", argv[0]);
	r = ctl_call(ctl, CONTROL_INTERFACE ".Explain", parameters, &reply);
	if (r != CTL_OK)
		return r;
	names = ike_ask(&ctl->ike);
	ike_names_set_all(names, json_object_get(reply, "sas"), "sa");
	return ctl_show(ctl, reply, print);
}

int verb_explain(const struct ctl *ctl, int argc, char **argv)
{
	return ask(ctl, argc, argv, print_sentences);
}

int verb_show(const struct ctl *ctl, int argc, char **argv)
{
	return ask(ctl, argc, argv, print_facts);
}
