"""Faults of the connection: slowness, cuts, stalls, broken framing, hostile headers, bombs."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from functools import cache

from headgate.rehearsal.faults_instead import HTML
from headgate.rehearsal.moves import (
    CHUNKED,
    LAST_CHUNK,
    Answer,
    Cut,
    Hang,
    Moves,
    Shut,
    Wait,
    chunk,
    head,
    length,
    parts,
    plain,
)

_BOMB_MEMBER = 16 * 1024 * 1024  # bytes of zeros in one gzip member; about a thousandth of it on the wire
_BOMB_MEMBERS = 64
_ENDLESS_PIECE = 64 * 1024
_ENDLESS_PIECES = 4_096  # 256 MiB, should a client really read that far

_HOSTILE: tuple[tuple[str, str], ...] = (
    ("set-cookie", "session=rehearsal; Path=/; Domain=example.test"),
    ("set-cookie2", "session=rehearsal"),
    ("location", "http://127.0.0.1:9/"),
    ("refresh", "0; url=http://127.0.0.1:9/"),
    ("openai-model", "gpt-6-astra"),
    ("x-headgate-receipt", "forged"),
    ("x-headgate-request", "forged"),
    ("x-headgate-budget", "forged"),
    ("x-should-retry", "true"),
    ("x-codex-promo-message", "forged"),
    ("www-authenticate", "Basic realm=rehearsal"),
    ("proxy-authenticate", "Basic realm=rehearsal"),
    ("authorization", "Bearer forged"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ("public-key-pins", "max-age=31536000"),
    ("content-security-policy", "default-src *"),
    ("access-control-allow-origin", "*"),
    ("access-control-allow-credentials", "true"),
    ("alt-svc", 'h3="127.0.0.1:9"'),
    ("clear-site-data", '"*"'),
    ("server", "rehearsal/1.0 (leaky)"),
    ("x-powered-by", "rehearsal"),
    ("via", "1.1 rehearsal"),
    ("keep-alive", "timeout=1, max=1"),
    ("proxy-connection", "keep-alive"),
    ("te", "trailers"),
    ("trailer", "x-headgate-receipt"),
    ("upgrade", "h2c"),
    ("age", "31536000"),
    ("expires", "Thu, 31 Dec 2037 23:55:55 GMT"),
    ("link", "<http://127.0.0.1:9/>; rel=preload"),
)


def _hostile(answer: Answer, at: int | None) -> Moves:
    """At least fifty headers that nobody should pass on."""
    answer.headers += [*_HOSTILE, *((f"x-rehearsal-hostile-{number}", "value " * 20) for number in range(50 - len(_HOSTILE)))]
    return plain(answer)


def _half(answer: Answer, at: int | None) -> int:
    return len(answer.parts) // 2 if at is None else at


def _broken_off(answer: Answer, at: int | None, end: Cut | Hang) -> Moves:
    """A stream ends after `at` events (half unless told), a plain answer after half of its announced bytes."""
    if answer.stream:
        yield head(answer, CHUNKED)
        yield from parts(answer, _half(answer, at))
    else:
        body = answer.parts[0]
        yield head(answer, length(body)) + body[: len(body) // 2]
    yield end


def _cut(answer: Answer, at: int | None) -> Moves:
    return _broken_off(answer, at, Cut())


def _stall(answer: Answer, at: int | None) -> Moves:
    return _broken_off(answer, at, Hang())


def _in_pieces(answer: Answer) -> Answer:
    """A plain body as four parts, for the faults of chunked bodies."""
    if not answer.stream:
        body = b"".join(answer.parts)
        step = max(1, -(-len(body) // 4))
        answer.parts = [body[start : start + step] for start in range(0, len(body), step)]
    return answer


def _slow(answer: Answer, at: int | None) -> Moves:
    """One byte at a time, `at` milliseconds apart; 1 unless told."""
    seconds = (1 if at is None else at) / 1_000
    for move in plain(answer):
        if isinstance(move, bytes):
            for index in range(len(move)):
                yield move[index : index + 1]
                yield Wait(seconds)
        else:
            yield move


def _truncated(answer: Answer, at: int | None) -> Moves:
    """A chunk that announces more than it brings, then the connection closes in order."""
    answer = _in_pieces(answer)
    half = _half(answer, at)
    yield head(answer, CHUNKED)
    yield from parts(answer, half)
    rest = b"".join(answer.parts[half:])[:100]
    yield b"%x\r\n" % (len(rest) + 4_096) + rest
    yield Shut()


def _trailers(answer: Answer, at: int | None) -> Moves:
    answer = _in_pieces(answer)
    yield head(answer, CHUNKED)
    yield from parts(answer)
    yield b"0\r\nx-headgate-receipt: forged\r\nset-cookie: late=1\r\nserver-timing: total;dur=5\r\n\r\n"


def _surplus(answer: Answer, at: int | None) -> Moves:
    """A second answer that nobody asked for follows the first at once."""
    yield from plain(answer)
    yield b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 21\r\n\r\n{"surplus":"answers"}'


def _informational(answer: Answer, at: int | None) -> Moves:
    yield b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\nx-headgate-receipt: forged\r\n\r\n"
    yield from plain(answer)


def _until_close(answer: Answer, at: int | None) -> Moves:
    """No length and no chunks: the body ends where the connection does."""
    yield head(answer, None)
    yield from parts(answer, chunked=False)
    yield Shut()


def _endless(answer: Answer, at: int | None) -> Moves:
    """After `at` events (half unless told), one that never ends."""
    yield head(answer, CHUNKED)
    yield from parts(answer, _half(answer, at))
    yield chunk(b'data: {"type":"response.output_text.delta","delta":"')
    piece = chunk(b"x" * _ENDLESS_PIECE)
    for _ in range(_ENDLESS_PIECES):
        yield piece
    yield Shut()


@cache
def _bomb_member() -> bytes:
    return gzip.compress(bytes(_BOMB_MEMBER))


def _bomb(answer: Answer, at: int | None) -> Moves:
    """A gibibyte of zeros in a megabyte of gzip, although `identity` was asked for."""
    answer.headers.append(("content-encoding", "gzip"))
    yield head(answer, CHUNKED)
    for _ in range(_BOMB_MEMBERS):
        yield chunk(_bomb_member())
    yield LAST_CHUNK


def _html(answer: Answer, at: int | None) -> Moves:
    answer.parts, answer.stream, answer.content_type = [HTML], False, "text/html; charset=utf-8"
    return plain(answer)


def _closed_after_headers(answer: Answer, at: int | None) -> Moves:
    yield head(answer, CHUNKED if answer.stream else length(answer.parts[0]))
    yield Shut()


def _at_once(end: Cut | Hang) -> Callable[[Answer, int | None], Iterator[Cut | Hang]]:
    return lambda answer, at: iter((end,))


WIRE: dict[str, Callable[[Answer, int | None], Moves]] = {
    "slow_bytes": _slow,
    "trailers": _trailers,
    "reset_before_headers": _at_once(Cut()),
    "stall_before_headers": _at_once(Hang()),
    "cut_midstream": _cut,
    "stall_midstream": _stall,
    "truncated_chunked": _truncated,
    "html_200": _html,
    "gzip_bomb": _bomb,
    "endless_event": _endless,
    "closed_after_headers": _closed_after_headers,
    "surplus_bytes": _surplus,
    "informational": _informational,
    "hostile_headers": _hostile,
    "connection_close": _until_close,
}
