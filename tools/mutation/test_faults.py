#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests the faults that tools/mutate finds in a small C file, and the file that contains all of them."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from mutation import equivalents, exploration, faults  # noqa: E402

SAMPLE = r'''
#include <stdbool.h>
#include <stddef.h>

#define LIMIT 4 /* not "5" */

static const int table[2] = {7, 9};

struct pair {
	int first, second;
};

static bool is_small(int n)
{
	return n < LIMIT && n >= 0; // a comment: n == 1
}

static void raise_to(int *value, int other)
{
	if (!is_small(other))
		return;
	*value = other > *value ? other : *value;
}

int sum(const int *values, size_t n)
{
	char text[16] = "if (n > 0) return;";
	int total = 0;

	for (size_t i = 0; i < n; i++) {
		if (values[i] == table[0])
			break;
		total += values[i];
	}
	raise_to(&total, (int)sizeof(text) - 13);
	return total;
}

int choose(int what)
{
	struct pair pair = {.first = 1, .second = 2};

	switch (what) {
	case 1:
		return pair.first;
	default:
		return pair.second;
	}
}
'''

HARNESS = r'''
#include <stdio.h>
#include <stddef.h>
int sum(const int *values, size_t n);
int choose(int what);
int main(void)
{
	static const int values[] = {1, 1, 7, 5};
	printf("%d %d %d %d\n", sum(values, 4), sum(values, 0), choose(1), choose(2));
	return 0;
}
'''


def found(text, **wanted):
    return [fault for fault in faults.faults(text)
            if all(getattr(fault, name) == value for name, value in wanted.items())]


def mutated(text, **wanted):
    return [fault.mutated for fault in found(text, **wanted)]


class Finding(unittest.TestCase):
    def test_functions(self):
        functions, outside = faults.functions(SAMPLE)
        self.assertEqual([f.name for f in functions], ["is_small", "raise_to", "sum", "choose"])
        self.assertEqual([f.type for f in functions], ["bool", "void", "int", "int"])
        self.assertEqual([f.arguments for f in functions], [["n"], ["value", "other"], ["values", "n"], ["what"]])
        self.assertIn("table", [token.text for token in outside])
        self.assertNotIn("raise_to", [token.text for token in outside])

    def test_parameters(self):
        def names(text):
            return faults.functions(f"int f({text}) {{ return 0; }}")[0][0].arguments
        self.assertEqual(names("void"), [])
        self.assertEqual(names("const char *const names[], uint64_t v[4]"), ["names", "v"])
        self.assertEqual(names("int (*callback)(int a, int b), void *userdata"), ["callback", "userdata"])
        self.assertIsNone(names("const char *format, ..."))

    def test_conditions(self):
        self.assertEqual(mutated(SAMPLE, operator="guard", function="raise_to"), ["if ((!is_small(other)) && 0)"])
        self.assertEqual(mutated(SAMPLE, operator="not"), ["if (is_small(other))"])
        self.assertEqual(mutated(SAMPLE, operator="negate", function="raise_to"),
                         ["*value = !(other > *value) ? other : *value;"])
        self.assertEqual(mutated(SAMPLE, operator="negate", function="sum"), ["for (size_t i = 0; !(i < n); i++) {"])

    def test_clauses(self):
        self.assertEqual(len(found(SAMPLE, operator="clause")), 2)
        text = "int f(int a) { return a == 1 || a == 2 && g(a, 3); }"
        self.assertEqual(mutated(text, operator="clause"), [
            "int f(int a) { return ((a == 1) && 0) || a == 2 && g(a, 3); }",
            "int f(int a) { return a == 1 || ((a == 2) || 1) && g(a, 3); }",
            "int f(int a) { return a == 1 || ((a == 2 && g(a, 3)) && 0); }",
            "int f(int a) { return a == 1 || a == 2 && ((g(a, 3)) || 1); }"])

    def test_statements(self):
        self.assertEqual([fault.original for fault in found(SAMPLE, operator="statement")],
                         ["*value = other > *value ? other : *value;", "break;", "total += values[i];",
                          "raise_to(&total, (int)sizeof(text) - 13);"])
        text = "void f(void) { struct x *y = g(); x_t *z; TAILQ_FOREACH(a, b, c) { h(); } EACH(d) if (e) i(); do k(); while (l); (void)m; *n = o; (void)p(); }"
        self.assertEqual([text[fault.start:fault.end] for fault in found(text, operator="statement")], ["h();", "i();", "k();", "*n = o;", "(void)p();"])

    def test_values(self):
        self.assertEqual(mutated(SAMPLE, operator="return"), [
            "return !(n < LIMIT && n >= 0); // a comment: n == 1", "return 0;", "return 0;", "return 0;"])
        self.assertEqual(mutated("char *f(void) { return g(); }", operator="return"), ["char *f(void) { return NULL; }"])
        self.assertEqual(mutated("int f(void) { return 0; }", operator="return"), ["int f(void) { return -5; }"])

    def test_constants(self):
        self.assertEqual(mutated(SAMPLE, operator="constant", function=""),
                         ['#define LIMIT 5 /* not "5" */', "static const int table[2] = {8, 9};",
                          "static const int table[2] = {7, 10};"])
        # No fault in the size of an array or in a string.
        self.assertEqual([fault.line for fault in found(SAMPLE, operator="constant", function="sum")], [28, 30, 31, 35])
        self.assertEqual([faults.shifted(n) for n in ("0", "1", "0x0f", "12u", "0.5", "0600", "0UL")],
                         ["1", "0", "0x10", "13u", "(2 * 0.5)", None, "1UL"])

    def test_members_and_cases(self):
        self.assertEqual(mutated(SAMPLE, operator="field"),
                         ["struct pair pair = { .second = 2};", "struct pair pair = {.first = 1, };"])
        self.assertEqual([fault.original for fault in found(SAMPLE, operator="case")], ["case 1:"])

    def test_no_two_alike(self):
        changes = [(fault.start, fault.end, fault.replacement) for fault in faults.faults(SAMPLE)]
        self.assertEqual(len(changes), len(set(changes)))
        for fault in faults.faults(SAMPLE):
            self.assertNotEqual(fault.original, fault.mutated)


class Weaving(unittest.TestCase):
    """One program for all faults behaves like the faulty source."""

    def output(self, directory, text, number=0):
        (directory / "sample.c").write_text(text)
        (directory / "main.c").write_text(HARNESS)
        subprocess.run(["gcc", "-D_GNU_SOURCE", "-w", "-o", directory / "program", directory / "sample.c", directory / "main.c"],
                       check=True)
        return self.run_program(directory, number)

    @staticmethod
    def run_program(directory, number):
        done = subprocess.run(["sh", "-c", "ulimit -t 1; ulimit -c 0; exec \"$0\"", directory / "program"], check=False, text=True,
                              env={**os.environ, "MUTATE_NUMBER": str(number)}, stdout=subprocess.PIPE)
        return done.returncode, done.stdout

    def test_woven(self):
        numbered = {number: fault for number, fault in enumerate(faults.faults(SAMPLE), 1) if fault.function}
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            single = {}
            for number, fault in numbered.items():
                text = SAMPLE[:fault.start] + fault.replacement + SAMPLE[fault.end:]
                single[number] = self.output(directory, text)
            self.assertEqual(self.output(directory, SAMPLE), (0, "3 3 1 2\n"))
            self.assertEqual(self.output(directory, faults.woven(SAMPLE, "sample.c", numbered)), (0, "3 3 1 2\n"))
            for number, expected in single.items():
                with self.subTest(fault=numbered[number].mutated):
                    self.assertEqual(self.run_program(directory, number), expected)
            self.assertGreater(sum(result != (0, "3 3 1 2\n") for result in single.values()), 15)


class Accepting(unittest.TestCase):
    TEXT = """\
# a comment
daemon/x.c raise_to statement
- *value = other > *value ? other : *value;
+ ;

daemon/x.c is_small compare
- return n < LIMIT && n >= 0; // a comment: n == 1
+ *
= for both
"""

    def test_match(self):
        accepted = equivalents.parse(self.TEXT)
        every = faults.faults(SAMPLE)
        self.assertEqual([fault.operator for fault in every if accepted.find("daemon/x.c", fault)],
                         ["compare", "compare", "statement"])
        self.assertFalse(any(accepted.find("daemon/y.c", fault) for fault in every))
        self.assertEqual(accepted.stale({"daemon/x.c": every}), [])
        # Lines may move, but not change.
        self.assertEqual(accepted.stale({"daemon/x.c": faults.faults("\n\n" + SAMPLE)}), [])
        changed = faults.faults(SAMPLE.replace("n >= 0", "n > 0"))
        self.assertEqual([entry.function for entry in accepted.stale({"daemon/x.c": changed})], ["is_small"])

    def test_form(self):
        for text in ("daemon/x.c f statement\n- a\n+ b\n", "daemon/x.c f\n", "- a\n", self.TEXT + "daemon/x.c f guard\n= why\n"):
            with self.assertRaises(ValueError):
                equivalents.parse(text)


class Exploration(unittest.TestCase):
    TEXT = """\
# comment
bound daemon/x.c is_small
- n < LIMIT
+ n <= LIMIT
- n >= 0
+ n > 0
= what it means
"""

    def test_apply(self):
        entry, = exploration.parse(self.TEXT)
        changed = entry.apply(SAMPLE)
        self.assertIn("return n <= LIMIT && n > 0;", changed)
        self.assertEqual(len(changed), len(SAMPLE))
        # The text must occur only in that function, and once.
        for text in (SAMPLE.replace("n >= 0", "n"), SAMPLE.replace("is_small", "is_large"),
                     SAMPLE.replace("n >= 0", "n >= 0 && n >= 0")):
            with self.assertRaises(ValueError):
                entry.apply(text)

    def test_form(self):
        for text in ("a daemon/x.c f\n= why\n", "a daemon/x.c\n", "- a\n", self.TEXT + "b daemon/x.c f\n- a\n+ b\n"):
            with self.assertRaises(ValueError):
                exploration.parse(text)

    def test_list(self):
        """Every entry matches the tree."""
        top = pathlib.Path(__file__).resolve().parent.parent.parent
        for entry in exploration.read(top / "tools/mutation/exploration"):
            with self.subTest(entry.name):
                entry.apply((top / entry.path).read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()
