// SPDX-License-Identifier: GPL-2.0-or-later
#include "cover.h"

#include <errno.h>
#include <netinet/in.h>

/* Reserved by IANA (RFC 4303, 2.1). */
#define COVER_SPI_MIN 1
#define COVER_SPI_MAX 255
#define ATTEMPTS_MAX 3
/* As many as one sweep takes away: there is one move at a time, and it leaves one at most. */
#define SWEEP_MAX KERNEL_BATCH_MESSAGES

static bool is_cover(const struct sa_facts *facts)
{
	const struct sa_id *id = &facts->description.id;

	return facts->hands_off == HANDS_OFF_LARVAL && id->protocol == IPPROTO_ESP &&
	       id->spi >= COVER_SPI_MIN && id->spi <= COVER_SPI_MAX;
}

unsigned cover_write(const struct cover *cover, const struct sa_image *image,
		     struct kernel_batch *batch)
{
	if (cover->id.spi != 0)
		return 0;
	sa_image_write_larval(image, batch, COVER_SPI_MIN, COVER_SPI_MAX);
	return 1;
}

void cover_take(struct cover *cover, const struct nlmsghdr *message)
{
	struct sa_facts facts;

	if (message->nlmsg_type == XFRM_MSG_NEWSA && sa_facts_read(message, &facts) == 0 &&
	    is_cover(&facts))
		cover->id = facts.description.id;
}

void cover_note(struct cover *cover, unsigned n, const struct kernel_batch *batch)
{
	if (n > 0 && batch->answers[0].error == -ETIMEDOUT)
		cover->lost = true;
}

void cover_remove(struct cover *cover, struct kernel *kernel, struct kernel_batch *batch)
{
	int r = cover->id.spi != 0 ? -EAGAIN : 0;

	for (unsigned i = 0; i < ATTEMPTS_MAX && r < 0 && r != -ESRCH; i++) {
		kernel_batch_clear(batch);
		sa_id_write(&cover->id, batch, XFRM_MSG_DELSA);
		r = kernel_transact(kernel, batch, NULL, NULL);
		if (r >= 0)
			r = batch->answers[0].error;
	}
	if (cover->lost)
		cover_sweep(kernel, batch);
	kernel_batch_clear(batch);
	*cover = (struct cover){};
}

struct leftovers {
	struct sa_id ids[SWEEP_MAX];
	size_t n;
};

static int find_leftover(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct leftovers *left = userdata;
	struct sa_facts facts;

	(void)own;
	if (left->n < SWEEP_MAX && sa_facts_read(message, &facts) == 0 && is_cover(&facts))
		left->ids[left->n++] = facts.description.id;
	return 0;
}

void cover_sweep(struct kernel *kernel, struct kernel_batch *batch)
{
	struct leftovers left = {};

	/* What is not found now expires. */
	(void)kernel->ops->dump(kernel, XFRM_MSG_GETSA, find_leftover, &left);
	kernel_batch_clear(batch);
	for (size_t i = 0; i < left.n; i++)
		sa_id_write(&left.ids[i], batch, XFRM_MSG_DELSA);
	if (left.n > 0)
		(void)kernel_transact(kernel, batch, NULL, NULL);
	kernel_batch_clear(batch);
}
