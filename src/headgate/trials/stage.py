"""What a trial stands on: a folder, a rehearsal and a gate, each a real process that cannot outlive the trial.

Rule 1  Every child holds a pipe that closes when the trial ends, also when the trial is killed; so nothing is ever left running.
Rule 2  The rehearsal is judged by its own meter, over its own address; the trial reads the book only as an operator could.
"""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from headgate.control.command import AnyCommand, IssueKey, Status, encoder
from headgate.control.keys import Issued
from headgate.gateway.service import Health
from headgate.store.folder import LEDGER_FILE, SOCKET_FILE
from headgate.store.sqlite import Database, open_reader

CREDENTIAL = "sk-rehearsal-of-a-trial"
CREDENTIAL_FILE = "credential"  # in the stage's folder, where the configuration finds it
START_SECONDS = 60  # a machine that is busy with other things starts a process slowly
LOCAL = "127.0.0.1"


class CannotStart(Exception):
    """A process of the trial did not come up; the message holds what it said."""


class GateGone(Exception):
    """The gate ended by itself in the middle of a trial; the message holds what it said last."""


class Meter(msgspec.Struct):
    """What the rehearsal has billed, in pico-dollars."""

    requests: int
    billed_requests: int
    billed_pico: int


class Called(msgspec.Struct):
    """One call as the rehearsal knows it. `billed_nano_ceiling` is its bill in nano-dollars, rounded up."""

    number: int
    ended: str
    status: int
    billed_nano_ceiling: int
    headgate_request: str | None = None
    fault: str = ""


class _Calls(msgspec.Struct):
    calls: list[Called]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        return probe.getsockname()[1]


class Judge:
    """The judge's side of a rehearsal, asked over HTTP without the product in between."""

    def __init__(self, port: int) -> None:
        self.port = port

    def _ask(self, method: str, where: str, body: Mapping[str, object] | None = None) -> bytes:
        connection = http.client.HTTPConnection(LOCAL, self.port, timeout=60)
        try:
            connection.request(method, f"/rehearsal/{where}", None if body is None else msgspec.json.encode(body))
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, f"the rehearsal does not do {method} {where}: {text[:300]!r}"
        return text

    def meter(self) -> Meter:
        return msgspec.json.decode(self._ask("GET", "meter"), type=Meter, strict=False)

    def calls(self) -> list[Called]:
        """Every call there was."""
        found: list[Called] = []
        while True:
            page = msgspec.json.decode(
                self._ask("GET", f"calls?after={found[-1].number if found else 0}&limit=10000"), type=_Calls, strict=False
            ).calls
            if not page:
                return found
            found.extend(page)

    def set(self, **settings: object) -> None:
        self._ask("POST", "settings", settings)

    def fault(self, name: str, times: int = 1_000_000_000, per_mille: int = 1_000, at: int | None = None) -> None:
        self._ask("POST", "faults", {"name": name, "times": times, "probability": per_mille, **({} if at is None else {"at": at})})

    def reset(self) -> None:
        self._ask("POST", "reset")


class Stage:
    """A folder and the processes of one trial. Leave it, and all of them have ended and the folder is gone."""

    def __init__(self, keep: bool = False, source: Path | None = None) -> None:
        """`source` is a folder with another copy of the package, for a trial that must be seen to fail."""
        self.folder = Path(tempfile.mkdtemp(prefix="headgate-"))
        credential = self.folder / CREDENTIAL_FILE
        credential.touch(mode=0o600)
        credential.write_text(CREDENTIAL, encoding="utf-8")
        self.keep = keep
        self._source = source
        self._lifeline, self._held = os.pipe()
        os.set_inheritable(self._lifeline, True)
        self.children: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()
            for pipe in (child.stdout, child.stderr):
                if pipe is not None:
                    pipe.close()
        self.children.clear()
        for descriptor in (self._lifeline, self._held):
            os.close(descriptor)
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, arguments: list[str], log: Path | int, own_source: bool = False) -> subprocess.Popen[bytes]:
        """`headgate …` as a process in a session of its own, so that Ctrl-C in a terminal is the trial's to handle."""
        environment = dict(os.environ)
        if own_source and self._source is not None:
            environment["PYTHONPATH"] = str(self._source)
        command = [sys.executable, "-m", "headgate", *arguments, "--lifeline", str(self._lifeline)]
        errors = log.open("ab") if isinstance(log, Path) else None
        try:
            child = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors if errors is not None else subprocess.PIPE,
                pass_fds=(self._lifeline,),
                start_new_session=True,
            )
        finally:
            if errors is not None:
                errors.close()
        self.children.append(child)
        return child

    def rehearse(self, *, mean: bool = False, seed: int = 1, **settings: object) -> Judge:
        """Start a rehearsal on a free port."""
        given = [f"{name}={msgspec.json.encode(value).decode()}" for name, value in settings.items()]
        arguments = ["rehearse", "openai", "--listen", f"{LOCAL}:0", "--key", CREDENTIAL, "--seed", str(seed)]
        arguments += ["--mean"] if mean else []
        log = self.folder / "rehearsal.log"
        child = self.start([*arguments, *(part for pair in given for part in ("--set", pair))], log)
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            raise CannotStart(f"the rehearsal does not start: {_tail(log)}")
        told: dict[str, Any] = msgspec.json.decode(line)
        return Judge(int(str(told["origin"]).rpartition(":")[2]))

    def write(self, text: str) -> Path:
        """The configuration of the gate."""
        file = self.folder / "headgate.toml"
        file.write_text(text, encoding="utf-8")
        return file

    def gate(self, port: int) -> Process:
        """A gate over this folder's headgate.toml. It is up when this returns."""
        process = Process(self, port)
        process.start()
        return process


class Process:
    """A gate as a process of its own, which may be killed and started again on the same data."""

    def __init__(self, stage: Stage, port: int) -> None:
        self.port = port
        self.kills = 0
        self._stage = stage
        self._log = stage.folder / "gate.log"
        self._child: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start it and do not wait."""
        self._child = self._stage.start(["serve", "--only", "gate", "--config", "headgate.toml"], self._log, own_source=True)

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def died(self) -> bool:
        """Whether it has ended, by whomever."""
        return self._child is not None and self._child.poll() is not None

    def up(self) -> bool:
        """Whether it accepts callers and commands."""
        assert self._child is not None
        if self._child.poll() is not None:
            raise CannotStart(f"the gate ended with {self._child.returncode}: {_tail(self._log)}")
        try:
            socket.create_connection((LOCAL, self.port), 1).close()
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(str(self._stage.folder / "data" / SOCKET_FILE))
        except OSError:
            return False
        return True

    def start(self) -> None:
        self.launch()
        until = time.monotonic() + START_SECONDS
        while not self.up():
            if time.monotonic() > until:
                raise CannotStart(f"the gate does not come up: {_tail(self._log)}")
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9."""
        assert self._child is not None
        self._child.send_signal(signal.SIGKILL)
        self._child.wait()
        self.kills += 1

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self._child is not None
        self._child.terminate()
        return self._child.wait()

    def command(self, asked: AnyCommand) -> Any:  # Any: JSON that the caller converts to the answer it knows
        """One command over the gate's socket, as an operator gives it."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(60)
                connection.connect(str(self._stage.folder / "data" / SOCKET_FILE))
                connection.sendall(encoder.encode(asked) + b"\n")
                with connection.makefile("rb") as lines:
                    answer = msgspec.json.decode(lines.readline())
        except (OSError, msgspec.DecodeError) as error:
            raise GateGone(f"the gate does not answer a command ({error}): {_tail(self._log)}") from error
        assert "ok" in answer, f"the gate does not do {asked}: {answer}"
        return answer["ok"]

    def issue_to(self, workspace: str, label: str, facts: Mapping[str, str]) -> Issued:
        """A new key that proves these facts."""
        return msgspec.convert(self.command(IssueKey(actor="trial", workspace=workspace, label=label, facts=dict(facts))), Issued)

    def issue(self, workspace: str, label: str) -> str:
        return self.issue_to(workspace, label, {}).key

    def health(self) -> Health:
        return msgspec.convert(self.command(Status(actor="trial")), Health)


def open_book(folder: Path) -> Database:
    """The ledger under a stage's folder, read only."""
    return open_reader(folder / "data" / LEDGER_FILE)


def _tail(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-1500:].strip() if log.exists() else "it said nothing"
