"""How a request is written for OpenAI itself: the bytes of its head, complete, with Headgate's own credential in it.

Rule 1  Everything the path decides (host, credential, framing) is written here; a header of the caller by one of those names is a fault.
Rule 2  No value can end a line: a carriage return or a line feed anywhere but at a line's end is a fault, and nothing is sent.
Rule 3  The body's length is the only framing. There is no chunked request to disagree about (RFC 9112, 6.3).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from headgate.paths.path import AccessPath, PathKind

HeaderList = Sequence[tuple[bytes, bytes]]

ROUTE_BASE = "/v1"  # every route of the published API begins so; a path's own base replaces it

# What this file writes, what frames a message, and what belongs to one connection only (RFC 9110, 7.6.1).
OWN_HEADERS = frozenset(
    b"host authorization accept-encoding content-length content-type content-encoding transfer-encoding connection keep-alive te trailer "
    b"upgrade expect proxy-authorization proxy-connection proxy-authenticate cookie api-key openai-organization openai-project "
    b"x-headgate-request".split()
)

# Bytes that may stand in a header's name (a token, RFC 9110, 5.6.2) and in a request target (RFC 3986, less what a path never needs).
_TOKEN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"
_TARGET = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:@!$&'()*+,=/?%[]"
_CREDENTIAL = re.compile(rb"[!-~]+")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_METHODS = {"GET": b"GET ", "POST": b"POST ", "DELETE": b"DELETE "}


class Sending(msgspec.Struct, frozen=True):
    """One request as it goes out: nothing is added after this."""

    head: bytes
    body: bytes


class DirectPath(msgspec.Struct, frozen=True):
    """A path with its constant header lines written once. It holds the credential, so it is never shown or logged."""

    path: AccessPath
    base: bytes
    constant: bytes

    def __repr__(self) -> str:
        return f"DirectPath({self.path.name})"


def direct(path: AccessPath, credential: bytes, organization: str | None = None, project: str | None = None) -> DirectPath:
    """Prepare a path of kind `openai`. The two names choose the account's organisation and project where the credential spans several."""
    assert path.kind is PathKind.OPENAI
    if _CREDENTIAL.fullmatch(credential) is None:
        raise ValueError(f"the credential of path {path.name} is empty or holds a space or a character that no header may hold")
    lines = [
        b"host: " + path.authority.encode("ascii"),
        b"authorization: Bearer " + credential,
        b"accept-encoding: identity",  # the meter reads the answer as it passes
    ]
    for name, value in ((b"openai-organization", organization), (b"openai-project", project)):
        if value is not None:
            lines.append(name + b": " + value.encode("ascii"))
    constant = b"".join(line + b"\r\n" for line in lines)
    _check_lines(constant, len(lines))
    return DirectPath(path, path.base.encode("ascii"), constant)


def sending(to: DirectPath, method: str, target: str, headers: HeaderList, body: bytes, request_id: str) -> Sending:
    """The request for a target of the published API, `/v1/responses/resp_1?include=…`; `headers` are allow-listed already."""
    verb, wanted = _METHODS.get(method), target.encode("utf-8")
    if verb is None or wanted.translate(None, _TARGET) or not wanted.startswith(b"/v1/") or b"//" in wanted or b"/." in wanted:
        raise ValueError("the method and the target cannot be written into a request line")
    if _REQUEST_ID.fullmatch(request_id) is None:
        raise ValueError("the request id cannot be written into a header")
    block = _block(headers)
    framing = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body) if method == "POST" else b""
    line = verb + to.base + wanted[len(ROUTE_BASE) :] + b" HTTP/1.1\r\n"
    head = b"".join((line, to.constant, block, framing, b"x-headgate-request: ", request_id.encode("ascii"), b"\r\n\r\n"))
    return Sending(head, body)


def _block(headers: HeaderList) -> bytes:
    if not headers:
        return b""
    names = b"\n".join([name for name, _ in headers]).lower().split(b"\n")
    if len(names) != len(headers) or b"".join(names).translate(None, _TOKEN) or b"" in names:
        raise ValueError("a header of the caller has a name that is none")
    if not OWN_HEADERS.isdisjoint(names):
        raise ValueError("a header of the caller has a name that only the path may write")
    block = b"\r\n".join(map(b": ".join, headers)) + b"\r\n"
    _check_lines(block, len(names))
    return block


def _check_lines(block: bytes, lines: int) -> None:
    """As many line ends as lines, each one CRLF, and no NUL."""
    if not (block.count(b"\r\n") == lines == block.count(b"\n") == block.count(b"\r")) or b"\0" in block:
        raise ValueError("a header holds a line end or a NUL")
