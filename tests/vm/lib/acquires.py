# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel asks of an IKE daemon."""

import pathlib
import time

from lib.sh import spawn


class Acquires:
    """A listener, whose presence makes the kernel ask for SAs; and what it heard."""

    def __init__(self):
        self.path = pathlib.Path("/run/acquires")
        spawn("ip", "xfrm", "monitor", "acquire", output=self.path)
        time.sleep(0.5)

    def count(self):
        return sum("acquire" in line for line in self.path.read_text().splitlines())
