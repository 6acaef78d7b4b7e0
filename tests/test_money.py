"""Whole nano-dollars in, whole nano-dollars out, and one rounding, upwards."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.money import MAX_CAP, NANO_PER_DOLLAR, PICO_PER_NANO, ceil_nano, parse_dollars, show_dollars


@pytest.mark.parametrize(("pico", "nano"), [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2), (2_500, 3)])
def test_a_cost_is_rounded_up_to_the_next_nano_dollar(pico: int, nano: int) -> None:
    assert ceil_nano(pico) == nano


@given(st.integers(0, 10**24))
def test_no_rounding_is_downwards_or_by_a_whole_nano_dollar(pico: int) -> None:
    assert 0 <= ceil_nano(pico) - Fraction(pico, PICO_PER_NANO) < 1


def test_a_negative_cost_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        ceil_nano(-1)


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        ("500", 500 * NANO_PER_DOLLAR),
        ("0.25", 250_000_000),
        ("$1,000.000000001", 10**12 + 1),
        (" 1_000 ", 10**12),
        ("0", 0),
        ("4000000000", MAX_CAP),
    ],
)
def test_an_amount_as_people_write_it_is_read_exactly(text: str, nano: int) -> None:
    assert parse_dollars(text) == nano


@pytest.mark.parametrize("text", ["", "-1", "1e3", "nan", "inf", "0.1234567891", "1.", ".5", "12345678901", "٣", "1 000"])
def test_what_is_not_an_amount_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="for example"):
        parse_dollars(text)


def test_an_amount_above_the_largest_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"more than the largest amount, \$4,000,000,000\.00"):
        parse_dollars("4000000000.000000001")


@pytest.mark.parametrize(
    ("nano", "text"),
    [(5 * NANO_PER_DOLLAR, "$5.00"), (1, "$0.000000001"), (1_234_500_000_000, "$1,234.50"), (-250_000_000, "-$0.25"), (0, "$0.00")],
)
def test_an_amount_is_shown_with_two_decimals_or_as_many_as_it_has(nano: int, text: str) -> None:
    assert show_dollars(nano) == text


@given(st.integers(0, MAX_CAP))
def test_what_is_shown_reads_back_to_the_nano_dollar(nano: int) -> None:
    assert parse_dollars(show_dollars(nano)) == nano
