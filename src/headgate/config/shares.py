"""Whether the other environments could use up a cap that production draws on too, reckoned from the caps as written.

Rule 1  A cap that keeps a share for production cannot be used up by the others: the share is a budget of its own.
Rule 2  A cap without one is safe only if all who draw on it, at the most their own caps allow, do not fill it.
Rule 3  In doubt the most is assumed: periods that do not fit into one another overlap; a workspace without a cap in that unit takes all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from headgate.config.settings import PathSettings
from headgate.policy.workspace import Workspace
from headgate.terms.budget import BudgetRule, Calendar, Period
from headgate.terms.caller import Dimension

# What callers of several environments can have in common. A user, key, session or pull request is one caller's own doing; a workspace has
# one environment.
SPANNING = frozenset(
    {
        *(Dimension.ORGANISATION, Dimension.COMMITMENT, Dimension.PATH, Dimension.MODEL, Dimension.COST_CENTRE, Dimension.CUSTOMER),
        *(Dimension.TEAM, Dimension.USE, Dimension.WORKFLOW, Dimension.REPOSITORY, Dimension.SERVICE),
    }
)

# The fewest and the most hours of a period; a day of the change of clocks has 23 or 25.
_HOURS = {
    Period.HOUR: (1, 1),
    Period.DAY: (23, 25),
    Period.WEEK: (167, 169),
    Period.MONTH: (671, 745),
    Period.QUARTER: (2158, 2210),
    Period.YEAR: (8759, 8785),
}

# Which period always lies inside one of another, on one calendar.
_INSIDE = {
    Period.HOUR: {Period.DAY, Period.WEEK, Period.MONTH, Period.QUARTER, Period.YEAR},
    Period.DAY: {Period.WEEK, Period.MONTH, Period.QUARTER, Period.YEAR},
    Period.WEEK: set[Period](),
    Period.MONTH: {Period.QUARTER, Period.YEAR},
    Period.QUARTER: {Period.YEAR},
    Period.YEAR: set[Period](),
    Period.TERM: set[Period](),
}


def starvers(
    rule: BudgetRule, workspaces: Mapping[str, Workspace], paths: Mapping[str, PathSettings], own: Mapping[str, Iterable[BudgetRule]]
) -> tuple[str, ...]:
    """The workspaces that could use up a shared cap without a share before production has drawn on it; `own` are their own caps."""
    if rule.workspace is not None or rule.dimension not in SPANNING:
        return ()
    for drawing in _drawing(rule, workspaces, paths):
        others = [one.name for one in drawing if not one.protected]
        if others and len(others) < len(drawing):
            most = [most_within(rule, own[one.name]) for one in drawing]
            if any(amount is None for amount in most) or sum(amount or 0 for amount in most) > rule.cap:
                return tuple(sorted(others))
    return ()


def most_within(rule: BudgetRule, caps: Iterable[BudgetRule]) -> int | None:
    """The most that a workspace with these caps can draw in one period of `rule`; None: nothing limits it."""
    amounts = [cap.cap * _overlapping(rule, cap) for cap in caps if cap.measure is rule.measure]
    return min(amounts, default=None)


def _drawing(rule: BudgetRule, workspaces: Mapping[str, Workspace], paths: Mapping[str, PathSettings]) -> Iterator[list[Workspace]]:
    """For each budget that the rule makes: who may draw on it."""
    everyone = list(workspaces.values())
    if rule.dimension is Dimension.PATH:
        for name in [rule.value] if rule.value != "*" else paths:
            yield [one for one in everyone if name in one.paths]
    elif rule.dimension is Dimension.COMMITMENT:
        names = {path.access.commitment for path in paths.values()} - {None}
        for name in [rule.value] if rule.value != "*" else sorted(str(name) for name in names):
            ways = {path for path, settings in paths.items() if settings.access.commitment == name}
            yield [one for one in everyone if not ways.isdisjoint(one.paths)]
    elif rule.dimension is Dimension.MODEL:
        named = {model for one in everyone for model in one.models or ()}
        for name in [rule.value] if rule.value != "*" else [*sorted(named), "*"]:
            yield [one for one in everyone if one.models is None or name in one.models]
    else:
        yield everyone


def _overlapping(rule: BudgetRule, cap: BudgetRule) -> int:
    """In how many periods of `cap` one period of `rule` can lie."""
    same = _same_calendar(rule.period, cap.period, rule.calendar, cap.calendar)
    if same and (rule.period is cap.period or cap.period in _INSIDE[rule.period]):
        return 1
    fewest, _ = _hours(cap.period, cap.calendar)
    _, most = _hours(rule.period, rule.calendar)
    return -(-most // fewest) + 1


def _same_calendar(one: Period, other: Period, mine: Calendar, theirs: Calendar) -> bool:
    if mine.zone != theirs.zone or mine.term != theirs.term:
        return False
    if Period.WEEK in (one, other) and mine.week_start != theirs.week_start:
        return False
    return mine.fiscal_month == theirs.fiscal_month or not {one, other} & {Period.QUARTER, Period.YEAR}


def _hours(period: Period, calendar: Calendar) -> tuple[int, int]:
    if period is not Period.TERM:
        return _HOURS[period]
    assert calendar.term is not None, "a term has a first and a last day"
    first, last = (date.fromisoformat(day) for day in calendar.term)
    days = (last - first).days + 1
    return max(days * 24 - 1, 1), days * 24 + 1
