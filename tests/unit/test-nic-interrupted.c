// SPDX-License-Identifier: GPL-2.0-or-later
/* The network state when changes interrupt the reading repeatedly. */
#include "network/netlink.h"
#include "network/nic.h"

#include <errno.h>
#include <netlink/netlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static unsigned interruptions;
static struct nl_sock *links; /* the first socket of a request */

/* The program is linked with --wrap. */
int __real_netlink_request(struct nl_sock *socket, struct nl_msg *message, uint64_t timeout_usec,
			   netlink_handler handler, void *userdata);
int __wrap_netlink_request(struct nl_sock *socket, struct nl_msg *message, uint64_t timeout_usec,
			   netlink_handler handler, void *userdata);

int __wrap_netlink_request(struct nl_sock *socket, struct nl_msg *message, uint64_t timeout_usec,
			   netlink_handler handler, void *userdata)
{
	int r = __real_netlink_request(socket, message, timeout_usec, handler, userdata);

	if (!links)
		links = socket;
	if (interruptions == 0)
		return r;
	interruptions--;
	return -EINTR;
}

static unsigned storm;       /* messages that are still to come */
static struct timespec late; /* the clock of the code under test; tv_sec 0: the real one */
#define RECEIVE_NSEC 1000000

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

ssize_t __real_recvmsg(int fd, struct msghdr *header, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *header, int flags);

ssize_t __wrap_recvmsg(int fd, struct msghdr *header, int flags)
{
	if (storm == 0)
		return __real_recvmsg(fd, header, flags);
	storm--;
	assert_true(storm > 0);
	late.tv_nsec += RECEIVE_NSEC;
	return 1;
}

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

/* When `late` is set, only receiving takes time. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	if (late.tv_sec == 0)
		return __real_clock_gettime(clock, now);
	*now = late;
	return 0;
}

/* Messages arrive faster than they are discarded. */
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

static int on_failing(sd_event_source *source, uint64_t usec, void *userdata)
{
	return -ENOMEM;
}

/* The event loop ends if the handler of a source fails. */
static void test_failing_handler_ends_loop(void **state)
{
	sd_event_source *timer = NULL;
	sd_event *event;
	int code = 0;

	(void)state;
	assert_true(sd_event_new(&event) >= 0);
	assert_true(netlink_add_timer(event, "failing", on_failing, NULL, &timer) >= 0);
	assert_true(sd_event_source_set_time(timer, 0) >= 0);
	assert_true(sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT) >= 0);
	for (unsigned i = 0; i < 2; i++)
		assert_true(sd_event_run(event, 0) >= 0);
	assert_int_equal(sd_event_get_state(event), SD_EVENT_FINISHED);
	assert_true(sd_event_get_exit_code(event, &code) >= 0);
	assert_int_equal(code, -ENOMEM);
	sd_event_source_disable_unref(timer);
	sd_event_unref(event);
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
	interruptions = 0;
	while (resyncs == 0)
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
	assert_non_null(nic_watch_find(watch, "lo"));
	watch = nic_watch_free(watch);
	sd_event_unref(event);
}

/* Link messages that take long: after some milliseconds the other event sources are served, and the
 * rest is read in the next turn of the loop. */
static void test_reading_ends_by_time(void **state)
{
	_cleanup_(nic_watch_freep) struct nic_watch *watch = NULL;
	static const struct nic_watch_callbacks callbacks = {};
	struct rtgenmsg all = {.rtgen_family = AF_UNSPEC};
	sd_event *event;

	(void)state;
	links = NULL;
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(nic_watch_new(event, &callbacks, NULL, &watch), 0);
	/* An unexpected answer makes the socket readable. */
	assert_true(nl_send_simple(links, RTM_GETLINK, NLM_F_DUMP, &all, sizeof(all)) >= 0);
	for (unsigned turn = 0; turn < 3; turn++) {
		storm = 1000000;
		late = (struct timespec){.tv_sec = 1};
		assert_true(sd_event_run(event, 10000000) >= 0);
		assert_in_range(1000000 - storm, 2, 100);
	}
	storm = 0;
	late = (struct timespec){};
	watch = nic_watch_free(watch);
	sd_event_unref(event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_goes_on),
		cmocka_unit_test(test_drain_ends),
		cmocka_unit_test(test_failing_handler_ends_loop),
		cmocka_unit_test(test_reading_ends_by_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
