/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "doctor/facts.h"

#include "text.h"

#include <string.h>

static const char *const option_names[_OPTION_MAX] = {
	[OPTION_XFRM_USER] = "XFRM_USER",
	[OPTION_XFRM_OFFLOAD] = "XFRM_OFFLOAD",
	[OPTION_INET_ESP] = "INET_ESP",
	[OPTION_INET6_ESP] = "INET6_ESP",
	[OPTION_INET_ESP_OFFLOAD] = "INET_ESP_OFFLOAD",
	[OPTION_INET6_ESP_OFFLOAD] = "INET6_ESP_OFFLOAD",
	[OPTION_IXGBE_IPSEC] = "IXGBE_IPSEC",
	[OPTION_IXGBEVF_IPSEC] = "IXGBEVF_IPSEC",
	[OPTION_MLX5_EN_IPSEC] = "MLX5_EN_IPSEC",
	[OPTION_NFP_NET_IPSEC] = "NFP_NET_IPSEC",
	[OPTION_CHELSIO_IPSEC_INLINE] = "CHELSIO_IPSEC_INLINE",
};

static const char *const module_names[_MODULE_MAX] = {
	[MODULE_ESP4] = "esp4",
	[MODULE_ESP6] = "esp6",
	[MODULE_ESP4_OFFLOAD] = "esp4_offload",
	[MODULE_ESP6_OFFLOAD] = "esp6_offload",
};

const char *facts_option_name(enum kernel_option option)
{
	return option_names[option];
}

const char *facts_module_name(enum kernel_module module)
{
	return module_names[module];
}

const char *facts_ike_name(enum ike_daemon daemon)
{
	return daemon == IKE_STRONGSWAN ? "strongSwan" : "libreswan";
}

void facts_done(struct facts *facts)
{
	json_decref(facts->status);
	json_decref(facts->groups);
}

void facts_unseen(struct facts *facts, const char *what, const char *why)
{
	struct unseen_fact *unseen;

	if (facts->n_unseen == FACT_UNSEEN_MAX)
		return;
	unseen = &facts->unseen[facts->n_unseen++];
	(void)text_neutralise(unseen->what, sizeof(unseen->what), what, strlen(what));
	(void)text_neutralise(unseen->why, sizeof(unseen->why), why, strlen(why));
}
