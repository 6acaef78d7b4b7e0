"""The price book: which tariff holds for a model on a path at an instant.

Rule 1  A row that names the path wins over one for every path of its kind; then negotiated over public; then the later day; then the
        later row.
Rule 2  A dated snapshot without a row of its own has the prices of its family: `gpt-5.5-2026-04-23` is billed as `gpt-5.5`.
Rule 3  No row, no tariff: an unknown model has no price, and that is not a price of zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

import msgspec

from headgate.names import Instant
from headgate.pricing.entry import DAY_US, Agreement, Entry, day_instant, entry_text
from headgate.pricing.rates import RatedTariff, rate, uplifted
from headgate.terms.tariff import Tariff

WARN_AFTER_DAYS = 30
STOP_AFTER_DAYS = 90

NO_UPLIFTS: Mapping[str, int] = {}

_SNAPSHOT = re.compile(r"(?P<family>.+)-[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Freshness(Enum):
    """How long ago a price was last compared with its source."""

    FRESH = "fresh"
    AGEING = "ageing"  # not verified for 30 days: a warning
    STALE = "stale"  # not verified for 90 days: production stops


class Listed(msgspec.Struct, frozen=True):
    """An entry as the store keeps it, under the row id that holds and settlements name."""

    row: int
    agreement: Agreement
    entry: Entry


@dataclass(frozen=True, slots=True)
class PriceBook:
    """All tariffs of all paths, immutable; a new price makes a new book."""

    lines: Mapping[tuple[str, str], tuple[RatedTariff, ...]]  # by path and model, the winner first
    rows: Mapping[tuple[str, int], RatedTariff]  # by path and row id
    digest: str  # SHA-256 of every row that it was built from

    def tariff(self, path: str, model: str, at: Instant) -> RatedTariff | None:
        found = self._holding(path, model, at)
        if found is not None:
            return found
        snapshot = _SNAPSHOT.fullmatch(model)
        return None if snapshot is None else self._holding(path, snapshot["family"], at)

    def by_row(self, path: str, row: int) -> RatedTariff | None:
        """The tariff that a hold was taken with, whatever holds by now."""
        return self.rows.get((path, row))

    def models(self, path: str, at: Instant) -> list[RatedTariff]:
        """One tariff per model that has a price on the path, by name."""
        names = sorted(model for at_path, model in self.lines if at_path == path)
        return [found for name in names if (found := self._holding(path, name, at)) is not None]

    def _holding(self, path: str, model: str, at: Instant) -> RatedTariff | None:
        for tariff in self.lines.get((path, model), ()):
            if tariff.valid_from <= at and (tariff.valid_to is None or at < tariff.valid_to):
                return tariff
        return None


def price_book(listed: Iterable[Listed], paths: Mapping[str, str], uplifts: Mapping[str, int] = NO_UPLIFTS) -> PriceBook:
    """The book of these rows for these paths, given as name to kind; `uplifts` is what a regional path adds, in percent."""
    lines: dict[tuple[str, str], list[tuple[tuple[bool, bool, int, int], RatedTariff]]] = {}
    rows: dict[tuple[str, int], RatedTariff] = {}
    leaves: list[str] = []
    for item in listed:
        entry = item.entry
        leaves.append(f"{item.row} {item.agreement.value} {entry_text(entry)}")
        for path, kind in paths.items():
            if entry.path_kind != kind or entry.path not in (None, path):
                continue
            tariff = rate(uplifted(tariff_of(entry, item.row, path), uplifts.get(path, 0)), item.agreement, entry.shutdown_on)
            rank = (entry.path is not None, item.agreement is Agreement.NEGOTIATED, tariff.valid_from, item.row)
            lines.setdefault((path, entry.model), []).append((rank, tariff))
            rows[path, item.row] = tariff
    ordered = {key: tuple(tariff for _, tariff in sorted(those, key=_rank, reverse=True)) for key, those in lines.items()}
    return PriceBook(ordered, rows, sha256("\n".join(sorted(leaves)).encode()).hexdigest())


def tariff_of(entry: Entry, row: int, path: str) -> Tariff:
    """The entry as the tariff of one path."""
    return Tariff(
        row=row,
        path=path,
        model=entry.model,
        prices={(price.unit, price.tier, price.band): price.price for price in entry.prices},
        window_tokens=entry.window_tokens,
        max_output_tokens=entry.max_output_tokens,
        band_tokens=entry.band_tokens,
        reasoning=entry.reasoning,
        valid_from=day_instant(entry.valid_from),
        valid_to=None if entry.valid_to is None else day_instant(entry.valid_to),
        verified_on=entry.verified_on,
        source=entry.source,
    )


def age_days(tariff: RatedTariff, at: Instant) -> int:
    """Whole days since the price was verified; never negative, for a sheet may be verified later on the same day."""
    return max(0, at // DAY_US - tariff.verified_day)


def freshness(tariff: RatedTariff, at: Instant) -> Freshness:
    age = age_days(tariff, at)
    if age >= STOP_AFTER_DAYS:
        return Freshness.STALE
    return Freshness.AGEING if age >= WARN_AFTER_DAYS else Freshness.FRESH


def _rank(line: tuple[tuple[bool, bool, int, int], RatedTariff]) -> tuple[bool, bool, int, int]:
    return line[0]
