"""The whole book read in one transaction and held against its promises: what `headgate ledger verify` says.

It only reads, so it runs beside a live gate; the write-ahead log cannot shrink while it does (a million leaves take some ten seconds).
Leaves and holds are streamed; what stays in memory is sixteen bytes and an id for each hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from headgate.audit.chain import Chain
from headgate.audit.leaf import commitment
from headgate.ledger.replay import Finding, Replay, Rule, Told
from headgate.ledger.verify import NOTHING, HoldFacts, Sums, check_balance, check_hold
from headgate.names import show_id
from headgate.store import rows
from headgate.store.sqlite import Database, Row

# One damaged leaf can make thousands of findings; what is told is enough to see where it begins.
MOST_FINDINGS = 100

_COMMITMENT = re.compile(r"[0-9a-f]{64}")


class Report(msgspec.Struct, frozen=True):
    """What was looked at, and what was found. `found` counts all findings, `findings` are the first of them."""

    leaves: int
    holds: int
    open: int
    suspect: int
    budgets: int
    found: int
    findings: tuple[Finding, ...]

    @property
    def whole(self) -> bool:
        return self.found == 0


def verify(database: Database) -> Report:
    """Check the file, the chain of leaves, every hold and every balance. Changes nothing."""
    database.begin_reading()
    try:
        return _verify(database)
    finally:
        database.rollback()


def _verify(database: Database) -> Report:
    findings: list[Finding] = []
    found = 0

    def take(some: Iterator[Finding] | list[Finding]) -> None:
        nonlocal found
        for finding in some:
            found += 1
            if len(findings) < MOST_FINDINGS:
                findings.append(finding)

    take(_file(database))
    chain, replay = Chain(), Replay()
    for sequence, data in database.stream("leaves"):
        leaf = rows.blob(data)
        take([Finding(Rule.CHAIN, f"leaf {sequence}", sentence) for sentence in chain.feed(leaf)])
        take(replay.feed(leaf))
        if sequence != replay.leaves:
            take([Finding(Rule.CHAIN, f"leaf {sequence}", f"It stands at place {replay.leaves} of the table; leaves before it are gone")])
            replay.leaves = rows.whole(sequence)
    holds = 0
    for facts in _holds(database):
        holds += 1
        take(check_hold(facts, replay))
    if holds != len(replay.open) + len(replay.ended):
        told = len(replay.open) + len(replay.ended)
        take([Finding(Rule.REPLAY, "hold", f"The table has {holds} holds, the leaves tell of {told}")])
    budgets = 0
    sums = _sums(database)
    for row in database.stream("budgets_all"):
        budgets += 1
        balance = rows.balance(row)
        told = replay.budgets.get(balance.id)
        take(check_balance(balance, sums.pop(balance.id, NOTHING), told))
        if told is not None and balance.scope != told.scope:
            take(_scope(database, balance.scope, told))
    if budgets != len(replay.budgets):
        take([Finding(Rule.REPLAY, "budget", f"The table has {budgets} budgets, the leaves tell of {len(replay.budgets)}")])
    take([Finding(Rule.STRAY, f"budget {budget}", "Legs or entries name it, but it does not exist") for budget in sums])
    take([Finding(Rule.STRAY, f"{row[0]} of {show_id(rows.whole(row[1]))}", "Its hold does not exist") for row in database.run("strays")])
    states = {rows.text(row[0]): rows.whole(row[1]) for row in database.run("count_open")}
    return Report(replay.leaves, holds, sum(states.values()), states.get("SUSPECT", 0), budgets, found, tuple(findings))


def _file(database: Database) -> Iterator[Finding]:
    verdict = database.integrity()
    if verdict != "ok":
        yield Finding(Rule.FILE, "file", f"SQLite finds it damaged: {verdict}; restore the last backup")


def _sums(database: Database) -> dict[int, Sums]:
    open_legs = {rows.whole(b): (rows.whole(held), rows.whole(suspect)) for b, held, suspect in database.run("open_sums")}
    entries = {rows.whole(b): (rows.whole(posted), rows.whole(overrun)) for b, posted, overrun in database.run("entry_sums")}
    return {b: Sums(*open_legs.get(b, (0, 0)), *entries.get(b, (0, 0))) for b in open_legs.keys() | entries.keys()}


def _holds(database: Database) -> Iterator[HoldFacts]:
    """Holds with their legs and entries, by three streams in the order of the holds, side by side."""
    legs = _ByHold(database.stream("legs_in_order"))
    entries = _ByHold(database.stream("entries_in_order"))
    for row in database.stream("holds_in_order"):
        hold = rows.whole(row[0])
        yield msgspec.convert((hold, show_id(hold), *row[1:], legs.of(hold), entries.of(hold)), HoldFacts)


class _ByHold:
    """A stream of rows that begin with a hold, in rising order of the holds."""

    def __init__(self, stream: Iterator[Row]) -> None:
        self._stream = stream
        self._next = next(stream, None)

    def of(self, hold: int) -> tuple[Row, ...]:
        """The rows of this hold without it; those of smaller holds, which do not exist, are left to the search for strays."""
        found: list[Row] = []
        while self._next is not None and rows.whole(self._next[0]) <= hold:
            if self._next[0] == hold:
                found.append(self._next[1:])
            self._next = next(self._stream, None)
        return tuple(found)


def _scope(database: Database, scope: str, told: Told) -> Iterator[Finding]:
    """A scope that names a person stands in the leaf as a commitment; when its salt was erased, that tells nothing any more."""
    kept = database.first("private_of", (told.leaf, "scope"))
    if kept is None:
        same = _COMMITMENT.fullmatch(told.scope) is not None
    else:
        same = kept[1] == scope and commitment("scope", rows.blob(kept[0]), scope) == told.scope
    if not same:
        yield Finding(Rule.REPLAY, f"leaf {told.leaf}", f"Its budget is not on {scope}, or not on what the leaf commits to")
