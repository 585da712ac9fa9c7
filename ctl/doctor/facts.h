/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `doctor` knows of a machine, as plain values. facts_read_files() reads it from files below a
 * directory, so that a test can describe any machine. What could not be read is listed with the
 * reason, and the value is then "unknown".
 */
#pragma once

#include "cleanup.h"

#include <jansson.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Options of the kernel that matter; facts_option_name() has their names. */
enum kernel_option {
	OPTION_XFRM_USER,
	OPTION_XFRM_OFFLOAD,
	OPTION_INET_ESP,
	OPTION_INET6_ESP,
	OPTION_INET_ESP_OFFLOAD,
	OPTION_INET6_ESP_OFFLOAD,
	OPTION_IXGBE_IPSEC,
	OPTION_IXGBEVF_IPSEC,
	OPTION_MLX5_EN_IPSEC,
	OPTION_NFP_NET_IPSEC,
	OPTION_CHELSIO_IPSEC_INLINE,
	_OPTION_MAX,
};

enum option_state {
	OPTION_UNKNOWN,
	OPTION_OFF,
	OPTION_MODULE,
	OPTION_BUILTIN,
};

enum kernel_module {
	MODULE_ESP4,
	MODULE_ESP6,
	MODULE_ESP4_OFFLOAD,
	MODULE_ESP6_OFFLOAD,
	_MODULE_MAX,
};

enum module_state {
	MODULE_UNKNOWN,
	MODULE_MISSING, /* the kernel has no such module */
	MODULE_LOADABLE,
	MODULE_LOADED, /* or built in */
};

#define FACT_PATH_SIZE 128

struct module_fact {
	enum module_state state;
	char blocked_by[FACT_PATH_SIZE]; /* file of modprobe.d that prevents loading; "": none */
};

enum lockdown {
	LOCKDOWN_UNKNOWN,
	LOCKDOWN_NONE,
	LOCKDOWN_INTEGRITY,
	LOCKDOWN_CONFIDENTIALITY,
};

#define FACT_NAME_SIZE 64

struct nic_fact {
	char name[IFNAMSIZ];
	char driver[FACT_NAME_SIZE];       /* "": unknown */
	char slave_driver[FACT_NAME_SIZE]; /* of the active slave of a bond; "": none */
	char lower[IFNAMSIZ];              /* the device below a VLAN; "": none */
	bool up;
	bool is_bond;
	bool esp_offload_known;
	bool esp_offload;            /* esp-hw-offload is on */
	bool esp_offload_changeable; /* by ethtool -K */
	bool rx_all;                 /* rx-all is on */
	unsigned long vfs;           /* number of its VFs */
};

enum ike_daemon {
	IKE_STRONGSWAN,
	IKE_LIBRESWAN,
	_IKE_MAX,
};

/* A connection that has a value for the offload. */
struct ike_setting {
	enum ike_daemon daemon;
	char path[FACT_PATH_SIZE];
	unsigned line;
	char connection[FACT_NAME_SIZE];
	char value[16]; /* "": libreswan decides by its default */
};

/* Who answers for an algorithm in software: the implementation of the highest priority. */
struct algorithm_fact {
	const char *name; /* static */
	bool found;
	char driver[128];
	long priority;
};

#define ALGORITHMS 4

struct unseen_fact {
	char what[FACT_PATH_SIZE];
	char why[FACT_PATH_SIZE];
};

#define FACT_NICS_MAX 64
#define FACT_IKE_SETTINGS_MAX 64
#define FACT_UNSEEN_MAX 32

struct facts {
	char release[65];                 /* uname -r */
	char upstream[65];                /* the release of kernel.org that it is, if known */
	char config_path[FACT_PATH_SIZE]; /* of the kernel's options; "": not found */
	enum option_state options[_OPTION_MAX];
	struct module_fact modules[_MODULE_MAX];
	bool modules_disabled; /* kernel.modules_disabled */
	enum lockdown lockdown;
	bool fips;
	bool capabilities_known;
	uint64_t bounding_capabilities; /* what a program can get here at most */
	bool ike_installed[_IKE_MAX];
	bool ike_running[_IKE_MAX];
	struct ike_setting ike[FACT_IKE_SETTINGS_MAX];
	size_t n_ike;
	size_t n_ike_lost; /* settings that did not fit */
	struct algorithm_fact algorithms[ALGORITHMS];
	struct nic_fact nics[FACT_NICS_MAX];
	size_t n_nics;
	bool nics_known;
	struct unseen_fact unseen[FACT_UNSEEN_MAX];
	size_t n_unseen;
	/* Of the daemon; NULL: it was not asked. Owned. */
	json_t *status;
	json_t *groups; /* SAs that are not offloaded, by reason: [{reason, text, sas, example}] */
};

/* Releases what is owned. */
void facts_done(struct facts *facts);

/* Notes that something could not be seen. */
void facts_unseen(struct facts *facts, const char *what, const char *why);

const char *facts_option_name(enum kernel_option option);
const char *facts_module_name(enum kernel_module module);
const char *facts_ike_name(enum ike_daemon daemon);

/* Reads what is in files. `root` is "" for this machine. Unreadable files are no failure. */
void facts_read_files(struct facts *facts, const char *root);
/* The part of it about IKE daemons. */
void facts_read_ike(struct facts *facts, const char *root);

/* The network devices of this network namespace. */
void facts_read_nics(struct facts *facts);
