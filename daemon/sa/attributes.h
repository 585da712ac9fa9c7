/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The attributes of an SA that this version knows, in one table: what they tell, and what becomes
 * of them when the SA is written again. What the kernel shows and what it honours is in its
 * xfrm_user.c: copy_to_user_state_extra() and xfrm_state_construct().
 *
 * An attribute that is not in the table makes the SA untouchable: its meaning might not survive a
 * move.
 */
#pragma once

#include "sa/facts.h"

enum sa_attribute_copy {
	_SA_ATTRIBUTE_UNKNOWN, /* of types that the table leaves out */
	SA_ATTRIBUTE_COPIED,   /* as it is */
	SA_ATTRIBUTE_DROPPED,
	SA_ATTRIBUTE_REPEATED, /* dropped beside XFRMA_ALG_AUTH_TRUNC, else copied */
};

struct sa_attribute {
	enum sa_attribute_copy copy;
	size_t size; /* one with less data is not read */
	/* Takes over what facts are in it; NULL: none. */
	void (*read)(struct sa_facts *facts, const void *data, size_t size);
};

/* NULL: this version does not know the type. */
const struct sa_attribute *sa_attribute_find(uint16_t type);
