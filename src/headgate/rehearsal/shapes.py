"""JSON at the edge: read strictly, written compactly, and walked without trusting its shape."""

from __future__ import annotations

import json
from typing import Any, cast

Table = dict[str, Any]

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class Unreadable(ValueError):
    """The bytes are not a JSON text a provider would accept."""


def _refuse_constant(name: str) -> Any:
    raise Unreadable(f"{name} is not JSON")


def decode(data: bytes) -> Any:
    """One JSON text in UTF-8. Raises Unreadable."""
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as problem:
        raise Unreadable(str(problem)) from None


def encode(value: Any) -> bytes:
    """Compact JSON in UTF-8; a lone surrogate that somebody sent us becomes a question mark."""
    return _ENCODER.encode(value).encode("utf-8", "replace")


def table(value: Any) -> Table:
    """The object itself, or an empty one where something else stands."""
    return cast(Table, value) if isinstance(value, dict) else {}


def rows(value: Any) -> list[Any]:
    """The array itself, or an empty one where something else stands."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def text(value: Any) -> str:
    """The string itself, or an empty one where something else stands."""
    return value if isinstance(value, str) else ""


def whole(value: Any) -> int | None:
    """The whole number itself; `true` is not one."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
