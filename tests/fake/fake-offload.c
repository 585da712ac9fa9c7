// SPDX-License-Identifier: GPL-2.0-or-later
/* NICs and their tables: xfrm_dev_state_add() and the answers of drivers. */
#include "fake-internal.h"

#include <errno.h>
#include <string.h>

struct fake_nic *fake_kernel_add_nic(struct fake_kernel *k, const struct fake_nic *nic)
{
	struct fake_nic *copy = fake_allocate(sizeof(*copy));

	*copy = *nic;
	k->nics = realloc(k->nics, (k->n_nics + 1) * sizeof(*k->nics));
	if (!k->nics)
		abort();
	k->nics[k->n_nics++] = copy;
	return copy;
}

struct fake_nic *fake_kernel_nic(struct fake_kernel *k, int ifindex)
{
	for (size_t i = 0; i < k->n_nics; i++)
		if (k->nics[i]->ifindex == ifindex)
			return k->nics[i];
	return NULL;
}

void fake_kernel_remove_nic(struct fake_kernel *k, int ifindex)
{
	(void)fake_kernel_link_down(k, ifindex);
	for (size_t i = 0; i < k->n_nics; i++)
		if (k->nics[i]->ifindex == ifindex) {
			free(k->nics[i]);
			k->nics[i] = k->nics[--k->n_nics];
			return;
		}
}

void fake_kernel_set_route(struct fake_kernel *k, int ifindex)
{
	k->route = ifindex;
}

static bool is_full(const struct fake_nic *nic, bool inbound)
{
	if (!nic->split)
		return nic->used_in + nic->used_out + nic->late_in + nic->late_out >=
		       nic->capacity_in;
	return inbound ? nic->used_in + nic->late_in >= nic->capacity_in
		       : nic->used_out + nic->late_out >= nic->capacity_out;
}

static unsigned key_bits(const struct fake_sa *sa)
{
	uint16_t type = sa->attributes[XFRMA_ALG_AEAD].data ? XFRMA_ALG_AEAD : XFRMA_ALG_CRYPT;
	const struct xfrm_algo *algorithm = (const void *)sa->attributes[type].data;

	/* Both structures begin with the name and the key length. */
	return algorithm ? algorithm->alg_key_len : 0;
}

static unsigned icv_bits(const struct fake_sa *sa)
{
	const struct xfrm_algo_aead *aead = (const void *)sa->attributes[XFRMA_ALG_AEAD].data;
	const struct xfrm_algo_auth *auth = (const void *)sa->attributes[XFRMA_ALG_AUTH_TRUNC].data;

	return aead ? aead->alg_icv_len : auth ? auth->alg_trunc_len : 0;
}

/* xdo_dev_state_add() */
static int driver_add(struct fake_request *request, struct fake_nic *nic, const struct fake_sa *sa,
		      bool inbound)
{
	if (nic->fail_adds > 0) {
		nic->fail_adds--;
		return fake_request_error(request, nic->fail_error,
					  nic->fail_text ? nic->fail_text
							 : "Device failed to offload this state");
	}
	if (nic->unsupported)
		return -EOPNOTSUPP;
	if (nic->icv_128_only && icv_bits(sa) != 128)
		return fake_request_error(request, -EINVAL, "Unsupported ICV length");
	if (nic->key_128_only && key_bits(sa) != 160)
		return fake_request_error(request, -EINVAL, "Unsupported key length");
	if (nic->transport_only && sa->info.mode != XFRM_MODE_TRANSPORT)
		return fake_request_error(request, -EINVAL, "Unsupported mode for ipsec offload");
	if (nic->no_encap && sa->attributes[XFRMA_ENCAP].data)
		return fake_request_error(request, -EINVAL, "Encapsulation is not supported");
	if (is_full(nic, inbound))
		return fake_request_error(request, -ENOSPC,
					  inbound ? "No space for SA in Rx table!"
						  : "No space for SA in Tx table!");
	return 0;
}

static void take_slot(struct fake_nic *nic, struct fake_sa *sa, uint8_t flags)
{
	if (flags & XFRM_OFFLOAD_INBOUND)
		nic->used_in++;
	else
		nic->used_out++;
	sa->ifindex = nic->ifindex;
	sa->offload_flags = flags & (XFRM_OFFLOAD_INBOUND | XFRM_COMPAT_OFFLOAD_PACKET);
}

/* The checks of the core before the driver is asked. */
static int core_check(struct fake_request *request, const struct fake_sa *sa, uint8_t flags)
{
	const uint8_t *direction = sa->attributes[XFRM_COMPAT_SA_DIR].data;
	bool inbound = flags & XFRM_OFFLOAD_INBOUND;

	if (sa->info.id.proto != IPPROTO_ESP)
		return fake_request_error(request, -EINVAL, "Type doesn't support offload");
	if (flags & ~(XFRM_OFFLOAD_IPV6 | XFRM_OFFLOAD_INBOUND | XFRM_COMPAT_OFFLOAD_PACKET))
		return fake_request_error(request, -EINVAL,
					  "Unrecognized flags in offload request");
	if (direction && inbound != (*direction == XFRM_COMPAT_SA_DIR_IN))
		return fake_request_error(request, -EINVAL, "Mismatched SA and offload direction");
	if (inbound && request->k->config.if_id_inbound_refused &&
	    fake_attribute_u32(sa, XFRMA_IF_ID) != 0)
		return fake_request_error(request, -EINVAL,
					  "XFRM if_id is not supported in RX path");
	if (request->k->config.encap_refused && sa->attributes[XFRMA_ENCAP].data)
		return fake_request_error(request, -EINVAL,
					  "Encapsulation and TFC padding can't be offloaded");
	if (sa->attributes[XFRMA_TFCPAD].data)
		return fake_request_error(request, -EINVAL, "TFC padding can't be offloaded");
	return 0;
}

/* xfrm_get_type_offload(): modprobe, for which the request waits. */
static void load_type(struct fake_kernel *k, const struct fake_sa *sa)
{
	bool *loaded = &k->offload_loaded[sa->info.family == AF_INET6];
	const struct fake_sa *present =
		fake_lookup(k, sa->mark.v & sa->mark.m, &sa->info.id.daddr, sa->info.id.spi,
			    sa->info.id.proto, sa->info.family);

	if (!*loaded && (!present || present->state == FAKE_LARVAL))
		k->loaded_while_absent++;
	*loaded = true;
}

int fake_offload_add(struct fake_request *request, struct fake_sa *sa,
		     const struct xfrm_user_offload *offload)
{
	struct fake_kernel *k = request->k;
	struct fake_nic *nic, *lands_on = NULL;
	int r;

	load_type(k, sa);
	r = core_check(request, sa, offload->flags);
	if (r < 0)
		return r;
	sa->requested = offload->ifindex;
	nic = fake_kernel_nic(k, offload->ifindex);
	if (!nic)
		nic = fake_kernel_nic(k, k->route); /* __xfrm_dst_lookup() */
	if (!nic || nic->no_ops)
		return 0;
	if ((sa->info.flags & XFRM_STATE_ESN) && nic->no_esn)
		return fake_request_error(request, -EINVAL,
					  "Device doesn't support offload with ESN");
	r = driver_add(request, nic, sa, offload->flags & XFRM_OFFLOAD_INBOUND);
	if (r == -EOPNOTSUPP)
		return 0;
	if (r < 0)
		return r;
	if (nic->lands_on != 0)
		lands_on = fake_kernel_nic(k, nic->lands_on);
	take_slot(lands_on ? lands_on : nic, sa, offload->flags);
	return 0;
}

static void leave_rule(struct fake_kernel *k, const struct fake_sa *sa)
{
	struct fake_late_rule *rule = fake_allocate(sizeof(*rule));

	*rule = (struct fake_late_rule){
		.next = k->late_rules,
		.ifindex = sa->ifindex,
		.daddr = sa->info.id.daddr,
		.spi = sa->info.id.spi,
		.family = sa->info.family,
	};
	k->late_rules = rule;
}

bool fake_offload_decrypts_late(const struct fake_kernel *k, const struct fake_sa *sa)
{
	for (const struct fake_late_rule *r = k->late_rules; r; r = r->next)
		if (r->spi == sa->info.id.spi && r->family == sa->info.family &&
		    fake_same_address(&r->daddr, &sa->info.id.daddr, r->family))
			return true;
	return false;
}

/* xfrm_dev_state_delete(): most drivers free the slot here, some only after the last reference is
 * dropped (xdo_dev_state_free() from the garbage collector). */
void fake_offload_delete(struct fake_kernel *k, struct fake_sa *sa)
{
	struct fake_nic *nic = sa->ifindex ? fake_kernel_nic(k, sa->ifindex) : NULL;
	bool inbound = sa->offload_flags & XFRM_OFFLOAD_INBOUND;

	if (!nic)
		return;
	*(inbound ? &nic->used_in : &nic->used_out) -= 1;
	if (nic->late_free && nic->decrypts_late && inbound)
		leave_rule(k, sa);
	if (nic->late_free)
		*(inbound ? &nic->late_in : &nic->late_out) += 1;
}

static void drop_rules(struct fake_kernel *k, int ifindex)
{
	for (struct fake_late_rule **p = &k->late_rules; *p;) {
		struct fake_late_rule *rule = *p;

		if (ifindex != 0 && rule->ifindex != ifindex) {
			p = &rule->next;
			continue;
		}
		*p = rule->next;
		free(rule);
	}
}

void fake_kernel_gc(struct fake_kernel *k)
{
	drop_rules(k, 0);
	for (size_t i = 0; i < k->n_nics; i++)
		k->nics[i]->late_in = k->nics[i]->late_out = 0;
}

unsigned fake_kernel_link_down(struct fake_kernel *k, int ifindex)
{
	struct fake_nic *nic = fake_kernel_nic(k, ifindex);
	struct fake_sa *next;
	unsigned n = 0;

	if (!nic || nic->hw_esp_off)
		return 0;
	for (struct fake_sa *sa = k->sas; sa; sa = next) {
		next = sa->next;
		if (sa->ifindex == ifindex) {
			fake_delete(k, sa);
			n++;
		}
	}
	fake_policies_flush(k, ifindex);
	drop_rules(k, ifindex);
	nic->late_in = nic->late_out = 0; /* xfrm_dev_state_flush() also frees late slots */
	return n;
}
