"""Production beside a flood from CI is refused nothing; how fast it was is for the command to say, not for a test."""

from __future__ import annotations

import pytest

from headgate.trials.share import SharePlan, ShareResult, share


@pytest.mark.slow
def test_production_is_refused_nothing_beside_a_hundred_times_the_load_of_ci() -> None:
    result = share(SharePlan(pairs=1, seconds=1), lambda _sentence: None)
    assert result.production_refusals == 0, result.told
    assert result.ci_calls > 100 and len(result.alone_us) == len(result.beside_us) == result.pairs


def test_a_refusal_or_a_slow_median_misses_the_goal() -> None:
    good = ShareResult(40, 200, ratio="1.199", allowed="1.200")
    assert good.passed
    assert not ShareResult(40, 200, ratio="1.201", allowed="1.200").passed
    assert not ShareResult(40, 200, ratio="1.000", allowed="1.200", production_refusals=1).passed
