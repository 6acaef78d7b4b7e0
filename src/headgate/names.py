"""Ids and instants: what things are called, and how an id looks to a person.

An attempt id is one 63-bit integer that grows with time: 41 bits of milliseconds since 2025-01-01 UTC, 10 bits of node, 12 bits of
counter. It is the row id of its hold, so a new hold lands at the right edge of every index, at ten rows as at ten million.
It is not a secret, and nothing is granted for knowing one.
"""

from __future__ import annotations

from typing import NewType

Instant = NewType("Instant", int)  # microseconds since 1970-01-01 UTC
AttemptId = NewType("AttemptId", int)
RequestId = NewType("RequestId", int)  # the first attempt's id names the logical request
KeyId = NewType("KeyId", str)

EPOCH_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z
NODE_BITS = 10
COUNTER_BITS = 12
MICROSECONDS = 1_000_000

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_WIDTH = 13  # 13 digits of 5 bits hold 63 bits
_PAIRS = tuple(high + low for high in _DIGITS for low in _DIGITS)  # ten bits at a time: an id is shown several times a request


def attempt_id(unix_ms: int, node: int, counter: int) -> AttemptId:
    """The id of the attempt that is `counter` within its millisecond on its node."""
    assert 0 <= node < 1 << NODE_BITS and 0 <= counter < 1 << COUNTER_BITS
    return AttemptId(((unix_ms - EPOCH_MS) << (NODE_BITS + COUNTER_BITS)) | (node << COUNTER_BITS) | counter)


def show_id(number: int, prefix: str = "req") -> str:
    """An id as people and clients see it: `req_` and thirteen letters that sort by time."""
    pairs = _PAIRS
    return (
        f"{prefix}_{_DIGITS[number >> 60]}{pairs[number >> 50 & 1023]}{pairs[number >> 40 & 1023]}{pairs[number >> 30 & 1023]}"
        f"{pairs[number >> 20 & 1023]}{pairs[number >> 10 & 1023]}{pairs[number & 1023]}"
    )


def read_id(text: str, prefix: str = "req") -> int | None:
    """The number behind a shown id, or None when the text is not one."""
    head, _, body = text.partition("_")
    if head != prefix or len(body) != _WIDTH or any(digit not in _VALUES for digit in body):
        return None
    number = 0
    for digit in body:
        number = number << 5 | _VALUES[digit]
    return number if number < 1 << 63 else None
