"""The promises of the ledger held against its own sums: what must be equal, and the sentence when it is not.

Everything is an argument: the rows as loaded, the sums as the database adds them, and what the leaves alone tell.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from headgate.ledger.balance import Balance
from headgate.ledger.hold import EntryKind, State
from headgate.ledger.replay import Entries, Finding, Legs, Replay, Rule, Told, digest_of


class Sums(msgspec.Struct, frozen=True):
    """What the rows of one budget add up to: `held` and `suspect` over open legs, `posted` and `overrun` over entries."""

    held: int = 0
    suspect: int = 0
    posted: int = 0
    overrun: int = 0


class HoldFacts(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One hold as the tables tell it. `ended` is the state of its ending and `open` that of its open row; one of them is None."""

    hold: int
    shown: str
    nano: int
    tokens: int
    open: str | None
    ended: str | None
    used_nano: int
    used_tokens: int
    legs: Legs
    entries: Entries


NOTHING = Sums()

_FIELDS = (("posted", Rule.POSTED), ("held", Rule.HELD), ("suspect", Rule.HELD), ("overrun", Rule.POSTED))


def check_balance(balance: Balance, sums: Sums, told: Told | None) -> Iterator[Finding]:
    """One row of the budget table against the rows beside it and against the leaves."""
    where = f"budget {balance.id} ({balance.rule}, {balance.scope})"
    b = balance
    if not (0 <= b.suspect <= b.held and b.posted >= 0 and b.posted + b.held <= b.cap and b.overrun >= 0):
        yield Finding(Rule.CAP, where, f"posted {b.posted} + held {b.held} (suspect {b.suspect}) does not fit the cap {b.cap}")
    if b.target is not None and not b.target < b.cap == b.posted + b.held:
        yield Finding(Rule.CAP, where, f"It waits for the cap {b.target} at {b.cap}, which is not what is in use ({b.posted + b.held})")
    kept = (b.posted, b.held, b.suspect, b.overrun)
    added = (sums.posted, sums.held, sums.suspect, sums.overrun)
    for (name, rule), have, want in zip(_FIELDS, kept, added, strict=True):
        if have != want:
            yield Finding(rule, where, f"{name} is {have}, but its rows add up to {want}")
    if told is None:
        yield Finding(Rule.REPLAY, where, "No leaf opens it")
        return
    for (name, _), have, want in zip(_FIELDS, kept, (told.posted, told.held, told.suspect, told.overrun), strict=True):
        if have != want:
            yield Finding(Rule.REPLAY, where, f"{name} is {have}, but the leaves replay to {want}")
    if (b.cap if b.target is None else b.target) != told.cap:
        yield Finding(Rule.REPLAY, where, f"Its cap is {b.cap if b.target is None else b.target}, but the leaves say {told.cap}")
    if (b.rule, b.measure.value, b.starts_us, b.ends_us) != (told.rule, told.measure, told.starts_us, told.ends_us):
        yield Finding(Rule.REPLAY, where, "Its rule, measure or period is not the one that the leaf names")


def check_hold(facts: HoldFacts, replay: Replay) -> Iterator[Finding]:
    """One hold of the tables against itself and against its leaves."""
    where = f"hold {facts.shown}"
    if (facts.open is None) == (facts.ended is None):
        yield Finding(Rule.ONE_ENDING, where, "It is open and ended" if facts.open else "It is neither open nor ended")
    budgets = sorted(budget for budget, _ in facts.legs)
    posted = sorted(budget for budget, kind, _ in facts.entries if kind == EntryKind.POST.value)
    if posted != (budgets if facts.ended == State.POSTED.value else []):
        yield Finding(Rule.EVERY_LEG, where, f"It counts against budgets {budgets}, but posted in {posted}")
    told = replay.open.get(facts.hold)
    if told is not None:
        same = facts.open == told.state.value and (facts.nano, facts.tokens) == (told.nano, told.tokens)
        if not same or sorted(facts.legs) != sorted(told.legs):
            yield Finding(Rule.REPLAY, where, "Its state, its amount or its legs are not those of its leaves")
        return
    back = tuple(entry for entry in facts.entries if entry[1] == EntryKind.REFUND.value)
    if sorted(back) != sorted(replay.refunds.get(facts.hold, ())):
        yield Finding(Rule.REPLAY, where, "What was given back is not what its leaves tell")
    settled = tuple(entry for entry in facts.entries if entry[1] in (EntryKind.POST.value, EntryKind.OVERRUN.value))
    used = (facts.used_nano, facts.used_tokens)
    digest = digest_of(facts.ended or "", (facts.nano, facts.tokens), used, facts.legs, settled)
    if replay.ended.get(facts.hold) != digest:
        yield Finding(Rule.REPLAY, where, "Its ending, its amounts or its legs are not those of its leaves, or it has no leaf")
