"""The ledger on disk: lock, load, decide, append. The decisions are the dry room's; this file only loads and writes.

A batch is one transaction. It loads each budget row once, decides in memory in the order of arrival, and writes one UPDATE per budget
and the new rows by executemany. Either all of it is durable or none of it happened.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from zoneinfo import ZoneInfo

import msgspec

from headgate.audit.leaf import NO_LEAF, Place, Plain, commitment, leaf_bytes, leaf_hash
from headgate.ledger.balance import Balance
from headgate.ledger.hold import MOVES, EntryKind, Move, State
from headgate.ledger.period import Span, span_at
from headgate.ledger.reserve import Wait, amount, reserve
from headgate.ledger.settle import doubt, post, refund, void
from headgate.names import MICROSECONDS, AttemptId, Instant, show_id
from headgate.refusal import Reason, Refusal
from headgate.store import rows
from headgate.store.sqlite import Database, Value
from headgate.terms.budget import BudgetRule, Leg
from headgate.terms.caller import Dimension
from headgate.terms.ending import Charge, Ending, Outcome
from headgate.terms.order import Grant, Order, Settled, Settlement

# A clock that moves by more than this against the machine's own monotonic one was set, not passing.
CLOCK_DOUBT_US = 60 * MICROSECONDS

# Whose scope names a person: it enters a leaf only as a salted commitment.
PERSONAL = frozenset({Dimension.USER, Dimension.SESSION, Dimension.CUSTOMER})

MOST_REMEMBERED = 100_000

# A hold that is opened, doubted and closed in one batch must reach the tables in that order.
WRITE_ORDER = (
    "add_epoch", "add_hold", "add_leg", "open_hold", "doubt_hold", "close_hold", "add_ending", "add_entry", "add_object",
    "add_freeze", "add_private", "add_leaf", "set_budget",
)  # fmt: skip


class Clock(msgspec.Struct, frozen=True):
    """Wall time (microseconds UTC) and a monotonic clock (microseconds), handed in so that a trial can bring its own."""

    wall_us: Callable[[], int]
    monotonic_us: Callable[[], int]


class _Period(msgspec.Struct, frozen=True, gc=False):
    """The budget row that a (rule, scope) falls on until `until_us`: its end, or the end of an override of its cap."""

    id: int
    until_us: int


class Ledger:
    """Owned by one thread. `begin`, then any of `admit`, `settle`, `record` …, then `commit`; or `abandon`."""

    def __init__(self, database: Database, clock: Clock, node: int = 0, zone: Callable[[str], tzinfo] = ZoneInfo) -> None:
        self.database = database
        self.node = node
        self.now = Instant(0)
        self._clock = clock
        self._zone = zone
        self._skew_us = clock.wall_us() - clock.monotonic_us()
        # What another thread may read to guess whether the cap is near: of each open budget, the room at the last commit, and what it
        # would be if every open call cost nothing.
        self.rooms: dict[tuple[str, str], tuple[int, int]] = {}
        self._epoch = rows.whole((database.first("last_epoch", {"node": node}) or (0,))[0]) + 1
        last = database.first("last_leaf")
        self._sequence = rows.whole(last[0]) if last else 0
        self._previous: str = leaf_hash(rows.blob(last[1])) if last else NO_LEAF
        self._periods: dict[tuple[str, str], _Period] = {}
        # State and legs of the holds that this process opened, so that a settlement need not read them back.
        self._held: dict[int, tuple[State, tuple[tuple[int, int], ...]]] = {}
        self._overrides: dict[tuple[str, str], tuple[int, int]] = {}
        # The caps of the settings in force: an order that was made before a reload may not bring an old cap back.
        self._caps: dict[str, int] = {}
        self.load_overrides()
        self._clear()

    def _clear(self) -> None:
        self._balances: dict[int, Balance] = {}
        self._rows: dict[str, list[Sequence[Value]]] = {}
        self._mark = (self._sequence, self._previous, self._overrides, self._caps)
        self._opened: list[int] = []
        self._settled: list[int] = []
        self._closed: set[int] = set()

    # -- the batch ---------------------------------------------------------------------------------------------------

    def wall_us(self) -> int:
        return self._clock.wall_us()

    def begin(self) -> None:
        self.database.begin()
        self.now = Instant(self._clock.wall_us())

    def commit(self) -> None:
        """Write everything that was decided and make it durable. Raises what the database raises; then nothing happened."""
        for balance in self._balances.values():
            self._add(
                "set_budget",
                (balance.cap, balance.target, balance.posted, balance.held, balance.suspect, balance.overrun, balance.id),
            )
        for name in WRITE_ORDER:
            if name in self._rows:
                self.database.many(name, self._rows[name])
        self.database.commit()
        for balance in self._balances.values():
            if balance.ends_us > self.now:
                self.rooms[balance.rule, balance.scope] = (balance.room, balance.room_at_rest)
        for attempt in self._settled:
            self._held.pop(attempt, None)
        if len(self._periods) > MOST_REMEMBERED or len(self.rooms) > MOST_REMEMBERED:
            # Each session may have a budget of its own; what is forgotten is read from the disk again.
            self._periods.clear()
            self.rooms.clear()
        self._clear()

    def abandon(self) -> None:
        """Forget the batch. What was promised in it was never told to anyone."""
        self.database.rollback()
        self._sequence, self._previous, self._overrides, self._caps = self._mark
        # The disk knows what was committed; whatever this batch touched is read from there again.
        for attempt in (*self._opened, *self._settled):
            self._held.pop(attempt, None)
        self._periods.clear()
        self._clear()

    def _add(self, name: str, values: Sequence[Value]) -> None:
        self._rows.setdefault(name, []).append(values)

    def record(self, kind: str, content: Mapping[str, Plain]) -> str:
        """Add one leaf to the batch; its hash is the receipt."""
        self._sequence += 1
        place = Place(self.node, self._epoch, self._sequence, self._previous)
        leaf = leaf_bytes(kind, place, self.now, content)
        self._previous: str = leaf_hash(leaf)
        self._add("add_leaf", (self._sequence, leaf))
        return self._previous

    # -- start -------------------------------------------------------------------------------------------------------

    def start(self) -> int:
        """Open this process's epoch; every hold that an earlier one left HELD is in doubt. Returns how many there were."""
        self.begin()
        self._add("add_epoch", (self.node, self._epoch, self.now))
        self.record("start", {})
        left = [AttemptId(rows.whole(row[0])) for row in self.database.run("open_of_older_epochs", (self._epoch,))]
        for attempt in left:
            self.settle(Settlement(attempt, Charge.SUSPECT, Outcome(Ending.CRASHED)))
        self.commit()
        return len(left)

    # -- budgets -----------------------------------------------------------------------------------------------------

    def load_overrides(self) -> None:
        """Read the overrides of caps anew; called when one was set. Of several on one budget the newest speaks alone, and after it
        the settings do: an older one does not come back.
        """
        now = self._clock.wall_us()
        self._overrides = {
            (rows.text(row[0]), rows.text(row[1])): (rows.whole(row[2]), rows.whole(row[6]))
            for row in self.database.run("overrides_now", (now,))
        }
        self._periods.clear()

    def _cap(self, rule: BudgetRule, scope: str) -> tuple[int, int]:
        """The cap in force and until when it is (microseconds)."""
        cap, expires_us = self._overrides.get((rule.name, scope), (0, 0))
        return (cap, expires_us) if expires_us > self.now else (self._caps.get(rule.name, rule.cap), 1 << 62)

    def _balance(self, budget: int) -> Balance:
        balance = self._balances.get(budget)
        if balance is None:
            row = self.database.first("budget", (budget,))
            assert row is not None, "a leg names a budget that exists"
            balance = self._balances[budget] = rows.balance(row)
        return balance

    def budget_of(self, leg: Leg) -> Balance | Refusal:
        """The balance that the leg falls on now, created if its period is new."""
        period = self._periods.get((leg.rule.name, leg.scope))
        if period is not None and self.now < period.until_us:
            return self._balance(period.id)
        latest = rows.whole((self.database.first("latest_period", (leg.rule.name, leg.scope)) or (0,))[0])
        if latest - self.now > CLOCK_DOUBT_US:
            # An older period's budget would be drawn on once more. Also seen after a restart, for the periods are on the disk.
            return _CLOCK_UNSURE
        calendar = leg.rule.calendar
        # A clock that was set back by a moment goes on in the period that it had reached.
        span = span_at(leg.rule.period, calendar, self._zone(calendar.zone), Instant(max(self.now, latest)))
        if span is None:
            return Refusal(
                Reason.BUDGET_EXHAUSTED,
                f"The term of budget {leg.scope} ({leg.rule.name}) has not begun or is over; extend it in headgate.toml",
                scope=leg.scope,
            )
        cap, until_us = self._cap(leg.rule, leg.scope)
        row = self.database.first("budget_at", (leg.rule.name, leg.scope, span.starts_us))
        if row is None and self._clock_unsure():
            return _CLOCK_UNSURE
        if row is None:
            balance = self._open_period(leg, span, cap)
        else:
            balance = self._balances.setdefault(rows.whole(row[0]), rows.balance(row))
            self._apply_cap(balance, cap)
        self._periods[leg.rule.name, leg.scope] = _Period(balance.id, min(span.ends_us, until_us))
        return balance

    def _clock_unsure(self) -> bool:
        return abs(self._clock.wall_us() - self._clock.monotonic_us() - self._skew_us) > CLOCK_DOUBT_US

    def _open_period(self, leg: Leg, span: Span, cap: int) -> Balance:
        budget = rows.whole((self.database.first("next_budget") or (1,))[0])
        measure = leg.rule.measure
        # Written at once, because the rows of this batch may not see each other before it is flushed.
        self.database.run("add_budget", (budget, leg.rule.name, leg.scope, measure.value, span.starts_us, span.ends_us, cap))
        scope = leg.scope
        if leg.rule.dimension in PERSONAL:
            salt = secrets.token_bytes(32)
            self._add("add_private", (self._sequence + 1, "scope", salt, scope))
            scope = commitment("scope", salt, scope)
        self.record(
            "budget",
            {
                "budget": budget, "rule": leg.rule.name, "scope": scope, "measure": measure.value,
                "starts": span.starts_us, "ends": span.ends_us, "cap": cap,
            },
        )  # fmt: skip
        return self._balances.setdefault(
            budget, Balance(budget, leg.rule.name, leg.scope, measure, span.starts_us, span.ends_us, cap, None, 0, 0, 0, 0)
        )

    def _apply_cap(self, balance: Balance, cap: int) -> None:
        if cap != (balance.cap if balance.target is None else balance.target):
            balance.set_cap(cap)
            self.record("cap", {"budget": balance.id, "cap": cap})

    def apply_caps(self, rules: Sequence[BudgetRule]) -> None:
        """After a reload or an override: bring every open period to the cap in force."""
        by_name = {rule.name: rule for rule in rules}
        self._caps = {rule.name: rule.cap for rule in rules}
        for row in self.database.run("budgets_now", {"now": self.now}):
            balance = self._balances.setdefault(rows.whole(row[0]), rows.balance(row))
            rule = by_name.get(balance.rule)
            if rule is not None:
                self._apply_cap(balance, self._cap(rule, balance.scope)[0])
        self._periods.clear()

    # -- holds -------------------------------------------------------------------------------------------------------

    def admit(self, order: Order, waiting: Callable[[Leg], int], patient: bool) -> Grant | Wait | Refusal:
        """Hold the order against every budget it counts toward, or against none."""
        balances: list[Balance] = []
        others: dict[int, int] = {}
        for leg in order.legs:
            balance = self.budget_of(leg)
            if isinstance(balance, Refusal):
                return balance
            balances.append(balance)
            others[balance.id] = waiting(leg)
        output = reserve(order.bound, balances, others, patient)
        if not isinstance(output, int):
            return output
        bound = order.bound
        nano, tokens = bound.nano(output), bound.tokens(output)
        legs = tuple((balance.id, amount(bound, balance.measure, output)) for balance in balances)
        self._add(
            "add_hold",
            (
                order.attempt, order.request, order.workspace, order.key, order.path, order.model, order.route, order.shape,
                order.tariff, bound.wanted_output, output, nano, tokens, self._epoch, self.now, order.facts,
            ),
        )  # fmt: skip
        for budget, held in legs:
            self._add("add_leg", (order.attempt, budget, held))
        self._add("open_hold", (order.attempt, self._epoch, self.now))
        receipt = self.record(
            "hold",
            {
                "hold": show_id(order.attempt), "request": show_id(order.request), "workspace": order.workspace, "key": order.key,
                "path": order.path, "model": order.model, "route": order.route, "tariff": order.tariff, "output": output,
                "nano": nano, "tokens": tokens, "legs": legs,
            },
        )  # fmt: skip
        self._held[order.attempt] = (State.HELD, legs)
        self._opened.append(order.attempt)
        return Grant(order.attempt, output, nano, tokens, self.now, receipt, output < bound.wanted_output)

    def _open_legs(self, attempt: AttemptId) -> tuple[State, list[tuple[Balance, int]]] | None:
        """The state and the legs of an open hold; None when it has ended, in this batch or before."""
        if attempt in self._closed:
            return None
        known = self._held.get(attempt)
        if known is None:
            row = self.database.first("hold_state", (attempt,))
            if row is None:
                return None
            legs = tuple((rows.whole(budget), rows.whole(held)) for budget, held in self.database.run("hold_legs", (attempt,)))
            known = (State(row[0]), legs)
        return known[0], [(self._balance(budget), held) for budget, held in known[1]]

    def settle(self, settlement: Settlement) -> Settled | None:
        """Close a hold, or put it in doubt. None when it is closed already, or in doubt and doubted again: never an error, never twice."""
        attempt = settlement.attempt
        found = self._open_legs(attempt)
        if found is None:
            return None
        state, legs = found
        move = {Charge.ACTUAL: Move.POST, Charge.VOID: Move.VOID, Charge.SUSPECT: Move.DOUBT}[settlement.charge]
        after = MOVES.get((state, move))
        if after is None:
            return None
        outcome = settlement.outcome
        if after is State.SUSPECT:
            doubt(legs)
            self._held[attempt] = (after, tuple((balance.id, held) for balance, held in legs))
            self._settled.append(attempt)
            self._enter_object(settlement, 0)
            self._add("doubt_hold", (self.now, outcome.ending.value, outcome.response_id or "", int(settlement.stored), attempt))
            self.record("doubt", {"hold": show_id(attempt), "ending": outcome.ending.value})
            return Settled(attempt, 0, 0, 0)
        suspect = state is State.SUSPECT
        frozen: tuple[str, ...] = ()
        breach = overrun = nano = tokens = 0
        moved: list[tuple[int, str, int]] = []
        if after is State.POSTED:
            nano, tokens = settlement.nano, settlement.tokens
            posted = post(legs, nano, tokens, suspect)
            breach, overrun = posted.breach_nano, posted.overrun_nano
            moved = [(movement.budget, movement.kind.value, movement.amount) for movement in posted.movements]
            for budget, kind, value in moved:
                self._add("add_entry", (attempt, budget, kind, value, self.now))
            if posted.breached:
                frozen = self._freeze(attempt, posted.overran)
        else:
            void(legs, suspect)
        self._add("close_hold", (attempt,))
        self._settled.append(attempt)
        self._closed.add(attempt)
        self._add(
            "add_ending",
            (
                attempt, after.value, outcome.ending.value, settlement.how, nano, tokens, breach, overrun, outcome.status,
                *rows.usage_columns(outcome.usage), outcome.model, outcome.tier, outcome.response_id, self.now,
            ),
        )  # fmt: skip
        content: dict[str, Plain] = {
            "hold": show_id(attempt), "state": after.value, "ending": outcome.ending.value, "how": settlement.how,
            "nano": nano, "tokens": tokens, "legs": [(balance.id, held) for balance, held in legs], "entries": moved,
        }  # fmt: skip
        if outcome.usage is not None:
            content["usage"] = msgspec.to_builtins(outcome.usage)
        if frozen:
            content["frozen"] = frozen
        usage = outcome.usage
        self._enter_object(settlement, usage.input_tokens + usage.output_tokens if usage is not None else 0)
        self.record("ending", content)
        return Settled(attempt, nano, breach, overrun, frozen)

    def _enter_object(self, settlement: Settlement, context: int) -> None:
        """Enter the id that the answer created with its owner; `context` is its length in tokens, 0 when it is not known."""
        if settlement.object_id is not None:
            owner = settlement.owner
            assert owner is not None, "an object has an owner"
            self._add("add_object", (settlement.object_id, "response", *owner, settlement.attempt, context, self.now))

    def _hold(self, attempt: AttemptId) -> rows.HoldRow:
        for values in self._rows.get("add_hold", ()):
            if values[0] == attempt:
                return rows.hold(tuple(values))
        row = self.database.first("hold", (attempt,))
        assert row is not None, "a leg belongs to a hold"
        return rows.hold(row)

    def _freeze(self, attempt: AttemptId, overran: bool) -> tuple[str, ...]:
        hold = self._hold(attempt)
        closed = [f"shape:{hold.path}/{hold.model}/{hold.shape}"]
        if overran:
            closed.append(f"workspace:{hold.workspace}")
        for what in closed:
            reason = f"{show_id(attempt)} was billed above its hold" + (" and above the room of its budget" if overran else "")
            self._add("add_freeze", (what, reason, self.now))
        return tuple(closed)

    def refund(self, attempt: AttemptId, nano: int, tokens: int, reason: str) -> int | Refusal:
        """A later proof that less was billed than was posted. Returns the nano-dollars given back; once per hold."""
        row = self.database.first("ending_of", (attempt,))
        entries = [(rows.whole(b), rows.text(k), rows.whole(a)) for b, k, a in self.database.run("entries_of", (attempt,))]
        if row is None or row[0] != State.POSTED.value or any(kind == EntryKind.REFUND.value for _, kind, _ in entries):
            return Refusal(Reason.INVALID_FIELD, f"{show_id(attempt)} is not posted, or was refunded before; see `headgate ledger verify`")
        if nano > rows.whole(row[3]) or tokens > rows.whole(row[4]):
            return Refusal(Reason.INVALID_FIELD, f"{show_id(attempt)} was charged less than that; a refund never asks for more")
        legs = [(self._balance(budget), value) for budget, kind, value in entries if kind == EntryKind.POST.value]
        if not legs:
            return Refusal(Reason.INVALID_FIELD, f"{show_id(attempt)} counts toward no budget; there is nothing to give back")
        movements = refund(legs, nano, tokens)
        for movement in movements:
            self._add("add_entry", (attempt, movement.budget, movement.kind.value, movement.amount, self.now))
        self.record(
            "refund",
            {"hold": show_id(attempt), "reason": reason, "entries": [(m.budget, m.kind.value, m.amount) for m in movements]},
        )
        return rows.whole(row[3]) - nano


_CLOCK_UNSURE = Refusal(Reason.CLOCK_UNSURE, "The clock of this machine jumped; restart the gate once the time is right")
