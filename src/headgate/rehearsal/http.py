"""A small HTTP/1.1 server that plays moves: polite in reading, and as rude in answering as the moves say.

Rule 1  One request of a connection at a time; what arrives early waits in the buffer.
Rule 2  A request that cannot be framed without doubt is answered 400 and the connection closed.
Rule 3  `Reply.done` is called exactly once: with `whole`, with what the server did to the connection, or with `client_gone`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qs, unquote

from headgate.rehearsal.moves import Cut, Hang, Moves, Shut, Wait

_MOST_HEAD = 256 * 1024
_MOST_BODY = 64 * 1024 * 1024
_MOST_WAITING = 1024 * 1024  # bytes of later requests that may wait while one is answered
_JOINED = 64 * 1024  # bytes handed to the transport at once
_LEFT_TO_ARRIVE_S = 0.01  # what was written before a reset is given this long to leave


@dataclass(slots=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]  # lower-case names; a repeated header is joined with a comma
    body: bytes
    raw_head: bytes

    @property
    def location(self) -> str:
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(self.target.partition("?")[2])


@dataclass(slots=True)
class Reply:
    moves: Moves
    done: Callable[[str], None]


Handler = Callable[[Request], Reply]


class BadFraming(Exception):
    """A request whose end cannot be known for certain."""


_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nx-headgate-rehearsal: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Connection(asyncio.Protocol):
    def __init__(self, handler: Handler, connections: set[Connection]) -> None:
        self._handler = handler
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._reply: Reply | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._congested = False
        self._keep = True
        self._continued = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        self._finish("client_gone")

    def pause_writing(self) -> None:
        self._congested = True

    def resume_writing(self) -> None:
        self._congested = False
        if self._reply is not None and self._timer is None:
            self._play()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._reply is None:
            self._next()
        elif len(self._buffer) > _MOST_WAITING and self._transport is not None:
            self._transport.pause_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _next(self) -> None:
        """Answers the next request, if all of it has arrived."""
        while self._reply is None and self._transport is not None:
            try:
                request = self._read()
            except (BadFraming, ValueError, UnicodeDecodeError):
                self._transport.write(_BAD_REQUEST)
                self._transport.close()
                return
            if request is None:
                return
            self._keep = "close" not in request.headers.get("connection", "").lower()
            self._reply = self._handler(request)
            self._play()

    def _read(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MOST_HEAD:
                raise BadFraming
            return None
        raw_head = bytes(self._buffer[:end])
        method, target, headers = _parse_head(raw_head)
        if headers.get("expect", "").lower() == "100-continue" and not self._continued and self._transport is not None:
            self._continued = True
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        found = _take_body(self._buffer, end + 4, headers)
        if found is None:
            return None
        body, used = found
        del self._buffer[:used]
        self._continued = False
        return Request(method, target, headers, body, raw_head)

    def _play(self) -> None:
        """Plays moves until one of them waits or ends the answer."""
        self._timer = None
        transport, reply = self._transport, self._reply
        if transport is None or reply is None:
            return
        joined: list[bytes] = []
        size = 0
        for move in reply.moves:
            if isinstance(move, bytes):
                joined.append(move)
                size += len(move)
                if size < _JOINED:
                    continue
                transport.write(b"".join(joined))
                joined, size = [], 0
                if self._congested:
                    return
                continue
            if joined:
                transport.write(b"".join(joined))
            if isinstance(move, Wait):
                self._timer = asyncio.get_running_loop().call_later(move.seconds, self._play)
            else:
                self._break(transport, move)
            return
        if joined:
            transport.write(b"".join(joined))
        self._finish("whole")
        if not self._keep:
            transport.close()
            return
        transport.resume_reading()
        self._next_soon()

    def _next_soon(self) -> None:
        if self._buffer:
            asyncio.get_running_loop().call_soon(self._next)

    def _break(self, transport: asyncio.Transport, move: Cut | Shut | Hang) -> None:
        self._keep = False
        match move:
            case Cut():
                self._finish("cut", over=False)
                asyncio.get_running_loop().call_later(_LEFT_TO_ARRIVE_S, _reset, transport)
            case Shut():
                self._finish("closed", over=False)
                transport.close()
            case Hang():
                self._finish("stalled", over=False)

    def _finish(self, ended: str, over: bool = True) -> None:
        """Tells how the answer ended; `over=False` keeps the connection from taking another request."""
        reply = self._reply
        if reply is not None:
            reply.done(ended)
            self._reply = None if over else Reply(iter(()), _nothing)


def _nothing(_ended: str) -> None:
    pass


def _reset(transport: asyncio.Transport) -> None:
    """Closes with RST: linger on, for no time at all."""
    handle = transport.get_extra_info("socket")
    if handle is not None:
        with contextlib.suppress(OSError):
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _parse_head(raw: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = raw.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadFraming
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadFraming
        name, value = name.lower(), value.strip()
        if name in headers:
            if name in ("content-length", "transfer-encoding", "host"):
                raise BadFraming
            value = f"{headers[name]}, {value}"
        headers[name] = value
    if version == "HTTP/1.0":
        headers.setdefault("connection", "close")
    return method, target, headers


def _take_body(buffer: bytearray, start: int, headers: dict[str, str]) -> tuple[bytes, int] | None:
    """The body and where the next request begins; None while bytes are missing."""
    coding = headers.get("transfer-encoding")
    announced = headers.get("content-length")
    if coding is not None:
        if coding.lower() != "chunked" or announced is not None:
            raise BadFraming
        return _take_chunks(buffer, start)
    size = int(announced) if announced is not None and announced.isdigit() else 0
    if (announced is not None and not announced.isdigit()) or size > _MOST_BODY:
        raise BadFraming
    return None if len(buffer) < start + size else (bytes(buffer[start : start + size]), start + size)


def _take_chunks(buffer: bytearray, at: int) -> tuple[bytes, int] | None:
    pieces: list[bytes] = []
    while True:
        line = buffer.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(bytes(buffer[at:line]).partition(b";")[0], 16)
        if size < 0 or size > _MOST_BODY:
            raise BadFraming
        at = line + 2
        if size == 0:
            end = buffer.find(b"\r\n", at)
            if end < 0:
                return None
            if end != at:
                raise BadFraming  # trailers of a request mean nothing here
            return b"".join(pieces), end + 2
        if len(buffer) < at + size + 2:
            return None
        pieces.append(bytes(buffer[at : at + size]))
        at += size + 2
