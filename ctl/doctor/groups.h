/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SAs that cannot be offloaded, counted by the reason. */
#pragma once

#include <jansson.h>

/* Adds the SAs of a reply of ListSAs to `groups`: an array of {reason, text, sas, example}, of
 * which the text and the SPI are those of the first SA. Only SAs whose reason is `lasting` are
 * counted, not those that wait for a slot or are in one. -EBADMSG, -ENOMEM. */
int groups_add(json_t *groups, const json_t *reply);
