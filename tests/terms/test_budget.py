"""A rule has one stable name, and two rules that count differently never share it."""

from __future__ import annotations

import msgspec

from headgate.terms.budget import BudgetRule, Measure, Period
from headgate.terms.caller import Dimension


def rule(**changes: object) -> BudgetRule:
    return msgspec.structs.replace(BudgetRule(Dimension.USER, "*", Period.DAY, Measure.MONEY, 1), **changes)


def test_a_rule_is_named_by_what_it_counts() -> None:
    assert rule(dimension=Dimension.WORKSPACE, value="ci", period=Period.MONTH).name == "workspace:ci/month/money"
    assert rule(workspace="ci").name == "user:*@ci/day/money"
    assert rule(dimension=Dimension.WORKSPACE, value="ci", workspace="ci").name == "workspace:ci/day/money"
    assert rule(dimension=Dimension.ORGANISATION, except_environment="production").name == "organisation:*-production/day/money"


def test_the_cap_is_not_part_of_the_name_so_that_a_raise_keeps_what_was_spent() -> None:
    assert rule(cap=5).name == rule(cap=6).name


def test_rules_that_count_differently_have_different_names() -> None:
    rules = [
        rule(), rule(workspace="ci"), rule(period=Period.WEEK), rule(measure=Measure.TOKENS), rule(value="alice"),
        rule(dimension=Dimension.KEY), rule(except_environment="production"),
    ]  # fmt: skip
    assert len({each.name for each in rules}) == len(rules)
