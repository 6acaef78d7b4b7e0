"""`headgate bench`: the trials that anyone can run, each with a figure, a JSON form and an exit code that says whether the goal was met."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import NoReturn

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from headgate.cli.ending import Exit, fail
from headgate.cli.reach import json_option
from headgate.money import parse_dollars
from headgate.trials.cap import FAULTS, CapPlan, cap, faults_of
from headgate.trials.crash import crash
from headgate.trials.levels import levels
from headgate.trials.mutant import MUTATIONS
from headgate.trials.power import power
from headgate.trials.share import SharePlan, share
from headgate.trials.stage import CannotStart, GateGone
from headgate.trials.weekend import weekend

seed_option = click.option("--seed", default=1, show_default=True, help="Decides what is left to chance, as far as a trial can.")


@click.group()
def bench() -> None:
    """Trials of caps, crashes and shares, judged from outside. Each ends with exit code 6 when its goal is missed."""


@bench.command("cap")
@json_option
@seed_option
@click.option("--cap", "dollars", default="5.00", show_default=True, metavar="DOLLARS", help="The month's cap of the one workspace.")
@click.option("--clients", default=1000, show_default=True, type=click.IntRange(1, 20_000), help="How many call at once.")
@click.option("--rounds", default=20, show_default=True, type=click.IntRange(1), help="Each with a data folder of its own.")
@click.option(
    "--faults", default=",".join(FAULTS), show_default=True, help="kill -9 of the gate, answers that break off, clients that hang up."
)
@click.option(
    "--prove", type=click.Choice(list(MUTATIONS)), hidden=True, help="Break this promise in a copy: the trial must be seen to fail."
)
def cap_(as_json: bool, seed: int, dollars: str, clients: int, rounds: int, faults: str, prove: str | None) -> None:
    """Many clients at one cap, with faults and kills: what the provider's own meter says ÷ the cap."""
    try:
        plan = CapPlan(parse_dollars(dollars), clients, rounds, tuple(faults_of(faults)), seed, prove=prove)
    except ValueError as error:
        fail(Exit.USAGE, str(error))
    with watched("callers at one cap", rounds) as step, _started():
        result = cap(plan, step)
    _end(
        result, result.passed, as_json,
        f"billed ÷ cap {result.ratio} at worst over {result.rounds} rounds; used {result.utilisation} at least; {result.calls:,} calls, "
        f"{result.kills} kills, {result.refusals:,} refusals, {result.false_refusals} of them false; {result.broken_invariants} broken",
        result.told,
    )  # fmt: skip


@bench.command("weekend")
@json_option
def weekend_(as_json: bool) -> None:
    """A script runs wild in CI from Friday 18:00 to Monday 08:00; the clock is the trial's, the rest is real."""
    with watched("a weekend") as step, _started():
        result = weekend(lambda sentence: step(0, sentence))
    stops = "".join(f"\n  {stop.at}  {stop.budget} stopped it until {stop.resets}" for stop in result.stops)
    _end(
        result, result.passed, as_json,
        f"{result.from_} to {result.until} UTC: CI used {result.share} of its month in {result.calls} calls; production was refused "
        f"{result.production_refusals} of {result.production_calls} times{stops}",
        result.told,
    )  # fmt: skip


@bench.command("share")
@json_option
@click.option("--pairs", default=6, show_default=True, type=click.IntRange(1), help="Turns alone and beside CI.")
@click.option("--seconds", default=6, show_default=True, type=click.IntRange(1), help="How long each turn lasts.")
def share_(as_json: bool, pairs: int, seconds: int) -> None:
    """Production alone, and beside CI at a hundred times CI's load: refusals, and how much slower."""
    plan = SharePlan(pairs, seconds)
    with watched("production beside CI", pairs) as step, _started():
        result = share(plan, lambda sentence: step(0, sentence))
    _end(
        result, result.passed, as_json,
        f"production, {result.production_calls:,} calls: {result.production_refusals} refused; p99 {result.alone_p99_us / 1000:.1f} ms "
        f"alone, {result.beside_p99_us / 1000:.1f} ms beside {result.ci_per_second} CI calls a second; median ratio {result.ratio} of "
        f"{result.pairs} pairs (of the provider, past the gate, {result.provider_ratio}), {result.allowed} allowed"
        f"{'' if result.still else ': this machine was not still'}",
        result.told,
    )  # fmt: skip


@bench.command("levels")
@json_option
def levels_(as_json: bool) -> None:
    """Each level stops at its own cap, over each period, in money and in tokens; what it does not concern goes on."""
    with watched("levels") as step, _started():
        result = levels(lambda sentence: step(0, sentence))
    missed = [f"{level.level} ({level.measure}, {level.period}): {level.told}" for level in result.levels if not level.passed]
    _end(
        result, result.passed, as_json,
        f"{len(result.levels) - len(missed)} of {len(result.levels)} levels stopped at their own cap; {result.broken_invariants} broken",
        [*missed, *result.told],
    )  # fmt: skip


@bench.command("crash")
@json_option
@seed_option
@click.option("--kills", default=200, show_default=True, type=click.IntRange(1), help="How often the writer is killed.")
@click.option("--prove", type=click.Choice(["send-before-hold"]), hidden=True, help="Break this promise: the trial must be seen to fail.")
def crash_(as_json: bool, seed: int, kills: int, prove: str | None) -> None:
    """kill -9 of the ledger's writer at random moments; the book is proved and held against what was billed after each."""
    with watched("kill -9") as step:
        step(0, f"{kills} kills")
        result = crash(kills, seed, prove is not None)
    _end(
        result, not result.broken and not result.lost, as_json,
        f"{result.kills} kills ({result.kills_while_opening} while it opened), {result.billed:,} billed attempts: {result.lost} lost, "
        f"{result.broken} broken",
        result.told,
    )  # fmt: skip


@bench.command("power")
@json_option
@seed_option
@click.option("--cuts", default=10_000, show_default=True, type=click.IntRange(1), help="How often the power goes.")
@click.option("--prove", type=click.Choice(["without-full-sync"]), hidden=True, help="Break this promise: the trial must be seen to fail.")
def power_(as_json: bool, seed: int, cuts: int, prove: str | None) -> None:
    """Power cuts under the real ledger: what was not synced is lost, kept or torn; the book is proved after each."""
    with watched("power cuts") as step:
        step(0, f"{cuts} cuts")
        result = power(cuts, seed, "FULL" if prove is None else "NORMAL")
    _end(
        result, not result.broken and not result.lost, as_json,
        f"{result.cuts:,} cuts ({result.cuts_while_opening:,} while it opened), {result.billed:,} billed attempts: {result.lost} lost, "
        f"{result.broken} broken",
        result.told,
    )  # fmt: skip


@contextmanager
def watched(what: str, steps: int | None = None) -> Generator[Callable[[int, str], None]]:
    """Where a person watches, a bar on standard error; else one line a step. Standard output is for the result alone."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda _done, sentence: click.echo(sentence, err=True)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), *((BarColumn(),) if steps else ()), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=steps)

        def step(done: int, sentence: str) -> None:
            progress.console.print(sentence, markup=False)
            progress.update(task, completed=done)

        yield step


@contextmanager
def _started() -> Generator[None]:
    try:
        yield
    except (CannotStart, GateGone) as error:
        fail(Exit.FAILED, str(error))


def _end(result: object, passed: bool, as_json: bool, summary: str, told: list[str]) -> NoReturn:
    """The result, and whether it is what was promised."""
    if as_json:
        click.echo(msgspec.json.encode(result).decode())
    else:
        for sentence in told:
            click.echo(f"  {sentence}")
        click.echo(f"{summary}\n{'The goal is met.' if passed else 'The goal is MISSED.'}")
    sys.exit(int(Exit.DONE if passed else Exit.FINDINGS))
