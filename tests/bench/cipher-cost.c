// SPDX-License-Identifier: GPL-2.0-or-later
/* What the algorithms of ESP cost in software on this machine, and what measuring it costs. */
#include "base/cipher-cost.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct cipher ciphers[] = {
	{.name = "rfc4106(gcm(aes))", .key_bytes = 20, .icv_bytes = 16},
	{.name = "rfc4106(gcm(aes))", .key_bytes = 36, .icv_bytes = 16},
	{.name = "rfc4309(ccm(aes))", .key_bytes = 19, .icv_bytes = 16},
	{.name = "rfc7539esp(chacha20,poly1305)", .key_bytes = 36, .icv_bytes = 16},
	{.name = "authenc(hmac(sha1),cbc(aes))",
	 .authenc = true,
	 .key_bytes = 16,
	 .auth_key_bytes = 32,
	 .icv_bytes = 12},
	{.name = "authenc(hmac(sha256),cbc(aes))",
	 .authenc = true,
	 .key_bytes = 32,
	 .auth_key_bytes = 32,
	 .icv_bytes = 16},
	{.name = "authenc(hmac(sha512),cbc(aes))",
	 .authenc = true,
	 .key_bytes = 32,
	 .auth_key_bytes = 32,
	 .icv_bytes = 32},
	{.name = "authenc(hmac(sha1),cbc(des3_ede))",
	 .authenc = true,
	 .key_bytes = 24,
	 .auth_key_bytes = 32,
	 .icv_bytes = 12},
	{.name = "authenc(hmac(sha256),ecb(cipher_null))",
	 .authenc = true,
	 .auth_key_bytes = 32,
	 .icv_bytes = 16},
	{.name = "authenc(xcbc(aes),cbc(aes))",
	 .authenc = true,
	 .key_bytes = 16,
	 .auth_key_bytes = 16,
	 .icv_bytes = 12},
};

static double now(clockid_t clock)
{
	struct timespec time;

	(void)clock_gettime(clock, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void show(struct cipher cipher)
{
	double cpu = now(CLOCK_THREAD_CPUTIME_ID), begun = now(CLOCK_MONOTONIC);
	struct policy_cpu_cost cost;
	int r = cipher_cost_measure(&cipher, &cost);

	cpu = now(CLOCK_THREAD_CPUTIME_ID) - cpu;
	begun = now(CLOCK_MONOTONIC) - begun;
	printf("%-40s %4u %-7s ", cipher.name, 8 * cipher.key_bytes,
	       cipher.decrypts ? "decrypt" : "encrypt");
	if (r < 0)
		printf("%s\n", strerror(-r));
	else
		printf("%8.3f ns/byte %8.0f ns/packet, measured in %.1f ms of CPU, %.1f ms\n",
		       cost.per_byte, cost.per_packet, cpu, begun);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		struct cipher cipher = ciphers[i];

		show(cipher);
		cipher.decrypts = true;
		show(cipher);
	}
	return 0;
}
