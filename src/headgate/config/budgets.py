"""From what the operator wrote to budget rules: caps, brakes that act without a human, and production's share of every shared cap."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from headgate.config.kinds import WHOLE, Share
from headgate.config.settings import BudgetEntry, Draw, Organisation, Settings
from headgate.policy.legs import rulebook
from headgate.terms.budget import BudgetRule, Calendar, Measure, Period
from headgate.terms.caller import Dimension, Environment


def compile_rules(settings: Settings) -> tuple[BudgetRule, ...]:
    """Every rule, from the widest to the narrowest scope. Names are unique: duplicates were refused while reading."""
    return rulebook(
        (
            *organisation_rules(settings.organisation),
            *(rule for name, draw in settings.draws.items() for rule in workspace_rules(name, draw, settings.organisation)),
            *(rule for entry in settings.budgets for rule in entry_rules(entry)),
        )
    ).rules


def organisation_rules(organisation: Organisation) -> Iterator[BudgetRule]:
    calendar = Calendar(organisation.zone, fiscal_month=organisation.fiscal_month)
    for cap in organisation.caps:
        rule = BudgetRule(Dimension.ORGANISATION, WHOLE, cap.period, cap.measure, cap.amount, calendar)
        yield from with_share(rule, organisation.reserve)


def workspace_rules(name: str, draw: Draw, organisation: Organisation) -> Iterator[BudgetRule]:
    """Its caps as written, and a brake for the day and the week where no cap for them was written."""
    calendar = Calendar(organisation.zone, draw.week_start, organisation.fiscal_month)
    money = {cap.period: cap.amount for cap in draw.caps if cap.measure is Measure.MONEY}
    for cap in draw.caps:
        yield BudgetRule(Dimension.WORKSPACE, name, cap.period, cap.measure, cap.amount, calendar)
    month = money.get(Period.MONTH)
    for period, percent in ((Period.DAY, draw.day_brake), (Period.WEEK, draw.week_brake)):
        if month is not None and percent is not None and period not in money:
            yield BudgetRule(Dimension.WORKSPACE, name, period, Measure.MONEY, max(month * percent // 100, 1), calendar)


def entry_rules(entry: BudgetEntry) -> Iterator[BudgetRule]:
    rule = BudgetRule(
        entry.scope.dimension, entry.scope.value, entry.period, entry.measure, entry.cap, entry.calendar, workspace=entry.workspace
    )
    yield from with_share(rule, entry.reserve)


def with_share(rule: BudgetRule, reserve: Share | None) -> Iterator[BudgetRule]:
    """The rule, and its twin that stops everyone but production earlier: what is left between the two is production's."""
    yield rule
    if reserve is not None:
        others = rule.cap - reserve.of(rule.cap)
        yield msgspec.structs.replace(rule, cap=others, except_environment=Environment.PRODUCTION.value)
