/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-traffic: UDP flows at planned rates, for the tests that run in a small virtual machine.
 *
 *   vm-traffic send PLAN            send by the plan; SIGHUP reads it again, SIGTERM ends
 *   vm-traffic sink PORT [STATS]    receive on PORT, IPv4 and IPv6; rewrite STATS (JSON) twice a
 * second
 *
 * A plan has a line per flow: ADDRESS PORT RATE PAYLOAD [TAG [SOURCE]]. RATE is packets per second
 * ("120pps") or UDP payload bytes per second ("96000Bps"), PAYLOAD is the bytes in each datagram,
 * TAG is a number by which the sink counts (a test uses the SPI), SOURCE the address to send from.
 *
 * One process serves all flows: a timer ticks every SLICE_MS, each flow earns rate * slice of
 * credit and sends whole packets from it. Short slices keep the rates smooth for a sampler with an
 * interval of one second; with a process per flow the guest's two emulated CPUs would spend their
 * time on switching. Flows keep their socket and sequence number over SIGHUP, so that the sink can
 * distinguish loss from a new plan.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SLICE_MS 20
/* The longest slice that gives credit. After a longer one, which means that the process was not
 * scheduled, catching up would be a burst. The limit is on time and not on each flow's credit, so
 * that a guest that is too slow slows all flows equally and keeps their proportions. */
#define SLICE_MAX_SECONDS 0.3
#define FLOWS_MAX 1024
#define PAYLOAD_MAX 9000
#define BATCH 32
#define TAGS_MAX 4096
#define MAGIC UINT32_C(0x65737066)

struct header {
	uint32_t magic;
	uint32_t tag;
	uint64_t sequence;
};

struct flow {
	struct sockaddr_storage address;
	struct sockaddr_storage source; /* all zero: the kernel chooses */
	socklen_t address_length;
	int fd;
	uint32_t tag;
	double packets_per_second;
	double credit;
	size_t payload;
	uint64_t sequence;
	uint64_t errors;
	bool planned; /* in the newest plan; others do not send but keep their sequence number */
};

struct tag_count {
	bool used;
	uint32_t tag;
	uint64_t packets, bytes, next, late;
};

static struct flow flows[FLOWS_MAX];
static size_t n_flows;

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool parse_address(const char *text, const char *port, struct sockaddr_storage *ret,
			  socklen_t *ret_length)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	unsigned long number = strtoul(port, NULL, 10);

	if (number > 65535)
		return false;
	memset(ret, 0, sizeof *ret);
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)number);
		*ret_length = sizeof *v4;
		return true;
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)number);
		*ret_length = sizeof *v6;
		return true;
	}
	return false;
}

/* The flow between these addresses, a new one if there is none yet. NULL when the table or the
 * sockets are exhausted. */
static struct flow *flow_get(const struct sockaddr_storage *address,
			     const struct sockaddr_storage *source, socklen_t length)
{
	struct flow *flow;

	for (size_t i = 0; i < n_flows; i++)
		if (flows[i].address_length == length &&
		    memcmp(&flows[i].address, address, length) == 0 &&
		    memcmp(&flows[i].source, source, length) == 0)
			return flows + i;
	if (n_flows == FLOWS_MAX)
		return NULL;
	flow = flows + n_flows;
	/* Connected, so that the kernel keeps the route and the transforms with the socket instead
	 * of finding them per packet. */
	flow->fd = socket(address->ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (flow->fd < 0)
		return NULL;
	if ((source->ss_family != AF_UNSPEC &&
	     bind(flow->fd, (const struct sockaddr *)source, length) < 0) ||
	    connect(flow->fd, (const struct sockaddr *)address, length) < 0) {
		close(flow->fd);
		return NULL;
	}
	flow->address = *address;
	flow->source = *source;
	flow->address_length = length;
	flow->credit = (double)rand() / RAND_MAX; /* so that slow flows use different slices */
	n_flows++;
	return flow;
}

static int plan_read(const char *path)
{
	char line[256], address[64], port[16], rate[32], source[64], unit[8];
	unsigned n_line = 0;
	FILE *file = fopen(path, "re");

	if (!file) {
		fprintf(stderr, "vm-traffic: %s: %s\n", path, strerror(errno));
		return -errno;
	}
	for (size_t i = 0; i < n_flows; i++)
		flows[i].planned = false;
	while (fgets(line, sizeof line, file)) {
		struct sockaddr_storage to, from = {.ss_family = AF_UNSPEC};
		struct flow *flow;
		socklen_t length;
		size_t payload;
		uint32_t tag;
		double number;
		int n;

		n_line++;
		if (line[0] == '#' || line[0] == '\n')
			continue;
		tag = n_line;
		// NOLINTBEGIN(cert-err34-c): the tests write the plan, numbers fit
		n = sscanf(line, "%63s %15s %31s %zu %" SCNu32 " %63s", address, port, rate,
			   &payload, &tag, source);
		if (n < 4 || payload < sizeof(struct header) || payload > PAYLOAD_MAX ||
		    sscanf(rate, "%lf%7s", &number, unit) != 2 || number < 0 ||
		    (strcmp(unit, "pps") != 0 && strcmp(unit, "Bps") != 0) ||
		    !parse_address(address, port, &to, &length) ||
		    (n == 6 && (!parse_address(source, "0", &from, &length) ||
				from.ss_family != to.ss_family))) {
			fprintf(stderr,
				"vm-traffic: %s:%u: expected ADDRESS PORT RATE{pps|Bps} PAYLOAD "
				"[TAG [SOURCE]]\n",
				path, n_line);
			fclose(file);
			return -EINVAL;
		}
		// NOLINTEND(cert-err34-c)
		flow = flow_get(&to, &from, length);
		if (!flow) {
			fprintf(stderr, "vm-traffic: %s:%u: cannot open a flow to %s: %s\n", path,
				n_line, address, strerror(errno));
			continue;
		}
		flow->planned = true;
		flow->tag = tag;
		flow->payload = payload;
		flow->packets_per_second =
			strcmp(unit, "pps") == 0 ? number : number / (double)payload;
	}
	fclose(file);
	return 0;
}

static uint64_t flow_send(struct flow *flow, unsigned n_packets)
{
	static unsigned char filler[PAYLOAD_MAX];
	struct header headers[BATCH];
	struct iovec parts[BATCH][2];
	struct mmsghdr messages[BATCH];
	uint64_t sent = 0;

	while (n_packets > 0) {
		unsigned n = n_packets < BATCH ? n_packets : BATCH;
		int r;

		memset(messages, 0, sizeof messages);
		for (unsigned i = 0; i < n; i++) {
			headers[i] = (struct header){
				.magic = MAGIC, .tag = flow->tag, .sequence = flow->sequence + i};
			parts[i][0] = (struct iovec){&headers[i], sizeof headers[i]};
			parts[i][1] = (struct iovec){filler, flow->payload - sizeof headers[i]};
			messages[i].msg_hdr.msg_iov = parts[i];
			messages[i].msg_hdr.msg_iovlen = 2;
		}
		r = sendmmsg(flow->fd, messages, n, 0);
		if (r <= 0) {
			/* A packet that the kernel refuses (no SA at that moment, full queue)
			 * counts as lost: its number is used up, so that the sink sees the gap. */
			flow->errors++;
			r = 1;
		} else
			sent += (uint64_t)r;
		flow->sequence += (uint64_t)r;
		n_packets -= (unsigned)r;
	}
	return sent;
}

static int send_loop(const char *path)
{
	const struct itimerspec tick = {
		.it_value.tv_nsec = SLICE_MS * 1000000L,
		.it_interval.tv_nsec = SLICE_MS * 1000000L,
	};
	struct signalfd_siginfo info;
	uint64_t expired, sent = 0, errors = 0;
	struct pollfd fds[2];
	double last;
	sigset_t set;

	if (plan_read(path) < 0)
		return EXIT_FAILURE;
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fds[0] = (struct pollfd){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
				 .events = POLLIN};
	fds[1] = (struct pollfd){.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
				 .events = POLLIN};
	if (fds[0].fd < 0 || fds[1].fd < 0 || timerfd_settime(fds[1].fd, 0, &tick, NULL) < 0) {
		perror("vm-traffic: timer");
		return EXIT_FAILURE;
	}
	last = now_seconds();
	for (;;) {
		double now, slice;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return EXIT_FAILURE;
		if (read(fds[0].fd, &info, sizeof info) == (ssize_t)sizeof info) {
			if (info.ssi_signo != SIGHUP)
				break;
			if (plan_read(path) < 0)
				return EXIT_FAILURE;
		}
		if (read(fds[1].fd, &expired, sizeof expired) != (ssize_t)sizeof expired)
			continue;
		now = now_seconds();
		slice = now - last < SLICE_MAX_SECONDS ? now - last : SLICE_MAX_SECONDS;
		last = now;
		for (size_t i = 0; i < n_flows; i++) {
			unsigned n;

			if (!flows[i].planned)
				continue;
			flows[i].credit += flows[i].packets_per_second * slice;
			n = (unsigned)flows[i].credit;
			flows[i].credit -= n;
			sent += flow_send(flows + i, n);
		}
	}
	for (size_t i = 0; i < n_flows; i++)
		errors += flows[i].errors;
	printf("vm-traffic: sent %" PRIu64 " packets, %" PRIu64 " refused\n", sent, errors);
	return EXIT_SUCCESS;
}

static void sink_count(struct tag_count *counts, const struct header *header, size_t length)
{
	size_t at = header->tag % TAGS_MAX;

	for (size_t i = 0; i < TAGS_MAX; i++, at = (at + 1) % TAGS_MAX)
		if (!counts[at].used || counts[at].tag == header->tag)
			break;
	if (counts[at].used && counts[at].tag != header->tag)
		return;
	if (!counts[at].used) {
		/* The sender may have started earlier: what it sent before is not a loss of this
		 * sink. */
		counts[at].used = true;
		counts[at].tag = header->tag;
		counts[at].next = header->sequence;
	}
	counts[at].packets++;
	counts[at].bytes += length;
	if (header->sequence >= counts[at].next) {
		counts[at].late += header->sequence -
				   counts[at].next; /* missing, until one of them arrives late */
		counts[at].next = header->sequence + 1;
	} else if (counts[at].late > 0)
		counts[at].late--;
}

static int sink_write(const char *path, const struct tag_count *counts)
{
	const char *comma = "";
	char temporary[4096];
	FILE *file;

	if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
		return -ENAMETOOLONG;
	file = fopen(temporary, "we");
	if (!file)
		return -errno;
	fputs("{", file);
	for (size_t i = 0; i < TAGS_MAX; i++)
		if (counts[i].used) {
			fprintf(file,
				"%s\n\"%" PRIu32 "\": {\"packets\": %" PRIu64
				", \"bytes\": %" PRIu64 ", \"missing\": %" PRIu64 "}",
				comma, counts[i].tag, counts[i].packets, counts[i].bytes,
				counts[i].late);
			comma = ",";
		}
	fputs("\n}\n", file);
	if (fclose(file) != 0 || rename(temporary, path) < 0)
		return -errno;
	return 0;
}

static int sink_loop(const char *port, const char *stats)
{
	static unsigned char buffers[BATCH][PAYLOAD_MAX];
	static struct tag_count counts[TAGS_MAX];
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
	unsigned long number = strtoul(port, NULL, 10);
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	int fd, room = 1 << 20;
	double written = 0;

	any.sin6_port = htons((uint16_t)number);
	/* Dual stack: IPv4 arrives as mapped addresses. */
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof any) < 0) {
		perror("vm-traffic: sink");
		return EXIT_FAILURE;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		int n = 0;

		if (poll(&wait, 1, 500) > 0) {
			memset(messages, 0, sizeof messages);
			for (unsigned i = 0; i < BATCH; i++) {
				parts[i] = (struct iovec){buffers[i], sizeof buffers[i]};
				messages[i].msg_hdr.msg_iov = &parts[i];
				messages[i].msg_hdr.msg_iovlen = 1;
			}
			n = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
		}
		for (int i = 0; i < n; i++) {
			struct header header;

			if (messages[i].msg_len < sizeof header)
				continue;
			memcpy(&header, buffers[i], sizeof header);
			if (header.magic == MAGIC)
				sink_count(counts, &header, messages[i].msg_len);
		}
		if (stats && now_seconds() - written > 0.5) {
			if (sink_write(stats, counts) < 0)
				return EXIT_FAILURE;
			written = now_seconds();
		}
	}
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "send") == 0)
		return send_loop(argv[2]);
	if ((argc == 3 || argc == 4) && strcmp(argv[1], "sink") == 0)
		return sink_loop(argv[2], argv[3]);
	fprintf(stderr, "usage: vm-traffic send PLAN | vm-traffic sink PORT [STATS]\n");
	return EXIT_FAILURE;
}
