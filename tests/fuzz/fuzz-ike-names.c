/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as the answer of an IKE daemon, whole and in two parts. */
#include "ike/pluto.h"
#include "ike/vici.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int (*reader)(struct ike_names *names, const char *data, size_t size, size_t *ret_used);

static int read_parts(reader read, const char *data, size_t size, size_t first)
{
	_cleanup_(ike_names_freep) struct ike_names *names = NULL;
	size_t used = 0;
	int r;

	if (ike_names_new(&names) < 0)
		abort();
	r = read(names, data, first, &used);
	if (r == 0)
		r = read(names, data + used, size - used, &used);
	(void)ike_names_find(names, "0xc0000001", "192.0.2.1");
	return r;
}

/* In how many parts an answer comes makes no difference. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const reader readers[] = {vici_read, pluto_read};
	const char *text = (const char *)data;
	size_t first = size > 0 ? data[size - 1] % size : 0;

	for (size_t i = 0; i < ELEMENTSOF(readers); i++)
		if (read_parts(readers[i], text, size, size) !=
		    read_parts(readers[i], text, size, first))
			abort();
	return 0;
}
