"""A tariff made ready to count with: every price at one common denominator, the dearest of each band known beforehand.

This is done once, when the book is built; `bound` and `cost` then only add and multiply whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd, lcm

import msgspec

from headgate.pricing.entry import FEES, Agreement, day_number
from headgate.terms.tariff import Band, Price, Tariff, Tier, Unit

INPUT_UNITS = (Unit.INPUT, Unit.CACHED, Unit.CACHE_WRITE_30M, Unit.CACHE_WRITE_12H, Unit.IMAGE_INPUT, Unit.AUDIO_INPUT)
OUTPUT_UNITS = (Unit.OUTPUT, Unit.IMAGE_OUTPUT, Unit.AUDIO_OUTPUT)

# A usage does not tell image and audio tokens from text, so a tariff that prices them apart cannot be settled.
SPLIT_UNITS = frozenset({Unit.IMAGE_INPUT, Unit.IMAGE_OUTPUT, Unit.AUDIO_INPUT, Unit.AUDIO_OUTPUT})


class BandRates(msgspec.Struct, frozen=True, gc=False):
    """Prices of one tier in one band, in pico-dollars per `RatedTariff.common` units. None: no price, so no cost."""

    input: int | None
    cached: int | None
    write_30m: int | None
    write_12h: int | None
    output: int | None
    dearest_input: int
    dearest_output: int


class TierRates(msgspec.Struct, frozen=True):
    short: BandRates | None
    long: BandRates | None


class RatedTariff(Tariff, frozen=True):
    """A tariff with what is worked out from it. The book hands out these and no others."""

    common: int  # units that every rate is for
    rates: dict[Tier, TierRates]
    fees: dict[Unit, int]  # pico-dollars per `common` calls
    split: bool  # prices images or audio apart
    verified_day: int  # days since 1970-01-01
    agreement: Agreement
    shutdown_on: str | None


def rate(tariff: Tariff, agreement: Agreement = Agreement.PUBLIC, shutdown_on: str | None = None) -> RatedTariff:
    """The tariff with its rates worked out."""
    common = lcm(*(price.per for price in tariff.prices.values()))
    scaled = {key: price.pico * (common // price.per) for key, price in tariff.prices.items()}
    tiers = {tier for unit, tier, _ in scaled if unit not in FEES}
    return RatedTariff(
        row=tariff.row,
        path=tariff.path,
        model=tariff.model,
        prices=tariff.prices,
        window_tokens=tariff.window_tokens,
        max_output_tokens=tariff.max_output_tokens,
        band_tokens=tariff.band_tokens,
        reasoning=tariff.reasoning,
        valid_from=tariff.valid_from,
        valid_to=tariff.valid_to,
        verified_on=tariff.verified_on,
        source=tariff.source,
        common=common,
        rates={tier: TierRates(_band(scaled, tier, Band.SHORT), _band(scaled, tier, Band.LONG)) for tier in tiers},
        fees={unit: price for (unit, _, _), price in scaled.items() if unit in FEES},
        split=any(unit in SPLIT_UNITS for unit, _, _ in scaled),
        verified_day=day_number(tariff.verified_on),
        agreement=agreement,
        shutdown_on=shutdown_on,
    )


def uplifted(tariff: Tariff, percent: int = 10) -> Tariff:
    """The tariff with every token price raised by a regional uplift, exactly; fees stay as they are.

    OpenAI bills 10 % more for models released on or after 2026-03-05 on its regional endpoints (pricing page, data residency).
    """
    assert percent >= 0
    prices = {key: price if key[0] in FEES else _raised(price, percent) for key, price in tariff.prices.items()}
    return msgspec.structs.replace(tariff, prices=prices)


def _raised(price: Price, percent: int) -> Price:
    pico, per = price.pico * (100 + percent), price.per * 100
    shared = gcd(pico, per)
    return Price(pico // shared, per // shared)


def _band(scaled: Mapping[tuple[Unit, Tier, Band], int], tier: Tier, band: Band) -> BandRates | None:
    inputs = [scaled[unit, tier, band] for unit in INPUT_UNITS if (unit, tier, band) in scaled]
    outputs = [scaled[unit, tier, band] for unit in OUTPUT_UNITS if (unit, tier, band) in scaled]
    if not inputs or not outputs:
        return None
    return BandRates(
        input=scaled.get((Unit.INPUT, tier, band)),
        cached=scaled.get((Unit.CACHED, tier, band)),
        write_30m=scaled.get((Unit.CACHE_WRITE_30M, tier, band)),
        write_12h=scaled.get((Unit.CACHE_WRITE_12H, tier, band)),
        output=scaled.get((Unit.OUTPUT, tier, band)),
        dearest_input=max(inputs),
        dearest_output=max(outputs),
    )
