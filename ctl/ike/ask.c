/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/ask.h"

#include "ike/pluto.h"
#include "ike/vici.h"
#include "monotonic.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Debian's and Fedora's. */
static const char *const vici_paths[] = {"/run/charon.vici", "/run/strongswan/charon.vici"};
static const char *const whack_paths[] = {"/usr/libexec/ipsec/whack", "/usr/lib/ipsec/whack"};
static const char pluto_path[] = "/run/pluto/pluto.ctl";

struct source {
	int fd;
	pid_t pid; /* 0: no process */
	int (*read)(struct ike_names *names, const char *data, size_t size, size_t *ret_used);
	size_t size; /* in the buffer */
	char buffer[VICI_PACKET_MAX];
};

struct ike_query {
	double deadline;
	struct ike_names *names;
	struct source *sources[IKE_SOURCES_MAX];
	size_t n_sources;
};

/* Root could connect to any of them, others only if they may. */
static bool may_write(const char *path)
{
	return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
}

static const char *find_whack(void)
{
	for (size_t i = 0; i < ELEMENTSOF(whack_paths); i++)
		if (faccessat(AT_FDCWD, whack_paths[i], X_OK, AT_EACCESS) == 0)
			return whack_paths[i];
	return NULL;
}

static struct ike_sources find_sources(void)
{
	struct ike_sources sources = {.pluto = pluto_path, .whack = find_whack()};

	for (size_t i = 0; i < ELEMENTSOF(vici_paths) && !sources.vici; i++)
		if (may_write(vici_paths[i]))
			sources.vici = vici_paths[i];
	return sources;
}

int ike_sources_parse(const char *text, struct ike_sources *ret_sources)
{
	struct ike_sources sources = {};

	if (strcmp(text, "auto") == 0)
		sources = find_sources();
	else if (strncmp(text, "vici:", 5) == 0 && text[5])
		sources.vici = text + 5;
	else if (strncmp(text, "pluto:", 6) == 0 && text[6])
		sources = (struct ike_sources){.pluto = text + 6, .whack = find_whack()};
	else if (strcmp(text, "off") != 0)
		return -EINVAL;
	*ret_sources = sources;
	return 0;
}

/* The socket takes all of the request at once, or the peer is not charon. */
static int open_vici(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -1;
	const char *request;
	size_t size;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	request = vici_request(&size);
	if (send(fd, request, size, MSG_NOSIGNAL) != (ssize_t)size)
		return -EIO;
	return TAKE_FD(fd);
}

/* `top` blocks signals, which a program does not expect. */
static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none;
	int r = -posix_spawnattr_init(attributes);

	if (r < 0)
		return r;
	(void)sigemptyset(&none);
	(void)posix_spawnattr_setsigmask(attributes, &none);
	(void)posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK);
	return 0;
}

static int set_actions(posix_spawn_file_actions_t *actions, int output)
{
	int r = -posix_spawn_file_actions_init(actions);

	if (r < 0)
		return r;
	r = -posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
	if (r == 0)
		r = -posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY,
						      0);
	if (r == 0)
		r = -posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY,
						      0);
	if (r < 0)
		(void)posix_spawn_file_actions_destroy(actions);
	return r;
}

static int spawn(const char *program, const char *socket, int output, pid_t *ret_pid)
{
	const char *argv[] = {"whack", "--ctlsocket", socket, "--showstates", NULL};
	char *environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r = set_attributes(&attributes);

	if (r < 0)
		return r;
	r = set_actions(&actions, output);
	if (r == 0) {
		/* execve(2) does not change the arguments. */
		r = -posix_spawn(ret_pid, program, &actions, &attributes, (char *const *)argv,
				 environment);
		(void)posix_spawn_file_actions_destroy(&actions);
	}
	(void)posix_spawnattr_destroy(&attributes);
	return r;
}

/* Without permission for pluto's socket whack has nothing to say, so it is not run. */
static int open_pluto(const struct ike_sources *sources, pid_t *ret_pid)
{
	_cleanup_close_ int output = -1;
	_cleanup_close_ int input = -1;
	int pipefd[2], r;

	if (!may_write(sources->pluto))
		return -EACCES;
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return -errno;
	input = pipefd[0];
	output = pipefd[1];
	if (fcntl(input, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = spawn(sources->whack, sources->pluto, output, ret_pid);
	return r < 0 ? r : TAKE_FD(input);
}

static void end_process(pid_t pid)
{
	if (pid <= 0)
		return;
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

static struct source *close_source(struct source *source)
{
	(void)close(source->fd);
	end_process(source->pid);
	free(source);
	return NULL;
}

/* Takes the descriptor and the process. A negative `fd` is a source that cannot be asked. */
static int add_source(struct ike_query *query, int fd, pid_t pid,
		      int (*read)(struct ike_names *names, const char *data, size_t size,
				  size_t *ret_used))
{
	struct source *source;

	if (fd < 0)
		return 0;
	source = malloc(sizeof(*source));
	if (!source) {
		(void)close(fd);
		end_process(pid);
		return -ENOMEM;
	}
	source->fd = fd;
	source->pid = pid;
	source->read = read;
	source->size = 0;
	query->sources[query->n_sources++] = source;
	return 0;
}

int ike_query_new(const struct ike_sources *sources, double now, struct ike_query **ret_query)
{
	_cleanup_(ike_query_freep) struct ike_query *query = calloc(1, sizeof(*query));
	pid_t pid = 0;
	int r = query ? ike_names_new(&query->names) : -ENOMEM;

	if (r < 0)
		return r;
	query->deadline = now + IKE_TIMEOUT;
	if (sources->vici)
		r = add_source(query, open_vici(sources->vici), 0, vici_read);
	if (r == 0 && sources->pluto && sources->whack) {
		int fd = open_pluto(sources, &pid);

		r = add_source(query, fd, pid, pluto_read);
	}
	if (r < 0)
		return r;
	*ret_query = TAKE_PTR(query);
	return 0;
}

struct ike_query *ike_query_free(struct ike_query *query)
{
	if (!query)
		return NULL;
	for (size_t i = 0; i < query->n_sources; i++)
		(void)close_source(query->sources[i]);
	(void)ike_names_free(query->names);
	free(query);
	return NULL;
}

size_t ike_query_poll(const struct ike_query *query, struct pollfd pollfds[IKE_SOURCES_MAX])
{
	for (size_t i = 0; i < query->n_sources; i++)
		pollfds[i] = (struct pollfd){.fd = query->sources[i]->fd, .events = POLLIN};
	return query->n_sources;
}

/* Reads at most what fits into the buffer. Returns 1 if the source is done, 0, or a negative errno.
 * The buffer has room: a packet or line that fills it is complete or not valid. */
static int read_source(struct source *source, struct ike_names *names)
{
	size_t used = 0;
	ssize_t n = read(source->fd, source->buffer + source->size,
			 sizeof(source->buffer) - source->size);
	int r;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return 1;
	source->size += (size_t)n;
	r = source->read(names, source->buffer, source->size, &used);
	source->size -= used;
	memmove(source->buffer, source->buffer + used, source->size);
	return r;
}

bool ike_query_run(struct ike_query *query, double now)
{
	size_t left = 0;

	for (size_t i = 0; i < query->n_sources; i++) {
		struct source *source = query->sources[i];

		if (now >= query->deadline || read_source(source, query->names) != 0)
			(void)close_source(source);
		else
			query->sources[left++] = source;
	}
	query->n_sources = left;
	return left == 0;
}

struct ike_names *ike_query_take(struct ike_query *query)
{
	return TAKE_PTR(query->names);
}

static void wait_for_bytes(const struct ike_query *query)
{
	struct pollfd pollfds[IKE_SOURCES_MAX];
	size_t n = ike_query_poll(query, pollfds);
	double left = fmax(query->deadline - monotonic_now(), 0);

	(void)poll(pollfds, n, (int)ceil(left * 1000));
}

struct ike_names *ike_ask(const struct ike_sources *sources)
{
	_cleanup_(ike_query_freep) struct ike_query *query = NULL;

	if (ike_query_new(sources, monotonic_now(), &query) < 0)
		return NULL;
	while (!ike_query_run(query, monotonic_now()))
		wait_for_bytes(query);
	return ike_query_take(query);
}

void ike_watch_done(struct ike_watch *watch)
{
	watch->query = ike_query_free(watch->query);
	watch->names = ike_names_free(watch->names);
}

size_t ike_watch_poll(const struct ike_watch *watch, struct pollfd pollfds[IKE_SOURCES_MAX])
{
	return watch->query ? ike_query_poll(watch->query, pollfds) : 0;
}

void ike_watch_run(struct ike_watch *watch, double now)
{
	if (!watch->query) {
		if (now < watch->due)
			return;
		watch->begun = now;
		watch->due = now + IKE_INTERVAL;
		if (ike_query_new(watch->sources, now, &watch->query) < 0)
			return;
	}
	if (!ike_query_run(watch->query, now))
		return;
	(void)ike_names_free(watch->names);
	watch->names = ike_query_take(watch->query);
	watch->query = ike_query_free(watch->query);
	watch->due = now + fmax(IKE_INTERVAL, IKE_REST * (now - watch->begun));
}

void ike_watch_wait(struct ike_watch *watch)
{
	ike_watch_run(watch, monotonic_now());
	while (watch->query) {
		wait_for_bytes(watch->query);
		ike_watch_run(watch, monotonic_now());
	}
}
