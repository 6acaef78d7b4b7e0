"""Payloads that two readers of HTTP could cut differently, each with the one outcome that is safe: refused and closed, or read as written.

Behind every refused payload another request follows on the same connection; it is never served, never admitted and never answered.
The ideas are those of RFC 9112's security clauses and of the flaws that were published for other servers; the payloads are our own.
"""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.dialogue import PLAIN, NotingDoor, call, open_door, run
from tests.gateway.provider import Provider, Script

from headgate.gateway.connection import Connection, Lobby
from headgate.gateway.listener import Limits
from headgate.gateway.upstream import Cut, Origin, Upstream

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: gate\r\n\r\n"
POST = b"POST /v1/responses HTTP/1.1\r\nHost: gate\r\n"
GET = b"GET /v1/models HTTP/1.1\r\nHost: gate\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

REFUSED: dict[str, bytes] = {
    # Two lengths
    "content-length beside transfer-encoding": POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
    "transfer-encoding beside content-length": POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n",
    "transfer-encoding beside a length of nothing": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
    "two different lengths": POST + b"Content-Length: 0\r\nContent-Length: 39\r\n\r\n",
    "two equal lengths": POST + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "a list of lengths": POST + b"Content-Length: 0, 39\r\n\r\n",
    "a list of equal lengths": POST + b"Content-Length: 0,0\r\n\r\n",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a length with a plus": POST + b"Content-Length: +0\r\n\r\n",
    "a length in hexadecimal": POST + b"Content-Length: 0x0\r\n\r\n",
    "a length with a space inside": POST + b"Content-Length: 3 9\r\n\r\n",
    "a length with an underscore": POST + b"Content-Length: 1_0\r\n\r\n",
    "a length with a fraction": POST + b"Content-Length: 0.0\r\n\r\n",
    "a length with an exponent": POST + b"Content-Length: 0e1\r\n\r\n",
    "an empty length": POST + b"Content-Length:\r\n\r\n",
    "a length beyond 64 bits": POST + b"Content-Length: 18446744073709551616\r\n\r\n",
    "a length in quotes": POST + b'Content-Length: "0"\r\n\r\n',
    "a length in Arabic digits": POST + "Content-Length: ٠\r\n\r\n".encode(),
    "a length with a comma behind": POST + b"Content-Length: 0,\r\n\r\n",
    # Obfuscated codings
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a coding after chunked": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a coding before chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice in one line": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice in two lines": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and then another coding": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n\r\n0\r\n\r\n",
    "identity": POST + b"Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n",
    "an empty coding": POST + b"Transfer-Encoding:\r\n\r\n",
    "a coding in quotes": POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "a coding with a parameter": POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    "a coding with a comma before": POST + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
    "a coding after a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a coding before a NUL": POST + b"Transfer-Encoding: chunked\x00\r\n\r\n0\r\n\r\n",
    "a coding with a high byte": POST + b"Transfer-Encoding: chunked\xa0\r\n\r\n0\r\n\r\n",
    "a coding before a tab": POST + b"Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n",
    "a coding on a folded line": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a coding behind a bare LF": POST + b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a coding behind a bare CR": POST + b"X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon of a coding": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a tab before the colon of a coding": POST + b"Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
    "a space before the name of a coding": POST + b" Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a control character in the name of a coding": POST + b"Transfer\x01-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a coding on HTTP/1.0": b"POST / HTTP/1.0\r\nHost: gate\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    # Headers
    "a space before the colon of a length": POST + b"Content-Length : 0\r\n\r\n",
    "a line without a colon": POST + b"Content-Length\r\n\r\n",
    "an empty name": POST + b": nothing\r\n\r\n",
    "a folded line": POST + b"X: y\r\n z\r\n\r\n",
    "a folded line with a tab": POST + b"X: y\r\n\tz\r\n\r\n",
    "a folded line before all others": b"POST / HTTP/1.1\r\n X: y\r\nHost: gate\r\n\r\n",
    "a NUL in a value": POST + b"X: a\x00b\r\n\r\n",
    "a bare CR in a value": POST + b"X: a\rb\r\n\r\n",
    "an escape in a value": POST + b"X: \x1b[2J\r\n\r\n",
    "a delete in a value": POST + b"X: \x7f\r\n\r\n",
    "a high byte in a name": POST + b"X\xe9: y\r\n\r\n",
    "a slash in a name": POST + b"X/Y: y\r\n\r\n",
    "a bracket in a name": POST + b"X(Y): y\r\n\r\n",
    "lines that end with LF": b"POST / HTTP/1.1\nHost: gate\nContent-Length: 0\n\n",
    "a head that ends with LF LF": POST + b"X: y\n\n",
    "a head that ends with CR CR": POST + b"X: y\r\r",
    "a head that ends with LF CR LF": POST + b"X: y\n\r\n",
    "a hundred and one headers": POST + b"".join(b"X-%d: y\r\n" % number for number in range(100)) + b"\r\n",
    # Host
    "no host": b"GET / HTTP/1.1\r\nX: y\r\n\r\n",
    "two hosts": GET + b"Host: other\r\n\r\n",
    "two equal hosts": GET + b"Host: gate\r\n\r\n",
    "an empty host": b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "a host with a path": b"GET / HTTP/1.1\r\nHost: gate/admin\r\n\r\n",
    "a host with a query": b"GET / HTTP/1.1\r\nHost: gate?x\r\n\r\n",
    "a host with a user": b"GET / HTTP/1.1\r\nHost: user@gate\r\n\r\n",
    "a host with a space": b"GET / HTTP/1.1\r\nHost: gate other\r\n\r\n",
    "a host with two ports": b"GET / HTTP/1.1\r\nHost: gate:1:2\r\n\r\n",
    "a list of hosts": b"GET / HTTP/1.1\r\nHost: gate, other\r\n\r\n",
    # The request line
    "HTTP/0.9": b"GET /\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: gate\r\n\r\n",
    "HTTP/2.0": b"GET / HTTP/2.0\r\nHost: gate\r\n\r\n",
    "HTTP/1.10": b"GET / HTTP/1.10\r\nHost: gate\r\n\r\n",
    "HTTP/01.1": b"GET / HTTP/01.1\r\nHost: gate\r\n\r\n",
    "HTTP/1,1": b"GET / HTTP/1,1\r\nHost: gate\r\n\r\n",
    "http in small letters": b"GET / http/1.1\r\nHost: gate\r\n\r\n",
    "no version": b"GET / \r\nHost: gate\r\n\r\n",
    "a word behind the version": b"GET / HTTP/1.1 x\r\nHost: gate\r\n\r\n",
    "a space behind the version": b"GET / HTTP/1.1 \r\nHost: gate\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a greeting of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "two spaces": b"GET  / HTTP/1.1\r\nHost: gate\r\n\r\n",
    "a tab for a space": b"GET\t/ HTTP/1.1\r\nHost: gate\r\n\r\n",
    "a space before the method": b" GET / HTTP/1.1\r\nHost: gate\r\n\r\n",
    "an empty line before the request": b"\r\nGET / HTTP/1.1\r\nHost: gate\r\n\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: gate\r\n\r\n",
    "a high byte in the target": b"GET /\xc3\xa9 HTTP/1.1\r\nHost: gate\r\n\r\n",
    "a NUL in the target": b"GET /\x00 HTTP/1.1\r\nHost: gate\r\n\r\n",
    "a bare CR in the request line": b"GET /\rx HTTP/1.1\r\nHost: gate\r\n\r\n",
    "a fragment": b"GET /v1/models#x HTTP/1.1\r\nHost: gate\r\n\r\n",
    "a full address": b"GET http://gate/v1/models HTTP/1.1\r\nHost: gate\r\n\r\n",
    "a full address of somebody else": b"GET http://other/ HTTP/1.1\r\nHost: gate\r\n\r\n",
    "a tunnel": b"CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\n",
    "a tunnel to a path": b"CONNECT /x HTTP/1.1\r\nHost: gate\r\n\r\n",
    "a star": b"OPTIONS * HTTP/1.1\r\nHost: gate\r\n\r\n",
    "a method that is no token": b"GE(T / HTTP/1.1\r\nHost: gate\r\n\r\n",
    "an unknown method": b"SMUGGLE / HTTP/1.1\r\nHost: gate\r\n\r\n",
    # Chunks
    "a chunk size with 0x": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "a chunk size with a plus": CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n",
    "a negative chunk size": CHUNKED + b"-1\r\nabc\r\n0\r\n\r\n",
    "a chunk size with a space before": CHUNKED + b" 3\r\nabc\r\n0\r\n\r\n",
    "a chunk size with a space behind": CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n",
    "a chunk size with an underscore": CHUNKED + b"0_3\r\nabc\r\n0\r\n\r\n",
    "a chunk size of nine digits": CHUNKED + b"000000003\r\nabc\r\n0\r\n\r\n",
    "a chunk size beyond 64 bits": CHUNKED + b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    "an empty chunk size": CHUNKED + b"\r\nabc\r\n0\r\n\r\n",
    "a chunk size of letters": CHUNKED + b"g\r\nabc\r\n0\r\n\r\n",
    "a chunk size with a bare LF": CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "a chunk size with a bare CR": CHUNKED + b"3\rabc\r\n0\r\n\r\n",
    "a chunk extension": CHUNKED + b"3;a=b\r\nabc\r\n0\r\n\r\n",
    "a chunk extension with a bare LF": CHUNKED + b"3;\nxx\r\n0\r\n\r\n",
    "a chunk extension on the last chunk": CHUNKED + b"3\r\nabc\r\n0;a\r\n\r\n",
    "a chunk longer than it says": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "a chunk shorter than it says": CHUNKED + b"5\r\nabc\r\n0\r\n\r\n",
    "a chunk that ends with LF": CHUNKED + b"3\r\nabc\n0\r\n\r\n",
    "a chunk that ends with two other bytes": CHUNKED + b"3\r\nabcXX0\r\n\r\n",
    "a last chunk that ends with LF": CHUNKED + b"0\n\n",
    "trailers that are no headers": CHUNKED + b"0\r\nGET /smuggled HTTP/1.1\r\n\r\n",
    "trailers with a bare LF": CHUNKED + b"0\r\nA: b\nC: d\r\n\r\n",
    "trailers that are folded": CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n",
    "trailers with a NUL": CHUNKED + b"0\r\nA: \x00\r\n\r\n",
    "thirty-three trailers": CHUNKED + b"0\r\n" + b"A: b\r\n" * 33 + b"\r\n",
    # What the hops say to one another
    "connection takes the host": GET + b"Connection: close, Host\r\n\r\n",
    "connection takes the key": GET + b"Authorization: Bearer x\r\nConnection: authorization\r\n\r\n",
    "connection takes the length": POST + b"Content-Length: 3\r\nConnection: content-length\r\n\r\nabc",
    "connection takes the coding": POST + b"Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding\r\n\r\n0\r\n\r\n",
    "an unknown expectation": POST + b"Expect: 200-ok\r\nContent-Length: 0\r\n\r\n",
    "an expectation with something behind": POST + b"Expect: 100-continue, x\r\nContent-Length: 0\r\n\r\n",
    "two expectations": POST + b"Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
    "two keys": GET + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    "a WebSocket begun with POST": POST + b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
    "a WebSocket begun with a body": GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc",
    "two upgrades": GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n",
}

ODD_STATUS = {"a hundred and one headers": 431, "an unknown method": 405}

RESPONSES = ("POST", "/v1/responses")
NEXT = ("GET", "/next", b"")
THEN = b"GET /next HTTP/1.1\r\nHost: gate\r\n\r\n"

# Read as written: what looks like a request inside a body is a body, and the next request begins exactly where this one ends.
SERVED: dict[str, tuple[bytes, list[tuple[str, str, bytes]]]] = {
    "a request hidden in a body": (
        POST + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED + THEN,
        [(*RESPONSES, SMUGGLED), NEXT],
    ),
    "a request hidden in a chunk": (
        CHUNKED + b"%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n0\r\n\r\n" + THEN,
        [(*RESPONSES, SMUGGLED), NEXT],
    ),
    "a last chunk hidden in a chunk": (CHUNKED + b"5\r\n0\r\n\r\n\r\n0\r\n\r\n" + THEN, [(*RESPONSES, b"0\r\n\r\n"), NEXT]),
    "a request hidden in the body of a GET": (
        GET + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED + THEN,
        [("GET", "/v1/models", SMUGGLED), NEXT],
    ),
    "trailers that name a length": (CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: 39\r\n\r\n" + THEN, [(*RESPONSES, b"abc"), NEXT]),
    "trailers that name a coding and a key": (
        CHUNKED + b"3\r\nabc\r\n0\r\nTransfer-Encoding: x\r\nAuthorization: Bearer y\r\nHost: other\r\n\r\n" + THEN,
        [(*RESPONSES, b"abc"), NEXT],
    ),
    "a chunk size with zeros before": (CHUNKED + b"00000003\r\nabc\r\n00\r\n\r\n" + THEN, [(*RESPONSES, b"abc"), NEXT]),
    "a chunk size in capitals": (CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n" + THEN, [(*RESPONSES, b"0123456789"), NEXT]),
    "a coding in capitals after white space": (
        POST + b"TRANSFER-ENCODING:\t CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + THEN,
        [(*RESPONSES, b"abc"), NEXT],
    ),
    "a length with zeros before": (POST + b"Content-Length: 003\r\n\r\nabc" + THEN, [(*RESPONSES, b"abc"), NEXT]),
    "an offer of another protocol": (
        GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n\r\n" + THEN,
        [("GET", "/v1/models", b""), NEXT],
    ),
    "an offer of another protocol with a body": (
        POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc" + THEN,
        [(*RESPONSES, b"abc"), NEXT],
    ),
    "three requests in one packet": (THEN + THEN + THEN, [NEXT, NEXT, NEXT]),
    "a dotted target stays as it is": (
        b"GET /v1/../admin/%2e%2e;x//y?q=/.. HTTP/1.1\r\nHost: gate\r\n\r\n",
        [("GET", "/v1/../admin/%2e%2e;x//y", b"")],
    ),
    "an expectation on HTTP/1.0": (
        b"POST /v1/responses HTTP/1.0\r\nHost: gate\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        [(*RESPONSES, b"abc")],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_two_readers_could_cut_differently_is_refused_and_closed(name: str) -> None:
    async def story() -> None:
        door = NotingDoor()
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(REFUSED[name] + SMUGGLED)
        heard = await caller.hear_all()  # the gate closes by itself: we never do
        status = ODD_STATUS.get(name, 400)
        assert heard.startswith(b"HTTP/1.1 %d " % status)
        assert heard.count(b"HTTP/1.1 ") == 1
        assert b"\r\nconnection: close\r\n" in heard
        assert door.served == []
        assert [head.target for head in door.admitted if head.target == "/smuggled"] == []
        listeners.close()

    run(story())


@pytest.mark.parametrize("name", SERVED)
def test_what_has_one_reading_is_read_so_and_the_next_request_begins_where_it_ends(name: str) -> None:
    async def story() -> None:
        door = NotingDoor()
        listeners, port = await open_door(door)
        caller = await call(port)
        payload, expected = SERVED[name]
        await caller.say(payload)
        caller.finish()
        heard = await caller.hear_all()
        assert door.served == expected
        assert len(re.findall(rb"HTTP/1\.1 200 OK\r\n", heard)) == len(expected)
        assert door.refused == []
        assert all(b"transfer-encoding" not in head.headers or head.length < 0 for head in door.admitted)
        listeners.close()

    run(story())


def test_the_corpus_is_as_large_as_the_public_one() -> None:
    assert len(REFUSED) + len(SERVED) >= 76


class Tape(asyncio.Transport):
    """A transport that keeps what was written to it, so that bytes can be handed over in exactly the pieces a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...
    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.written += bytes(data)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.closed = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


def outcome(pieces: list[bytes]) -> tuple[list[tuple[str, str, bytes]], list[str], bytes, bool]:
    """What comes of these bytes in these pieces, and then the end of the connection."""
    door, tape = NotingDoor(body_limit=2_000), Tape()
    door.serving = lambda head, body, answer: answer.send(200, PLAIN, b"ok\n")
    connection = Connection(Lobby(door, Limits()))
    connection.connection_made(tape)
    for piece in pieces:
        if piece:
            connection.data_received(piece)
    connection.eof_received()
    statuses = re.findall(r"HTTP/1\.1 (\d{3})", tape.written.decode("latin-1"))
    connection.connection_lost(None)
    return door.served, statuses, tape.written, tape.closed


GRAINS = [
    b"GET ", b"POST ", b"/", b"/v1/responses", b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"Host: gate\r\n", b"Host: ",
    b"Content-Length: ", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Expect: 100-continue\r\n",
    b"Connection: upgrade\r\nUpgrade: websocket\r\n", b": ", b" ", b"\t", b"0", b"3", b"5", b"a", b"0\r\n\r\n", b"3\r\nabc\r\n", b"hello",
    b"7d0\r\n", b"ffffffff\r\n", b"X: y\r\n", b"\x00", b"\xff", b"0\r\nA: b\r\n\r\n", SMUGGLED, POST, CHUNKED,
    b"x" * 2_000, b"Y: " + b"y" * 33_000 + b"\r\n",
]  # fmt: skip
soup = st.lists(st.sampled_from(GRAINS) | st.binary(max_size=3), max_size=14).map(b"".join)
corpus = st.sampled_from([*REFUSED.values(), *(payload for payload, _ in SERVED.values())])


@st.composite
def bent(draw: st.DrawFn) -> bytes:
    """A known payload with one place changed, left out or doubled, and perhaps another payload behind it."""
    payload = draw(corpus)
    at = draw(st.integers(0, len(payload)))
    cut = draw(st.integers(0, 3))
    return payload[:at] + draw(st.sampled_from(GRAINS) | st.binary(max_size=2)) + payload[at + cut :] + draw(st.just(b"") | corpus)


@given(st.one_of(soup, bent(), corpus), st.lists(st.integers(1, 200), max_size=12), st.booleans())
def test_what_comes_of_bytes_does_not_depend_on_how_the_network_splits_them(payload: bytes, cuts: list[int], every_byte: bool) -> None:
    pieces: list[bytes] = []
    rest = payload
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    pieces.append(rest)
    if every_byte and len(payload) < 3_000:
        pieces = [payload[at : at + 1] for at in range(len(payload))]
    at_once, in_pieces = outcome([payload] if payload else []), outcome(pieces)
    assert at_once[:2] == in_pieces[:2]
    served, statuses, written, closed = at_once
    assert closed
    assert len(statuses) in (len(served), len(served) + 1)
    assert statuses[: len(served)] == ["200"] * len(served)
    assert not written or written.startswith(b"HTTP/1.1 ")


ANSWER_TAIL = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"

# The same on the side of the provider: what is odd is cut, and nothing of it reaches the next call.
CUT_ANSWERS: dict[str, bytes] = {
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
    "a length beside a coding": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "a coding nobody asked for": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "a coding that is not chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nhi",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi",
    "a folded line": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nhi",
    "a space before a colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi",
    "a bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
    "a bare CR": b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nhi",
    "a NUL": b"HTTP/1.1 200 OK\r\nX: \x00\r\nContent-Length: 2\r\n\r\nhi",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "no HTTP at all": b"SSH-2.0-OpenSSH_9.9\r\n",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "a status below 100": b"HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\nhi",
    "a status above 599": b"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nhi",
    "a chunk size that is no number": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhi\r\n0\r\n\r\n",
    "a chunk size beyond 64 bits": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhi\r\n0\r\n\r\n",
    "a chunk longer than it says": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhi\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", CUT_ANSWERS)
def test_an_answer_with_more_than_one_reading_is_cut_and_its_connection_thrown_away(name: str) -> None:
    async def hostile(script: Script) -> None:
        await script.request()
        await script.say(CUT_ANSWERS[name] + ANSWER_TAIL)
        await script.reader.read()

    async def honest(script: Script) -> None:
        await script.request()
        await script.say(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhonest")

    async def story() -> None:
        provider = Provider(hostile, honest)
        upstream = Upstream(Origin("127.0.0.1", await provider.listen()))
        with pytest.raises(Cut):
            await (await upstream.send(b"GET / HTTP/1.1\r\nHost: p\r\n\r\n", b"")).read(1_000)
        answer = await upstream.send(b"GET / HTTP/1.1\r\nHost: p\r\n\r\n", b"")
        assert await answer.read(1_000) == b"honest"
        assert provider.connections == 2
        upstream.close()

    run(story())
