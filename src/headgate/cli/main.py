"""The tree of commands. A command's file is imported only when it is called, so that `--help` answers at once."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, cast

import click

from headgate import __version__
from headgate.cli.ending import Exit, fail
from headgate.store.fault import StoreError

# name -> (where it is, one line of help)
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("headgate.cli.config:init", "Write a headgate.toml to start from."),
    "check": ("headgate.cli.config:check", "Read headgate.toml and say everything that is wrong or unwise."),
    "serve": ("headgate.cli.serve:serve", "Run the gate and the house."),
    "reload": ("headgate.cli.operate:reload_", "Make a running gate read headgate.toml again."),
    "status": ("headgate.cli.operate:status", "Say what a running gate is doing."),
    "key": ("headgate.cli.key:key", "Issue, list, rotate and revoke keys."),
    "budget": ("headgate.cli.budget:budget", "Show budgets; set a cap for a time."),
    "price": ("headgate.cli.price:price", "List, show, compare and import prices."),
    "ledger": ("headgate.cli.ledger:ledger", "Verify the book; resolve what is in doubt."),
    "rehearse": ("headgate.cli.rehearse:rehearse", "Play the outside world on this machine."),
    "demo": ("headgate.cli.demo:demo", "A sample company with live traffic, in one command."),
    "bench": ("headgate.cli.bench:bench", "Trials of caps and crashes, judged from outside."),
}


class Lazy(click.Group):
    """Knows the names and the help of its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        return cast(click.Command, getattr(cast(Any, import_module(module)), name))

    def invoke(self, ctx: click.Context) -> Any:  # Any: whatever a command returns, as click has it
        try:
            return super().invoke(ctx)
        except StoreError as error:  # wherever in its work a command met a book that cannot be used
            fail(Exit.STORE, str(error))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in COMMANDS.items()])


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="headgate %(version)s")
def cli() -> None:
    """Headgate: the gate between your teams and OpenAI models. Exact caps, a record, your own commitment."""
    if sys.flags.optimize:
        fail(Exit.USAGE, "do not run under python -O or PYTHONOPTIMIZE: the assertions guard the ledger")
