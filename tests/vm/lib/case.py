# SPDX-License-Identifier: GPL-2.0-or-later
"""How a case reports failures, and its time limit."""


class Failure(Exception):
    """The result of the case is FAIL with this text."""


def check(condition, message):
    """Fail with a message unless the condition is true. The message should contain the observed value."""
    if not condition:
        raise Failure(message)


def check_equal(seen, expected, what):
    if seen != expected:
        raise Failure(f"{what}: expected {expected!r}, saw {seen!r}")


def timeout(seconds):
    """Decorator: the time limit of a case (default 120 s). Emulation is slow, so use a large limit."""
    def mark(function):
        function.timeout = seconds
        return function
    return mark
