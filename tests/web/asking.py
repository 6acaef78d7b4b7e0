"""A house over a real book, and a gate that is only its socket and says what the test wants; pages are asked for without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import msgspec

from headgate.gateway.socket import CommandSocket
from headgate.web.app import build_app
from headgate.web.gate_client import GateClient

STATUS = {
    "version": "0", "rehearsal": True, "started_us": 0, "now_us": 1_790_000_000_000_000, "open_exchanges": 2, "connections": 3,
    "draining": False, "not_ready": "", "counts": [(["refusals_total", "workspace", "ci", "reason", "unpriced"], 4)],
}  # fmt: skip


class Answer:
    """What a page answered."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class House:
    """`says` is what the gate answers to each line; None: there is no gate."""

    def __init__(self, folder: Path, says: Callable[[bytes], Awaitable[bytes]] | None = None, book: str = "ledger.db") -> None:
        self._socket = folder / "gate.sock"
        self._says = says
        self._app = build_app(GateClient(self._socket), folder / book)

    def get(self, where: str, method: str = "GET", host: str = "127.0.0.1:8081") -> Answer:
        return asyncio.run(self._get(where, method, host))

    async def _get(self, where: str, method: str, host: str) -> Answer:
        gate = CommandSocket(self._socket, self._says) if self._says is not None else None
        if gate is not None:
            await gate.open()
        answer = Answer()

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                answer.body += message.get("body", b"")

        scope = {
            "type": "http", "method": method, "path": where, "raw_path": where.encode(), "query_string": b"", "root_path": "",
            "headers": [(b"host", host.encode())], "http_version": "1.1", "scheme": "http", "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8081),
        }  # fmt: skip
        await self._app(scope, receive, send)
        if gate is not None:
            await gate.close()
        return answer


async def sound(line: bytes) -> bytes:
    """A gate in order."""
    return msgspec.json.encode({"ok": STATUS})


def saying(**changed: object) -> Callable[[bytes], Awaitable[bytes]]:
    async def say(line: bytes) -> bytes:
        return msgspec.json.encode({"ok": {**STATUS, **changed}})

    return say
