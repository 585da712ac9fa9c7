# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages of Debian 12, which tools/package has built."""

from lib import package
from lib.case import timeout

ROOT = "package"
BY_NAME = True


@timeout(2400)
def case_package_bookworm():
    """Debian 12's packages: installed, upgraded, downgraded, removed and purged, with SAs in a NIC and no file left"""
    package.life()
