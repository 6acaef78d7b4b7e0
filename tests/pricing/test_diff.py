"""What a reviewer sees before a new sheet holds: every price that came, went or moved, and a fall by more than half flagged."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from headgate.pricing.diff import Change, Difference, differences, steep_falls
from headgate.pricing.entry import Entry, PriceRow, Sheet
from headgate.terms.tariff import Band, Price, Tier, Unit


def entry(*picos: int, **said: object) -> Entry:
    units = (Unit.INPUT, Unit.OUTPUT, Unit.CACHED)
    prices = tuple(PriceRow(unit, Tier.STANDARD, Band.SHORT, pico) for unit, pico in zip(units, picos, strict=False))
    made = Entry("openai", None, "gpt-x", 400_000, 128_000, None, True, None, "x", "2026-11-12", "2026-11-12", None, prices)
    return msgspec.structs.replace(made, **said)


def changed(what: str, old: Price | str | int | None, new: Price | str | int | None, steep: bool = False) -> Difference:
    return Difference(Change.CHANGED, "openai", None, "gpt-x", what, old, new, steep)


def test_the_same_prices_verified_again_have_no_difference() -> None:
    again = entry(2, 10, verified_on="2026-12-12", valid_from="2026-12-12", source="y")
    assert differences([entry(2, 10)], [again]) == []


def test_a_price_that_moves_says_from_what_to_what() -> None:
    assert differences([entry(2, 10)], [entry(2, 12)]) == [changed("output standard short", Price(10), Price(12))]


def test_a_price_written_in_other_units_has_not_moved() -> None:
    other = msgspec.structs.replace(entry(2), prices=(PriceRow(Unit.INPUT, Tier.STANDARD, Band.SHORT, 20, 10),))
    assert differences([entry(2)], [other]) == []


def test_a_fall_by_half_is_told_and_a_deeper_one_is_flagged() -> None:
    half, deeper = differences([entry(10)], [entry(5)]), differences([entry(10)], [entry(4)])
    assert [one.steep for one in (*half, *deeper)] == [False, True]
    assert steep_falls([*half, *deeper]) == deeper


def test_a_rise_is_never_flagged_as_a_fall() -> None:
    assert not steep_falls(differences([entry(1)], [entry(1_000)]))


def test_a_price_that_comes_or_goes_has_no_other_side() -> None:
    (came,) = differences([entry(2, 10)], [entry(2, 10, 1)])
    (went,) = differences([entry(2, 10, 1)], [entry(2, 10)])
    assert (came.change, came.what, came.old, came.new) == (Change.ADDED, "cached_input standard short", None, Price(1))
    assert (went.change, went.old, went.new) == (Change.REMOVED, Price(1), None)


def test_a_model_that_comes_or_goes_is_told_price_by_price() -> None:
    found = differences([entry(2, 10)], [entry(2, 10), entry(3, 4, model="gpt-y")])
    assert [(one.change, one.model) for one in found] == [(Change.ADDED, "gpt-y")] * 2
    assert [one.change for one in differences([entry(2, 10)], [])] == [Change.REMOVED] * 2


def test_a_limit_that_moves_is_told_because_it_moves_a_bound() -> None:
    assert differences([entry(2)], [entry(2, window_tokens=1, shutdown_on="2027-01-01")]) == [
        changed("window_tokens", 400_000, 1),
        changed("shutdown_on", None, "2027-01-01"),
    ]


def test_the_latest_span_of_days_is_compared() -> None:
    old = [entry(9, valid_from="2026-01-01", valid_to="2026-11-12"), entry(2)]
    assert differences(old, [entry(2)]) == []


def test_the_same_model_on_another_path_is_another_line() -> None:
    (found,) = differences([entry(2)], [entry(2), entry(1, path="eu")])
    assert (found.change, found.path) == (Change.ADDED, "eu")


def test_the_public_sheet_has_no_difference_from_itself(public: Sheet) -> None:
    assert differences(public.entries, public.entries) == []


@given(old=st.lists(st.integers(1, 9), min_size=1, max_size=3), new=st.lists(st.integers(1, 9), min_size=1, max_size=3))
def test_a_difference_seen_from_the_other_side_is_its_mirror(old: list[int], new: list[int]) -> None:
    there, back = differences([entry(*old)], [entry(*new)]), differences([entry(*new)], [entry(*old)])
    assert [(one.what, one.old, one.new) for one in there] == [(one.what, one.new, one.old) for one in back]
