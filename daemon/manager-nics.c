// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From NICs and rules to tables: a NIC that is up, has ESP offload, and is both allowed and trusted
 * becomes one policy table or two; an SA competes in that of the NIC its packets leave by, or the
 * one that a rule names.
 */
#include "manager.h"
#include "network/drivers.h"

#include <errno.h>
#include <string.h>

/* Where neither the configuration nor the driver tells the size: a start, from which ENOSPC
 * teaches less. */
#define CAPACITY_ASSUMED 1024
/* Cost of a move until it is measured per driver: docs/policy.md. A fixed number of bytes would
 * keep a gateway with little traffic from ever moving anything, so it is at most what an SA in the
 * NIC carries in a fraction of a second: on a gateway with 5 GB/s in 128 slots both come to 4 MiB.
 */
#define MIGRATION_BYTES_MAX (4.0 * 1024.0 * 1024.0)
#define MIGRATION_BYTES_SECONDS 0.15
#define MIGRATION_SECONDS 0.25
/* Slots kept free for the overlap of a rekey, and never more than this share of the table. */
#define RESERVE_SLOTS 4
#define RESERVE_SHARE 64
#define FOREIGN_TOLD_SECONDS 86400.0

/* Where it is, or would be. */
static size_t position(const struct manager *m, int ifindex)
{
	size_t first = 0, last = m->n_nics;

	while (first < last) {
		size_t middle = (first + last) / 2;

		if (m->nics[middle].ifindex < ifindex)
			first = middle + 1;
		else
			last = middle;
	}
	return first;
}

struct manager_nic *manager_nic(struct manager *m, int ifindex)
{
	size_t i = position(m, ifindex);

	return i < m->n_nics && m->nics[i].ifindex == ifindex ? &m->nics[i] : NULL;
}

struct manager_nic *manager_nic_of_table(struct manager *m, policy_table table)
{
	for (size_t i = 0; i < m->n_nics; i++)
		if (m->nics[i].in == table || m->nics[i].out == table)
			return &m->nics[i];
	return NULL;
}

/* A bond holds what its active slave's driver holds. */
static const struct nic_driver *driver_of(struct manager *m, const struct nic *nic)
{
	const struct nic *slave;

	if (!nic->is_bond)
		return nic_driver_find(nic->driver);
	slave = network_get(m->network, nic->bond_active_slave);
	return slave ? nic_driver_find(slave->driver) : NULL;
}

/* Whether it may hold keys at all. */
static enum candidacy judge_permission(struct manager *m, const struct nic *nic,
				       const struct config_nic *config)
{
	if (!config || !config->allow)
		return CANDIDACY_NIC_NOT_ALLOWED;
	if (!config->trusted)
		return CANDIDACY_NIC_NOT_TRUSTED;
	if (m->environment.fips && !config->fips)
		return CANDIDACY_NIC_FIPS;
	if (manager_nic_is_distrusted(m, manager_nic(m, nic->ifindex)))
		return CANDIDACY_NIC_DISTRUSTED;
	if (orders_are_to_evacuate(m->orders, nic->name))
		return CANDIDACY_NIC_EVACUATED;
	return CANDIDACY_OK;
}

/* The egress device of a packet must be the device that has the SA (xfrm_dev_offload_ok()), so that
 * the NIC below a VLAN is of no use. */
static enum candidacy judge_without_offload(struct manager *m, int ifindex)
{
	const struct nic *below = network_below_vlan(m->network, ifindex);

	return below && below->esp_offload ? CANDIDACY_NIC_VLAN : CANDIDACY_NIC_NO_OFFLOAD;
}

static enum candidacy judge(struct manager *m, const struct nic *nic,
			    const struct config_nic *config, const struct nic_driver *driver)
{
	enum candidacy permission = judge_permission(m, nic, config);

	if (!nic->esp_offload)
		return judge_without_offload(m, nic->ifindex);
	if (permission != CANDIDACY_OK)
		return permission;
	if (nic->is_bond && !nic_bond_allowed(m->environment.kernel_release))
		return CANDIDACY_NIC_BOND;
	if (!nic->up)
		return CANDIDACY_NIC_DOWN;
	if (driver && !driver->has_table && !config->capacity.set)
		return CANDIDACY_NIC_NO_TABLE;
	return CANDIDACY_OK;
}

static void choose_capacity(struct manager_nic *n, const struct config_nic *config,
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

/* `rate` is that of all SAs that compete in the table. */
static double migration_bytes(uint32_t capacity, double rate, size_t n)
{
	double slots = n < capacity ? (double)n : (double)capacity;
	double bytes = slots > 0 ? rate / slots * MIGRATION_BYTES_SECONDS : 0;

	return bytes < MIGRATION_BYTES_MAX ? bytes : MIGRATION_BYTES_MAX;
}

static struct policy_table_config table_config(struct manager *m, const struct manager_nic *nic,
					       uint32_t capacity, double rate, size_t n)
{
	uint32_t reserve = capacity / RESERVE_SHARE;

	return (struct policy_table_config){
		.capacity = capacity,
		.reserve = reserve < RESERVE_SLOTS ? reserve : RESERVE_SLOTS,
		.budget = (uint32_t)nic->ifindex,
		.vacate = nic->vacate,
		.moves_per_second = m->config->moves_per_second,
		.moves_burst = m->config->moves_burst,
		.migration_bytes = migration_bytes(capacity, rate, n),
		.migration_seconds = MIGRATION_SECONDS,
		.max_rate = nic->config ? nic->config->max_rate : 0,
	};
}

static void set_table(struct manager *m, const struct manager_nic *nic, policy_table *table,
		      uint32_t capacity, double rate, size_t n)
{
	struct policy_table_config config = table_config(m, nic, capacity, rate, n);

	if (*table != POLICY_NONE)
		(void)policy_table_configure(m->policy, *table, &config);
	else if (policy_table_add(m->policy, &config, table) < 0)
		*table = POLICY_NONE;
}

static void drop_tables(struct manager *m, struct manager_nic *n)
{
	double now = manager_now(m);

	if (n->in != POLICY_NONE)
		policy_table_remove(m->policy, n->in, now);
	if (n->out != POLICY_NONE && n->out != n->in)
		policy_table_remove(m->policy, n->out, now);
	n->in = n->out = POLICY_NONE;
}

static void set_tables(struct manager *m, struct manager_nic *n)
{
	uint32_t foreign = n->foreign_in + n->foreign_out;

	/* A NIC that lost its trust keeps its tables until what we put there has left. */
	if (n->candidacy != CANDIDACY_OK && n->used_in + n->used_out <= foreign) {
		drop_tables(m, n);
		return;
	}
	/* From one kind of table to the other: start afresh. */
	if ((n->in != POLICY_NONE || n->out != POLICY_NONE) && (n->in == n->out) != n->shared)
		drop_tables(m, n);
	if (n->shared) {
		set_table(m, n, &n->in, subtract(n->capacity_in, foreign), n->rate_in + n->rate_out,
			  n->competing_in + n->competing_out);
		n->out = n->in;
		return;
	}
	if (n->capacity_in > 0)
		set_table(m, n, &n->in, subtract(n->capacity_in, n->foreign_in), n->rate_in,
			  n->competing_in);
	if (n->capacity_out > 0)
		set_table(m, n, &n->out, subtract(n->capacity_out, n->foreign_out), n->rate_out,
			  n->competing_out);
}

static void count_holder(struct manager *m, const struct sa *sa)
{
	struct manager_nic *n = sa->ifindex ? manager_nic(m, sa->ifindex) : NULL;
	bool in = sa->description.direction == SA_DIRECTION_IN;

	if (!n)
		return;
	*(in ? &n->used_in : &n->used_out) += 1;
	if (sa->foreign)
		*(in ? &n->foreign_in : &n->foreign_out) += 1;
}

static void count_competitor(struct manager *m, const struct sa *sa)
{
	struct manager_nic *n = sa->candidate ? manager_nic(m, sa->candidate) : NULL;
	bool in = sa->description.direction == SA_DIRECTION_IN;
	struct policy_sa_view view;

	if (!n || sa->foreign || sa->handle == POLICY_NONE)
		return;
	policy_sa_get(m->policy, sa->handle, manager_now(m), &view);
	if (!view.rate_known || view.rate <= 0)
		return;
	*(in ? &n->rate_in : &n->rate_out) += view.rate;
	*(in ? &n->competing_in : &n->competing_out) += 1;
}

static void count_sas(struct manager *m)
{
	struct sa *sa;

	for (size_t i = 0; i < m->n_nics; i++) {
		struct manager_nic *n = &m->nics[i];

		n->used_in = n->used_out = n->foreign_in = n->foreign_out = 0;
		n->competing_in = n->competing_out = 0;
		n->rate_in = n->rate_out = 0;
	}
	TAILQ_FOREACH(sa, &m->sas.all, list) {
		count_holder(m, sa);
		count_competitor(m, sa);
	}
}

/* Once, and again if it is still so the next day. */
static void tell_foreign(struct manager *m, struct manager_nic *n)
{
	double now = manager_now(m);

	if (n->foreign_in + n->foreign_out == 0 ||
	    (n->foreign_told_at > 0 && now - n->foreign_told_at < FOREIGN_TOLD_SECONDS))
		return;
	n->foreign_told_at = now;
	report_foreign(m->reporter, n->name, n->config && n->config->allow && n->config->trusted,
		       n->foreign_in + n->foreign_out);
}

static struct manager_nic *add_nic(struct manager *m, int ifindex)
{
	struct manager_nic *nics = reallocarray(m->nics, m->n_nics + 1, sizeof(*nics));
	size_t i;

	if (!nics)
		return NULL;
	m->nics = nics;
	i = position(m, ifindex);
	memmove(&nics[i + 1], &nics[i], (m->n_nics - i) * sizeof(*nics));
	m->n_nics++;
	nics[i] = (struct manager_nic){
		.ifindex = ifindex,
		.in = POLICY_NONE,
		.out = POLICY_NONE,
	};
	return &nics[i];
}

/* Worth showing and remembering: it can offload, or somebody wrote it into the configuration. */
static bool is_of_interest(const struct nic *nic, const struct config_nic *config)
{
	return nic->esp_offload || (config && config->allow && (config->name || config->pci));
}

static const struct config_nic *match_config(const struct manager *m, const struct nic *nic)
{
	const struct config_nic_identity identity = {
		.name = nic->name,
		.driver = nic->driver[0] ? nic->driver : NULL,
		.pci = nic->pci[0] ? nic->pci : NULL,
		.mac = nic->mac[0] ? nic->mac : NULL,
	};

	return config_match_nic(m->config, &identity);
}

static void update_nic(struct manager *m, const struct nic *nic)
{
	const struct config_nic *config = match_config(m, nic);
	const struct nic_driver *driver = driver_of(m, nic);
	struct manager_nic *n = manager_nic(m, nic->ifindex);

	if (!n && !is_of_interest(nic, config))
		return;
	if (!n)
		n = add_nic(m, nic->ifindex);
	if (!n)
		return;
	memcpy(n->name, nic->name, sizeof(n->name));
	n->speed = nic->speed;
	n->config = config;
	n->frees_late = driver && driver->frees_late;
	n->candidacy = judge(m, nic, config, driver);
	n->vacate = judge_permission(m, nic, config) != CANDIDACY_OK;
	choose_capacity(n, config, driver);
}

static void drop_missing(struct manager *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->n_nics; i++) {
		if (network_get(m->network, m->nics[i].ifindex))
			m->nics[kept++] = m->nics[i];
		else
			drop_tables(m, &m->nics[i]);
	}
	m->n_nics = kept;
}

void manager_update_nics(struct manager *m)
{
	drop_missing(m);
	for (size_t i = 0; i < network_count(m->network); i++)
		update_nic(m, network_at(m->network, i));
	count_sas(m);
	for (size_t i = 0; i < m->n_nics; i++)
		set_tables(m, &m->nics[i]);
	for (size_t i = 0; i < m->n_nics; i++)
		tell_foreign(m, &m->nics[i]);
}

static bool is_named_by_rule(const struct manager *m, const char *name)
{
	for (size_t i = 0; i < m->config->n_rules; i++)
		if (m->config->rules[i].nic && strcmp(m->config->rules[i].nic, name) == 0)
			return true;
	return false;
}

static bool is_egress(const struct manager *m, int ifindex)
{
	for (size_t i = 0; i < m->n_egress; i++)
		if (m->egress[i] == ifindex)
			return true;
	return m->n_egress == MANAGER_EGRESS_MAX;
}

static void note_egress(struct manager *m, int ifindex)
{
	if (!is_egress(m, ifindex))
		m->egress[m->n_egress++] = ifindex;
}

static bool concerns_us(struct manager *m, const struct nic *nic)
{
	return manager_nic(m, nic->ifindex) || is_egress(m, nic->ifindex) ||
	       is_of_interest(nic, match_config(m, nic)) || is_named_by_rule(m, nic->name);
}

/* Carrier and speed do not matter: SAs stay in the NIC. */
static bool differs(const struct nic *old, const struct nic *new)
{
	return old->up != new->up || old->esp_offload != new->esp_offload ||
	       old->is_bond != new->is_bond || old->bond_active_slave != new->bond_active_slave ||
	       old->is_vlan != new->is_vlan || old->lower_ifindex != new->lower_ifindex ||
	       old->vrf_ifindex != new->vrf_ifindex || strcmp(old->name, new->name) != 0 ||
	       strcmp(old->driver, new->driver) != 0 || strcmp(old->pci, new->pci) != 0 ||
	       strcmp(old->mac, new->mac) != 0;
}

bool manager_nic_change_matters(struct manager *m, const struct nic *old, const struct nic *new)
{
	if (old && new && !differs(old, new))
		return false;
	/* The device may only have the SAs' local address. */
	if (old && new && old->vrf_ifindex != new->vrf_ifindex)
		return true;
	return (old && concerns_us(m, old)) || (new &&concerns_us(m, new));
}

static enum candidacy find_nic(struct manager *m, const struct sa *sa, int *ret_ifindex)
{
	const struct nic *nic;
	int ifindex, r;

	if (sa->rule && sa->rule->nic) {
		nic = network_find(m->network, sa->rule->nic);
		if (!nic)
			return CANDIDACY_NO_NIC;
		*ret_ifindex = nic->ifindex;
		return CANDIDACY_OK;
	}
	r = network_route_for_sa(m->network, &sa->description, sa->output_mark, &ifindex);
	if (r < 0)
		return r == -ENOTUNIQ ? CANDIDACY_VRF_UNCLEAR : CANDIDACY_NO_ROUTE;
	note_egress(m, ifindex);
	*ret_ifindex = ifindex;
	return CANDIDACY_OK;
}

policy_table manager_table_of_residence(struct manager *m, const struct sa *sa)
{
	const struct manager_nic *n = sa->foreign ? NULL : manager_nic(m, sa->ifindex);

	if (!n)
		return POLICY_NONE;
	return sa->description.direction == SA_DIRECTION_IN ? n->in : n->out;
}

void manager_resolve_candidate(struct manager *m, struct sa *sa, policy_table *ret_table)
{
	const struct manager_nic *n;
	policy_table table;

	*ret_table = POLICY_NONE;
	sa->candidate = 0;
	sa->candidacy = find_nic(m, sa, &sa->candidate);
	if (sa->candidacy != CANDIDACY_OK)
		return;
	n = manager_nic(m, sa->candidate);
	if (!n) {
		sa->candidacy = judge_without_offload(m, sa->candidate);
		return;
	}
	sa->candidacy = n->candidacy;
	if (sa->candidacy != CANDIDACY_OK)
		return;
	table = sa->description.direction == SA_DIRECTION_IN ? n->in : n->out;
	if (table == POLICY_NONE)
		sa->candidacy = CANDIDACY_NIC_DIRECTION;
	else if (sa->ifindex == 0 && manager_shape_is_refused(m, sa->candidate, sa->shape, NULL))
		sa->candidacy = CANDIDACY_REFUSED_SHAPE;
	else if (peer_moves_knows(m->peer_moves, &sa->description, manager_now(m)))
		sa->candidacy = CANDIDACY_PEER_MOVES;
	else
		*ret_table = table;
}
