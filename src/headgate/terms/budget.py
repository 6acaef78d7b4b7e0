"""Budgets: one kind of thing, (scope, period, unit, cap), at every level."""

from __future__ import annotations

from enum import Enum
from functools import cached_property

import msgspec

from headgate.terms.caller import Dimension


class Period(Enum):
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    TERM = "term"  # from a fixed day to a fixed day


class Measure(Enum):
    MONEY = "money"  # nano-dollars
    TOKENS = "tokens"


class Calendar(msgspec.Struct, frozen=True):
    """How a budget's periods fall. `zone` is an IANA name; `week_start` 0 is Monday; `term` is (first, last) ISO days, both inside."""

    zone: str = "UTC"
    week_start: int = 0
    fiscal_month: int = 1  # the month in which the year and the first quarter begin
    term: tuple[str, str] | None = None


class BudgetRule(msgspec.Struct, frozen=True, dict=True):
    """One cap as the operator wrote it. `value` "*" gives each value of the dimension a budget of its own.

    `workspace` limits the rule to the calls of one workspace; `except_environment` is how a shared cap keeps production's share: the
    same scope once more, without production, with a smaller cap.
    """

    dimension: Dimension
    value: str
    period: Period
    measure: Measure
    cap: int
    calendar: Calendar = Calendar()
    workspace: str | None = None
    except_environment: str | None = None

    @cached_property
    def name(self) -> str:
        """Stable across reloads: `workspace:ci/month/money`."""
        within = f"@{self.workspace}" if self.workspace and self.dimension is not Dimension.WORKSPACE else ""
        without = f"-{self.except_environment}" if self.except_environment else ""
        return f"{self.dimension.value}:{self.value}{within}{without}/{self.period.value}/{self.measure.value}"


class Leg(msgspec.Struct, frozen=True, gc=False):
    """One budget that a hold counts toward: its rule, and the scope it falls on (`user:alice@ci`)."""

    rule: BudgetRule
    scope: str
