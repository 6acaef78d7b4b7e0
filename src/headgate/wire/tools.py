"""Which tools a request brings, and which of them the provider runs and bills.

A tool that the client runs costs nothing but its tokens. Everything else is hosted, and so is every type nobody here has heard of:
the bound decides what that means.
"""

from __future__ import annotations

import msgspec

from headgate.refusal import Refusal
from headgate.wire.objects import NULL, Fields, deep, read_objects, too_deep, write_object

# Run by the client. Source: the tool types of openai-python 3.52.0 and what Codex 0.169.0 sends.
FREE = frozenset({"function", "custom", "namespace", "local_shell", "apply_patch"})

# Run by the client only when this field says so; the provider runs them otherwise.
FREE_WHEN: dict[str, tuple[str, str]] = {"tool_search": ("execution", "client"), "shell": ("environment", "local")}

# A namespace inside a namespace inside a namespace does not exist today, so it is not followed.
MOST_NESTED = 2


class Tool(msgspec.Struct, frozen=True):
    """One tool as the client sent it. `inside` is true when it stands in the conversation (`additional_tools`), not in `tools`."""

    type: str
    fields: Fields
    hosted: bool
    inside: bool = False

    @property
    def raw(self) -> bytes:
        return write_object(self.fields)


class _Kind(msgspec.Struct):
    type: str


_FUNCTION = msgspec.Raw(b'"function"')  # nearly every tool is one
_TEXT = msgspec.json.Decoder(str)
_WORD_OR_KIND = msgspec.json.Decoder(str | _Kind | None)


def read_tools(raw: msgspec.Raw, where: str, inside: bool = False, level: int = 0) -> tuple[Tool, ...] | Refusal:
    """Each tool of an array, and each tool of its namespaces after it."""
    if raw == NULL:
        return ()
    if level == 0 and deep(raw, 3 if inside else 1):
        return too_deep(where)
    objects = read_objects(raw, where)
    if isinstance(objects, Refusal):
        return objects
    tools: list[Tool] = []
    for fields in objects:
        kind = _kind(fields)
        tools.append(Tool(kind, fields, not _free(kind, fields, level), inside))
        if kind == "namespace" and "tools" in fields and level < MOST_NESTED:
            within = read_tools(fields["tools"], f"{where}.tools", inside, level + 1)
            if isinstance(within, Refusal):
                return within
            tools += within
    return tuple(tools)


def _kind(fields: Fields) -> str:
    """The type as text; a missing or wrong one is unknown, and what is unknown is hosted."""
    raw = fields.get("type", NULL)
    if raw == _FUNCTION:
        return "function"
    try:
        return _TEXT.decode(raw)
    except msgspec.DecodeError:
        return "unknown"


def _free(kind: str, fields: Fields, level: int) -> bool:
    if kind in FREE:
        return kind != "namespace" or level < MOST_NESTED
    if kind not in FREE_WHEN:
        return False
    name, wanted = FREE_WHEN[kind]
    try:
        said = _WORD_OR_KIND.decode(fields.get(name, NULL))
    except msgspec.DecodeError:
        return False
    return (said.type if isinstance(said, _Kind) else said) == wanted
