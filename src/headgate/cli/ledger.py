"""`headgate ledger`: prove the book, resolve what is in doubt, open again what a breach closed."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from headgate.cli.ending import Exit, fail
from headgate.cli.reach import actor, command, config_option, json_option, read_book, read_settings
from headgate.cli.tables import show_json
from headgate.control.command import Resolve, Thaw
from headgate.control.doubts import Resolved
from headgate.money import parse_dollars, show_dollars
from headgate.store.fault import StoreError
from headgate.store.verify import verify as verify_book


@click.group()
def ledger() -> None:
    """Verify the book; resolve what is in doubt."""


@ledger.command("verify")
@config_option
@json_option
def verify(config_file: Path, as_json: bool) -> None:
    """Prove: held = open legs, posted = entries, one ending a hold, and that the leaves alone give the same balances."""
    book = read_book(read_settings(config_file))
    try:
        report = verify_book(book)
    except StoreError as error:
        fail(Exit.STORE, str(error))
    if as_json:
        show_json(report)
    else:
        for finding in report.findings:
            click.echo(f"{finding.rule.value}  {finding.where}: {finding.sentence}")
        click.echo(f"{len(report.findings)} finding(s) in {report.holds:,} holds and {report.leaves:,} leaves")
    if report.findings:
        raise SystemExit(int(Exit.FINDINGS))


@ledger.command("resolve")
@config_option
@json_option
@click.argument("hold")
@click.option("--actual", metavar="DOLLARS", help="What it did cost.")
@click.option("--tokens", type=int, help="Tokens it did use, in and out; with --actual.")
@click.option("--void", is_flag=True, help="Nothing was billed, and you can prove it.")
@click.option("--full", is_flag=True, help="Post the whole hold.")
@click.option("--reason", required=True, help="What proves it; kept on the record.")
def resolve(
    config_file: Path, as_json: bool, hold: str, actual: str | None, tokens: int | None, void: bool, full: bool, reason: str
) -> None:  # fmt: skip
    """Resolve HOLD (req_…), which is in doubt; or give back what was posted too much, once."""
    chosen = [name for name, given in (("actual", actual is not None), ("void", void), ("full", full)) if given]
    if len(chosen) != 1 or (actual is None) is not (tokens is None):
        fail(Exit.USAGE, "say exactly one of --actual DOLLARS --tokens N, --void, --full")
    try:
        nano = parse_dollars(actual) if actual is not None else 0
    except ValueError as error:
        fail(Exit.USAGE, str(error))
    asked = Resolve(actor=actor(), hold=hold, charge=chosen[0], reason=reason, nano=nano, tokens=tokens or 0)
    found = msgspec.convert(command(read_settings(config_file), asked), Resolved)
    if as_json:
        show_json(found)
    else:
        click.echo(f"{found.hold}: {found.state.lower()} {show_dollars(found.nano)}")


@ledger.command("thaw")
@config_option
@click.argument("what")
@click.option("--reason", required=True, help="Why it is safe; kept on the record.")
def thaw(config_file: Path, what: str, reason: str) -> None:
    """Open WHAT (workspace:… or shape:…, as `budget show` prints it) again."""
    click.echo(f"{command(read_settings(config_file), Thaw(actor=actor(), what=what, reason=reason))} is open again")
