/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The attributes of an SA that this version knows, in one table: the facts in each, and whether it
 * is copied when the SA is written again. For what the kernel shows and accepts see its
 * xfrm_user.c: copy_to_user_state_extra() and xfrm_state_construct().
 *
 * An SA with an attribute that is not in the table, or that has another size there, is never moved,
 * since a move might lose the meaning of that attribute.
 */
#pragma once

#include "sa/facts.h"

enum sa_attribute_copy {
	_SA_ATTRIBUTE_UNKNOWN, /* of types that the table leaves out */
	SA_ATTRIBUTE_COPIED,   /* unchanged */
	SA_ATTRIBUTE_DROPPED,
	SA_ATTRIBUTE_REPEATED, /* dropped if there is XFRMA_ALG_AUTH_TRUNC, else copied */
};

struct sa_attribute {
	enum sa_attribute_copy copy;
	size_t size; /* bytes; an attribute with less data is not read */
	/* Reads its facts; NULL: it has none. */
	void (*read)(struct sa_facts *facts, const void *data, size_t size);
	bool variable; /* `size` is the least: an array follows */
	bool key;      /* an algorithm with its key */
};

/* NULL: this version does not know the type. */
const struct sa_attribute *sa_attribute_find(uint16_t type);
