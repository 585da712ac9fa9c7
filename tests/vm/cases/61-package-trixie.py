# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages of Debian 13, which tools/package has built."""

from lib import package
from lib.case import timeout

ROOT = "package-trixie"
BY_NAME = True


@timeout(2400)
def case_package_trixie():
    """Debian 13's packages: installed, upgraded, downgraded, removed and purged, with SAs in a NIC and no file left"""
    package.life()
