"""Tables for people and JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def show_json(value: object) -> None:
    """One JSON document; amounts are whole numbers, never floats."""
    click.echo(msgspec.json.encode(value).decode())


def show_table(columns: Sequence[str], table: Sequence[Sequence[str]], empty: str) -> None:
    """Drawn on a terminal; as wide as it needs to be in a pipe, so that nothing is cut off."""
    if not table:
        click.echo(empty)
        return
    drawn = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in table:
        # As text: a label that looks like markup would be obeyed, and vanish from the list.
        drawn.add_row(*map(Text, row))
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=400)
    console.print(drawn)


def show_instant(us: int) -> str:
    """UTC to the minute."""
    return (_EPOCH + timedelta(microseconds=us)).strftime("%Y-%m-%d %H:%M")
