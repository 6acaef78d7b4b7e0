"""One connection to a provider, and the answer that is being received on it, byte for byte and within limits.

Rule 1  An answer is complete or it is `Cut`; what was received before the cut is handed on first.
Rule 2  Nothing in an answer can make us hold more than a bounded part of it that nobody has asked for yet.
Rule 3  A connection on which anything odd was heard is not used again, even where its answer was fine.

A body without a length ends where the connection ends, and HTTP cannot tell that end from a cut; its content has to (a terminal
event, a JSON text that closes).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from headgate.gateway.inflate import Damaged, Inflater, inflater

_HEAD_BYTES = 64 * 1024
_HEADER_COUNT = 256
_INTERIM_ANSWERS = 8  # `103 Early Hints` and the like before the answer
_AHEAD_BYTES = 256 * 1024  # received before anybody asked for the body; above it the connection is not read
_FRAMING_BYTES = 256 * 1024  # chunk sizes, extensions and trailers, beyond sixteen for each byte of body
_JOIN_BYTES = 64 * 1024

Feed = Callable[[bytes], None]


class NotSent(Exception):
    """Not one byte of the request left; the text says why."""


class NoneFree(NotSent):
    """Every connection that the call may use was busy for too long."""


class Cut(Exception):
    """The request, or a part of it, was sent, and a complete and well-formed answer did not come."""


class Stalled(Exception):
    """The request was sent and the provider was silent for longer than the limit."""


class Pool(Protocol):
    """What a connection needs of the pool it belongs to."""

    def opened(self, wire: Wire) -> None:
        """A connection begins."""
        ...

    def freed(self, wire: Wire, protected: bool, reusable: bool) -> None:
        """The answer has ended; `reusable` if the connection is in order for the next."""
        ...

    def dropped(self, wire: Wire) -> None:
        """A connection is no more."""
        ...


class _Odd(Exception):
    """Raised within a callback to stop the parser; the sentence stands in the connection."""


class Receiving:
    """An answer whose head has arrived. Its body is taken once, by `read` or by `pump`, or given up by `abort`."""

    __slots__ = ("_failure", "_feed", "_taken", "_wire", "complete", "headers", "held", "parts", "status", "waiter")

    def __init__(self, wire: Wire) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}  # names in lower case
        self.complete = False
        self.held = False  # reading was stopped by `pause`
        self.parts: list[bytes] = []  # of the body, that nobody got yet
        self.waiter: asyncio.Future[None] | None = None
        self._wire: Wire | None = wire
        self._taken = False
        self._feed: Feed | None = None
        self._failure: BaseException | None = None

    async def read(self, limit: int) -> bytes:
        """The whole body, at most `limit` bytes after decoding."""
        if self.complete and not self._taken and b"content-encoding" not in self.headers:
            self._taken = True
            whole = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
            self.parts.clear()
            if len(whole) > limit:
                raise Cut(f"the answer is larger than {limit} bytes")
            return whole
        body: list[bytes] = []
        size = 0

        def gather(data: bytes) -> None:
            nonlocal size
            size += len(data)
            if size > limit:
                raise Cut(f"the answer is larger than {limit} bytes")
            body.append(data)

        await self.pump(gather)
        return b"".join(body)

    async def pump(self, feed: Feed) -> None:
        """Call `feed` with what each read of the connection brought, decoded and joined; return at the complete end.

        The last call comes with `complete` already true, in the same turn of the loop in which `pump` returns.
        """
        assert not self._taken, "a body is taken once"
        self._taken = True
        decoder: Inflater | None = None
        try:
            encoding = self.headers.get(b"content-encoding", b"identity")
            if encoding.lower() != b"identity":
                decoder = inflater(encoding, feed)
                feed = decoder.feed
            self._feed = feed
            self._hand_over(feed)
            if self._failure is not None:
                raise self._failure
            wire = self._wire
            if wire is not None:
                self.waiter = wire.loop.create_future()
                wire.read_on(not self.held)
                await self.waiter
                self._hand_over(feed)
            if decoder is not None:
                decoder.end()
        except Damaged as error:
            self.abort()
            raise Cut(str(error)) from error
        except BaseException:
            self.abort()
            raise

    def pause(self) -> None:
        """Stop reading, because whoever gets the body is slower than the provider."""
        self.held = True
        if self._wire is not None:
            self._wire.read_on(False)

    def resume(self) -> None:
        """Read on."""
        self.held = False
        if self._wire is not None:
            self._wire.read_on(True)

    def abort(self) -> None:
        """Give the answer up and close its connection; a `pump` or `read` under way ends with `Cut`."""
        if self._wire is not None:
            self._wire.break_off("the answer was given up")

    def arrived(self, data: bytes) -> int:
        """What one read brought; returns how many bytes nobody has asked for yet. Called by the connection."""
        if self._feed is not None:
            self._feed(data)
            return 0
        self.parts.append(data)
        return sum(map(len, self.parts))

    def _hand_over(self, feed: Feed) -> None:
        parts, self.parts = self.parts, []
        if parts:
            feed(parts[0] if len(parts) == 1 else b"".join(parts))

    def begun(self) -> None:
        """The head is complete. Called by the connection."""
        waiter, self.waiter = self.waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def ended(self, failure: BaseException | None) -> None:
        """The answer is complete, or has failed. Called by the connection, which may go on to another answer after it."""
        self._wire = None
        self._failure = failure
        self.complete = failure is None
        waiter, self.waiter = self.waiter, None
        if waiter is not None and not waiter.done():
            if failure is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(failure)


class Wire(asyncio.Protocol):
    """One connection. Between answers `receiving` is None, and then nothing may be heard on it."""

    def __init__(self, pool: Pool) -> None:
        self.loop = asyncio.get_running_loop()
        self.receiving: Receiving | None = None
        self.idle_since = 0.0
        self._pool = pool
        self._pieces: list[bytes] = []  # of the body, out of one read
        self.on_body = self._pieces.append  # a list's own method: a stream of a thousand small chunks costs no call of ours
        self._parser = HttpResponseParser(self)
        self._protected = False
        self._reading = True
        self._waited_since = 0.0
        self._begin(False)

    def _begin(self, bodyless: bool) -> None:
        self._bodyless = bodyless  # the answer to HEAD
        self._framing = self._body = 0  # bytes received for this answer that were not, and that were, its body
        self._interim_count = 0
        self._interim = self._done = self._keep = self._until_close = False
        self._fault = ""
        self._moved = True  # something happened since the last sweep

    async def exchange(self, head: bytes, body: bytes, protected: bool) -> Receiving:
        """Send a request and wait for the head of the answer."""
        self._begin(head.startswith(b"HEAD "))
        self._protected = protected
        receiving = self.receiving = Receiving(self)
        waiter = receiving.waiter = self.loop.create_future()
        if len(body) < _JOIN_BYTES:
            self.transport.write(head + body)
        else:
            self.transport.writelines((head, body))
        try:
            await waiter
        except BaseException:
            receiving.abort()
            raise
        return receiving

    def read_on(self, wanted: bool) -> None:
        """Read the connection, or leave what arrives to the kernel and so hold the provider back."""
        if wanted is not self._reading and not self.transport.is_closing():
            self._reading = wanted
            if wanted:
                self._moved = True
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    def break_off(self, why: str) -> None:
        """Close the connection; the answer under way, if any, is cut."""
        self._fail(Cut(f"the connection to the provider was closed: {why}"))

    def sweep(self, now: float, head_s: float, idle_s: float, reuse_s: float) -> None:
        """Hold the provider to the time limits."""
        receiving = self.receiving
        if receiving is None:
            if now - self.idle_since > reuse_s:
                self.break_off("it was idle for too long")
        elif self._moved or receiving.held:
            self._moved, self._waited_since = False, now
        elif not receiving.status:
            if now - self._waited_since > head_s:
                self._fail(Stalled(f"no answer began within {head_s:g} seconds"))
        elif now - self._waited_since > idle_s:
            self._fail(Stalled(f"the answer stood still for {idle_s:g} seconds"))

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.idle_since = self.loop.time()
        self._pool.opened(self)

    def data_received(self, data: bytes) -> None:
        receiving = self.receiving
        if receiving is None:
            self.break_off("it said something that nobody had asked for")
            return
        odd, pieces, body = False, self._pieces, b""
        self._framing += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            odd = True
            self._fault = self._fault or str(error)
        if pieces:
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            self._framing -= len(body)
            self._body += len(body)
        if receiving.status:
            self._moved = True
        if self._done:
            if body and not self._bodyless:
                receiving.parts.append(body)  # handed over when `pump` is told of the end
            reusable = self._keep and not odd and not self._bodyless and not self.transport.get_write_buffer_size()
            self._complete(receiving, reusable)
        elif odd:
            if self._pass_on(receiving, body):
                self._fail(Cut(f"the answer is not well-formed: {self._fault}"))
        elif not receiving.status:
            if self._framing > _HEAD_BYTES:
                self._fail(Cut(f"the head of the answer is larger than {_HEAD_BYTES} bytes"))
        elif self._framing > _FRAMING_BYTES + 16 * self._body:
            self._fail(Cut("the answer is nearly all framing"))
        elif body:
            self._pass_on(receiving, body)

    def eof_received(self) -> bool:
        self._hang_up(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._hang_up(exc)
        self._pool.dropped(self)

    def _hang_up(self, error: Exception | None) -> None:
        receiving = self.receiving
        if receiving is None:
            self.break_off("it ended")
        elif self._until_close and error is None:
            self._complete(receiving, False)
        else:
            began = "the answer was complete" if receiving.status else "an answer began"
            self._fail(Cut(f"the connection ended before {began}" + (f": {error}" if error else "")))

    # How an answer ends.

    def _pass_on(self, receiving: Receiving, body: bytes) -> bool:
        """Hand over what was read; False if whoever gets it does not want it."""
        try:
            ahead = receiving.arrived(body) if body else 0
        except BaseException as error:  # noqa: BLE001 - it is raised again where the answer is awaited
            self._fail(error)
            return False
        if ahead > _AHEAD_BYTES:
            self.read_on(False)
        return self.receiving is receiving

    def _complete(self, receiving: Receiving, reusable: bool) -> None:
        self.receiving = None
        receiving.ended(None)
        if reusable:
            self.read_on(True)
        else:
            self.transport.close()
        self._pool.freed(self, self._protected, reusable)

    def _fail(self, failure: BaseException) -> None:
        receiving, self.receiving = self.receiving, None
        self.transport.abort()
        if receiving is not None:
            receiving.ended(failure)
            self._pool.freed(self, self._protected, False)

    # What the parser tells.

    def on_message_begin(self) -> None:
        if self._done:
            raise _Odd  # bytes after the answer: the connection is not used again, the answer is fine

    def on_header(self, name: bytes, value: bytes) -> None:
        receiving = self.receiving
        if receiving is None or receiving.status:
            return  # a trailer
        name, headers = name.lower(), receiving.headers
        if name in headers:
            headers[name] += b", " + value.strip(b" \t")
        elif len(headers) < _HEADER_COUNT:
            headers[name] = value.strip(b" \t")
        else:
            self._fault = "it has too many headers"
            raise _Odd

    def on_headers_complete(self) -> None:
        receiving = self.receiving
        assert receiving is not None
        status = self._parser.get_status_code()
        headers = receiving.headers
        if 200 > status > 99 and status != 101 and self._interim_count < _INTERIM_ANSWERS:
            self._interim_count += 1
            self._interim = True
            headers.clear()
            return
        coding = headers.get(b"transfer-encoding")
        if not 200 <= status <= 599:
            self._fault = "its status was not asked for"
        elif self._parser.get_http_version() not in ("1.1", "1.0"):
            self._fault = "it is not HTTP/1.0 or 1.1"
        elif coding is not None and coding.lower() != b"chunked":
            self._fault = "its Transfer-Encoding is not `chunked`"
        elif self._framing > _HEAD_BYTES and sum(map(len, headers.values())) > _HEAD_BYTES:
            self._fault = "its head is too large"
        if self._fault:
            raise _Odd
        if self._bodyless:
            self._done = True
        elif coding is None and b"content-length" not in headers and status not in (204, 304):
            self._until_close = True
        receiving.status = status
        receiving.begun()

    def on_message_complete(self) -> None:
        if self._interim:
            self._interim = False
        else:
            self._done = True
            self._keep = self._parser.should_keep_alive()
