/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Findings about the kernel, security, IKE daemons, and the cryptography in software. */
#include "doctor/examine.h"

#include <linux/capability.h>
#include <string.h>

/* ---- The kernel ---- */

static void examine_release(struct report *report)
{
	const char *release = report->facts->release;
	char what[FINDING_TEXT_SIZE];
	struct finding finding = {.topic = "kernel", .what = what};

	if (!release[0])
		return;
	(void)snprintf(what, sizeof(what), "Linux %s", release);
	if (!facts_kernel_is(report->facts, 6, 1)) {
		finding.severity = SEVERITY_PROBLEM;
		finding.why = "espoffloadd is tested on Linux 6.1 and later only.";
		finding.fix = "Install a kernel of a longterm series from 6.1 on.";
	} else if (!facts_kernel_is(report->facts, 7, 2)) {
		finding.severity = SEVERITY_OK;
		finding.why =
			"It cannot move an SA by itself (MIGRATE_STATE is in 7.2 and later). So "
			"espoffloadd deletes an SA and adds it again, in which a few packets "
			"can be lost.";
	} else {
		finding.severity = SEVERITY_OK;
		finding.why =
			"It can move an SA out of a NIC by itself (MIGRATE_STATE). Up to 7.3 it "
			"refuses to move one into a NIC; espoffloadd then deletes the SA and "
			"adds it again. The daemon tries both at its start, and 'status' shows "
			"the result.";
	}
	report_add(report, &finding);
	if (facts_kernel_is(report->facts, 6, 16))
		report_add(report,
			   &(struct finding){
				   .severity = SEVERITY_NOTE,
				   .topic = "kernel",
				   .what = "Inbound SAs of XFRM interfaces (if_id) stay in "
					   "software.",
				   .why = "From 6.16 on the kernel refuses to offload an inbound "
					  "SA with an if_id.",
			   });
	else if (!facts_kernel_is(report->facts, 6, 11))
		report_add(report,
			   &(struct finding){
				   .severity = SEVERITY_NOTE,
				   .topic = "kernel",
				   .what = "SAs behind NAT (UDP encapsulation) stay in software.",
				   .why = "Before 6.11 the kernel refuses to offload them.",
			   });
}

static void examine_options(struct report *report)
{
	static const struct {
		enum kernel_option option;
		const char *why;
	} needed[] = {
		{OPTION_XFRM_USER, "Without it no program can install SAs."},
		{OPTION_XFRM_OFFLOAD,
		 "Without it the kernel ignores a request for offload, and the SA "
		 "stays in software."},
	};
	char what[FINDING_TEXT_SIZE];
	bool all = report->facts->config_path[0];

	for (size_t i = 0; i < ELEMENTSOF(needed); i++) {
		if (report->facts->options[needed[i].option] != OPTION_OFF)
			continue;
		all = false;
		(void)snprintf(what, sizeof(what), "The kernel was built without CONFIG_%s.",
			       facts_option_name(needed[i].option));
		report_add(report, &(struct finding){
					   .severity = SEVERITY_PROBLEM,
					   .topic = "kernel",
					   .what = what,
					   .why = needed[i].why,
					   .fix = "Install a kernel that has it, as Debian's has.",
				   });
	}
	(void)snprintf(what, sizeof(what), "CONFIG_XFRM_USER and CONFIG_XFRM_OFFLOAD are on (%s).",
		       report->facts->config_path);
	if (all)
		report_add(report, &(struct finding){.severity = SEVERITY_OK,
						     .topic = "kernel",
						     .what = what});
}

/* ---- Modules: ESP and its offload, for each family ---- */

struct family {
	const char *name;
	enum kernel_module esp;
	enum kernel_module offload;
};

static const struct family families[] = {
	{"IPv4", MODULE_ESP4, MODULE_ESP4_OFFLOAD},
	{"IPv6", MODULE_ESP6, MODULE_ESP6_OFFLOAD},
};

static bool cannot_load(const struct facts *facts, enum kernel_module module)
{
	const struct module_fact *fact = &facts->modules[module];

	return fact->state == MODULE_MISSING ||
	       (fact->state != MODULE_LOADED && (facts->modules_disabled || fact->blocked_by[0]));
}

/* Why the module cannot be had, and what helps. */
static void describe_module(const struct facts *facts, enum kernel_module module, char what[],
			    char fix[])
{
	const struct module_fact *fact = &facts->modules[module];
	const char *name = facts_module_name(module);

	if (fact->state == MODULE_MISSING) {
		(void)snprintf(what, FINDING_TEXT_SIZE, "The kernel has no module %s.", name);
		(void)snprintf(fix, FINDING_TEXT_SIZE,
			       "Install a kernel with it, or the package of its other modules.");
	} else if (fact->blocked_by[0]) {
		(void)snprintf(what, FINDING_TEXT_SIZE, "%s keeps the module %s from being loaded.",
			       fact->blocked_by, name);
		(void)snprintf(fix, FINDING_TEXT_SIZE,
			       "Remove the line if its reason is gone, then: modprobe %s", name);
	} else {
		(void)snprintf(what, FINDING_TEXT_SIZE,
			       "The module %s is not loaded, and no module can be loaded any more.",
			       name);
		(void)snprintf(fix, FINDING_TEXT_SIZE,
			       "Load it at boot (/etc/modules-load.d) before "
			       "kernel.modules_disabled is set.");
	}
}

/* Returns whether the family can be offloaded, as far as known. */
static bool examine_family(struct report *report, const struct family *family,
			   enum severity severity)
{
	const struct facts *facts = report->facts;
	bool no_esp = cannot_load(facts, family->esp);
	char what[FINDING_TEXT_SIZE], fix[FINDING_TEXT_SIZE], why[FINDING_TEXT_SIZE];

	if (!no_esp && !cannot_load(facts, family->offload)) {
		bool known = facts->modules[family->offload].state != MODULE_UNKNOWN;
		bool loaded = facts->modules[family->offload].state == MODULE_LOADED;

		(void)snprintf(what, sizeof(what), "%s: %s is %s.", family->name,
			       facts_module_name(family->offload),
			       loaded ? "loaded"
				      : "not loaded; the kernel loads it with the first offload");
		if (known)
			report_add(report, &(struct finding){.severity = SEVERITY_OK,
							     .topic = "modules",
							     .what = what});
		return true;
	}
	describe_module(facts, no_esp ? family->esp : family->offload, what, fix);
	(void)snprintf(why, sizeof(why), "No SA between %s addresses can be offloaded.",
		       family->name);
	report_add(report, &(struct finding){.severity = severity,
					     .topic = "modules",
					     .subject = family->name,
					     .what = what,
					     .why = why,
					     .fix = fix});
	return false;
}

void examine_kernel(struct report *report)
{
	bool none = true;

	examine_release(report);
	examine_options(report);
	for (size_t i = 0; i < ELEMENTSOF(families); i++)
		none &= cannot_load(report->facts, families[i].esp) ||
			cannot_load(report->facts, families[i].offload);
	/* With one family left, offload can work. */
	for (size_t i = 0; i < ELEMENTSOF(families); i++)
		(void)examine_family(report, &families[i],
				     none ? SEVERITY_PROBLEM : SEVERITY_WARNING);
}

/* ---- Security ---- */

static void examine_lockdown(struct report *report)
{
	enum lockdown lockdown = report->facts->lockdown;

	if (lockdown == LOCKDOWN_CONFIDENTIALITY)
		report_add(report,
			   &(struct finding){
				   .severity = SEVERITY_PROBLEM,
				   .topic = "lockdown",
				   .what = "The kernel is in lockdown for confidentiality.",
				   .why = "It shows every key as zeros. An SA that is deleted "
					  "cannot be added again, so none is moved into a NIC.",
				   .fix = "Boot with lockdown=integrity, if your policy allows "
					  "it.",
			   });
	else if (lockdown != LOCKDOWN_UNKNOWN)
		report_add(report,
			   &(struct finding){
				   .severity = SEVERITY_OK,
				   .topic = "lockdown",
				   .what = lockdown == LOCKDOWN_NONE
						   ? "The kernel is not in lockdown."
						   : "Lockdown for integrity does not hide keys.",
			   });
}

static void examine_fips(struct report *report)
{
	if (report->facts->fips)
		report_add(report,
			   &(struct finding){
				   .severity = SEVERITY_WARNING,
				   .topic = "FIPS",
				   .what = "The machine is in FIPS mode.",
				   .why = "A key in a NIC has left the boundary of the kernel's "
					  "crypto "
					  "module. So only NICs that are marked get SAs.",
				   .fix = "Set 'fips: true' for a NIC inside the boundary, in "
					  "/etc/espoffloadd.conf.",
			   });
	else
		report_add(report, &(struct finding){.severity = SEVERITY_OK,
						     .topic = "FIPS",
						     .what = "The machine is not in FIPS mode."});
}

void examine_security(struct report *report)
{
	uint64_t needed = UINT64_C(1) << CAP_NET_ADMIN;

	if (report->facts->capabilities_known && !(report->facts->bounding_capabilities & needed))
		report_add(report,
			   &(struct finding){
				   .severity = SEVERITY_PROBLEM,
				   .topic = "privileges",
				   .what = "No program here can have CAP_NET_ADMIN.",
				   .why = "Without it the kernel shows and changes no SA. "
					  "Containers are often started without it.",
				   .fix = "Run espoffloadd on the host, or start the container "
					  "with CAP_NET_ADMIN.",
			   });
	else if (report->facts->capabilities_known)
		report_add(report, &(struct finding){.severity = SEVERITY_OK,
						     .topic = "privileges",
						     .what = "A service can have CAP_NET_ADMIN."});
	examine_lockdown(report);
	examine_fips(report);
}

/* ---- IKE daemons ---- */

static bool offloads(const struct ike_setting *setting, const struct facts *facts)
{
	if (setting->value[0])
		return strcmp(setting->value, "no") != 0;
	return facts->ike_installed[setting->daemon] || facts->ike_running[setting->daemon];
}

static void examine_setting(struct report *report, const struct ike_setting *setting)
{
	bool strongswan = setting->daemon == IKE_STRONGSWAN;
	const char *key = strongswan ? "hw_offload" : "nic-offload";
	char what[FINDING_TEXT_SIZE], fix[FINDING_TEXT_SIZE];

	if (setting->value[0])
		(void)snprintf(what, sizeof(what),
			       "%s offloads the connection %s by itself (%s = %s, %s:%u).",
			       facts_ike_name(setting->daemon), setting->connection, key,
			       setting->value, setting->path, setting->line);
	else
		(void)snprintf(what, sizeof(what),
			       "The connection %s has no nic-offload (%s:%u), and libreswan 4 then "
			       "offloads it by itself.",
			       setting->connection, setting->path, setting->line);
	(void)snprintf(fix, sizeof(fix), "Set %s%sno there, then: %s", key,
		       strongswan ? " = " : "=",
		       strongswan ? "swanctl --load-conns" : "ipsec restart");
	report_add(
		report,
		&(struct finding){
			.severity = SEVERITY_WARNING,
			.topic = "IKE",
			.subject = setting->connection,
			.what = what,
			.why = "It fills the table first come, first served, and a full table "
			       "makes "
			       "its next tunnel fail. espoffloadd counts such SAs as foreign and "
			       "does not move them.",
			.fix = fix,
		});
}

void examine_ike(struct report *report)
{
	const struct facts *facts = report->facts;
	bool bad[_IKE_MAX] = {};
	char what[FINDING_TEXT_SIZE];

	for (size_t i = 0; i < facts->n_ike; i++) {
		if (!offloads(&facts->ike[i], facts))
			continue;
		bad[facts->ike[i].daemon] = true;
		examine_setting(report, &facts->ike[i]);
	}
	if (facts->n_ike_lost > 0) {
		(void)snprintf(what, sizeof(what), "%zu more connections were not examined.",
			       facts->n_ike_lost);
		report_add(
			report,
			&(struct finding){.severity = SEVERITY_NOTE, .topic = "IKE", .what = what});
	}
	for (enum ike_daemon i = 0; i < _IKE_MAX; i++) {
		if (bad[i] || !(facts->ike_installed[i] || facts->ike_running[i]))
			continue;
		(void)snprintf(what, sizeof(what),
			       "%s is %s, and no connection that can be read offloads by itself.",
			       facts_ike_name(i), facts->ike_running[i] ? "running" : "installed");
		report_add(report, &(struct finding){
					   .severity = SEVERITY_OK, .topic = "IKE", .what = what});
	}
}

/* ---- Who answers for the algorithms in software ---- */

/* What a part of a driver's name says. */
static const struct {
	const char *part;
	const char *meaning;
	bool elsewhere; /* not on the CPU that has the packet */
	bool slow;
} implementations[] = {
	{"pcrypt(", "several CPUs (pcrypt)", true, false},
	{"qat", "QuickAssist", true, false},
	{"ccp", "AMD's crypto coprocessor", true, false},
	{"aesni", "AES-NI", false, false},
	{"vaes", "AES-NI (vector)", false, false},
	{"avx", "AVX", false, false},
	{"ssse3", "SSSE3", false, false},
	{"-ni", "SHA-NI", false, false},
	{"-ce", "the crypto extensions of ARMv8", false, false},
	{"neon", "NEON", false, false},
	{"-simd", "SIMD instructions", false, false},
	{"-lib", "the kernel's crypto library", false, false},
	{"generic", "plain C, without instructions for it", false, true},
	{"fixed-time", "plain C, without instructions for it", false, true},
};

static void examine_algorithm(struct report *report, const struct algorithm_fact *algorithm)
{
	char what[FINDING_TEXT_SIZE];
	struct finding finding = {.severity = SEVERITY_OK, .topic = "software", .what = what};
	const char *meaning = "unknown kind";

	finding.subject = algorithm->name;
	for (size_t i = 0; i < ELEMENTSOF(implementations); i++) {
		if (!strstr(algorithm->driver, implementations[i].part))
			continue;
		meaning = implementations[i].meaning;
		if (implementations[i].elsewhere) {
			finding.severity = SEVERITY_NOTE;
			finding.why =
				"SAs in software already cost the CPU that has the packet little, "
				"so a slot of the NIC is worth less to them.";
		} else if (implementations[i].slow) {
			finding.severity = SEVERITY_NOTE;
			finding.why =
				"SAs in software cost much CPU time, or the module with the fast "
				"implementation is not loaded yet.";
		}
		break;
	}
	(void)snprintf(what, sizeof(what), "%s in software: %s (%s, priority %ld).",
		       algorithm->name, meaning, algorithm->driver, algorithm->priority);
	report_add(report, &finding);
}

void examine_crypto(struct report *report)
{
	for (size_t i = 0; i < ALGORITHMS; i++)
		if (report->facts->algorithms[i].found)
			examine_algorithm(report, &report->facts->algorithms[i]);
}
