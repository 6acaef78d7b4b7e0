"""An answer as a list of moves on the connection, so that rudeness is data: send these bytes, wait, cut, close, or hang.

Rule 1  A whole answer leaves the connection usable for the next request; `Cut`, `Shut` and `Hang` end it.
Rule 2  `Answer.sent` counts the parts that were handed to the connection: what a client that hangs up can have seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds of silence."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection is reset, as by a crash or a firewall."""


@dataclass(frozen=True, slots=True)
class Shut:
    """The connection is closed in order, whatever is still missing."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Nothing more is sent; the connection stays open until the client leaves."""


Move = bytes | Wait | Cut | Shut | Hang
Moves = Iterator[Move]


@dataclass(slots=True)
class Answer:
    """What is to be answered: a status, headers, and one part (JSON) or many (stream events), with their pace in seconds."""

    status: int
    parts: list[bytes]
    stream: bool = False
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    pause_before: int = 0  # the part before which the first token is waited for
    first_s: float = 0.0
    gap_s: float = 0.0  # before every later part
    sent: int = 0

    def wait_s(self, index: int) -> float:
        return self.first_s if index == self.pause_before else self.gap_s if index > self.pause_before else 0.0


def head(answer: Answer, framing: str | None) -> bytes:
    """Status line and headers; `framing` is the header line that says where the body ends, or None for `until the connection closes`."""
    lines = [f"HTTP/1.1 {answer.status} {_phrase(answer.status)}", f"content-type: {answer.content_type}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    lines.append("connection: close" if framing is None else framing)
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Overloaded" if status == 529 else "Unknown"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


CHUNKED = "transfer-encoding: chunked"
LAST_CHUNK = b"0\r\n\r\n"


def length(body: bytes) -> str:
    return f"content-length: {len(body)}"


def parts(answer: Answer, upto: int | None = None, chunked: bool = True) -> Moves:
    """The parts one after another at the answer's pace."""
    for index, part in enumerate(answer.parts[:upto]):
        wait_s = answer.wait_s(index)
        if wait_s > 0:
            yield Wait(wait_s)
        answer.sent += 1
        yield chunk(part) if chunked else part


def plain(answer: Answer) -> Moves:
    """The answer as a well-behaved server sends it."""
    if answer.stream or len(answer.parts) > 1:
        yield head(answer, CHUNKED)
        yield from parts(answer)
        yield LAST_CHUNK
        return
    if answer.first_s > 0:
        yield Wait(answer.first_s)
    body = answer.parts[0]
    answer.sent += 1
    yield head(answer, length(body)) + body
