"""Random histories of the real ledger on a real file, each step held against an auditor that only knows addition."""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from tests.model.auditor import Account, Auditor
from tests.store.book import HOUR_US, HandClock, nobody_waits

from headgate.ledger.line import Line
from headgate.ledger.period import span_at
from headgate.ledger.reserve import Wait
from headgate.names import AttemptId, Instant
from headgate.refusal import Reason, Refusal
from headgate.store.ledger import Ledger
from headgate.store.sqlite import open_writer
from headgate.store.verify import verify
from headgate.terms.bound import Bound
from headgate.terms.budget import BudgetRule, Calendar, Leg, Measure, Period
from headgate.terms.caller import Dimension
from headgate.terms.ending import Charge, Ending, Outcome
from headgate.terms.order import Grant, Order, Settlement
from headgate.wire.usage import Usage

TRANSITIONS = (
    "admit whole", "admit shortened", "admit after waiting", "wait", "busy", "exhausted", "one leg", "several legs", "post", "void",
    "doubt", "post in doubt", "void in doubt", "doubt twice", "settle twice", "open and settle in one batch", "breach", "overrun", "refund",
    "refund twice", "cap up", "cap down", "step down", "override", "override ends", "new period", "settle in an old period", "commit",
    "abandon", "crash", "crash in the middle", "doubt by crash", "change undone",
)  # fmt: skip

RULES = (
    BudgetRule(Dimension.ORGANISATION, "*", Period.MONTH, Measure.MONEY, 400),
    BudgetRule(Dimension.WORKSPACE, "ci", Period.DAY, Measure.MONEY, 120),
    BudgetRule(Dimension.USER, "*", Period.HOUR, Measure.TOKENS, 150),
    BudgetRule(Dimension.WORKSPACE, "ci", Period.WEEK, Measure.TOKENS, 600, Calendar(zone="Asia/Kolkata", week_start=4)),
)
LEGS = tuple(Leg(rule, scope) for rule, scope in zip(RULES, ("organisation", "workspace:ci", "user:alice@ci", "workspace:ci"), strict=True))
RAM = Path("/dev/shm") if Path("/dev/shm").is_dir() else None


class Histories(RuleBasedStateMachine):
    seen: ClassVar[Counter[str]] = Counter()

    @initialize()
    def opens(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=RAM))
        self.time = HandClock()
        self.number = 1000
        self.auditor = Auditor()
        self.line: Line[None] = Line()
        self.caps = {rule.name: rule.cap for rule in RULES}
        self.overrides: dict[str, tuple[int, int]] = {}
        self.checked = True
        self.fresh: set[int] = set()
        self._start()

    def _start(self) -> None:
        self.ledger = Ledger(open_writer(self.folder / "ledger.db"), self.time.clock())
        doubted = self.auditor.died()
        assert self.ledger.start() == len(doubted)
        self._see("doubt by crash", len(doubted))
        # Orders carry the rules as they were at the start; reloads since then are known to the ledger alone.
        self.legs = tuple(Leg(rule, leg.scope) for rule, leg in zip(self._rules(), LEGS, strict=True))
        self.batch = False
        self.checked = False

    def _rules(self) -> list[BudgetRule]:
        return [msgspec.structs.replace(rule, cap=self.caps[rule.name]) for rule in RULES]

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.database.close()
            shutil.rmtree(self.folder)

    def _see(self, what: str, times: int = 1) -> None:
        assert what in TRANSITIONS
        Histories.seen[what] += times

    # -- batches -----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if not self.batch:
            self.ledger.begin()
            self.before = (copy.deepcopy(self.auditor), copy.deepcopy(self.line))
            self.fresh = set()
            self.batch = True

    @precondition(lambda self: self.batch)
    @rule()
    def commits(self) -> None:
        self.ledger.commit()
        self._see("commit")
        self.batch = self.checked = False

    def _end(self) -> None:
        if self.batch:
            self.commits()

    @precondition(lambda self: self.batch)
    @rule()
    def abandons(self) -> None:
        self.ledger.abandon()
        self.auditor, self.line = self.before
        self._see("abandon")
        self.batch = self.checked = False

    @rule(flush=st.booleans(), luck=st.integers(0, 4))
    def crashes(self, flush: bool, luck: int) -> None:
        """The process dies: what was not committed is gone, even when part of it had reached the file."""
        if luck:
            return
        self._see("crash in the middle" if self.batch else "crash")
        if self.batch:
            self.auditor, self.line = self.before
            if flush:
                self.ledger.database.commit = lambda: None  # type: ignore[method-assign]  the rows are written, the commit is not
                self.ledger.commit()
        self.ledger.database.close()
        self._start()
        self.line = Line()

    # -- accounts ----------------------------------------------------------------------------------------------------

    def _cap(self, rule: BudgetRule) -> int:
        cap, expires_us = self.overrides.get(rule.name, (0, 0))
        return cap if expires_us > self.time.wall_us else self.caps[rule.name]

    def _present(self, leg: Leg) -> str:
        """What the account is called that the leg falls on now."""
        zone = self.ledger._zone(leg.rule.calendar.zone)
        span = span_at(leg.rule.period, leg.rule.calendar, zone, Instant(self.time.wall_us))
        assert span is not None
        return f"{leg.rule.name}@{span.starts_us}"

    def _name(self, leg: Leg) -> str:
        """The account that the leg falls on now, opened or brought to the cap in force: an override ends when an order looks."""
        name = self._present(leg)
        cap = self._cap(leg.rule)
        account = self.auditor.accounts.get(name)
        if account is None:
            if any(other.startswith(leg.rule.name) for other in self.auditor.accounts):
                self._see("new period")
            self.auditor.accounts[name] = Account(cap)
        elif account.limit != cap:
            if self.overrides.get(leg.rule.name, (0, 1 << 62))[1] <= self.time.wall_us:
                self._see("override ends")
            account.limit = cap
        return name

    # -- holds -------------------------------------------------------------------------------------------------------

    @rule(
        legs=st.sets(st.integers(0, 3), min_size=1),
        fixed=st.integers(0, 8000),
        each=st.sampled_from((0, 700, 1000, 2500)),
        output=st.integers(1, 60),
        least=st.integers(1, 60),
        tokens=st.integers(0, 10),
        choices=st.sampled_from((1, 1, 2)),
        patience=st.sampled_from((0, 5_000_000)),
        times=st.integers(1, 5),
    )
    def admits(
        self, legs: set[int], fixed: int, each: int, output: int, least: int, tokens: int, choices: int, patience: int, times: int
    ) -> None:
        self._begin()
        bound = Bound(tokens, fixed, each, output, min(least, output), choices)
        chosen = tuple(self.legs[index] for index in sorted(legs))
        for _ in range(times):
            self.number += 1
            key = f"k{self.number % 3}"
            order = Order(
                AttemptId(self.number), self.number, "ci", key, "openai", "m", "responses", "text", 1, bound, chosen, patience
            )  # fmt: skip
            self._see("one leg" if len(chosen) == 1 else "several legs")
            self._ask(order, patience > 0, False)

    def _ask(self, order: Order, patient: bool, waits: bool) -> None:
        bound, names = order.bound, [self._name(leg) for leg in order.legs]

        def amounts(output: int) -> dict[str, int]:
            nano = -(-(bound.fixed_pico + bound.output_pico * output) // 1000)
            tokens = bound.input_tokens + bound.choices * output
            measures = [leg.rule.measure is Measure.MONEY for leg in order.legs]
            return {name: nano if money else tokens for name, money in zip(names, measures, strict=True)}

        accounts = self.auditor.accounts

        def others(leg: Leg) -> int:
            return self.line.others(order, leg.rule.name, leg.scope)

        answer = self.ledger.admit(order, others, patient)
        fits = all(amount <= accounts[name].room() for name, amount in amounts(bound.wanted_output).items())
        least = amounts(bound.minimum_output)
        if isinstance(answer, Grant):
            assert bound.minimum_output <= answer.output <= bound.wanted_output
            assert answer.shortened == (answer.output < bound.wanted_output) and (fits != answer.shortened)
            self.auditor.granted(order.attempt, amounts(answer.output))
            self.fresh.add(order.attempt)
            self._see("admit shortened" if answer.shortened else "admit whole")
            self._see("admit after waiting", int(waits))
        elif isinstance(answer, Wait):
            assert patient and not fits and any(accounts[name].held > accounts[name].suspect for name in names)
            self._see("wait")
            if not waits:
                self.line.join(order, Instant(self.time.wall_us + order.wait_us), None)
            return
        else:
            assert isinstance(answer, Refusal) and not fits
            if answer.reason is Reason.BUDGET_EXHAUSTED:
                assert any(amount > accounts[name].room_at_rest() for name, amount in least.items())
                self._see("exhausted")
            else:
                assert answer.reason is Reason.BUDGET_BUSY
                assert all(amount <= accounts[name].room_at_rest() for name, amount in least.items())
                assert any(amount > accounts[name].room() for name, amount in least.items())
                self._see("busy")
        if waits:
            self.line.leave(order)

    @precondition(lambda self: len(self.line))
    @rule()
    def asks_again(self) -> None:
        self._begin()
        for order, until, _ in self.line.in_turn():
            self._ask(order, self.time.wall_us < until, True)

    def _pick(self, data: st.DataObject, *states: str) -> int | None:
        numbers = [number for number, call in self.auditor.calls.items() if call.state in states]
        return data.draw(st.sampled_from(numbers)) if numbers else None

    @rule(data=st.data(), share=st.sampled_from((0, 1, 50, 100, 100, 130, 900)), doubtful=st.booleans())
    def posts(self, data: st.DataObject, share: int, doubtful: bool) -> None:
        number = self._pick(data, *(("SUSPECT",) if doubtful else ("HELD", "SUSPECT")))
        if number is None:
            return
        self._begin()
        call = self.auditor.calls[number]
        nano, tokens = (
            max((a for n, a in call.held.items() if n.split("@")[0].endswith(m)), default=0) * share // 100 for m in ("money", "tokens")
        )
        used = {name: nano if name.split("@")[0].endswith("money") else tokens for name in call.held}
        state, accounts = call.state, self.auditor.accounts
        waiting = [name for name in call.held if accounts[name].limit < accounts[name].posted + accounts[name].held]
        outcome = Outcome(Ending.COMPLETED, Usage(1, 1), 200)
        settled = self.ledger.settle(Settlement(AttemptId(number), Charge.ACTUAL, outcome, nano, tokens))
        assert settled is not None and settled.charged_nano == nano
        present = {self._present(leg) for leg in LEGS}
        over = self.auditor.ended(number, "POSTED", used)
        breached = any(used[name] > call.held[name] for name in call.held)
        assert len(settled.frozen) == breached + (over > 0)
        self._see("breach", int(breached))
        self._see("overrun", int(over > 0))
        self._see("post" if state == "HELD" else "post in doubt")
        self._see("open and settle in one batch", int(number in self.fresh))
        self._see("step down", len(waiting))
        self._see("settle in an old period", int(bool(call.held.keys() - present)))

    @rule(data=st.data())
    def voids(self, data: st.DataObject) -> None:
        number = self._pick(data, "HELD", "SUSPECT")
        if number is not None:
            self._begin()
            state = self.auditor.calls[number].state
            assert self.ledger.settle(Settlement(AttemptId(number), Charge.VOID, Outcome(Ending.NEVER_SENT))) is not None
            self.auditor.ended(number, "VOIDED", {})
            self._see("void" if state == "HELD" else "void in doubt")

    @rule(data=st.data())
    def doubts(self, data: st.DataObject) -> None:
        number = self._pick(data, "HELD")
        if number is not None:
            self._begin()
            assert self.ledger.settle(Settlement(AttemptId(number), Charge.SUSPECT, Outcome(Ending.CUT))) is not None
            self.auditor.doubted(number)
            self._see("doubt")

    @rule(data=st.data(), charge=st.sampled_from(Charge))
    def settles_again(self, data: st.DataObject, charge: Charge) -> None:
        number = self._pick(data, "POSTED", "VOIDED", "REFUNDED")
        if number is not None:
            self._begin()
            assert self.ledger.settle(Settlement(AttemptId(number), charge, Outcome(Ending.FAILED), 5, 5)) is None
            self._see("settle twice")

    @rule(data=st.data())
    def doubts_again(self, data: st.DataObject) -> None:
        number = self._pick(data, "SUSPECT")
        if number is not None:
            self._begin()
            assert self.ledger.settle(Settlement(AttemptId(number), Charge.SUSPECT, Outcome(Ending.STALLED))) is None
            self._see("doubt twice")

    @rule(data=st.data(), share=st.integers(0, 100))
    def refunds(self, data: st.DataObject, share: int) -> None:
        self._end()
        number = self._pick(data, "POSTED", "REFUNDED")
        if number is None:
            return
        self._begin()
        call = self.auditor.calls[number]
        posted = self.ledger.database.first("ending_of", (number,))
        assert posted is not None
        nano, tokens = (int(value) * share // 100 for value in posted[3:5])
        answer = self.ledger.refund(AttemptId(number), nano, tokens, "reconciled")
        if call.state == "REFUNDED":
            assert isinstance(answer, Refusal)
            self._see("refund twice")
        else:
            assert isinstance(answer, int)
            truth = {name: nano if name.split("@")[0].endswith("money") else tokens for name in call.held}
            self.auditor.refunded(number, truth)
            self._see("refund")
        self._end()

    # -- caps and time -----------------------------------------------------------------------------------------------

    @rule(
        index=st.integers(0, 3),
        share=st.sampled_from((100, 0, 30, 80, 150, 300)),
        hours=st.sampled_from((0, 1, 30)),
        dice=st.integers(0, 5),
    )
    def caps_change(self, index: int, share: int, hours: int, dice: int) -> None:
        """The settings are reloaded (hours 0), or an operator overrides one cap for some hours; perhaps it is undone."""
        if dice > 2:
            return
        self._end()
        self._begin()
        rule, leg = RULES[index], LEGS[index]
        before = (copy.deepcopy(self.caps), copy.deepcopy(self.overrides))
        old, cap = self._cap(rule), rule.cap * share // 100
        if hours:
            expires_us = self.time.wall_us + hours * HOUR_US
            self.ledger.database.run("add_override", (rule.name, leg.scope, cap, "alice", "launch", self.time.wall_us, expires_us))
            self.ledger.load_overrides()
            self.overrides[rule.name] = (cap, expires_us)
        else:
            self.caps[rule.name] = cap
        self.ledger.apply_caps(self._rules())
        if dice == 0:
            self.ledger.abandon()
            (self.auditor, self.line), (self.caps, self.overrides) = self.before, before
            self._see("change undone")
            self.batch = self.checked = False
            return
        if hours:
            self._see("override")
        self._see("cap up" if self._cap(rule) > old else "cap down", int(self._cap(rule) != old))
        for other in LEGS:
            if self._present(other) in self.auditor.accounts:
                self._name(other)
        self._end()

    @rule(microseconds=st.sampled_from((1_000_000, 6_000_000, HOUR_US, 5 * HOUR_US, 24 * HOUR_US)))
    def time_passes(self, microseconds: int) -> None:
        self._end()
        self.time.passes(microseconds)

    # -- what must be true -------------------------------------------------------------------------------------------

    @invariant()
    def the_book_is_what_the_auditor_added_up(self) -> None:
        if getattr(self, "checked", True) or self.batch:
            return
        self.checked = True
        database = self.ledger.database
        report = verify(database)
        assert report.whole, report.findings
        kept = {f"{row[1]}@{row[4]}": (row[8], row[9], row[10], row[11]) for row in database.run("budgets_all")}
        added = {name: account.sums() for name, account in self.auditor.accounts.items()}
        assert kept == {name: sums for name, sums in added.items() if name in kept}
        assert all(not any(sums) for name, sums in added.items() if name not in kept)
        states = Counter(call.state for call in self.auditor.calls.values())
        assert report.open == states["HELD"] + states["SUSPECT"] and report.suspect == states["SUSPECT"]
        assert report.holds == len(self.auditor.calls)


def _live(machines: int, steps: int) -> Counter[str]:
    Histories.seen = Counter()
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=machines,
            stateful_step_count=steps,
            deadline=None,
            derandomize=machines < 1000,
            database=None,
            print_blob=True,
            phases=(Phase.generate,),  # shrinking a history takes minutes, and what fails is printed whole
            suppress_health_check=list(HealthCheck),
        ),
    )
    return Histories.seen


def test_no_history_parts_the_ledger_from_the_auditor_and_every_transition_is_lived() -> None:
    seen = _live(250, 60)
    assert [name for name in TRANSITIONS if not seen[name]] == [], seen


@pytest.mark.long
def test_no_long_history_parts_the_ledger_from_the_auditor() -> None:
    seen = _live(5000, 60)
    assert [name for name in TRANSITIONS if seen[name] < 100] == [], seen


def test_nobody_waits_is_what_a_test_says_without_a_line() -> None:
    assert nobody_waits(LEGS[0]) == 0
