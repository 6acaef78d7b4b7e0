"""Faults in the bytes of a body or of stream events, before they are put on the wire."""

from __future__ import annotations

from collections.abc import Callable

from headgate.rehearsal.ask import CHAT, Ask
from headgate.rehearsal.shapes import encode


def _utf8_split(ask: Ask, parts: list[bytes], at: int | None) -> list[bytes]:
    """Cuts after the first byte of every character of more than one byte."""
    split: list[bytes] = []
    for part in parts:
        start = 0
        for index, byte in enumerate(part):
            if byte >= 0xC0:
                split.append(part[start : index + 1])
                start = index + 1
        split.append(part[start:])
    return [piece for piece in split if piece]


def _line_ends(end: bytes) -> Callable[[Ask, list[bytes], int | None], list[bytes]]:
    return lambda ask, parts, at: [part.replace(b"\n", end) for part in parts]


def _comments(ask: Ask, parts: list[bytes], at: int | None) -> list[bytes]:
    """Comments, retry lines, ids and empty lines between the events, and an event in two data lines that a client ignores."""
    noise = (b": keep-alive\n\n", b"retry: 3000\n\n", b": data: {}\n", b"id: 7\n\n", b"\n\n", b":\n\n")
    noisy: list[bytes] = [b": rehearsal\n\n"]
    for index, part in enumerate(parts):
        noisy += [noise[index % len(noise)], part]
    return noisy


def _error_midstream(ask: Ask, parts: list[bytes], at: int | None) -> list[bytes]:
    """After `at` events, half of them unless told, an error event; then the stream ends in order."""
    upto = len(parts) // 2 if at is None else at
    error = {
        "type": "server_error",
        "code": "server_error",
        "message": "The server had an error while processing your request.",
        "param": None,
    }
    if ask.api == CHAT:
        return [*parts[:upto], b"data: " + encode({"error": error}) + b"\n\n"]
    event = {"type": "error", "code": "server_error", "message": error["message"], "param": None, "sequence_number": upto}
    return [*parts[:upto], b"event: error\ndata: " + encode(event) + b"\n\n"]


def _invalid_json(ask: Ask, parts: list[bytes], at: int | None) -> list[bytes]:
    """The body, or the last event that tells something, stops in the middle of its JSON; the framing is right."""
    last = max((index for index, part in enumerate(parts) if b"{" in part), default=0)
    broken = parts[last][: len(parts[last]) // 2] + (b"\n\n" if ask.stream else b"")
    return [*parts[:last], broken, *parts[last + 1 :]]


def _twice(ask: Ask, parts: list[bytes], at: int | None) -> list[bytes]:
    """A plain answer names its usage twice, the first time without any output; the last one counts."""
    if ask.stream:
        return parts  # see faults_tell.py
    first = (
        {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1}
        if ask.api == CHAT
        else {"input_tokens": 1, "output_tokens": 0, "total_tokens": 1}
    )
    return [b'{"usage":' + encode(first) + b"," + parts[0][1:]]


PARTS: dict[str, Callable[[Ask, list[bytes], int | None], list[bytes]]] = {
    "utf8_split": _utf8_split,
    "line_ends_crlf": _line_ends(b"\r\n"),
    "line_ends_cr": _line_ends(b"\r"),
    "comments_and_retry": _comments,
    "error_midstream": _error_midstream,
    "invalid_json_200": _invalid_json,
    "usage_twice": _twice,
}
