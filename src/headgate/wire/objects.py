"""One JSON object as slices of the bytes it came in: every name once, every value untouched.

Rule 1  A name that stands twice is refused: two readers may keep different ones, and then we govern another request than is served.
Rule 2  A value is a slice of the original bytes. It is forwarded as it stands, never decoded and encoded again.
Rule 3  Nothing here raises on hostile bytes: depth, absurd numbers, bad UTF-8 and half a document are refusals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from headgate.refusal import Reason, Refusal

MOST_DEPTH = 64
MOST_FIELDS = 512  # names in one governed object
MOST_DIGITS = 64  # characters of one number; a quoted decimal fraction has at most 57
DENSE_BYTES = 1 << 20  # below this many bytes a document cannot hold enough names or openings to matter
MOST_DENSE = 1 << 19  # names, objects or arrays of a larger document: more than a context window of a million tokens can hold

Fields = dict[str, msgspec.Raw]

# A slice equals another slice with the same bytes, and never equals `bytes`.
NULL = msgspec.Raw(b"null")

# What msgspec raises on bytes it does not accept. UnicodeDecodeError is a ValueError and not a DecodeError.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)

_OBJECT = msgspec.json.Decoder(Fields)
_OBJECTS = msgspec.json.Decoder(list[Fields])
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_NAME = msgspec.json.Decoder(str)
# The names that nearly every request has, ready to be compared.
_QUOTED_NAMES = {
    name: f'"{name}": '.encode()
    for name in ("type", "name", "description", "strict", "parameters", "model", "input", "instructions", "tools", "stream", "store")
}
_SPACE = b" \t\r\n"
_QUOTED = re.compile(rb'[ \t\r\n]*("(?:[^"\\]|\\.)*")[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
_AFTER = re.compile(rb"[ \t\r\n]*([,}])")


def check_document(body: bytes) -> Refusal | None:
    """Is this UTF-8, and small enough in names and openings to be decoded without a pause anyone would notice?"""
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as fault:
            return Refusal(Reason.INVALID_JSON, f"The body is not UTF-8: byte {fault.start} cannot be read. Send JSON in UTF-8.")
    if len(body) > DENSE_BYTES and max(body.count(b'":'), body.count(b"{"), body.count(b"[")) > MOST_DENSE:
        return Refusal(Reason.INVALID_JSON, f"The body holds more than {MOST_DENSE:,} names, objects or arrays. Send a smaller document.")
    return None


def read_object(raw: bytes | msgspec.Raw, where: str) -> Fields | Refusal:
    """The fields of one object in their order, each name once; `where` names the object to the caller."""
    try:
        fields = _OBJECT.decode(raw)
    except RecursionError:
        return too_deep(where)
    except msgspec.ValidationError:
        return Refusal(Reason.INVALID_FIELD, f"{where} must be a JSON object.", param=where)
    except UNREADABLE as fault:
        return not_json(where, fault)
    if len(fields) > MOST_FIELDS:
        return Refusal(Reason.INVALID_FIELD, f"{where} has {len(fields):,} fields; at most {MOST_FIELDS} are read.", param=where)
    if _compact_bytes(fields) == len(raw):
        return fields
    twice = name_twice(fields, bytes(raw))
    return fields if twice is None else duplicate(where, twice)


def read_objects(raw: msgspec.Raw, where: str) -> list[Fields] | Refusal:
    """The fields of each object of one array, under the same rules."""
    try:
        objects = _OBJECTS.decode(raw)
    except RecursionError:
        return too_deep(where)
    except msgspec.ValidationError:
        return Refusal(Reason.INVALID_FIELD, f"{where} must be an array of JSON objects.", param=where)
    except UNREADABLE as fault:
        return not_json(where, fault)
    if sum(map(_compact_bytes, objects)) + len(objects) + 1 == len(raw):
        return objects
    if _spaced(objects) == bytes(raw):
        return objects
    read: list[Fields] = []
    for index, one in enumerate(_RAWS.decode(raw)):
        fields = read_object(one, f"{where}[{index}]")
        if isinstance(fields, Refusal):
            return fields
        read.append(fields)
    return read


def read_slices(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """The elements of an array that was decoded before."""
    return _RAWS.decode(raw)


def write_object(fields: Mapping[str, msgspec.Raw | bytes]) -> bytes:
    """The object again: names as they were read, values byte for byte, nothing between them."""
    if not fields:
        return b"{}"
    pieces: list[bytes | msgspec.Raw] = []
    for name, value in fields.items():
        pieces += (b"," if pieces else b"{", msgspec.json.encode(name), b":", value)
    pieces.append(b"}")
    return b"".join(pieces)


def write_array(values: Sequence[bytes | msgspec.Raw]) -> bytes:
    return b"[" + b",".join(values) + b"]"


def deep(raw: bytes | msgspec.Raw, within: int) -> bool:
    """Does a value stand inside more than `MOST_DEPTH` objects and arrays, when the document itself stands inside `within`? Exact.

    The document is written again with one space per level, in C, and looked through for a line that is indented too far.
    """
    if len(raw) <= MOST_DEPTH:
        return False
    text = bytes(raw)
    if text[:1] not in (b"{", b"["):
        return False
    try:
        return b"\n" + b" " * (MOST_DEPTH + 1 - within) in msgspec.json.format(text, indent=1)
    except RecursionError:
        return True


def _compact_bytes(fields: Fields) -> int:
    """How long the object is when nothing stands in it but each name and each value once.

    Equality with the real length is a proof that no name stands twice: an overwritten field, a space, an escape or a letter outside
    ASCII in a name all make the real one longer.
    """
    return 1 + 4 * len(fields) + sum(map(len, fields)) + sum(map(len, fields.values())) if fields else 2


def _spaced(objects: list[Fields]) -> bytes:
    """The array as Python's json writes it, with a space after `:` and `,`. Equality with the real bytes is the same proof."""
    pieces: list[bytes | msgspec.Raw] = []
    between = b"[{"
    for fields in objects:
        for name, value in fields.items():
            pieces += (between, _QUOTED_NAMES.get(name) or b'"%b": ' % name.encode(), value)
            between = b", "
        between = b"}, {"
    pieces.append(b"}]")
    return b"".join(pieces)


def name_twice(fields: Fields, raw: bytes) -> str | None:
    """The first name that stands twice in the object that `fields` was decoded from, or None when every name stands once.

    The walk reads the names in order and steps over each value by comparing it with the decoded slice. A dictionary keeps the place of
    the first and the value of the last, so a name that comes again leaves its order, its value or its end.
    """
    position = raw.index(b"{") + 1
    for name, value in fields.items():
        usual = _QUOTED_NAMES.get(name) or b'"%b": ' % name.encode()
        if raw.startswith(usual, position):
            position += len(usual)
        elif (quoted := _QUOTED.match(raw, position)) is not None and _NAME.decode(quoted[1]) == name:
            position = quoted.end()
        else:
            return name
        if not raw.startswith(value, position):
            return name
        position += len(value)
        if raw.startswith(b", ", position):
            position += 2
        elif (after := _AFTER.match(raw, position)) is not None:
            position = after.end()
        else:
            return name  # a number that begins like the one that was kept
    # Whatever follows the last name is a name again, and all names were seen.
    return None if position == len(raw.rstrip(_SPACE)) or not fields else next(reversed(fields))


def too_deep(where: str) -> Refusal:
    return Refusal(Reason.TOO_DEEP, f"{where} is nested more than {MOST_DEPTH} levels deep. Flatten it.", param=where)


def duplicate(where: str, name: str) -> Refusal:
    shown = name if name.isprintable() and len(name) <= 64 else "a name"
    return Refusal(Reason.DUPLICATE_FIELD, f'"{shown}" stands twice in {where}. Send each name once.', param=shown)


def not_json(where: str, fault: Exception) -> Refusal:
    """The decoder's sentence names a byte, never content."""
    return Refusal(Reason.INVALID_JSON, f"{where} is not valid JSON: {fault}.")
