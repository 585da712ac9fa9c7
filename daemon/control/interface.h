/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What io.espoffload.varlink contains. It describes the methods, types and errors of the daemon;
 * tests/unit/test-interface.c compares it with what the daemon does. */
#pragma once

extern const char control_interface_description[];
