/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Readers of names. Each stores an allocated string (char *) in the member, which owns it. */
#pragma once

#include "config/schema.h"

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
