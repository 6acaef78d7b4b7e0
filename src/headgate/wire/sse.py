"""Server-sent events as bytes: where an event ends, what its data is.

A line ends with LF, CR LF or CR, and an empty line ends the event. So an event ends at the second of two line ends, which is one of three
pairs of bytes; the LF of a last CR LF belongs to nothing and may come later. Source: the HTML standard, 9.2.6.
"""

from __future__ import annotations

_PAIRS = (b"\n\n", b"\n\r", b"\r\r")
_FIELDS = (b"data", b"event", b":", b"id", b"retry", b"\xef\xbb\xbf")


def last_end(data: bytes | bytearray, start: int, carriage: bool) -> int:
    """One past the last event that is complete, looking from `start` on; -1 when none is. `carriage`: a CR was seen in the stream."""
    if not carriage:
        at = data.rfind(b"\n\n", start)
        return -1 if at < 0 else at + 2
    at = max(data.rfind(pair, start) for pair in _PAIRS)
    return -1 if at < 0 else _past(data, at)


def next_end(data: bytes, start: int, carriage: bool) -> int:
    """One past the event that `start` is in; the length of the data when it has no end."""
    if not carriage:
        at = data.find(b"\n\n", start)
        return len(data) if at < 0 else at + 2
    ends = [at for at in (data.find(pair, start) for pair in _PAIRS) if at >= 0]
    return _past(data, min(ends)) if ends else len(data)


def begin(data: bytes, position: int, carriage: bool) -> int:
    """Where the event that `position` is in begins; empty lines before it are not part of it."""
    ends = [data.rfind(pair, 0, position) for pair in (_PAIRS if carriage else _PAIRS[:1])]
    start = max(ends) + 2 if max(ends) >= 0 else 0
    while start < position and data[start] in b"\r\n":
        start += 1
    return start


def _past(data: bytes | bytearray, pair: int) -> int:
    """The LF of a CR LF goes with it when it is already here."""
    end = pair + 2
    return end + 1 if data[end - 1 : end + 1] == b"\r\n" else end


def data_of(event: bytes) -> bytes:
    """The data of one event, its lines joined; empty when it has none (a comment, an id)."""
    lines = [
        line[5:].removeprefix(b" ") for line in event.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n") if line[:5] == b"data:"
    ]
    return lines[0] if len(lines) == 1 else b"\n".join(lines)


def looks_like_events(event: bytes) -> bool:
    """Does the first event begin like one? A web page or a JSON document does not."""
    return event.lstrip(b"\r\n").startswith(_FIELDS)


def write_event(data: bytes, name: str | None = None) -> bytes:
    """One event. The data must be one line, as JSON is when we write it."""
    return (f"event: {name}\n".encode() if name is not None else b"") + b"data: " + data + b"\n\n"


def write_comment(text: bytes) -> bytes:
    return b": " + text.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n\n"
