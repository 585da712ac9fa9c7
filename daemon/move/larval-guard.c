// SPDX-License-Identifier: GPL-2.0-or-later
#include "larval-guard.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define ATTEMPTS_MAX 3

bool guards_has(const struct guards *guards, const struct sa_id *id)
{
	for (size_t i = 0; i < guards->n_guarded; i++)
		if (memcmp(&guards->guarded[i], id, sizeof(*id)) == 0)
			return true;
	return false;
}

void guards_forget_expired(struct guards *guards, struct kernel *kernel, struct kernel_batch *batch)
{
	size_t kept = 0;

	for (size_t first = 0; first < guards->n_larvals; first += KERNEL_BATCH_MESSAGES) {
		kernel_batch_clear(batch);
		for (size_t i = first; i < guards->n_larvals && i - first < KERNEL_BATCH_MESSAGES;
		     i++)
			sa_id_write(&guards->larvals[i], batch, XFRM_MSG_GETSA);
		(void)kernel_transact(kernel, batch, NULL, NULL);
		for (unsigned i = 0; i < batch->n; i++)
			if (batch->answers[i].error != -ESRCH)
				guards->larvals[kept++] = guards->larvals[first + i];
	}
	kernel_batch_clear(batch);
	/* It is not known which SA each guard belonged to. */
	if (kept < guards->n_larvals)
		guards->n_guarded = 0;
	guards->n_larvals = kept;
}

static int handle_larval(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct guards *guards = userdata;
	struct sa_facts facts;

	(void)own; /* kernel_transact() passes only its own messages */
	if (message->nlmsg_type != XFRM_MSG_NEWSA || sa_facts_read(message, &facts) < 0 ||
	    !sa_image_is_guard(&facts))
		return 0;
	if (guards->n_larvals < ELEMENTSOF(guards->larvals))
		guards->larvals[guards->n_larvals++] = facts.description.id;
	else
		guards->lost = true;
	return 0;
}

static void make_larvals(struct guards *guards, struct kernel *kernel, struct kernel_batch *batch)
{
	(void)kernel_transact(kernel, batch, handle_larval, guards);
	for (unsigned i = 0; i < batch->n; i++)
		guards->lost |= batch->answers[i].error == -ETIMEDOUT;
}

int guards_add(struct guards *guards, struct kernel *kernel, struct kernel_batch *batch,
	       const struct sa_image *const *images, size_t n)
{
	int r = 0;

	if (n > GUARDED_MAX - guards->n_guarded)
		return -ENOSPC;
	kernel_batch_clear(batch);
	for (size_t i = 0; i < n; i++)
		sa_image_write_guard(images[i], batch, SA_GUARD_SPI_MIN, SA_GUARD_SPI_MAX);
	make_larvals(guards, kernel, batch);
	for (size_t i = 0; i < n; i++)
		if (batch->answers[i].error == 0)
			guards->guarded[guards->n_guarded++] = sa_image_id(images[i]);
		else
			r = batch->answers[i].error;
	kernel_batch_clear(batch);
	return r;
}

struct capture {
	struct secret_arena *arena;
	struct sa_image images[GUARDED_MAX];
	size_t n;
};

static int capture_movable(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct capture *capture = userdata;
	struct sa_facts facts;

	(void)own;
	if (message->nlmsg_type == XFRM_MSG_NEWSA && capture->n < GUARDED_MAX &&
	    sa_facts_read(message, &facts) == 0 && facts.hands_off == HANDS_OFF_NONE &&
	    sa_image_capture(&capture->images[capture->n], capture->arena, message) == 0)
		capture->n++;
	return 0;
}

void guards_add_by_id(struct guards *guards, struct kernel *kernel, struct secret_arena *arena,
		      struct kernel_batch *batch, const struct sa_id *ids, size_t n)
{
	struct capture capture = {.arena = arena};
	const struct sa_image *images[GUARDED_MAX];

	kernel_batch_clear(batch);
	for (size_t i = 0; i < n && i < GUARDED_MAX; i++)
		sa_id_write(&ids[i], batch, XFRM_MSG_GETSA);
	(void)kernel_transact(kernel, batch, capture_movable, &capture);
	for (size_t i = 0; i < capture.n; i++)
		images[i] = &capture.images[i];
	if (capture.n > 0)
		(void)guards_add(guards, kernel, batch, images, capture.n);
	for (size_t i = 0; i < capture.n; i++)
		sa_image_wipe(&capture.images[i]);
	kernel_batch_clear(batch);
}

void guards_take_leftover(struct guards *guards, struct kernel *kernel, struct kernel_batch *batch,
			  const struct sa_image *image)
{
	int r = -EAGAIN;

	for (unsigned attempt = 0; attempt < ATTEMPTS_MAX && r < 0; attempt++) {
		kernel_batch_clear(batch);
		sa_image_write_larval(image, batch, SA_GUARD_SPI_MIN, SA_GUARD_SPI_MAX);
		make_larvals(guards, kernel, batch);
		r = batch->answers[0].error;
	}
	kernel_batch_clear(batch);
}

/* A larval SA that cannot be deleted expires later. */
static void delete_larvals(struct kernel *kernel, struct kernel_batch *batch,
			   const struct sa_id *ids, size_t n)
{
	for (size_t first = 0; first < n; first += KERNEL_BATCH_MESSAGES) {
		bool unknown = true;

		for (unsigned attempt = 0; attempt < ATTEMPTS_MAX && unknown; attempt++) {
			unknown = false;
			kernel_batch_clear(batch);
			for (size_t i = first; i < n && i - first < KERNEL_BATCH_MESSAGES; i++)
				sa_id_write(&ids[i], batch, XFRM_MSG_DELSA);
			(void)kernel_transact(kernel, batch, NULL, NULL);
			for (unsigned i = 0; i < batch->n; i++)
				unknown |= batch->answers[i].error < 0 &&
					   batch->answers[i].error != -ESRCH;
		}
	}
	kernel_batch_clear(batch);
}

void guards_delete(struct kernel *kernel, struct kernel_batch *batch, const struct sa_id *id)
{
	delete_larvals(kernel, batch, id, 1);
}

/* Only an SA with an SPI can be deleted, so the witness is given one. */
static void remove_witness(struct guards *guards, struct kernel *kernel, struct kernel_batch *batch)
{
	struct guards left = {};
	int r = -EAGAIN;

	for (unsigned attempt = 0; attempt < ATTEMPTS_MAX && r < 0; attempt++) {
		kernel_batch_clear(batch);
		sa_image_write_witness(batch, SA_GUARD_SPI_MIN, SA_GUARD_SPI_MAX);
		make_larvals(&left, kernel, batch);
		r = batch->answers[0].error;
	}
	guards->lost |= left.lost;
	delete_larvals(kernel, batch, left.larvals, left.n_larvals);
}

void guards_remove_witness(struct guards *guards, struct kernel *kernel, struct kernel_batch *batch)
{
	if (guards->witness)
		remove_witness(guards, kernel, batch);
	guards->witness = false;
}

void guards_remove(struct guards *guards, struct kernel *kernel, struct kernel_batch *batch)
{
	bool lost = false;

	if (guards->n_larvals > 0)
		delete_larvals(kernel, batch, guards->larvals, guards->n_larvals);
	if (guards->lost)
		lost = guards_sweep(kernel, batch) < 0;
	*guards = (struct guards){.lost = lost};
}

struct leftovers {
	struct sa_id
		ids[SA_GUARD_SPI_MAX]; /* there may be more: an SPI may exist once per address */
	size_t n;
	bool witness; /* without an SPI */
};

static int find_leftover(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct leftovers *left = userdata;
	struct sa_facts facts;

	(void)own;
	if (left->n == ELEMENTSOF(left->ids) || sa_facts_read(message, &facts) < 0)
		return 0;
	if (sa_image_is_witness(&facts) && facts.description.id.spi == 0)
		left->witness = true;
	else if (sa_image_is_witness(&facts) || sa_image_is_guard(&facts))
		left->ids[left->n++] = facts.description.id;
	return 0;
}

int guards_sweep(struct kernel *kernel, struct kernel_batch *batch)
{
	struct leftovers left = {};
	struct guards guards = {};
	int r;

	r = kernel_dump(kernel, XFRM_MSG_GETSA, find_leftover, &left);
	if (left.witness)
		remove_witness(&guards, kernel, batch);
	if (left.n > 0) {
		kernel_wait_for_lookups(kernel);
		delete_larvals(kernel, batch, left.ids, left.n);
	}
	return r < 0 ? r : 0;
}
