"""Who calls in a story: one key, one raw connection a call, read as far as the story wants and hung up where it wants."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from dataclasses import dataclass
from typing import Any

from tests.stories.provider import PATIENCE_S

MODEL = "gpt-5.5"
CODEX = "codex_exec/0.169.0 (Debian 12.0.0; x86_64) dumb (codex_exec; 0.169.0)"


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
