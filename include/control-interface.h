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
	"  order: ?string, history: ?[]float)\n"                                                   \
	"\n"                                                                                       \
	"# kind: pin, ban. Of a peer (address or prefix), or of the SA with spi, src and dst "     \
	"and\n"                                                                                    \
	"# of those that replace it by rekeying.\n"                                                \
	"type Order (kind: string, peer: ?string, spi: ?string, src: ?string, dst: ?string,\n"     \
	"  secondsLeft: ?float, persist: bool)\n"                                                  \
	"\n"                                                                                       \
	"type Detail (name: string, value: string)\n"                                              \
	"\n"                                                                                       \
	"type Condition (name: string, text: string)\n"                                            \
	"\n"                                                                                       \
	"# `degraded`: the texts of all conditions in one, null when there is none.\n"             \
	"# `interval`: s between two samples of SAs that matter; `dumpInterval`: of all SAs.\n"    \
	"method GetStatus() -> (version: string, mode: string, paused: bool, degraded: ?string,\n" \
	"  evacuated: []string, orders: []Order, conditions: []Condition,\n"                       \
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
	"# All SAs with this SPI (and destination, if given), each with the numbers behind it.\n"  \
	"method Explain(spi: string, dst: ?string) ->\n"                                           \
	"  (sas: [](sa: SA, sentences: []string, details: []Detail, history: []Action))\n"         \
	"\n"                                                                                       \
	"method Pause() -> ()\n"                                                                   \
	"# Pause and evacuations survive a restart of the daemon, not of the machine.\n"           \
	"# Empties a NIC and keeps it empty until Resume.\n"                                       \
	"method Evacuate(nic: string) -> ()\n"                                                     \
	"# Of a NIC: ends its evacuation. Else: ends the pause and all evacuations.\n"             \
	"method Resume(nic: ?string) -> ()\n"                                                      \
	"# Gives SAs a slot before others (Pin), or keeps them in software (Ban): above the "      \
	"rules\n"                                                                                  \
	"# of the configuration, below all that keeps an SA from a NIC for safety. Of `spi` and\n" \
	"# `peer` (address or prefix), one. An order replaces one with the same target; where\n"   \
	"# several hold for an SA, the newest decides. It ends after `seconds`, and when the\n"    \
	"# daemon is restarted unless it is to `persist`. `sas`: that it concerns now.\n"          \
	"method Pin(spi: ?string, dst: ?string, peer: ?string, seconds: ?int, persist: ?bool) "    \
	"->\n"                                                                                     \
	"  (orders: []Order, sas: int, paused: bool)\n"                                            \
	"method Ban(spi: ?string, dst: ?string, peer: ?string, seconds: ?int, persist: ?bool) "    \
	"->\n"                                                                                     \
	"  (orders: []Order, sas: int, paused: bool)\n"                                            \
	"# Without a target: all pins, or all bans.\n"                                             \
	"method Unpin(spi: ?string, dst: ?string, peer: ?string) -> (ended: int)\n"                \
	"method Unban(spi: ?string, dst: ?string, peer: ?string) -> (ended: int)\n"                \
	"method Reload() -> (path: string, warnings: ?string)\n"                                   \
	"\n"                                                                                       \
	"error NoSuchSA (spi: string)\n"                                                           \
	"error NoSuchNic (nic: string)\n"                                                          \
	"error NotEvacuated (nic: string)\n"                                                       \
	"error NoSuchOrder (kind: string, target: string)\n"                                       \
	"error TooManyOrders (most: int)\n"                                                        \
	"# `expected` lists or describes the valid values.\n"                                      \
	"error InvalidValue (parameter: string, value: string, expected: string)\n"                \
	"error InvalidConfiguration (path: string, messages: string)\n"                            \
	"error PermissionDenied (message: string)\n"
