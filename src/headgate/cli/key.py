"""`headgate key`: issued keys are shown once, kept as a hash, rotated with an overlap, revoked at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from headgate.assembly import SYSTEM_CLOCK
from headgate.cli.ending import Exit, fail
from headgate.cli.reach import actor, command, config_option, json_option, read_book, read_settings
from headgate.cli.tables import show_instant, show_json, show_table
from headgate.control.command import IssueKey, RevokeKey, RotateKey
from headgate.control.keys import Issued, KeyRow
from headgate.control.reports import keys


@click.group()
def key() -> None:
    """Issue, list, rotate and revoke keys."""


@key.command("issue")
@config_option
@json_option
@click.option("--workspace", required=True, help="The workspace that pays.")
@click.option("--label", required=True, help="Whose key it is: one team or one service.")
@click.option("--fact", "facts", multiple=True, metavar="NAME=VALUE", help="What the key proves: team=payments, user=alice, repository=…")
@click.option("--model", "models", multiple=True, help="A model it may use; without any: what the workspace allows.")
@click.option("--network", "networks", multiple=True, help="A network it may be used from, such as 10.0.0.0/8.")
@click.option("--days", default=90, show_default=True, help="Days until it ends; at most 90.")
def issue(
    config_file: Path, as_json: bool, workspace: str, label: str, facts: tuple[str, ...], models: tuple[str, ...],
    networks: tuple[str, ...], days: int,
) -> None:  # fmt: skip
    """Issue a key. It is shown once."""
    settings = read_settings(config_file)
    asked = IssueKey(
        actor=actor(), workspace=workspace, label=label, facts=_facts(facts), models=list(models) or None,
        networks=list(networks), days=days,
    )  # fmt: skip
    _show_issued(msgspec.convert(command(settings, asked), Issued), as_json)


@key.command("list")
@config_option
@json_option
def list_(config_file: Path, as_json: bool) -> None:
    """List all keys; none of them can be used from what is shown."""
    found = keys(read_book(read_settings(config_file)))
    if as_json:
        show_json(found)
        return
    now = SYSTEM_CLOCK.wall_us()
    columns = ("id", "key", "label", "workspace", "state", "issued", "ends", "by")
    show_table(columns, [_row(line, now) for line in found], "No keys yet: headgate key issue --workspace … --label …")


@key.command("rotate")
@config_option
@json_option
@click.argument("key_id")
@click.option("--overlap-hours", default=24, show_default=True, help="How long the old key still works.")
@click.option("--days", default=90, show_default=True, help="Days until the new key ends; at most 90.")
def rotate(config_file: Path, as_json: bool, key_id: str, overlap_hours: int, days: int) -> None:
    """Issue a successor; the old key goes on for the overlap."""
    settings = read_settings(config_file)
    asked = RotateKey(actor=actor(), key=key_id, overlap_hours=overlap_hours, days=days)
    _show_issued(msgspec.convert(command(settings, asked), Issued), as_json)


@key.command("revoke")
@config_option
@json_option
@click.argument("key_id")
@click.option("--reason", required=True, help="Why; kept on the record.")
def revoke(config_file: Path, as_json: bool, key_id: str, reason: str) -> None:
    """End a key now."""
    found = msgspec.convert(command(read_settings(config_file), RevokeKey(actor=actor(), key=key_id, reason=reason)), KeyRow)
    if as_json:
        show_json(found)
    else:
        click.echo(f"{found.id} ({found.label}, {found.workspace}) is revoked: its open calls were ended, the next one is refused")


def _facts(texts: Sequence[str]) -> dict[str, str]:
    facts: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            fail(Exit.USAGE, f"--fact {text!r}: write NAME=VALUE, for example --fact team=payments")
        if name in facts:
            fail(Exit.USAGE, f"--fact: {name} stands twice; a key proves one value of each")
        facts[name] = value
    return facts


def _row(line: KeyRow, now: int) -> tuple[str, ...]:
    return (
        line.id, line.shown, line.label, line.workspace, line.state(now), show_instant(line.issued_us), show_instant(line.expires_us),
        line.issued_by,
    )  # fmt: skip


def _show_issued(issued: Issued, as_json: bool) -> None:
    if as_json:
        show_json(issued)
        return
    click.echo(issued.key)
    click.echo(
        f"Key {issued.id} of workspace {issued.workspace}, until {show_instant(issued.expires_us)} UTC. It is not shown again.", err=True
    )
    if issued.replaced_ends_us is not None:
        click.echo(f"{issued.replaces} goes on until {show_instant(issued.replaced_ends_us)} UTC.", err=True)
