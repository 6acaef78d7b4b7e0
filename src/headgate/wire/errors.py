"""How a no or a fault looks to the client that gets it: status, headers and body of an answer, or the event that ends a stream.

Rule 1  Always OpenAI's envelope, `{"error": {message, type, param, code}}`, with `policy_code` (our reason), `decision_id` and, where they
        are known, `scope` and `resets_at` beside them. Clients pass over what they do not know.
Rule 2  A client must not repeat what will be refused again. SDKs obey `x-should-retry`; Codex goes by status and code, and each release
        shows our own text for some of them only. The tables are measurements, not taste.
Rule 3  Never a 500: every client drops the text of one and repeats it, Codex thirty times.
Rule 4  No byte of a message can end a header: header values are printable ASCII on one line.

Measured with Codex 0.130 to 0.169 and openai-python 3.52.0.
"""

from __future__ import annotations

import msgspec

from headgate.refusal import MANNERS, Kind, Reason, Refusal
from headgate.wire.api import Api
from headgate.wire.client import Client
from headgate.wire.objects import NULL, UNREADABLE
from headgate.wire.sse import write_event

MOST_HEADER = 512  # bytes of a message in a header


class Shape(msgspec.Struct, frozen=True):
    """`status` and `code` None: those of the reason itself."""

    type: str
    status: int | None = None
    code: str | None = None


_WRONG = "invalid_request_error"
_FAULT = "server_error"

# Codex repeats a 4xx it does not know five times and shows JSON for most; these two it shows as our plain text, once.
_CODEX_NO = Shape(_WRONG, 403, "inference_hook_denied")  # from 0.169 on
_CODEX_OLD_NO = Shape(_WRONG, 400, "invalid_prompt")  # every release

SHAPES: dict[Kind, dict[Client, Shape]] = {
    Kind.INVALID: {Client.SDK: Shape(_WRONG), Client.CODEX: _CODEX_OLD_NO, Client.CODEX_OLD: _CODEX_OLD_NO},
    # Codex runs its credential command again after a 401, and only after a 401.
    Kind.AUTH: dict.fromkeys(Client, Shape(_WRONG, 401, "invalid_api_key")),
    Kind.ABSENT: dict.fromkeys(Client, Shape(_WRONG)),
    Kind.POLICY: {Client.SDK: Shape("permission_error"), Client.CODEX: _CODEX_NO, Client.CODEX_OLD: _CODEX_OLD_NO},
    Kind.BUDGET: {
        Client.SDK: Shape("insufficient_quota"),
        Client.CODEX: Shape("usage_limit_reached"),
        Client.CODEX_OLD: Shape("usage_limit_reached"),
    },
    Kind.BUSY: dict.fromkeys(Client, Shape("rate_limit_error")),
    Kind.PATH: dict.fromkeys(Client, Shape(_FAULT)),
    Kind.GATE: dict.fromkeys(Client, Shape(_FAULT)),
}

# Where a reason is told otherwise than its kind.
EXCEPTIONS: dict[Reason, dict[Client, Shape]] = {
    # Codex would send the same unknown id five more times after a 404.
    Reason.OBJECT_NOT_FOUND: {Client.SDK: Shape(_WRONG), Client.CODEX: _CODEX_OLD_NO, Client.CODEX_OLD: _CODEX_OLD_NO},
    # Of all 4xx, only a repeat of this one helps.
    Reason.BODY_TOO_SLOW: dict.fromkeys(Client, Shape(_WRONG)),
}

# A fault that a repeat does not mend (the path was stopped): Codex would repeat a 5xx thirty times all the same.
FINAL_FAULT: dict[Client, Shape] = {Client.SDK: Shape(_FAULT), Client.CODEX: _CODEX_NO, Client.CODEX_OLD: _CODEX_OLD_NO}

_FAULTS = (Kind.PATH, Kind.GATE)

# Inside a stream the status is gone, and the code alone decides whether Codex repeats: this one it shows, once, in every release.
_STREAM_NO = "invalid_prompt"
_STREAM_WAIT = "rate_limit_exceeded"  # Codex waits for "try again in n s" and repeats

_BUSY_SECONDS = 1


def shape_of(reason: Reason, client: Client) -> Shape:
    """The shape with its status and code filled in."""
    manner = MANNERS[reason]
    told = FINAL_FAULT if manner.kind in _FAULTS and not manner.retry else SHAPES[manner.kind]
    shape = EXCEPTIONS.get(reason, told)[client]
    return Shape(shape.type, shape.status or manner.status, shape.code or reason.value)


def refusal_answer(refusal: Refusal, client: Client, request_id: str) -> tuple[int, bytes, bytes]:
    """Status, ready header lines and body of an answer that says no."""
    shape = shape_of(refusal.reason, client)
    assert shape.status is not None, "shape_of fills it in"
    lines = [b"content-type: application/json", b"x-request-id: " + header_text(request_id)]
    lines.append(b"x-should-retry: " + (b"true" if refusal.manner.retry else b"false"))
    seconds = _retry_after(refusal, client)
    if seconds is not None:
        lines.append(b"retry-after: %d" % seconds)
    if shape.type == "usage_limit_reached":
        # Codex writes "You've hit your usage limit. <this>, or try again at <resets_at>."
        lines.append(b"x-codex-promo-message: " + header_text(f"{_no_stop(refusal.message)} ({request_id})"))
    body = msgspec.json.encode({"error": _error(refusal, shape, request_id)})
    return shape.status, b"\r\n".join(lines) + b"\r\n", body


def refusal_event(refusal: Refusal, api: Api, client: Client, request_id: str, sequence: int = 0) -> bytes:
    """The event that ends a stream which has begun, so that the client neither waits nor believes that it was cut."""
    shape = shape_of(refusal.reason, client)
    error = _error(refusal, shape, request_id)
    if api is Api.CHAT:
        return write_event(msgspec.json.encode({"error": error}))
    if client is Client.SDK:
        # The flat fields are the published event; openai-python raises only for a nested `error`, and passes the flat ones on.
        flat = {"type": "error", "code": error["code"], "message": error["message"], "param": error["param"], "sequence_number": sequence}
        return write_event(msgspec.json.encode({**flat, "error": error}), "error")
    return failed_event(_stream_message(refusal), _stream_code(refusal), request_id, sequence)


def failed_event(
    message: str,
    code: str,
    request_id: str,
    sequence: int = 0,
    response_id: str | None = None,
    model: str | None = None,
    usage: msgspec.Raw = NULL,
) -> bytes:
    """`response.failed`: what Codex understands inside a stream."""
    failed = _Failed(_Code(code, message, request_id), response_id or f"resp_{request_id}", model, usage)
    return write_event(msgspec.json.encode(_FailedEvent(failed, sequence)), "response.failed")


def upstream_error(status: int, body: bytes) -> bytes | None:
    """The provider's error body when it is in OpenAI's shape, to be passed byte for byte; None when it has to be wrapped."""
    if status < 400:
        return None
    try:
        error = _ENVELOPE.decode(body).error
    except (*UNREADABLE, RecursionError):
        return None
    return body if error.message else None


def credential_refused(status: int, body: bytes) -> bool:
    """Is it our own credential that the provider refuses? A 401 always is; a 403 is unless its code speaks about the request."""
    if status != 403:
        return status == 401
    try:
        return _ENVELOPE.decode(body).error.code not in _ABOUT_THE_REQUEST
    except (*UNREADABLE, RecursionError):
        return True


_ABOUT_THE_REQUEST = frozenset(
    {
        "model_not_found",
        "invalid_prompt",
        "content_policy_violation",
        "cyber_policy",
        "bio_policy",
        "misalignment_policy_violation",
        "inference_hook_denied",
        "access_program_not_enabled",
    }
)


class _Code(msgspec.Struct):
    code: str
    message: str
    decision_id: str


class _Failed(msgspec.Struct):
    error: _Code
    id: str
    model: str | None
    usage: msgspec.Raw
    object: str = "response"
    status: str = "failed"
    output: tuple[()] = ()


class _FailedEvent(msgspec.Struct):
    response: _Failed
    sequence_number: int
    type: str = "response.failed"


class _Said(msgspec.Struct):
    message: str
    code: str | int | None = None


class _Envelope(msgspec.Struct):
    error: _Said


_ENVELOPE = msgspec.json.Decoder(_Envelope)


def header_text(text: str) -> bytes:
    """Printable ASCII on one line, whatever the text was."""
    plain = " ".join(text.split())
    return bytes(byte if 0x20 <= byte < 0x7F else 0x3F for byte in plain.encode("ascii", "replace"))[:MOST_HEADER]


def _error(refusal: Refusal, shape: Shape, request_id: str) -> dict[str, str | int | None]:
    error: dict[str, str | int | None] = {
        "message": refusal.message,
        "type": shape.type,
        "param": refusal.param,
        "code": shape.code,
        "policy_code": refusal.reason.value,
        "decision_id": request_id,
    }
    if refusal.scope is not None:
        error["scope"] = refusal.scope
    if refusal.resets_at is not None:
        error["resets_at"] = refusal.resets_at
    return error


def _retry_after(refusal: Refusal, client: Client) -> int | None:
    """Seconds. Codex sleeps that long before each of thirty repeats of a 503, so it is not told there."""
    kind = refusal.manner.kind
    if kind is Kind.BUSY:
        return max(1, refusal.retry_after or _BUSY_SECONDS)
    if kind in _FAULTS and client is Client.SDK and refusal.manner.retry and refusal.retry_after is not None:
        return max(1, refusal.retry_after)
    return None


def _stream_code(refusal: Refusal) -> str:
    kind = refusal.manner.kind
    if kind is Kind.BUSY:
        return _STREAM_WAIT
    return refusal.reason.value if kind in _FAULTS and refusal.manner.retry else _STREAM_NO


def _stream_message(refusal: Refusal) -> str:
    if refusal.manner.kind is not Kind.BUSY:
        return refusal.message
    return f"{_no_stop(refusal.message)}. Please try again in {max(1, refusal.retry_after or _BUSY_SECONDS)}s."


def _no_stop(message: str) -> str:
    return message.strip().rstrip(".").rstrip()
