"""The client's side of one exchange: what its answer looks like on the wire, and that it can be written to whoever has gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from headgate.gateway.http1 import LAST_CHUNK, Head, has_no_body, status_line

JOIN_BYTES = 64 * 1024  # below this one copy is cheaper than one more write


class Client(Protocol):
    """What an answer needs of the connection that it goes out on."""

    paused: bool

    def write(self, data: bytes) -> None:
        """Give the bytes to the kernel at once."""
        ...

    def soon(self, callback: Callable[[], None]) -> None:
        """Call back in the next turn of the event loop."""
        ...

    def closing_lines(self) -> bytes:
        """The header lines that the connection itself decides: the date, and whether it goes on."""
        ...

    def answered(self) -> None:
        """The answer has ended: close, or go on with the next request."""
        ...

    def cut(self, *, reset: bool) -> None:
        """End the connection now; with a reset where an orderly end could be taken for the end of the answer."""
        ...


class Answer:
    """The client's side of one exchange. Every call is safe, and does nothing, after the client has gone.

    `gone` is true once the client closed its side, which for a client that calls a model means it hung up. What is written after
    that still reaches a client that only half-closed.
    """

    __slots__ = ("_bodyless", "_chunked", "_client", "_held", "_on_gone", "_on_resume", "gone", "started")

    def __init__(self, client: Client, head: Head) -> None:
        self._client: Client | None = client
        self._bodyless = head.method == "HEAD"
        self._chunked = head.version == 1
        self._on_gone: tuple[Callable[[], None], ...] = ()
        self._on_resume: tuple[Callable[[], None], ...] = ()
        self._held = b""  # lines and bytes that go out with the next ones
        self.gone = False
        self.started = False

    @property
    def paused(self) -> bool:
        """The client reads slower than we write: whoever writes should stop until `on_resume`."""
        return self._client is not None and self._client.paused

    @property
    def over(self) -> bool:
        """The answer has ended or the connection is no more: what is written reaches nobody."""
        return self._client is None

    def on_gone(self, callback: Callable[[], None]) -> None:
        """Call back once when the client goes; at once if it has gone."""
        if self.gone:
            callback()
        else:
            self._on_gone += (callback,)

    def on_resume(self, callback: Callable[[], None]) -> None:
        """Call back each time that writing may go on. A client that goes while it is paused never resumes; see `on_gone`."""
        self._on_resume += (callback,)

    def send(self, status: int, headers: bytes, body: bytes) -> None:
        """The whole answer. Content-Length, Date and Connection are added here."""
        client = self._begin(headers)
        if client is None:
            return
        if has_no_body(status):
            client.write(b"".join((status_line(status), headers, client.closing_lines(), b"\r\n")))
        else:
            lines = (status_line(status), headers, b"content-length: %d\r\n" % len(body), client.closing_lines(), b"\r\n")
            if len(body) > JOIN_BYTES and not self._bodyless:
                client.write(b"".join(lines))
                client.write(body)
            else:
                client.write(b"".join((*lines, b"" if self._bodyless else body)))
        self._end(client)

    def start(self, status: int, headers: bytes) -> None:
        """An answer whose length is not known: chunked, or for HTTP/1.0 up to the end of the connection."""
        client = self._begin(headers)
        if client is None:
            return
        if has_no_body(status):
            self._bodyless = True
        coding = b"transfer-encoding: chunked\r\n" if self._chunked and not has_no_body(status) else b""
        # The head goes out with the first bytes of the body if they come in this turn of the loop: one packet less.
        self._held = b"".join((status_line(status), headers, coding, client.closing_lines(), b"\r\n"))
        client.soon(self._flush)

    def write(self, data: bytes, more: bool = False) -> None:
        """The next bytes of a started answer; with `more` they go out together with those that follow at once, or with the end."""
        client = self._client
        if client is None or self._bodyless or not data:
            return
        assert self.started, "an answer is started before it is written"
        held, self._held = self._held, b""
        data = b"%b%x\r\n%b\r\n" % (held, len(data), data) if self._chunked else held + data
        if more:
            self._held = data
            client.soon(self._flush)
        else:
            client.write(data)

    def finish(self) -> None:
        """The end of a started answer."""
        client = self._client
        if client is None:
            return
        assert self.started, "an answer is started before it is finished"
        last = LAST_CHUNK if self._chunked and not self._bodyless else b""
        if self._held or last:
            client.write(self._held + last)
            self._held = b""
        self._end(client)

    def abort(self) -> None:
        """End an answer that cannot be completed, so that the client sees it is not complete."""
        client = self._client
        if client is None:
            return
        self._flush()
        self._client = None
        self._on_gone = ()
        # Without its last chunk a chunked answer shows that it was cut; any other would look complete if it ended in order.
        client.cut(reset=not (self.started and self._chunked and not self._bodyless))

    def leave(self) -> None:
        """The client has closed its side; called by the connection."""
        if not self.gone:
            self.gone = True
            callbacks, self._on_gone = self._on_gone, ()
            for callback in callbacks:
                callback()

    def lose(self) -> None:
        """The connection is no more; called by the connection."""
        self._client = None
        self._on_resume = ()
        self.leave()

    def resume(self) -> None:
        """The client has read what was held for it; called by the connection."""
        for callback in self._on_resume:
            callback()

    def _begin(self, headers: bytes) -> Client | None:
        assert not self.started or self._client is None, "an answer is started once"
        assert headers[-2:] in (b"", b"\r\n") and b"\r\n\r\n" not in headers, "headers are whole lines"
        self.started = True
        return self._client

    def _flush(self) -> None:
        client, held = self._client, self._held
        if client is not None and held:
            self._held = b""
            client.write(held)

    def _end(self, client: Client) -> None:
        self._client = None
        self._on_gone = self._on_resume = ()  # nobody may be called back about a client that has its answer
        client.answered()
