"""The stage of a story: a rehearsal in a process of its own, a gate in a thread of this one, callers on raw sockets, and the open book.

Rule 1  Nothing here is pretended: the gate is the one that `headgate serve` runs, the book is the file on the disk.
Rule 2  The book is read as an operator could read it, beside the gate, and never through the gate's own objects.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from headgate.assembly import SYSTEM_CLOCK, House
from headgate.config.load import load
from headgate.control.command import AnyCommand, IssueKey, encoder
from headgate.ledger.balance import Balance
from headgate.names import show_id
from headgate.store import rows
from headgate.store.folder import LEDGER_FILE, SOCKET_FILE
from headgate.store.ledger import Clock
from headgate.store.sqlite import Database, open_reader
from headgate.store.verify import verify

T = TypeVar("T")

CREDENTIAL = "sk-rehearsal-of-the-stories"
MODEL = "gpt-5.5"
CODEX = "codex_exec/0.169.0 (Debian 12.0.0; x86_64) dumb (codex_exec; 0.169.0)"
ENVIRONMENT = {"PROVIDER_KEY": CREDENTIAL, "WRONG_KEY": "sk-rehearsal-of-nobody"}
PATIENCE_S = 30  # beyond every time limit of a story; what takes longer hangs


class Rehearsal:
    """The provider, and the judge's side of it."""

    def __init__(self, source: Path, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "headgate.rehearsal", "--listen", f"127.0.0.1:{port}", "--key", CREDENTIAL],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(source)},
        )
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        self.base_url: str = said["base_url"]
        self.port = int(said["origin"].rpartition(":")[2])

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def ask(self, method: str, where: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        connection.request(method, f"/rehearsal/{where}", None if body is None else json.dumps(body))
        answer = connection.getresponse()
        read = answer.read()
        connection.close()
        assert answer.status == 200, f"{method} {where}: {read!r}"
        return json.loads(read)

    def set(self, **settings: object) -> None:
        self.ask("POST", "settings", settings)

    def fault(self, name: str, times: int = 1, at: int | None = None) -> None:
        self.ask("POST", "faults", {"name": name, "times": times, **({} if at is None else {"at": at})})

    def calls(self) -> list[Any]:
        """Every model call that arrived, oldest first."""
        return self.ask("GET", "calls?limit=100000")["calls"]

    def call(self, request: str) -> Any:
        """The call that the gate sent under this id; None when nothing arrived."""
        return next((call for call in reversed(self.calls()) if call["headgate_request"] == request), None)

    def last(self) -> Any:
        """The last request of any kind under /v1, as it arrived."""
        return self.ask("GET", "last")

    def requests(self) -> int:
        return int(self.ask("GET", "meter")["requests"])


@dataclass
class Heard:
    """What a caller heard. `whole` is false when the answer broke off."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool = True

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]

    @property
    def request(self) -> str:
        return self.headers["x-headgate-request"]

    @property
    def events(self) -> list[Any]:
        """The data of every event, `[DONE]` as the word. Each block must be a well-formed event or comment."""
        found: list[Any] = []
        text = self.body.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
        for block in text.split("\n\n"):
            data = "\n".join(line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:"))
            if data:
                found.append("[DONE]" if data == "[DONE]" else json.loads(data))
        return found


class Line:
    """One connection of one caller with one request on it, which may be read bit by bit and hung up."""

    def __init__(self, port: int, method: str, target: str, body: bytes, headers: dict[str, str]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        self._connection.request(method, target, body or None, headers)
        self._answer: http.client.HTTPResponse | None = None
        self.heard = Heard(0, {}, b"")

    def head(self) -> Heard:
        """Wait for the head of the answer."""
        if self._answer is None:
            answer = self._answer = self._connection.getresponse()
            self.heard.status = answer.status
            self.heard.headers = {name.lower(): value for name, value in answer.getheaders()}
        return self.heard

    def until(self, mark: bytes) -> Heard:
        """Read until these bytes were heard."""
        self.head()
        assert self._answer is not None
        while mark not in self.heard.body:
            piece = self._answer.read1(65_536)
            assert piece, f"the answer ended before {mark!r}: {self.heard.body[-500:]!r}"
            self.heard.body += piece
        return self.heard

    def rest(self) -> Heard:
        """Everything up to the end."""
        self.head()
        assert self._answer is not None
        try:
            self.heard.body += self._answer.read()
        except http.client.IncompleteRead as end:
            self.heard.body += end.partial
            self.heard.whole = False
        except ConnectionResetError:
            self.heard.whole = False
        self._connection.close()
        return self.heard

    def past(self, size: int) -> Heard:
        """Read until more than this many bytes were heard."""
        self.head()
        assert self._answer is not None
        while len(self.heard.body) <= size:
            piece = self._answer.read1(256)
            assert piece, "the answer ended before"
            self.heard.body += piece
        return self.heard

    def hang_up(self) -> None:
        """Leave at once, as a process that was killed does."""
        handle = self._connection.sock
        if handle is not None:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if self._answer is not None:
            self._answer.close()
        self._connection.close()


class Caller:
    """Who calls with one key."""

    def __init__(self, port: int, key: str | None, agent: str | None = None, key_id: str = "") -> None:
        self.port, self.key, self.agent, self.key_id = port, key, agent, key_id

    def open(self, method: str, target: str, body: object = None, **headers: str) -> Line:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key is not None:
            given.setdefault("authorization", f"Bearer {self.key}")
        if self.agent is not None:
            given.setdefault("user-agent", self.agent)
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if data:
            given["content-type"] = "application/json"
        return Line(self.port, method, target, data, given)

    def ask(self, method: str, target: str, body: object = None, **headers: str) -> Heard:
        return self.open(method, target, body, **headers).rest()

    def respond(self, text: str = "Say hello", **fields: object) -> Heard:
        """POST /v1/responses."""
        return self.ask("POST", "/v1/responses", {"model": MODEL, "input": text, **fields})

    def stream(self, text: str = "Say hello", **fields: object) -> Line:
        return self.open("POST", "/v1/responses", {"model": MODEL, "input": text, "stream": True, **fields})

    def chat(self, text: str = "Say hello", **fields: object) -> Heard:
        """POST /v1/chat/completions."""
        return self.ask("POST", "/v1/chat/completions", {"model": MODEL, "messages": [{"role": "user", "content": text}], **fields})

    def as_codex(self) -> Caller:
        return Caller(self.port, self.key, CODEX, self.key_id)


@dataclass
class Entry:
    """What the book says of one hold."""

    state: str  # HELD, SUSPECT, POSTED or VOIDED
    ending: str
    how: str
    posted_nano: int
    held_nano: int
    output: int  # tokens a choice that were granted
    wanted: int
    legs: list[tuple[int, int]]  # budget, amount
    entries: list[tuple[int, str, int]]  # budget, kind, amount


class Book:
    """The ledger on the disk, read beside the gate."""

    def __init__(self, data: Path) -> None:
        self._data = data

    @contextlib.contextmanager
    def _open(self) -> Iterator[Database]:
        database = open_reader(self._data / LEDGER_FILE)
        try:
            yield database
        finally:
            database.close()

    def run(self, query: str, values: tuple[int | str, ...] = ()) -> list[tuple[Any, ...]]:
        """A named query of the store."""
        with self._open() as database:
            return list(database.run(query, values))

    def entry(self, request: str) -> Entry | None:
        """The hold of a request, by the id that the client was told; None when nothing was held for it."""
        with self._open() as database:
            found = [row[0] for row in database.stream("holds_in_order") if show_id(rows.whole(row[0])) == request]
            if not found:
                return None
            attempt = found[0]
            row = database.first("hold", (attempt,))
            assert row is not None
            hold = rows.hold(row)
            legs: Any = database.run("hold_legs", (attempt,))
            entries: Any = database.run("entries_of", (attempt,))
            ending: Any = database.first("ending_of", (attempt,))
            if ending is None:
                state: Any = database.first("hold_state", (attempt,))
                told: Any = next((row[2] for row in database.run("suspects") if row[0] == attempt), "")
                ending = (state[0], told, "", 0, 0)
            return Entry(ending[0], ending[1], ending[2], ending[3], hold.nano, hold.output, hold.wanted, legs, entries)

    def newest(self, key_id: str) -> str | None:
        """The id of the last request that something was held for with this key."""
        with self._open() as database:
            for row in reversed(database.run("holds_in_order")):
                found = database.first("hold", (row[0],))
                if found is not None and rows.hold(found).key == key_id:
                    return show_id(rows.whole(row[0]))
        return None

    def holds(self) -> int:
        with self._open() as database:
            return len(database.run("holds_in_order"))

    def budgets(self) -> list[Balance]:
        return [rows.balance(row) for row in self.run("budgets_all")]

    def budget(self, rule: str) -> Balance:
        """The newest period of a rule."""
        return [balance for balance in self.budgets() if balance.rule == rule][-1]

    def leaves(self, kind: str) -> list[Any]:
        return [leaf for _, data in self.run("leaves") if (leaf := json.loads(data))["kind"] == kind]

    def proves(self) -> None:
        """Everything that `headgate ledger verify` would find wrong."""
        with self._open() as database:
            report = verify(database)
        assert report.whole, report.findings


class Shifted:
    """A clock that a story may set."""

    def __init__(self) -> None:
        self.wall_ahead_us = 0
        self.both_ahead_us = 0

    def clock(self) -> Clock:
        return Clock(
            lambda: SYSTEM_CLOCK.wall_us() + self.wall_ahead_us + self.both_ahead_us,
            lambda: SYSTEM_CLOCK.monotonic_us() + self.both_ahead_us,
        )


@dataclass
class Gatehouse:
    """A gate that runs in a thread of its own until `stop`."""

    folder: Path
    text: str
    clock: Clock = SYSTEM_CLOCK
    environment: dict[str, str] = field(default_factory=lambda: dict(ENVIRONMENT))
    faults: list[BaseException] = field(default_factory=list[BaseException])

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write(self.text)
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._open = False
        self.start()

    def write(self, text: str) -> None:
        (self.folder / "headgate.toml").write_text(text, encoding="utf-8")

    def start(self) -> None:
        async def begin() -> None:
            self.house = House(lambda: load(self.folder / "headgate.toml", self.environment), self.clock, self.faults.append)
            self.service = await self.house.start()
            self.port = self.house.port

        try:
            self.run(begin())
        except BaseException:
            self._end()
            raise
        self._open = True
        self.book = Book(self.folder / "data")

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the gate's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def tasks(self) -> int:
        """How many tasks live in the gate's loop."""

        async def count() -> int:
            return len(asyncio.all_tasks())

        return self.run(count())

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Start something in the gate's own loop and do not wait for it."""
        asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self, seconds: float = 5) -> None:
        if self._open:
            self._open = False
            self.run(self.service.stop(seconds))
            self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    def command(self, asked: AnyCommand) -> Any:
        """One command, as the socket takes it; a refused one raises what it was told."""
        answer = json.loads(self.run(self.house.obey(encoder.encode(asked))))
        if "error" in answer:
            raise CommandRefused(answer["error"])
        return answer["ok"]

    def caller(self, workspace: str = "one", agent: str | None = None, **scope: Any) -> Caller:
        issued = self.command(IssueKey(actor="story", workspace=workspace, label="story", **scope))
        return Caller(self.port, issued["key"], agent, issued["id"])

    def workspace_of(self, caller: Caller) -> str:
        return next(str(row[4]) for row in self.book.run("keys") if row[0] == caller.key_id)

    def at_rest(self) -> None:
        """Wait until every exchange has settled, then hold the gate and its book to what is true of a gate at rest."""
        eventually(lambda: not self.house.gate.open_exchanges)
        for name, way in self.house.gate.world.ways.items():
            assert way.upstream.in_use == 0, f"path {name} still uses a connection"
        assert self.faults == []
        assert [balance for balance in self.book.budgets() if balance.held != balance.suspect] == []
        self.book.proves()

    def settled(self, request: str) -> Entry:
        """The entry of a request once its exchange is over."""
        eventually(lambda: (entry := self.book.entry(request)) is not None and entry.state != "HELD")
        entry = self.book.entry(request)
        assert entry is not None
        return entry


class GateProcess:
    """A gate as a process of its own, for what only a process can suffer."""

    def __init__(self, source: Path, folder: Path, text: str) -> None:
        self.folder = folder
        self._source = source
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "headgate.toml").write_text(text, encoding="utf-8")
        self.book = Book(folder / "data")
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "headgate", "serve", "--only", "gate", "--config", "headgate.toml"],
            cwd=self.folder,
            stderr=subprocess.PIPE,
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": str(self._source)},
        )
        self.said: list[Any] = []
        while not self.said or self.said[-1]["event"] != "listening":
            assert self.process.stderr is not None
            line = self.process.stderr.readline()
            assert line, f"the gate ended with {self.process.wait()}"
            self.said.append(json.loads(line))
        self.port = int(self.said[-1]["port"])

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self._ended()

    def stop(self) -> int:
        self.process.terminate()
        return self._ended()

    def _ended(self) -> int:
        assert self.process.stderr is not None
        with self.process.stderr as log:
            self.said += [json.loads(line) for line in log.read().splitlines()]
        return self.process.wait(PATIENCE_S)

    def command(self, asked: AnyCommand) -> Any:
        """One command over the gate's own socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(PATIENCE_S)
            connection.connect(str(self.folder / "data" / SOCKET_FILE))
            connection.sendall(encoder.encode(asked) + b"\n")
            with connection.makefile("rb") as lines:
                answer = json.loads(lines.readline())
        if "error" in answer:
            raise CommandRefused(answer["error"])
        return answer["ok"]

    def caller(self, workspace: str = "one") -> Caller:
        issued = self.command(IssueKey(actor="story", workspace=workspace, label="story"))
        return Caller(self.port, issued["key"], None, issued["id"])


class CommandRefused(Exception):
    """A command that the gate did not carry out."""


def eventually(check: Callable[[], object]) -> None:
    """Wait until it is true; a story that waits in vain has failed."""
    until = time.monotonic() + PATIENCE_S
    while not check():
        assert time.monotonic() < until, "it never came to be"
        time.sleep(0.01)


def configuration(base_url: str, workspaces: str, paths: str = "", *, rehearsal: bool = True, drain: int = 5) -> str:
    """A headgate.toml over one path `openai`; `workspaces` and `paths` are TOML."""
    return f"""\
[gate]
listen = "127.0.0.1:0"
data = "data"
drain_seconds = {drain}

[house]
listen = "127.0.0.1:0"

[paths.openai]
base_url = "{base_url}"
credential = "env:PROVIDER_KEY"
rehearsal = {str(rehearsal).lower()}
{paths}
{workspaces}
"""


def workspace(name: str = "one", month: str = "500", legs: int = 1, **lines: str) -> str:
    """One workspace as TOML; with one leg its brakes are off, and nothing but the month counts. `lines` are raw TOML values."""
    given = {"environment": '"development"', "paths": '["openai"]', "models": '["*"]', "wait_ms": "0", "caps.month": f'"{month}"'}
    brakes = {"day_brake": '"off"', "week_brake": '"off"'} if legs == 1 else {"day_brake": '"90%"', "week_brake": '"95%"'}
    every = {**given, **brakes, **{name.replace("__", "."): value for name, value in lines.items()}}
    return f"[workspaces.{name}]\n" + "".join(f"{key} = {value}\n" for key, value in every.items())
