// SPDX-License-Identifier: GPL-2.0-or-later
/* The picture of the network when reading it is interrupted again and again by changes. */
#include "network/netlink.h"
#include "network/nic.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static unsigned interruptions;

/* The program is linked with --wrap. */
int __real_netlink_request(struct nl_sock *socket, struct nl_msg *message, uint64_t timeout_usec,
			   netlink_handler handler, void *userdata);
int __wrap_netlink_request(struct nl_sock *socket, struct nl_msg *message, uint64_t timeout_usec,
			   netlink_handler handler, void *userdata);

int __wrap_netlink_request(struct nl_sock *socket, struct nl_msg *message, uint64_t timeout_usec,
			   netlink_handler handler, void *userdata)
{
	int r = __real_netlink_request(socket, message, timeout_usec, handler, userdata);

	if (interruptions == 0)
		return r;
	interruptions--;
	return -EINTR;
}

static unsigned storm; /* messages that are to come yet */

ssize_t __real_recv(int fd, void *buffer, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *buffer, size_t size, int flags);

ssize_t __wrap_recv(int fd, void *buffer, size_t size, int flags)
{
	if (storm == 0)
		return __real_recv(fd, buffer, size, flags);
	storm--;
	assert_true(storm > 0);
	return 1;
}

/* Messages come faster than they are thrown away. */
static void test_drain_ends(void **state)
{
	struct nl_sock *socket = nl_socket_alloc();

	(void)state;
	assert_non_null(socket);
	storm = 1000000;
	netlink_drain(socket);
	assert_true(storm < 1000000);
	storm = 0;
	nl_socket_free(socket);
}

static void on_resynced(void *userdata)
{
	*(unsigned *)userdata += 1;
}

static void test_start_goes_on(void **state)
{
	static const struct nic_watch_callbacks callbacks = {.resynced = on_resynced};
	_cleanup_(nic_watch_freep) struct nic_watch *watch = NULL;
	unsigned resyncs = 0;
	sd_event *event;

	(void)state;
	assert_true(sd_event_new(&event) >= 0);
	interruptions = 50;
	assert_int_equal(nic_watch_new(event, &callbacks, &resyncs, &watch), 0);
	assert_false(nic_watch_is_current(watch));
	interruptions = 0;
	while (resyncs == 0)
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
	assert_true(nic_watch_is_current(watch));
	assert_non_null(nic_watch_find(watch, "lo"));
	watch = nic_watch_free(watch);
	sd_event_unref(event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_goes_on),
		cmocka_unit_test(test_drain_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
