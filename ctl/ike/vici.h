/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * strongSwan's vici protocol, as far as it names SAs: what is sent to charon, and its answer.
 *
 * Debian has libvici only in the private folder of strongSwan, without headers, and it waits for
 * answers without a limit. The protocol is in strongSwan's src/libcharon/plugins/vici/README.md.
 */
#pragma once

#include "ike/names.h"

/* The largest packet of charon (VICI_MESSAGE_SIZE_MAX), and the length before it. */
#define VICI_PACKET_MAX (4 + 512ul * 1024)

/* All that is sent: register for the event list-sa, then the command list-sas. */
const char *vici_request(size_t *ret_size);

/*
 * Reads the complete packets of `data` and adds the names of their SAs. Sets how many bytes were
 * used; the rest is to be offered again, with what follows it. Returns 1 if the answer is complete,
 * 0 if more follows, -EBADMSG if it is not an answer, or a negative errno of ike_names_add().
 */
int vici_read(struct ike_names *names, const char *data, size_t size, size_t *ret_used);
