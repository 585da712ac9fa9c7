/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-traffic: UDP and TCP flows at planned rates, for the tests that run in a small virtual
 * machine.
 *
 *   vm-traffic send PLAN [STATS]    send by the plan; SIGHUP reads it again, SIGTERM ends, and then
 *                                   STATS (JSON) has what was sent
 *   vm-traffic sink PORT [STATS]    receive on PORT, IPv4 and IPv6; rewrite STATS (JSON) twice a
 *                                   second
 *
 * A plan has a line per flow: ADDRESS PORT RATE PAYLOAD [TAG [SOURCE [tcp]]]. RATE is packets per
 * second ("120pps") or payload bytes per second ("96000Bps"), PAYLOAD is the bytes in each
 * datagram, TAG is a number by which the sink counts (a test uses the SPI), SOURCE the address to
 * send from. With "tcp" the flow is one connection, and its "packets" are messages in the stream.
 *
 * Each message has its tag, number and length, and then contents that the sink can tell from them.
 *
 * One process serves all flows: a timer ticks every SLICE_MS, each flow earns rate * slice of
 * credit and sends whole packets from it. Short slices keep the rates smooth for a sampler with an
 * interval of one second; with a process per flow the guest's two emulated CPUs would spend their
 * time on switching. Flows keep their socket and sequence number over SIGHUP, so that the sink can
 * distinguish loss from a new plan.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

/* How long a connection may take to deliver what is left at the end. */
#define LINGER_SECONDS 10

struct header {
	uint32_t magic;
	uint32_t tag;
	uint64_t sequence;
	uint64_t length; /* of the message with this header */
};

struct flow {
	struct sockaddr_storage address;
	struct sockaddr_storage source; /* all zero: the kernel chooses */
	socklen_t address_length;
	int fd;
	bool tcp;
	unsigned char message[PAYLOAD_MAX]; /* TCP: of these, `unsent` bytes are still to be sent */
	size_t message_length, unsent;
	uint32_t tag;
	double packets_per_second;
	double credit;
	size_t payload;
	uint64_t sequence;
	uint64_t sent, bytes, errors;
	bool planned; /* in the newest plan; others do not send but keep their sequence number */
};

struct tag_count {
	bool used;
	uint32_t tag;
	uint64_t packets, bytes, next, late, corrupt;
};

/* A connection to the sink, and the part of its stream that is not a whole message yet. */
struct stream {
	int fd;
	size_t filled;
	unsigned char buffer[2 * PAYLOAD_MAX];
};

static struct flow flows[FLOWS_MAX];
static size_t n_flows;

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- Contents ---- */

static uint64_t content_word(const struct header *header, size_t offset)
{
	uint64_t value = (header->sequence << 20) + ((uint64_t)header->tag << 52) + offset;

	return value * UINT64_C(0x9e3779b97f4a7c15);
}

static size_t content_step(size_t left)
{
	return left < sizeof(uint64_t) ? left : sizeof(uint64_t);
}

static void message_fill(unsigned char *message, const struct header *header)
{
	size_t step;

	memcpy(message, header, sizeof *header);
	for (size_t at = sizeof *header; at < header->length; at += step) {
		uint64_t word = content_word(header, at);

		step = content_step(header->length - at);
		memcpy(message + at, &word, step);
	}
}

static bool message_is_intact(const unsigned char *message, const struct header *header)
{
	size_t step;

	for (size_t at = sizeof *header; at < header->length; at += step) {
		uint64_t word = content_word(header, at);

		step = content_step(header->length - at);
		if (memcmp(message + at, &word, step) != 0)
			return false;
	}
	return true;
}

/* The header of a message of which so many bytes are there. */
static bool header_read(const unsigned char *message, size_t length, struct header *ret)
{
	if (length < sizeof *ret)
		return false;
	memcpy(ret, message, sizeof *ret);
	return ret->magic == MAGIC && ret->length >= sizeof *ret && ret->length <= PAYLOAD_MAX;
}

/* ---- Files with counts ---- */

static FILE *stats_open(const char *path, char *ret_temporary, size_t size)
{
	FILE *file;

	if (snprintf(ret_temporary, size, "%s.new", path) >= (int)size) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	file = fopen(ret_temporary, "we");
	if (file)
		fputs("{", file);
	return file;
}

static int stats_close(FILE *file, const char *temporary, const char *path)
{
	fputs("\n}\n", file);
	return fclose(file) != 0 || rename(temporary, path) < 0 ? -errno : 0;
}

/* ---- Sending ---- */

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
			     const struct sockaddr_storage *source, socklen_t length, bool tcp)
{
	int type = (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, on = 1;
	struct flow *flow;

	for (size_t i = 0; i < n_flows; i++)
		if (flows[i].tcp == tcp && flows[i].address_length == length &&
		    memcmp(&flows[i].address, address, length) == 0 &&
		    memcmp(&flows[i].source, source, length) == 0)
			return flows + i;
	if (n_flows == FLOWS_MAX)
		return NULL;
	flow = flows + n_flows;
	/* Connected, so that the kernel keeps the route and the transforms with the socket instead
	 * of finding them per packet. */
	flow->fd = socket(address->ss_family, type, 0);
	if (flow->fd < 0)
		return NULL;
	if ((source->ss_family != AF_UNSPEC &&
	     bind(flow->fd, (const struct sockaddr *)source, length) < 0) ||
	    (connect(flow->fd, (const struct sockaddr *)address, length) < 0 &&
	     errno != EINPROGRESS)) {
		close(flow->fd);
		return NULL;
	}
	/* Each message leaves at its time. */
	if (tcp)
		(void)setsockopt(flow->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	flow->tcp = tcp;
	flow->address = *address;
	flow->source = *source;
	flow->address_length = length;
	flow->credit = (double)rand() / RAND_MAX; /* so that slow flows use different slices */
	n_flows++;
	return flow;
}

static int plan_read(const char *path)
{
	char line[256], address[64], port[16], rate[32], source[64], unit[8], kind[8];
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
		bool tcp = false;
		size_t payload;
		uint32_t tag;
		double number;
		int n;

		n_line++;
		if (line[0] == '#' || line[0] == '\n')
			continue;
		tag = n_line;
		// NOLINTBEGIN(cert-err34-c): the tests write the plan, numbers fit
		n = sscanf(line, "%63s %15s %31s %zu %" SCNu32 " %63s %7s", address, port, rate,
			   &payload, &tag, source, kind);
		if (n == 7) {
			tcp = strcmp(kind, "tcp") == 0;
			n = tcp ? 6 : 0;
		}
		if (n < 4 || payload < sizeof(struct header) || payload > PAYLOAD_MAX ||
		    sscanf(rate, "%lf%7s", &number, unit) != 2 || number < 0 ||
		    (strcmp(unit, "pps") != 0 && strcmp(unit, "Bps") != 0) ||
		    !parse_address(address, port, &to, &length) ||
		    (n == 6 && (!parse_address(source, "0", &from, &length) ||
				from.ss_family != to.ss_family))) {
			fprintf(stderr,
				"vm-traffic: %s:%u: expected ADDRESS PORT RATE{pps|Bps} PAYLOAD "
				"[TAG [SOURCE [tcp]]]\n",
				path, n_line);
			fclose(file);
			return -EINVAL;
		}
		// NOLINTEND(cert-err34-c)
		flow = flow_get(&to, &from, length, tcp);
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

static struct header next_header(const struct flow *flow)
{
	return (struct header){
		.magic = MAGIC,
		.tag = flow->tag,
		.sequence = flow->sequence,
		.length = flow->payload,
	};
}

static void send_datagrams(struct flow *flow, unsigned n_packets)
{
	static unsigned char buffers[BATCH][PAYLOAD_MAX];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH];

	while (n_packets > 0) {
		unsigned n = n_packets < BATCH ? n_packets : BATCH;
		struct header header = next_header(flow);
		int r;

		memset(messages, 0, sizeof messages);
		for (unsigned i = 0; i < n; i++, header.sequence++) {
			message_fill(buffers[i], &header);
			parts[i] = (struct iovec){buffers[i], flow->payload};
			messages[i].msg_hdr.msg_iov = &parts[i];
			messages[i].msg_hdr.msg_iovlen = 1;
		}
		r = sendmmsg(flow->fd, messages, n, 0);
		if (r <= 0) {
			/* A packet that the kernel refuses (no SA at that moment, full queue)
			 * counts as lost: its number is used up, so that the sink sees the gap. */
			flow->errors++;
			r = 1;
		} else {
			flow->sent += (uint64_t)r;
			flow->bytes += (uint64_t)r * flow->payload;
		}
		flow->sequence += (uint64_t)r;
		n_packets -= (unsigned)r;
	}
}

/* Gives TCP what is left of the message. False if TCP does not take all of it now. */
static bool send_rest(struct flow *flow)
{
	while (flow->unsent > 0) {
		ssize_t r = send(flow->fd, flow->message + flow->message_length - flow->unsent,
				 flow->unsent, MSG_NOSIGNAL);

		if (r < 0 && (errno == EAGAIN || errno == EINTR))
			return false;
		if (r < 0) {
			fprintf(stderr, "vm-traffic: connection of flow %" PRIu32 ": %s\n",
				flow->tag, strerror(errno));
			exit(EXIT_FAILURE);
		}
		flow->unsent -= (size_t)r;
	}
	return true;
}

/* What TCP does not take in time is not sent at all, so that the rate is that of the plan or less.
 */
static void send_messages(struct flow *flow, unsigned n)
{
	for (; n > 0 && send_rest(flow); n--) {
		const struct header header = next_header(flow);

		message_fill(flow->message, &header);
		flow->message_length = flow->unsent = flow->payload;
		flow->sequence++;
		flow->sent++;
		flow->bytes += flow->payload;
	}
	(void)send_rest(flow);
}

/* Waits until the sink has read all. Returns how often TCP sent a segment again. */
static uint32_t finish_stream(struct flow *flow)
{
	const struct timeval limit = {.tv_sec = LINGER_SECONDS};
	struct tcp_info info = {0};
	socklen_t length = sizeof info;
	char byte;

	(void)fcntl(flow->fd, F_SETFL, 0);
	(void)setsockopt(flow->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	(void)setsockopt(flow->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (!send_rest(flow) || shutdown(flow->fd, SHUT_WR) < 0 ||
	    recv(flow->fd, &byte, sizeof byte, 0) != 0)
		fprintf(stderr, "vm-traffic: connection of flow %" PRIu32 " did not end well\n",
			flow->tag);
	(void)getsockopt(flow->fd, IPPROTO_TCP, TCP_INFO, &info, &length);
	return info.tcpi_total_retrans;
}

static int sent_write(const char *path)
{
	char temporary[4096];
	FILE *file = stats_open(path, temporary, sizeof temporary);

	if (!file)
		return -errno;
	for (size_t i = 0; i < n_flows; i++)
		fprintf(file,
			"%s\n\"%" PRIu32 "\": {\"packets\": %" PRIu64 ", \"bytes\": %" PRIu64
			", \"refused\": %" PRIu64 ", \"retransmitted\": %" PRIu32 "}",
			i ? "," : "", flows[i].tag, flows[i].sent, flows[i].bytes, flows[i].errors,
			flows[i].tcp ? finish_stream(flows + i) : 0);
	return stats_close(file, temporary, path);
}

static int send_loop(const char *path, const char *stats)
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
			if (flows[i].tcp)
				send_messages(flows + i, n);
			else
				send_datagrams(flows + i, n);
		}
	}
	for (size_t i = 0; i < n_flows; i++) {
		sent += flows[i].sent;
		errors += flows[i].errors;
	}
	if (stats && sent_write(stats) < 0)
		return EXIT_FAILURE;
	printf("vm-traffic: sent %" PRIu64 " packets, %" PRIu64 " refused\n", sent, errors);
	return EXIT_SUCCESS;
}

/* ---- Receiving ---- */

static struct tag_count counts[TAGS_MAX];

/* Counts one message, of which all bytes are there. */
static void sink_count(const unsigned char *message, const struct header *header)
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
	counts[at].bytes += header->length;
	if (!message_is_intact(message, header))
		counts[at].corrupt++;
	if (header->sequence >= counts[at].next) {
		counts[at].late += header->sequence -
				   counts[at].next; /* missing, until one of them arrives late */
		counts[at].next = header->sequence + 1;
	} else if (counts[at].late > 0)
		counts[at].late--;
}

static int sink_write(const char *path)
{
	const char *comma = "";
	char temporary[4096];
	FILE *file = stats_open(path, temporary, sizeof temporary);

	if (!file)
		return -errno;
	for (size_t i = 0; i < TAGS_MAX; i++)
		if (counts[i].used) {
			fprintf(file,
				"%s\n\"%" PRIu32 "\": {\"packets\": %" PRIu64
				", \"bytes\": %" PRIu64 ", \"missing\": %" PRIu64
				", \"corrupt\": %" PRIu64 "}",
				comma, counts[i].tag, counts[i].packets, counts[i].bytes,
				counts[i].late, counts[i].corrupt);
			comma = ",";
		}
	return stats_close(file, temporary, path);
}

/* Dual stack: IPv4 arrives as mapped addresses. */
static int sink_open(int type, const char *port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), room = 1 << 20, on = 1;

	any.sin6_port = htons((uint16_t)strtoul(port, NULL, 10));
	if (fd >= 0 && type == SOCK_DGRAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
	if (fd >= 0 && type == SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof any) < 0 ||
	    (type == SOCK_STREAM && listen(fd, FLOWS_MAX) < 0)) {
		perror("vm-traffic: sink");
		exit(EXIT_FAILURE);
	}
	return fd;
}

static void sink_datagrams(int fd)
{
	static unsigned char buffers[BATCH][PAYLOAD_MAX];
	struct mmsghdr messages[BATCH] = {0};
	struct iovec parts[BATCH];
	int n;

	for (unsigned i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){buffers[i], sizeof buffers[i]};
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		struct header header;

		if (header_read(buffers[i], messages[i].msg_len, &header) &&
		    header.length == messages[i].msg_len)
			sink_count(buffers[i], &header);
	}
}

/* Reads what is there, and counts the whole messages. False at the end of the stream. */
static bool sink_stream(struct stream *stream)
{
	ssize_t r = recv(stream->fd, stream->buffer + stream->filled,
			 sizeof stream->buffer - stream->filled, 0);
	struct header header;
	size_t at = 0;

	if (r <= 0)
		return r < 0 && (errno == EAGAIN || errno == EINTR);
	stream->filled += (size_t)r;
	while (stream->filled - at >= sizeof header) {
		if (!header_read(stream->buffer + at, stream->filled - at, &header)) {
			fprintf(stderr, "vm-traffic: sink: a stream has no message where one "
					"should begin\n");
			return false;
		}
		if (stream->filled - at < header.length)
			break;
		sink_count(stream->buffer + at, &header);
		at += header.length;
	}
	stream->filled -= at;
	memmove(stream->buffer, stream->buffer + at, stream->filled);
	return true;
}

static int sink_loop(const char *port, const char *stats)
{
	static struct stream streams[FLOWS_MAX];
	static struct pollfd fds[2 + FLOWS_MAX];
	double written = 0;
	size_t n = 0;

	fds[0] = (struct pollfd){.fd = sink_open(SOCK_DGRAM, port), .events = POLLIN};
	fds[1] = (struct pollfd){.fd = sink_open(SOCK_STREAM, port), .events = POLLIN};
	for (;;) {
		if (poll(fds, 2 + n, 500) > 0) {
			if (fds[0].revents)
				sink_datagrams(fds[0].fd);
			/* From the last: the last takes the place of one that ends. */
			for (size_t i = n; i-- > 0;) {
				if (!fds[2 + i].revents || sink_stream(streams + i))
					continue;
				close(streams[i].fd);
				n--;
				streams[i] = streams[n];
				fds[2 + i] = fds[2 + n];
			}
			if (fds[1].revents && n < FLOWS_MAX) {
				int fd = accept4(fds[1].fd, NULL, NULL,
						 SOCK_CLOEXEC | SOCK_NONBLOCK);

				if (fd >= 0) {
					streams[n].fd = fd;
					streams[n].filled = 0;
					fds[2 + n] = (struct pollfd){.fd = fd, .events = POLLIN};
					n++;
				}
			}
		}
		if (stats && now_seconds() - written > 0.5) {
			if (sink_write(stats) < 0)
				return EXIT_FAILURE;
			written = now_seconds();
		}
	}
}

int main(int argc, char **argv)
{
	if ((argc == 3 || argc == 4) && strcmp(argv[1], "send") == 0)
		return send_loop(argv[2], argv[3]);
	if ((argc == 3 || argc == 4) && strcmp(argv[1], "sink") == 0)
		return sink_loop(argv[2], argv[3]);
	fprintf(stderr, "usage: vm-traffic send PLAN [STATS] | vm-traffic sink PORT [STATS]\n");
	return EXIT_FAILURE;
}
