// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sampling [--larval] [SAS...]: what a dump of all SAs costs on a real kernel, by the number of
 * idle SAs (default 1,000, 10,000 and 100,000). Needs a kernel with ESP and root; the SAs are in a
 * network namespace of its own. CPU per SA of the process (the kernel writes a dump in the time of
 * the one who reads it), medians of several rounds, in each of which these take turns:
 *
 *   bare   a loop that receives the same dump into a buffer and looks at nothing in it
 *   dump   the daemon's, all that it does with it included, of SAs that it knows; the median of the
 *          ratios to the bare loop of the same round
 *   full   the same, but each SA is read in full, as after a loss of events
 *   ip     `ip -s xfrm state` to /dev/null; and its ratio to the daemon's dump
 *
 * With --larval the SAs are larval ones, which a kernel without ESP has, too: they have no
 * algorithm and no place in the policy, and each dump reads them in full.
 */
#include "measure.h"
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/xfrm.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPEATED 5
#define SECONDS_MIN 0.5
#define KEY_SIZE 20
#define RECEIVE_SIZE (60u * 1024u) /* as xfrm/netlink.c */

static void need(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "sampling: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_socket(void)
{
	const struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM), size = 4 << 20;

	need(fd >= 0, "NETLINK_XFRM");
	need(bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0, "bind");
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

struct request {
	struct nlmsghdr header;
	struct xfrm_usersa_info info;
	struct nlattr attribute;
	uint8_t algorithm[sizeof(struct xfrm_algo_aead) + KEY_SIZE];
};

static void make_sa(int fd, uint32_t i)
{
	struct request request = {
		.header = {.nlmsg_len = sizeof(request),
			   .nlmsg_type = XFRM_MSG_NEWSA,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL},
		.info = {.saddr.a4 = htonl(0x0a00ffff),
			 .id = {.daddr.a4 = htonl(0x0a010000 + i),
				.spi = htonl(0x10000 + i),
				.proto = IPPROTO_ESP},
			 .family = AF_INET,
			 .mode = XFRM_MODE_TUNNEL,
			 .replay_window = 32,
			 .reqid = i + 1,
			 .lft = {.soft_byte_limit = XFRM_INF,
				 .hard_byte_limit = XFRM_INF,
				 .soft_packet_limit = XFRM_INF,
				 .hard_packet_limit = XFRM_INF}},
		.attribute = {.nla_len = NLA_HDRLEN + sizeof(struct xfrm_algo_aead) + KEY_SIZE,
			      .nla_type = XFRMA_ALG_AEAD},
	};
	const struct xfrm_algo_aead algorithm = {
		.alg_name = "rfc4106(gcm(aes))", .alg_key_len = 8 * KEY_SIZE, .alg_icv_len = 128};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		uint8_t rest[1024];
	} answer;

	memset(request.algorithm, 1, sizeof(request.algorithm)); /* the key */
	memcpy(request.algorithm, &algorithm, sizeof(algorithm));
	need(send(fd, &request, sizeof(request), 0) == (ssize_t)sizeof(request), "send");
	need(recv(fd, &answer, sizeof(answer), 0) >= (ssize_t)sizeof(answer.header), "receive");
	errno = -answer.error.error;
	need(errno == 0, "an SA with AES-GCM (does this kernel have ESP?)");
}

static void make_larval(int fd, uint32_t i)
{
	struct {
		struct nlmsghdr header;
		struct xfrm_userspi_info spi;
	} request = {
		.header = {.nlmsg_len = sizeof(request),
			   .nlmsg_type = XFRM_MSG_ALLOCSPI,
			   .nlmsg_flags = NLM_F_REQUEST},
		.spi = {.info = {.saddr.a4 = htonl(0x0a00ffff),
				 .id = {.daddr.a4 = htonl(0x0a010000 + i), .proto = IPPROTO_ESP},
				 .family = AF_INET,
				 .mode = XFRM_MODE_TUNNEL,
				 .reqid = i + 1},
			.min = 0x10000 + i,
			.max = 0x10000 + i},
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		uint8_t rest[1024];
	} answer;

	need(send(fd, &request, sizeof(request), 0) == (ssize_t)sizeof(request), "send");
	need(recv(fd, &answer, sizeof(answer), 0) >= (ssize_t)sizeof(answer.header), "receive");
	need(answer.header.nlmsg_type == XFRM_MSG_NEWSA, "a larval SA");
}

/* Larval SAs live this long. */
static void set_larval_lifetime(void)
{
	FILE *file = fopen("/proc/sys/net/core/xfrm_acq_expires", "we");

	need(file && fputs("3600", file) >= 0 && fclose(file) == 0, "net.core.xfrm_acq_expires");
}

/* Returns how many datagrams came. */
static unsigned receive_dump(int fd)
{
	static uint8_t buffer[RECEIVE_SIZE];
	const struct nlmsghdr request = {
		.nlmsg_len = NLMSG_LENGTH(0),
		.nlmsg_type = XFRM_MSG_GETSA,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
	};
	const struct nlmsghdr *first = (const struct nlmsghdr *)buffer;
	unsigned n = 0;

	need(send(fd, &request, sizeof(request), 0) == (ssize_t)sizeof(request), "send");
	do {
		need(recv(fd, buffer, sizeof(buffer), 0) > 0, "receive");
		n++;
	} while (first->nlmsg_type != NLMSG_DONE);
	return n;
}

struct bench {
	struct world world;
	int fd; /* of the bare loop */
};

static void receive_bare(struct bench *bench)
{
	(void)receive_dump(bench->fd);
}

static void dump_all(struct bench *bench)
{
	bench->world.skipped += 1;
	if (manager_dump(bench->world.manager) < 0)
		abort();
}

static void dump_in_full(struct bench *bench)
{
	tracker_read_in_full(bench->world.manager->tracker);
	dump_all(bench);
}

/* CPU of one call. A kernel may count CPU in ticks of 10 ms, so it is that of many calls. */
static double cost_of(struct bench *bench, void (*call)(struct bench *bench))
{
	double begun = measure_cpu(), spent = 0;
	unsigned n = 0;

	for (; spent < SECONDS_MIN; n++) {
		call(bench);
		spent = measure_cpu() - begun;
	}
	return spent / n;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double cost_of_ip(void)
{
	struct rusage before, after;

	(void)getrusage(RUSAGE_CHILDREN, &before);
	need(system("ip -s xfrm state >/dev/null") == 0, "ip -s xfrm state");
	(void)getrusage(RUSAGE_CHILDREN, &after);
	return seconds(after.ru_utime) + seconds(after.ru_stime) - seconds(before.ru_utime) -
	       seconds(before.ru_stime);
}

static void print(uint32_t n, struct bench *bench)
{
	double bare[REPEATED], dump[REPEATED], full[REPEATED], ip[REPEATED];
	double dump_ratio[REPEATED], full_ratio[REPEATED], ip_ratio[REPEATED];

	for (unsigned i = 0; i < REPEATED; i++) {
		bare[i] = cost_of(bench, receive_bare);
		full[i] = cost_of(bench, dump_in_full);
		dump[i] = cost_of(bench, dump_all);
		ip[i] = cost_of_ip();
		dump_ratio[i] = dump[i] / bare[i];
		full_ratio[i] = full[i] / bare[i];
		ip_ratio[i] = ip[i] / dump[i];
	}
	(void)printf("%7u SAs: bare %6.3f us/SA, dump %6.3f us/SA (%.2f bare), full %6.3f us/SA "
		     "(%.2f bare), ip %6.3f us/SA (%.1f dumps)\n",
		     n, measure_median(bare, REPEATED) / n * 1e6,
		     measure_median(dump, REPEATED) / n * 1e6, measure_median(dump_ratio, REPEATED),
		     measure_median(full, REPEATED) / n * 1e6, measure_median(full_ratio, REPEATED),
		     measure_median(ip, REPEATED) / n * 1e6, measure_median(ip_ratio, REPEATED));
	(void)fflush(stdout);
}

static void run(uint32_t n, bool larval)
{
	struct bench bench;

	need(unshare(CLONE_NEWNET) == 0, "a network namespace");
	bench.fd = open_socket();
	if (larval)
		set_larval_lifetime();
	for (uint32_t i = 0; i < n; i++)
		(larval ? make_larval : make_sa)(bench.fd, i);
	world_open_on(&bench.world, kernel_netlink_new, 1);
	manager_tick(bench.world.manager);
	print(n, &bench);
	world_close(&bench.world);
	(void)close(bench.fd);
}

int main(int argc, char **argv)
{
	static const uint32_t defaults[] = {1000, 10000, 100000};
	bool larval = argc > 1 && strcmp(argv[1], "--larval") == 0;
	int first = larval ? 2 : 1;

	for (int i = first; i < argc; i++) {
		char *end;
		unsigned long n = strtoul(argv[i], &end, 10);

		if (*end || n < 1 || n > 10000000) {
			(void)fprintf(stderr, "usage: sampling [--larval] [SAS...]   "
					      "(1 to 10,000,000 each)\n");
			return 2;
		}
		run((uint32_t)n, larval);
	}
	for (size_t i = 0; first == argc && i < ELEMENTSOF(defaults); i++)
		run(defaults[i], larval);
	return 0;
}
