/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Readers of names. Each stores an allocated string (char *) in the member, which owns it. */
#pragma once

#include "config/schema.h"

#include <stdbool.h>

/* Of one of these readers: whether it accepts the text, and a regular expression of ECMAScript for
 * its characters and their number. False and NULL: `read` is none of them. */
bool config_name_is_valid(config_read read, const char *text);
#define CONFIG_SYNTAX_MAX 256
char *config_name_syntax(config_read read, char buffer[CONFIG_SYNTAX_MAX]);

/* An interface name that the kernel accepts. */
void config_read_interface(struct config_reader *reader, const struct config_key *key,
			   const yaml_node_t *node, void *member);
/* A pattern of fnmatch(3) for interface names. */
void config_read_name_pattern(struct config_reader *reader, const struct config_key *key,
			      const yaml_node_t *node, void *member);
/* The exact name of a kernel driver. */
void config_read_driver(struct config_reader *reader, const struct config_key *key,
			const yaml_node_t *node, void *member);
/* A pattern of fnmatch(3) for drivers of the kernel's crypto API. */
void config_read_crypto_pattern(struct config_reader *reader, const struct config_key *key,
				const yaml_node_t *node, void *member);
/* The name of an entry of the file. */
void config_read_label(struct config_reader *reader, const struct config_key *key,
		       const yaml_node_t *node, void *member);
/* Patterns for "0000:3b:00.0" and "02:00:00:00:00:01", stored in lower case. */
void config_read_pci_pattern(struct config_reader *reader, const struct config_key *key,
			     const yaml_node_t *node, void *member);
void config_read_mac_pattern(struct config_reader *reader, const struct config_key *key,
			     const yaml_node_t *node, void *member);
