// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An operation by AF_ALG consists of two system calls, which cost more than the cryptography of a
 * small packet. So the same operations are measured with null algorithms, and subtracted. What is
 * left by packet and by byte follows from two sizes of packets.
 *
 * The time is that of the thread, and the shortest of many short rounds counts: interrupts, and
 * what the host of a virtual machine takes, are in the others. A measurement that cannot be
 * repeated is none.
 */
#include "base/cipher-cost.h"

#include "cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_alg.h>
#include <linux/rtnetlink.h>
#include <math.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define SMALL_BYTES 64
#define LARGE_BYTES 1424 /* multiples of the blocks of all ciphers */
#define ICV_BYTES_MAX 64
#define KEY_BYTES_MAX 256
/* SPI, sequence number and IV: what these AEADs demand, and what authenc() has with a long IV. */
#define AEAD_HEADER_BYTES 16
#define AUTHENC_HEADER_BYTES 24
#define ROUND_OPERATIONS 4
#define ROUNDS_MIN 8
#define ROUNDS_MAX 64
/* After the least number of rounds, the time of a size ends with the first one that is over this.
 */
#define SIZE_NS 1e6
/* Two measurements must not differ by a larger factor. */
#define REPEATED 1.2
/* CRYPTO_AUTHENC_KEYA_PARAM of the kernel's crypto/authenc.h. */
#define AUTHENC_KEY_PARAMETER 1

/* What authenc() costs without cryptography. */
static const struct cipher null_cipher = {
	.name = "authenc(digest_null,ecb(cipher_null))",
	.authenc = true,
};

struct buffer {
	uint8_t bytes[AUTHENC_HEADER_BYTES + LARGE_BYTES + ICV_BYTES_MAX];
	size_t n;
};

struct operation {
	int fd;
	bool decrypts;
	uint32_t header;
	struct buffer in, out;
};

/* struct rtattr with the length of the cipher's key, then both keys. Returns the size. */
static size_t write_authenc_key(const struct cipher *cipher, uint8_t *key)
{
	const struct rtattr head = {
		.rta_len = RTA_LENGTH(sizeof(uint32_t)),
		.rta_type = AUTHENC_KEY_PARAMETER,
	};
	uint32_t length = htonl(cipher->key_bytes);

	memcpy(key, &head, sizeof(head));
	memcpy(key + RTA_LENGTH(0), &length, sizeof(length));
	return RTA_SPACE(sizeof(length)) + cipher->auth_key_bytes + cipher->key_bytes;
}

static int set_key(int fd, const struct cipher *cipher)
{
	uint8_t key[KEY_BYTES_MAX + RTA_SPACE(sizeof(uint32_t))];
	size_t size = cipher->key_bytes;

	if (cipher->key_bytes > KEY_BYTES_MAX / 2 || cipher->auth_key_bytes > KEY_BYTES_MAX / 2)
		return -EINVAL;
	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		return -errno;
	if (cipher->authenc)
		size = write_authenc_key(cipher, key);
	return setsockopt(fd, SOL_ALG, ALG_SET_KEY, key, (socklen_t)size) < 0 ? -errno : 0;
}

/* Returns a socket for operations, or a negative errno. */
static int open_cipher(const struct cipher *cipher)
{
	struct sockaddr_alg address = {.salg_family = AF_ALG, .salg_type = "aead"};
	_cleanup_close_ int fd = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int r;

	memcpy(address.salg_name, cipher->name, sizeof(cipher->name));
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	r = set_key(fd, cipher);
	if (r < 0)
		return r;
	if (setsockopt(fd, SOL_ALG, ALG_SET_AEAD_AUTHSIZE, NULL, cipher->icv_bytes) < 0)
		return -errno;
	r = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	return r < 0 ? -errno : r;
}

static void put_option(struct cmsghdr *header, int type, uint32_t value)
{
	header->cmsg_level = SOL_ALG;
	header->cmsg_type = type;
	header->cmsg_len = CMSG_LEN(sizeof(value));
	memcpy(CMSG_DATA(header), &value, sizeof(value));
}

/* Once. The IV is zero. */
static int operate(struct operation *o)
{
	union {
		struct cmsghdr aligned;
		uint8_t bytes[2 * CMSG_SPACE(sizeof(uint32_t))];
	} control = {.bytes = {0}};
	struct iovec data = {.iov_base = o->in.bytes, .iov_len = o->in.n};
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	put_option(header, ALG_SET_OP, o->decrypts ? ALG_OP_DECRYPT : ALG_OP_ENCRYPT);
	put_option(CMSG_NXTHDR(&message, header), ALG_SET_AEAD_ASSOCLEN, o->header);
	if (sendmsg(o->fd, &message, 0) < 0 || read(o->fd, o->out.bytes, o->out.n) < 0)
		return -errno;
	return 0;
}

/* Encrypts zeros. To decrypt, what that gives. */
static int prepare(struct operation *o, const struct cipher *cipher, uint32_t size)
{
	int r;

	*o = (struct operation){
		.fd = o->fd,
		.header = cipher->authenc ? AUTHENC_HEADER_BYTES : AEAD_HEADER_BYTES,
	};
	o->in.n = o->header + size;
	o->out.n = o->in.n + cipher->icv_bytes;
	r = operate(o);
	if (r < 0 || !cipher->decrypts)
		return r;
	o->decrypts = true;
	o->in = o->out;
	o->out.n = o->header + size;
	return operate(o);
}

static double cpu_time(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* How often the thread waited for something. */
static long waits(void)
{
	struct rusage usage = {};

	(void)getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw;
}

/* ns of one operation. */
static int measure_size(int fd, const struct cipher *cipher, uint32_t size, double *ret_time)
{
	struct operation operation = {.fd = fd};
	double best = INFINITY, begun, round;
	long waited;
	int n = 0, r = prepare(&operation, cipher, size);

	begun = round = cpu_time();
	waited = waits();
	for (int i = 0; r >= 0 && i < ROUNDS_MAX && (i < ROUNDS_MIN || round - begun < SIZE_NS);
	     i++) {
		double before = round;

		for (int k = 0; r >= 0 && k < ROUND_OPERATIONS; k++, n++)
			r = operate(&operation);
		round = cpu_time();
		best = fmin(best, (round - before) / ROUND_OPERATIONS);
	}
	if (r < 0)
		return r;
	/* Others work for it while it waits. */
	if (waits() - waited >= n / 2)
		return -EOPNOTSUPP;
	*ret_time = best;
	return 0;
}

/* Twice. -ERANGE: the times differ. */
static int measure_twice(int fd, const struct cipher *cipher, uint32_t size, double *ret_time)
{
	double first = 0, second = 0;
	int r = measure_size(fd, cipher, size, &first);

	if (r >= 0)
		r = measure_size(fd, cipher, size, &second);
	if (r < 0)
		return r;
	if (fmax(first, second) > REPEATED * fmin(first, second))
		return -ERANGE;
	*ret_time = fmin(first, second);
	return 0;
}

/* ns of one operation with small packets, and with large ones. */
static int measure_sizes(const struct cipher *cipher, double *ret_small, double *ret_large)
{
	_cleanup_close_ int fd = open_cipher(cipher);
	int r = fd < 0 ? fd : measure_twice(fd, cipher, SMALL_BYTES, ret_small);

	return r < 0 ? r : measure_twice(fd, cipher, LARGE_BYTES, ret_large);
}

int cipher_cost_of(double small, double large, struct policy_cpu_cost *ret_cost)
{
	double per_byte = (large - small) / (LARGE_BYTES - SMALL_BYTES);

	if (!(per_byte > 0))
		return -ERANGE;
	*ret_cost = (struct policy_cpu_cost){
		.per_byte = per_byte,
		.per_packet = fmax(0, small - per_byte * SMALL_BYTES),
	};
	return 0;
}

int cipher_cost_measure(const struct cipher *cipher, struct policy_cpu_cost *ret_cost)
{
	double small = 0, large = 0, null_small = 0, null_large = 0;
	int r = measure_sizes(cipher, &small, &large);

	if (r >= 0)
		r = measure_sizes(&null_cipher, &null_small, &null_large);
	if (r < 0)
		return r;
	return cipher_cost_of(small - null_small, large - null_large, ret_cost);
}
