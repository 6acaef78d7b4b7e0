"""The stage of a story: a gate in a thread of this process, or as a process of its own where a story kills it.

Rule 1  Nothing here is pretended: the gate is the one that `headgate serve` runs, the book is the file on the disk.
Rule 2  The book is read as an operator could read it, beside the gate, and never through the gate's own objects.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import uvloop
from tests.stories.callers import Caller
from tests.stories.openbook import Book, Entry
from tests.stories.provider import CREDENTIAL, PATIENCE_S

from headgate.assembly import SYSTEM_CLOCK, RunningGate
from headgate.config.load import load
from headgate.control.command import AnyCommand, IssueKey, encoder
from headgate.store.folder import SOCKET_FILE
from headgate.store.ledger import Clock, Ledger

T = TypeVar("T")

PROVIDER = {"PROVIDER_KEY": CREDENTIAL, "WRONG_KEY": "sk-rehearsal-of-nobody"}


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
    environment: dict[str, str] = field(default_factory=lambda: dict(PROVIDER))
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
            self.running = RunningGate(lambda: load(self.folder / "headgate.toml", self.environment), self.clock, self.faults.append)
            self.service = await self.running.start()
            self.port = self.running.port

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
        answer = json.loads(self.run(self.running.obey(encoder.encode(asked))))
        if "error" in answer:
            raise CommandRefused(answer["error"])
        return answer["ok"]

    def caller(self, workspace: str = "one", agent: str | None = None, **scope: Any) -> Caller:
        issued = self.command(IssueKey(actor="story", workspace=workspace, label="story", **scope))
        return Caller(self.port, issued["key"], agent, issued["id"])

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[None]:
        """The database may not grow by a page until the block ends: SQLite says what it says when a disk is full."""
        self.run(self.running.gate.desk.change(lambda ledger: _most_pages(ledger, 1)))
        try:
            yield
        finally:
            if self._open:
                self.run(self.running.gate.desk.change(lambda ledger: _most_pages(ledger, 1 << 30)))

    def workspace_of(self, caller: Caller) -> str:
        return next(str(row[4]) for row in self.book.run("keys") if row[0] == caller.key_id)

    def at_rest(self) -> None:
        """Wait until every exchange has settled, then hold the gate and its book to what is true of a gate at rest."""
        eventually(lambda: not self.running.gate.open_exchanges)
        for name, way in self.running.gate.world.ways.items():
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


def _most_pages(ledger: Ledger, pages: int) -> None:
    # Fewer than there are means: not one more.
    ledger.database._connection.pragma("max_page_count", pages)


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
            env={**os.environ, **PROVIDER, "PYTHONPATH": str(self._source)},
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
