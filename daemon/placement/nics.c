// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A NIC that is up, has ESP offload, and is both allowed and trusted gets one or two policy tables.
 * An SA competes in a table of the NIC by which its packets leave, or of the NIC that its rule
 * names.
 */
#include "placement/nics.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Assumed if neither the configuration nor the driver's entry has a size. A smaller size is learned
 * from ENOSPC. */
#define CAPACITY_ASSUMED 1024
/* Most egress devices of SAs that are remembered. */
#define EGRESS_MAX 64

struct nics {
	struct nics_parameters parameters;
	struct network *network;
	const struct config *config;
	struct policy *policy;
	struct refusals *refusals;
	struct placement_nic *entries; /* in the order of ifindex */
	size_t n;
	int egress[EGRESS_MAX]; /* by the routes of SAs */
	size_t n_egress;        /* EGRESS_MAX: there may be more */
};

int nics_new(const struct nics_parameters *parameters, struct nics **ret_nics)
{
	_cleanup_(nics_freep) struct nics *nics = calloc(1, sizeof(*nics));
	int r;

	if (!nics)
		return -ENOMEM;
	nics->parameters = *parameters;
	r = refusals_new(&nics->refusals);
	if (r < 0)
		return r;
	*ret_nics = TAKE_PTR(nics);
	return 0;
}

struct nics *nics_free(struct nics *nics)
{
	if (!nics)
		return NULL;
	refusals_free(nics->refusals);
	free(nics->entries);
	free(nics);
	return NULL;
}

static double now_of(const struct nics *nics)
{
	return clock_monotonic(nics->parameters.clock);
}

void nics_set_network(struct nics *nics, struct network *network)
{
	nics->network = network;
}

void nics_set_config(struct nics *nics, const struct config *config)
{
	nics->config = config;
	for (size_t i = 0; i < nics->n; i++)
		nics->entries[i].config = NULL;
	refusals_clear(nics->refusals);
}

void nics_set_policy(struct nics *nics, struct policy *policy)
{
	nics->policy = policy;
	for (size_t i = 0; i < nics->n; i++)
		nics->entries[i].in = nics->entries[i].out = POLICY_NONE;
}

struct refusals *nics_refusals(struct nics *nics)
{
	return nics->refusals;
}

bool nics_have_refused(const struct nics *nics, const struct sa *sa, const char **ret_text)
{
	return refusals_hold(nics->refusals, sa->candidate.ifindex, sa->shape,
			     sa_on_reject(sa) == CONFIG_REJECT_RETRY, now_of(nics), ret_text);
}

size_t nics_count(const struct nics *nics)
{
	return nics->n;
}

struct placement_nic *nics_at(struct nics *nics, size_t i)
{
	return &nics->entries[i];
}

/* The index of the entry, or where it is to be inserted. */
static size_t position(const struct nics *nics, int ifindex)
{
	size_t first = 0, last = nics->n;

	while (first < last) {
		size_t middle = (first + last) / 2;

		if (nics->entries[middle].ifindex < ifindex)
			first = middle + 1;
		else
			last = middle;
	}
	return first;
}

struct placement_nic *nics_get(struct nics *nics, int ifindex)
{
	size_t i = position(nics, ifindex);

	return i < nics->n && nics->entries[i].ifindex == ifindex ? &nics->entries[i] : NULL;
}

struct placement_nic *nics_of_table(struct nics *nics, policy_table table)
{
	for (size_t i = 0; i < nics->n; i++)
		if (nics->entries[i].in == table || nics->entries[i].out == table)
			return &nics->entries[i];
	return NULL;
}

/* For a bond, the driver of its active slave. */
static const struct nic_driver *driver_of(struct nics *nics, const struct nic *nic)
{
	const struct nic *slave;

	if (!nic->is_bond)
		return nic_driver_find(nic->driver);
	slave = network_get(nics->network, nic->bond_active_slave);
	return slave ? nic_driver_find(slave->driver) : NULL;
}

/* Whether the NIC may hold keys, or why not. */
static enum candidacy find_permission(struct nics *nics, const struct nic *nic,
				      const struct config_nic *config)
{
	const struct placement_nic *n = nics_get(nics, nic->ifindex);

	if (!config || !config->allow)
		return CANDIDACY_NIC_NOT_ALLOWED;
	if (!config->trusted)
		return CANDIDACY_NIC_NOT_TRUSTED;
	if (nics->parameters.fips && !config->fips)
		return CANDIDACY_NIC_FIPS;
	if (n && trust_is_lost(&n->trust, now_of(nics)))
		return CANDIDACY_NIC_DISTRUSTED;
	if (orders_are_to_evacuate(nics->parameters.orders, nic->name))
		return CANDIDACY_NIC_EVACUATED;
	return CANDIDACY_OK;
}

/* The egress device of a packet must be the device that has the SA (xfrm_dev_offload_ok()), so the
 * NIC below a VLAN cannot be used. */
static enum candidacy find_reason_without_offload(struct nics *nics, int ifindex)
{
	const struct nic *below = network_below_vlan(nics->network, ifindex);

	return below && below->esp_offload ? CANDIDACY_NIC_VLAN : CANDIDACY_NIC_NO_OFFLOAD;
}

static enum candidacy find_candidacy(struct nics *nics, const struct nic *nic,
				     const struct config_nic *config,
				     const struct nic_driver *driver)
{
	enum candidacy permission = find_permission(nics, nic, config);

	if (!nic->esp_offload)
		return find_reason_without_offload(nics, nic->ifindex);
	if (permission != CANDIDACY_OK)
		return permission;
	if (nic->is_bond && !nic_bond_allowed(nics->parameters.kernel_release))
		return CANDIDACY_NIC_BOND;
	if (!nic->up)
		return CANDIDACY_NIC_DOWN;
	if (driver && !driver->has_table && !config->capacity.set)
		return CANDIDACY_NIC_NO_TABLE;
	return CANDIDACY_OK;
}

static void choose_capacity(struct placement_nic *n, const struct config_nic *config,
			    const struct nic_driver *driver)
{
	if (config && config->capacity.set) {
		n->shared = config->capacity.shared;
		n->capacity_in = config->capacity.in;
		n->capacity_out = config->capacity.out;
	} else if (driver) {
		n->shared = driver->shared;
		n->capacity_in = driver->in ? driver->in : CAPACITY_ASSUMED;
		n->capacity_out = driver->out ? driver->out : CAPACITY_ASSUMED;
	} else {
		n->shared = false;
		n->capacity_in = CAPACITY_ASSUMED;
		n->capacity_out = CAPACITY_ASSUMED;
	}
	if (driver && !(driver->directions & NIC_DIRECTION_IN))
		n->capacity_in = 0;
	if (driver && !(driver->directions & NIC_DIRECTION_OUT))
		n->capacity_out = 0;
}

static uint32_t subtract(uint32_t a, uint32_t b)
{
	return a > b ? a - b : 0;
}

static struct policy_table_config table_config(struct nics *nics, const struct placement_nic *nic,
					       uint32_t capacity, double rate, size_t n)
{
	return (struct policy_table_config){
		.capacity = capacity,
		.reserve = policy_assumed_reserve(capacity),
		.budget = (uint32_t)nic->ifindex,
		.vacate = nic->vacate,
		.moves_per_second = nics->config->moves_per_second,
		.moves_burst = nics->config->moves_burst,
		.migration_bytes = policy_assumed_migration_bytes(capacity, rate, n),
		.migration_seconds = POLICY_ASSUMED_MIGRATION_SECONDS,
		.max_rate = nic->config ? nic->config->max_rate : 0,
	};
}

static void set_table(struct nics *nics, const struct placement_nic *nic, policy_table *table,
		      uint32_t capacity, double rate, size_t n)
{
	struct policy_table_config config = table_config(nics, nic, capacity, rate, n);

	if (*table != POLICY_NONE)
		(void)policy_table_configure(nics->policy, *table, &config);
	else if (policy_table_add(nics->policy, &config, table) < 0)
		*table = POLICY_NONE;
}

static void drop_tables(struct nics *nics, struct placement_nic *n)
{
	double now = now_of(nics);

	if (n->in != POLICY_NONE)
		policy_table_remove(nics->policy, n->in, now);
	if (n->out != POLICY_NONE && n->out != n->in)
		policy_table_remove(nics->policy, n->out, now);
	n->in = n->out = POLICY_NONE;
}

static void set_tables(struct nics *nics, struct placement_nic *n)
{
	uint32_t foreign = n->foreign_in + n->foreign_out;

	/* A NIC that may not be used any more keeps its tables until the owned SAs have left it. */
	if (n->candidacy != CANDIDACY_OK && n->used_in + n->used_out <= foreign) {
		drop_tables(nics, n);
		return;
	}
	/* Shared slots became separate ones, or the reverse: make new tables. */
	if ((n->in != POLICY_NONE || n->out != POLICY_NONE) && (n->in == n->out) != n->shared)
		drop_tables(nics, n);
	if (n->shared) {
		set_table(nics, n, &n->in, subtract(n->capacity_in, foreign),
			  n->load.rate_in + n->load.rate_out,
			  n->load.competing_in + n->load.competing_out);
		n->out = n->in;
		return;
	}
	if (n->capacity_in > 0)
		set_table(nics, n, &n->in, subtract(n->capacity_in, n->foreign_in), n->load.rate_in,
			  n->load.competing_in);
	if (n->capacity_out > 0)
		set_table(nics, n, &n->out, subtract(n->capacity_out, n->foreign_out),
			  n->load.rate_out, n->load.competing_out);
}

static void count_held(struct placement_nic *n, const struct sa_table *sas)
{
	struct holder holder = holders_get(&sas->holders, n->ifindex);

	n->used_in = holder.in;
	n->used_out = holder.out;
	n->foreign_in = holder.foreign_in;
	n->foreign_out = holder.foreign_out;
}

static struct placement_nic *add_nic(struct nics *nics, int ifindex)
{
	struct placement_nic *entries = reallocarray(nics->entries, nics->n + 1, sizeof(*entries));
	size_t i;

	if (!entries)
		return NULL;
	nics->entries = entries;
	i = position(nics, ifindex);
	memmove(&entries[i + 1], &entries[i], (nics->n - i) * sizeof(*entries));
	nics->n++;
	entries[i] = (struct placement_nic){
		.ifindex = ifindex,
		.in = POLICY_NONE,
		.out = POLICY_NONE,
		.left_at = now_of(nics), /* SAs may have left it just before */
		.evicted_at = -INFINITY,
	};
	return &entries[i];
}

/* Whether the NIC gets an entry: it can offload, or the configuration allows it by its name or bus
 * address. */
static bool is_of_interest(const struct nic *nic, const struct config_nic *config)
{
	return nic->esp_offload || (config && config->allow && (config->name || config->pci));
}

static const struct config_nic *match_config(const struct nics *nics, const struct nic *nic)
{
	const struct config_nic_identity identity = {
		.name = nic->name,
		.driver = nic->driver[0] ? nic->driver : NULL,
		.pci = nic->pci[0] ? nic->pci : NULL,
		.mac = nic->mac[0] ? nic->mac : NULL,
	};

	return config_match_nic(nics->config, &identity);
}

static void update_nic(struct nics *nics, const struct nic *nic)
{
	const struct config_nic *config = match_config(nics, nic);
	const struct nic_driver *driver = driver_of(nics, nic);
	struct placement_nic *n = nics_get(nics, nic->ifindex);

	if (!n && !is_of_interest(nic, config))
		return;
	if (!n)
		n = add_nic(nics, nic->ifindex);
	if (!n)
		return;
	memcpy(n->name, nic->name, sizeof(n->name));
	n->speed = nic->speed;
	n->config = config;
	n->driver = driver;
	n->candidacy = find_candidacy(nics, nic, config, driver);
	n->vacate = find_permission(nics, nic, config) != CANDIDACY_OK;
	choose_capacity(n, config, driver);
}

static void drop_missing(struct nics *nics)
{
	size_t kept = 0;

	for (size_t i = 0; i < nics->n; i++) {
		if (network_get(nics->network, nics->entries[i].ifindex))
			nics->entries[kept++] = nics->entries[i];
		else
			drop_tables(nics, &nics->entries[i]);
	}
	nics->n = kept;
}

void nics_update(struct nics *nics, const struct sa_table *sas)
{
	drop_missing(nics);
	for (size_t i = 0; i < network_count(nics->network); i++)
		update_nic(nics, network_at(nics->network, i));
	for (size_t i = 0; i < nics->n; i++) {
		count_held(&nics->entries[i], sas);
		set_tables(nics, &nics->entries[i]);
	}
}

static bool is_named_by_rule(const struct nics *nics, const char *name)
{
	for (size_t i = 0; i < nics->config->n_rules; i++)
		if (nics->config->rules[i].nic && strcmp(nics->config->rules[i].nic, name) == 0)
			return true;
	return false;
}

static bool is_egress(const struct nics *nics, int ifindex)
{
	for (size_t i = 0; i < nics->n_egress; i++)
		if (nics->egress[i] == ifindex)
			return true;
	return nics->n_egress == EGRESS_MAX;
}

static void note_egress(struct nics *nics, int ifindex)
{
	if (!is_egress(nics, ifindex))
		nics->egress[nics->n_egress++] = ifindex;
}

static bool concerns_us(struct nics *nics, const struct nic *nic)
{
	return nics_get(nics, nic->ifindex) || is_egress(nics, nic->ifindex) ||
	       is_of_interest(nic, match_config(nics, nic)) || is_named_by_rule(nics, nic->name);
}

/* Changes of carrier and speed are ignored, since SAs stay in the NIC. */
static bool differs(const struct nic *before, const struct nic *after)
{
	return before->up != after->up || before->esp_offload != after->esp_offload ||
	       before->rx_all != after->rx_all || before->is_bond != after->is_bond ||
	       before->bond_active_slave != after->bond_active_slave ||
	       before->is_vlan != after->is_vlan || before->lower_ifindex != after->lower_ifindex ||
	       before->vrf_ifindex != after->vrf_ifindex ||
	       strcmp(before->name, after->name) != 0 ||
	       strcmp(before->driver, after->driver) != 0 || strcmp(before->pci, after->pci) != 0 ||
	       strcmp(before->mac, after->mac) != 0;
}

bool nics_change_matters(struct nics *nics, const struct nic *before, const struct nic *after)
{
	if (before && after && !differs(before, after))
		return false;
	/* This affects also a device that only has the local address of SAs. */
	if (before && after && before->vrf_ifindex != after->vrf_ifindex)
		return true;
	return (before && concerns_us(nics, before)) || (after && concerns_us(nics, after));
}

static enum candidacy find_nic(struct nics *nics, const struct sa *sa, int *ret_ifindex)
{
	const struct nic *nic;
	int ifindex, r;

	if (sa->candidate.rule && sa->candidate.rule->nic) {
		nic = network_find(nics->network, sa->candidate.rule->nic);
		if (!nic)
			return CANDIDACY_NO_NIC;
		*ret_ifindex = nic->ifindex;
		return CANDIDACY_OK;
	}
	r = network_route_for_sa(nics->network, &sa->description, sa->output_mark, &ifindex);
	if (r < 0)
		return r == -ENOTUNIQ ? CANDIDACY_VRF_UNCLEAR : CANDIDACY_NO_ROUTE;
	note_egress(nics, ifindex);
	*ret_ifindex = ifindex;
	return CANDIDACY_OK;
}

policy_table nics_table_of_residence(struct nics *nics, const struct sa *sa)
{
	const struct placement_nic *n =
		sa->residence.foreign ? NULL : nics_get(nics, sa->residence.ifindex);

	if (!n)
		return POLICY_NONE;
	return sa->description.direction == SA_DIRECTION_IN ? n->in : n->out;
}

void nics_resolve(struct nics *nics, struct sa *sa, policy_table *ret_table)
{
	const struct placement_nic *n;
	policy_table table;

	*ret_table = POLICY_NONE;
	sa->candidate.ifindex = 0;
	sa->candidate.candidacy = find_nic(nics, sa, &sa->candidate.ifindex);
	if (sa->candidate.candidacy != CANDIDACY_OK)
		return;
	n = nics_get(nics, sa->candidate.ifindex);
	if (!n) {
		sa->candidate.candidacy = find_reason_without_offload(nics, sa->candidate.ifindex);
		return;
	}
	sa->candidate.candidacy = n->candidacy;
	if (sa->candidate.candidacy != CANDIDACY_OK)
		return;
	table = sa->description.direction == SA_DIRECTION_IN ? n->in : n->out;
	if (table == POLICY_NONE)
		sa->candidate.candidacy = CANDIDACY_NIC_DIRECTION;
	else if (sa->residence.ifindex == 0 && nics_have_refused(nics, sa, NULL))
		sa->candidate.candidacy = CANDIDACY_REFUSED_SHAPE;
	else if (peer_moves_knows(nics->parameters.peer_moves, &sa->description, now_of(nics)))
		sa->candidate.candidacy = CANDIDACY_PEER_MOVES;
	else
		*ret_table = table;
}

void nics_leave_idle(struct sa *sa)
{
	sa->candidate.ifindex = 0;
	sa->candidate.candidacy = CANDIDACY_IDLE;
}

enum hands_off nics_check_driver(struct nics *nics, const struct sa *sa, const char **ret_reason)
{
	const struct nic *nic =
		sa->candidate.ifindex ? network_get(nics->network, sa->candidate.ifindex) : NULL;

	bool in_bond = nic && nic->is_bond;
	struct nic_setting setting;

	if (in_bond)
		nic = network_get(nics->network, nic->bond_active_slave);
	if (sa->candidate.candidacy != CANDIDACY_OK || !nic)
		return HANDS_OFF_NONE;
	setting = (struct nic_setting){nic->driver, .in_bond = in_bond, .rx_all = nic->rx_all};
	return nic_driver_check(&setting, sa->shape, ret_reason) < 0 ? HANDS_OFF_DRIVER
								     : HANDS_OFF_NONE;
}

void nics_forget_routes(struct nics *nics)
{
	nics->n_egress = 0;
}

bool nics_expire(struct nics *nics)
{
	bool any = refusals_expire(nics->refusals, now_of(nics));

	for (size_t i = 0; i < nics->n; i++)
		any |= trust_expire(&nics->entries[i].trust, now_of(nics));
	return any;
}
