"""The life of a hold, as a table.

Rule 1  A hold that was sent ends in POSTED or, with proof that nothing was billed, in VOIDED; exactly once.
Rule 2  Time alone never frees it: doubt keeps it SUSPECT, which counts in full, and the window posts it in full.
Rule 3  Nothing leaves POSTED or VOIDED. A later truth that is smaller is one REFUND beside it, never an edit.
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    HELD = "HELD"
    SUSPECT = "SUSPECT"
    POSTED = "POSTED"
    VOIDED = "VOIDED"


class Move(Enum):
    POST = "post"
    VOID = "void"
    DOUBT = "doubt"


MOVES: dict[tuple[State, Move], State] = {
    (State.HELD, Move.POST): State.POSTED,
    (State.HELD, Move.VOID): State.VOIDED,
    (State.HELD, Move.DOUBT): State.SUSPECT,
    (State.SUSPECT, Move.POST): State.POSTED,
    (State.SUSPECT, Move.VOID): State.VOIDED,
}

OPEN = frozenset({State.HELD, State.SUSPECT})


class EntryKind(Enum):
    """What moves money. Entries are immutable; `posted` of a budget is POST − REFUND + ADJUST, `overrun` is OVERRUN."""

    POST = "POST"
    OVERRUN = "OVERRUN"
    REFUND = "REFUND"
    ADJUST = "ADJUST"
