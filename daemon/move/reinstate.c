// SPDX-License-Identifier: GPL-2.0-or-later
#include "move/reinstate.h"

#include <errno.h>
#include <string.h>

/* A larval SA can appear or expire between two exchanges. Each round chooses NEWSA or UPDSA by what
 * the lookup before it found. */
#define ROUNDS_MAX 3

/* What the kernel has with this identity. */
enum presence {
	PRESENCE_NONE,
	PRESENCE_LARVAL,
	PRESENCE_REAL,
	PRESENCE_UNKNOWN,
};

struct item {
	size_t index;
	struct sa_id id;
	enum presence presence;
};

struct lookup {
	struct item *items;
	size_t n;
};

static int note_presence(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct lookup *lookup = userdata;
	struct sa_facts facts;

	(void)own; /* kernel_transact() passes only its own messages */
	if (message->nlmsg_type != XFRM_MSG_NEWSA || sa_facts_read(message, &facts) < 0)
		return 0;
	for (size_t i = 0; i < lookup->n; i++)
		if (memcmp(&lookup->items[i].id, &facts.description.id, sizeof(struct sa_id)) == 0)
			lookup->items[i].presence = facts.hands_off == HANDS_OFF_LARVAL
							    ? PRESENCE_LARVAL
							    : PRESENCE_REAL;
	return 0;
}

/* NEWSA, or UPDSA where a larval SA has the identity. */
static void write_all(struct kernel *kernel, struct kernel_batch *batch,
		      const struct sa_image *const *images, struct item *items, size_t n)
{
	static const struct sa_offload software = {};

	for (size_t i = 0; i < n; i++)
		sa_image_write(images[items[i].index], batch,
			       items[i].presence == PRESENCE_LARVAL ? XFRM_MSG_UPDSA
								    : XFRM_MSG_NEWSA,
			       &software);
	(void)kernel_transact(kernel, batch, NULL, NULL);
}

static void look(struct kernel *kernel, struct kernel_batch *batch, struct item *items, size_t n)
{
	struct lookup lookup = {.items = items, .n = n};

	for (size_t i = 0; i < n; i++) {
		items[i].presence = PRESENCE_UNKNOWN;
		sa_id_write(&items[i].id, batch, XFRM_MSG_GETSA);
	}
	(void)kernel_transact(kernel, batch, note_presence, &lookup);
	for (size_t i = 0; i < n; i++)
		if (batch->answers[i].error == -ESRCH)
			items[i].presence = PRESENCE_NONE;
}

/* Drops the settled items. Returns how many are left. */
static size_t settle_answers(const struct kernel_batch *batch, struct item *items, size_t n,
			     enum reinstatement *results)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		results[items[i].index] =
			batch->answers[i].error == 0 ? REINSTATED : REINSTATE_FAILED;
		/* There is an SA (EEXIST), or the larval SA is gone (ESRCH), or the answer is
		 * unknown. */
		if (batch->answers[i].error == -EEXIST || batch->answers[i].error == -ESRCH ||
		    batch->answers[i].error == -ETIMEDOUT)
			items[left++] = items[i];
	}
	return left;
}

static size_t settle_presence(struct item *items, size_t n, enum reinstatement *results)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++)
		if (items[i].presence == PRESENCE_REAL)
			results[items[i].index] = REINSTATE_ALIVE;
		else if (items[i].presence != PRESENCE_UNKNOWN)
			items[left++] = items[i];
	return left;
}

static void reinstate_some(struct kernel *kernel, struct kernel_batch *batch,
			   const struct sa_image *const *images, struct item *items, size_t n,
			   enum reinstatement *results)
{
	for (unsigned round = 0; n > 0; round++) {
		kernel_batch_clear(batch);
		write_all(kernel, batch, images, items, n);
		n = settle_answers(batch, items, n, results);
		if (round == ROUNDS_MAX || n == 0)
			break;
		kernel_batch_clear(batch);
		look(kernel, batch, items, n);
		n = settle_presence(items, n, results);
	}
	kernel_batch_clear(batch);
}

void reinstate(struct kernel *kernel, struct kernel_batch *batch,
	       const struct sa_image *const *images, size_t n, enum reinstatement *results)
{
	for (size_t i = 0; i < n;) {
		struct item items[KERNEL_BATCH_MESSAGES];
		size_t used = 0, count = 0;

		while (i < n && count < KERNEL_BATCH_MESSAGES &&
		       (count == 0 || used + images[i]->size + 1024 < KERNEL_BATCH_SIZE)) {
			used += images[i]->size + 1024;
			items[count++] = (struct item){.index = i, .id = sa_image_id(images[i])};
			i++;
		}
		reinstate_some(kernel, batch, images, items, count, results);
	}
}
