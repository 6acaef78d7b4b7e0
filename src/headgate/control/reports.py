"""What the read-only side shows of the book: budgets, keys, doubts, freezes. Each is a short read on a connection that cannot write."""

from __future__ import annotations

import msgspec

from headgate.control.caps import Override
from headgate.control.keys import KeyRow, read_key
from headgate.names import show_id
from headgate.store import rows
from headgate.store.sqlite import Database


class BudgetLine(msgspec.Struct, frozen=True):
    """One budget in its current period. Amounts in nano-dollars or tokens, as `measure` says; instants microseconds UTC."""

    rule: str
    scope: str
    measure: str
    cap: int
    target: int | None
    posted: int
    held: int
    suspect: int
    overrun: int
    room: int
    starts_us: int
    ends_us: int


class DoubtLine(msgspec.Struct, frozen=True):
    """A hold in doubt."""

    hold: str
    since_us: int
    ending: str
    workspace: str
    model: str
    nano: int
    tokens: int


class FreezeLine(msgspec.Struct, frozen=True):
    what: str
    reason: str
    since_us: int


def budgets(database: Database, now: int) -> list[BudgetLine]:
    lines: list[BudgetLine] = []
    for row in database.run("budgets_now", {"now": now}):
        b = rows.balance(row)
        lines.append(
            BudgetLine(
                b.rule, b.scope, b.measure.value, b.cap, b.target, b.posted, b.held, b.suspect, b.overrun, max(b.room, 0),
                b.starts_us, b.ends_us,
            )
        )  # fmt: skip
    return lines


def keys(database: Database) -> list[KeyRow]:
    return [read_key(row) for row in database.run("keys")]


def overrides(database: Database, now: int) -> list[Override]:
    return [
        Override(
            rows.text(rule),
            rows.text(scope),
            rows.whole(cap),
            rows.text(actor),
            rows.text(reason),
            rows.whole(set_us),
            rows.whole(expires_us),
        )
        for rule, scope, cap, actor, reason, set_us, expires_us in database.run("overrides_now", (now,))
    ]


def doubts(database: Database) -> list[DoubtLine]:
    found = [rows.suspect(row) for row in database.run("suspects")]
    return [DoubtLine(show_id(d.attempt), d.since_us, d.ending, d.workspace, d.model, d.nano, d.tokens) for d in found]


def freezes(database: Database) -> list[FreezeLine]:
    return [FreezeLine(rows.text(what), rows.text(reason), rows.whole(since_us)) for what, reason, since_us in database.run("freezes")]
