// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The slot that outlives a killed daemon: whole or empty at every instruction, and not believed
 * when it was damaged.
 */
#include "../../daemon/rescue.h"

#include <errno.h>
#include <fcntl.h>
#include <netlink/attr.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define KILLS 300
#define STEPS_MAX 2000000

struct fixture {
	struct secret_arena *arena;
	int fd; /* of the memory that the rescues of the test share */
};

static int make_memory(size_t size, int seals)
{
	int fd = memfd_create("test-rescue", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_int_equal(secret_arena_new(256 * 1024, &fixture->arena), 0);
	fixture->fd = make_memory(RESCUE_SIZE, SEALS);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(secret_arena_in_use(fixture->arena), 0);
	secret_arena_free(fixture->arena);
	close(fixture->fd);
	free(fixture);
	return 0;
}

/* As a daemon that starts: over the same memory, with a descriptor of its own. */
static struct rescue *reopen(const struct fixture *fixture)
{
	struct rescue *rescue = NULL;

	assert_int_equal(rescue_open(dup(fixture->fd), &rescue), 0);
	return rescue;
}

/* Everything in it follows from n, so that a mixture of two is recognised. */
static void make_image(struct secret_arena *arena, unsigned n, struct sa_image *ret_image,
		       struct sa_offload *ret_target)
{
	size_t payload = 16 + n * 37 % 8000;
	size_t size = NLA_ALIGN(NLA_HDRLEN + payload) + NLA_ALIGN(NLA_HDRLEN + 4);
	struct nlattr *attribute = secret_alloc(arena, size);

	*ret_image = (struct sa_image){
		.arena = arena,
		.info = {.family = n % 2 ? AF_INET6 : AF_INET, .reqid = n, .seq = ~n},
		.attributes = (uint8_t *)attribute,
		.size = size,
		.replay_threshold = n ^ 0x5555,
	};
	ret_image->info.id.proto = IPPROTO_ESP;
	ret_image->info.id.spi = n + 1;
	*ret_target = (struct sa_offload){.ifindex = (int)n, .direction = SA_DIRECTION_IN};

	attribute->nla_type = XFRMA_ALG_AEAD;
	attribute->nla_len = (uint16_t)(NLA_HDRLEN + payload);
	memset(nla_data(attribute), (int)(n % 251 + 1), payload);
	attribute = (struct nlattr *)((uint8_t *)attribute + NLA_ALIGN(attribute->nla_len));
	attribute->nla_type = XFRMA_IF_ID;
	attribute->nla_len = NLA_HDRLEN + 4;
	memcpy(nla_data(attribute), &n, 4);
}

static void store(const struct fixture *fixture, struct rescue *rescue, unsigned n)
{
	struct sa_image image;
	struct sa_offload target;

	make_image(fixture->arena, n, &image, &target);
	assert_int_equal(rescue_store(rescue, &image, &target), 0);
	sa_image_wipe(&image);
}

/* Whether there is an image, which then is a whole one; *ret_n says which. */
static bool check(const struct fixture *fixture, const struct rescue *rescue, unsigned *ret_n)
{
	struct sa_image image = {}, expected;
	struct sa_offload target, expected_target;
	int r = rescue_load(rescue, fixture->arena, &image, &target);

	if (r == -ENOENT)
		return false;
	assert_int_equal(r, 0);
	*ret_n = image.info.reqid;
	make_image(fixture->arena, *ret_n, &expected, &expected_target);
	assert_int_equal(target.ifindex, expected_target.ifindex);
	assert_int_equal(target.direction, expected_target.direction);
	assert_memory_equal(&image.info, &expected.info, sizeof(image.info));
	assert_int_equal(image.replay_threshold, expected.replay_threshold);
	assert_int_equal(image.size, expected.size);
	assert_memory_equal(image.attributes, expected.attributes, image.size);
	sa_image_wipe(&image);
	sa_image_wipe(&expected);
	return true;
}

static void assert_wiped(const struct fixture *fixture)
{
	static const uint8_t zero[RESCUE_SIZE];
	uint8_t content[RESCUE_SIZE];

	assert_int_equal(pread(fixture->fd, content, sizeof(content), 0), sizeof(content));
	assert_memory_equal(content, zero, sizeof(content));
}

static void test_store_and_load(void **state)
{
	struct fixture *fixture = *state;
	struct rescue *rescue = reopen(fixture);
	struct sa_image image;
	struct sa_offload target;
	unsigned n;

	assert_false(check(fixture, rescue, &n));
	store(fixture, rescue, 7);
	assert_true(check(fixture, rescue, &n));
	assert_int_equal(n, 7);

	/* An SA that nobody has brought back yet is not overwritten. */
	make_image(fixture->arena, 8, &image, &target);
	assert_int_equal(rescue_store(rescue, &image, &target), -EBUSY);
	rescue_close(rescue);

	rescue = reopen(fixture);
	assert_true(check(fixture, rescue, &n));
	assert_int_equal(n, 7);
	rescue_clear(rescue);
	assert_wiped(fixture);
	assert_false(check(fixture, rescue, &n));

	image.size = RESCUE_SIZE;
	assert_int_equal(rescue_store(rescue, &image, &target), -EMSGSIZE);
	assert_false(check(fixture, rescue, &n));
	sa_image_wipe(&image);
	rescue_close(rescue);
}

static void test_new_memory(void **state)
{
	struct fixture *fixture = *state;
	struct rescue *rescue = NULL;
	unsigned n;

	assert_int_equal(rescue_open(-1, &rescue), 0);
	store(fixture, rescue, 3);
	assert_true(check(fixture, rescue, &n));
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(rescue_publish(rescue), 0);
	rescue_close(rescue);
	unsetenv("LISTEN_PID");
	assert_int_equal(rescue_inherited_fd(), -ENOENT);
}

/* Plays the service manager: takes the descriptor that is published and opens it again. */
static void test_publish(void **state)
{
	struct fixture *fixture = *state;
	char control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	char text[64] = "", name[64];
	struct iovec part = {.iov_base = text, .iov_len = sizeof(text) - 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = -1, manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct rescue *rescue = NULL;
	unsigned n;

	snprintf(name, sizeof(name), "test-rescue-%d", (int)getpid());
	memcpy(address.sun_path + 1, name, strlen(name)); /* abstract */
	assert_int_equal(
		bind(manager, (struct sockaddr *)&address,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))),
		0);
	memmove(name + 1, name, strlen(name) + 1);
	name[0] = '@';
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(rescue_open(-1, &rescue), 0);
	store(fixture, rescue, 11);
	assert_int_equal(rescue_publish(rescue), 1);
	unsetenv("NOTIFY_SOCKET");
	rescue_close(rescue);

	assert_true(recvmsg(manager, &message, MSG_CMSG_CLOEXEC) > 0);
	assert_string_equal(text, "FDSTORE=1\nFDNAME=rescue");
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	assert_int_equal(rescue_open(fd, &rescue), 0);
	assert_true(check(fixture, rescue, &n));
	assert_int_equal(n, 11);
	rescue_close(rescue);
	close(manager);
}

static void test_wrong_descriptor(void **state)
{
	struct rescue *rescue = NULL;
	int fds[] = {
		open("/dev/null", O_RDWR | O_CLOEXEC),
		make_memory(RESCUE_SIZE, F_SEAL_SHRINK),
		make_memory(RESCUE_SIZE / 2, SEALS),
		make_memory(RESCUE_SIZE * 2, SEALS),
		make_memory(RESCUE_SIZE, SEALS | F_SEAL_WRITE),
	};

	for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
		assert_int_equal(rescue_open(fds[i], &rescue), -EBADF);
		assert_int_equal(close(fds[i]), 0); /* still the caller's */
	}
	assert_int_equal(rescue_open(INT32_MAX, &rescue), -EBADF);
	assert_null(rescue);
}

/* Every byte changed in turn, to several values: an image or -EBADMSG, and what is an image has
 * attributes that can be walked. */
static void test_damaged(void **state)
{
	static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
	struct fixture *fixture = *state;
	struct rescue *rescue = reopen(fixture);
	unsigned refused = 0;
	uint8_t content[RESCUE_SIZE];

	store(fixture, rescue, 0);
	assert_int_equal(pread(fixture->fd, content, sizeof(content), 0), sizeof(content));
	for (off_t i = 0; i < 512; i++) {
		for (size_t j = 0; j < sizeof(values); j++) {
			struct sa_image image;
			struct sa_offload target;
			int r;

			assert_int_equal(pwrite(fixture->fd, &values[j], 1, i), 1);
			r = rescue_load(rescue, fixture->arena, &image, &target);
			if (r >= 0) {
				struct nlattr *attribute;
				int left;

				nla_for_each_attr(attribute, (struct nlattr *)image.attributes,
						  (int)image.size, left)
					assert_true(nla_len(attribute) >= 0);
				assert_int_equal(left, 0);
				sa_image_wipe(&image);
			} else {
				assert_true(r == -EBADMSG || (r == -ENOENT && i < 8));
				refused++;
			}
		}
		assert_int_equal(pwrite(fixture->fd, &content[i], 1, i), 1);
	}
	assert_true(refused > 0);
	rescue_clear(rescue);
	assert_wiped(fixture);
	rescue_close(rescue);
}

/* Stores and clears until it is killed. No assertions: the parent judges. */
static void child_loop(const struct fixture *fixture, int ready)
{
	struct rescue *rescue = reopen(fixture);
	struct secret_arena *arena = NULL; /* a fork does not inherit the parent's */

	if (secret_arena_new(256 * 1024, &arena) < 0 || write(ready, "x", 1) != 1)
		_exit(1);
	for (unsigned n = 0;; n++) {
		struct sa_image image;
		struct sa_offload target;

		make_image(arena, n, &image, &target);
		if (rescue_store(rescue, &image, &target) < 0)
			_exit(2);
		sa_image_wipe(&image);
		rescue_clear(rescue);
	}
}

static void test_kill(void **state)
{
	struct fixture *fixture = *state;
	struct rescue *rescue = reopen(fixture);
	unsigned whole = 0, empty = 0;
	unsigned short random[3] = {4, 5, 6};

	for (unsigned i = 0; i < KILLS; i++) {
		int ready[2], status;
		unsigned n;
		char byte;
		pid_t pid;

		assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			child_loop(fixture, ready[1]);
		close(ready[1]);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		close(ready[0]);
		(void)usleep((useconds_t)(nrand48(random) % 1000));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

		if (check(fixture, rescue, &n))
			whole++;
		else
			empty++;
		rescue_clear(rescue);
		assert_wiped(fixture);
	}
	assert_int_equal(whole + empty, KILLS);
	print_message("killed %u times: %u with an image, %u without\n", KILLS, whole, empty);
	rescue_close(rescue);
}

static void child_traced(const struct fixture *fixture)
{
	struct rescue *rescue = reopen(fixture);
	struct secret_arena *arena = NULL;
	struct sa_image image;
	struct sa_offload target;

	if (secret_arena_new(256 * 1024, &arena) < 0)
		_exit(1);
	make_image(arena, 5, &image, &target);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(77);
	(void)raise(SIGSTOP);
	if (rescue_store(rescue, &image, &target) < 0)
		_exit(2);
	rescue_clear(rescue);
	(void)raise(SIGSTOP);
	_exit(0);
}

/* Looks at the slot after each instruction of a store and a clear. */
static void test_every_instruction(void **state)
{
	struct fixture *fixture = *state;
	struct rescue *rescue = reopen(fixture);
	unsigned steps = 0, changes = 0, n;
	bool before = false;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		child_traced(fixture);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		rescue_close(rescue);
		skip(); /* tracing is forbidden here */
	}
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	do {
		bool now;

		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSTOPPED(status));
		now = check(fixture, rescue, &n);
		changes += now != before;
		before = now;
	} while (WSTOPSIG(status) == SIGTRAP && steps++ < STEPS_MAX);
	assert_int_equal(WSTOPSIG(status), SIGSTOP);
	assert_int_equal(changes, 2); /* empty, whole, empty */
	assert_false(before);
	print_message("looked after each of %u instructions\n", steps);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_wiped(fixture);
	rescue_close(rescue);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_store_and_load),    TEST(test_new_memory), TEST(test_publish),
		TEST(test_wrong_descriptor),  TEST(test_damaged),    TEST(test_kill),
		TEST(test_every_instruction),
	};

	return cmocka_run_group_tests_name("rescue", tests, NULL, NULL);
}
