"""From Friday evening to Monday morning by the trial's clock: the brakes of the default configuration leave most of the month."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from headgate.ledger.period import instant_of
from headgate.trials.clocked import MovedClock, next_friday
from headgate.trials.weekend import weekend


@pytest.mark.slow
def test_a_script_that_runs_wild_all_weekend_leaves_seven_tenths_of_the_month() -> None:
    result = weekend(lambda _sentence: None)
    assert result.passed, result.told
    assert "0.290000000" < result.share <= "0.300000000"
    assert [stop.budget for stop in result.stops] == [
        "workspace:ci/day/money",
        "workspace:ci/day/money",
        "workspace:ci/week/money",
    ]
    assert result.production_refusals == 0 and result.production_calls > 300 and result.refusals > 1000


@pytest.mark.parametrize("day", range(1, 32))
def test_the_weekend_begins_on_a_friday_and_ends_in_the_same_month(day: int) -> None:
    now = datetime(2026, 12, day, 23, 59, tzinfo=UTC)
    friday = next_friday(instant_of(now))
    assert friday > now and friday.weekday() == 4 and friday.hour == 18 and friday.day <= 28


def test_a_moved_clock_moves_both_its_hands() -> None:
    moved = MovedClock(datetime(2026, 12, 4, 18, tzinfo=UTC))
    wall, monotonic = moved.wall_us(), moved.monotonic_us()
    moved.move(datetime(2026, 12, 7, 8, tzinfo=UTC))
    hours = 62 * 3_600_000_000
    assert moved.wall_us() - wall >= hours - 1_000_000 and abs((moved.wall_us() - wall) - (moved.monotonic_us() - monotonic)) < 1_000_000
