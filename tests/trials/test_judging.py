"""The verdict itself is judged: a book made by hand, a provider's account of it, and each way in which the two can differ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.store.book import Book, doubting, leg, order, posting, rule, voiding

from headgate.names import show_id
from headgate.refusal import Refusal
from headgate.store.sqlite import Database, open_reader
from headgate.trials.client import Told
from headgate.trials.judging import No, Verdict, read_no, share_down, share_up, verdict
from headgate.trials.stage import Called, Meter

RULE = rule(1_000_000_000)
NAME = RULE.name


class Trial:
    """A book with one cap of a dollar, and the provider's calls as this test tells them."""

    def __init__(self, folder: Path) -> None:
        self.book = Book(folder)
        self.calls: list[Called] = []

    def hold(self, number: int, cost: int) -> object:
        return self.book.admit(order(number, [leg(RULE)], cost))

    def bill(self, number: int, nano: int) -> None:
        self.calls.append(Called(len(self.calls) + 1, "whole", 200, nano, show_id(number)))

    def judge(self, noes: tuple[No, ...] = (), cap: int = RULE.cap) -> Verdict:
        database: Database = open_reader(self.book.file)
        try:
            billed = sum(call.billed_nano_ceiling for call in self.calls)
            return verdict(database, NAME, cap, Meter(len(self.calls), len(self.calls), billed * 1000), self.calls, noes)
        finally:
            database.close()


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    trial = Trial(tmp_path)
    yield trial
    trial.book.database.close()


def test_a_book_that_tells_what_was_billed_is_not_blamed(trial: Trial) -> None:
    for number, settle in ((1, posting(1, 300)), (2, doubting(2)), (3, voiding(3))):
        trial.hold(number, 400)
        trial.book.settle(settle)
    trial.bill(1, 300)
    trial.bill(2, 400)
    found = trial.judge()
    assert (found.broken, found.told) == (0, [])
    assert (found.posted, found.held, found.suspect, found.holds) == (300, 400, 400, 3)


def test_a_bill_above_the_cap_is_seen_to_the_pico_dollar(trial: Trial) -> None:
    trial.hold(1, 400)
    trial.book.settle(posting(1, 400))
    trial.bill(1, 400)
    assert trial.judge(cap=400).broken == 0
    assert "and the cap is" in trial.judge(cap=399).told[0]


def test_a_call_without_a_hold_is_seen(trial: Trial) -> None:
    trial.bill(7, 1)
    assert "has no hold" in trial.judge().told[0]


def test_a_call_that_was_posted_otherwise_than_billed_is_seen(trial: Trial) -> None:
    trial.hold(1, 400)
    trial.book.settle(posting(1, 300))
    trial.bill(1, 301)
    assert "was billed 301 and posted 300" in trial.judge().told[0]


def test_a_billed_call_whose_hold_is_void_is_seen(trial: Trial) -> None:
    trial.hold(1, 400)
    trial.book.settle(voiding(1))
    trial.bill(1, 5)
    assert "is void" in trial.judge().told[0]


def test_a_doubt_that_covers_less_than_the_bill_is_seen(trial: Trial) -> None:
    trial.hold(1, 400)
    trial.book.settle(doubting(1))
    trial.bill(1, 401)
    assert "holds only 400" in trial.judge().told[0]


def test_a_hold_that_was_sent_twice_is_seen(trial: Trial) -> None:
    trial.hold(1, 400)
    trial.book.settle(posting(1, 300))
    trial.bill(1, 300)
    trial.bill(1, 300)
    assert any("sent twice" in sentence for sentence in trial.judge().told)


def test_a_hold_that_is_open_at_rest_is_seen(trial: Trial) -> None:
    trial.hold(1, 400)
    trial.bill(1, 400)
    told = trial.judge().told
    assert "At rest" in told[0] and "neither ended nor in doubt" in told[1]


def test_a_refusal_is_false_when_what_it_needed_fitted_at_rest(trial: Trial) -> None:
    trial.hold(1, 600_000_000)
    trial.hold(2, 300_000_000)
    exhausted = No("budget_exhausted", "workspace:ci", NAME, 0, 900_000_000, 1_000_000_000, 400_000_000)
    # Both calls are open: had they cost nothing, there would have been room. Busy would have been true.
    assert trial.judge((exhausted,)).false_refusals == 1
    busy = No("budget_busy", "workspace:ci", NAME, 0, 900_000_000, 1_000_000_000, 400_000_000)
    assert trial.judge((busy,)).false_refusals == 0


def test_a_refusal_is_true_when_doubt_has_taken_the_room(trial: Trial) -> None:
    trial.hold(1, 900_000_000)
    trial.book.settle(doubting(1))
    no = No("budget_exhausted", "workspace:ci", NAME, 0, 900_000_000, 1_000_000_000, 400_000_000)
    assert trial.judge((no,)).false_refusals == 0


def test_a_refusal_that_tells_of_a_book_that_never_was_is_seen(trial: Trial) -> None:
    no = No("budget_exhausted", "workspace:ci", NAME, 1, 2, 1_000_000_000, 400_000_000)
    assert "never so" in trial.judge((no,)).told[0]


def test_the_ledgers_own_refusal_can_be_read_back(trial: Trial) -> None:
    trial.hold(1, 999_999_999)
    trial.book.settle(posting(1, 999_999_999))
    refusal = trial.hold(2, 1_234_567_891)
    assert isinstance(refusal, Refusal)
    no = read_no(Told(refusal.message, policy_code=refusal.reason.value))
    assert no == No("budget_exhausted", "workspace:ci", NAME, 999_999_999, 0, 1_000_000_000, 1_234_567_891)
    assert trial.judge((no,)).false_refusals == 0


def test_a_share_above_one_is_never_told_as_one() -> None:
    assert share_up(5_000_000_000_000, 5_000_000_000_000) == "1.000000000"
    assert share_up(5_000_000_000_001, 5_000_000_000_000) == "1.000000001"
    assert share_down(4_999_999_999_999, 5_000_000_000_000) == "0.999999999"
