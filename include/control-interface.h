/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: Varlink (NUL-terminated JSON objects over a UNIX stream socket), interface
 * io.espoffload. Root and members of the socket's group may read, only root may change
 * (SO_PEERCRED). org.varlink.service.GetInterfaceDescription returns the interface, so that
 * varlinkctl(1) can be used.
 *
 * Keys are never sent over this socket.
 */
#pragma once

#define CONTROL_SOCKET_DEFAULT "/run/espoffloadd/io.espoffload"
#define CONTROL_INTERFACE "io.espoffload"

/* Bytes. A larger request or reply ends the connection. A reply with 100,000 SAs has about 60
 * MB. */
#define CONTROL_REQUEST_MAX (64ul * 1024)
#define CONTROL_REPLY_MAX (256ul * 1024 * 1024)

/* Samples of an SA's rate that the daemon keeps for the sparkline of `top`, one per second. */
#define CONTROL_HISTORY_SAMPLES 60

/*
 * Rates are in bytes/s, times in seconds. Optional fields are null or absent.
 */
#define CONTROL_INTERFACE_DESCRIPTION                                                              \
	"# espoffloadd: keeps the busiest IPsec SAs in the NIC\n"                                  \
	"interface io.espoffload\n"                                                                \
	"\n"                                                                                       \
	"type Nic (name: string, index: int, driver: ?string, up: bool, espOffload: bool,\n"       \
	"  allowed: bool, trusted: bool, line: ?int, reason: ?string,\n"                           \
	"  capacity: Capacity, used: Capacity, foreign: Capacity, bytesPerSecond: float)\n"        \
	"\n"                                                                                       \
	"# Slots. Shared tables have `total`, split ones `in` and `out`. `used` counts every SA\n" \
	"# that the NIC holds, `foreign` those among them that somebody else put there.\n"         \
	"type Capacity (shared: bool, in: ?int, out: ?int, total: ?int)\n"                         \
	"\n"                                                                                       \
	"type Moves (promoted: int, evicted: int, refused: int, failed: int)\n"                    \
	"\n"                                                                                       \
	"type Action (secondsAgo: float, action: string, spi: string, src: string, dst: string,\n" \
	"  direction: string, nic: ?string, reason: string, text: string)\n"                       \
	"\n"                                                                                       \
	"# placement: nic, software. state: settled, moving, foreign, hands-off, refused.\n"       \
	"type SA (spi: string, src: string, dst: string, direction: string, protocol: string,\n"   \
	"  mode: string, reqid: int, ifId: ?int, mark: ?string, placement: string, nic: "          \
	"?string,\n"                                                                               \
	"  candidateNic: ?string, bytesPerSecond: ?float, bytes: int, packets: int, rank: ?int,\n" \
	"  state: string, reason: string, text: string, secondsInPlace: float, rule: ?string,\n"   \
	"  history: ?[]float)\n"                                                                   \
	"\n"                                                                                       \
	"type Detail (name: string, value: string)\n"                                              \
	"\n"                                                                                       \
	"type Condition (name: string, text: string)\n"                                            \
	"\n"                                                                                       \
	"# `degraded`: the texts of all conditions in one, null when there is none.\n"             \
	"# `interval`: s between two samples of SAs that matter; `dumpInterval`: of all SAs.\n"    \
	"method GetStatus() -> (version: string, mode: string, paused: bool, degraded: ?string,\n" \
	"  evacuated: []string, conditions: []Condition,\n"                                        \
	"  mechanism: string, interval: float, dumpInterval: float, uptime: float,\n"              \
	"  configuration: ?string, fips: bool,\n"                                                  \
	"  sas: int, offloaded: int, bytesPerSecond: float, offloadedBytesPerSecond: float,\n"     \
	"  nics: []Nic, moves: Moves, resyncs: int, overruns: int, lastAction: ?Action)\n"         \
	"\n"                                                                                       \
	"# Hottest first, or by `sort`: rate, rank, placement, direction, spi, peer, source,\n"    \
	"# destination, nic. With `more`, several replies come, each with some of the SAs.\n"      \
	"# Of the filters all must match. `nic`: the one that holds the SA. `placement`: nic,\n"   \
	"# software, or a state: moving, refused, foreign, hands-off. `peer`: address or prefix\n" \
	"# of the remote end. `direction`: in, out. `filter`: substring of any shown field.\n"     \
	"# `offset`: number of matching SAs to leave out. With `limit`, `followSpi` and\n"         \
	"# `followDst` it is changed as little as necessary for that SA to be among the rows.\n"   \
	"# `total`: matching SAs, before offset and limit.\n"                                      \
	"method ListSAs(limit: ?int, offset: ?int, sort: ?string, reverse: ?bool, nic: ?string,\n" \
	"  placement: ?string, peer: ?string, direction: ?string, filter: ?string,\n"              \
	"  followSpi: ?string, followDst: ?string, history: ?bool) ->\n"                           \
	"  (sas: []SA, total: int, offset: int)\n"                                                 \
	"\n"                                                                                       \
	"# At this rate of its own the SA is worth as much as the other one: the coldest that\n"   \
	"# it may displace, or, if it is in a NIC, the best outside.\n"                            \
	"type Boundary (bytesPerSecond: float, otherSpi: string, otherBytesPerSecond: float)\n"    \
	"\n"                                                                                       \
	"type Slots (nic: string, capacity: int, used: int, reserve: int)\n"                       \
	"\n"                                                                                       \
	"# `sas`: of all, among which it has its rank. `leastBytesPerSecond` and\n"                \
	"# `mostBytesPerSecond` are expected of it next. `gainBytes`: what the move and that of\n" \
	"# the other SA would win. `movesIn`: s until it may move if nothing changes; 0: now;\n"   \
	"# null: not before something changes. `probation`: s left. `change`: a sentence, what\n"  \
	"# would have to change for it to move.\n"                                                 \
	"type Prospects (sas: int, leastBytesPerSecond: float, mostBytesPerSecond: float,\n"       \
	"  boundary: ?Boundary, slots: ?Slots, gainBytes: float, neededBytes: float,\n"            \
	"  costBytes: float, movesIn: ?float, probation: float, change: string)\n"                 \
	"\n"                                                                                       \
	"# All SAs with this SPI (and destination, if given), each with the numbers behind it.\n"  \
	"method Explain(spi: string, dst: ?string) ->\n"                                           \
	"  (sas: [](sa: SA, sentences: []string, numbers: Prospects, details: []Detail,\n"         \
	"  history: []Action))\n"                                                                  \
	"\n"                                                                                       \
	"method Pause() -> ()\n"                                                                   \
	"# Pause and evacuations survive a restart of the daemon, not of the machine.\n"           \
	"# Empties a NIC and keeps it empty until Resume.\n"                                       \
	"method Evacuate(nic: string) -> ()\n"                                                     \
	"# Of a NIC: ends its evacuation. Else: ends the pause and all evacuations.\n"             \
	"method Resume(nic: ?string) -> ()\n"                                                      \
	"method Reload() -> (path: string, warnings: ?string)\n"                                   \
	"\n"                                                                                       \
	"error NoSuchSA (spi: string)\n"                                                           \
	"error NoSuchNic (nic: string)\n"                                                          \
	"error NotEvacuated (nic: string)\n"                                                       \
	"# `expected` lists or describes the valid values.\n"                                      \
	"error InvalidValue (parameter: string, value: string, expected: string)\n"                \
	"error InvalidConfiguration (path: string, messages: string)\n"                            \
	"error PermissionDenied (message: string)\n"
