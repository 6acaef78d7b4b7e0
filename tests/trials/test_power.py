"""The power trial finds nothing with full sync, and is seen to fail without."""

from __future__ import annotations

import msgspec
import pytest

from headgate.trials.power import power


def test_no_power_cut_loses_what_was_billed() -> None:
    result = power(200)
    assert (result.cuts, result.lost, result.broken, result.told) == (200, 0, 0, [])
    assert result.billed > 200 and 0 < result.cuts_while_opening < 150


def test_without_full_sync_the_power_trial_cries() -> None:
    result = power(60, synchronous="NORMAL")
    assert result.lost > 0 and result.broken > 0


def test_the_same_seed_cuts_at_the_same_places() -> None:
    assert msgspec.json.encode(power(20, seed=7)) == msgspec.json.encode(power(20, seed=7))


@pytest.mark.long
def test_no_power_cut_in_ten_thousand_loses_what_was_billed() -> None:
    result = power(10_000, seed=2)
    assert (result.cuts, result.lost, result.broken, result.told) == (10_000, 0, 0, [])
