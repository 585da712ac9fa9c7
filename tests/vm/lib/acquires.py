# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's requests (ACQUIRE) to an IKE daemon."""

import pathlib
import time

from lib.sh import spawn


class Acquires:
    """A listener, without which the kernel sends no ACQUIRE, and the messages that it received."""

    def __init__(self):
        self.path = pathlib.Path("/run/acquires")
        spawn("ip", "xfrm", "monitor", "acquire", output=self.path)
        time.sleep(0.5)

    def count(self):
        return sum("acquire" in line for line in self.path.read_text().splitlines())
