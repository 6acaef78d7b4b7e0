"""`headgate serve`: a supervisor of two processes, the gate and the house.

Rule 1  The gate's end is the end: whoever runs the supervisor (systemd, a container) starts it again, and the ledger recovers by itself.
Rule 2  The house may fail and be started again; no call notices.
Rule 3  Nothing outlives the supervisor: each process holds a pipe that closes with it, also when it is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click

from headgate.cli.ending import Exit
from headgate.cli.house import run_house
from headgate.cli.process import run_gate
from headgate.cli.reach import config_option, read_settings

HOUSE_PAUSE_S = 2
KILL_AFTER_S = 15  # beyond the drain


@click.command()
@config_option
@click.option("--only", type=click.Choice(["gate", "house"]), hidden=True, help="Run one of the two processes in the foreground.")
@click.option("--lifeline", type=int, hidden=True, help="A pipe that closes when the supervisor ends.")
@click.option("--no-house", is_flag=True, help="Without the admin process: no /metrics, no sweep of old doubts.")
def serve(config_file: Path, only: str | None, lifeline: int | None, no_house: bool) -> None:
    """Run the gate and the house until SIGTERM or Ctrl-C; SIGHUP reads the configuration again."""
    if sys.flags.optimize:
        click.echo("headgate: do not run under python -O: the assertions guard the ledger", err=True)
        sys.exit(int(Exit.USAGE))
    if only == "gate":
        sys.exit(int(run_gate(config_file, lifeline)))
    settings = read_settings(config_file)
    if only == "house":
        sys.exit(int(run_house(settings, lifeline)))
    for caution in settings.cautions:
        click.echo(f"headgate: {caution}", err=True)
    sys.exit(Supervisor(config_file, settings.gate.drain_seconds, not no_house).run())


class Supervisor:
    """Starts both, passes signals on, and ends with the gate's exit code."""

    def __init__(self, config_file: Path, drain_seconds: int, with_house: bool) -> None:
        self._config_file = config_file
        self._patience_s = drain_seconds + KILL_AFTER_S
        self._with_house = with_house
        self._stopping = False

    def run(self) -> int:
        read_end, self._write_end = os.pipe()
        os.set_inheritable(read_end, True)
        self._lifeline = read_end
        gate = self._start("gate")
        house = self._start("house") if self._with_house else None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self._stop(gate))
        signal.signal(signal.SIGHUP, lambda _number, _frame: gate.send_signal(signal.SIGHUP))
        house_ended_at = 0.0
        while gate.poll() is None:
            if house is not None and house.poll() is not None and not self._stopping:
                now = time.monotonic()
                if house_ended_at and now - house_ended_at >= HOUSE_PAUSE_S:
                    house, house_ended_at = self._start("house"), 0.0
                elif not house_ended_at:
                    house_ended_at = now
            time.sleep(0.05)
        if house is not None and house.poll() is None:
            house.terminate()
            try:
                house.wait(5)
            except subprocess.TimeoutExpired:
                house.kill()
                house.wait()
        return gate.returncode if gate.returncode >= 0 else 128 - gate.returncode

    def _start(self, which: str) -> subprocess.Popen[bytes]:
        arguments = [sys.executable, "-m", "headgate", "serve", "--only", which, "--config", str(self._config_file)]
        # A session of its own, so that Ctrl-C in the terminal reaches the supervisor alone and the gate can drain.
        return subprocess.Popen(
            [*arguments, "--lifeline", str(self._lifeline)], pass_fds=(self._lifeline,), stdin=subprocess.DEVNULL, start_new_session=True
        )

    def _stop(self, gate: subprocess.Popen[bytes]) -> None:
        if self._stopping:
            gate.kill()  # asked twice: now
        self._stopping = True
        gate.terminate()
