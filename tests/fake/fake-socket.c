// SPDX-License-Identifier: GPL-2.0-or-later
/* The interface: struct kernel_ops on the model, with hooks and faults at every step. */
#include "fake-internal.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void run_hook(struct fake_kernel *k, enum fake_moment moment)
{
	unsigned step = k->step++;

	if (k->hook)
		k->hook(k, moment, step, k->hook_userdata);
}

/* Only the daemon's messages call the hook. */
void fake_moment_within(const struct fake_request *request)
{
	if (request->port != FAKE_IKE_PORT)
		run_hook(request->k, FAKE_WITHIN_MESSAGE);
}

/* ---- Events ---- */

static void free_events(struct fake_socket *s)
{
	struct fake_message *next;

	for (struct fake_message *m = s->events; m; m = next) {
		next = m->next;
		free(m);
	}
	s->events = NULL;
	s->events_end = &s->events;
	s->n_events = 0;
}

static void signal_event(struct fake_socket *s)
{
	if (s->event_fd >= 0)
		(void)eventfd_write(s->event_fd, 1);
}

/* netlink_overrun(): the receive buffer is full; nothing is added until it was emptied. */
static void overrun(struct fake_socket *s)
{
	if (s->congested)
		return;
	s->overrun = true;
	s->congested = true;
	signal_event(s);
}

void fake_broadcast(struct fake_kernel *k, const struct nlmsghdr *message)
{
	for (struct fake_socket *s = k->sockets; s; s = s->next) {
		struct fake_message *m;

		if (s->congested || s->n_events >= k->config.event_queue) {
			overrun(s);
			continue;
		}
		m = fake_allocate(offsetof(struct fake_message, header) +
				  NLMSG_ALIGN(message->nlmsg_len));
		memcpy(&m->header, message, message->nlmsg_len);
		*s->events_end = m;
		s->events_end = &m->next;
		s->n_events++;
		signal_event(s);
	}
}

void fake_kernel_overrun(struct fake_kernel *k)
{
	for (struct fake_socket *s = k->sockets; s; s = s->next) {
		free_events(s);
		s->congested = false;
		overrun(s);
	}
}

static int fake_receive_events(struct kernel *kernel, kernel_handler handler, void *userdata)
{
	struct fake_socket *s = (struct fake_socket *)kernel;
	int r = 0;

	if (s->overrun) {
		s->overrun = false;
		return -ENOBUFS;
	}
	while (r >= 0 && s->events) {
		_cleanup_free_ struct fake_message *m = s->events;

		s->events = m->next;
		if (!s->events)
			s->events_end = &s->events;
		s->n_events--;
		r = handler(&m->header, m->header.nlmsg_pid == s->port, userdata);
	}
	if (!s->events) {
		eventfd_t value;

		s->congested = false;
		if (s->event_fd >= 0)
			(void)eventfd_read(s->event_fd, &value);
	}
	return r < 0 ? r : 0;
}

/* ---- Transactions ---- */

/* The outcome of one message of a buffer. */
struct outcome {
	struct fake_buffer answers;
	struct kernel_answer answer;
	bool lost;
};

/* Counts the message; must be called once for each message. */
static bool fault_strikes(struct fake_kernel *k, uint16_t type)
{
	const struct fake_fault *fault = &k->fault;
	bool is_of_type = !fault->type || fault->type == type;
	unsigned count = fault->count ? fault->count : fault->onward ? UINT_MAX : 1;

	k->fault_seen += is_of_type;
	if (k->fault_seen <= fault->occurrence || !(is_of_type || fault->onward) ||
	    k->fault_count == count)
		return false;
	if (k->fault_count++ == 0)
		k->struck = type;
	return true;
}

static bool is_of_buffers(enum fake_fault_kind kind)
{
	return kind == FAKE_FAULT_SEND || kind == FAKE_FAULT_RECEIVE;
}

static bool fault_in_buffer(struct fake_kernel *k, enum fake_fault_kind kind,
			    const struct kernel_batch *batch)
{
	const struct nlmsghdr *message;
	bool strikes = false;
	size_t offset = 0;

	if (k->fault.kind != kind)
		return false;
	while ((message = fake_message_at(batch->buffer, batch->used, &offset)))
		strikes |= fault_strikes(k, message->nlmsg_type);
	return strikes;
}

/* For buffers the message was counted already. */
static enum fake_fault_kind fault_of_message(struct fake_kernel *k, uint16_t type)
{
	enum fake_fault_kind kind = k->fault.kind;

	if (kind == FAKE_FAULT_NONE || is_of_buffers(kind) || !fault_strikes(k, type))
		return FAKE_FAULT_NONE;
	return kind;
}

static void count_message(struct fake_kernel *k, uint16_t type)
{
	k->messages[0]++;
	if (type < ELEMENTSOF(k->messages))
		k->messages[type]++;
	k->last_message = type;
}

static void count_buffer(struct fake_kernel *k, const struct kernel_batch *batch)
{
	const struct nlmsghdr *message;

	for (size_t offset = 0; (message = fake_message_at(batch->buffer, batch->used, &offset));)
		count_message(k, message->nlmsg_type);
}

static void carry_out(struct fake_socket *s, const struct nlmsghdr *message,
		      struct outcome *outcome)
{
	struct fake_kernel *k = s->fake;
	enum fake_fault_kind fault = fault_of_message(k, message->nlmsg_type);
	_cleanup_free_ struct nlmsghdr *copy = fake_allocate(NLMSG_ALIGN(message->nlmsg_len));
	struct fake_request request = {
		.k = k,
		.message = copy,
		.port = s->port,
		.lose_notes = fault == FAKE_FAULT_LOSE_NOTE,
		.answers = &outcome->answers,
	};

	memcpy(copy, message, message->nlmsg_len);
	count_message(k, message->nlmsg_type);
	if (fault == FAKE_FAULT_REFUSE) {
		outcome->answer.error = k->fault.error;
		(void)snprintf(outcome->answer.text, sizeof(outcome->answer.text), "%s",
			       k->fault.text ? k->fault.text : "");
		fake_refuse(&request);
		return;
	}
	if (k->filter && !k->filter(copy, k->filter_userdata)) {
		outcome->answer.error = 0;
		return;
	}
	outcome->answer.error = fake_process(&request);
	memcpy(outcome->answer.text, request.text, sizeof(request.text));
	outcome->lost = fault == FAKE_FAULT_LOSE_ANSWER;
}

/* daemon/xfrm/netlink.c joins the group SA only for a buffer with a DELSA. */
static bool wants_notes(const struct kernel_batch *batch)
{
	const struct nlmsghdr *message;

	for (size_t offset = 0; (message = fake_message_at(batch->buffer, batch->used, &offset));)
		if (message->nlmsg_type == XFRM_MSG_DELSA)
			return true;
	return false;
}

static bool is_note(const struct nlmsghdr *answer, const struct nlmsghdr *request)
{
	if (request->nlmsg_type == XFRM_MSG_GETSA || request->nlmsg_type == XFRM_MSG_ALLOCSPI)
		return false;
	return answer->nlmsg_type == XFRM_MSG_NEWSA || answer->nlmsg_type == XFRM_MSG_UPDSA ||
	       answer->nlmsg_type == XFRM_MSG_DELSA || answer->nlmsg_type == XFRM_MSG_FLUSHSA;
}

static int hand_over(const struct outcome *outcome, const struct nlmsghdr *request, bool joined,
		     kernel_handler handler, void *userdata)
{
	const struct fake_buffer *answers = &outcome->answers;
	const struct nlmsghdr *message;
	size_t offset = 0;

	while (handler && (message = fake_message_at(answers->data, answers->used, &offset))) {
		int r;

		if (is_note(message, request) && !joined)
			continue;
		r = handler(message, true, userdata);
		if (r < 0)
			return r;
	}
	return 0;
}

static void number_messages(struct fake_socket *s, struct kernel_batch *batch)
{
	struct nlmsghdr *message;

	for (size_t offset = 0; (message = fake_message_at(batch->buffer, batch->used, &offset));) {
		message->nlmsg_seq = ++s->sequence;
		message->nlmsg_pid = s->port;
	}
	for (unsigned i = 0; i < batch->n; i++)
		batch->answers[i] = (struct kernel_answer){.error = -ETIMEDOUT};
}

/* netlink_rcv_skb(): processes all messages, also after an error. */
static void process_buffer(struct fake_socket *s, struct kernel_batch *batch,
			   struct outcome *outcomes)
{
	const struct nlmsghdr *message;
	size_t offset = 0;

	for (unsigned i = 0; i < batch->n; i++) {
		message = fake_message_at(batch->buffer, batch->used, &offset);
		if (!message)
			return;
		run_hook(s->fake, FAKE_BEFORE_MESSAGE);
		carry_out(s, message, &outcomes[i]);
	}
}

static int collect(struct kernel_batch *batch, const struct outcome *outcomes,
		   kernel_handler handler, void *userdata)
{
	const struct nlmsghdr *message;
	bool joined = wants_notes(batch);
	size_t offset = 0;
	int r;

	for (unsigned i = 0; i < batch->n; i++) {
		message = fake_message_at(batch->buffer, batch->used, &offset);
		if (!message || outcomes[i].lost)
			return -ETIMEDOUT;
		r = hand_over(&outcomes[i], message, joined, handler, userdata);
		if (r < 0)
			return r;
		batch->answers[i] = outcomes[i].answer;
	}
	return 0;
}

static int transact(struct fake_socket *s, struct kernel_batch *batch, struct outcome *outcomes,
		    kernel_handler handler, void *userdata)
{
	struct fake_kernel *k = s->fake;
	bool lose;

	run_hook(k, FAKE_BEFORE_TRANSACT);
	if (s->dead)
		return -ESHUTDOWN;
	if (fault_in_buffer(k, FAKE_FAULT_SEND, batch)) {
		count_buffer(k, batch);
		return k->fault.error;
	}
	lose = fault_in_buffer(k, FAKE_FAULT_RECEIVE, batch);
	process_buffer(s, batch, outcomes);
	run_hook(k, FAKE_AFTER_TRANSACT);
	if (s->dead)
		return -ESHUTDOWN;
	if (lose)
		return k->fault.error;
	return collect(batch, outcomes, handler, userdata);
}

static int fake_transact(struct kernel *kernel, struct kernel_batch *batch, kernel_handler handler,
			 void *userdata)
{
	struct fake_socket *s = (struct fake_socket *)kernel;
	struct outcome outcomes[KERNEL_BATCH_MESSAGES] = {};
	int r;

	if (batch->overflow)
		return -EMSGSIZE;
	number_messages(s, batch);
	r = transact(s, batch, outcomes, handler, userdata);
	for (unsigned i = 0; i < ELEMENTSOF(outcomes); i++)
		fake_buffer_release(&outcomes[i].answers);
	return r;
}

/* Returns the error of this dump, 0: it does not fail. */
static int take_dump_fault(struct fake_kernel *k, bool *ret_halfway)
{
	if (k->dump_fault.count == 0)
		return 0;
	k->dump_fault.count--;
	*ret_halfway = k->dump_fault.halfway;
	return k->dump_fault.error;
}

/* Only the first half is shown. */
static void cut(struct fake_buffer *b)
{
	size_t offset = 0, n = 0;

	while (fake_message_at(b->data, b->used, &offset))
		n++;
	offset = 0;
	for (size_t i = 0; i < n / 2; i++)
		(void)fake_message_at(b->data, b->used, &offset);
	b->used = offset;
}

static int hand_over_all(const struct fake_buffer *b, kernel_handler handler, void *userdata)
{
	const struct nlmsghdr *message;
	size_t offset = 0;
	int r = 0;

	while (r >= 0 && (message = fake_message_at(b->data, b->used, &offset)))
		r = handler(message, true, userdata);
	return r;
}

static int dump_policies(struct fake_socket *s, kernel_handler handler, void *userdata)
{
	struct fake_buffer b = {};
	bool halfway = false;
	int r, error;

	run_hook(s->fake, FAKE_BEFORE_TRANSACT);
	if (s->dead)
		return -ESHUTDOWN;
	s->sequence++;
	error = take_dump_fault(s->fake, &halfway);
	fake_policies_dump(s->fake, &b, s->sequence, s->port);
	if (error && halfway)
		cut(&b);
	else if (error)
		b.used = 0;
	r = hand_over_all(&b, handler, userdata);
	fake_buffer_release(&b);
	return r < 0 ? r : error;
}

static unsigned count_sas(const struct fake_kernel *k)
{
	unsigned n = 0;

	for (const struct fake_sa *sa = k->sas; sa; sa = sa->next)
		n++;
	return n;
}

/* netlink_dump(): prepares the next part. */
static void fill(struct fake_socket *s, struct fake_walk *walk)
{
	for (unsigned i = 0; i < walk->part && walk->next && walk->left > 0; i++) {
		fake_emit_state(s->fake, &walk->waiting, walk->next, s->sequence, s->port,
				NLM_F_MULTI);
		walk->next = walk->next->next;
		walk->left--;
	}
}

static void end_walk(struct fake_walk *walk)
{
	fake_buffer_release(&walk->waiting);
	*walk = (struct fake_walk){};
}

static int begin_walk(struct fake_socket *s, struct fake_walk *walk, unsigned part)
{
	struct fake_kernel *k = s->fake;
	bool halfway = false;

	end_walk(walk);
	run_hook(k, FAKE_BEFORE_TRANSACT);
	if (s->dead)
		return -ESHUTDOWN;
	s->sequence++;
	k->dumps++;
	*walk = (struct fake_walk){.part = part, .next = k->sas, .left = UINT_MAX};
	walk->error = take_dump_fault(k, &halfway);
	if (walk->error)
		walk->left = halfway ? count_sas(k) / 2 : 0;
	fill(s, walk);
	return 0;
}

static int read_walk(struct fake_socket *s, struct fake_walk *walk, kernel_handler handler,
		     void *userdata)
{
	struct fake_buffer b = walk->waiting;
	int r = s->dead ? -ESHUTDOWN : walk->part == 0 ? -ESTALE : 0;

	walk->waiting = (struct fake_buffer){};
	/* netlink_recvmsg(): before this part is handled. */
	fill(s, walk);
	if (r >= 0)
		r = hand_over_all(&b, handler, userdata);
	fake_buffer_release(&b);
	if (r >= 0 && walk->waiting.used > 0)
		return 1;
	r = r < 0 ? r : walk->error;
	end_walk(walk);
	return r;
}

static int fake_dump_begin(struct kernel *kernel)
{
	struct fake_socket *s = (struct fake_socket *)kernel;
	unsigned part = s->fake->config.dump_part;

	return begin_walk(s, &s->parts, part ? part : UINT_MAX);
}

static int fake_dump_read(struct kernel *kernel, kernel_handler handler, void *userdata)
{
	struct fake_socket *s = (struct fake_socket *)kernel;

	return read_walk(s, &s->parts, handler, userdata);
}

static int fake_dump(struct kernel *kernel, uint16_t type, kernel_handler handler, void *userdata)
{
	struct fake_socket *s = (struct fake_socket *)kernel;
	int r;

	if (type == XFRM_MSG_GETPOLICY)
		return dump_policies(s, handler, userdata);
	r = begin_walk(s, &s->whole, UINT_MAX);
	return r < 0 ? r : read_walk(s, &s->whole, handler, userdata);
}

/* Whether the wait that begins now waits. */
static bool waits(struct fake_socket *s)
{
	return !s->dead && ++s->fake->waits != s->fake->config.broken_wait;
}

static void fake_wait_for_lookups(struct kernel *kernel)
{
	struct fake_socket *s = (struct fake_socket *)kernel;

	if (!waits(s))
		return;
	fake_kernel_end_lookup(s->fake);
	(void)fake_kernel_end_packet(s->fake); /* the packet is received under rcu_read_lock() */
}

static void fake_begin_wait(struct kernel *kernel)
{
	struct fake_socket *s = (struct fake_socket *)kernel;

	s->waiting = waits(s);
	s->fake->held.awaited = s->fake->inside.awaited = s->waiting;
}

static bool fake_is_waiting(struct kernel *kernel)
{
	return ((struct fake_socket *)kernel)->waiting;
}

static void end_wait(struct fake_socket *s)
{
	if (!s->waiting)
		return;
	s->waiting = false;
	if (s->fake->held.awaited)
		fake_kernel_end_lookup(s->fake);
	if (s->fake->inside.awaited)
		(void)fake_kernel_end_packet(s->fake);
}

bool fake_kernel_is_waiting(const struct fake_kernel *k)
{
	for (const struct fake_socket *s = k->sockets; s; s = s->next)
		if (s->waiting)
			return true;
	return false;
}

void fake_kernel_end_wait(struct fake_kernel *k)
{
	for (struct fake_socket *s = k->sockets; s; s = s->next)
		end_wait(s);
	run_hook(k, FAKE_WAITED);
}

/* Created on demand: most users of a socket do not poll. */
static int fake_event_fd(struct kernel *kernel)
{
	struct fake_socket *s = (struct fake_socket *)kernel;

	if (s->event_fd >= 0)
		return s->event_fd;
	s->event_fd = eventfd(s->events || s->overrun, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->event_fd < 0)
		abort();
	return s->event_fd;
}

static struct kernel *fake_close(struct kernel *kernel)
{
	struct fake_socket *s = (struct fake_socket *)kernel;

	for (struct fake_socket **p = &s->fake->sockets; *p; p = &(*p)->next)
		if (*p == s) {
			*p = s->next;
			break;
		}
	free_events(s);
	end_walk(&s->whole);
	end_walk(&s->parts);
	if (s->event_fd >= 0)
		(void)close(s->event_fd);
	free(s);
	return NULL;
}

static const struct kernel_ops fake_ops = {
	.transact = fake_transact,
	.dump = fake_dump,
	.dump_begin = fake_dump_begin,
	.dump_read = fake_dump_read,
	.wait_for_lookups = fake_wait_for_lookups,
	.begin_wait = fake_begin_wait,
	.is_waiting = fake_is_waiting,
	.receive_events = fake_receive_events,
	.event_fd = fake_event_fd,
	.free = fake_close,
};

int fake_kernel_open(struct fake_kernel *k, struct kernel **ret_kernel)
{
	struct fake_socket *s = fake_allocate(sizeof(*s));

	s->event_fd = -1;
	s->kernel.ops = &fake_ops;
	s->fake = k;
	s->port = k->next_port++;
	s->events_end = &s->events;
	s->next = k->sockets;
	k->sockets = s;
	*ret_kernel = &s->kernel;
	return 0;
}

void fake_kernel_kill(struct fake_kernel *k)
{
	for (struct fake_socket *s = k->sockets; s; s = s->next) {
		s->dead = true;
		s->waiting = false;
	}
}
