"""A raw HTTP/1.1 client for trials: small enough that a thousand of them fit on one core, and able to hang up wherever a trial wants.

Rule 1  One request at a time; the connection is kept where the server keeps it, and opened again where it is gone.
Rule 2  A client never raises for what a server or a network did: it tells what it heard, and whether that was whole.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import cast

import httptools
import msgspec

PATIENCE_S = 120  # beyond every time limit of a gate under trial; what takes longer hangs


class Heard(msgspec.Struct):
    """What came back. `status` 0: no answer; `whole`: the answer came to its end; `left`: we hung up. Times are monotonic seconds."""

    status: int = 0
    body: bytes = b""
    headers: dict[bytes, bytes] = {}
    whole: bool = False
    left: bool = False
    asked_at: float = 0
    first_at: float = 0
    ended_at: float = 0


class Leave(msgspec.Struct, frozen=True):
    """When to hang up: so many seconds after asking, after so many bytes of the body, or before the whole request is out."""

    after_s: float | None = None
    after_bytes: int | None = None
    mid_request: bool = False


class Client(asyncio.Protocol):
    """One caller with one connection."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._heard = Heard()
        self._pieces: list[bytes] = []
        self._size = 0
        self._over: asyncio.Future[None] | None = None
        self._leave: Leave | None = None
        self.on_piece: Callable[[bytes], None] | None = None  # told each piece of a body as it arrives

    async def ask(self, request: bytes, leave: Leave | None = None) -> Heard:
        """Send these bytes as they are and listen to the end, or leave as told."""
        heard = self._heard = Heard(asked_at=time.monotonic())
        self._pieces, self._size, self._leave = [], 0, leave
        if self._transport is None:
            try:
                await self._loop.create_connection(lambda: self, self._host, self._port)
            except OSError:
                heard.ended_at = time.monotonic()
                return heard
        if self._transport is None:  # connected and reset in one turn of the loop
            heard.ended_at = time.monotonic()
            return heard
        over = self._over = self._loop.create_future()
        timer = self._loop.call_later(PATIENCE_S if leave is None or leave.after_s is None else leave.after_s, self._go)
        if leave is not None and leave.mid_request:
            self._transport.write(request[: len(request) // 2])
            self._go()
        else:
            self._transport.write(request)
        try:
            await over
        finally:
            timer.cancel()
        heard.body = b"".join(self._pieces)
        heard.ended_at = time.monotonic()
        return heard

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def _go(self) -> None:
        self._heard.left = True
        self.close()
        self._end()

    def _end(self) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    # -- asyncio -----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpResponseParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._end()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()
            self._end()

    # -- httptools ---------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._heard.headers = {}
        self._heard.first_at = time.monotonic()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._heard.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._heard.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)
        if self.on_piece is not None:
            self.on_piece(body)
        self._size += len(body)
        if self._leave is not None and self._leave.after_bytes is not None and self._size >= self._leave.after_bytes:
            self._go()

    def on_message_complete(self) -> None:
        self._heard.whole = True
        if not self._parser.should_keep_alive():
            self.close()
        self._end()


def post(host: str, target: str, key: str, body: bytes, extra: bytes = b"") -> bytes:
    """A request as bytes. `extra` are ready header lines."""
    return (
        b"POST %b HTTP/1.1\r\nhost: %b\r\nauthorization: Bearer %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%b\r\n"
        % (target.encode(), host.encode(), key.encode(), len(body), extra)
    ) + body


class Told(msgspec.Struct):
    """The error of an answer that says no, as far as a trial reads it."""

    message: str = ""
    code: str | None = None
    policy_code: str = ""
    scope: str = ""
    resets_at: int | None = None
    decision_id: str = ""


class _Envelope(msgspec.Struct):
    error: Told


_envelope = msgspec.json.Decoder(_Envelope)


def refusal_of(heard: Heard) -> Told:
    """What the answer says no with; empty where it does not."""
    try:
        return _envelope.decode(heard.body).error
    except msgspec.MsgspecError:
        return Told()
