/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration of espoffloadd.conf(5), as plain values, merged from the main file and its
 * drop-ins.
 *
 * Lists are matched from the top, and the first entry that matches decides. An entry without a
 * match key matches everything. A NIC that no entry matches is neither allowed nor trusted, so it
 * gets no key. Rates are in bytes/s, times in seconds. Strings and arrays belong to the
 * configuration.
 */
#pragma once

#include "cleanup.h"
#include "config-report.h"
#include "sa.h"

#include <stddef.h>

#define CONFIG_PATH_DEFAULT "/etc/espoffloadd.conf"

enum config_mode {
	CONFIG_MODE_OBSERVE, /* decide and report, move nothing: the default */
	CONFIG_MODE_ENFORCE,
};

/* What to do with SAs that the kernel deleted because their NIC went down. */
enum config_link_down {
	CONFIG_LINK_DOWN_RESTORE,          /* restore both directions in software: the default */
	CONFIG_LINK_DOWN_RESTORE_OUTBOUND, /* only outbound, so that no packet can be replayed */
	CONFIG_LINK_DOWN_LEAVE,            /* none, the IKE daemon must make new ones */
};

enum config_offload {
	CONFIG_OFFLOAD_AUTO,   /* by rate */
	CONFIG_OFFLOAD_ALWAYS, /* before all others, at any rate */
	CONFIG_OFFLOAD_NEVER,
};

/* What happens after a driver has refused an SA. In each case it stays in software for now. */
enum config_reject {
	CONFIG_REJECT_SOFTWARE, /* and is not offered to that NIC again: the default */
	CONFIG_REJECT_RETRY,    /* and is offered again, after a time that doubles */
	CONFIG_REJECT_ALARM,    /* as software, and the daemon is degraded for as long */
};

/* What a slot of a NIC should save most of. */
enum config_rank_by {
	CONFIG_RANK_BY_BYTES, /* the default */
	CONFIG_RANK_BY_CPU,
};

struct config_capacity {
	bool set;    /* false: by driver, or learned */
	bool shared; /* `in` is for both directions, `out` is unused */
	uint32_t in;
	uint32_t out;
};

struct config_nic {
	char *name;   /* glob of fnmatch(3); NULL: any */
	char *driver; /* exact; NULL: any */
	char *pci;    /* glob over the bus address, "0000:3b:00.*"; NULL: any */
	char *mac;    /* glob over lower-case colon form; NULL: any */
	bool allow;
	bool trusted;
	bool fips; /* the NIC is inside the FIPS boundary */
	struct config_capacity capacity;
	double max_rate;  /* bytes/s of a table above which no SA is promoted; 0: none */
	const char *file; /* and line, for explanations */
	unsigned line;
};

struct config_prefix {
	bool set;
	uint16_t family;
	uint8_t length; /* bits */
	struct sa_address address;
};

struct config_number {
	bool set;
	uint32_t value;
};

/* The conditions on an SA, all of which must hold. */
struct config_match {
	struct config_prefix source;
	struct config_prefix destination;
	struct config_number reqid;
	struct config_number if_id;
	struct config_number mark;   /* compared with the SA's mark under mark_mask */
	uint32_t mark_mask;          /* of the condition, 0xffffffff unless written VALUE/MASK */
	enum sa_direction direction; /* SA_DIRECTION_UNKNOWN: any */
};

struct config_rule {
	struct config_match match;
	enum config_offload offload;
	double weight;   /* > 0 */
	double min_rate; /* bytes/s */
	char *nic;       /* interface whose table is used, instead of the routed one; NULL: route */
	/* SAs stay in software if a driver that matches this pattern does their cryptography there;
	 * NULL: by none. */
	char *leave_software_driver;
	enum config_reject on_reject;
	const char *file;
	unsigned line;
};

/* SAs that share a number of slots in each table. */
struct config_group {
	char *name; /* unique */
	struct config_match match;
	uint32_t floor;
	uint32_t ceiling; /* 0: none */
	const char *file;
	unsigned line;
};

struct config {
	enum config_mode mode;
	double interval;         /* s between samples, 0.1 to 60 */
	double moves_per_second; /* per NIC */
	double moves_burst;      /* per NIC: moves that may be made without a pause */
	double retry_refused;    /* s until an SA is tried again, where it is; doubles */
	enum config_link_down on_link_down;
	enum config_rank_by rank_by;
	struct config_nic *nics;
	size_t n_nics;
	struct config_rule *rules;
	size_t n_rules;
	struct config_group *groups;
	size_t n_groups;
	char **files; /* those read, in their order, for "path:line" in explanations */
	size_t n_files;
};

/* The configuration without a file: observe, no NIC allowed. -ENOMEM. */
int config_new_default(struct config **ret_config);
struct config *config_free(struct config *config); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct config *, config_free);

/* Which files are read: espoffloadd.conf(5), FILES. */
struct config_source {
	const char *path; /* this file alone; NULL: the main file and the drop-ins */
	const char *root; /* prefix of /etc, /run and /usr/lib; NULL: none */
};

/* For messages: the file, or where the main file is by default. */
const char *config_source_name(const struct config_source *source);
/* The files that were read: "/etc/espoffloadd.conf and 2 more". */
#define CONFIG_NAME_SIZE 288
const char *config_name(const struct config *config, char buffer[CONFIG_NAME_SIZE]);

/*
 * Reads the files of `source`, one file, or a text of `size` bytes. `ret_report` is always set, and
 * the caller must release it with config_report_done(). It contains all errors of the files, and
 * warnings (an entry shadowed by an earlier one, for example), with which they are accepted.
 * Returns 0, -EBADMSG when a file has errors, -ENOMEM, or the errno of reading it (also in the
 * report). -ENOENT of config_load_source(): there is no file.
 */
int config_load_source(const struct config_source *source, struct config_report *ret_report,
		       struct config **ret_config);
/* The same, and where each value comes from: config/effective.h. `ret_effective` is NULL after an
 * error. */
struct json_t;
int config_load_effective(const struct config_source *source, struct config_report *ret_report,
			  struct config **ret_config, struct json_t **ret_effective);
int config_load(const char *path, struct config_report *ret_report, struct config **ret_config);
int config_parse(const char *path, const char *text, size_t size, struct config_report *ret_report,
		 struct config **ret_config);

/* The properties of a NIC that entries match on. Any string may be NULL (unknown). */
struct config_nic_identity {
	const char *name;
	const char *driver;
	const char *pci;
	const char *mac;
};

/* Whether an address has the prefix; an unset one matches all. */
bool config_match_prefix(const struct config_prefix *prefix, uint16_t family,
			 const struct sa_address *address);
/* Parses an address or a prefix: "192.0.2.1", "2001:db8::/32". 0 or -EINVAL. */
int config_parse_prefix(const char *text, struct config_prefix *ret_prefix);

/* The first entry that matches, or NULL. The result belongs to the configuration. */
const struct config_nic *config_match_nic(const struct config *config,
					  const struct config_nic_identity *identity);
const struct config_rule *config_match_rule(const struct config *config,
					    const struct sa_description *sa);
/* `sa` NULL: an unknown SA, which matches only a group without conditions. */
const struct config_group *config_match_group(const struct config *config,
					      const struct sa_description *sa);
