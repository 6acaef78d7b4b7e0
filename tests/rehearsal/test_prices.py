from __future__ import annotations

from fractions import Fraction

import pytest

from headgate.rehearsal.meter import Tokens, cost, nano_ceiling, pico
from headgate.rehearsal.prices import LONG_CONTEXT, price_list

ROWS = price_list()


def test_every_price_is_a_whole_number_of_pico_dollars_a_token() -> None:
    for row in ROWS.values():
        for rates in row.rates.values():
            assert all(pico(price) > 0 for price in (rates.input, rates.cached, rates.write_30m, rates.write_12h, rates.output))


def test_the_worked_example_of_the_long_band_comes_out_to_the_cent() -> None:
    # 300,000 in (100,000 cached, 50,000 written for 30 minutes) and 1,000 out of gpt-6.1-sol are 0.885 dollars.
    assert cost(ROWS["gpt-6.1-sol"], "default", Tokens(300_000, 1_000, cached=100_000, write_30m=50_000)) == Fraction(885, 1_000)


@pytest.mark.parametrize(
    ("model", "tier", "tokens", "dollars"),
    [
        ("gpt-5.5", "default", Tokens(1_000_000 // 4, 1_000), "1.28"),
        ("gpt-5.5", "flex", Tokens(200_000, 1_000), "0.515"),
        ("gpt-5.5", "priority", Tokens(200_000, 1_000), "2.575"),
        ("gpt-6.1-sol", "ultrafast", Tokens(100_000, 1_000), "1.26"),
        ("gpt-5.6-luna", "default", Tokens(10_000, 100, cached=5_000, write_30m=1_000, write_12h=1_000), "0.00157"),
        ("gpt-5.4", "flex", Tokens(100_000, 0, cached=100_000), "0.013"),
        ("o4-mini", "flex", Tokens(100_000, 0, cached=100_000), "0.0138"),
        ("gpt-4o", "default", Tokens(1_000, 100, cached=1_000), "0.00225"),
        ("gpt-6-luna", "flex", Tokens(1, 0, cached=1), "0.000000005"),
        ("gpt-5.5", "default", Tokens(100, 10, searches=3), "0.0308"),
    ],
)
def test_worked_examples_come_out_exactly(model: str, tier: str, tokens: Tokens, dollars: str) -> None:
    assert cost(ROWS[model], tier, tokens) == Fraction(dollars)


def test_one_token_too_many_brings_the_whole_request_into_the_long_band() -> None:
    row = ROWS["gpt-5.5"]
    assert cost(row, "default", Tokens(LONG_CONTEXT, 1_000)) == Fraction("1.39")
    assert cost(row, "default", Tokens(LONG_CONTEXT + 1, 1_000)) == Fraction(2 * 5 * (LONG_CONTEXT + 1), 1_000_000) + Fraction("0.045")


def test_a_model_without_a_long_band_costs_the_same_however_long() -> None:
    rates = ROWS["gpt-5.4-mini"].rates
    assert rates["default", True] == rates["default", False]


def test_a_tier_that_is_not_sold_has_no_price() -> None:
    assert not ROWS["gpt-4o"].sells("flex")
    with pytest.raises(KeyError):
        cost(ROWS["gpt-4o"], "flex", Tokens(1, 1))


def test_a_snapshot_is_the_same_row_as_its_alias() -> None:
    assert ROWS["gpt-6.1-sol-2026-09-29"] is ROWS["gpt-6.1-sol"]


def test_a_cost_is_rounded_up_to_the_next_nano_dollar() -> None:
    assert nano_ceiling(Fraction(1, 10**12)) == 1
    assert nano_ceiling(Fraction(1_000, 10**12)) == 1
    assert nano_ceiling(Fraction(1_001, 10**12)) == 2
