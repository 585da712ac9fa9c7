// SPDX-License-Identifier: GPL-2.0-or-later
/* What an SA's message tells, and what of it makes the SA untouchable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "sa-facts.h"
#include "xfrm-compat.h"

#include <arpa/inet.h>
#include <netlink/msg.h>
#include <string.h>

static void free_message(struct nl_msg **message)
{
	nlmsg_free(*message);
}

/* An SA as GETSA tells it, but for what the cases change. */
struct sketch {
	uint8_t protocol; /* 0: ESP */
	uint32_t spi;     /* host order */
	uint8_t mode;
	bool keyless;
	uint8_t offload_flags;
	int ifindex;
};

static struct nl_msg *message_of(const struct sketch *s)
{
	struct nl_msg *message = nlmsg_alloc_simple(XFRM_MSG_NEWSA, 0);
	struct xfrm_usersa_info info = {
		.id = {.spi = htonl(s->spi), .proto = s->protocol ? s->protocol : IPPROTO_ESP},
		.family = AF_INET,
		.mode = s->mode,
	};
	struct xfrm_user_offload offload = {.ifindex = s->ifindex, .flags = s->offload_flags};
	_Alignas(struct xfrm_algo_aead) uint8_t aead[sizeof(struct xfrm_algo_aead) + 20] = {};
	struct xfrm_algo_aead *algorithm = (struct xfrm_algo_aead *)aead;

	assert_non_null(message);
	strcpy(algorithm->alg_name, "rfc4106(gcm(aes))");
	algorithm->alg_key_len = 160;
	algorithm->alg_icv_len = 128;
	algorithm->alg_key[0] = 1;
	assert_int_equal(nlmsg_append(message, &info, sizeof(info), NLMSG_ALIGNTO), 0);
	if (!s->keyless)
		assert_int_equal(nla_put(message, XFRMA_ALG_AEAD, sizeof(aead), aead), 0);
	if (s->ifindex)
		assert_int_equal(nla_put(message, XFRMA_OFFLOAD_DEV, sizeof(offload), &offload), 0);
	return message;
}

static void test_reasons(void **state)
{
	static const struct {
		struct sketch sketch;
		enum hands_off reason;
	} cases[] = {
		{{.spi = 0x1000}, HANDS_OFF_NONE},
		{{.spi = 0x1000, .mode = XFRM_MODE_TUNNEL}, HANDS_OFF_NONE},
		{{.spi = 0x1000, .mode = XFRM_MODE_BEET}, HANDS_OFF_NONE},
		{{.spi = 0x1000, .ifindex = 3}, HANDS_OFF_NONE},
		{{.spi = 0x1000, .protocol = IPPROTO_AH}, HANDS_OFF_NOT_ESP},
		{{.spi = 0x1000, .protocol = IPPROTO_COMP, .keyless = true}, HANDS_OFF_NOT_ESP},
		{{.spi = 0x1000, .keyless = true}, HANDS_OFF_LARVAL},
		{{.spi = 0, .keyless = true}, HANDS_OFF_LARVAL},
		{{.spi = 0}, HANDS_OFF_SELECTOR},
		{{.spi = 0x1000, .mode = XFRM_MODE_ROUTEOPTIMIZATION}, HANDS_OFF_MODE},
		{{.spi = 0x1000, .mode = 5 /* XFRM_MODE_IPTFS, 6.14 */}, HANDS_OFF_MODE},
		{{.spi = 0x1000, .ifindex = 3, .offload_flags = XFRM_COMPAT_OFFLOAD_PACKET},
		 HANDS_OFF_PACKET_MODE},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		_cleanup_(free_message) struct nl_msg *message = message_of(&cases[i].sketch);
		struct sa_facts facts;

		assert_int_equal(sa_facts_read(nlmsg_hdr(message), &facts), 0);
		assert_string_equal(hands_off_name(facts.hands_off),
				    hands_off_name(cases[i].reason));
	}
}

static void test_key_that_the_kernel_hides(void **state)
{
	_cleanup_(free_message) struct nl_msg *message =
		message_of(&(struct sketch){.spi = 0x1000});
	struct nlattr *aead = nlmsg_find_attr(nlmsg_hdr(message), sizeof(struct xfrm_usersa_info),
					      XFRMA_ALG_AEAD);
	struct sa_facts facts;

	(void)state;
	memset((uint8_t *)nla_data(aead) + sizeof(struct xfrm_algo_aead), 0, 20);
	assert_int_equal(sa_facts_read(nlmsg_hdr(message), &facts), 0);
	assert_int_equal(facts.hands_off, HANDS_OFF_REDACTED_KEY);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_key_that_the_kernel_hides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
