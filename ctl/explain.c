/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `explain SPI [DST]`: why an SA is where it is. */
#include "control-interface.h"
#include "ctl.h"
#include "explain-text.h"
#include "spi.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static int print_text(const struct ctl *ctl, const json_t *reply)
{
	return ctl_print_page(ctl, reply, explain_layout);
}

int verb_explain(const struct ctl *ctl, int argc, char **argv)
{
	json_t *reply = NULL;
	json_t *parameters;
	char spi[16];
	uint32_t value;
	int r;

	if (argc < 2 || argc > 3)
		return ctl_usage("explain: an SPI is needed, and may be followed by a destination");
	if (spi_parse(argv[1], &value) < 0)
		return ctl_usage("explain: '%s' is not an SPI: up to 8 hexadecimal digits, as in "
				 "0x00000101",
				 argv[1]);
	(void)snprintf(spi, sizeof(spi), "0x%08x", value);
	parameters = json_pack("{s:s, s:s*}", "spi", spi, "dst", argc > 2 ? argv[2] : NULL);
	if (!parameters)
		return ctl_usage("explain: the destination is not UTF-8");
	r = ctl_call(ctl, CONTROL_INTERFACE ".Explain", parameters, &reply);
	if (r != CTL_OK)
		return r;
	r = ctl_show(ctl, reply, print_text);
	json_decref(reply);
	return r;
}
