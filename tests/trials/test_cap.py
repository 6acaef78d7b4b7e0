"""Callers, kills and broken answers at one cap: the trial holds, and is seen to fail when a promise is broken in a copy."""

from __future__ import annotations

import pytest

from headgate.trials.cap import CUTS, FAULTS, CapPlan, CapResult, cap, faults_of


def run(plan: CapPlan) -> CapResult:
    return cap(plan, lambda _done, _sentence: None)


@pytest.mark.slow
def test_no_kill_cut_or_hang_up_takes_a_provider_above_the_cap() -> None:
    result = run(CapPlan(clients=100, rounds=2))
    assert (result.false_refusals, result.broken_invariants, result.told) == (0, 0, [])
    assert result.ratio <= "1.000000000" and result.passed
    # One bound is at most a hundredth of the cap, so that little may be left; and the faults did happen.
    assert result.utilisation >= "0.98"
    assert result.kills >= 2 and result.left > 0 and result.refusals == 200 and result.calls > 300


@pytest.mark.slow
def test_without_faults_nothing_is_in_doubt_and_the_cap_is_used_up() -> None:
    result = run(CapPlan(clients=40, rounds=1, faults=()))
    assert result.passed and result.utilisation >= "0.98" and result.ratio >= "0.97"
    assert set(result.answers) <= {"200", "429 budget_busy", "429 budget_exhausted"}


@pytest.mark.slow
def test_a_send_before_its_hold_is_seen() -> None:
    result = run(CapPlan(clients=60, rounds=1, faults=(), most_calls=12, prove="send-before-hold"))
    assert result.ratio > "1.000000000" and result.broken_invariants > 0 and not result.passed
    assert any("has no hold" in sentence for sentence in result.told)


@pytest.mark.slow
def test_a_cut_answer_that_frees_its_hold_is_seen() -> None:
    result = run(CapPlan(clients=60, rounds=1, faults=("cut",), prove="void-on-cut"))
    assert result.broken_invariants > 0 and not result.passed
    assert any("is void" in sentence for sentence in result.told)


@pytest.mark.slow
def test_a_start_that_forgets_what_was_open_is_seen() -> None:
    result = run(CapPlan(clients=100, rounds=1, faults=("kill",), prove="forget-the-killed"))
    assert result.ratio > "1.000000000" and result.broken_invariants > 0


@pytest.mark.long
def test_a_thousand_callers_stop_at_the_cap_in_every_round() -> None:
    result = run(CapPlan(clients=1000, rounds=20, seed=2))
    assert result.passed and result.utilisation >= "0.98", result.told


def test_faults_are_named_or_refused() -> None:
    assert faults_of("kill, cut,disconnect") == list(FAULTS)
    assert faults_of("") == []
    with pytest.raises(ValueError, match="there are kill, cut, disconnect"):
        faults_of("kill,tornado")


def test_most_answers_are_whole() -> None:
    assert sum(CUTS.values()) < 200, "of a thousand: a trial of mostly broken answers would say nothing about the others"
