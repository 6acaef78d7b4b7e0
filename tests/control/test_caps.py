from __future__ import annotations

import msgspec
import pytest
from tests.control.office import EACH_USER, MONTH, Office
from tests.store.book import HOUR_US, leg, order, posting

from headgate.control.caps import MOST_HOURS, Override, covers, only_scope
from headgate.control.command import SetCap
from headgate.control.reports import overrides
from headgate.money import MAX_CAP
from headgate.terms.budget import BudgetRule, Measure, Period
from headgate.terms.caller import Dimension

SCOPE = "workspace:ci"


def set_cap(cap: int, hours: int = 8, **fields: object) -> SetCap:
    asked = SetCap(actor="alice", rule=MONTH.name, scope=SCOPE, cap=cap, reason="release day", hours=hours)
    return msgspec.structs.replace(asked, **fields)


def rule(dimension: Dimension, value: str, workspace: str | None = None) -> BudgetRule:
    return BudgetRule(dimension, value, Period.DAY, Measure.MONEY, 1, workspace=workspace)


def test_an_override_is_in_force_with_the_commit_and_ends_by_itself(office: Office) -> None:
    book = office.book
    book.hold(order(1, [leg(MONTH)], 900))
    book.refused(order(2, [leg(MONTH)], 200))
    made = office.does(set_cap(2_000, hours=2))
    assert isinstance(made, Override) and made.expires_us == book.time.wall_us + 2 * HOUR_US
    book.hold(order(3, [leg(MONTH)], 200))
    book.time.passes(2 * HOUR_US)
    book.refused(order(4, [leg(MONTH)], 200))
    assert overrides(book.database, book.time.wall_us) == [] and book.findings() == []


def test_an_override_says_who_why_and_until_when_and_is_on_the_record(office: Office) -> None:
    made = office.does(set_cap(2_000))
    assert overrides(office.book.database, office.book.time.wall_us) == [made]
    assert (made.actor, made.reason, made.rule, made.scope) == ("alice", "release day", MONTH.name, SCOPE)
    (leaf,) = office.leaves("override")
    assert (leaf["cap"], leaf["actor"], leaf["reason"], leaf["ends"]) == (2_000, "alice", "release day", made.expires_us)


def test_a_reload_does_not_undo_an_override(office: Office) -> None:
    ledger = office.book.ledger
    office.does(set_cap(2_000))
    ledger.begin()
    ledger.apply_caps(office.situation.rules)
    ledger.commit()
    office.book.hold(order(1, [leg(MONTH)], 1_500))
    office.book.reopen()
    office.book.hold(order(2, [leg(MONTH)], 400))


def test_a_cap_lowered_below_what_is_drawn_steps_down_as_holds_settle(office: Office) -> None:
    book = office.book
    book.hold(order(1, [leg(MONTH)], 800))
    office.does(set_cap(300))
    assert (book.budget(MONTH)["cap"], book.budget(MONTH)["target"]) == (800, 300)
    book.refused(order(2, [leg(MONTH)], 10))
    book.settle(posting(1, 100))
    assert (book.budget(MONTH)["cap"], book.budget(MONTH)["target"]) == (300, None)
    book.hold(order(3, [leg(MONTH)], 200))
    book.refused(order(4, [leg(MONTH)], 10))
    assert book.findings() == []


def test_the_last_override_of_a_budget_holds(office: Office) -> None:
    office.does(set_cap(2_000))
    last = office.does(set_cap(1_500, hours=1))
    assert overrides(office.book.database, office.book.time.wall_us) == [last]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (set_cap(1, rule="workspace:nope/month/money"), "there is no budget rule"),
        (set_cap(1, scope="workspace:production"), "no call counts toward 'workspace:production'"),
        (set_cap(-1), "a cap is between"),
        (set_cap(MAX_CAP + 1), "a cap is between"),
        (set_cap(1, hours=0), "1 to 2232 hours"),
        (set_cap(1, hours=MOST_HOURS + 1), "1 to 2232 hours"),
        (set_cap(1, reason="  "), "say why"),
    ],
)
def test_an_override_that_makes_no_sense_changes_nothing(office: Office, asked: SetCap, told: str) -> None:
    assert told in office.refuses(asked)
    assert overrides(office.book.database, 0) == []


def test_a_rule_with_one_budget_needs_no_scope_and_takes_no_other() -> None:
    assert only_scope(MONTH) == "workspace:ci"
    assert only_scope(rule(Dimension.ORGANISATION, "*")) == "organisation:*"
    assert only_scope(rule(Dimension.USER, "alice", "ci")) == "user:alice@ci"
    for one in (MONTH, rule(Dimension.ORGANISATION, "*"), rule(Dimension.PATH, "openai"), rule(Dimension.REPOSITORY, "a@b", "ci")):
        only = only_scope(one)
        assert only is not None and covers(one, only) and not covers(one, only + "x")


def test_a_rule_with_many_budgets_takes_the_scopes_that_its_calls_fall_on() -> None:
    for one in (EACH_USER, rule(Dimension.SESSION, "*", "ci"), rule(Dimension.REPOSITORY, "shop"), rule(Dimension.WORKSPACE, "*")):
        assert only_scope(one) is None
    assert covers(EACH_USER, "user:alice") and not covers(EACH_USER, "team:alice") and not covers(EACH_USER, "user:")
    assert covers(rule(Dimension.SESSION, "*", "ci"), "session:x@ci") and not covers(rule(Dimension.SESSION, "*", "ci"), "session:x@other")
    shop = rule(Dimension.REPOSITORY, "shop")
    assert covers(shop, "repository:shop") and covers(shop, "repository:shop@ci") and not covers(shop, "repository:shopping")
