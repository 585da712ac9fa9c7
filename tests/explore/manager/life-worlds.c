// SPDX-License-Identifier: GPL-2.0-or-later
#include "life.h"

#define OUT                                           \
	{                                             \
		.spi = 0x1001, .peer = 10, .reqid = 1 \
	}
#define IN                                                                                \
	{                                                                                 \
		.spi = 0x1002, .peer = 10, .reqid = 1, .inbound = true, .by_update = true \
	}
#define OUT_ENCAP                                                    \
	{                                                            \
		.spi = 0x1001, .peer = 10, .reqid = 1, .encap = true \
	}
#define OUT_ESN                                                    \
	{                                                          \
		.spi = 0x1001, .peer = 10, .reqid = 1, .esn = true \
	}
#define IN_ESN                                                                       \
	{                                                                            \
		.spi = 0x1002, .peer = 10, .reqid = 1, .esn = true, .inbound = true, \
		.by_update = true                                                    \
	}
#define OUT_LABEL(SPI, LABEL)                                      \
	{                                                          \
		.spi = SPI, .peer = 10, .reqid = 1, .label = LABEL \
	}
#define OUT_CPU(SPI, CPU)                                                         \
	{                                                                         \
		.spi = SPI, .peer = 10, .reqid = 1, .direction = true, .cpu = CPU \
	}

static const struct life_world worlds[] = {
	{.name = "out", .sas = {OUT}, .n = 1},
	{.name = "out, charon", .sas = {OUT}, .n = 1, .templates_name_spi = true, .typical = true},
	{.name = "out ESN, charon", .sas = {OUT_ESN}, .n = 1, .templates_name_spi = true},
	/* Its only policy becomes optional, and there is no policy of a socket: only events show
	 * it. */
	{.name = "out, charon, always",
	 .sas = {OUT},
	 .n = 1,
	 .policies = {{.index = LIFE_POLICY, .reqid = 1, .spi = 0x1001}},
	 .templates_name_spi = true,
	 .always = true},
	{.name = "in", .sas = {IN}, .n = 1, .typical = true},
	{.name = "in ESN, always", .sas = {IN_ESN}, .n = 1, .always = true},
	{.name = "out and in, charon", .sas = {OUT, IN}, .n = 2, .templates_name_spi = true},
	{.name = "out, charon, MIGRATE_STATE evicts",
	 .sas = {OUT},
	 .n = 1,
	 .templates_name_spi = true,
	 .migrate_state = FAKE_MIGRATE_EVICT_ONLY},
	{.name = "out, charon, NAT",
	 .sas = {OUT},
	 .n = 1,
	 .templates_name_spi = true,
	 .driver = "unknown",
	 .nat = true},
	{.name = "out ENCAP, charon, NAT",
	 .sas = {OUT_ENCAP},
	 .n = 1,
	 .templates_name_spi = true,
	 .driver = "unknown",
	 .nat = true},
	/* Its policy becomes optional; others match the SA too. */
	{.name = "out and in, charon, policies",
	 .sas = {OUT, IN},
	 .n = 2,
	 .policies = {{.index = LIFE_POLICY, .reqid = 1, .spi = 0x1001},
		      {.index = 3, .reqid = 1, .inbound = true},
		      {.index = 4, .reqid = 1},
		      {.index = 5, .socket = true, .bypass = true},
		      {.index = 6, .reqid = 2, .optional = true}},
	 .templates_name_spi = true},
	{.name = "out ESN, MIGRATE_STATE",
	 .sas = {OUT_ESN},
	 .n = 1,
	 .migrate_state = FAKE_MIGRATE_WORKS},
	{.name = "in, always, frees late",
	 .sas = {IN},
	 .n = 1,
	 .always = true,
	 .driver = "mlx5_core",
	 .frees_late = true},
	/* SAs of one tunnel side by side. */
	{.name = "out, label",
	 .sas = {OUT_LABEL(0x1001, "a")},
	 .n = 1,
	 .sibling = OUT_LABEL(0x1003, "b"),
	 .quick = true},
	{.name = "out, CPU",
	 .sas = {OUT_CPU(0x1001, 1)},
	 .n = 1,
	 .sibling = OUT_CPU(0x1003, 2),
	 .quick = true},
	{.name = "out and in, charon, slices",
	 .sas = {OUT, IN},
	 .n = 2,
	 .templates_name_spi = true,
	 .sliced = true,
	 .quick = true},
	{.name = "in, MIGRATE_STATE", .sas = {IN}, .n = 1, .migrate_state = FAKE_MIGRATE_WORKS},
};

const struct life_world *life_worlds(size_t *ret_n)
{
	*ret_n = ELEMENTSOF(worlds);
	return worlds;
}
