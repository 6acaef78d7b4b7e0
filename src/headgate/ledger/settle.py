"""Close a hold: what each of its legs posts, gives back or runs over.

Rule 1  Every leg gives back its whole amount and posts what was used, in one step.
Rule 2  What was used above the hold is a breach: it is posted as far as there is room, and the shape that caused it is closed.
Rule 3  What does not even fit the room is an overrun: booked beside the cap, never inside it, and the workspace is closed.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from headgate.ledger.balance import Balance
from headgate.ledger.hold import EntryKind
from headgate.terms.budget import Measure


class Movement(msgspec.Struct, frozen=True, gc=False):
    """One entry to write."""

    budget: int
    kind: EntryKind
    amount: int


class Posted(msgspec.Struct, frozen=True):
    movements: tuple[Movement, ...]
    breach_nano: int
    overrun_nano: int
    breached: bool  # in money or in tokens
    overran: bool


def post(legs: Sequence[tuple[Balance, int]], nano: int, tokens: int, suspect: bool) -> Posted:
    """Post what was used against every leg. `legs` are (balance, held amount); `suspect` tells where the amounts are counted."""
    movements: list[Movement] = []
    breach_nano = overrun_nano = 0
    breached = overran = False
    for balance, held in legs:
        used = nano if balance.measure is Measure.MONEY else tokens
        _give_back(balance, held, suspect)
        # The room of the cap, not of a lower target: a cap on its way down may not turn a bounded call into an overrun.
        posted = min(used, balance.cap - balance.posted - balance.held)
        over = used - posted
        balance.posted += posted
        balance.overrun += over
        movements.append(Movement(balance.id, EntryKind.POST, posted))
        if over:
            movements.append(Movement(balance.id, EntryKind.OVERRUN, over))
        if used > held:
            breached = True
            overran = overran or over > 0
            if balance.measure is Measure.MONEY:
                breach_nano = max(breach_nano, used - held)
                overrun_nano = max(overrun_nano, over)
        balance.step_down()
    return Posted(tuple(movements), breach_nano, overrun_nano, breached, overran)


def void(legs: Sequence[tuple[Balance, int]], suspect: bool) -> None:
    for balance, held in legs:
        _give_back(balance, held, suspect)
        balance.step_down()


def doubt(legs: Sequence[tuple[Balance, int]]) -> None:
    for balance, held in legs:
        balance.suspect += held


def refund(legs: Sequence[tuple[Balance, int]], nano: int, tokens: int) -> tuple[Movement, ...]:
    """A later proof that less was billed than was charged. `legs` are (balance, posted amount); the figures are the true ones.

    An overrun stays as it was booked: it tells what ran over at the time, and nothing of it is inside the cap to be given back.
    """
    movements: list[Movement] = []
    for balance, posted in legs:
        back = max(posted - (nano if balance.measure is Measure.MONEY else tokens), 0)
        balance.posted -= back
        movements.append(Movement(balance.id, EntryKind.REFUND, back))
        balance.step_down()
    return tuple(movements)


def _give_back(balance: Balance, held: int, suspect: bool) -> None:
    balance.held -= held
    if suspect:
        balance.suspect -= held
