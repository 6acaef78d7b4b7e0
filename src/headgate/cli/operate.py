"""`headgate reload` and `headgate status`: what one says to a running gate."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
import msgspec

from headgate.cli.reach import actor, ask_gate, config_option, json_option, read_settings
from headgate.cli.tables import show_instant, show_json, show_table
from headgate.control.command import Reload, Status
from headgate.gateway.service import Health
from headgate.money import show_dollars


@click.command("reload")
@config_option
def reload_(config_file: Path) -> None:
    """Make a running gate read headgate.toml again. On any error everything stays as it is."""
    digest = ask_gate(read_settings(config_file), Reload(actor=actor()))
    click.echo(f"reloaded, configuration {digest[:12]}")


@click.command("status")
@config_option
@json_option
def status(config_file: Path, as_json: bool) -> None:
    """Say what a running gate is doing."""
    found = ask_gate(read_settings(config_file), Status(actor=actor()))
    if as_json:
        show_json(found)
        return
    told = msgspec.convert(found, Health)
    kind = "rehearsal" if told.rehearsal else "real"
    click.echo(f"headgate {told.version}, {kind} calls, since {show_instant(told.started_us)} UTC")
    click.echo("ready" if not told.not_ready else f"NOT READY: {told.not_ready}")
    click.echo(f"{told.open_exchanges} open call(s), {told.connections} connection(s)")
    click.echo("")
    show_table(("workspace", "calls", "refused", "charged"), _by_workspace(told), "No call has come yet.")


def _by_workspace(told: Health) -> list[tuple[str, ...]]:
    """What has been counted since the start, added up. A refusal without a workspace is one of a stranger."""
    sums: dict[str, Counter[str]] = {}
    for labels, count in told.counts:
        facts = dict(zip(labels[1::2], labels[2::2], strict=True))
        sums.setdefault(facts.get("workspace", ""), Counter())[labels[0]] += count
    columns = ("exchanges_total", "refusals_total", "charged_nano_total")
    return [
        (name or "(no key)", f"{one[columns[0]]:,}", f"{one[columns[1]]:,}", show_dollars(one[columns[2]]))
        for name, one in sorted(sums.items())
        if any(one[column] for column in columns)
    ]
