"""An order is fitted to the room there is: in full, or it waits, or it is shortened, or it is refused; everywhere or nowhere."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.ledger.balance import Balance
from headgate.ledger.reserve import RETRY_BUSY_SECONDS, WAIT, Wait, amount, reserve
from headgate.money import MAX_CAP, MAX_HOLD
from headgate.names import Instant
from headgate.refusal import Reason, Refusal
from headgate.terms.bound import Bound
from headgate.terms.budget import Measure

ENDS_US = Instant(1_790_000_000_000_000)  # 2026-09-21 14:13:20 UTC


def budget(
    cap: int, posted: int = 0, held: int = 0, suspect: int = 0, measure: Measure = Measure.MONEY, number: int = 1, target: int | None = None
) -> Balance:
    return Balance(
        number, "workspace:ci/day/money", f"workspace:ci{number}", measure, Instant(0), ENDS_US, cap, target, posted, held, suspect, 0
    )


def bound(wanted: int, least: int, fixed: int = 0, tokens: int = 0, choices: int = 1) -> Bound:
    """One nano-dollar a token, and `fixed` nano-dollars."""
    return Bound(tokens, fixed * 1000, 1000, wanted, least, choices)


def refusal(answer: object) -> Refusal:
    assert isinstance(answer, Refusal), answer
    return answer


def test_what_fits_is_granted_in_full_up_to_the_last_nano_dollar() -> None:
    b = budget(100, posted=60, held=10)
    assert reserve(bound(30, 30), [b], {}, False) == 30
    assert (b.held, b.room) == (40, 0)


def test_what_fits_exactly_neither_waits_nor_shares() -> None:
    assert reserve(bound(30, 5), [budget(100, posted=60, held=10)], {1: 9}, True) == 30


def test_one_nano_dollar_too_much_does_not_fit() -> None:
    b = budget(100, posted=60, held=10)
    assert refusal(reserve(bound(31, 31), [b], {}, False)).reason is Reason.BUDGET_BUSY
    assert b.held == 10


def test_a_refusal_holds_nothing_anywhere() -> None:
    wide, narrow = budget(1000, number=1), budget(10, posted=5, number=2)
    assert refusal(reserve(bound(20, 20), [wide, narrow], {}, False)).scope == "workspace:ci2"
    assert (wide.held, narrow.held) == (0, 0)


def test_each_budget_is_held_in_its_own_measure() -> None:
    money, tokens = budget(1000, number=1), budget(1000, measure=Measure.TOKENS, number=2)
    assert reserve(bound(20, 20, fixed=7, tokens=100, choices=3), [money, tokens], {}, False) == 20
    assert (money.held, tokens.held) == (27, 160)


def test_who_can_wait_waits_while_open_calls_hold_the_room() -> None:
    b = budget(100, held=95)
    assert reserve(bound(20, 4), [b], {}, True) is WAIT
    assert b.held == 95
    assert isinstance(WAIT, Wait)


def test_nobody_waits_for_what_is_suspect() -> None:
    b = budget(100, held=90, suspect=90)
    assert reserve(bound(20, 4), [b], {}, True) == 10


def test_after_the_wait_an_answer_is_shortened_to_what_fits() -> None:
    b = budget(100, held=90)
    assert reserve(bound(20, 4), [b], {}, False) == 10
    assert b.room == 0


def test_a_shortened_answer_takes_a_fair_share_and_leaves_the_rest_to_the_others() -> None:
    b = budget(100, held=60)
    assert reserve(bound(50, 4), [b], {1: 3}, False) == 10
    assert b.room == 30


def test_a_share_below_the_least_useful_amount_becomes_the_least_useful_amount() -> None:
    b = budget(100, held=60)
    assert reserve(bound(50, 15), [b], {1: 9}, False) == 15


def test_the_tightest_budget_decides_how_far_an_answer_is_shortened() -> None:
    budgets = [budget(100, held=60, number=1), budget(100, held=80, number=2), budget(100, measure=Measure.TOKENS, number=3, held=70)]
    assert reserve(bound(50, 4, tokens=5), budgets, {}, False) == 20
    assert [b.held for b in budgets] == [80, 100, 95]


def test_where_the_client_chose_the_length_it_is_never_shortened() -> None:
    b = budget(100, held=60)
    assert refusal(reserve(bound(50, 50), [b], {}, False)).reason is Reason.BUDGET_BUSY


def test_exhausted_is_said_only_when_waiting_could_never_help() -> None:
    assert refusal(reserve(bound(20, 20), [budget(100, posted=81, held=10)], {}, True)).reason is Reason.BUDGET_EXHAUSTED
    assert reserve(bound(20, 20), [budget(100, posted=80, held=10)], {}, True) is WAIT
    assert refusal(reserve(bound(20, 20), [budget(100, posted=50, held=31, suspect=31)], {}, True)).reason is Reason.BUDGET_EXHAUSTED


def test_exhausted_says_what_is_left_what_it_needs_and_when_it_resets() -> None:
    answer = refusal(reserve(bound(20, 20), [budget(100, posted=90)], {}, False))
    assert answer.message.startswith(
        "Budget used up: budget workspace:ci1 (workspace:ci/day/money) has $0.00000001 left of $0.0000001 ($0.00000009 spent, "
        "$0.00 held by open calls); this call may cost $0.00000002. It resets 2026-09-21 14:13 UTC"
    )
    assert (answer.resets_at, answer.retry_after, answer.scope) == (1_790_000_000, None, "workspace:ci1")


def test_busy_says_when_to_come_back_and_shows_tokens_as_tokens() -> None:
    answer = refusal(reserve(bound(20, 20), [budget(3000, posted=1990, held=1000, measure=Measure.TOKENS)], {}, False))
    assert "has 10 tokens left of 3,000 tokens (1,990 tokens spent, 1,000 tokens held" in answer.message
    assert (answer.reason, answer.retry_after, answer.resets_at) == (Reason.BUDGET_BUSY, RETRY_BUSY_SECONDS, None)


def test_a_cap_on_its_way_down_counts_as_reached_and_never_shows_less_than_nothing() -> None:
    answer = refusal(reserve(bound(20, 20), [budget(100, posted=50, held=50, target=60)], {}, False))
    assert answer.reason is Reason.BUDGET_EXHAUSTED
    assert "has $0.00 left of $0.00000006" in answer.message


def test_a_call_that_could_cost_more_than_one_call_may_hold_is_refused() -> None:
    answer = refusal(reserve(bound(MAX_HOLD + 1, MAX_HOLD + 1), [budget(MAX_CAP)], {}, False))
    assert answer.reason is Reason.UNBOUNDED and "$1,000,000.00" in answer.message


def test_a_wish_above_the_greatest_hold_is_cut_to_the_least_useful_amount() -> None:
    b = budget(MAX_CAP)
    assert reserve(bound(MAX_HOLD + 1, 4096), [b], {}, False) == 4096
    assert b.held == 4096


def test_an_order_that_counts_toward_no_budget_is_granted() -> None:
    assert reserve(bound(30, 30), [], {}, False) == 30


budgets = st.builds(
    lambda cap, posted, held, suspect, measure, low: Balance(
        1, "r", "s", measure, Instant(0), ENDS_US, cap + posted + held,
        None if low is None or cap else min(low, posted + held - 1) if posted + held else None, posted, held, min(suspect, held), 0,
    ),
    st.integers(0, 200), st.integers(0, 200), st.integers(0, 200), st.integers(0, 200), st.sampled_from(Measure),
    st.none() | st.integers(0, 100),
)  # fmt: skip


@given(
    st.builds(lambda i, f, p, w, m, c: Bound(i, f, p, w, min(m, w), c), st.integers(0, 99), st.integers(0, 99_999), st.integers(0, 9999),
              st.integers(1, 300), st.integers(1, 300), st.integers(1, 4)),
    st.lists(budgets, max_size=4), st.integers(0, 5), st.booleans(),
)  # fmt: skip
def test_no_answer_lets_a_cap_be_passed_and_every_no_is_true(order: Bound, balances: list[Balance], others: int, patient: bool) -> None:
    for number, b in enumerate(balances):
        b.id = number
    rooms, held = [b.room for b in balances], [b.held for b in balances]
    rests = [b.room_at_rest for b in balances]
    answer = reserve(order, balances, {b.id: others for b in balances}, patient)
    if isinstance(answer, int):
        assert order.minimum_output <= answer <= order.wanted_output
        for b, room, before in zip(balances, rooms, held, strict=True):
            assert b.held - before == amount(order, b.measure, answer) <= room
            assert b.posted + b.held <= b.cap
        return
    assert [b.held for b in balances] == held
    least = [amount(order, b.measure, order.minimum_output) for b in balances]
    if isinstance(answer, Wait):
        assert patient
    elif answer.reason is Reason.BUDGET_EXHAUSTED:
        assert any(need > rest for need, rest in zip(least, rests, strict=True))
    else:
        assert any(need > room for need, room in zip(least, rooms, strict=True))
        assert all(need <= rest for need, rest in zip(least, rests, strict=True))
