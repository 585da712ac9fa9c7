// SPDX-License-Identifier: GPL-2.0-or-later
/* The socket file: its mode, which files it replaces, and which it does not. */
#include "control-fixture.h"

#include <systemd/sd-daemon.h>

static void test_socket_file(void **state)
{
	struct fixture *fixture = *state;
	struct control *second = NULL;
	struct stat status;
	int fd;

	start(fixture);
	assert_int_equal(lstat(fixture->path, &status), 0);
	assert_true(S_ISSOCK(status.st_mode));
	assert_int_equal(status.st_mode & 07777, 0660);

	/* Another process listens on it: not replaced. */
	assert_int_equal(control_new(fixture->event, fixture->path, methods, 1, NULL, &second),
			 -EADDRINUSE);
	assert_null(second);
	fixture->control = control_free(fixture->control);
	assert_int_equal(lstat(fixture->path, &status), -1);

	/* A killed daemon's socket: replaced, and the old daemon's end does not remove it. */
	start(fixture);
	assert_int_equal(unlink(fixture->path), 0);
	assert_int_equal(control_new(fixture->event, fixture->path, methods, 1, NULL, &second), 0);
	fixture->control = control_free(fixture->control);
	fd = dial(fixture);
	close(fd);
	second = control_free(second);

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	{
		struct sockaddr_un address = {.sun_family = AF_UNIX};

		memcpy(address.sun_path, fixture->path, sizeof(fixture->path));
		assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	}
	close(fd);
	start(fixture);
	fd = dial(fixture);
	close(fd);
	fixture->control = control_free(fixture->control);

	/* Not a socket: it must not be removed. */
	fd = open(fixture->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(control_new(fixture->event, fixture->path, methods, 1, NULL, &second),
			 -EEXIST);
	assert_int_equal(lstat(fixture->path, &status), 0);
}

static void test_bad_path(void **state)
{
	struct fixture *fixture = *state;
	struct control *control = NULL;
	char path[256];

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(control_new(fixture->event, path, methods, 1, NULL, &control),
			 -ENAMETOOLONG);
	snprintf(path, sizeof(path), "%s/nowhere/socket", fixture->directory);
	assert_int_equal(control_new(fixture->event, path, methods, 1, NULL, &control), -ENOENT);
	assert_null(control);
}

/* Like a socket unit: passes descriptor 3 and names it in the environment. */
static void test_passed(void **state)
{
	struct fixture *fixture = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;
	char pid[16];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(address.sun_path, fixture->path, sizeof(fixture->path));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(dup2(fd, SD_LISTEN_FDS_START), SD_LISTEN_FDS_START);
	close(fd);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", CONTROL_FD_NAME, 1);
	start(fixture);
	unsetenv("LISTEN_PID");

	assert_int_equal(fcntl(SD_LISTEN_FDS_START, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	fd = dial(fixture);
	ask(fd, "{\"method\":\"io.espoffload.Echo\"}");
	expect(fixture, fd, "{\"parameters\":{}}");
	close(fd);
	fixture->control = control_free(fixture->control);
	assert_int_equal(lstat(fixture->path, &status), 0); /* it belongs to the service manager */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_socket_file),
		TEST(test_bad_path),
		TEST(test_passed),
	};

	/* Reserves the number from the start, so that no other file gets it. */
	if (dup2(STDERR_FILENO, SD_LISTEN_FDS_START) < 0)
		return 1;
	return cmocka_run_group_tests_name("control-socket", tests, NULL, NULL);
}
