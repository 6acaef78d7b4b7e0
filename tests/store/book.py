"""A small real book for tests: a clock set by hand, rules, orders and a ledger on a temporary file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headgate.names import AttemptId, Instant, RequestId
from headgate.refusal import Refusal
from headgate.store.ledger import Clock, Ledger
from headgate.store.sqlite import Database, open_writer
from headgate.store.verify import verify
from headgate.terms.bound import Bound
from headgate.terms.budget import BudgetRule, Calendar, Leg, Measure, Period
from headgate.terms.caller import Dimension
from headgate.terms.ending import Charge, Ending, Outcome
from headgate.terms.order import Grant, Order, Settlement
from headgate.wire.usage import Usage

NOON = 1_790_000_000_000_000  # 2026-09-21T13:33:20Z, a Monday
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


class HandClock:
    """Wall and monotonic time in microseconds; both pass, and only `jump` sets the wall."""

    def __init__(self, wall_us: int = NOON) -> None:
        self.wall_us = wall_us
        self.monotonic_us = 5_000_000

    def passes(self, microseconds: int) -> None:
        self.wall_us += microseconds
        self.monotonic_us += microseconds

    def jump(self, microseconds: int) -> None:
        self.wall_us += microseconds

    def clock(self) -> Clock:
        return Clock(lambda: self.wall_us, lambda: self.monotonic_us)


def rule(
    cap: int,
    period: Period = Period.MONTH,
    measure: Measure = Measure.MONEY,
    dimension: Dimension = Dimension.WORKSPACE,
    value: str = "ci",
    calendar: Calendar | None = None,
) -> BudgetRule:
    return BudgetRule(dimension, value, period, measure, cap, calendar or Calendar())


def leg(rule: BudgetRule, scope: str | None = None) -> Leg:
    return Leg(rule, scope or f"{rule.dimension.value}:{rule.value}")


def bound(cost: int, least: int | None = None, tokens: int = 0) -> Bound:
    """`cost` nano-dollars: one nano-dollar for each output token; at least `least` of them are useful, all of them when None."""
    return Bound(tokens, 0, 1000, cost, cost if least is None else least)


def order(
    number: int, legs: Sequence[Leg], cost: int = 10, least: int | None = None, key: str = "k", wait_us: int = 0, tokens: int = 0
) -> Order:
    return Order(
        AttemptId(number), RequestId(number), "ci", key, "openai", "gpt-5.5", "responses", "text", 1,
        bound(cost, least, tokens), tuple(legs), wait_us,
    )  # fmt: skip


def posting(number: int, nano: int, tokens: int = 0) -> Settlement:
    outcome = Outcome(Ending.COMPLETED, Usage(1, tokens), 200, f"resp_{number}", "gpt-5.5", "default")
    return Settlement(AttemptId(number), Charge.ACTUAL, outcome, nano, tokens)


def voiding(number: int) -> Settlement:
    return Settlement(AttemptId(number), Charge.VOID, Outcome(Ending.NEVER_SENT))


def doubting(number: int) -> Settlement:
    return Settlement(AttemptId(number), Charge.SUSPECT, Outcome(Ending.CUT), stored=True)


def nobody_waits(_leg: Leg) -> int:
    return 0


class Book:
    """A ledger that has started, on its own file; `reopen` is what a crash and a new start do."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "ledger.db"
        self.time = HandClock()
        self._open()

    def _open(self) -> None:
        self.database: Database = open_writer(self.file)
        self.ledger = Ledger(self.database, self.time.clock())
        self.doubted = self.ledger.start()

    def reopen(self) -> None:
        self.database.close()
        self._open()

    def admit(self, order: Order, patient: bool = False) -> object:
        self.ledger.begin()
        answer = self.ledger.admit(order, nobody_waits, patient)
        self.ledger.commit()
        return answer

    def hold(self, order: Order) -> Grant:
        answer = self.admit(order)
        assert isinstance(answer, Grant), answer
        return answer

    def refused(self, order: Order) -> Refusal:
        answer = self.admit(order)
        assert isinstance(answer, Refusal), answer
        return answer

    def settle(self, settlement: Settlement) -> object:
        self.ledger.begin()
        answer = self.ledger.settle(settlement)
        self.ledger.commit()
        return answer

    def refund(self, number: int, nano: int, tokens: int = 0) -> int | Refusal:
        self.ledger.begin()
        answer = self.ledger.refund(AttemptId(number), nano, tokens, "the provider's costs say less")
        self.ledger.commit()
        return answer

    def override(self, rule: BudgetRule, scope: str, cap: int, expires_us: int) -> None:
        self.ledger.begin()
        self.add_override(rule, scope, cap, expires_us)
        self.ledger.commit()

    def add_override(self, rule: BudgetRule, scope: str, cap: int, expires_us: int) -> None:
        """Inside a batch: what a change by an operator does."""
        self.database.run("add_override", (rule.name, scope, cap, "alice", "a launch", self.time.wall_us, expires_us))
        self.ledger.load_overrides()
        self.ledger.apply_caps([rule])

    def budget(self, rule: BudgetRule, scope: str | None = None) -> dict[str, int | None]:
        """The newest row of the budget: cap, target, posted, held, suspect, overrun."""
        wanted = (rule.name, scope or leg(rule).scope)
        row = [row for row in self.database.run("budgets_all") if row[1:3] == wanted][-1]
        names = ("cap", "target", "posted", "held", "suspect", "overrun")
        return {name: value if value is None else int(value) for name, value in zip(names, row[6:], strict=True)}

    def findings(self) -> list[str]:
        return [f"{finding.rule.value} {finding.where}: {finding.sentence}" for finding in verify(self.database).findings]

    def instant(self) -> Instant:
        return Instant(self.time.wall_us)
