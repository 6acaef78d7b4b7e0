from __future__ import annotations

from tests.control.office import MONTH, Office
from tests.store.book import DAY_US, doubting, leg, order, posting

from headgate.control.reports import DoubtLine, budgets, doubts, freezes, keys
from headgate.names import AttemptId, show_id


def test_a_budget_is_told_with_everything_that_is_left_of_it(office: Office) -> None:
    book = office.book
    book.hold(order(1, [leg(MONTH)], 300))
    book.settle(posting(1, 100))
    book.hold(order(2, [leg(MONTH)], 200))
    book.settle(doubting(2))
    (line,) = budgets(book.database, book.time.wall_us)
    assert (line.rule, line.scope, line.measure) == (MONTH.name, "workspace:ci", "money")
    assert (line.cap, line.posted, line.held, line.suspect, line.overrun, line.room) == (1_000, 100, 200, 200, 0, 700)
    assert line.starts_us <= book.time.wall_us < line.ends_us


def test_a_period_that_is_over_is_not_told_any_more(office: Office) -> None:
    office.book.hold(order(1, [leg(MONTH)], 300))
    assert budgets(office.book.database, office.book.time.wall_us + 31 * DAY_US) == []


def test_a_doubt_is_told_with_the_id_that_resolves_it(office: Office) -> None:
    office.book.hold(order(7, [leg(MONTH)], 300))
    office.book.settle(doubting(7))
    now = office.book.time.wall_us
    assert doubts(office.book.database) == [DoubtLine(show_id(AttemptId(7)), now, "cut", "ci", "gpt-5.5", 300, 300)]


def test_a_freeze_is_told_with_its_reason(office: Office) -> None:
    office.book.hold(order(1, [leg(MONTH)], 100))
    office.book.settle(posting(1, 5_000))
    assert [line.what for line in freezes(office.book.database)] == ["shape:openai/gpt-5.5/text", "workspace:ci"]
    assert all(show_id(AttemptId(1)) in line.reason for line in freezes(office.book.database))


def test_keys_are_told_without_anything_to_use_them_with(office: Office) -> None:
    issued = office.issues()
    (line,) = keys(office.book.database)
    assert line.id == issued.id and issued.key[9:] not in repr(line)
