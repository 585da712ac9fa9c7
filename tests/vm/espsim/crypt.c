// SPDX-License-Identifier: GPL-2.0
/* ESP on a linear packet, with the NIC's own key. */
#include "espsim.h"

#include <crypto/aead.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/scatterlist.h>
#include <linux/udp.h>
#include <net/esp.h>

#define IV_SIZE 8
#define NON_ESP_PORT 4500
#define AAD_SIZE_MAX (12 + IV_SIZE)

bool espsim_parse(const struct sk_buff *skb, unsigned int network, struct espsim_packet *ret)
{
	const struct ip_esp_hdr *esp;
	unsigned int offset = network;
	u8 protocol;

	if (skb->len < network + 1)
		return false;
	*ret = (struct espsim_packet){.network = network};
	if (skb->data[network] >> 4 == 4) {
		const struct iphdr *ip = (const struct iphdr *)(skb->data + network);

		if (skb->len < network + sizeof(*ip) || ip->ihl < 5 || ip_is_fragment(ip))
			return false;
		ret->family = AF_INET;
		ret->destination.a4 = ip->daddr;
		protocol = ip->protocol;
		offset += ip->ihl * 4;
	} else if (skb->data[network] >> 4 == 6) {
		const struct ipv6hdr *ip = (const struct ipv6hdr *)(skb->data + network);

		if (skb->len < network + sizeof(*ip))
			return false;
		ret->family = AF_INET6;
		ret->destination.in6 = ip->daddr;
		protocol = ip->nexthdr;
		offset += sizeof(*ip);
	} else {
		return false;
	}
	if (protocol == IPPROTO_UDP) {
		const struct udphdr *udp = (const struct udphdr *)(skb->data + offset);

		if (skb->len < offset + sizeof(*udp) + sizeof(*esp) ||
		    (udp->dest != htons(NON_ESP_PORT) && udp->source != htons(NON_ESP_PORT)))
			return false;
		offset += sizeof(*udp);
	} else if (protocol != IPPROTO_ESP) {
		return false;
	}
	if (skb->len < offset + sizeof(*esp) + IV_SIZE)
		return false;
	esp = (const struct ip_esp_hdr *)(skb->data + offset);
	/* Behind UDP, SPI 0 is the mark of IKE. */
	if (!esp->spi)
		return false;
	ret->esp = offset;
	ret->spi = esp->spi;
	ret->sequence = ntohl(esp->seq_no);
	return true;
}

static const char *const algorithms[] = {"rfc4106(gcm(aes))", "rfc7539esp(chacha20,poly1305)"};
static struct crypto_aead *prepared[ARRAY_SIZE(algorithms)];

/* Synchronous: it is used in softirqs, and a NIC's engine answers in order. */
static struct crypto_aead *new_aead(const char *name)
{
	return crypto_alloc_aead(name, 0, CRYPTO_ALG_ASYNC);
}

/*
 * The first use of an algorithm loads modules and tests them: seconds in an emulated machine, in
 * which an SA that is added is absent. A NIC has its algorithms already.
 */
void espsim_crypt_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++)
		prepared[i] = new_aead(algorithms[i]);
}

void espsim_crypt_exit(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++)
		if (!IS_ERR(prepared[i]))
			crypto_free_aead(prepared[i]);
}

int espsim_key(struct espsim_slot *slot, const struct xfrm_state *x)
{
	struct crypto_aead *aead = new_aead(x->aead->alg_name);
	int r;

	if (IS_ERR(aead))
		return PTR_ERR(aead);
	r = crypto_aead_setkey(aead, x->aead->alg_key, (x->aead->alg_key_len + 7) / 8);
	if (!r)
		r = crypto_aead_setauthsize(aead, x->aead->alg_icv_len / 8);
	if (!r && crypto_aead_ivsize(aead) != IV_SIZE)
		r = -EINVAL;
	if (r) {
		crypto_free_aead(aead);
		return r;
	}
	slot->aead = aead;
	return 0;
}

/* One allocation: the stack may be mapped by pages, which a scatterlist cannot describe. */
struct work_area {
	u8 associated[AAD_SIZE_MAX];
	u8 iv[IV_SIZE];
	struct scatterlist sg[2];
	struct aead_request request; /* ends with the context of the algorithm */
};

static int crypt(struct espsim_slot *slot, struct sk_buff *skb, const struct espsim_packet *packet,
		 u32 high, bool encrypt)
{
	unsigned int icv = crypto_aead_authsize(slot->aead);
	unsigned int begin = packet->esp + sizeof(struct ip_esp_hdr) + IV_SIZE;
	struct work_area *area;
	unsigned int n = 0;
	int r;

	if (skb->len < begin + icv)
		return -EINVAL;
	area = kmalloc(sizeof(*area) + crypto_aead_reqsize(slot->aead), GFP_ATOMIC);
	if (!area)
		return -ENOMEM;
	memcpy(area->associated, skb->data + packet->esp, 4);
	n = 4;
	if (slot->esn) {
		__be32 part = htonl(high);

		memcpy(area->associated + n, &part, 4);
		n += 4;
	}
	memcpy(area->associated + n, skb->data + packet->esp + 4, 4);
	n += 4;
	/* RFC 4106 and RFC 7539 as the kernel spells them: the IV counts among the associated data.
	 */
	memcpy(area->iv, skb->data + packet->esp + sizeof(struct ip_esp_hdr), IV_SIZE);
	memcpy(area->associated + n, area->iv, IV_SIZE);
	n += IV_SIZE;
	sg_init_table(area->sg, 2);
	sg_set_buf(&area->sg[0], area->associated, n);
	sg_set_buf(&area->sg[1], skb->data + begin, skb->len - begin);
	aead_request_set_tfm(&area->request, slot->aead);
	aead_request_set_callback(&area->request, 0, NULL, NULL);
	aead_request_set_ad(&area->request, n);
	aead_request_set_crypt(&area->request, area->sg, area->sg,
			       encrypt ? skb->len - begin - icv : skb->len - begin, area->iv);
	r = encrypt ? crypto_aead_encrypt(&area->request) : crypto_aead_decrypt(&area->request);
	kfree_sensitive(area);
	return r;
}

unsigned int espsim_trailer(const struct espsim_slot *slot, const struct sk_buff *skb,
			    const struct espsim_packet *packet)
{
	unsigned int icv = crypto_aead_authsize(slot->aead),
		     begin = packet->esp + sizeof(struct ip_esp_hdr) + IV_SIZE, trailer;

	if (skb->len < begin + icv + 2)
		return 0;
	trailer = icv + 2 + skb->data[skb->len - icv - 2];
	return skb->len < begin + trailer ? 0 : trailer;
}

int espsim_encrypt(struct espsim_slot *slot, struct sk_buff *skb,
		   const struct espsim_packet *packet, u32 high)
{
	/* As mlx5 does: the sequence number is the IV. The core promises that no number is used
	 * twice under one key. */
	__be64 iv = cpu_to_be64((u64)high << 32 | packet->sequence);

	memcpy(skb->data + packet->esp + sizeof(struct ip_esp_hdr), &iv, IV_SIZE);
	return crypt(slot, skb, packet, high, true);
}

int espsim_decrypt(struct espsim_slot *slot, struct sk_buff *skb,
		   const struct espsim_packet *packet, u32 high)
{
	return crypt(slot, skb, packet, high, false);
}
