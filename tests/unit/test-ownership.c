// SPDX-License-Identifier: GPL-2.0-or-later
/* Which SA is which: siblings, and SAs of ours that change under the daemon. */
#include "manager-bench.h"
#include "xfrm-compat.h"

/* Two SAs that differ in one attribute; the second is no successor of the first. */
static void check_siblings(uint16_t type, const void *one, const void *other, size_t size)
{
	struct fake_belief *busy, *idle;
	struct policy_sa_view view;
	struct bench b;

	open_bench(&b);
	busy = add(&b,
		   (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1, .direction = true});
	fake_kernel_plant(b.fake, busy, type, one, size);
	work(&b, 0.6, busy);
	assert_int_equal(fake_kernel_view(b.fake, busy).ifindex, NIC);
	idle = add(&b,
		   (struct fake_sa_spec){.spi = 0x1002, .peer = 10, .reqid = 1, .direction = true});
	fake_kernel_plant(b.fake, idle, type, other, size);
	pass(&b, 0.15);
	assert_int_equal(fake_kernel_view(b.fake, idle).ifindex, 0);
	assert_int_equal(fake_kernel_view(b.fake, busy).ifindex, NIC);
	policy_sa_get(b.manager->policy, entry(&b, busy)->handle, b.now, &view);
	assert_true(view.rate_known);
	close_bench(&b);
}

static void test_cpus_are_siblings(void **state)
{
	static const uint32_t one = 0, other = 1;

	(void)state;
	check_siblings(XFRM_COMPAT_SA_PCPU, &one, &other, sizeof(one));
}

static void test_labels_are_siblings(void **state)
{
	static const struct {
		struct xfrm_user_sec_ctx header;
		char text[8];
	} one = {{.len = 16, .exttype = XFRMA_SEC_CTX, .ctx_alg = 1, .ctx_doi = 1, .ctx_len = 8},
		 "a:b:c:0"},
	  other = {{.len = 16, .exttype = XFRMA_SEC_CTX, .ctx_alg = 1, .ctx_doi = 1, .ctx_len = 8},
		   "a:b:c:1"};

	(void)state;
	check_siblings(XFRMA_SEC_CTX, &one, &other, sizeof(one));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpus_are_siblings),
		cmocka_unit_test(test_labels_are_siblings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
