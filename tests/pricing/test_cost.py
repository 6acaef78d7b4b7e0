"""Worked examples by hand, in exact fractions of a dollar; then the promises that hold for every usage."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.names import Instant
from headgate.pricing.book import PriceBook
from headgate.pricing.cost import TIER_NAMES, billed_tier, cost
from headgate.pricing.entry import day_instant
from headgate.pricing.rates import RatedTariff, rate, uplifted
from headgate.terms.tariff import Band, Price, Tariff, Tier, Unit
from headgate.wire.usage import Usage

AT = day_instant("2026-11-21")
M = 1_000_000


def per_million(dollars: str, tokens: int) -> Fraction:
    return Fraction(dollars) * tokens / M


# What, the usage, the tier that the answer names, and the dollars of each class added up by hand from the published prices.
EXAMPLES: list[tuple[str, str, Usage, Tier, Fraction]] = [
    (
        "300,000 tokens in, a third cached and a sixth written, are all billed in the long band: 0.885 dollars",
        "gpt-6.1-sol",
        Usage(300_000, 1_000, cached_tokens=100_000, cache_write_tokens=50_000),
        Tier.STANDARD,
        per_million("4", 150_000) + per_million("0.2", 100_000) + per_million("5", 50_000) + per_million("15", 1_000),
    ),
    ("a plain question", "gpt-6.1-sol", Usage(12, 40), Tier.STANDARD, per_million("2", 12) + per_million("10", 40)),
    (
        "a Codex turn that is mostly cached",
        "gpt-6-astra",
        Usage(60_000, 1_500, cached_tokens=57_000, reasoning_tokens=900),
        Tier.STANDARD,
        per_million("10", 3_000) + per_million("1", 57_000) + per_million("50", 1_500),
    ),
    (
        "writes for thirty minutes and for twelve hours side by side",
        "gpt-6-astra",
        Usage(40_000, 10, cache_write_tokens=30_000, cache_write_12h_tokens=20_000),
        Tier.STANDARD,
        per_million("10", 10_000) + per_million("12.5", 10_000) + per_million("25", 20_000) + per_million("50", 10),
    ),
    ("the last token of the short band", "gpt-5.5", Usage(272_000, 1), Tier.STANDARD, per_million("5", 272_000) + per_million("30", 1)),
    ("the first token of the long band", "gpt-5.5", Usage(272_001, 1), Tier.STANDARD, per_million("10", 272_001) + per_million("45", 1)),
    ("flex is half", "gpt-5.5", Usage(1_000, 1_000), Tier.FLEX, per_million("2.5", 1_000) + per_million("15", 1_000)),
    ("batch is half", "gpt-4o-mini", Usage(1_000, 1_000), Tier.BATCH, per_million("0.075", 1_000) + per_million("0.3", 1_000)),
    (
        "priority of gpt-5.5 is two and a half",
        "gpt-5.5",
        Usage(1_000, 10),
        Tier.PRIORITY,
        per_million("12.5", 1_000) + per_million("75", 10),
    ),
    ("ultrafast is six", "gpt-6.1-sol", Usage(1_000, 10), Tier.ULTRAFAST, per_million("12", 1_000) + per_million("60", 10)),
    (
        "ultrafast in the long band, with a write",
        "gpt-6.1-sol",
        Usage(300_000, 10, cache_write_tokens=100_000),
        Tier.ULTRAFAST,
        per_million("24", 200_000) + per_million("30", 100_000) + per_million("90", 10),
    ),
    (
        "a flex price that was published rounded",
        "gpt-5.4",
        Usage(10_000, 0, cached_tokens=9_999),
        Tier.FLEX,
        per_million("1.25", 1) + per_million("0.13", 9_999),
    ),
    ("the cheapest token there is", "gpt-5-nano", Usage(1, 0, cached_tokens=1), Tier.STANDARD, per_million("0.005", 1)),
    ("half of the cheapest token", "gpt-5-nano", Usage(1, 0, cached_tokens=1), Tier.FLEX, per_million("0.0025", 1)),
    ("a million dear words", "o1-pro", Usage(0, 100_000), Tier.STANDARD, per_million("600", 100_000)),
    (
        "searches are billed by the call, beside what they read",
        "gpt-6.1-sol",
        Usage(20_000, 300, web_searches=3),
        Tier.STANDARD,
        per_million("2", 20_000) + per_million("10", 300) + Fraction(3 * 10, 1_000),
    ),
    (
        "a search costs an older model two and a half times as much",
        "gpt-4.1",
        Usage(20_000, 300, web_searches=1),
        Tier.STANDARD,
        per_million("2", 20_000) + per_million("8", 300) + Fraction(25, 1_000),
    ),
    ("nothing used, nothing billed", "gpt-6-astra", Usage(0, 0), Tier.STANDARD, Fraction(0)),
]


def tariff_of(book: PriceBook, model: str, at: Instant = AT) -> RatedTariff:
    tariff = book.tariff("openai", model, at)
    assert tariff is not None
    return tariff


@pytest.mark.parametrize(("model", "usage", "tier", "dollars"), [case[1:] for case in EXAMPLES], ids=[case[0] for case in EXAMPLES])
def test_the_worked_example_costs_what_it_does_by_hand(book: PriceBook, model: str, usage: Usage, tier: Tier, dollars: Fraction) -> None:
    assert cost(usage, tariff_of(book, model), tier) == ceil(dollars * 10**9)


def test_the_long_band_example_is_885_000_000_nano_dollars(book: PriceBook) -> None:
    usage = Usage(300_000, 1_000, cached_tokens=100_000, cache_write_tokens=50_000)
    assert cost(usage, tariff_of(book, "gpt-6.1-sol"), Tier.STANDARD) == 885_000_000


UNPRICED: list[tuple[str, str, Usage, Tier]] = [
    ("a tier without prices", "gpt-4.1", Usage(1, 1), Tier.FLEX),
    ("a tier without prices in the long band", "gpt-5.5", Usage(272_001, 1), Tier.PRIORITY),
    ("cached tokens without a price", "gpt-5.5-pro", Usage(10, 1, cached_tokens=1), Tier.STANDARD),
    ("cache writes without a price", "gpt-5.5", Usage(10, 1, cache_write_tokens=1), Tier.STANDARD),
    ("searches without a price", "gpt-4o", Usage(10, 1, web_searches=1), Tier.STANDARD),
    ("more cached and written than was read", "gpt-6.1-sol", Usage(10, 1, cached_tokens=6, cache_write_tokens=5), Tier.STANDARD),
    (
        "more written for long than written at all",
        "gpt-6.1-sol",
        Usage(9, 1, cache_write_tokens=1, cache_write_12h_tokens=2),
        Tier.STANDARD,
    ),
]


@pytest.mark.parametrize(("model", "usage", "tier"), [case[1:] for case in UNPRICED], ids=[case[0] for case in UNPRICED])
def test_what_has_no_price_has_no_cost_and_is_never_free(book: PriceBook, model: str, usage: Usage, tier: Tier) -> None:
    assert cost(usage, tariff_of(book, model), tier) is None


def test_a_tariff_that_prices_audio_apart_has_no_cost() -> None:
    prices = {(unit, Tier.STANDARD, Band.SHORT): Price(1) for unit in (Unit.INPUT, Unit.OUTPUT, Unit.AUDIO_INPUT)}
    assert cost(Usage(1, 1), rate(a_tariff(prices, None)), Tier.STANDARD) is None


def test_the_answer_decides_the_tier_that_is_billed() -> None:
    assert billed_tier("default", Tier.PRIORITY) is Tier.STANDARD
    assert billed_tier("auto", Tier.PRIORITY) is Tier.STANDARD
    assert billed_tier("fast", Tier.STANDARD) is Tier.PRIORITY
    assert billed_tier("flex", Tier.STANDARD) is Tier.FLEX
    assert billed_tier(None, Tier.FLEX) is Tier.FLEX
    assert billed_tier("scale", Tier.STANDARD) is None
    assert billed_tier("warp", Tier.STANDARD) is None


def test_every_tier_has_a_name_in_answers() -> None:
    assert set(TIER_NAMES.values()) == set(Tier)


def a_tariff(prices: dict[tuple[Unit, Tier, Band], Price], band_tokens: int | None) -> Tariff:
    return Tariff(
        row=1,
        path="openai",
        model="gpt-x",
        prices=prices,
        window_tokens=922_000,
        max_output_tokens=128_000,
        band_tokens=band_tokens,
        reasoning=True,
        valid_from=Instant(0),
        valid_to=None,
        verified_on="2026-11-12",
        source="by hand",
    )


METERED = (Unit.INPUT, Unit.CACHED, Unit.CACHE_WRITE_30M, Unit.CACHE_WRITE_12H, Unit.OUTPUT)
amounts = st.builds(Price, st.integers(1, 10**9), st.sampled_from([1, 3, 7, 10, 1000]))


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    band_tokens = draw(st.none() | st.integers(1, 400_000))
    keys = [(unit, tier, band) for unit in METERED for tier in Tier for band in Band if band is Band.SHORT or band_tokens is not None]
    prices = {key: draw(amounts) for key in keys}
    prices[Unit.WEB_SEARCH, Tier.STANDARD, Band.SHORT] = draw(amounts)
    return a_tariff(prices, band_tokens)


@st.composite
def usages(draw: st.DrawFn, most_input: int = 500_000) -> Usage:
    read = draw(st.integers(0, most_input))
    cached = draw(st.integers(0, read))
    written = draw(st.integers(0, read - cached))
    long_lived = draw(st.integers(0, written))
    return Usage(read, draw(st.integers(0, 200_000)), cached, written, long_lived, 0, draw(st.integers(0, 9)))


def by_hand(usage: Usage, tariff: Tariff, tier: Tier) -> Fraction:
    """Dollars, class by class, in fractions."""
    band = Band.LONG if tariff.band_tokens is not None and usage.input_tokens > tariff.band_tokens else Band.SHORT
    counts = {
        Unit.INPUT: usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens,
        Unit.CACHED: usage.cached_tokens,
        Unit.CACHE_WRITE_30M: usage.cache_write_tokens - usage.cache_write_12h_tokens,
        Unit.CACHE_WRITE_12H: usage.cache_write_12h_tokens,
        Unit.OUTPUT: usage.output_tokens,
    }
    total = sum(
        (Fraction(count * tariff.prices[unit, tier, band].pico, tariff.prices[unit, tier, band].per) for unit, count in counts.items())
    )
    fee = tariff.prices[Unit.WEB_SEARCH, Tier.STANDARD, Band.SHORT]
    return (total + Fraction(usage.web_searches * fee.pico, fee.per)) / 10**12


@given(tariff=tariffs(), usage=usages(), tier=st.sampled_from(Tier))
def test_every_usage_costs_the_hand_formula_rounded_up_once(tariff: Tariff, usage: Usage, tier: Tier) -> None:
    assert cost(usage, rate(tariff), tier) == ceil(by_hand(usage, tariff, tier) * 10**9)


@given(tariff=tariffs(), usage=usages(), tier=st.sampled_from(Tier))
def test_a_region_costs_ten_per_cent_more_exactly_and_searches_do_not(tariff: Tariff, usage: Usage, tier: Tier) -> None:
    fee = tariff.prices[Unit.WEB_SEARCH, Tier.STANDARD, Band.SHORT]
    fees = Fraction(usage.web_searches * fee.pico, fee.per) / 10**12
    raised = (by_hand(usage, tariff, tier) - fees) * Fraction(11, 10) + fees
    assert cost(usage, rate(uplifted(tariff)), tier) == ceil(raised * 10**9)


@given(tariff=tariffs(), usage=usages(), tier=st.sampled_from(Tier))
def test_a_cost_is_a_whole_number_of_nano_dollars(tariff: Tariff, usage: Usage, tier: Tier) -> None:
    assert type(cost(usage, rate(tariff), tier)) is int
