# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of faults without an effect that matters. An entry:

    daemon/move/rescue.c clear statement
    - atomic_thread_fence(memory_order_seq_cst);
    + ;
    = A test cannot see the order of two stores.

File, function ("-" outside of functions) and operator; the original line, and the line with the fault; the reason. "+ *" stands
for every fault of that operator in that line. Several entries may share the reason that follows them. "#" begins a comment.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Entry:
    path: str
    function: str
    operator: str
    original: str
    mutated: str

    def matches(self, fault):
        return (self.function, self.operator, self.original) == (fault.function or "-", fault.operator, fault.original) and \
            self.mutated in ("*", fault.mutated)

    def __str__(self):
        return f"{self.path} {self.function} {self.operator}\n- {self.original}\n+ {self.mutated}"


class Equivalents:
    def __init__(self, entries):
        self.entries = entries
        self.by_path = {}
        for entry in entries:
            self.by_path.setdefault(entry.path, []).append(entry)

    def find(self, path, fault):
        return next((entry for entry in self.by_path.get(path, ()) if entry.matches(fault)), None)

    def stale(self, faults):
        """Entries for the files in {path: faults} that match no fault."""
        return [entry for path, own in faults.items() for entry in self.by_path.get(path, ())
                if not any(entry.matches(fault) for fault in own)]


def parse(text):
    entries = []
    head = original = None
    open_entries = 0
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        kind, rest = line[:2], line[2:].strip()
        if not line or line.startswith("#"):
            continue
        if kind == "- " and head and original is None:
            original = rest
        elif kind == "+ " and original is not None:
            entries.append(Entry(*head, original, rest))
            open_entries += 1
            original = head = None
        elif kind == "= " and head is None:
            open_entries = 0
        elif head is None and len(line.split()) == 3:
            head = line.split()
        else:
            raise ValueError(f"line {number}: {line}")
    if head or open_entries:
        raise ValueError("the last entry has no reason")
    return Equivalents(entries)


def read(path):
    return parse(path.read_text(encoding="utf-8"))
