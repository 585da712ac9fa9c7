/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: Varlink (NUL-terminated JSON objects over a UNIX stream socket), interface
 * io.espoffload. Root and members of the socket's group may read, only root may change
 * (SO_PEERCRED). The methods, types and errors are in daemon/control/io.espoffload.varlink, which
 * is installed, and returned by org.varlink.service.GetInterfaceDescription, so that varlinkctl(1)
 * can be used.
 *
 * Keys are never sent over this socket.
 */
#pragma once

#define CONTROL_INTERFACE "io.espoffload"
#define CONTROL_DIRECTORY_DEFAULT "/run/espoffloadd"
#define CONTROL_SOCKET_NAME CONTROL_INTERFACE
#define CONTROL_SOCKET_DEFAULT CONTROL_DIRECTORY_DEFAULT "/" CONTROL_SOCKET_NAME

/* Bytes. A larger request or reply ends the connection. A reply with 100,000 SAs has about 60
 * MB. */
#define CONTROL_REQUEST_MAX (64ul * 1024)
#define CONTROL_REPLY_MAX (256ul * 1024 * 1024)

/* Seconds for which a configuration can be on trial. */
#define CONTROL_TRIAL_SECONDS_MIN 5
#define CONTROL_TRIAL_SECONDS_MAX 3600

/* Samples of an SA's rate that the daemon keeps for the sparkline of `top`, one per second. */
#define CONTROL_HISTORY_SAMPLES 60
