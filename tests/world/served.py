"""`headgate serve` as an operator has it: real processes in a folder, their log, their sockets, and what the system knows of them.

Rule 1  Whatever a test does to it, nothing is left running: the stage ends every process that it can still find.
Rule 2  Nothing of the product is imported to look at it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.world.worldhouse import CREDENTIAL, PATIENCE_S, Rehearsal, until

MODEL = "gpt-5.5"
SLOW = {"delta_events": 60, "event_ms": 50}  # a stream of some seconds
LONG = {"delta_events": 60, "event_ms": 1_000}  # a stream that outlives its test


def configuration(base_url: str, *, gate: str = "", path: str = "", workspace: str = "", data: str = "data") -> str:
    """One path and one workspace; the words are more lines of TOML for each table."""
    return f"""\
[gate]
listen = "127.0.0.1:0"
data = "{data}"
{gate}

[house]
listen = "127.0.0.1:0"

[paths.openai]
base_url = "{base_url}"
credential = "env:REHEARSAL_KEY"
rehearsal = true
{path}

[workspaces.development]
environment = "development"
paths = ["openai"]
models = ["*"]
caps.month = "500"
{workspace}
"""


def children_of(pid: int) -> set[int]:
    """The processes that this one started, as Linux knows them."""
    try:
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except OSError:
        return set()


def runs(pid: int) -> bool:
    """Whether a process lives; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def peak_kib(pid: int) -> int:
    """The most memory that a process ever had, in KiB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])


@dataclass
class Heard:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["error"]["policy_code"])


@dataclass
class Served:
    """One folder with a headgate.toml; `start` may be called again after an end."""

    source: Path
    folder: Path
    text: str
    arguments: tuple[str, ...] = ("serve",)
    environment: dict[str, str] = field(default_factory=dict[str, str])
    process: subprocess.Popen[bytes] | None = None
    tls: ssl.SSLContext | None = None
    family: set[int] = field(default_factory=set[int])

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write(self.text)
        self.log_file = self.folder / "headgate.log"
        self.environment = {**os.environ, "PYTHONPATH": str(self.source), "REHEARSAL_KEY": CREDENTIAL, **self.environment}

    def write(self, text: str) -> None:
        (self.folder / "headgate.toml").write_text(text, encoding="utf-8")

    # -- the life of it ----------------------------------------------------------------------------------------------

    def launch(self, stderr: int | None = None) -> subprocess.Popen[bytes]:
        """Start it and do not wait."""
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "headgate", *self.arguments],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr if stderr is not None else log,
                start_new_session=True,
            )
        self.family = {self.process.pid}
        return self.process

    def start(self) -> Served:
        self.launch()
        self.port = int(self.event("listening")["port"])
        if "--no-house" not in self.arguments:
            self.house_port = int(self.event("house_listening")["port"])
        self.meet()
        return self

    def meet(self) -> set[int]:
        """Remember every process of it, so that what is left of them can be seen."""
        assert self.process is not None
        found = children_of(self.process.pid)
        self.family |= found
        return found

    def child(self, which: str) -> int:
        """The process id of `gate` or `house`."""
        (pid,) = [pid for pid in self.meet() if f"--only\0{which}\0".encode() in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return pid

    def ended(self) -> int:
        """Wait for the end, of it and of all that it started; its exit code."""
        assert self.process is not None
        code = self.process.wait(PATIENCE_S)
        until(lambda: not any(runs(pid) for pid in self.family), "nothing is left running")
        return code

    def stop(self) -> int:
        assert self.process is not None
        self.meet()
        self.process.terminate()
        return self.ended()

    def clear(self) -> None:
        """End whatever a test left."""
        if self.process is not None:
            self.meet()
            for pid in self.family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait(PATIENCE_S)

    def fails(self) -> tuple[int, str]:
        """Start what cannot start; its exit code and what it said."""
        code = self.launch().wait(PATIENCE_S)
        return code, self.log()

    # -- what it says ------------------------------------------------------------------------------------------------

    def log(self) -> str:
        return self.log_file.read_text("utf-8")

    def lines(self) -> list[Any]:
        """Every line of the log. Each must be JSON: a last one that is only half written is left out."""
        whole, _, _ = self.log().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def event(self, name: str, times: int = 1) -> Any:
        """The line of this event, once it was said so often."""

        def found() -> list[Any] | None:
            assert self.process is not None
            said = [line for line in self.lines() if line["event"] == name]
            assert len(said) >= times or self.process.poll() is None, self.log()
            return said if len(said) >= times else None

        return until(found, f"the log says {name}")[times - 1]  # type: ignore[index]  # until gives what is there

    # -- what one says to it -----------------------------------------------------------------------------------------

    def headgate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "headgate", *arguments]
        return subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=PATIENCE_S)

    def done(self, *arguments: str) -> str:
        ended = self.headgate(*arguments)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def key(self, *options: str) -> Any:
        return json.loads(self.done("key", "issue", "--json", "--workspace", "development", "--label", "world", *options))

    def connect(self, port: int | None = None) -> http.client.HTTPConnection:
        if self.tls is not None and port is None:
            return http.client.HTTPSConnection("localhost", self.port, timeout=PATIENCE_S, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=PATIENCE_S)

    def ask(self, method: str, target: str, body: bytes | None = None, port: int | None = None, **headers: str) -> Heard:
        connection = self.connect(port)
        try:
            connection.request(method, target, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return Heard(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def house(self, target: str, method: str = "GET") -> Heard:
        return self.ask(method, target, port=self.house_port)

    def respond(self, key: str, text: str = "Say hello", **headers: str) -> Heard:
        body = json.dumps({"model": MODEL, "input": text}).encode()
        return self.ask("POST", "/v1/responses", body, authorization=f"Bearer {key}", content_type="application/json", **headers)

    def stream(self, key: str) -> Stream:
        return Stream(self.connect(), key)

    def raw(self, sent: bytes) -> bytes:
        """What comes back for these bytes, until the gate closes."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as connection:
            connection.sendall(sent)
            heard = b""
            with contextlib.suppress(ConnectionError):
                while data := connection.recv(65_536):
                    heard += data
            return heard


class Stream:
    """One open stream of a caller."""

    def __init__(self, connection: http.client.HTTPConnection, key: str) -> None:
        body = json.dumps({"model": MODEL, "input": "Say hello", "stream": True})
        self._connection = connection
        connection.request("POST", "/v1/responses", body, {"authorization": f"Bearer {key}", "content-type": "application/json"})
        self._answer = connection.getresponse()
        self.status = self._answer.status
        self.request = str(self._answer.getheader("x-headgate-request"))
        self.body = b""
        self.whole = True

    def begun(self) -> Stream:
        """Read until text arrives."""
        while b"delta" not in self.body:
            piece = self._answer.read1(4096)
            assert piece, self.body
            self.body += piece
        return self

    def rest(self) -> bytes:
        """Everything up to the end."""
        try:
            self.body += self._answer.read()
        except http.client.IncompleteRead as end:
            self.body += end.partial
            self.whole = False
        except ConnectionError:
            self.whole = False
        self._connection.close()
        return self.body

    def last(self) -> Any:
        """The data of the last event."""
        return json.loads([line for line in self.rest().decode().splitlines() if line.startswith("data: {")][-1].removeprefix("data: "))


class Stage:
    """A rehearsal and any number of gates, in a folder."""

    def __init__(self, source: Path, folder: Path, rehearsal: Rehearsal) -> None:
        self.source, self.folder, self.rehearsal = source, folder, rehearsal
        self.opened: list[Served] = []

    def gate(self, text: str | None = None, *arguments: str, folder: str = "gate", **environment: str) -> Served:
        """Not started yet. Without a text: the plain configuration."""
        text = configuration(self.rehearsal.base_url) if text is None else text
        self.opened.append(Served(self.source, self.folder / folder, text, arguments or ("serve",), environment))
        return self.opened[-1]

    def clear(self) -> None:
        for served in self.opened:
            served.clear()


def staged(source: Path, folder: Path, rehearsal: Rehearsal) -> Iterator[Stage]:
    """For a fixture."""
    stage = Stage(source, folder, rehearsal)
    yield stage
    stage.clear()


def wait_ms(milliseconds: int) -> None:
    time.sleep(milliseconds / 1000)
