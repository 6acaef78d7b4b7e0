"""`headgate reload` and `headgate status`: what one says to a running gate."""

from __future__ import annotations

from pathlib import Path

import click

from headgate.cli.reach import actor, ask_gate, config_option, json_option, read_settings
from headgate.cli.tables import show_json
from headgate.control.command import Reload, Status


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
    for name in ("version", "rehearsal", "open_exchanges", "connections", "draining"):
        click.echo(f"{name.replace('_', ' ')}: {found[name]}")
