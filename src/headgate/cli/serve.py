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
from types import FrameType

import click
import msgspec

from headgate.cli.address import cannot_listen, listening
from headgate.cli.ending import Exit, fail
from headgate.cli.house import run_house
from headgate.cli.process import run_gate
from headgate.cli.reach import config_option, read_settings
from headgate.gateway.journal import write_error
from headgate.store.fault import StoreError
from headgate.store.lock import DataLock

HOUSE_PAUSE_S = 2
KILL_AFTER_S = 15  # beyond the drain
LOOK_S = 0.05  # between two looks at the children


@click.command()
@config_option
@click.option("--only", type=click.Choice(["gate", "house"]), hidden=True, help="Run one of the two processes in the foreground.")
@click.option("--lifeline", type=int, hidden=True, help="A pipe that closes when the supervisor ends.")
@click.option("--no-house", is_flag=True, help="Without the admin process: no /metrics, no sweep of old doubts.")
def serve(config_file: Path, only: str | None, lifeline: int | None, no_house: bool) -> None:
    """Run the gate and the house until SIGTERM or Ctrl-C; SIGHUP reads the configuration again."""
    if only == "gate":
        sys.exit(int(run_gate(config_file, lifeline)))
    settings = read_settings(config_file)
    if only == "house":
        sys.exit(int(run_house(settings, lifeline)))
    supervisor = Supervisor(config_file, settings.gate.drain_seconds, not no_house)
    try:
        # Asked before the children are, because it says best what is wrong when a gate runs already; the gate takes the lock for good.
        lock = DataLock(settings.gate.data)
        lock.take()
        lock.release()
    except StoreError as error:
        fail(Exit.STORE, str(error))
    if not no_house:
        try:
            listening(settings.house.listen).close()
        except OSError as error:
            # Told before the gate starts: later it would only be a house that ends again and again.
            fail(Exit.ADDRESS, cannot_listen("house.listen", settings.house.listen, error))
    for caution in settings.cautions:
        say("caution", what=str(caution))
    sys.exit(supervisor.run())


def say(event: str, **fields: str | int) -> None:
    """One line of the log, like the gate's own."""
    write_error(msgspec.json.encode({"at": time.time_ns() // 1000, "event": event, **fields}) + b"\n")


class Supervisor:
    """Starts both, passes signals on, and ends with the gate's exit code. Signals are taken from the moment it exists."""

    def __init__(self, config_file: Path, drain_seconds: int, with_house: bool) -> None:
        self._config_file = config_file
        self._patience_s = drain_seconds + KILL_AFTER_S
        self._with_house = with_house
        self._stops = 0  # how often it was asked to
        self._stopped_at = 0.0
        self._reloads = 0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        # Ignored, not yet handled: the children inherit it, and none of them dies of one before it can obey it.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def run(self) -> int:
        read_end, self._write_end = os.pipe()
        os.set_inheritable(read_end, True)
        self._lifeline = read_end
        if self._asked():
            return Exit.DONE
        gate = self._start("gate")
        house = self._start("house") if self._with_house else None
        signal.signal(signal.SIGHUP, self._reload)
        house_ended_at = 0.0
        while gate.poll() is None:
            self._pass_on(gate)
            if house is not None and house.poll() is not None and not self._asked():
                now = time.monotonic()
                if not house_ended_at:
                    house_ended_at = now
                    say("house_ended", code=house.returncode)
                elif now - house_ended_at >= HOUSE_PAUSE_S:
                    # The new one must not die of a SIGHUP that comes while it starts.
                    signal.signal(signal.SIGHUP, signal.SIG_IGN)
                    house, house_ended_at = self._start("house"), 0.0
                    signal.signal(signal.SIGHUP, self._reload)
            time.sleep(LOOK_S)
        if house is not None and house.poll() is None:
            _end(house)
        if gate.returncode >= 0:
            return gate.returncode
        if self._asked() == 1 and gate.returncode == -signal.SIGTERM:
            return Exit.DONE  # it was told to stop before it had opened anything
        return 128 - gate.returncode

    def _start(self, which: str) -> subprocess.Popen[bytes]:
        # A session of its own, so that Ctrl-C in the terminal reaches the supervisor alone and the gate can drain.
        return subprocess.Popen(
            [*_python(), "-m", "headgate", "serve", "--only", which, "--config", str(self._config_file), "--lifeline", str(self._lifeline)],
            pass_fds=(self._lifeline,),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _asked(self) -> int:
        """How often it was told to stop; a signal may change it at any time."""
        return self._stops

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stops += 1

    def _reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reloads += 1

    def _pass_on(self, gate: subprocess.Popen[bytes]) -> None:
        if self._reloads:
            self._reloads = 0
            gate.send_signal(signal.SIGHUP)
        if not self._stops:
            return
        if not self._stopped_at:
            self._stopped_at = time.monotonic()
            gate.terminate()
        elif self._stops > 1 or time.monotonic() - self._stopped_at > self._patience_s:
            gate.kill()  # asked twice, or it does not come to an end: nothing is lost, open holds are in doubt at the next start


def _python() -> list[str]:
    """This interpreter, looking for modules where it looks now: `-m` would put the current folder before everything else."""
    return [sys.executable] if "" in sys.path or os.getcwd() in sys.path else [sys.executable, "-P"]


def _end(house: subprocess.Popen[bytes]) -> None:
    house.terminate()
    try:
        house.wait(5)
    except subprocess.TimeoutExpired:
        house.kill()
        house.wait()
