"""What each model costs, in exact fractions of a dollar per token, from a table that nobody else in this repository reads.

The judge must not share a price table with the judged: a wrong row would be wrong on both sides and nobody would see it.
Source of prices.json: the public price list of November 2026 in USD per million tokens (input, cached input, cache writes kept for
30 minutes and 12 hours, output; tiers; the band above 272,000 input tokens). A tier's cached and write prices, and its long
band, stand in the same relation as its input price, except where the row says otherwise (the list rounds some of them).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from headgate.rehearsal.shapes import Table, decode, table

LONG_CONTEXT = 272_000  # input tokens; above this the whole request is billed at the long band
WEB_SEARCH = Fraction(10, 1_000)  # dollars a call
_MILLION = 1_000_000

# `fast` is sold under this name and reported as `priority`; `scale` is prepaid capacity and costs what the default does.
TIER_NAMES = {
    "default": "default",
    "standard": "default",
    "scale": "default",
    "flex": "flex",
    "priority": "priority",
    "fast": "priority",
    "ultrafast": "ultrafast",
}


@dataclass(frozen=True, slots=True)
class Rates:
    """Dollars a token in one tier and one context band."""

    input: Fraction
    cached: Fraction
    write_30m: Fraction
    write_12h: Fraction
    output: Fraction


@dataclass(frozen=True, slots=True)
class Row:
    """One model: its limits in tokens and its rates by (tier, long context or not)."""

    model: str
    snapshot: str
    context: int
    max_output: int
    reasoning: bool
    caches: bool
    bills_writes: bool
    rates: dict[tuple[str, bool], Rates]

    def sells(self, tier: str) -> bool:
        return (tier, False) in self.rates

    def rates_for(self, tier: str, input_tokens: int) -> Rates:
        return self.rates[tier, input_tokens > LONG_CONTEXT]


def _rates(row: Table, tier: Table, long: Table) -> Rates:
    base_in, base_out = Fraction(row["in"]), Fraction(row["out"])
    tier_in, tier_out = Fraction(tier.get("in", row["in"])), Fraction(tier.get("out", row["out"]))
    band_in = Fraction(long["in"]) / base_in if long else Fraction(1)
    band_out = Fraction(long["out"]) / base_out if long else Fraction(1)
    scale = tier_in / base_in * band_in
    cached = Fraction(tier["cached"]) * band_in if "cached" in tier else Fraction(row.get("cached", row["in"])) * scale
    return Rates(
        input=tier_in * band_in / _MILLION,
        cached=cached / _MILLION,
        write_30m=Fraction(row.get("write_30m", row["in"])) * scale / _MILLION,
        write_12h=Fraction(row.get("write_12h", row["in"])) * scale / _MILLION,
        output=tier_out * band_out / _MILLION,
    )


def _row(model: str, row: Table) -> Row:
    tiers: Table = {"default": {}, **table(row.get("tiers"))}
    rates = {
        (name, band): _rates(row, table(tier), table(row.get("long")) if band else {})
        for name, tier in tiers.items()
        for band in (False, True)
    }
    return Row(
        model=model,
        snapshot=row.get("snapshot", model),
        context=row["context"],
        max_output=row["max_output"],
        reasoning=row["reasoning"],
        caches="cached" in row,
        bills_writes="write_30m" in row,
        rates=rates,
    )


@cache
def price_list() -> dict[str, Row]:
    """Every model by its alias and by its snapshot name."""
    data = table(decode((Path(__file__).parent / "prices.json").read_bytes()))
    listed: dict[str, Row] = {}
    for model, row in data.items():
        listed[model] = _row(model, table(row))
        listed[listed[model].snapshot] = listed[model]
    return listed
