"""A hold is closed: what each leg posts, gives back or runs over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.ledger.balance import Balance
from headgate.ledger.hold import EntryKind
from headgate.ledger.settle import Movement, doubt, post, refund, void
from headgate.names import Instant
from headgate.terms.budget import Measure


def budget(cap: int, posted: int = 0, held: int = 0, suspect: int = 0, measure: Measure = Measure.MONEY, number: int = 1) -> Balance:
    return Balance(number, "r", "s", measure, Instant(0), Instant(1), cap, None, posted, held, suspect, 0)


def test_what_was_used_is_posted_and_the_rest_of_the_hold_comes_back() -> None:
    b = budget(100, posted=10, held=50)
    done = post([(b, 40)], 15, 0, suspect=False)
    assert (b.posted, b.held, b.room) == (25, 10, 65)
    assert done.movements == (Movement(1, EntryKind.POST, 15),)
    assert (done.breached, done.overran, done.breach_nano, done.overrun_nano) == (False, False, 0, 0)


def test_each_leg_posts_in_its_own_measure() -> None:
    money, tokens = budget(100, held=40), budget(1000, held=300, measure=Measure.TOKENS, number=2)
    done = post([(money, 40), (tokens, 300)], 15, 120, suspect=False)
    assert (money.posted, tokens.posted) == (15, 120)
    assert done.movements == (Movement(1, EntryKind.POST, 15), Movement(2, EntryKind.POST, 120))


def test_a_cost_above_the_hold_is_a_breach_and_is_posted_while_there_is_room() -> None:
    b = budget(100, posted=10, held=50)
    done = post([(b, 20)], 35, 0, suspect=False)
    assert (b.posted, b.held, b.overrun) == (45, 30, 0)
    assert (done.breached, done.breach_nano, done.overran, done.overrun_nano) == (True, 15, False, 0)


def test_a_cost_above_the_room_is_an_overrun_beside_the_cap_and_never_inside_it() -> None:
    b = budget(100, posted=10, held=80)
    done = post([(b, 20)], 95, 0, suspect=False)
    assert (b.posted, b.held, b.overrun, b.posted + b.held) == (40, 60, 65, 100)
    assert done.movements == (Movement(1, EntryKind.POST, 30), Movement(1, EntryKind.OVERRUN, 65))
    assert (done.breached, done.breach_nano, done.overran, done.overrun_nano) == (True, 75, True, 65)


def test_the_worst_leg_tells_the_breach() -> None:
    tight, wide = budget(50, held=20, number=1), budget(500, held=20, number=2)
    done = post([(tight, 20), (wide, 20)], 70, 0, suspect=False)
    assert (done.breach_nano, done.overrun_nano, tight.overrun, wide.overrun) == (50, 20, 20, 0)


def test_more_tokens_than_were_held_are_a_breach_too_but_no_money() -> None:
    b = budget(100, held=20, measure=Measure.TOKENS)
    done = post([(b, 20)], 5, 25, suspect=False)
    assert (done.breached, done.breach_nano, done.overran, b.posted) == (True, 0, False, 25)
    done = post([(budget(20, held=20, measure=Measure.TOKENS), 20)], 5, 25, suspect=False)
    assert (done.breached, done.overran, done.overrun_nano) == (True, True, 0)


def test_a_cap_on_its_way_down_does_not_turn_a_bounded_call_into_an_overrun() -> None:
    b = budget(100, posted=30, held=60)
    b.set_cap(10)
    done = post([(b, 60)], 60, 0, suspect=False)
    assert (b.posted, b.overrun, b.cap, b.target, done.overran) == (90, 0, 90, 10, False)


def test_a_lowered_cap_steps_down_with_each_hold_that_settles() -> None:
    b = budget(100, posted=30, held=60)
    b.set_cap(40)
    post([(b, 20)], 5, 0, suspect=False)
    assert (b.cap, b.target, b.posted, b.held) == (75, 40, 35, 40)
    void([(b, 40)], suspect=False)
    assert (b.cap, b.target, b.posted, b.held) == (40, None, 35, 0)


def test_a_voided_hold_gives_everything_back() -> None:
    b = budget(100, posted=10, held=50)
    void([(b, 40)], suspect=False)
    assert (b.posted, b.held, b.room) == (10, 10, 80)


def test_doubt_keeps_the_hold_in_full_and_marks_it() -> None:
    b = budget(100, posted=10, held=50)
    doubt([(b, 40)])
    assert (b.posted, b.held, b.suspect, b.room) == (10, 50, 40, 40)


def test_what_was_suspect_is_so_no_more_when_it_ends() -> None:
    for end in (lambda b: post([(b, 40)], 40, 0, suspect=True), lambda b: void([(b, 40)], suspect=True)):
        b = budget(100, posted=10, held=50, suspect=45)
        end(b)
        assert (b.held, b.suspect) == (10, 5)


def test_a_refund_gives_back_what_was_posted_too_much() -> None:
    money, tokens = budget(100, posted=40), budget(1000, posted=300, measure=Measure.TOKENS, number=2)
    assert refund([(money, 30), (tokens, 200)], 12, 150) == (Movement(1, EntryKind.REFUND, 18), Movement(2, EntryKind.REFUND, 50))
    assert (money.posted, tokens.posted) == (22, 250)


def test_a_refund_below_an_overrun_takes_nothing_that_was_never_posted() -> None:
    b = budget(100, posted=100)
    assert refund([(b, 20)], 25, 0) == (Movement(1, EntryKind.REFUND, 0),)
    assert b.posted == 100


def test_a_refund_lets_a_lowered_cap_step_down() -> None:
    b = budget(100, posted=90)
    b.set_cap(50)
    refund([(b, 60)], 30, 0)
    assert (b.posted, b.cap, b.target) == (60, 60, 50)


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100), st.integers(0, 400), st.integers(0, 300))
def test_no_bill_is_lost_and_none_passes_the_cap(posted: int, other: int, held: int, nano: int, lower: int) -> None:
    b = budget(300, posted, other + held)
    b.set_cap(lower)
    done = post([(b, held)], nano, 0, suspect=False)
    assert sum(movement.amount for movement in done.movements) == nano == b.posted - posted + b.overrun
    assert b.posted + b.held <= b.cap and b.held == other
    assert done.breached == (nano > held)
    assert b.overrun == 0 or done.overran
