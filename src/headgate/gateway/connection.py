"""One connection of a client: its steps from head to body to answer, its time limits and its back-pressure.

Rule 1  One request at a time: the next is not read before the answer to this one has ended.
Rule 2  Nothing is served before its message is complete, and nothing after a framing error: 400, close.
Rule 3  Whoever hangs up is told of at once, whatever we are doing; whoever does not read holds back the writer, not our memory.
Rule 4  No timer per request: one sweep a second looks at every open connection.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from enum import Enum, auto
from functools import cached_property
from typing import cast

from headgate.gateway.answer import Answer
from headgate.gateway.door import Admitted, Door, Limits, Whole
from headgate.gateway.http1 import (
    CHUNKED,
    CONTINUE,
    END,
    HEAD_BYTES,
    ChunkReader,
    Head,
    malformed,
    read_head,
    status_line,
    too_large,
    unfinished,
)
from headgate.refusal import Reason, Refusal

_PIECES = 256  # so many small pieces of a body are kept as they came; beyond that each costs more than it carries
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Lobby:
    """What all connections of one door share. The sweep of the listeners keeps the time and the header lines current."""

    def __init__(self, door: Door, limits: Limits) -> None:
        self.door = door
        self.limits = limits
        self.connections: set[Connection] = set()
        self.empty = asyncio.Event()
        self.empty.set()
        self.draining = False
        self.now = 0.0  # as of the last sweep: exact enough for limits of seconds, and free to read
        self.lines = b""
        self.last_lines = b"connection: close\r\n"

    @cached_property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that all of them run on."""
        return asyncio.get_running_loop()

    def greet(self, connection: Connection) -> None:
        """A connection begins."""
        self.connections.add(connection)
        self.empty.clear()

    def forget(self, connection: Connection) -> None:
        """A connection is no more."""
        self.connections.discard(connection)
        if not self.connections:
            self.empty.set()


class _Step(Enum):
    """Where a connection is. Moves: HEAD → BODY → ANSWER → HEAD; from anywhere → LINGER or CLOSING → LOST."""

    HEAD = auto()  # between requests, or within a head
    BODY = auto()
    ANSWER = auto()
    LINGER = auto()  # the last answer was given; what still arrives is dropped until the client closes
    CLOSING = auto()  # only what is in the write buffer is still to do
    LOST = auto()


class Connection(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, lobby: Lobby) -> None:
        self.lobby = lobby
        self.step = _Step.HEAD
        self.since = lobby.now  # when this step began; for HEAD when its first byte came, or when the connection fell idle
        self.buffer: bytes | bytearray = b""  # from `at` on not yet used
        self.at = 0
        self.judged = 0  # up to here an unfinished head was found possible
        self.advancing = False
        self.head: Head | None = None
        self.ticket: object = None
        self.pieces: list[bytes] = []  # of the body, as they came
        self.body = bytearray()  # ... and what came before them, when there were many
        self.have = self.needed = 0
        self.got = 0  # bytes of the body since the last sweep, as they came over the wire
        self.credit = 0.0  # bytes by which the client is ahead of the slowest allowed rate
        self.chunks: ChunkReader | None = None
        self.answer: Answer | None = None
        self.last = False  # the answer being given is the last of this connection
        self.unread = False  # ... and the client may still be sending the body that nobody wants
        self.paused = False
        self.reading = True
        self.half_closed = False
        self.written = 0
        self.flushed = 0
        self.flushed_at = lobby.now

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        lobby = self.lobby
        self.transport.set_write_buffer_limits(high=lobby.limits.write_buffer)
        address = transport.get_extra_info("peername")
        self.peer = str(address[0]) if address else ""
        others = len(lobby.connections)
        if others >= lobby.limits.connections:
            # Some are told why; a flood is only dropped.
            if others >= lobby.limits.connections * 9 // 8 + 1:
                self.cut(reset=True)
                return
            lobby.greet(self)
            self.refuse(Refusal(Reason.TOO_MANY_CONNECTIONS, "Too many connections are open; try again shortly."))
        else:
            lobby.greet(self)

    def data_received(self, data: bytes) -> None:
        step = self.step
        if step is _Step.HEAD:
            if self.at == len(self.buffer):
                self.buffer, self.at, self.judged = data, 0, 0
                self.since = self.lobby.now
            else:
                self._keep(data)
            self._advance()
        elif step is _Step.BODY:
            self.advancing = True
            self._take(data)
            self.advancing = False
            self._advance()
        elif step is _Step.ANSWER:
            self._keep(data)
            if len(self.buffer) - self.at > self.lobby.limits.surplus and self.reading:
                self.reading = False
                self.transport.pause_reading()

    def eof_received(self) -> bool:
        self.half_closed = True
        if self.step is _Step.ANSWER:
            if self.answer is not None:
                self.answer.leave()
        elif self.step is _Step.BODY:
            self.refuse(malformed("it ends before it is complete"))
        elif self.step is _Step.HEAD:
            self._advance()
        elif self.step is not _Step.CLOSING:
            self._close()
        return True  # what is written may still go out to a client that only half-closed

    def connection_lost(self, exc: Exception | None) -> None:
        self.step = _Step.LOST
        self.lobby.forget(self)
        self.buffer, self.at = b"", 0
        self._drop_body()
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.lose()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self.answer is not None:
            self.answer.resume()

    # Reading.

    def _keep(self, data: bytes) -> None:
        if self.at == len(self.buffer):
            self.buffer, self.at, self.judged = data, 0, 0
            return
        buffer = self.buffer = bytearray(self.buffer) if isinstance(self.buffer, bytes) else self.buffer
        del buffer[: self.at]  # used bytes go, or a client that is always one request ahead would grow it for ever
        self.judged -= self.at
        self.at = 0
        buffer += data

    def _advance(self) -> None:
        """Read requests for as long as there are bytes for one and the answer to the one before has ended."""
        if self.advancing:
            return  # an answer given from within this loop; the loop goes on by itself
        self.advancing = True
        while self.step is _Step.HEAD and self.at < len(self.buffer) and self._read_head():
            pass
        self.advancing = False
        if self.step is _Step.HEAD:
            if self.at == len(self.buffer):
                self.buffer, self.at = b"", 0
                if self.half_closed:
                    self._close()
                    return
            elif self.half_closed:
                self.refuse(malformed("it ends before it is complete"))
                return
            if not self.reading:
                self.reading = True
                self.transport.resume_reading()

    def _go_on(self) -> None:
        try:
            self._advance()
        except BaseException:
            self.cut(reset=True)
            raise

    def _read_head(self) -> bool:
        buffer, start = self.buffer, self.at
        end = buffer.find(END, max(start, self.judged - 3)) + 4
        if end < 4 or end - start > HEAD_BYTES:
            refusal = unfinished(buffer, start, self.judged)
            self.judged = len(buffer)
            if refusal is not None:
                self.refuse(refusal)
            return False
        head = read_head(bytes(buffer[start:end]), self.peer)
        self.at = self.judged = end
        if isinstance(head, Refusal):
            self.refuse(head)
            return False
        self.head = head
        self.last = head.close
        verdict = self.lobby.door.admit(head)
        if isinstance(verdict, Whole):
            self._answer_whole(head, verdict)
        else:
            self._begin_body(head, verdict)
        return True

    def _answer_whole(self, head: Head, whole: Whole) -> None:
        """The body is not wanted: dropped if it is here, else the connection ends with the answer."""
        if head.length > 0 and len(self.buffer) - self.at >= head.length:
            self.at += head.length
        elif head.length:
            self.unread = self.last = True
        self.step = _Step.ANSWER
        answer = self.answer = Answer(self, head)
        answer.send(whole.status, whole.headers, whole.body)

    def _begin_body(self, head: Head, admitted: Admitted) -> None:
        self.ticket = admitted.ticket
        length, start = head.length, self.at
        if length == 0:
            self._serve(b"")
            return
        buffer = self.buffer
        if length > admitted.body_limit:
            self.refuse(too_large(admitted.body_limit))
            return
        if length != CHUNKED and len(buffer) - start >= length:
            self.at = start + length
            self._serve(bytes(buffer[start : self.at]))
            return
        rest = bytes(buffer[start:])
        self.buffer, self.at = b"", 0
        limits = self.lobby.limits
        self.step, self.got, self.credit = _Step.BODY, 0, limits.body_grace_s * limits.body_bytes_per_s
        if length == CHUNKED:
            self.chunks = ChunkReader(admitted.body_limit)
        else:
            self.have, self.needed = 0, length
        if rest:
            self._take(rest)
        if head.expects and not rest:
            self.write(CONTINUE)

    def _take(self, data: bytes) -> None:
        """The next bytes of a body."""
        self.got += len(data)
        chunks = self.chunks
        if chunks is None:
            needed, pieces = self.needed, self.pieces
            pieces.append(data)
            self.have += len(data)
            if self.have < needed:
                if len(pieces) > _PIECES:
                    self.body += b"".join(pieces)
                    pieces.clear()
                return
            body = b"".join((self.body, *pieces))
            pieces.clear()
            if self.have > needed:
                self.buffer = body[needed:]
                body = body[:needed]
        else:
            self.buffer = chunks.feed(data)
            if chunks.refusal is not None:
                self.buffer = b""
                self.refuse(chunks.refusal)
                return
            if not chunks.done:
                return
            body = bytes(chunks.body)
        self.at = self.judged = 0
        self._drop_body()
        self._serve(body)

    def _drop_body(self) -> None:
        self.pieces.clear()
        if self.body:
            self.body = bytearray()
        self.chunks = None

    def _serve(self, body: bytes) -> None:
        assert self.head is not None
        self.step = _Step.ANSWER
        head, ticket, self.ticket = self.head, self.ticket, None
        answer = self.answer = Answer(self, head)
        if self.half_closed:
            answer.leave()
        self.lobby.door.serve(ticket, head, body, answer)

    # Writing.

    def write(self, data: bytes) -> None:
        """Give the bytes to the kernel at once."""
        self.written += len(data)
        self.transport.write(data)
        if self.paused and self.transport.get_write_buffer_size() > self.lobby.limits.unread_bytes + len(data):
            self.cut(reset=True)

    def soon(self, callback: Callable[[], None]) -> None:
        """Call back in the next turn of the event loop."""
        self.lobby.loop.call_soon(callback)

    def closing_lines(self) -> bytes:
        """The header lines that the connection itself decides: the date, and whether it goes on."""
        lobby = self.lobby
        if lobby.draining or (self.half_closed and self.at == len(self.buffer)):
            self.last = True
        return lobby.last_lines if self.last else lobby.lines

    def answered(self) -> None:
        """The answer has ended: close, or go on with the next request."""
        self.answer = self.head = None
        if self.step is not _Step.ANSWER:
            return
        if self.last or (self.half_closed and self.at == len(self.buffer)):
            if self.unread or self.at < len(self.buffer) or not self.reading:
                self._linger()
            else:
                self._close()
            return
        self.step, self.since, self.judged = _Step.HEAD, self.lobby.now, self.at
        if not self.advancing and (self.at < len(self.buffer) or not self.reading):
            # In a turn of its own: a fault in the next request is not the business of whoever answered this one.
            self.soon(self._go_on)

    def refuse(self, refusal: Refusal) -> None:
        """Tell a fault of the wire and end the connection. What else was sent on it is never looked at."""
        status, headers, body = self.lobby.door.refuse(refusal.reason, refusal.message)
        self.last = True
        sent = b"" if self.head is not None and self.head.method == "HEAD" else body
        length = b"content-length: %d\r\n" % len(body)
        self.write(b"".join((status_line(status), headers, length, self.lobby.last_lines, b"\r\n", sent)))
        self._linger()

    def _linger(self) -> None:
        if self.step in (_Step.CLOSING, _Step.LOST):
            return
        self.buffer, self.at, self.head = b"", 0, None
        self._drop_body()
        if self.half_closed:
            self._close()
            return
        self.step, self.since = _Step.LINGER, self.lobby.now
        if self.transport.can_write_eof():
            self.transport.write_eof()
        if not self.reading:
            self.reading = True
            self.transport.resume_reading()

    def _close(self) -> None:
        self.step, self.since = _Step.CLOSING, self.lobby.now
        self.transport.close()

    def cut(self, *, reset: bool) -> None:
        """End the connection now; with a reset where an orderly end could be taken for the end of the answer."""
        if self.step is _Step.LOST:
            return
        if not reset:
            self._close()
            return
        self.step, self.since = _Step.CLOSING, self.lobby.now
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.lose()
        handle = self.transport.get_extra_info("socket")
        if handle is not None:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.transport.abort()

    def drain(self) -> None:
        """Close if nothing is being asked; else the next answer says that it is the last."""
        if self.step is _Step.HEAD and self.at == len(self.buffer):
            self._close()

    def sweep(self, now: float, elapsed: float) -> None:
        """Hold the client to the time limits of the step it is in; the last sweep was `elapsed` seconds ago."""
        limits, step, waited = self.lobby.limits, self.step, now - self.since
        waiting = self.transport.get_write_buffer_size()
        if waiting:
            flushed = self.written - waiting
            if flushed != self.flushed:
                self.flushed, self.flushed_at = flushed, now
            elif now - self.flushed_at > limits.write_stall_s:
                self.cut(reset=True)
                return
        else:
            self.flushed, self.flushed_at = self.written, now
        if step is _Step.HEAD:
            if self.at < len(self.buffer):
                if waited > limits.head_s:
                    self.refuse(Refusal(Reason.BODY_TOO_SLOW, "The head of the request did not arrive in time."))
            elif waited > limits.idle_s:
                self._close()
        elif step is _Step.BODY:
            # Speed at the beginning buys no more patience later than the grace does.
            most = limits.body_grace_s * limits.body_bytes_per_s
            self.credit = min(self.credit + self.got, most) - elapsed * limits.body_bytes_per_s
            self.got = 0
            if self.credit < 0:
                self.refuse(Refusal(Reason.BODY_TOO_SLOW, "The body of the request did not arrive in time."))
        elif step is _Step.LINGER and waited > limits.linger_s and not waiting:
            self.cut(reset=False)
