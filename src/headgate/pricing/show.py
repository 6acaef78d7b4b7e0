"""Prices in the words that people compare: dollars per million tokens, days since somebody checked, one line per model.

Every function returns rows of text; whoever calls draws the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from headgate.money import PICO_PER_NANO, show_dollars
from headgate.names import Instant
from headgate.pricing.book import Freshness, age_days, freshness
from headgate.pricing.diff import Difference, Fact
from headgate.pricing.entry import FEES, PriceRow, row_order
from headgate.pricing.rates import RatedTariff
from headgate.terms.tariff import Band, Price, Tier, Unit

Row: TypeAlias = tuple[str, ...]

LIST_COLUMNS: Row = ("path", "model", "input", "cached", "output", "per", "tiers", "verified", "state", "agreement")
SHOW_COLUMNS: Row = ("tier", "band", "unit", "price", "per")
DIFF_COLUMNS: Row = ("change", "model", "what", "old", "new", "note")

MILLION = 1_000_000
NO_PRICE = "-"


def list_rows(tariffs: Iterable[RatedTariff], at: Instant) -> list[Row]:
    """One row per model: its standard short prices, and how old the check is."""
    return [_list_row(tariff, at) for tariff in tariffs]


def show_rows(tariff: RatedTariff) -> list[Row]:
    """One row per price of a model."""
    rows = [PriceRow(unit, tier, band, price.pico, price.per) for (unit, tier, band), price in tariff.prices.items()]
    return [(row.tier.value, row.band.value, row.unit.value, *show_price(row.unit, row.price)) for row in sorted(rows, key=row_order)]


def facts_of(tariff: RatedTariff, at: Instant) -> list[Row]:
    """What a model can take and give, and where its prices come from, as pairs of a name and a value."""
    band = NO_PRICE if tariff.band_tokens is None else f"above {tariff.band_tokens:,} input tokens"
    return [
        ("row", str(tariff.row)),
        ("path", tariff.path),
        ("model", tariff.model),
        ("window", f"{tariff.window_tokens:,} tokens"),
        ("most output", f"{tariff.max_output_tokens:,} tokens"),
        ("long band", band),
        ("reasoning", "yes" if tariff.reasoning else "no"),
        ("shutdown", tariff.shutdown_on or NO_PRICE),
        ("agreement", tariff.agreement.value),
        ("source", tariff.source),
        ("verified", f"{tariff.verified_on} ({age_days(tariff, at)} days ago, {freshness(tariff, at).value})"),
    ]


def diff_rows(found: Sequence[Difference]) -> list[Row]:
    """One row per difference; a steep fall says so."""
    return [
        (one.change.value, one.model, one.what, _value(one.old), _value(one.new), "falls by more than half" if one.steep else "")
        for one in found
    ]


def show_price(unit: Unit, price: Price) -> tuple[str, str]:
    """An amount and what it is for: `("$2.00", "1M tokens")`. Rounded upwards where nine decimals do not hold it."""
    many, noun = (1, "call") if unit in FEES else (MILLION, "1M tokens")
    return show_dollars(-(-price.pico * many // (price.per * PICO_PER_NANO))), noun


def _list_row(tariff: RatedTariff, at: Instant) -> Row:
    def standard(unit: Unit) -> str:
        price = tariff.prices.get((unit, Tier.STANDARD, Band.SHORT))
        return NO_PRICE if price is None else show_price(unit, price)[0]

    tiers = ", ".join(tier.value for tier in Tier if tier in tariff.rates)
    state = freshness(tariff, at)
    age = f"{tariff.verified_on} ({age_days(tariff, at)} d)"
    prices = standard(Unit.INPUT), standard(Unit.CACHED), standard(Unit.OUTPUT)
    told = "" if state is Freshness.FRESH else state.value
    return (tariff.path, tariff.model, *prices, "1M tokens", tiers, age, told, tariff.agreement.value)


def _value(value: Price | Fact) -> str:
    if isinstance(value, Price):
        shown = show_dollars(-(-value.pico * MILLION // (value.per * PICO_PER_NANO)))
        return f"{shown} per million"
    return NO_PRICE if value is None else str(value)
