# SPDX-License-Identifier: GPL-2.0-or-later
"""A strict reader of OpenMetrics text 1.0: the types that espoffloadctl uses, and no others."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"({NAME})(?:{{({LABEL}(?:,{LABEL})*)}})? (-?[0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]+)?)")
SUFFIXES = {"gauge": "", "counter": "_total", "info": "_info"}


def check(condition, line):
    if not condition:
        raise ValueError(line)


def read_family(lines, families):
    """Reads a family of at least a TYPE and a HELP. Returns its name, type, unit and samples, by their labels."""
    match = re.fullmatch(rf"# TYPE ({NAME}) (gauge|counter|info)", lines[0])
    check(match, lines[0])
    name, kind = match.groups()
    check(name not in families, lines[0])
    rest = lines[1:]
    unit = None
    if rest[0].startswith("# UNIT "):
        unit = rest.pop(0).removeprefix(f"# UNIT {name} ")
        check(kind != "info" and re.fullmatch(NAME, unit) and name.endswith("_" + unit), lines[1])
    check(rest[0].startswith(f"# HELP {name} ") and rest[0].endswith("."), rest[0])
    samples = {}
    for line in rest[1:]:
        match = SAMPLE.fullmatch(line)
        check(match and match[1] == name + SUFFIXES[kind], line)
        labels = dict(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
        key = tuple(sorted(labels.items()))
        check(key not in samples, line)
        check(kind != "counter" or float(match[3]) >= 0, line)
        check(kind != "info" or (labels and match[3] == "1"), line)
        samples[key] = float(match[3])
    return name, kind, unit, samples


def parse(text):
    """Returns {family: (type, unit, {labels: value})}; ValueError with the line that is wrong."""
    check(text.endswith("\n"), "the last line has no end")
    lines = text[:-1].split("\n")
    check(lines.pop() == "# EOF", "no EOF")
    families = {}
    begins = [i for i, line in enumerate(lines) if line.startswith("# TYPE ")]
    check(begins and begins[0] == 0, "no TYPE at the begin")
    for begin, end in zip(begins, begins[1:] + [len(lines)]):
        name, *family = read_family(lines[begin:end], families)
        families[name] = tuple(family)
    names = [name + SUFFIXES[family[0]] for name, family in families.items()]
    check(len(names) == len(set(names)), "two families with the same name of samples")
    return families


def for_promtool(text):
    """The same in the older text format, which "promtool check metrics" reads: it knows no type info, and the type and
    help of a counter are those of its samples."""
    lines = []
    kind = name = None
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            line = f"# TYPE {name}{SUFFIXES[kind]} {'gauge' if kind == 'info' else kind}"
        elif line.startswith("# HELP "):
            line = line.replace(name, name + SUFFIXES[kind], 1)
        elif line.startswith(("# UNIT ", "# EOF")):
            continue
        lines.append(line)
    return "\n".join(lines) + "\n"
