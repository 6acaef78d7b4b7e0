"""`headgate budget`: what is spent, held and left at every level; and a cap for a time, with a reason."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from headgate.assembly import SYSTEM_CLOCK
from headgate.cli.ending import Exit, fail
from headgate.cli.reach import actor, command, config_option, json_option, read_book, read_settings
from headgate.cli.tables import show_instant, show_json, show_table
from headgate.config.settings import Settings
from headgate.control.caps import Override, only_scope
from headgate.control.command import SetCap
from headgate.control.reports import BudgetLine, budgets, doubts, freezes, overrides
from headgate.ledger.reserve import show_amount
from headgate.money import parse_dollars, show_dollars
from headgate.terms.budget import Measure

# What the exact cap rests on; each is watched, and a break is an overrun that freezes the workspace (docs/budgets.md).
ASSUMPTIONS = (
    "A1  output billed is at most the max_output_tokens that was written into the request, times the choices",
    "A2  input billed is at most one token a byte, or the context window where bytes do not bound it",
    "A3  a complete error before any output is not billed",
    "A4  the price book is the provider's",
    "A5  the usage in the answer is what is invoiced",
)


@click.group()
def budget() -> None:
    """Show budgets; set a cap for a time."""


@budget.command("show")
@config_option
@json_option
def show(config_file: Path, as_json: bool) -> None:
    """Every budget in its current period, and what the guarantee rests on."""
    settings = read_settings(config_file)
    book = read_book(settings)
    now = SYSTEM_CLOCK.wall_us()
    lines = budgets(book, now)
    if as_json:
        show_json(
            {
                "budgets": lines,
                "overrides": overrides(book, now),
                "doubts": doubts(book),
                "frozen": freezes(book),
                "assumptions": ASSUMPTIONS,
            }
        )
        return
    show_table(
        ("rule", "scope", "cap", "spent", "held", "in doubt", "left", "overrun", "resets (UTC)"),
        [_row(line) for line in lines] + _untouched(settings, lines, overrides(book, now)),
        "There are no budgets.",
    )
    for override in overrides(book, now):
        click.echo(
            f"override  {override.scope} ({override.rule}) until {show_instant(override.expires_us)}: {override.reason} ({override.actor})"
        )
    for frozen in freezes(book):
        click.echo(f"frozen    {frozen.what}: {frozen.reason}; when it is understood: headgate ledger thaw {frozen.what} --reason …")
    for doubt in doubts(book):
        click.echo(
            f"in doubt  {doubt.hold} since {show_instant(doubt.since_us)} ({doubt.ending}): {show_dollars(doubt.nano)} held, "
            f"{doubt.model} in {doubt.workspace}; headgate ledger resolve {doubt.hold} …"
        )
    over = [line for line in lines if line.overrun]
    told = (
        "none"
        if not over
        else ", ".join(f"{show_amount(Measure(line.measure), line.overrun)} of {line.scope} ({line.rule})" for line in over)
    )
    click.echo(f"\nOverrun, in every total: {told}. No budget above is exceeded as long as these hold:")
    for line in ASSUMPTIONS:
        click.echo(f"  {line}")


@budget.command("set")
@config_option
@json_option
@click.argument("rule")
@click.argument("cap")
@click.option("--scope", help="The scope of a rule with *, as `budget show` prints it.")
@click.option("--hours", default=24, show_default=True, help="How long it lasts; at most 2232.")
@click.option("--reason", required=True, help="Why; kept on the record.")
def set_(config_file: Path, as_json: bool, rule: str, cap: str, scope: str | None, hours: int, reason: str) -> None:
    """Lay CAP (dollars, or tokens) over the file's cap of RULE (such as workspace:ci/day/money) for a time."""
    settings = read_settings(config_file)
    known = next((known for known in settings.rules if known.name == rule), None)
    if known is None:
        fail(Exit.FAILED, f"there is no rule {rule!r}; the rules are:\n  " + "\n  ".join(found.name for found in settings.rules))
    if known.measure is Measure.MONEY:
        try:
            amount = parse_dollars(cap)
        except ValueError as error:
            fail(Exit.USAGE, str(error))
    elif cap.replace("_", "").isdigit():
        amount = int(cap.replace("_", ""))
    else:
        fail(Exit.USAGE, f"{cap!r} is not a number of tokens, for example 2000000")
    scope = scope or only_scope(known)
    if scope is None:
        fail(Exit.USAGE, f"{rule} has more than one budget: name one with --scope, as `headgate budget show` prints it")
    asked = SetCap(actor=actor(), rule=rule, scope=scope, cap=amount, reason=reason, hours=hours)
    made = msgspec.convert(command(settings, asked), Override)
    if as_json:
        show_json(made)
    else:
        click.echo(f"{made.scope} ({made.rule}) is {show_amount(known.measure, made.cap)} until {show_instant(made.expires_us)} UTC")


def _untouched(settings: Settings, lines: list[BudgetLine], standing: list[Override]) -> list[tuple[str, ...]]:
    """The rules that no call has counted toward in this period."""
    drawn = {line.rule for line in lines}
    caps = {(override.rule, override.scope): override.cap for override in standing}
    rows: list[tuple[str, ...]] = []
    for rule in settings.rules:
        if rule.name not in drawn:
            scope = only_scope(rule)
            cap = caps.get((rule.name, scope or ""), rule.cap)
            rows.append(
                (rule.name, scope or "each", show_amount(rule.measure, cap), "-", "-", "-", show_amount(rule.measure, cap), "-", "-")
            )
    return rows


def _row(line: BudgetLine) -> tuple[str, ...]:
    measure = Measure(line.measure)
    cap = (
        show_amount(measure, line.cap) if line.target is None else f"{show_amount(measure, line.cap)} → {show_amount(measure, line.target)}"
    )
    amounts = (line.posted, line.held, line.suspect, line.room, line.overrun)
    return (line.rule, line.scope, cap, *(show_amount(measure, amount) for amount in amounts), show_instant(line.ends_us))
