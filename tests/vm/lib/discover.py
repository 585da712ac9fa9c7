# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the cases without importing them, because only the guest can import them and the host lists them.

A case is a function case_SOMETHING in tests/vm/cases/*.py; its name is SOMETHING with dashes, and the first line of its docstring
is its summary. ROOT = "name" at the top of the file selects one of the roots in tests/vm/roots. BY_NAME = True there means that its
cases are run only if they are named.
"""

import ast
import pathlib
import sys


def cases(directory, wanted=(), by_name=False):
    """Yields (root, path, name, summary), in the order of file names and lines. by_name: also those that are run only by name."""
    for path in sorted(pathlib.Path(directory).glob("*.py")):
        tree = ast.parse(path.read_text(), str(path))
        values = {"ROOT": "base", "BY_NAME": False}
        for node in tree.body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in values:
                values[node.targets[0].id] = ast.literal_eval(node.value)
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("case_"):
                continue
            name = node.name[len("case_"):].replace("_", "-")
            if wanted and not any(part in name for part in wanted):
                continue
            if values["BY_NAME"] and not (wanted or by_name):
                continue
            summary = (ast.get_docstring(node) or "").partition("\n")[0]
            if values["BY_NAME"]:
                summary += " (by name only)"
            yield values["ROOT"], path, name, summary


def main():
    arguments = sys.argv[1:]
    listing = arguments[0] == "--list"
    if listing:
        arguments = arguments[1:]
    for root, path, name, summary in cases(arguments[0], arguments[1:], by_name=listing):
        if listing:
            print(f"{name:32} {summary}" + (f" [root {root}]" if root != "base" else ""))
        else:
            print(root, path.name, name)


if __name__ == "__main__":
    main()
