"""The files that a request points to: their bytes are kept upstream, so whose they are has to be known before anything is sent."""

from __future__ import annotations

import msgspec

from headgate.wire.objects import UNREADABLE
from headgate.wire.request import CONVERSATION, ModelRequest

_Json = dict[str, "_Json"] | list["_Json"] | str | int | bool | None  # and fractions, which name nothing

FILE_ID = "file_id"  # the name in every part that points to one, in both APIs


def files_named(request: ModelRequest) -> list[str]:
    """The ids of files anywhere in the conversation, each once. Text that only looks like one is text."""
    raw = request.fields.get(CONVERSATION[request.api])
    if not request.opaque or raw is None:
        return []  # what bytes bound points nowhere
    try:
        value: _Json = msgspec.json.decode(raw)
    except (*UNREADABLE, RecursionError):
        return []
    found: dict[str, None] = {}
    _walk(value, found)
    return list(found)


def _walk(value: _Json, found: dict[str, None]) -> None:
    if isinstance(value, dict):
        named = value.get(FILE_ID)
        if isinstance(named, str):
            found[named] = None
        for inner in value.values():
            _walk(inner, found)
    elif isinstance(value, list):
        for inner in value:
            _walk(inner, found)
