"""Resolving what is in doubt, and opening again what a breach closed: by an operator with a reason, or in full when the window is over."""

from __future__ import annotations

import msgspec

from headgate.control.command import Resolve, Sweep, Thaw, Wrong
from headgate.names import MICROSECONDS, AttemptId, read_id, show_id
from headgate.refusal import Refusal
from headgate.store import rows
from headgate.store.ledger import Ledger
from headgate.terms.ending import Charge, Ending, Outcome
from headgate.terms.order import Settlement


class Resolved(msgspec.Struct, frozen=True):
    """What a hold became. Amounts are nano-dollars and tokens."""

    hold: str
    state: str
    nano: int
    tokens: int


def resolve(ledger: Ledger, command: Resolve) -> Resolved:
    """Post the true amount, void with proof, or post in full; a posted hold can be refunded once, when less was billed."""
    number = read_id(command.hold)
    row = None if number is None else ledger.database.first("hold", (number,))
    if number is None or row is None:
        raise Wrong(f"there is no hold {command.hold!r}; it looks like req_ and thirteen letters, and every answer carries it")
    if not command.reason.strip():
        raise Wrong("say what proves it with --reason; it is kept on the record")
    if command.nano < 0 or command.tokens < 0:
        raise Wrong("an amount is not negative")
    hold = rows.hold(row)
    attempt = AttemptId(number)
    charges = {"actual": Charge.ACTUAL, "void": Charge.VOID, "full": Charge.ACTUAL}
    if command.charge not in charges:
        raise Wrong("say --actual DOLLARS --tokens N, --void, or --full")
    amounts = {"actual": (command.nano, command.tokens), "void": (0, 0), "full": (hold.nano, hold.tokens)}
    nano, tokens = amounts[command.charge]
    ledger.record("resolve", {"hold": command.hold, "charge": command.charge, "actor": command.actor, "reason": command.reason})
    state = ledger.database.first("hold_state", (attempt,))
    if state is None:
        if command.charge == "full":
            raise Wrong(f"{command.hold} is not in doubt any more; what it was charged can only fall: say --actual DOLLARS or --void")
        back = ledger.refund(attempt, nano, tokens, command.reason)
        if isinstance(back, Refusal):
            raise Wrong(back.message)
        return Resolved(command.hold, "REFUNDED", back, 0)
    if state[0] == "HELD":
        raise Wrong(f"{command.hold} is still open: it settles by itself")
    ledger.settle(Settlement(attempt, charges[command.charge], Outcome(Ending.CUT), nano, tokens, how="operator"))
    return Resolved(command.hold, "VOIDED" if command.charge == "void" else "POSTED", nano, tokens)


def sweep(ledger: Ledger, command: Sweep) -> list[Resolved]:
    """Time never frees a hold: after the window it is posted in full, and a later proof of less is a refund."""
    before_us = ledger.now - command.window_hours * 3600 * MICROSECONDS
    done: list[Resolved] = []
    for row in ledger.database.run("suspects"):
        doubt = rows.suspect(row)
        if doubt.since_us <= before_us:
            ending = Ending(doubt.ending)
            ledger.settle(Settlement(doubt.attempt, Charge.ACTUAL, Outcome(ending), doubt.nano, doubt.tokens, how="window"))
            done.append(Resolved(show_id(doubt.attempt), "POSTED", doubt.nano, doubt.tokens))
    return done


def thaw(ledger: Ledger, command: Thaw) -> str:
    found = [rows.text(row[0]) for row in ledger.database.run("freezes")]
    if command.what not in found:
        raise Wrong(f"{command.what!r} is not frozen; frozen now: {', '.join(found) or 'nothing'}")
    if not command.reason.strip():
        raise Wrong("say why it is safe with --reason; it is kept on the record")
    ledger.database.run("thaw", (command.what,))
    ledger.record("thaw", {"what": command.what, "actor": command.actor, "reason": command.reason})
    return command.what
