"""The framing of HTTP/1: where a request ends, what its head says, and what an answer's head looks like; bytes in, values out.

Rule 1  A request has one reading or none. Whatever two servers could read as two requests is refused and its connection closed.
Rule 2  The raw bytes of a head are matched whole against RFC 9112 before llhttp sees them, so no leniency of a parser can matter.
Rule 3  Headers freeze at the end of the head: trailers are read, checked, counted and dropped.
Rule 4  The verdict never depends on how the network split the bytes.
"""

from __future__ import annotations

import re
from functools import lru_cache
from http import HTTPStatus

import msgspec
from httptools import HttpParserError, HttpParserInvalidMethodError, HttpParserUpgrade, HttpRequestParser

from headgate.refusal import Reason, Refusal

HEAD_BYTES = 64 * 1024  # Codex sends about 1 KiB of turn metadata in one header and may send 16 KiB
HEADER_COUNT = 100
TRAILER_BYTES = 8 * 1024
TRAILER_COUNT = 32

_LENGTH_DIGITS = 15
CHUNKED = -1  # the `length` of a body that says its own end

END = b"\r\n\r\n"

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"  # RFC 9110, 5.6.2
_FIELD = _TOKEN + rb"++:[\t\x20-\x7e\x80-\xff]*+\r\n"  # RFC 9112, 5: no space before the colon, no folding, no control characters
_LINE = rb"(" + _TOKEN + rb"++) ([\x21-\x7e]++) HTTP/1\.([01])\r\n"  # RFC 9112, 3: single spaces, visible ASCII, two versions

_WHOLE_HEAD = re.compile(_LINE + rb"(?:" + _FIELD + rb")*+\r\n")
_FIELDS = re.compile(rb"(?:" + _FIELD + rb")*+")
_REQUEST_LINE = re.compile(_LINE)
_HOST = re.compile(rb"(?:[0-9A-Za-z._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")  # RFC 9112, 7.1, without extensions: nobody who calls a model sends one
_CHUNK_SIZE_BEGUN = re.compile(rb"[0-9A-Fa-f]{0,8}|[0-9A-Fa-f]{1,8}\r")

# What can stand in no head, whatever follows: told at once, not after the time limit of an unfinished head.
_NEVER = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)|\n[ \t]")

# A second one of these would let two readers choose differently; of any other header the values are joined (RFC 9110, 5.3).
_SINGLE = frozenset(
    (
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"content-type",
        b"content-encoding",
        b"authorization",
        b"expect",
        b"upgrade",
    )
)
# `Connection` may take away a hop's own headers, never what frames or authorises the request.
_NOT_NOMINATED = _SINGLE | {b"connection"}
_HOP = frozenset((b"close", b"keep-alive", b"upgrade", b"te", b""))

# What is wrong with a head that did not match, tried in order, for the person who has to mend the client.
_FAULTS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\A\r?\n"), "an empty line stands before the request"),
    (re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)"), "a line ends with a bare CR or a bare LF"),
    (re.compile(rb"\n[ \t]"), "a header line is folded"),
    (re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"), "the head holds a control character"),
    (re.compile(rb"\A[^\r]* HTTP/(?!1\.[01]\r\n)"), "only HTTP/1.0 and HTTP/1.1 are served"),
    (re.compile(rb"\A(?!" + _LINE + rb")"), "the request line is not `METHOD target HTTP/1.1` with single spaces and a target in ASCII"),
    (re.compile(rb"\n" + _TOKEN + rb"++[ \t]++:"), "white space stands before the colon of a header"),
)


class Head(msgspec.Struct, frozen=True, gc=False):
    """What the head of a request says. `target` is the text before `?`, undecoded; names of headers are in lower case, values trimmed."""

    method: str
    target: str
    query: str
    headers: dict[bytes, bytes]
    peer: str  # the address at the other end of the connection, never one out of a header
    length: int  # of the body in bytes, or CHUNKED
    version: int  # 0 for HTTP/1.0, 1 for HTTP/1.1
    close: bool  # no second request may follow on this connection
    expects: bool  # the client waits for `100 Continue` before it sends the body
    upgrade: bool  # a well-formed request to go on as WebSocket


class _Fields:
    """Collects what llhttp reads out of one head."""

    __slots__ = ("headers", "twice")

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.twice: bytes | None = None

    def on_header(self, name: bytes, value: bytes) -> None:
        name, value = name.lower(), value.strip(b" \t")
        headers = self.headers
        if name not in headers:
            headers[name] = value
        elif name in _SINGLE:
            self.twice = name
        else:
            headers[name] += b", " + value


def malformed(what: str) -> Refusal:
    """The refusal of bytes that are not one well-formed request."""
    return Refusal(Reason.MALFORMED_HTTP, f"The request is not well-formed HTTP/1.1: {what}. The connection is closed.")


def unfinished(data: bytes | bytearray, start: int, seen: int) -> Refusal | None:
    """Whether a head that begins at `start` and has no end within the limit can still become one; bytes before `seen` were judged."""
    begun = bytes(data[start : start + HEAD_BYTES])
    # Two bytes back: a CR, a LF or a fold at the border is judged with the byte that follows it.
    if _NEVER.search(begun, max(0, seen - start - 2)) or (b"\r\n" in begun and not _REQUEST_LINE.match(begun)):
        return malformed(_fault(begun))
    if len(begun) == HEAD_BYTES:
        return Refusal(Reason.HEADERS_TOO_LARGE, f"The request line and headers are larger than {HEAD_BYTES} bytes.")
    return None


def _fault(raw: bytes) -> str:
    return next((what for pattern, what in _FAULTS if pattern.search(raw)), "a header line is not `name: value`")


def read_head(raw: bytes, peer: str) -> Head | Refusal:
    """One head, from its first byte to its empty line. RFC 9112, 3 to 6."""
    line = _WHOLE_HEAD.fullmatch(raw)
    if line is None:
        return malformed(_fault(raw))
    if raw.count(b"\r\n") > HEADER_COUNT + 2:
        return Refusal(Reason.HEADERS_TOO_LARGE, f"The request has more than {HEADER_COUNT} headers.")
    fields = _Fields()
    parser = HttpRequestParser(fields)
    try:
        parser.feed_data(raw)
    except HttpParserUpgrade:
        pass  # llhttp stops where another protocol could begin; none begins here unless the listener says so
    except HttpParserInvalidMethodError:
        return Refusal(Reason.METHOD_NOT_ALLOWED, "The method is not known.")
    except HttpParserError as error:
        return malformed(f"{error}")
    if fields.twice is not None:
        return malformed(f"`{fields.twice.decode('ascii')}` is given twice")
    return _judge(line[1], line[2], 1 if line[3] == b"1" else 0, fields.headers, peer)


@lru_cache(maxsize=64)  # clients name one gate by few names
def _is_host(host: bytes) -> bool:
    return _HOST.fullmatch(host) is not None


def _judge(method: bytes, target: bytes, version: int, headers: dict[bytes, bytes], peer: str) -> Head | Refusal:
    if target[0] != 0x2F or b"#" in target or method == b"CONNECT":
        # RFC 9112, 3.2: absolute form is for proxies, authority form for tunnels, `*` for servers with options; this gate is none.
        return malformed("the target is not an absolute path; full addresses, `*` and CONNECT are not served")
    host = headers.get(b"host")
    if host is None or not _is_host(host):
        return malformed("exactly one valid Host is required")
    length = 0
    coding = headers.get(b"transfer-encoding")
    size = headers.get(b"content-length")
    if coding is not None:
        # RFC 9112, 6.1: both at once, or a coding on HTTP/1.0, is the very shape of request smuggling.
        if coding.lower() != b"chunked" or version == 0 or size is not None:
            return malformed("Transfer-Encoding may only be `chunked`, on HTTP/1.1, without Content-Length")
        length = CHUNKED
    elif size is not None:
        if not size.isdigit() or len(size) > _LENGTH_DIGITS:
            return malformed("Content-Length is not a number of bytes")
        length = int(size)
    expect = headers.get(b"expect")
    if expect is not None and expect.lower() != b"100-continue":
        return malformed("Expect may only be `100-continue`")
    close, upgrade = version == 0, False
    options = headers.get(b"connection")
    if options is not None:
        for option in options.lower().split(b","):
            option = option.strip(b" \t")
            if option in _HOP:
                close = close or option == b"close"
                upgrade = upgrade or option == b"upgrade"
            elif option in _NOT_NOMINATED:
                return malformed("Connection names a header that belongs to the whole way")
            else:
                headers.pop(option, None)  # RFC 9110, 7.6.1
    wanted = headers.get(b"upgrade")
    if wanted is not None:
        if wanted.lower() == b"websocket" and upgrade and version == 1:
            if method != b"GET" or length:
                return malformed("a WebSocket begins with GET and no body")
        else:
            # Another protocol is never begun, so to ignore the offer is safe (RFC 9110, 7.8) and lets clients that always offer h2c work.
            del headers[b"upgrade"]
            upgrade = False
    else:
        upgrade = False
    text, _, query = target.decode("ascii").partition("?")
    # RFC 9110, 10.1.1: an expectation on HTTP/1.0, or of a request without a body, is ignored.
    expects = expect is not None and version == 1 and length != 0
    return Head(method.decode("ascii"), text, query, headers, peer, length, version, close, expects, upgrade)


class ChunkReader:
    """Takes a chunked body apart (RFC 9112, 7.1) without extensions and with limits; `done` or `refusal` ends it."""

    __slots__ = ("_left", "_limit", "_pending", "_trailing", "body", "done", "refusal")

    def __init__(self, limit: int) -> None:
        self.body = bytearray()
        self.done = False
        self.refusal: Refusal | None = None
        self._limit = limit
        self._left = 0  # bytes of the open chunk that are still to come, with the CR LF behind them
        self._pending = b""  # the begun size line, chunk end or trailer section
        self._trailing = False

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the connection; returns what follows the end of the body (a begun next request)."""
        if self._pending:
            data = self._pending + data
            self._pending = b""
        at, size, body = 0, len(data), self.body
        while not self._trailing:
            left = self._left
            if left > 2:
                piece = data[at : at + left - 2]
                body += piece
                at += len(piece)
                self._left = left = left - len(piece)
                if left > 2:
                    return b""
            if left:
                ending = data[at : at + 2]
                if ending != b"\r\n":
                    return self._wait(ending, b"\r\n".startswith(ending), "a chunk is not followed by CR LF")
                at += 2
                self._left = 0
            line = _CHUNK_SIZE.match(data, at)
            if line is None:
                begun = data[at : at + 10]
                possible = at + len(begun) == size and _CHUNK_SIZE_BEGUN.fullmatch(begun) is not None
                return self._wait(begun, possible, "the size of a chunk is not one to eight hexadecimal digits and CR LF")
            at = line.end()
            length = int(line[1], 16)
            if length == 0:
                self._trailing = True
            elif len(body) + length > self._limit:
                self.refusal = too_large(self._limit)
                return b""
            else:
                self._left = length + 2
        return self._trailers(data[at:])

    def _trailers(self, data: bytes) -> bytes:
        if data.startswith(b"\r\n"):
            self.done = True
            return data[2:]
        end = data.find(END)
        if end < 0:
            # The last three bytes may be the begun end, so only what lies before them must already fit.
            possible = len(data) - 1 <= TRAILER_BYTES and not _NEVER.search(data)
            return self._wait(data, possible, "the trailers are too large or not well-formed")
        section = data[: end + 2]
        if len(section) > TRAILER_BYTES or section.count(b"\r\n") > TRAILER_COUNT or not _FIELDS.fullmatch(section):
            return self._wait(b"", False, "the trailers are too large or not well-formed")
        self.done = True
        return data[end + 4 :]

    def _wait(self, begun: bytes, possible: bool, fault: str) -> bytes:
        if possible:
            self._pending = begun
        else:
            self.refusal = malformed(fault)
        return b""


def too_large(limit: int) -> Refusal:
    """The refusal of a body above the limit of its route."""
    return Refusal(Reason.BODY_TOO_LARGE, f"The body is larger than the limit of this route, {limit} bytes.")


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii") for status in HTTPStatus}


def status_line(status: int) -> bytes:
    """`HTTP/1.1 200 OK` and its line end; a status without a registered phrase has none."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def has_no_body(status: int) -> bool:
    """Answers that end with their head whatever their headers say. RFC 9112, 6.3."""
    return status < 200 or status in (204, 304)
