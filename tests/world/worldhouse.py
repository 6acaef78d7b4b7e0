"""The stage for real clients: a rehearsal and `headgate serve`, each a process of its own as an operator starts them, and their two books.

Rule 1  Nothing of the product is imported to look at it: the ledger is read with plain SQL, the log as text, the rehearsal over HTTP.
Rule 2  Each test takes a key of its own; what the ledger knows of that key is what that test did.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import apsw

from headgate.config.reference import default_file
from headgate.names import show_id

T = TypeVar("T")

# The gate's own credential, and the one of a client that goes around the gate: two projects, so that neither warms the other's cache.
CREDENTIAL, DIRECT_KEY = "sk-rehearsal-of-the-gate", "sk-rehearsal-of-the-client"
PATIENCE_S = 40  # beyond every wait of a client; what takes longer hangs

# Beside development, ci and production: workspaces in which one thing is short. Without brakes, so that each has one cap.
SCARCE = """
[workspaces.{name}]
environment = "development"
paths = ["openai"]
models = [{models}]
caps.month = "{cap}"
day_brake = "off"
week_brake = "off"
wait_ms = 0
"""
WORKSPACES = (
    ("broke", '"*"', "0.001"),  # no useful amount of anything
    ("narrow", '"gpt-5.4-mini", "gpt-5.5-2026-04-23"', "5"),  # two models
    ("short", '"*"', "100"),
    ("ending", '"*"', "100"),
    ("busy", '"*"', "100"),
)
# What each key of a workspace may draw: the next test has its own.
PER_KEY = """
[[budget]]
scope = "key:*"
workspace = "{name}"
period = "month"
cap = "{cap}"
"""
KEYS = (
    ("short", "0.4"),  # room for the least output of a turn, not for all that a model can write
    ("ending", "0.32"),  # room for a turn or two of a coding agent
    ("busy", "1"),  # one call can hold it all
)


def until(look: Callable[[], T], what: str) -> T:
    """Waits until it is so."""
    ends = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < ends, f"waited in vain: {what}"
        time.sleep(0.02)
    return found


class Rehearsal:
    """The provider, and the judge's side of it. It can be stopped and started again on the same port, with nothing remembered."""

    def __init__(self, source: Path) -> None:
        self._environment = {**os.environ, "PYTHONPATH": str(source)}
        self.port = 0
        self.start()

    def start(self) -> None:
        keys = ("--key", CREDENTIAL, "--key", DIRECT_KEY)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "headgate.rehearsal", "--listen", f"127.0.0.1:{self.port}", *keys],
            stdout=subprocess.PIPE,
            env=self._environment,
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

    def last(self) -> Any:
        """The last request of any kind under /v1, as it arrived."""
        return self.ask("GET", "last")


@dataclass(frozen=True)
class Key:
    """What `headgate key issue` printed."""

    key: str
    id: str
    workspace: str


@dataclass(frozen=True)
class Hold:
    """One attempt as the ledger has it: `nano` is what it came to, `held_nano` what it was allowed to. `state` of one in doubt: SUSPECT."""

    attempt: str
    request: str
    model: str
    route: str
    wanted: int
    output: int
    held_nano: int
    state: str
    ending: str
    nano: int
    input_tokens: int | None
    output_tokens: int | None
    facts: str


_HOLDS = """
SELECT hold.id, hold.request, hold.model, hold.route, hold.wanted, hold.output, hold.nano,
       coalesce(open_hold.state, ending.state), coalesce(nullif(open_hold.ending, ''), ending.ending, ''), coalesce(ending.nano, 0),
       ending.input_tokens, ending.output_tokens, hold.facts
FROM hold LEFT JOIN open_hold ON open_hold.hold = hold.id LEFT JOIN ending ON ending.hold = hold.id
WHERE hold.key = ? ORDER BY hold.id
"""


class World:
    """A rehearsal, a gate before it, and a folder with everything they wrote."""

    def __init__(self, source: Path, folder: Path) -> None:
        self.folder = folder
        self.rehearsal = Rehearsal(source)
        self._environment = {**os.environ, "PYTHONPATH": str(source), "REHEARSAL_KEY": CREDENTIAL}
        text = default_file(rehearsal=True, listen="127.0.0.1:0", base_url=self.rehearsal.base_url, credential="env:REHEARSAL_KEY")
        text += "".join(SCARCE.format(name=name, models=models, cap=cap) for name, models, cap in WORKSPACES)
        text += "".join(PER_KEY.format(name=name, cap=cap) for name, cap in KEYS)
        (folder / "headgate.toml").write_text(text)
        self._log_file = folder / "gate.log"
        with self._log_file.open("wb") as log:
            command = [sys.executable, "-m", "headgate", "serve", "--no-house"]
            self.gate = subprocess.Popen(command, cwd=folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        line = until(lambda: next((line for line in self.log_lines() if line["event"] == "listening"), None), "the gate listens")
        self.port = int(line["port"])
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    def stop(self) -> tuple[int, int]:
        """Ends both; the exit codes of the gate and of the rehearsal."""
        self.gate.send_signal(signal.SIGTERM)
        return self.gate.wait(PATIENCE_S), self.rehearsal.stop()

    def headgate(self, *arguments: str) -> str:
        """Runs a command as an operator does; its standard output."""
        command = [sys.executable, "-m", "headgate", *arguments]
        done = subprocess.run(command, cwd=self.folder, env=self._environment, capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def key(self, workspace: str = "development", *options: str) -> Key:
        issued = json.loads(self.headgate("key", "issue", "--json", "--workspace", workspace, "--label", "world", *options))
        return Key(issued["key"], issued["id"], workspace)

    # -- what they wrote ---------------------------------------------------------------------------------------------

    def log(self) -> str:
        return self._log_file.read_text()

    def log_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{") and line.endswith("}")]

    def query(self, text: str, *values: object) -> list[Any]:
        book = apsw.Connection(str(self.folder / "data/headgate.db"), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return list(book.execute(text, values))
        finally:
            book.close()

    def holds(self, key: Key) -> list[Hold]:
        """Every attempt of the key, once none of them is under way."""

        def ended() -> list[Hold] | None:
            rows = [Hold(show_id(row[0]), show_id(row[1]), *row[2:]) for row in self.query(_HOLDS, key.id)]
            return None if any(row.state == "HELD" for row in rows) else rows or [_NONE]

        found = until(ended, f"the calls of {key.id} end")
        return [] if found == [_NONE] else found

    def refusals(self, key: Key) -> list[str]:
        """The reason of every no that this key was told, in order, from the record."""
        leaves = [json.loads(row[0]) for row in self.query("SELECT bytes FROM leaf ORDER BY seq")]
        return [leaf["reason"] for leaf in leaves if leaf["kind"] == "refusal" and leaf.get("key") == key.id]

    def calls(self, key: Key) -> list[Any]:
        """The calls of this key as the rehearsal has them, in the order of the ledger's attempts; each must have arrived once."""
        attempts = [hold.attempt for hold in self.holds(key)]
        arrived = [call for call in self.rehearsal.calls() if call["headgate_request"] in set(attempts)]
        return sorted(arrived, key=lambda call: attempts.index(call["headgate_request"]))

    def agrees(self, key: Key) -> list[Hold]:
        """Both books tell of the same model calls, to the token and to the nano-dollar."""
        holds = [hold for hold in self.holds(key) if hold.route in ("responses", "chat")]
        calls = self.calls(key)
        assert [hold.attempt for hold in holds] == [call["headgate_request"] for call in calls]
        assert [hold.nano for hold in holds] == [int(call["billed_nano_ceiling"]) for call in calls]
        for hold, call in zip(holds, calls, strict=True):
            assert hold.state == ("POSTED" if call["tokens"] is not None else "VOIDED")
            if call["tokens"] is not None:
                assert (hold.input_tokens, hold.output_tokens) == (call["tokens"]["input"], call["tokens"]["output"])
            assert hold.nano <= hold.held_nano
        return holds


_NONE = Hold("", "", "", "", 0, 0, 0, "", "", 0, None, None, "")
