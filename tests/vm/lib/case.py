# SPDX-License-Identifier: GPL-2.0-or-later
"""What a case says about itself and its findings."""


class Failure(Exception):
    """The case's verdict is FAIL with this text."""


def check(condition, message):
    """Fail with a message unless the condition holds. Say in the message what was seen."""
    if not condition:
        raise Failure(message)


def check_equal(seen, expected, what):
    if seen != expected:
        raise Failure(f"{what}: expected {expected!r}, saw {seen!r}")


def timeout(seconds):
    """Decorator: the time limit of a case (default 120 s). Everything is slow under emulation: be generous."""
    def mark(function):
        function.timeout = seconds
        return function
    return mark
