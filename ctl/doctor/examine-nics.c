/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Findings about NICs: whether the offload is on, what is known of the driver, and its bugs. */
#include "doctor/examine.h"

#include "network/drivers.h"

#include <string.h>

/* What the driver does, as read in Linux 6.1.192, 6.12.117 and 7.3.4 (drivers.c has the files). */
struct driver_fact {
	const char *driver;
	enum severity severity;
	const char *what;
	const char *why;
};

static const struct driver_fact driver_facts[] = {
	{"netdevsim", SEVERITY_WARNING, "netdevsim does not encrypt.",
	 "It is for tests: the packets of an outbound SA in it leave in clear text."},
	{"ixgbe", SEVERITY_NOTE,
	 "ixgbe takes SAs in transport mode with AES-GCM, a key of 128 bits and an ICV of 128 "
	 "bits, "
	 "without ESN.",
	 "All others stay in software. Inbound SAs can have at most 128 different local addresses. "
	 "When its first SA enters and when its last leaves, the driver stops all traffic of the "
	 "NIC, for up to 0.2 s."},
	{"ixgbevf", SEVERITY_NOTE,
	 "ixgbevf takes inbound SAs in transport mode only, and shares the table with the PF and "
	 "all VFs.",
	 "The PF needs the private flag vf-ipsec, and the VF must be trusted. ixgbe of the PF in "
	 "Linux 6.12 and 7.3 refuses each SA of a VF (EINVAL); that of 6.1 does not."},
	{"mlx5_core", SEVERITY_NOTE, "mlx5_core frees a slot late.",
	 "The slot of an SA that left is free when the last packet and socket have released the "
	 "SA. For "
	 "that time an inbound SA can lose packets."},
	{"nfp", SEVERITY_NOTE, "nfp takes no SAs with ESN, and accepts others too early.",
	 "Those with ESN stay in software. The driver accepts an SA before its firmware has it. "
	 "It only logs it if the firmware refuses (dmesg)."},
};

/* The option of the kernel without which a driver has no offload. */
static const struct {
	const char *driver;
	enum kernel_option option;
} driver_options[] = {
	{"ixgbe", OPTION_IXGBE_IPSEC},       {"ixgbevf", OPTION_IXGBEVF_IPSEC},
	{"mlx5_core", OPTION_MLX5_EN_IPSEC}, {"nfp", OPTION_NFP_NET_IPSEC},
	{"nfp_netvf", OPTION_NFP_NET_IPSEC}, {"cxgb4", OPTION_CHELSIO_IPSEC_INLINE},
};

static void add(struct report *report, enum severity severity, const struct nic_fact *nic,
		const char *what, const char *why, const char *fix)
{
	report_add(report, &(struct finding){.severity = severity,
					     .topic = "NIC",
					     .subject = nic->name,
					     .what = what,
					     .why = why,
					     .fix = fix});
}

/* Whether the driver is built without its offload. */
static bool lacks_option(const struct facts *facts, const char *driver,
			 enum kernel_option *ret_option)
{
	for (size_t i = 0; i < ELEMENTSOF(driver_options); i++) {
		if (strcmp(driver_options[i].driver, driver) != 0)
			continue;
		*ret_option = driver_options[i].option;
		return facts->options[driver_options[i].option] == OPTION_OFF;
	}
	return false;
}

/* Whether a kernel has a commit of 7.0, which two longterm series have from these releases on. */
static bool is_fixed(const char *release, unsigned long since_6_1, unsigned long since_6_12)
{
	unsigned long number[3] = {};

	(void)kernel_release_parse(release, number, 3);
	if (number[0] == 6 && number[1] == 1)
		return number[2] >= since_6_1;
	if (number[0] == 6 && number[1] == 12)
		return number[2] >= since_6_12;
	return number[0] >= 7;
}

/* Before a commit of 7.0 (4efa91a28576), which two longterm series have, xfrm_dev_unregister()
 * leaves the SAs of a device without the feature, and each SA holds a reference to the device. */
static void examine_unregister(struct report *report, const struct nic_fact *nic)
{
	char what[FINDING_TEXT_SIZE];

	if (!report->facts->upstream[0] || is_fixed(report->facts->upstream, 192, 85))
		return;
	(void)snprintf(
		what, sizeof(what),
		"While esp-hw-offload is off, SAs that are in %s block its removal (Linux %s).",
		nic->name, report->facts->upstream);
	add(report, SEVERITY_NOTE, nic, what,
	    "An IKE daemon can offload SAs to it nevertheless. If the driver is then unloaded, or "
	    "the device removed, the kernel waits for these SAs for ever ('waiting for ... to "
	    "become free').",
	    "Delete its SAs first, or install Linux 6.1.192, 6.12.85, 7.0 or later.");
}

/* A NIC whose offload is off. Returns whether it can be switched on. */
static bool examine_off(struct report *report, const struct nic_fact *nic)
{
	char what[FINDING_TEXT_SIZE], fix[FINDING_TEXT_SIZE];
	enum kernel_option option;

	if (nic->esp_offload_changeable) {
		(void)snprintf(what, sizeof(what), "%s (%s): esp-hw-offload is off.", nic->name,
			       nic->driver);
		(void)snprintf(fix, sizeof(fix),
			       "ethtool -K %s esp-hw-offload on, at each boot (for example in a "
			       "udev rule)",
			       nic->name);
		add(report, SEVERITY_WARNING, nic, what,
		    "The kernel would do the ESP of an SA in software although it has a slot, so "
		    "espoffloadd does not use the NIC.",
		    fix);
		examine_unregister(report, nic);
		return true;
	}
	if (lacks_option(report->facts, nic->driver, &option)) {
		(void)snprintf(what, sizeof(what),
			       "%s (%s): the kernel was built without CONFIG_%s.", nic->name,
			       nic->driver, facts_option_name(option));
		add(report, SEVERITY_WARNING, nic, what,
		    "Without it the driver has no ESP offload, whatever the NIC can do.",
		    "Install a kernel that has it.");
		return false;
	}
	(void)snprintf(what, sizeof(what),
		       "%s (%s): esp-hw-offload is off and cannot be switched on.", nic->name,
		       nic->driver);
	add(report, SEVERITY_NOTE, nic, what,
	    "The driver knows ESP offload, but not for this device, its firmware or its mode.",
	    NULL);
	return false;
}

static void describe_slots(const struct nic_driver *driver, char *text, size_t size)
{
	if (!driver || driver->in == 0)
		(void)snprintf(text, size, "the number of slots is not known; 'capacity:' sets it");
	else if (driver->shared)
		(void)snprintf(text, size, "%u slots", driver->in);
	else if (driver->out == 0)
		(void)snprintf(text, size, "%u slots for inbound SAs", driver->in);
	else
		(void)snprintf(text, size, "%u slots for inbound and %u for outbound SAs",
			       driver->in, driver->out);
}

static void examine_driver(struct report *report, const struct nic_fact *nic, const char *driver)
{
	for (size_t i = 0; i < ELEMENTSOF(driver_facts); i++) {
		const struct driver_fact *fact = &driver_facts[i];

		if (nic_driver_find(driver) == nic_driver_find(fact->driver))
			add(report, fact->severity, nic, fact->what, fact->why, NULL);
	}
}

/* SAs that the driver would handle wrongly. The daemon does not give them to it. */
static void examine_traps(struct report *report, const struct nic_fact *nic, const char *driver)
{
	static const struct {
		struct sa_shape shape;
		const char *what;
		unsigned long minor; /* if not 0: Linux before 6.x refuses them itself */
	} shapes[] = {
		{{.key_bits = 288}, "SAs with AES keys longer than 128 bits"},
		{{.encap = true}, "SAs behind NAT (UDP encapsulation)", 11},
		{{.esn = true}, "SAs with ESN", 12},
	};
	struct nic_setting setting = {driver, .in_bond = nic->is_bond};

	for (size_t i = 0; i < ELEMENTSOF(shapes); i++) {
		char what[FINDING_TEXT_SIZE];
		const char *why;

		if ((shapes[i].minor && !facts_kernel_is(report->facts, 6, shapes[i].minor)) ||
		    nic_driver_check(&setting, &shapes[i].shape, &why) == 0)
			continue;
		(void)snprintf(what, sizeof(what), "%s stay in software and not in %s.",
			       shapes[i].what, nic->name);
		add(report, SEVERITY_NOTE, nic, what, why, NULL);
	}
}

/* Inbound SAs may be kept out because of a feature that can be switched off. */
static void examine_rx_all(struct report *report, const struct nic_fact *nic, const char *driver)
{
	struct nic_setting setting = {driver, .rx_all = nic->rx_all};
	char what[FINDING_TEXT_SIZE], fix[FINDING_TEXT_SIZE];
	const char *why;

	if (nic_driver_check(&setting, &(struct sa_shape){.direction = SA_DIRECTION_IN}, &why) == 0)
		return;
	(void)snprintf(what, sizeof(what),
		       "rx-all is on: inbound SAs stay in software and not in %s.", nic->name);
	(void)snprintf(fix, sizeof(fix), "ethtool -K %s rx-all off", nic->name);
	add(report, SEVERITY_WARNING, nic, what, why, fix);
}

/* Drivers that free a slot late free it by another call, which the kernel makes. */
static void examine_leak(struct report *report, const struct nic_fact *nic,
			 const struct nic_driver *driver)
{
	char what[FINDING_TEXT_SIZE];

	/* xfrm_state_update() calls xdo_dev_state_delete for the state that it discards. */
	if (!driver || driver->frees_late || !report->facts->upstream[0] ||
	    is_fixed(report->facts->upstream, 170, 85))
		return;
	(void)snprintf(what, sizeof(what),
		       "Each update of an SA that is in %s can lose a slot (Linux %s).", nic->name,
		       report->facts->upstream);
	add(report, SEVERITY_NOTE, nic, what,
	    "The kernel gives the driver what an UPDSA with an offload asks for as one more SA, "
	    "and "
	    "does not remove it. The slot stays taken until the driver is loaded again. 'ip xfrm "
	    "state update' with 'offload' does this; the UPDSA by which IKE daemons install a new "
	    "inbound SA does not.",
	    "Install Linux 6.1.170, 6.12.85, 7.0 or later. Until then, update no SA that is in the "
	    "NIC.");
}

/* What VFs change for the PF. */
static void examine_vfs(struct report *report, const struct nic_fact *nic, const char *driver)
{
	char what[FINDING_TEXT_SIZE], fix[FINDING_TEXT_SIZE];

	if (nic->vfs == 0)
		return;
	if (strcmp(driver, "ixgbe") == 0) {
		(void)snprintf(what, sizeof(what),
			       "%s has VFs: outbound SAs stay in software, unless its bridge mode "
			       "is VEPA.",
			       nic->name);
		(void)snprintf(fix, sizeof(fix),
			       "bridge link set dev %s hwmode vepa, if the switch can do that",
			       nic->name);
		add(report, SEVERITY_WARNING, nic, what,
		    "ixgbe refuses them silently (EOPNOTSUPP). The table of inbound SAs is shared "
		    "with the VFs.",
		    fix);
	} else if (strcmp(driver, "mlx5_core") == 0) {
		(void)snprintf(
			what, sizeof(what),
			"%s has VFs: if one of them may offload, %s refuses each SA (EBUSY).",
			nic->name, nic->name);
		add(report, SEVERITY_NOTE, nic, what,
		    "mlx5_core gives the offload either to the PF or to VFs with ipsec_crypto or "
		    "ipsec_packet ('devlink port show').",
		    NULL);
	}
}

/* A NIC whose offload is on. Returns whether it can be used. */
static bool examine_on(struct report *report, const struct nic_fact *nic)
{
	const char *name = nic->is_bond ? nic->slave_driver : nic->driver;
	const struct nic_driver *driver = nic_driver_find(name);
	char what[FINDING_TEXT_SIZE], why[FINDING_TEXT_SIZE], slots[128];

	if (nic->is_bond && !nic_bond_allowed(report->facts->release)) {
		(void)snprintf(what, sizeof(what),
			       "%s is a bond, which this kernel cannot offload to.", nic->name);
		add(report, SEVERITY_WARNING, nic, what,
		    "Kernels from 6.10.9 to 6.15 can corrupt memory or block when an SA is in a "
		    "bond, "
		    "and crash at the next failover. espoffloadd does not use the bond.",
		    "Use Linux 6.16 or later, or a release before 6.10.9, or no bond.");
		return false;
	}
	if (driver && !driver->has_table) {
		(void)snprintf(what, sizeof(what), "%s (%s) has no table of SAs.", nic->name,
			       nic->driver);
		add(report, SEVERITY_NOTE, nic, what,
		    "Its driver sends the key with each packet, so there is nothing to ration.",
		    "Offload in the IKE daemon, or set 'capacity:' for the NIC.");
		return false;
	}
	if (driver && driver->unsafe) {
		(void)snprintf(what, sizeof(what), "%s (%s) gets no SAs from espoffloadd.",
			       nic->name, name);
		(void)snprintf(why, sizeof(why), "As read in Linux 7.3, %s.", driver->unsafe);
		add(report, SEVERITY_WARNING, nic, what, why,
		    "Do not offload to it in the IKE daemon either.");
		return false;
	}
	describe_slots(driver, slots, sizeof(slots));
	(void)snprintf(what, sizeof(what), "%s (%s): esp-hw-offload is on, %s.", nic->name,
		       nic->driver[0] ? nic->driver : "unknown driver", slots);
	add(report, SEVERITY_OK, nic, what, NULL, NULL);
	examine_driver(report, nic, name);
	examine_traps(report, nic, name);
	examine_rx_all(report, nic, name);
	examine_vfs(report, nic, name);
	examine_leak(report, nic, driver);
	return true;
}

/* SAs leave by a VLAN, not by the NIC below. */
static void examine_vlan(struct report *report, const struct nic_fact *nic)
{
	const struct facts *facts = report->facts;
	char what[FINDING_TEXT_SIZE];

	for (size_t i = 0; i < facts->n_nics; i++) {
		if (nic->esp_offload || strcmp(facts->nics[i].name, nic->lower) != 0 ||
		    !facts->nics[i].esp_offload)
			continue;
		(void)snprintf(what, sizeof(what),
			       "%s is a VLAN of %s: SAs that leave by it stay in "
			       "software.",
			       nic->name, nic->lower);
		add(report, SEVERITY_NOTE, nic, what,
		    "Linux gives a NIC only the ESP packets that leave by the NIC itself.", NULL);
	}
}

/* Returns whether the NIC can be used. `ret_can`: by one command. */
static bool examine_nic(struct report *report, const struct nic_fact *nic, bool *ret_can)
{
	if (nic->lower[0])
		examine_vlan(report, nic);
	if (nic->esp_offload)
		return examine_on(report, nic);
	if (nic->esp_offload_changeable || (nic_driver_find(nic->driver) && !nic->is_bond))
		*ret_can |= examine_off(report, nic);
	return false;
}

/* All except lo. */
static void list_devices(const struct facts *facts, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < facts->n_nics && n < size; i++)
		if (strcmp(facts->nics[i].name, "lo") != 0)
			n += (size_t)snprintf(
				text + n, size - n, "%s%s%s%s%s", n ? ", " : "",
				facts->nics[i].name, facts->nics[i].driver[0] ? " (" : "",
				facts->nics[i].driver, facts->nics[i].driver[0] ? ")" : "");
}

void examine_nics(struct report *report)
{
	const struct facts *facts = report->facts;
	char devices[256], why[FINDING_TEXT_SIZE];
	bool usable = false, can = false;

	if (!facts->nics_known)
		return;
	for (size_t i = 0; i < facts->n_nics; i++)
		usable |= examine_nic(report, &facts->nics[i], &can);
	if (usable)
		return;
	list_devices(facts, devices, sizeof(devices));
	(void)snprintf(why, sizeof(why), "The devices here are: %s.",
		       devices[0] ? devices : "none but lo");
	report_add(report, &(struct finding){
				   .severity = SEVERITY_PROBLEM,
				   .topic = "NIC",
				   .what = "No NIC here can take SAs.",
				   .why = why,
				   .fix = can ? "Switch esp-hw-offload on, as said above."
					      : "Drivers with ESP offload and a table of SAs are "
						"ixgbe, ixgbevf, mlx5_core and nfp.",
			   });
}
