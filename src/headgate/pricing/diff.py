"""What changes between two price sheets, as values for a reviewer to read before the new one holds.

A price that falls by more than half is steep: prices do fall, but so they do when a decimal point slips, and too low a price is a cap
that leaks. Two sheets that differ only in days and sources have no difference here.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import TypeAlias

import msgspec

from headgate.pricing.entry import Entry, key_order
from headgate.terms.tariff import Band, Price, Tier, Unit

Fact: TypeAlias = str | int | bool | None
Line: TypeAlias = tuple[str, str, str]  # path kind, path or "", model

# What is compared besides prices: all that moves a bound, and the day the model goes.
FACTS = ("window_tokens", "max_output_tokens", "band_tokens", "reasoning", "shutdown_on")


class Change(Enum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Difference(msgspec.Struct, frozen=True):
    """One price or one fact that is not the same. `what` is "input standard short" for a price and the field's name for a fact."""

    change: Change
    path_kind: str
    path: str | None
    model: str
    what: str
    old: Price | Fact
    new: Price | Fact
    steep: bool = False  # the price falls by more than half


def differences(old: Iterable[Entry], new: Iterable[Entry]) -> list[Difference]:
    """Every difference by model, then by tier, band and unit. Of several spans of days the latest counts."""
    before, after = _latest(old), _latest(new)
    found: list[Difference] = []
    for line in sorted(before.keys() | after.keys()):
        found.extend(_of_model(line, before.get(line), after.get(line)))
    return found


def steep_falls(found: Iterable[Difference]) -> list[Difference]:
    """The differences that need a second look: an import asks for them to be confirmed."""
    return [difference for difference in found if difference.steep]


def _latest(entries: Iterable[Entry]) -> dict[Line, Entry]:
    latest: dict[Line, Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.valid_from):
        latest[entry.path_kind, entry.path or "", entry.model] = entry
    return latest


def _of_model(line: Line, old: Entry | None, new: Entry | None) -> list[Difference]:
    kind, path, model = line
    found: list[Difference] = []
    if old is not None and new is not None:
        for name in FACTS:
            was: Fact = getattr(old, name)
            now: Fact = getattr(new, name)
            if was != now:
                found.append(Difference(Change.CHANGED, kind, path or None, model, name, was, now))
    was_prices, now_prices = _prices(old), _prices(new)
    for key in sorted(was_prices.keys() | now_prices.keys(), key=key_order):
        was_price, now_price = was_prices.get(key), now_prices.get(key)
        change = _change(was_price, now_price)
        if change is not None:
            what = " ".join(part.value for part in key)
            found.append(Difference(change, kind, path or None, model, what, was_price, now_price, _steep(was_price, now_price)))
    return found


def _prices(entry: Entry | None) -> dict[tuple[Unit, Tier, Band], Price]:
    return {} if entry is None else {(row.unit, row.tier, row.band): row.price for row in entry.prices}


def _change(old: Price | None, new: Price | None) -> Change | None:
    if old is None:
        return Change.ADDED
    if new is None:
        return Change.REMOVED
    return None if old.pico * new.per == new.pico * old.per else Change.CHANGED


def _steep(old: Price | None, new: Price | None) -> bool:
    return old is not None and new is not None and 2 * new.pico * old.per < old.pico * new.per
