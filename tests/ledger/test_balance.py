"""One budget in one period: its room, and a cap that is lowered while holds are open."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.ledger.balance import Balance
from headgate.names import Instant
from headgate.terms.budget import Measure


def balance(cap: int = 100, posted: int = 0, held: int = 0, suspect: int = 0, target: int | None = None) -> Balance:
    return Balance(
        1, "workspace:ci/day/money", "workspace:ci", Measure.MONEY, Instant(0), Instant(10), cap, target, posted, held, suspect, 0
    )


def test_the_room_is_what_neither_spent_nor_held() -> None:
    assert balance(100, posted=30, held=20).room == 50


def test_what_is_suspect_does_not_come_back_by_waiting() -> None:
    assert balance(100, posted=30, held=20, suspect=15).room_at_rest == 55


def test_a_cap_below_what_is_in_use_is_waited_for_and_leaves_no_room() -> None:
    b = balance(100, posted=30, held=40)
    b.set_cap(20)
    assert (b.cap, b.target, b.room, b.room_at_rest) == (70, 20, -50, -10)


def test_a_lowered_cap_steps_down_as_holds_settle_until_it_is_reached() -> None:
    b = balance(100, posted=30, held=40)
    b.set_cap(35)
    b.held = 20
    b.step_down()
    assert (b.cap, b.target) == (50, 35)
    b.held = 0
    b.step_down()
    assert (b.cap, b.target) == (35, None)


def test_without_a_lower_cap_a_step_changes_nothing() -> None:
    b = balance(100, posted=30, held=40)
    b.step_down()
    assert (b.cap, b.target) == (100, None)


def test_a_raise_while_waiting_for_a_lower_cap_wins_at_once() -> None:
    b = balance(70, posted=30, held=40, target=20)
    b.set_cap(500)
    assert (b.cap, b.target, b.room) == (500, None, 430)


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 400))
def test_no_change_of_a_cap_breaks_the_wall(posted: int, held: int, wanted: int) -> None:
    b = balance(200, posted=posted, held=held)
    b.set_cap(wanted)
    assert b.posted + b.held <= b.cap
    assert b.target is None or b.target < b.cap == posted + held
    assert b.room == wanted - posted - held
