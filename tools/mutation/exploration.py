# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of faults that explore-manager alone must notice. An entry:

    no-rescue daemon/manager/manager.c complete_interrupted
    - migrator_restore(m->migrator, &move);
    + ;
    = An SA whose daemon was killed in the middle of its move is lost.

Name, file and function; the original text, which must occur once (line ends count as blanks), and the text with the fault; the
effect. Several pairs of "-" and "+" are one fault. With "~" instead of "=" it is a fault that the exploration cannot notice, with
the reason. "#" begins a comment.
"""

import dataclasses
import re

from . import faults


@dataclasses.dataclass(frozen=True)
class Entry:
    name: str
    path: str
    function: str
    changes: tuple  # of (original, mutated)
    meaning: str
    is_noticed: bool

    def apply(self, text):
        """The text of the file with the fault."""
        found, _ = faults.functions(text)
        function = next((function for function in found if function.name == self.function), None)
        if not function:
            raise ValueError(f"{self.name}: {self.path} has no function {self.function}()")
        body = text[function.body:function.end]
        for original, mutated in self.changes:
            places = re.findall(r"\s+".join(re.escape(word) for word in original.split()), body)
            if len(places) != 1:
                raise ValueError(f"{self.name}: {self.function}() has {len(places)} times: {original}")
            body = body.replace(places[0], mutated)
        return text[:function.body] + body + text[function.end:]

    def is_as_expected(self, result):
        return result.startswith("noticed") if self.is_noticed else result == "NOT NOTICED"

    def __str__(self):
        changes = "".join(f"\n- {original}\n+ {mutated}" for original, mutated in self.changes)
        return f"{self.name} {self.path} {self.function}{changes}\n{'=' if self.is_noticed else '~'} {self.meaning}"


def parse(text):
    entries = []
    head = original = None
    changes = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        kind, rest = line[:1], line[1:].strip()
        if not line or line.startswith("#"):
            continue
        if kind == "-" and head and original is None:
            original = rest
        elif kind == "+" and original is not None:
            changes.append((original, rest))
            original = None
        elif kind in ("=", "~") and changes and original is None:
            entries.append(Entry(*head, tuple(changes), rest, kind == "="))
            head, changes = None, []
        elif head is None and len(line.split()) == 3:
            head = line.split()
        else:
            raise ValueError(f"line {number}: {line}")
    if head:
        raise ValueError("the last entry has no meaning")
    return entries


def read(path):
    return parse(path.read_text(encoding="utf-8"))
