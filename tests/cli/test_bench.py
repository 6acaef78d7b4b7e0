"""`headgate bench`: JSON as the last line, sentences for people, and an exit code that says whether the goal was met."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from headgate.cli.bench import bench
from headgate.cli.ending import Exit


@pytest.mark.slow
def test_the_cap_trial_ends_with_one_json_object() -> None:
    done = CliRunner().invoke(bench, ["cap", "--cap", "2.50", "--clients", "20", "--rounds", "1", "--faults", "cut,disconnect", "--json"])
    assert done.exit_code == Exit.DONE, done.output
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["cap"] == 2_500_000_000 and result["rounds"] == 1 and result["kills"] == 0
    assert result["ratio"] <= "1.000000000" and result["utilisation"] >= "0.98"
    assert (result["false_refusals"], result["broken_invariants"]) == (0, 0) and result["refusals"] == 20
    assert "round 1 of 1" in done.stderr


@pytest.mark.slow
def test_a_trial_that_misses_its_goal_says_so_by_its_exit_code() -> None:
    arguments = ["cap", "--clients", "20", "--rounds", "1", "--faults", "", "--prove", "send-before-hold"]
    done = CliRunner().invoke(bench, arguments)
    assert done.exit_code == Exit.FINDINGS
    assert "The goal is MISSED." in done.stdout and "has no hold" in done.stdout


@pytest.mark.slow
def test_crashes_and_power_cuts_are_tried_by_command() -> None:
    crashed = CliRunner().invoke(bench, ["crash", "--kills", "2", "--json"])
    assert crashed.exit_code == Exit.DONE and json.loads(crashed.stdout.splitlines()[-1])["kills"] == 2
    cut = CliRunner().invoke(bench, ["power", "--cuts", "20", "--json"])
    assert cut.exit_code == Exit.DONE and json.loads(cut.stdout.splitlines()[-1])["cuts"] == 20
    unsafe = CliRunner().invoke(bench, ["power", "--cuts", "60", "--prove", "without-full-sync"])
    assert unsafe.exit_code == Exit.FINDINGS and "MISSED" in unsafe.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(["--cap", "much"], "amount in dollars"), (["--faults", "tornado"], "there are kill, cut, disconnect"), (["--clients", "0"], "0")],
)
def test_a_wrong_argument_is_told_before_anything_starts(arguments: list[str], sentence: str) -> None:
    done = CliRunner().invoke(bench, ["cap", *arguments])
    assert done.exit_code == Exit.USAGE and sentence in done.stderr
