"""`headgate rehearse openai`: the outside world on this machine, in this process, until it is told to stop."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import click

from headgate.rehearsal.__main__ import main

LAST_SECONDS = 2  # after a polite end was asked for


@click.group()
def rehearse() -> None:
    """Play the outside world on this machine."""


@rehearse.command("openai")
@click.option(
    "--listen", default="127.0.0.1:9000", show_default=True, metavar="HOST:PORT", help="Where to listen; port 0 takes a free one."
)
@click.option("--key", "keys", multiple=True, help="A credential to accept; may be given several times. Without any, one is made.")
@click.option("--project", "projects", multiple=True, help="The project of the key in the same place.")
@click.option("--admin-key", default="sk-admin-rehearsal", show_default=True, help="The credential for /v1/organization.")
@click.option("--mean", is_flag=True, help="One token per byte, always the whole output limit, billed in full after a disconnect.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting, as POST /rehearsal/settings takes it.")
@click.option("--seed", type=int, default=1, show_default=True, help="For faults with a probability.")
@click.option("--lifeline", type=int, hidden=True, help="A pipe that closes when whoever started it ends.")
def openai(
    listen: str, keys: tuple[str, ...], projects: tuple[str, ...], admin_key: str, mean: bool, settings: tuple[str, ...], seed: int,
    lifeline: int | None,
) -> None:  # fmt: skip
    """Play OpenAI: Responses, Chat Completions, models, usage and costs, over real HTTP, with a meter of its own.

    The first line of standard output is one JSON object that says where it is and which keys it takes.
    """
    if lifeline is not None:
        threading.Thread(target=_end_with, args=(lifeline,), name="lifeline", daemon=True).start()
    arguments = ["--listen", listen, "--admin-key", admin_key, "--seed", str(seed), *(["--mean"] if mean else [])]
    for name, values in (("--key", keys), ("--project", projects), ("--set", settings)):
        arguments += [part for value in values for part in (name, value)]
    sys.exit(main(arguments))


def _end_with(lifeline: int) -> None:
    """Wait in a thread of its own until the other end of the pipe is closed; then nobody needs this process any more."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LAST_SECONDS)
    os._exit(0)
