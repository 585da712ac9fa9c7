# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Prometheus reads the metrics from the socket unit."""

import contextlib
import json
import pathlib
import subprocess
import urllib.request

from lib import service
from lib.case import check, check_equal, timeout
from lib.daemon import ENFORCE
from lib.sh import run, wait_until
from lib.world import World

CONFIGURATION = """
global: {scrape_interval: 5s}
scrape_configs:
  - job_name: espoffloadd
    static_configs: [{targets: ["127.0.0.1:10450"]}]
"""
API = "127.0.0.1:9090"


@contextlib.contextmanager
def prometheus():
    directory = pathlib.Path("/run/prometheus")
    directory.mkdir()
    (directory / "prometheus.yml").write_text(CONFIGURATION)
    with open(directory / "log", "w", encoding="utf-8") as log, \
            subprocess.Popen(["prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
                              f"--web.listen-address={API}"], stdout=log, stderr=log) as process:
        try:
            yield
        finally:
            process.terminate()


def query(expression):
    """The values in its database, by their labels other than the target's."""
    try:
        with urllib.request.urlopen(f"http://{API}/api/v1/query?query={expression}", timeout=5) as answer:
            result = json.load(answer)["data"]["result"]
    except OSError:
        return {}
    return {row["metric"].get("nic", ""): float(row["value"][1]) for row in result}


@timeout(180)
def case_prometheus():
    """A real Prometheus reads the metrics from the socket unit, whose service has no privileges"""
    World(out=2, inbound=2)
    service.start(ENFORCE)
    run("systemctl", "start", "espoffloadd-metrics.socket")
    with prometheus():
        # The first call waits for the program itself, which emulation makes slow.
        wait_until(lambda: query("up") == {"": 1.0}, 100, "up == 1 in Prometheus")
        wait_until(lambda: query("espoffload_up") == {"": 1.0}, 20, "espoffload_up == 1 in Prometheus")
        wait_until(lambda: query("espoffload_nic_in_use").get("nsim0") == 1.0, 20, "the NIC in Prometheus")
        check_equal(query("espoffload_sas"), {"": 4.0}, "the number of SAs in Prometheus")
        check(sum(query("espoffload_software_sas").values()) > 0, "no SA in software in Prometheus")
    run("systemctl", "stop", "espoffloadd-metrics.socket")
