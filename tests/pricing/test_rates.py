"""What is worked out beforehand from a tariff: one denominator, the dearest of each band, the regional uplift."""

from __future__ import annotations

from headgate.names import Instant
from headgate.pricing.book import PriceBook
from headgate.pricing.cost import cost
from headgate.pricing.entry import day_instant
from headgate.pricing.rates import rate, uplifted
from headgate.terms.tariff import Band, Price, Tariff, Tier, Unit
from headgate.wire.usage import Usage


def a_tariff(**prices: Price) -> Tariff:
    rows = {(Unit(name), Tier.STANDARD, Band.SHORT): price for name, price in prices.items()}
    return Tariff(1, "openai", "gpt-x", rows, 400_000, 128_000, None, True, Instant(0), None, "2026-11-12", "by hand")


def test_prices_of_different_units_meet_at_one_denominator() -> None:
    rated = rate(a_tariff(input=Price(1, 3), output=Price(5, 2), web_search=Price(7)))
    short = rated.rates[Tier.STANDARD].short
    assert short is not None
    assert (rated.common, short.input, short.output, rated.fees) == (6, 2, 15, {Unit.WEB_SEARCH: 42})


def test_the_dearest_input_and_output_are_known_whatever_their_kind() -> None:
    prices = {
        "input": 5,
        "cached_input": 1,
        "cache_write_30m": 6,
        "cache_write_12h": 9,
        "output": 20,
        "image_output": 30,
        "audio_output": 10,
    }
    rated = rate(a_tariff(**{name: Price(pico) for name, pico in prices.items()}))
    short = rated.rates[Tier.STANDARD].short
    assert short is not None and (short.dearest_input, short.dearest_output) == (9, 30)
    assert rated.split


def test_a_tier_or_band_without_prices_has_no_rates() -> None:
    rated = rate(a_tariff(input=Price(1), output=Price(1)))
    assert set(rated.rates) == {Tier.STANDARD} and rated.rates[Tier.STANDARD].long is None


def test_a_third_of_a_pico_dollar_is_rounded_up_to_a_nano_dollar_and_not_down_to_nothing() -> None:
    rated = rate(a_tariff(input=Price(1, 3), output=Price(1, 3)))
    assert cost(Usage(1, 0), rated, Tier.STANDARD) == 1
    assert cost(Usage(3_000, 0), rated, Tier.STANDARD) == 1
    assert cost(Usage(3_001, 0), rated, Tier.STANDARD) == 2


def test_an_uplift_of_ten_per_cent_stays_whole_and_leaves_the_fees(book: PriceBook) -> None:
    tariff = book.tariff("openai", "gpt-6.1-sol", day_instant("2026-11-21"))
    assert tariff is not None
    raised = uplifted(tariff)
    assert raised.prices[Unit.INPUT, Tier.STANDARD, Band.SHORT] == Price(2_200_000)
    assert raised.prices[Unit.OUTPUT, Tier.PRIORITY, Band.LONG] == Price(33_000_000)
    assert raised.prices[Unit.WEB_SEARCH, Tier.STANDARD, Band.SHORT] == tariff.prices[Unit.WEB_SEARCH, Tier.STANDARD, Band.SHORT]
    assert uplifted(a_tariff(input=Price(3), output=Price(10))).prices[Unit.INPUT, Tier.STANDARD, Band.SHORT] == Price(33, 10)
    assert uplifted(tariff, 0).prices == tariff.prices
