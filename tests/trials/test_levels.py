"""Every dimension and every period has a level in the trial, and each stops at its own cap."""

from __future__ import annotations

import pytest

from headgate.terms.budget import Period
from headgate.terms.caller import Dimension
from headgate.trials.levels import dimensions, levels, periods

KEYS = ("key_one", "key_two")


def test_every_dimension_and_every_period_is_tried() -> None:
    tried = [level.name.partition(" ")[0] for level in dimensions(KEYS)]
    assert set(tried) == {dimension.value for dimension in Dimension}
    assert {(level.period, level.tokens) for level in periods()} == {(period, tokens) for period in Period for tokens in (False, True)}


@pytest.mark.slow
def test_each_level_stops_at_its_own_cap_and_what_it_does_not_concern_goes_on() -> None:
    result = levels(lambda _sentence: None)
    assert [level for level in result.levels if not level.passed] == []
    assert len(result.levels) == len([*dimensions(KEYS), *periods()])
    assert (result.broken_invariants, result.told) == (0, []) and result.passed
