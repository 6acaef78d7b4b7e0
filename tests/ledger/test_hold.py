"""The life of a hold is a table, and the table is closed."""

from __future__ import annotations

from itertools import product

from headgate.ledger.hold import MOVES, OPEN, EntryKind, Move, State


def test_every_pair_of_state_and_move_is_in_the_table_or_is_named_as_absent() -> None:
    absent = {(State.SUSPECT, Move.DOUBT), *product((State.POSTED, State.VOIDED), Move)}
    assert set(MOVES) | absent == set(product(State, Move))
    assert not set(MOVES) & absent


def test_nothing_leaves_a_hold_that_ended() -> None:
    assert {state for state, _ in MOVES} == OPEN
    assert set(State) - OPEN == {State.POSTED, State.VOIDED}


def test_time_cannot_free_a_hold_because_only_void_does() -> None:
    assert {move for (_, move), after in MOVES.items() if after is State.VOIDED} == {Move.VOID}


def test_an_entry_posts_runs_over_gives_back_or_adjusts() -> None:
    assert [kind.value for kind in EntryKind] == ["POST", "OVERRUN", "REFUND", "ADJUST"]
