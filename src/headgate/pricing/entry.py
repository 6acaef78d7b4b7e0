"""What a price sheet says, as values: one entry per model and span of days, with one price row per unit, tier and band.

Rule 1  An entry holds for every path of its kind, or for the one path it names.
Rule 2  Days are UTC. `valid_from` is the first day, `valid_to` the first day on which the entry no longer holds.
Rule 3  A fee (a price of a call or a session, not of a token) is the same at every tier and band, and stands at standard and short.
Rule 4  Two texts that say the same have one digest; spaces, order and the spelling of numbers do not count.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import Enum
from hashlib import sha256

import msgspec

from headgate.names import MICROSECONDS, Instant
from headgate.terms.tariff import Band, Price, Tier, Unit

FORMAT = 1
CURRENCY = "USD"

DAY_US = 86_400 * MICROSECONDS
_EPOCH_DAY = date(1970, 1, 1).toordinal()

FEES = frozenset({Unit.WEB_SEARCH, Unit.FILE_SEARCH, Unit.CONTAINER})


class Agreement(Enum):
    """Where the prices come from. What was negotiated wins over what is public."""

    PUBLIC = "public"
    NEGOTIATED = "negotiated"


class PriceRow(msgspec.Struct, frozen=True, gc=False):
    """Whole pico-dollars (10^-12 USD) per `per` units."""

    unit: Unit
    tier: Tier
    band: Band
    pico: int
    per: int = 1

    @property
    def price(self) -> Price:
        return Price(self.pico, self.per)


class Entry(msgspec.Struct, frozen=True):
    """The prices of one model on one path, or on every path of a kind, over a span of days."""

    path_kind: str
    path: str | None
    model: str
    window_tokens: int
    max_output_tokens: int
    band_tokens: int | None
    reasoning: bool
    shutdown_on: str | None  # ISO date after which the provider no longer serves the model
    source: str
    verified_on: str  # ISO date
    valid_from: str  # ISO date
    valid_to: str | None  # ISO date
    prices: tuple[PriceRow, ...]


class Sheet(msgspec.Struct, frozen=True):
    """A whole price sheet that was read and found sound."""

    name: str
    agreement: Agreement
    entries: tuple[Entry, ...]


def day_number(day: str) -> int:
    """Days since 1970-01-01."""
    return date.fromisoformat(day).toordinal() - _EPOCH_DAY


def day_instant(day: str) -> Instant:
    """Midnight UTC at which the day begins."""
    return Instant(day_number(day) * DAY_US)


def entry_text(entry: Entry) -> str:
    """The entry in one canonical line of JSON: what a store keeps, and what a digest is taken of."""
    return msgspec.json.encode(_sorted(entry), order="deterministic").decode()


def read_entry(text: str) -> Entry:
    """The entry behind a line of `entry_text`. Raises msgspec.ValidationError on anything else: a stored line was checked before."""
    return msgspec.json.decode(text, type=Entry)


def digest(agreement: Agreement, entries: Iterable[Entry]) -> str:
    """SHA-256 (hexadecimal) of what a sheet says, however it is written."""
    lines = sorted(entry_text(entry) for entry in entries)
    return sha256("\n".join([f"{FORMAT} {CURRENCY} {agreement.value}", *lines]).encode()).hexdigest()


def sheet_text(sheet: Sheet) -> str:
    """The sheet as a file: one price a line, so that a review shows which price moved."""
    lines = [
        "{",
        f' "format": {FORMAT},',
        f' "name": {_json(sheet.name)},',
        f' "agreement": {_json(sheet.agreement.value)},',
        f' "currency": {_json(CURRENCY)},',
        ' "models": [',
        ",\n".join(_entry_lines(entry) for entry in sheet.entries),
        " ]",
        "}",
        "",
    ]
    return "\n".join(lines)


_UNIT_ORDER = {unit: order for order, unit in enumerate(Unit)}
_TIER_ORDER = {tier: order for order, tier in enumerate(Tier)}
_BAND_ORDER = {band: order for order, band in enumerate(Band)}


def key_order(key: tuple[Unit, Tier, Band]) -> tuple[int, int, int]:
    """Tiers in order, then bands, then units: the order in which people compare prices."""
    unit, tier, band = key
    return _TIER_ORDER[tier], _BAND_ORDER[band], _UNIT_ORDER[unit]


def row_order(row: PriceRow) -> tuple[int, int, int]:
    return key_order((row.unit, row.tier, row.band))


def _sorted(entry: Entry) -> Entry:
    return msgspec.structs.replace(entry, prices=tuple(sorted(entry.prices, key=row_order)))


def _json(value: str | int | bool | None) -> str:
    return msgspec.json.encode(value).decode()


def _entry_lines(entry: Entry) -> str:
    facts = {
        "path_kind": entry.path_kind,
        "path": entry.path,
        "model": entry.model,
        "window_tokens": entry.window_tokens,
        "max_output_tokens": entry.max_output_tokens,
        "band_tokens": entry.band_tokens,
        "reasoning": entry.reasoning,
        "shutdown_on": entry.shutdown_on,
        "source": entry.source,
        "verified_on": entry.verified_on,
        "valid_from": entry.valid_from,
        "valid_to": entry.valid_to,
    }
    said = [f"   {_json(name)}: {_json(value)}," for name, value in facts.items()]
    rows = ",\n".join(
        f'    {{"unit": "{row.unit.value}", "tier": "{row.tier.value}", "band": "{row.band.value}", "pico": {row.pico}, "per": {row.per}}}'
        for row in sorted(entry.prices, key=row_order)
    )
    return "\n".join(["  {", *said, '   "prices": [', rows, "   ]", "  }"])
