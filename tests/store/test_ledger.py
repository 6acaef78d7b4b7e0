"""The ledger on disk: holds, endings, caps and periods, each step durable or undone."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from tests.store.book import DAY_US, HOUR_US, NOON, Book, bound, doubting, leg, nobody_waits, order, posting, rule, voiding

from headgate.audit.leaf import commitment, leaf_hash
from headgate.ledger.reserve import WAIT
from headgate.names import AttemptId
from headgate.refusal import Reason, Refusal
from headgate.store import rows
from headgate.store.ledger import Ledger
from headgate.terms.budget import BudgetRule, Calendar, Measure, Period
from headgate.terms.caller import Dimension
from headgate.terms.ending import Charge, Ending, Outcome
from headgate.terms.order import Grant, Settled, Settlement
from headgate.wire.usage import Usage

DAY, MONTH = rule(100, Period.DAY), rule(1000)
LEGS = (leg(DAY), leg(MONTH))


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


def sums(book: Book, which: BudgetRule = DAY) -> tuple[int | None, ...]:
    found = book.budget(which)
    return found["posted"], found["held"], found["suspect"], found["overrun"]


def test_a_hold_counts_against_every_budget_it_names(book: Book) -> None:
    grant = book.hold(order(1, LEGS, cost=10))
    assert (grant.output, grant.nano, grant.shortened, grant.opened_us) == (10, 10, False, NOON)
    assert sums(book, DAY) == sums(book, MONTH) == (0, 10, 0, 0)
    assert book.findings() == []


def test_the_receipt_is_the_hash_of_the_leaf_of_the_hold(book: Book) -> None:
    grant = book.hold(order(1, LEGS))
    assert grant.receipt == leaf_hash(rows.blob(book.database.run("leaves")[-1][1]))


def test_a_refusal_holds_nothing_anywhere(book: Book) -> None:
    book.hold(order(1, [leg(MONTH)], cost=950))
    assert book.refused(order(2, LEGS, cost=60)).reason is Reason.BUDGET_BUSY
    assert sums(book, DAY) == (0, 0, 0, 0)
    assert book.findings() == []


def test_a_settled_hold_posts_what_was_used_and_frees_the_rest(book: Book) -> None:
    book.hold(order(1, LEGS, cost=60))
    assert book.settle(posting(1, 25)) == Settled(AttemptId(1), 25, 0, 0)
    assert sums(book, DAY) == sums(book, MONTH) == (25, 0, 0, 0)
    assert book.findings() == []


def test_a_hold_ends_once_whoever_settles_it_again(book: Book) -> None:
    book.hold(order(1, LEGS, cost=60))
    book.settle(posting(1, 25))
    for again in (posting(1, 25), voiding(1), doubting(1)):
        assert book.settle(again) is None
    assert sums(book) == (25, 0, 0, 0)
    assert book.findings() == []


def test_a_hold_ends_once_even_within_one_batch(book: Book) -> None:
    book.ledger.begin()
    assert isinstance(book.ledger.admit(order(1, LEGS, cost=60), nobody_waits, False), Grant)
    assert book.ledger.settle(doubting(1)) is not None
    assert book.ledger.settle(doubting(1)) is None
    assert book.ledger.settle(posting(1, 25)) is not None
    assert book.ledger.settle(posting(1, 25)) is None
    book.ledger.commit()
    assert sums(book) == (25, 0, 0, 0)
    assert book.findings() == []


def test_a_settlement_of_a_hold_that_never_was_does_nothing(book: Book) -> None:
    assert book.settle(posting(77, 25)) is None


def test_a_voided_hold_costs_nothing(book: Book) -> None:
    book.hold(order(1, LEGS, cost=60))
    assert book.settle(voiding(1)) == Settled(AttemptId(1), 0, 0, 0)
    assert sums(book) == (0, 0, 0, 0)
    assert book.findings() == []


def test_a_hold_in_doubt_counts_in_full_however_long_it_takes(book: Book) -> None:
    book.hold(order(1, LEGS, cost=60))
    book.settle(doubting(1))
    book.time.passes(400 * DAY_US)
    book.reopen()
    assert sums(book) == (0, 60, 60, 0)
    assert [
        (suspect.attempt, suspect.ending, suspect.stored, suspect.nano) for suspect in map(rows.suspect, book.database.run("suspects"))
    ] == [(1, "cut", True, 60)]
    assert book.findings() == []


def test_a_doubt_ends_with_the_late_truth(book: Book) -> None:
    book.hold(order(1, LEGS, cost=60))
    book.settle(doubting(1))
    assert book.settle(posting(1, 25)) is not None
    assert sums(book) == (25, 0, 0, 0)
    assert book.findings() == []


def test_what_a_crash_left_held_is_suspect_after_the_next_start(book: Book) -> None:
    book.hold(order(1, LEGS, cost=30))
    book.hold(order(2, LEGS, cost=20))
    book.settle(doubting(2))
    book.reopen()
    assert book.doubted == 1
    assert sums(book) == (0, 50, 50, 0)
    book.reopen()
    assert book.doubted == 0
    assert book.settle(posting(1, 5)) is not None and book.settle(voiding(2)) is not None
    assert sums(book) == (5, 0, 0, 0)
    assert book.findings() == []


def test_what_was_not_committed_never_happened(book: Book) -> None:
    book.hold(order(1, LEGS, cost=60))
    book.ledger.begin()
    book.ledger.settle(posting(1, 25))
    book.ledger.admit(order(2, LEGS, cost=30), nobody_waits, False)
    book.ledger.abandon()
    assert sums(book) == (0, 60, 0, 0)
    assert book.settle(posting(1, 30)) is not None
    assert book.settle(posting(2, 30)) is None
    assert sums(book) == (30, 0, 0, 0)
    assert book.findings() == []


def test_a_period_opened_in_a_batch_that_was_abandoned_is_opened_again(book: Book) -> None:
    book.ledger.begin()
    book.ledger.admit(order(1, LEGS), nobody_waits, False)
    book.ledger.abandon()
    book.hold(order(2, LEGS, cost=10))
    assert sums(book) == (0, 10, 0, 0)
    assert book.findings() == []


def test_a_wait_changes_nothing(book: Book) -> None:
    book.hold(order(1, LEGS, cost=60))
    assert book.admit(order(2, LEGS, cost=60, least=1), patient=True) is WAIT
    assert sums(book) == (0, 60, 0, 0)


def test_a_shortened_grant_is_held_at_its_own_length(book: Book) -> None:
    book.hold(order(1, LEGS, cost=60))
    grant = book.hold(order(2, LEGS, cost=60, least=5))
    assert (grant.output, grant.nano, grant.shortened) == (40, 40, True)
    assert sums(book) == (0, 100, 0, 0)
    assert book.findings() == []


def test_tokens_are_a_budget_like_money(book: Book) -> None:
    tokens = rule(50, measure=Measure.TOKENS)
    book.hold(order(1, (leg(tokens), leg(DAY)), cost=10, tokens=20))
    assert (sums(book, tokens), sums(book, DAY)) == ((0, 30, 0, 0), (0, 10, 0, 0))
    assert book.refused(order(2, (leg(tokens), leg(DAY)), cost=10, tokens=20)).scope == "workspace:ci"
    book.settle(posting(1, 4, tokens=17))
    assert (sums(book, tokens), sums(book, DAY)) == ((17, 0, 0, 0), (4, 0, 0, 0))
    assert book.findings() == []


# -- breach, overrun, refund ---------------------------------------------------------------------------------------------


def test_a_breach_freezes_the_shape_and_an_overrun_the_workspace_too(book: Book) -> None:
    book.hold(order(1, LEGS, cost=20))
    assert book.settle(posting(1, 50)) == Settled(AttemptId(1), 50, 30, 0, ("shape:openai/gpt-5.5/text",))
    book.hold(order(2, LEGS, cost=20))
    assert book.settle(posting(2, 90)) == Settled(AttemptId(2), 90, 70, 40, ("shape:openai/gpt-5.5/text", "workspace:ci"))
    assert sums(book, DAY) == (100, 0, 0, 40)
    assert sums(book, MONTH) == (140, 0, 0, 0)
    assert [row[0] for row in book.database.run("freezes")] == ["shape:openai/gpt-5.5/text", "workspace:ci"]
    assert book.findings() == []


def test_a_breach_is_seen_in_the_batch_that_opened_the_hold_and_after_a_restart(book: Book) -> None:
    book.ledger.begin()
    book.ledger.admit(order(1, LEGS, cost=20), nobody_waits, False)
    settled = book.ledger.settle(posting(1, 50))
    book.ledger.commit()
    assert settled is not None and settled.frozen == ("shape:openai/gpt-5.5/text",)
    book.hold(order(2, LEGS, cost=20))
    book.reopen()
    assert book.settle(posting(2, 25)) == Settled(AttemptId(2), 25, 5, 0, ("shape:openai/gpt-5.5/text",))


def test_a_refund_gives_back_the_difference_once(book: Book) -> None:
    book.hold(order(1, LEGS, cost=60))
    book.settle(posting(1, 60))
    assert book.refund(1, 45) == 15
    assert sums(book) == (45, 0, 0, 0)
    assert isinstance(book.refund(1, 40), Refusal)
    assert sums(book) == (45, 0, 0, 0)
    assert book.findings() == []


def test_a_refund_after_an_overrun_leaves_the_overrun_on_record(book: Book) -> None:
    book.hold(order(1, LEGS, cost=60))
    book.settle(posting(1, 130))
    assert book.refund(1, 110) == 20
    assert sums(book, DAY) == (100, 0, 0, 30)
    assert sums(book, MONTH) == (110, 0, 0, 0)
    assert book.findings() == []


def test_a_refund_of_what_is_open_voided_unknown_or_dearer_is_refused(book: Book) -> None:
    book.hold(order(1, LEGS))
    book.hold(order(2, LEGS))
    book.hold(order(3, LEGS))
    book.hold(order(4, []))
    book.settle(voiding(2))
    book.settle(posting(3, 5, tokens=5))
    book.settle(posting(4, 5))
    for number, nano, tokens in ((1, 0, 0), (2, 0, 0), (77, 0, 0), (3, 6, 0), (3, 0, 6), (4, 1, 0)):
        assert isinstance(book.refund(number, nano, tokens), Refusal)
    assert book.findings() == []


# -- periods -------------------------------------------------------------------------------------------------------------


def test_a_new_day_is_a_new_row_and_the_month_goes_on(book: Book) -> None:
    book.hold(order(1, LEGS, cost=90))
    book.settle(posting(1, 90))
    book.time.passes(DAY_US)
    book.hold(order(2, LEGS, cost=90))
    assert sums(book, DAY) == (0, 90, 0, 0)
    assert sums(book, MONTH) == (90, 90, 0, 0)
    assert [row[8] for row in book.database.run("budgets_all")] == [90, 90, 0]
    assert book.findings() == []


def test_a_call_over_midnight_is_charged_to_the_day_it_began(book: Book) -> None:
    book.hold(order(1, [leg(DAY)], cost=90))
    book.time.passes(DAY_US)
    book.hold(order(2, [leg(DAY)], cost=90))
    book.settle(posting(1, 80))
    assert [row[8:10] for row in book.database.run("budgets_all")] == [(80, 0), (0, 90)]
    assert book.findings() == []


def test_a_jump_of_the_clock_opens_no_new_period_and_the_open_one_serves_on(book: Book) -> None:
    book.hold(order(1, [leg(DAY)], cost=10))
    book.time.jump(2 * DAY_US)
    assert book.refused(order(2, [leg(DAY)])).reason is Reason.CLOCK_UNSURE
    book.time.jump(-2 * DAY_US)
    book.time.passes(DAY_US)
    book.hold(order(3, [leg(DAY)]))
    assert book.findings() == []


def test_a_clock_that_went_back_draws_on_no_older_period_again_not_even_after_a_restart(book: Book) -> None:
    hour = rule(100, Period.HOUR)
    book.hold(order(1, [leg(hour)], cost=10))
    book.time.passes(HOUR_US)
    book.hold(order(2, [leg(hour)], cost=10))
    book.time.jump(-HOUR_US)
    book.reopen()
    assert book.refused(order(3, [leg(hour)], cost=20)).reason is Reason.CLOCK_UNSURE
    assert [row[9] for row in book.database.run("budgets_all")] == [10, 10]


def test_a_clock_that_is_set_back_by_a_moment_goes_on_in_the_period_it_had_reached(book: Book) -> None:
    hour = rule(100, Period.HOUR)
    book.hold(order(1, [leg(hour)], cost=10))
    book.time.passes(HOUR_US)
    book.hold(order(2, [leg(hour)], cost=10))
    book.ledger.load_overrides()  # forgets which period is the present one
    book.time.jump(-30 * 1_000_000)
    book.hold(order(3, [leg(hour)], cost=20))
    assert [row[9] for row in book.database.run("budgets_all")] == [10, 30]


def test_outside_its_term_a_budget_serves_nobody(book: Book) -> None:
    over = rule(100, Period.TERM, calendar=Calendar(term=("2020-01-01", "2020-12-31")))
    answer = book.refused(order(1, [leg(DAY), leg(over)]))
    assert answer.reason is Reason.BUDGET_EXHAUSTED and "term" in answer.message
    assert book.findings() == []


# -- caps ----------------------------------------------------------------------------------------------------------------


def test_an_override_raises_the_cap_until_it_expires(book: Book) -> None:
    book.hold(order(1, [leg(DAY)], cost=90))
    book.override(DAY, "workspace:ci", 500, NOON + HOUR_US)
    book.hold(order(2, [leg(DAY)], cost=300))
    book.settle(posting(1, 1))
    book.settle(voiding(2))
    book.time.passes(HOUR_US)
    assert book.refused(order(3, [leg(DAY)], cost=300)).reason is Reason.BUDGET_EXHAUSTED
    assert (book.budget(DAY)["cap"], book.budget(DAY)["target"]) == (100, None)
    assert book.findings() == []


def test_an_override_survives_a_restart_and_holds_for_the_periods_that_open_under_it(book: Book) -> None:
    book.override(DAY, "workspace:ci", 500, NOON + 3 * DAY_US)
    book.reopen()
    book.time.passes(DAY_US)
    book.hold(order(1, [leg(DAY)], cost=400))
    assert book.budget(DAY)["cap"] == 500
    assert book.findings() == []


def test_of_two_overrides_the_newest_speaks_and_after_it_the_settings(book: Book) -> None:
    book.hold(order(1, [leg(DAY)], cost=10))
    book.override(DAY, "workspace:ci", 500, NOON + 100 * HOUR_US)
    book.override(DAY, "workspace:ci", 300, NOON + HOUR_US)
    assert book.budget(DAY)["cap"] == 300
    book.time.passes(HOUR_US)
    book.reopen()
    book.hold(order(2, [leg(DAY)], cost=10))
    assert book.budget(DAY)["cap"] == 100


def test_an_override_that_was_undone_is_forgotten_with_the_change(book: Book) -> None:
    book.hold(order(1, [leg(DAY)], cost=90))
    book.ledger.begin()
    book.add_override(DAY, "workspace:ci", 500, NOON + HOUR_US)
    book.ledger.abandon()
    assert isinstance(book.admit(order(2, [leg(DAY)], cost=300)), Refusal)
    assert book.budget(DAY)["cap"] == 100
    assert book.findings() == []


def test_a_lowered_cap_steps_down_as_holds_settle_and_admits_nothing_meanwhile(book: Book) -> None:
    book.hold(order(1, [leg(DAY)], cost=50))
    book.hold(order(2, [leg(DAY)], cost=30))
    book.override(DAY, "workspace:ci", 40, NOON + HOUR_US)
    assert (book.budget(DAY)["cap"], book.budget(DAY)["target"]) == (80, 40)
    assert isinstance(book.admit(order(3, [leg(DAY)], cost=1)), Refusal)
    book.settle(posting(1, 5))
    assert (book.budget(DAY)["cap"], book.budget(DAY)["target"]) == (40, None)
    assert book.hold(order(4, [leg(DAY)], cost=5)).nano == 5
    assert book.findings() == []


def test_a_reload_reaches_open_periods_and_an_order_made_before_it_does_not_undo_it(book: Book) -> None:
    old = order(2, [leg(DAY)], cost=60)
    book.hold(order(1, [leg(DAY)], cost=10))
    book.ledger.begin()
    book.ledger.apply_caps([rule(50, Period.DAY)])
    book.ledger.commit()
    assert isinstance(book.admit(old), Refusal)
    assert book.budget(DAY)["cap"] == 50
    assert book.findings() == []


def test_a_rule_that_left_the_settings_keeps_its_open_period_as_it_is(book: Book) -> None:
    book.hold(order(1, [leg(DAY)], cost=10))
    book.ledger.begin()
    book.ledger.apply_caps([MONTH])
    book.ledger.commit()
    assert book.budget(DAY)["cap"] == 100


# -- leaves and objects --------------------------------------------------------------------------------------------------


def test_a_person_stands_in_no_leaf_but_behind_a_commitment(book: Book) -> None:
    alice = rule(100, dimension=Dimension.USER, value="*")
    book.hold(order(1, [leg(alice, "user:alice@ci")]))
    assert not any(b"alice" in rows.blob(data) for _, data in book.database.run("leaves"))
    row = book.database.first("private_of", (2, "scope"))
    assert row is not None and row[1] == "user:alice@ci"
    assert commitment("scope", rows.blob(row[0]), "user:alice@ci").encode() in rows.blob(book.database.run("leaves")[1][1])
    assert book.findings() == []


def test_the_object_that_an_answer_created_belongs_to_its_workspace(book: Book) -> None:
    for number, charge, usage in ((1, Charge.ACTUAL, Usage(30, 12)), (2, Charge.SUSPECT, None)):
        book.hold(order(number, LEGS))
        outcome = Outcome(Ending.COMPLETED, usage, 200)
        book.settle(Settlement(AttemptId(number), charge, outcome, 5, 5, f"resp_{number}", ("ci", "openai")))
    assert book.database.first("object", ("resp_1",)) == ("response", "ci", "openai", 1, 42)
    assert book.database.first("object", ("resp_2",)) == ("response", "ci", "openai", 2, 0)


def test_the_chain_goes_on_after_a_restart_with_a_new_epoch(book: Book) -> None:
    book.reopen()
    book.reopen()
    assert book.ledger.node == 0
    assert [row[0] for row in book.database.run("leaves")] == [1, 2, 3]
    assert book.database.first("last_epoch", {"node": 0}) == (3,)
    assert book.findings() == []


def test_a_record_is_a_leaf_and_its_hash_the_receipt(book: Book) -> None:
    book.ledger.begin()
    receipt = book.ledger.record("refusal", {"reason": "unpriced", "workspace": "ci"})
    book.ledger.commit()
    assert receipt == leaf_hash(rows.blob(book.database.run("leaves")[-1][1]))
    assert book.findings() == []


def test_the_same_attempt_cannot_be_held_twice(book: Book) -> None:
    book.hold(order(1, LEGS))
    book.ledger.begin()
    book.ledger.admit(order(1, LEGS), nobody_waits, False)
    with pytest.raises(apsw.ConstraintError):
        book.ledger.commit()
    book.ledger.abandon()
    assert book.findings() == []


def test_a_second_ledger_continues_where_the_first_one_ended(book: Book) -> None:
    book.hold(order(1, LEGS))
    other = Ledger(book.database, book.time.clock())
    other.start()
    assert book.findings() == []


def test_the_bound_of_the_helpers_costs_what_it_says() -> None:
    assert (bound(10).nano(10), bound(10, 3).minimum_output) == (10, 3)
