// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The slot that outlives a killed daemon: complete or empty at every instruction, and not used when
 * it is damaged.
 */
#include "failing.h"
#include "move/rescue.h"

#include <dirent.h>
#include <netlink/attr.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>

#include <cmocka.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define KILLS 300
#define STEPS_MAX 2000000

static unsigned mappings_left; /* mapped and not yet unmapped */

FAILING(void *, calloc, NULL, (size_t n, size_t size), (n, size))
FAILING(int, memfd_create, -1, (const char *name, unsigned flags), (name, flags))
FAILING(int, ftruncate64, -1, (int fd, off_t size), (fd, size))
FAILING(int, fcntl64, -1, (int fd, int command, long argument), (fd, command, argument))
FAILING(int, fstat64, -1, (int fd, struct stat *status), (fd, status))
FAILING(int, madvise, -1, (void *address, size_t size, int advice), (address, size, advice))
FAILING(int, mlock, -1, (const void *address, size_t size), (address, size))

void *__real_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	if (failing_now())
		return MAP_FAILED;
	mappings_left++;
	return __real_mmap64(address, size, protection, flags, fd, offset);
}

int __real_munmap(void *address, size_t size);
int __wrap_munmap(void *address, size_t size);
int __wrap_munmap(void *address, size_t size)
{
	mappings_left--;
	return __real_munmap(address, size);
}

struct fixture {
	struct secret_arena *arena;
	int fd; /* the memory that the rescue objects of the test share */
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

/* Like a daemon that starts: on the same memory, with its own descriptor. */
static struct rescue *reopen(const struct fixture *fixture)
{
	struct rescue *rescue = NULL;

	assert_int_equal(rescue_open(dup(fixture->fd), &rescue), 0);
	return rescue;
}

/* All content depends on n, so that a mixture of two images is detected. */
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

/* Whether there is an image, which must be complete; *ret_n identifies it. */
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

	/* The image of an SA that is not back yet is not overwritten. */
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
	rescue = NULL;
	unsetenv("LISTEN_PID");
	assert_int_equal(rescue_open_inherited(&rescue, &n), -ENOENT);
	assert_null(rescue);
}

/* Acts as the service manager: receives the published descriptor and opens it again. */
static void test_publish(void **state)
{
	struct fixture *fixture = *state;
	pid_t sender = 0;
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
	assert_int_equal(setsockopt(manager, SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)), 0);
	assert_true(rescue_publish(rescue) > 0);
	assert_non_null(getenv("NOTIFY_SOCKET")); /* later messages need it */
	unsetenv("NOTIFY_SOCKET");
	rescue_close(rescue);

	assert_true(recvmsg(manager, &message, MSG_CMSG_CLOEXEC) > 0);
	assert_string_equal(text, "FDSTORE=1\nFDNAME=rescue");
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
			sender = ((struct ucred *)CMSG_DATA(c))->pid;
	assert_int_equal(sender, getpid());
	assert_int_equal(rescue_open(fd, &rescue), 0);
	assert_true(check(fixture, rescue, &n));
	assert_int_equal(n, 11);
	rescue_close(rescue);
	close(manager);
}

static int move_up(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, 20);

	assert_true(moved >= 0);
	close(fd);
	return moved;
}

/* Acts as the service manager: the descriptors from 3 on are the memory that it kept. The first of
 * `names` may be "other"; the others are taken over by the call, or closed. */
static int open_inherited(const int *fds, unsigned n, const char *names, struct rescue **ret_rescue,
			  unsigned *ret_unread)
{
	char pid[16], count[16];
	int r;

	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(fcntl(SD_LISTEN_FDS_START + (int)i, F_GETFD), -1);
		assert_true(dup3(fds[i], SD_LISTEN_FDS_START + (int)i, O_CLOEXEC) >= 0);
	}
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	snprintf(count, sizeof(count), "%u", n);
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", count, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	r = rescue_open_inherited(ret_rescue, ret_unread);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (strncmp(names, "other", strlen("other")) == 0)
		assert_int_equal(close(SD_LISTEN_FDS_START), 0);
	return r;
}

static void test_inherited(void **state)
{
	struct fixture *fixture = *state;
	int empty = make_memory(RESCUE_SIZE, SEALS), other = make_memory(RESCUE_SIZE, SEALS);
	int wrong = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* "ESP", version 2, 16 bytes, as the version of the future may store it. */
	uint64_t commit = UINT64_C(0x4553500200000010);
	struct rescue *rescue = NULL;
	unsigned n, unread;

	/* open_inherited() needs the descriptors from 3 on. */
	empty = move_up(empty), other = move_up(other), wrong = move_up(wrong);
	fixture->fd = move_up(fixture->fd);
	rescue = reopen(fixture);
	store(fixture, rescue, 5);
	rescue_close(rescue);
	rescue = NULL;

	/* Only a descriptor of this name counts. */
	assert_int_equal(open_inherited(&empty, 1, "other", &rescue, &unread), -ENOENT);
	assert_int_equal(open_inherited(&wrong, 1, RESCUE_FD_NAME, &rescue, &unread), -ENOENT);
	assert_int_equal(unread, 0);
	assert_null(rescue);
	assert_int_equal(
		open_inherited((int[]){wrong, empty}, 2, "other:" RESCUE_FD_NAME, &rescue, &unread),
		0);
	assert_false(check(fixture, rescue, &n));
	rescue = rescue_close(rescue);

	/* Before or behind an empty one, the one with an image is found. */
	for (int order = 0; order < 2; order++) {
		assert_int_equal(open_inherited((int[]){order ? empty : fixture->fd,
							order ? fixture->fd : empty},
						2, RESCUE_FD_NAME ":" RESCUE_FD_NAME, &rescue,
						&unread),
				 0);
		assert_int_equal(unread, 0);
		assert_true(check(fixture, rescue, &n));
		assert_int_equal(n, 5);
		rescue = rescue_close(rescue);
	}

	/* An image of another version, in either half, is counted and stays as it is. */
	for (int half = 0; half < 2; half++) {
		uint64_t left;

		assert_int_equal(pwrite(other, &commit, 8, half * RESCUE_SIZE / 2), 8);
		assert_int_equal(rescue_open(other, &rescue), -ENOTSUP);
		assert_int_equal(open_inherited(&other, 1, RESCUE_FD_NAME, &rescue, &unread),
				 -ENOENT);
		assert_int_equal(unread, 1);
		assert_null(rescue);
		assert_int_equal(open_inherited((int[]){other, empty, fixture->fd}, 3,
						RESCUE_FD_NAME ":" RESCUE_FD_NAME
							       ":" RESCUE_FD_NAME,
						&rescue, &unread),
				 0);
		assert_int_equal(unread, 1);
		assert_true(check(fixture, rescue, &n));
		rescue = rescue_close(rescue);
		assert_int_equal(pread(other, &left, 8, half * RESCUE_SIZE / 2), 8);
		assert_int_equal(left, commit);
		assert_int_equal(pwrite(other, &(uint64_t){0}, 8, half * RESCUE_SIZE / 2), 8);
	}

	/* What is no version at all is damage, which rescue_load() reports. */
	commit = 0x10;
	assert_int_equal(pwrite(other, &commit, 8, 0), 8);
	assert_int_equal(open_inherited(&other, 1, RESCUE_FD_NAME, &rescue, &unread), 0);
	assert_int_equal(unread, 0);
	rescue_close(rescue);
	close(empty);
	close(other);
	close(wrong);
}

static unsigned count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(directory);
	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

/* Each call fails in turn: its error is returned, and nothing is leaked. */
static void fail_to_open(const struct fixture *fixture, bool inherited, unsigned calls)
{
	unsigned descriptors, mappings = mappings_left;
	struct rescue *rescue = NULL;
	int fd = inherited ? dup(fixture->fd) : -1;

	descriptors = count_descriptors();
	for (unsigned i = 1; i <= calls; i++) {
		int r;

		failing_in = i;
		r = rescue_open(fd, &rescue);
		assert_int_equal(failing_in, 0);
		/* The first call allocates memory. If a call that inspects the inherited descriptor
		 * fails, the descriptor is reported as bad. */
		assert_int_equal(r, i == 1                ? -ENOMEM
				    : inherited && i <= 3 ? -EBADF
							  : -FAILING_ERRNO);
		assert_null(rescue);
		assert_int_equal(count_descriptors(), descriptors);
		assert_int_equal(mappings_left, mappings);
	}
	failing_in = calls + 1;
	assert_int_equal(rescue_open(fd, &rescue), 0);
	assert_int_equal(failing_in, 1);
	failing_in = 0;
	assert_int_equal(mappings_left, mappings + 1);
	assert_null(rescue_close(rescue));
	assert_int_equal(mappings_left, mappings);
	assert_int_equal(count_descriptors(), descriptors - inherited);
}

static void test_open_fails(void **state)
{
	const struct fixture *fixture = *state;

	/* memfd_create(), ftruncate(), fcntl() */
	fail_to_open(fixture, false, 1 + 3 + 4);
	/* fcntl(), fstat() */
	fail_to_open(fixture, true, 1 + 2 + 4);
	assert_null(rescue_close(NULL));
}

/* 0 is a descriptor like others. */
static void test_descriptor_0(void **state)
{
	const struct fixture *fixture = *state;
	struct rescue *rescue = NULL;
	int input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);

	rescue_close(reopen(fixture));
	assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
	assert_int_equal(rescue_open(STDIN_FILENO, &rescue), -EBADF);
	close(STDIN_FILENO);
	assert_int_equal(rescue_open(-1, &rescue), 0);
	assert_true(fcntl(STDIN_FILENO, F_GET_SEALS) == SEALS);
	rescue_close(rescue);
	assert_int_equal(dup2(input, STDIN_FILENO), STDIN_FILENO);
	close(input);
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

/* Every byte is changed in turn to several values: the result is an image or -EBADMSG, and the
 * attributes of an image can be walked. */
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

/* After the deletion there is a second image, which is used. */
static void test_exact(void **state)
{
	struct fixture *fixture = *state;
	struct rescue *rescue = reopen(fixture);
	struct sa_image image, loaded = {};
	struct sa_offload target;
	uint8_t byte = 0xee;

	store(fixture, rescue, 7);
	make_image(fixture->arena, 8, &image, &target);
	assert_int_equal(rescue_store_exact(rescue, &image, &target), 0);
	sa_image_wipe(&image);
	assert_int_equal(rescue_load(rescue, fixture->arena, &loaded, &target), 1);
	assert_int_equal(loaded.info.reqid, 8);
	assert_int_equal(target.ifindex, 8);
	sa_image_wipe(&loaded);

	/* The first image is out of date, so it is not used if the second is damaged. */
	assert_int_equal(pwrite(fixture->fd, &byte, 1, RESCUE_SIZE / 2 + 7), 1);
	assert_int_equal(rescue_load(rescue, fixture->arena, &loaded, &target), -EBADMSG);
	rescue_clear(rescue);
	assert_wiped(fixture);
	rescue_close(rescue);
}

/* The largest image fills its half to the last byte, and the halves do not overlap. */
static void test_sizes(void **state)
{
	struct fixture *fixture = *state;
	struct rescue *rescue = reopen(fixture);
	struct sa_image image, loaded = {};
	struct sa_offload target;
	struct nlattr *attribute;
	uint8_t last[2];

	make_image(fixture->arena, 7, &image, &target);
	sa_image_wipe(&image);
	image.info.family = AF_INET;
	image.info.id = (struct xfrm_id){.proto = IPPROTO_ESP, .spi = 1};
	assert_int_equal(rescue_store(rescue, &image, &target), 0); /* no attributes at all */
	assert_int_equal(rescue_load(rescue, fixture->arena, &loaded, &target), 0);
	assert_int_equal(loaded.size, 0);
	sa_image_wipe(&loaded);
	rescue_clear(rescue);

	attribute = secret_alloc(fixture->arena, RESCUE_SIZE);
	memset(attribute, 0xff, RESCUE_SIZE);
	attribute->nla_type = XFRMA_ALG_AUTH;
	image.attributes = (uint8_t *)attribute;
	image.arena = fixture->arena;
	for (image.size = RESCUE_SIZE / 2; rescue_store(rescue, &image, &target) == -EMSGSIZE;)
		image.size--;
	rescue_clear(rescue);
	attribute->nla_len = (uint16_t)image.size;
	assert_int_equal(rescue_store(rescue, &image, &target), 0);
	assert_int_equal(pread(fixture->fd, last, 2, RESCUE_SIZE / 2 - 1), 2);
	assert_int_equal(last[0], 0xff);
	assert_int_equal(last[1], 0);
	assert_int_equal(rescue_load(rescue, fixture->arena, &loaded, &target), 0);
	assert_int_equal(loaded.size, image.size);
	assert_memory_equal(loaded.attributes, image.attributes, image.size);
	sa_image_wipe(&loaded);
	sa_image_wipe(&image);
	rescue_clear(rescue);
	assert_wiped(fixture);
	rescue_close(rescue);
}

static int store_and_load(const struct fixture *fixture, const struct sa_image *image,
			  const struct sa_offload *target)
{
	struct rescue *rescue = reopen(fixture);
	struct sa_image loaded = {};
	struct sa_offload loaded_target;
	int r;

	assert_int_equal(rescue_store(rescue, image, target), 0);
	r = rescue_load(rescue, fixture->arena, &loaded, &loaded_target);
	if (r >= 0)
		sa_image_wipe(&loaded);
	rescue_clear(rescue);
	rescue_close(rescue);
	return r;
}

/* Each member separately, at the limits of its valid range. */
static void test_validity(void **state)
{
	struct fixture *fixture = *state;
	struct sa_image image, changed;
	struct sa_offload target;
	struct nlattr *attribute;

	make_image(fixture->arena, 8, &image, &target);
	attribute = (struct nlattr *)image.attributes;
	target = (struct sa_offload){.ifindex = 0, .direction = SA_DIRECTION_OUT};
	assert_int_equal(store_and_load(fixture, &image, &target), 0);
	target.ifindex = -1;
	assert_int_equal(store_and_load(fixture, &image, &target), -EBADMSG);
	target = (struct sa_offload){.ifindex = 1, .direction = SA_DIRECTION_OUT + 1};
	assert_int_equal(store_and_load(fixture, &image, &target), -EBADMSG);
	target.direction = SA_DIRECTION_IN;

	for (unsigned family = 0; family < 20; family++) {
		changed = image;
		changed.info.family = (uint16_t)family;
		assert_int_equal(store_and_load(fixture, &changed, &target),
				 family == AF_INET || family == AF_INET6 ? 0 : -EBADMSG);
	}
	changed = image;
	changed.info.id.proto = IPPROTO_AH;
	assert_int_equal(store_and_load(fixture, &changed, &target), -EBADMSG);
	changed = image;
	changed.info.id.spi = 1;
	assert_int_equal(store_and_load(fixture, &changed, &target), 0);
	changed.info.id.spi = 0;
	assert_int_equal(store_and_load(fixture, &changed, &target), -EBADMSG);

	attribute->nla_type = 1;
	assert_int_equal(store_and_load(fixture, &image, &target), 0);
	attribute->nla_type = 0;
	assert_int_equal(store_and_load(fixture, &image, &target), -EBADMSG);
	attribute->nla_type = 1;
	image.size--;
	assert_int_equal(store_and_load(fixture, &image, &target), -EBADMSG);
	image.size++;
	sa_image_wipe(&image);
}

/* The layout that an earlier run of this version wrote, byte by byte. Another layout needs another
 * version. */
static void test_layout(void **state)
{
	struct fixture *fixture = *state;
	struct sa_image image, expected;
	struct sa_offload target;
	struct rescue *rescue = reopen(fixture);
	struct {
		uint64_t commit;
		struct xfrm_usersa_info info;
		uint32_t threshold, ifindex, direction;
	} slot;

	make_image(fixture->arena, 7, &expected, &target);
	slot.commit = UINT64_C(0x4553500100000000) | expected.size;
	slot.info = expected.info;
	slot.threshold = expected.replay_threshold;
	slot.ifindex = (uint32_t)target.ifindex;
	slot.direction = target.direction;
	assert_int_equal(pwrite(fixture->fd, &slot, sizeof(slot), 0), sizeof(slot));
	assert_int_equal(pwrite(fixture->fd, expected.attributes, expected.size, sizeof(slot)),
			 expected.size);
	assert_int_equal(rescue_load(rescue, fixture->arena, &image, &target), 0);
	assert_int_equal(image.size, expected.size);
	assert_memory_equal(image.attributes, expected.attributes, image.size);
	assert_int_equal(image.info.reqid, 7);
	sa_image_wipe(&image);
	sa_image_wipe(&expected);

	slot.commit += UINT64_C(1) << 32; /* the next version */
	assert_int_equal(pwrite(fixture->fd, &slot.commit, 8, 0), 8);
	assert_int_equal(rescue_load(rescue, fixture->arena, &image, &target), -EBADMSG);
	slot.commit -= UINT64_C(1) << 32;

	/* Without room for the copy, the image exists but cannot be read now. */
	assert_int_equal(pwrite(fixture->fd, &slot.commit, 8, 0), 8);
	for (size_t size = 256 * 1024; size > 0; size /= 2)
		while (secret_alloc(fixture->arena, size))
			;
	assert_int_equal(rescue_load(rescue, fixture->arena, &image, &target), -ENOMEM);
	secret_arena_free(fixture->arena);
	assert_int_equal(secret_arena_new(256 * 1024, &fixture->arena), 0);
	rescue_clear(rescue);
	rescue_close(rescue);
}

/* Stores and clears until it is killed. No assertions: the parent checks. */
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

/* Checks the slot after each instruction of a store and a clear. */
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
	assert_int_equal(changes, 2); /* empty, complete, empty */
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
		TEST(test_every_instruction), TEST(test_inherited),  TEST(test_open_fails),
		TEST(test_descriptor_0),      TEST(test_exact),      TEST(test_sizes),
		TEST(test_validity),          TEST(test_layout),
	};

	return cmocka_run_group_tests_name("rescue", tests, NULL, NULL);
}
