"""How a command ends: exit codes that scripts can rely on, and one way to say what is wrong."""

from __future__ import annotations

import sys
from enum import IntEnum
from typing import NoReturn

import click


class Exit(IntEnum):
    """Documented in docs/operating.md; click itself uses 2 for a wrong command line."""

    DONE = 0
    FAILED = 1  # the command was understood and could not be carried out
    USAGE = 2
    CONFIG = 3  # headgate.toml is wrong
    STORE = 4  # the data folder or the ledger cannot be used
    ADDRESS = 5  # an address cannot be listened on
    FINDINGS = 6  # a verification found something
    DISK = 70  # the disk failed while the gate ran


def fail(code: Exit, text: str) -> NoReturn:
    """Say it on standard error and end."""
    click.echo(f"headgate: {text}", err=True)
    sys.exit(int(code))
