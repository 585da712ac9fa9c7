// SPDX-License-Identifier: GPL-2.0-or-later
/* The daemon's reading of policies. */
#include "failing.h"
#include "fake-bench.h"
#include "sa/spd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* The program is linked with --wrap of these. */
static unsigned arrays; /* allocated and not freed */

void *__real_reallocarray(void *pointer, size_t n, size_t size);
void *__wrap_reallocarray(void *pointer, size_t n, size_t size);

void *__wrap_reallocarray(void *pointer, size_t n, size_t size)
{
	if (failing_now())
		return NULL;
	arrays += !pointer;
	return __real_reallocarray(pointer, n, size);
}

void __real_free(void *pointer);
void __wrap_free(void *pointer);

void __wrap_free(void *pointer)
{
	arrays -= arrays > 0 && pointer;
	__real_free(pointer);
}

/* Builds the message of a policy. */
struct message {
	struct nlmsghdr header;
	uint8_t rest[2048];
};

static struct message begin(uint16_t type, const void *fixed, size_t size)
{
	struct message m = {.header = {.nlmsg_len = NLMSG_LENGTH(size), .nlmsg_type = type}};

	memcpy(NLMSG_DATA(&m.header), fixed, size);
	return m;
}

static void attribute(struct message *m, uint16_t type, const void *data, size_t size)
{
	struct nlattr *a = (void *)((uint8_t *)m + NLMSG_ALIGN(m->header.nlmsg_len));

	*a = (struct nlattr){.nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = type};
	memcpy(a + 1, data, size);
	m->header.nlmsg_len = NLMSG_ALIGN(m->header.nlmsg_len) + NLA_ALIGN(a->nla_len);
}

/* The only attribute of a policy. */
static struct nlattr *attribute_of(struct message *m)
{
	return (void *)((uint8_t *)m + NLMSG_SPACE(sizeof(struct xfrm_userpolicy_info)));
}

static struct message policy(uint16_t type, uint32_t index, uint8_t direction)
{
	struct xfrm_userpolicy_info info = {.index = index, .dir = direction};

	return begin(type, &info, sizeof(info));
}

static struct xfrm_user_tmpl template_of(uint32_t source, uint32_t destination, uint32_t reqid,
					 bool optional)
{
	return (struct xfrm_user_tmpl){
		.id = {.daddr.a4 = htonl(destination), .proto = IPPROTO_ESP},
		.saddr.a4 = htonl(source),
		.reqid = reqid,
		.family = AF_INET,
		.optional = optional,
	};
}

static struct sa_description sa_of(uint32_t source, uint32_t destination, uint32_t reqid)
{
	struct sa_description d = {.id = {.family = AF_INET, .protocol = IPPROTO_ESP},
				   .reqid = reqid};

	source = htonl(source);
	destination = htonl(destination);
	memcpy(d.source.bytes, &source, 4);
	memcpy(d.id.destination.bytes, &destination, 4);
	return d;
}

static bool is_optional(const struct spd *spd, uint32_t source, uint32_t destination,
			uint32_t reqid)
{
	struct sa_description d = sa_of(source, destination, reqid);

	return spd_makes_optional(spd, &d);
}

static void take(struct spd *spd, struct message m, const struct xfrm_user_tmpl *templates,
		 size_t n)
{
	attribute(&m, XFRMA_TMPL, templates, n * sizeof(*templates));
	spd_handle(spd, &m.header);
}

static void test_templates(void **state)
{
	const struct xfrm_user_tmpl mixed[] = {template_of(1, 2, 3, false),
					       template_of(4, 5, 6, true)};
	struct sa_description ah = sa_of(4, 5, 6);
	struct spd spd = {};

	(void)state;
	take(&spd, policy(XFRM_MSG_NEWPOLICY, 1, XFRM_POLICY_OUT), mixed, 2);
	assert_true(is_optional(&spd, 4, 5, 6));
	assert_false(is_optional(&spd, 1, 2, 3));
	assert_false(is_optional(&spd, 7, 5, 6));
	assert_false(is_optional(&spd, 4, 7, 6));
	assert_false(is_optional(&spd, 4, 5, 7));
	ah.id.protocol = IPPROTO_AH;
	assert_false(spd_makes_optional(&spd, &ah));
	/* The same policy again does not count twice. */
	take(&spd, policy(XFRM_MSG_UPDPOLICY, 1, XFRM_POLICY_OUT), mixed, 2);
	assert_int_equal(spd.n_optional, 1);
	assert_true(spd_matters(&spd));
	spd_clear(&spd);
	assert_false(is_optional(&spd, 4, 5, 6));
	assert_false(spd_matters(&spd));
	spd.failed = true;
	assert_true(is_optional(&spd, 4, 5, 6));
	assert_true(spd_matters(&spd));
}

/* Zero matches any value. Templates that differ in one member are all kept. */
static void test_wildcards(void **state)
{
	const struct xfrm_user_tmpl t[] = {
		template_of(0, 5, 6, true),  template_of(4, 0, 7, true),
		template_of(4, 5, 0, true),  template_of(4, 5, 8, true),
		template_of(40, 5, 8, true), template_of(4, 50, 8, true),
	};
	struct xfrm_user_tmpl other;
	struct spd spd = {};

	(void)state;
	take(&spd, policy(XFRM_MSG_NEWPOLICY, 1, XFRM_POLICY_OUT), t, ELEMENTSOF(t));
	take(&spd, policy(XFRM_MSG_UPDPOLICY, 1, XFRM_POLICY_OUT), t, ELEMENTSOF(t));
	assert_int_equal(spd.n_optional, ELEMENTSOF(t));
	other = t[3];
	other.id.proto = IPPROTO_AH;
	take(&spd, policy(XFRM_MSG_NEWPOLICY, 2, XFRM_POLICY_OUT), &other, 1);
	assert_int_equal(spd.n_optional, ELEMENTSOF(t) + 1);
	other = t[3];
	other.family = AF_INET6;
	other.saddr.a6[1] = other.saddr.a6[2] = other.saddr.a6[3] = 0;
	take(&spd, policy(XFRM_MSG_NEWPOLICY, 3, XFRM_POLICY_OUT), &other, 1);
	assert_int_equal(spd.n_optional, ELEMENTSOF(t) + 2);
	assert_true(is_optional(&spd, 99, 5, 6));
	assert_false(is_optional(&spd, 99, 99, 6));
	assert_true(is_optional(&spd, 4, 99, 7));
	assert_false(is_optional(&spd, 99, 99, 7));
	assert_true(is_optional(&spd, 4, 5, 99));
	assert_false(is_optional(&spd, 99, 5, 99));
	assert_true(is_optional(&spd, 40, 5, 8));
	assert_true(is_optional(&spd, 4, 50, 8));
	spd_clear(&spd);
}

static void test_families(void **state)
{
	struct xfrm_user_tmpl t = template_of(4, 5, 6, true);
	struct sa_description d = sa_of(4, 5, 6);
	struct spd spd = {};

	(void)state;
	/* The rest of the address is used for IPv6, and undefined for IPv4. */
	memset(t.saddr.a6 + 1, 0xee, 12);
	take(&spd, policy(XFRM_MSG_NEWPOLICY, 1, XFRM_POLICY_OUT), &t, 1);
	assert_true(spd_makes_optional(&spd, &d));
	t.family = AF_INET6;
	take(&spd, policy(XFRM_MSG_NEWPOLICY, 2, XFRM_POLICY_OUT), &t, 1);
	assert_int_equal(spd.n_optional, 2);
	memcpy(d.source.bytes, &t.saddr, 16);
	d.id.family = AF_INET6;
	assert_true(spd_makes_optional(&spd, &d));
	d.source.bytes[15] ^= 1;
	assert_false(spd_makes_optional(&spd, &d));
	spd_clear(&spd);
}

static void test_directions(void **state)
{
	static const struct {
		uint8_t direction;
		bool matters;
	} cases[] = {
		{XFRM_POLICY_IN, false},
		{XFRM_POLICY_OUT, true},
		{XFRM_POLICY_FWD, false},
		{XFRM_POLICY_MAX + XFRM_POLICY_IN, false},
		{XFRM_POLICY_MAX + XFRM_POLICY_OUT, true},
		{XFRM_POLICY_MAX + XFRM_POLICY_FWD, false},
	};
	const struct xfrm_user_tmpl t = template_of(4, 5, 6, true);

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct spd spd = {};

		take(&spd, policy(XFRM_MSG_NEWPOLICY, 1, cases[i].direction), &t, 1);
		assert_int_equal(is_optional(&spd, 4, 5, 6), cases[i].matters);
		spd_clear(&spd);
	}
}

/* ---- Policies in packet offload ---- */

static void offload(struct spd *spd, uint16_t type, uint32_t index, uint8_t direction, int ifindex)
{
	struct xfrm_user_offload device = {.ifindex = ifindex};
	struct message m = policy(type, index, direction);

	if (ifindex)
		attribute(&m, XFRMA_OFFLOAD_DEV, &device, sizeof(device));
	spd_handle(spd, &m.header);
}

static void remove_policy(struct spd *spd, uint32_t index, uint8_t direction)
{
	struct xfrm_userpolicy_info info = {.index = index, .dir = direction};
	struct xfrm_userpolicy_id id = {};
	struct message m = begin(XFRM_MSG_DELPOLICY, &id, sizeof(id));

	attribute(&m, XFRMA_POLICY, &info, sizeof(info));
	spd_handle(spd, &m.header);
}

static void expire(struct spd *spd, uint32_t index, bool hard)
{
	struct xfrm_user_polexpire expiry = {.pol.index = index, .hard = hard};
	struct message m = begin(XFRM_MSG_POLEXPIRE, &expiry, sizeof(expiry));

	spd_handle(spd, &m.header);
}

static void test_offloaded(void **state)
{
	struct message flush = begin(XFRM_MSG_FLUSHPOLICY, "", 0);
	struct spd none = {}, spd = {};

	(void)state;
	for (uint32_t index = 1; index <= 4; index++)
		offload(&spd, XFRM_MSG_NEWPOLICY, index, 0, index < 4 ? 7 : 8);
	offload(&spd, XFRM_MSG_NEWPOLICY, 1, 1, 7);
	offload(&spd, XFRM_MSG_NEWPOLICY, 5, 0, 0);
	assert_int_equal(spd.n_offloaded, 5);
	assert_true(spd_matters(&spd));
	assert_int_equal(spd_count_missing(&spd, &none, 7), 4);
	assert_int_equal(spd_count_missing(&spd, &none, 8), 1);
	assert_int_equal(spd_count_missing(&spd, &none, 9), 0);
	assert_int_equal(spd_count_missing(&spd, &spd, 7), 0);

	/* An update does not count as another policy, and may take it out of the NIC. */
	offload(&spd, XFRM_MSG_UPDPOLICY, 1, 0, 8);
	assert_int_equal(spd.n_offloaded, 5);
	assert_int_equal(spd_count_missing(&spd, &none, 8), 2);
	offload(&spd, XFRM_MSG_UPDPOLICY, 1, 0, 0);
	assert_int_equal(spd.n_offloaded, 4);
	remove_policy(&spd, 2, 1);
	assert_int_equal(spd.n_offloaded, 4);
	remove_policy(&spd, 2, 0);
	assert_int_equal(spd.n_offloaded, 3);
	expire(&spd, 3, false);
	assert_int_equal(spd.n_offloaded, 3);
	expire(&spd, 3, true);
	assert_int_equal(spd.n_offloaded, 2);
	assert_int_equal(spd_count_missing(&spd, &none, 7), 1);
	assert_int_equal(spd_count_missing(&spd, &none, 8), 1);
	spd_handle(&spd, &flush.header);
	assert_int_equal(spd.n_offloaded, 0);
	spd_clear(&spd);
}

/* Truncated or incomplete messages have no effect. */
static void test_cut(void **state)
{
	struct xfrm_userpolicy_id id = {};
	struct xfrm_userpolicy_info info = {.index = 1, .dir = XFRM_POLICY_OUT};
	struct xfrm_user_polexpire expiry = {.pol.index = 1, .pol.dir = XFRM_POLICY_OUT, .hard = 1};
	const struct xfrm_user_tmpl templates[] = {template_of(1, 2, 3, false),
						   template_of(4, 5, 6, true)};
	struct message m;
	struct spd spd = {};

	(void)state;
	offload(&spd, XFRM_MSG_NEWPOLICY, 1, XFRM_POLICY_OUT, 7);
	m = begin(XFRM_MSG_DELPOLICY, &id, sizeof(id));
	spd_handle(&spd, &m.header);
	attribute(&m, XFRMA_POLICY, &info, sizeof(info) - 4);
	spd_handle(&spd, &m.header);
	m = begin(XFRM_MSG_DELPOLICY, &id, sizeof(id) - 4);
	spd_handle(&spd, &m.header);
	m = begin(XFRM_MSG_POLEXPIRE, &expiry, sizeof(expiry) - 4);
	spd_handle(&spd, &m.header);
	m = begin(XFRM_MSG_UPDPOLICY, &info, sizeof(info) - 4);
	spd_handle(&spd, &m.header);
	m = begin(XFRM_MSG_NEWPOLICY, &info, sizeof(info));
	m.header.nlmsg_type = XFRM_MSG_NEWSA;
	spd_handle(&spd, &m.header);
	assert_int_equal(spd.n_offloaded, 1);

	m = policy(XFRM_MSG_NEWPOLICY, 2, XFRM_POLICY_OUT);
	attribute(&m, XFRMA_OFFLOAD_DEV, &(int){7}, sizeof(int));
	spd_handle(&spd, &m.header);
	assert_int_equal(spd.n_offloaded, 1);
	assert_int_equal(spd.n_optional, 0);

	/* Data after the attribute is no template. */
	m = policy(XFRM_MSG_NEWPOLICY, 3, XFRM_POLICY_OUT);
	attribute(&m, XFRMA_TMPL, templates, sizeof(templates));
	attribute_of(&m)->nla_len -= sizeof(*templates);
	spd_handle(&spd, &m.header);
	assert_int_equal(spd.n_optional, 0);
	spd_clear(&spd);
}

/* The limits of a policy may look like another message's content at the same offset: a DELPOLICY
 * has an attribute there, and a POLEXPIRE begins in the middle of that. */
static void test_limits(void **state)
{
	struct xfrm_userpolicy_info info = {
		.lft = {.hard_byte_limit = NLA_HDRLEN + sizeof(info) + (XFRMA_POLICY << 16),
			.soft_add_expires_seconds = 3,
			.hard_add_expires_seconds = XFRM_INF},
		.index = 1,
		.dir = XFRM_POLICY_OUT,
	};
	struct xfrm_user_tmpl template = {.aalgos = 2};
	struct xfrm_userpolicy_id id = {};
	struct spd spd = {};
	struct message m;

	(void)state;
	offload(&spd, XFRM_MSG_NEWPOLICY, 1, XFRM_POLICY_OUT, 7);
	offload(&spd, XFRM_MSG_NEWPOLICY, 2, 0, 7);
	offload(&spd, XFRM_MSG_NEWPOLICY, 3, 0, 7);
	m = begin(XFRM_MSG_NEWPOLICY, &info, sizeof(info));
	attribute(&m, XFRMA_TMPL, &template, sizeof(template));
	spd_handle(&spd, &m.header);
	assert_int_equal(spd.n_offloaded, 2);
	offload(&spd, XFRM_MSG_NEWPOLICY, 1, XFRM_POLICY_OUT, 7);
	m = begin(XFRM_MSG_DELPOLICY, &id, sizeof(id));
	attribute(&m, XFRMA_POLICY, &info, sizeof(info));
	spd_handle(&spd, &m.header);
	assert_int_equal(spd.n_offloaded, 2);
	spd_clear(&spd);
}

/* Without memory the worst case is assumed for templates; a policy in packet offload is not
 * watched. */
static void test_no_memory(void **state)
{
	const struct xfrm_user_tmpl t = template_of(4, 5, 6, true);
	struct spd spd = {};

	(void)state;
	failing_in = 1;
	offload(&spd, XFRM_MSG_NEWPOLICY, 1, 0, 7);
	assert_int_equal(spd.n_offloaded, 0);
	assert_false(spd.failed);
	failing_in = 1;
	take(&spd, policy(XFRM_MSG_NEWPOLICY, 1, XFRM_POLICY_OUT), &t, 1);
	assert_int_equal(spd.n_optional, 0);
	assert_true(is_optional(&spd, 7, 8, 9));
	take(&spd, policy(XFRM_MSG_NEWPOLICY, 1, XFRM_POLICY_OUT), &t, 1);
	offload(&spd, XFRM_MSG_NEWPOLICY, 1, 0, 7);
	assert_int_equal(arrays, 2);
	spd_clear(&spd);
	assert_int_equal(arrays, 0);
}

/* ---- Reading from the kernel ---- */

static void test_read(void **state)
{
	struct bench *b = *state;
	struct spd spd = {};

	fake_kernel_add_policy(b->fake, &(struct fake_policy_spec){.index = 1, .optional = true});
	fake_kernel_add_policy(b->fake, &(struct fake_policy_spec){.index = 2, .ifindex = 7});
	assert_int_equal(spd_read(b->kernel, &spd), 0);
	assert_int_equal(spd.n_optional, 1);
	assert_int_equal(spd.n_offloaded, 1);
	fake_kernel_kill(b->fake);
	assert_int_equal(spd_read(b->kernel, &(struct spd){}), -ESHUTDOWN);
	spd_clear(&spd);
}

static void test_count_sockets(void **state)
{
	struct bench *b = *state;

	assert_int_equal(spd_count_sockets(b->kernel, &b->batch), 0);
	fake_kernel_add_policy(b->fake, &(struct fake_policy_spec){.index = 1});
	fake_kernel_add_policy(
		b->fake, &(struct fake_policy_spec){.index = 2, .socket = true, .inbound = true});
	assert_int_equal(spd_count_sockets(b->kernel, &b->batch), 0);
	fake_kernel_add_policy(b->fake, &(struct fake_policy_spec){.index = 3, .socket = true});
	fake_kernel_add_policy(b->fake, &(struct fake_policy_spec){.index = 4, .socket = true});
	/* Messages left in the batch are not sent. */
	kernel_batch_add(&b->batch, XFRM_MSG_FLUSHSA, 0, &(uint32_t){0}, 4);
	fake_kernel_restart_counts(b->fake);
	assert_int_equal(spd_count_sockets(b->kernel, &b->batch), 2);
	assert_int_equal(fake_kernel_messages(b->fake, 0), 1);
	assert_int_equal(b->batch.n, 0);

	fake_kernel_set_fault(b->fake,
			      &(struct fake_fault){.kind = FAKE_FAULT_REFUSE, .error = -ENOMEM});
	assert_int_equal(spd_count_sockets(b->kernel, &b->batch), -ENOMEM);
	fake_kernel_set_fault(b->fake,
			      &(struct fake_fault){.kind = FAKE_FAULT_SEND, .error = -ENOBUFS});
	assert_int_equal(spd_count_sockets(b->kernel, &b->batch), -ENOBUFS);
}

/* A kernel that sends the test's messages. */
struct parrot {
	struct kernel kernel;
	struct message messages[2];
	size_t n;
	int result;
};

static int parrot_dump(struct kernel *kernel, uint16_t type, kernel_handler handler, void *userdata)
{
	struct parrot *p = (struct parrot *)kernel;

	(void)type;
	for (size_t i = 0; i < p->n; i++)
		assert_int_equal(handler(&p->messages[i].header, false, userdata), 0);
	return p->result;
}

static int parrot_transact(struct kernel *kernel, struct kernel_batch *batch,
			   kernel_handler handler, void *userdata)
{
	batch->answers[0].error = 0;
	return parrot_dump(kernel, 0, handler, userdata);
}

static const struct kernel_ops parrot_ops = {.dump = parrot_dump, .transact = parrot_transact};

/* Policies from a failed dump are not kept. */
static void test_read_fails(void **state)
{
	struct xfrm_user_tmpl t = template_of(4, 5, 6, true);
	struct parrot p = {.kernel.ops = &parrot_ops, .n = 1, .result = -EIO};
	struct spd spd = {};

	(void)state;
	p.messages[0] = policy(XFRM_MSG_NEWPOLICY, 1, XFRM_POLICY_OUT);
	attribute(&p.messages[0], XFRMA_TMPL, &t, sizeof(t));
	assert_int_equal(spd_read(&p.kernel, &spd), -EIO);
	assert_false(spd_matters(&spd));
	assert_int_equal(arrays, 0);
}

/* The answer is among other messages; without the counts, or with too few of them, they are
 * unknown. */
static void test_counts(void **state)
{
	static const struct xfrmu_spdinfo counts = {.outscnt = 5};
	static const struct {
		uint16_t type;
		size_t size;
		int expected;
	} cases[] = {{XFRM_MSG_NEWSPDINFO, sizeof(counts), 5},
		     {XFRM_MSG_NEWSPDINFO, sizeof(counts) - 4, -ENODATA},
		     {XFRM_MSG_NEWSPDINFO, 0, -ENODATA},
		     {XFRM_MSG_NEWSADINFO, sizeof(counts), -ENODATA}};
	struct bench *b = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct parrot p = {.kernel.ops = &parrot_ops, .n = 2};

		p.messages[0] = begin(cases[i].type, &(uint32_t){0}, 4);
		if (cases[i].size > 0)
			attribute(&p.messages[0], XFRMA_SPD_INFO, &counts, cases[i].size);
		p.messages[1] = begin(XFRM_MSG_NEWSADINFO, &(uint32_t){0}, 4);
		assert_int_equal(spd_count_sockets(&p.kernel, &b->batch), cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_wildcards),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_directions),
		cmocka_unit_test(test_offloaded),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_read_fails),
		BENCH_TEST(test_counts),
		BENCH_TEST(test_read),
		BENCH_TEST(test_count_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
