"""A rehearsal in a process of its own, and the two ways to talk to it: JSON over a connection, and raw bytes."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

KEY, OTHER_KEY = "sk-rehearsal-one", "sk-rehearsal-two"


class Rehearsal:
    """A running rehearsal with two keys in two projects."""

    key, other_key = KEY, OTHER_KEY
    project, other_project = "proj_one", "proj_two"

    def __init__(self, process: subprocess.Popen[str], said: dict[str, Any]) -> None:
        self.process = process
        self.said = said
        self.base_url: str = said["base_url"]
        self.admin_key: str = said["admin_key"]
        host, _, port = said["origin"].removeprefix("http://").rpartition(":")
        self.address = (host, int(port))

    def send(self, method: str, target: str, body: Any = None, key: str | None = KEY, **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(*self.address, timeout=20)
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection.request(method, target, data, headers)
        response = connection.getresponse()
        read = response.read()
        connection.close()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, read

    def json(self, method: str, target: str, body: Any = None, key: str | None = KEY) -> Any:
        return json.loads(self.send(method, target, body, key)[2])

    def raw(self, data: bytes, patience_s: float = 10) -> bytes:
        """Everything that comes back until the other side closes; a reset or a long silence is named at the end."""
        received = b""
        with socket.create_connection(self.address, timeout=patience_s) as connection:
            connection.sendall(data)
            try:
                while piece := connection.recv(65_536):
                    received += piece
            except (TimeoutError, ConnectionResetError) as end:
                received += b"<" + type(end).__name__.encode() + b">"
        return received

    @contextlib.contextmanager
    def connected(self, data: bytes) -> Iterator[socket.socket]:
        """A connection on which these bytes were sent; it is closed at the end."""
        with socket.create_connection(self.address, timeout=10) as connection:
            connection.sendall(data)
            yield connection

    def post_bytes(self, target: str, body: Any, *headers: str) -> bytes:
        """One request as it goes over the wire."""
        data = json.dumps(body).encode()
        lines = [f"POST {target} HTTP/1.1", "host: rehearsal", f"authorization: Bearer {KEY}", f"content-length: {len(data)}", *headers]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + data

    def meter(self) -> Any:
        return self.json("GET", "/rehearsal/meter")

    def calls(self) -> list[Any]:
        return self.json("GET", "/rehearsal/calls")["calls"]

    def billed_pico(self) -> int:
        return int(self.meter()["billed_pico"])

    def settings(self, **change: Any) -> Any:
        return self.json("POST", "/rehearsal/settings", change)

    def events(self, target: str, body: Any) -> list[Any]:
        """The data of every event of a stream; `[DONE]` stays a word."""
        read = self.send("POST", target, {**body, "stream": True})[2].decode()
        data = [line.removeprefix("data: ") for line in read.splitlines() if line.startswith("data: ")]
        return [member if member == "[DONE]" else json.loads(member) for member in data]


Start = Callable[..., Rehearsal]


def _started(source: Path, *flags: str) -> Rehearsal:
    command = [
        sys.executable,
        "-m",
        "headgate.rehearsal",
        "--key",
        KEY,
        "--project",
        "proj_one",
        "--key",
        OTHER_KEY,
        "--project",
        "proj_two",
        *flags,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(source)})
    assert process.stdout is not None
    return Rehearsal(process, json.loads(process.stdout.readline()))


def _stopped(rehearsal: Rehearsal) -> int:
    if rehearsal.process.poll() is None:
        rehearsal.process.send_signal(signal.SIGTERM)
    code = rehearsal.process.wait(timeout=10)
    if rehearsal.process.stdout is not None:
        rehearsal.process.stdout.close()
    return code


@pytest.fixture
def start(root: Path) -> Iterator[Start]:
    """Starts rehearsals with flags; each must end by itself when it is told to, with nothing gone wrong on the way."""
    started: list[Rehearsal] = []

    def begin(*flags: str) -> Rehearsal:
        started.append(_started(root / "src", *flags))
        return started[-1]

    yield begin
    assert [_stopped(rehearsal) for rehearsal in started] == [0] * len(started)


@pytest.fixture(scope="session")
def one_rehearsal(root: Path) -> Iterator[Rehearsal]:
    running = _started(root / "src")
    yield running
    assert _stopped(running) == 0


@pytest.fixture
def rehearsal(one_rehearsal: Rehearsal) -> Rehearsal:
    """A rehearsal that has billed nothing and remembers nothing."""
    one_rehearsal.json("POST", "/rehearsal/reset")
    return one_rehearsal
