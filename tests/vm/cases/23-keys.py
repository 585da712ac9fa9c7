# SPDX-License-Identifier: GPL-2.0-or-later
"""After the daemon has read and moved SAs with known keys, the keys are found only in its locked memory."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from lib import service, xfrm
from lib.case import check, check_equal, timeout
from lib.daemon import agree, fast, listed, wait_full
from lib.sh import attempt, run, spawn, wait_until
from lib.world import World, shuffled

FAST = fast(moves_per_second=50)
CHUNK = 1 << 20
CORES = pathlib.Path("/run/cores")
DROP_IN = pathlib.Path("/run/systemd/system/espoffloadd.service.d/core.conf")


class Keys:
    """AES keys with two marks in them, one for each half, and the search for these marks as bytes and as hexadecimal digits."""

    def __init__(self):
        self.marks = os.urandom(7), os.urandom(7)
        texts = [mark.hex().encode() for mark in self.marks]
        self.forms = [*self.marks, *texts, *(text.upper() for text in texts)]

    def new(self, bits=128):
        """Used instead of xfrm.gcm_key()."""
        check_equal(bits, 128, "bits of a key")
        return "0x" + b"".join(mark + os.urandom(1) for mark in self.marks).hex() + os.urandom(4).hex()

    def count(self, data):
        return sum(data.count(form) for form in self.forms)


def mappings(pid):
    """(begin, end, name, flags) of all readable mappings of a process."""
    found = []
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)", line)
        if head:
            found.append([int(head[1], 16), int(head[2], 16), head[4], head[3], set()])
        elif line.startswith("VmFlags:"):
            found[-1][4] = set(line.split()[1:])
    return [(begin, end, name, flags) for begin, end, name, mode, flags in found
            if mode.startswith("r") and name not in ("[vvar]", "[vsyscall]")]


def is_vault(name, flags):
    """Locked memory that no core file holds: the arena, and the memfd of the rescue slot."""
    return {"lo", "dd"} <= flags and (not name or "memfd:" in name)


def search(pid, keys):
    """{where: number of finds} in a process' memory, the daemon's vaults first; and how many bytes were searched."""
    found, searched = {}, 0
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for begin, end, name, flags in mappings(pid):
            where = "vault" if is_vault(name, flags) else f"{name or 'anonymous'} at {begin:#x}"
            tail = b""
            for at in range(begin, end, CHUNK):
                memory.seek(at)
                try:
                    data = tail + memory.read(min(CHUNK, end - at))
                except OSError:
                    break
                searched += len(data) - len(tail)
                # Finds inside the tail were counted before.
                found[where] = found.get(where, 0) + keys.count(data) - keys.count(tail)
                tail = data[-31:]
    return {where: hits for where, hits in found.items() if hits}, searched


def check_memory(keys):
    """Searches the daemon's memory while the daemon is stopped, so that nothing changes during the search."""
    pid = service.pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        found, searched = search(pid, keys)
    finally:
        os.kill(pid, signal.SIGCONT)
    vaulted = found.pop("vault", 0)
    print(f"{searched >> 10} KiB searched: {vaulted} finds in locked memory, elsewhere {found}", flush=True)
    check(not found, f"keys outside the locked memory: {found}")
    return vaulted


def check_words(keys):
    """Searches the daemon's output: its journal with all fields, and the replies of its control socket."""
    journal = attempt("journalctl", "--no-pager", "-q", "-o", "json", "-u", service.UNIT).stdout
    said = [journal]
    for words in (["status"], ["list"], *(["explain", hex(spi)] for spi in sorted(listed())[::5])):
        said.append(attempt("espoffloadctl", "--json", *words).stdout)
    said.append(run("espoffloadctl", "list"))
    text = "\n".join(said).encode()
    check(len(text) > 20000 and b"promoted" in text, f"too little output for a result: {len(text)} bytes")
    check(not keys.count(text), "a key in the journal or in a reply of the control socket")
    print(f"{len(text)} bytes of journal and replies searched", flush=True)


def decoy(key):
    """A process with a key in ordinary memory, which the daemon must not have: the search must find it."""
    process = subprocess.Popen([sys.executable, "-c", "import sys, time; key = bytes.fromhex(sys.stdin.readline()); print(flush=True); "
                                "time.sleep(600)"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write(key.removeprefix("0x") + "\n")
    process.stdin.flush()
    process.stdout.readline()
    return process


def dump_cores():
    """Core dumps go to files, and the unit's limit does not prevent them."""
    CORES.mkdir(exist_ok=True)
    CORES.chmod(0o777)
    pathlib.Path("/proc/sys/kernel/core_pattern").write_text(f"{CORES}/%e.%p\n")
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text(f"[Service]\nLimitCORE=infinity\nCoredumpFilter=all\nReadWritePaths={CORES}\n")
    run("systemctl", "daemon-reload")


def undo_cores():
    pathlib.Path("/proc/sys/kernel/core_pattern").write_text("core\n")
    DROP_IN.unlink()
    run("systemctl", "daemon-reload")


def crash(pid):
    os.kill(pid, signal.SIGSEGV)


def check_core(keys, world):
    """A crash of the daemon leaves no core file, or one without a key; a process without protection leaves one with a key."""
    other = spawn("env", f"KEY={world.flows[0].key[2:]}", "sh", "-c", f"ulimit -c unlimited; cd {CORES}; kill -SEGV $$")
    other.wait(10)
    wait_until(lambda: list(CORES.iterdir()), 20, "a core file of a careless process")
    careless = list(CORES.iterdir())
    check(any(keys.count(path.read_bytes()) for path in careless), "the search finds no key in the core file of a careless process")
    for path in careless:
        path.unlink()

    restarts = int(service.show("NRestarts"))
    crash(service.pid())
    wait_until(lambda: int(service.show("NRestarts")) > restarts and service.active(), 60, "the daemon to come back")
    time.sleep(1)
    cores = list(CORES.iterdir())
    print(f"cores of the daemon: {[path.name for path in cores]}", flush=True)
    for path in cores:
        check(not keys.count(path.read_bytes()), f"a key in the core file {path.name}")


@timeout(300)
def case_keys():
    """Keys are in the daemon's locked memory only: not in other memory, not in its output, not in a core file"""
    keys = Keys()
    xfrm.gcm_key = keys.new
    world = World()
    world.start_traffic(out_order=shuffled(24, 1), in_order=shuffled(24, 2), pps=200)
    world.wait_for_traffic()
    dump_cores()
    try:
        service.start(FAST)
        check_equal(service.show("LimitCORE"), "infinity", "the limit of core files")
        wait_full()
        in_nic = agree(world)
        vaulted = check_memory(keys)
        check(vaulted >= len(in_nic), f"the search finds only {vaulted} keys where the images of {len(in_nic)} SAs lie")

        # Between two searches all SAs leave the NIC and return, and there is a reload.
        service.reload(FAST + "rules:\n  - offload: never\n")
        wait_until(lambda: not xfrm.offloaded(), 40, "the NIC to be empty")
        check_memory(keys)
        service.reload(FAST)
        wait_full()
        check_memory(keys)
        check_words(keys)

        bait = decoy(world.flows[0].key)
        found, _ = search(bait.pid, keys)
        check(found, "the search does not find a key in a process that has it")
        bait.kill()

        check_core(keys, world)
        wait_full()
        check_memory(keys)
        check_words(keys)
    finally:
        undo_cores()
    world.stop_traffic()
