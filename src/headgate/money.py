"""Whole nano-dollars, whole pico-dollar prices, and the one place where a cost is rounded.

Rule 1  An amount is an `int` of nano-dollars (10^-9 USD); a unit price is an `int` of pico-dollars (10^-12 USD) per n units.
Rule 2  A cost is rounded once per attempt, and upwards: a thousand million attempts cost at most one dollar too much.
Rule 3  No float, ever. A float would compare, add and store without complaint, and NaN would make every cap check false.
"""

from __future__ import annotations

import re

NANO_PER_DOLLAR = 1_000_000_000
PICO_PER_NANO = 1_000
PICO_PER_DOLLAR = NANO_PER_DOLLAR * PICO_PER_NANO

# A cap may reach 4·10^18 (four thousand million dollars, or as many tokens): two of them still fit in a signed 64-bit column.
MAX_CAP = 4_000_000_000_000_000_000

# One hold may reach a million dollars. More is a mistake in a price or a request, and SQLite would turn an overflow into a REAL.
MAX_HOLD = 1_000_000 * NANO_PER_DOLLAR

_DOLLARS = re.compile(r"(?P<whole>[0-9]{1,10})(?:\.(?P<part>[0-9]{1,9}))?")


def ceil_nano(pico: int) -> int:
    """Pico-dollars to nano-dollars, rounded up: the only rounding there is."""
    assert pico >= 0, "a cost is never negative"
    return -(-pico // PICO_PER_NANO)


def parse_dollars(text: str) -> int:
    """`"500"` or `"0.25"` to nano-dollars. Raises ValueError with a sentence that says what to write instead."""
    match = _DOLLARS.fullmatch(text.strip().removeprefix("$").replace(",", "").replace("_", ""))
    if match is None:
        raise ValueError(f'{text!r} is not an amount in dollars; write digits with at most nine decimals, for example "500" or "0.25"')
    part = match["part"] or ""
    nano = int(match["whole"]) * NANO_PER_DOLLAR + int(part.ljust(9, "0"))
    if nano > MAX_CAP:
        raise ValueError(f"{text!r} is more than the largest amount, {show_dollars(MAX_CAP)}")
    return nano


def show_dollars(nano: int) -> str:
    """Nano-dollars for people: at least two decimals, and never a digit less than the amount has (`$5.00`, `$0.000000001`)."""
    sign, nano = ("-", -nano) if nano < 0 else ("", nano)
    whole, part = divmod(nano, NANO_PER_DOLLAR)
    digits = f"{part:09d}".rstrip("0").ljust(2, "0")
    return f"{sign}${whole:,}.{digits}"
