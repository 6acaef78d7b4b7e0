from __future__ import annotations

import json
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from headgate.rehearsal.meter import Meter, Tokens, call_shown, cost, pico, sum_shown
from headgate.rehearsal.prices import price_list

ROW = price_list()["gpt-6.1-sol"]

Parts = st.tuples(*(st.integers(0, 100_000) for _ in range(5)))


def tokens_from(parts: tuple[int, ...]) -> Tokens:
    plain, cached, write_30m, write_12h, output = parts
    return Tokens(plain + cached + write_30m + write_12h, output, cached, write_30m, write_12h)


@given(st.lists(st.tuples(st.sampled_from("ab"), Parts), max_size=12))
def test_every_sum_of_the_meter_is_the_sum_of_its_calls(bills: list[tuple[str, tuple[int, ...]]]) -> None:
    meter = Meter()
    expected: dict[str, Fraction] = {}
    for key, parts in bills:
        meter.bill(meter.open(key, f"project-{key}", "responses", 1_000_000), ROW, "default", tokens_from(parts))
        expected[key] = expected.get(key, Fraction()) + cost(ROW, "default", tokens_from(parts))
    assert meter.total.billed == sum(expected.values(), Fraction())
    assert {key: total.billed for key, total in meter.by_key.items()} == expected
    assert sum((line.amount for line in meter.lines.values()), Fraction()) == meter.total.billed
    assert sum(used.requests for used in meter.used.values()) == len(bills) == meter.total.billed_requests


@given(Parts, Parts)
def test_a_corrected_bill_leaves_no_trace_of_the_first(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    corrected, straight = Meter(), Meter()
    call = corrected.open("a", "p", "chat", 60)
    corrected.bill(call, ROW, "priority", tokens_from(first))
    corrected.bill_anew(call, ROW, tokens_from(second))
    straight.bill(straight.open("a", "p", "chat", 60), ROW, "priority", tokens_from(second))
    assert sum_shown(corrected.total) == sum_shown(straight.total)
    assert corrected.used == straight.used
    assert {item: line for item, line in corrected.lines.items() if line.quantity} == straight.lines


def test_a_refused_request_counts_and_costs_nothing() -> None:
    meter = Meter()
    call = meter.open("a", "p", "responses", 60)
    assert sum_shown(meter.total)["requests"] == 1
    assert sum_shown(meter.total)["billed_pico"] == "0"
    assert call_shown(call)["tokens"] is None


def test_amounts_are_told_as_strings_of_whole_numbers() -> None:
    meter = Meter()
    call = meter.open("a", "p", "responses", 60)
    meter.bill(call, price_list()["gpt-6-luna"], "flex", Tokens(1, 0, cached=1))
    told = json.loads(json.dumps([sum_shown(meter.total), call_shown(call)]))
    assert [member["billed_pico"] for member in told] == ["5000", "5000"]
    assert [member["billed_nano_ceiling"] for member in told] == ["5", "5"]
    assert pico(meter.total.billed) == 5_000


def test_the_ceiling_of_a_sum_is_the_sum_of_the_ceilings_of_its_calls() -> None:
    meter = Meter()
    for _ in range(3):
        # 62,500 pico-dollars at half a cached token price of 0.125: one call is 63 nano-dollars, three are 189 and not 188.
        meter.bill(meter.open("a", "p", "responses", 60), price_list()["gpt-5.1"], "flex", Tokens(1, 0, cached=1))
    assert sum_shown(meter.total)["billed_pico"] == str(3 * 62_500)
    assert sum_shown(meter.total)["billed_nano_ceiling"] == str(3 * 63)
