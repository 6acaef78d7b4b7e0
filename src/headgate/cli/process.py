"""The gate as a process: one event loop on uvloop, ended by a signal, a command, or the end of whoever started it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import click
import uvloop

from headgate.assembly import RunningGate, harden
from headgate.cli.address import cannot_listen
from headgate.cli.ending import Exit
from headgate.config.load import load
from headgate.config.problem import ConfigError
from headgate.config.settings import Settings
from headgate.control.command import Wrong
from headgate.store.fault import StoreError

# How often the interpreter offers the lock to the other thread, in seconds. With the default the writer would wait milliseconds for its
# turn while the loop is busy, and every hold with it.
SWITCH_SECONDS = 0.005


def run_gate(config_file: Path, lifeline: int | None = None) -> int:
    """Serve until told to stop; the exit code says why it ended. `lifeline` is a pipe that closes when the supervisor dies."""
    harden()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(lambda: load(config_file, os.environ), lifeline))
    except ConfigError as error:
        _tell(str(error))
        return Exit.CONFIG


async def _serve(read: Callable[[], Settings], lifeline: int | None) -> int:
    running = RunningGate(read)
    loop = asyncio.get_running_loop()
    # Before anything is opened: a signal during the start is obeyed as soon as there is something to stop.
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.stopping.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)  # the configuration was read just now
    try:
        service = await running.start()
    except StoreError as error:
        _tell(str(error))
        return Exit.STORE
    except OSError as error:
        _tell(cannot_listen("gate.listen", running.settings.gate.listen, error))
        return Exit.ADDRESS
    loop.add_signal_handler(signal.SIGHUP, lambda: _keep(loop.create_task(_reload(running))))
    if lifeline is not None:
        loop.add_reader(lifeline, running.stopping.set)
    # What lives now lives long: the collector need not walk it again and again.
    gc.set_threshold(50_000, 20, 50)
    gc.collect()
    gc.freeze()
    await running.stopping.wait()
    if lifeline is not None:
        loop.remove_reader(lifeline)
    await service.stop(running.settings.gate.drain_seconds)
    return Exit.DONE


def _tell(text: str) -> None:
    click.echo(f"headgate: {text}", err=True)


async def _reload(running: RunningGate) -> None:
    try:
        await running.reload("SIGHUP")
    except (Wrong, StoreError) as error:
        running.gate.journal.say("reload_refused", why=str(error))


_tasks: set[asyncio.Task[None]] = set()


def _keep(task: asyncio.Task[None]) -> None:
    """A task that nobody holds may be collected before it has run."""
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
