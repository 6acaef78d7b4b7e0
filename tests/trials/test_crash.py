"""The kill -9 trial finds nothing when the hold comes first, and is seen to fail when the send does."""

from __future__ import annotations

import pytest

from headgate.trials.crash import crash


def test_no_kill_loses_what_was_billed() -> None:
    result = crash(8)
    assert (result.kills, result.lost, result.broken, result.told) == (8, 0, 0, [])
    assert result.billed > 100 and result.doubted > 0


def test_a_send_before_its_hold_is_seen() -> None:
    result = crash(6, send_before_hold=True)
    assert result.lost > 0 and result.broken > 0


@pytest.mark.long
def test_no_kill_in_two_hundred_loses_what_was_billed() -> None:
    result = crash(200, seed=2)
    assert (result.kills, result.lost, result.broken, result.told) == (200, 0, 0, [])
