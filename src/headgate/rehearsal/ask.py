"""What was asked, the same for both APIs: the turns of the conversation, the tools, the limits, and what it weighs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from headgate.rehearsal.prices import TIER_NAMES, Row, price_list
from headgate.rehearsal.problems import Problem, above, below, invalid, invalid_type, missing
from headgate.rehearsal.shapes import Table, table, text, whole
from headgate.rehearsal.tokens import opaque_tokens, weigh

RESPONSES, CHAT = "responses", "chat"
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True)
class Turn:
    """One step of the conversation; `who` is user, assistant, system, call, result or other."""

    who: str
    text: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool the model may use; `kind` is function, custom or the type of a hosted one."""

    kind: str
    name: str
    schema: Table
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier response leaves for the next one: its turns and every token it used."""

    turns: tuple[Turn, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that has been read and found valid."""

    api: str
    body: Table
    row: Row
    stream: bool
    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...]
    tool_choice: str  # auto, none, required, or the name of the tool that must be used
    pieces: tuple[Any, ...]  # what the model reads, in order: the prefix that a cache may know
    schema: Table | None = None  # of a structured answer; an empty one asks for any JSON object
    choices: int = 1
    max_output: int | None = None
    max_tool_calls: int | None = None
    effort: str = ""
    tier: str = "auto"
    store: bool = False
    include_usage: bool = False
    encrypted_reasoning: bool = False
    cache_key: str = ""
    cache_12h: bool = False
    earlier: Earlier | None = None
    metadata: Table = field(default_factory=dict[str, Any])

    def input_bytes(self) -> int:
        return sum(weigh(piece) for piece in self.pieces)

    def opaque_tokens(self) -> int:
        return sum(opaque_tokens(piece) for piece in self.pieces)

    def question(self) -> str:
        """The last thing the user said."""
        return next((turn.text for turn in reversed(self.turns) if turn.who == "user"), "")

    def since_question(self) -> tuple[Turn, ...]:
        """The turns after the last thing the user said."""
        for index in range(len(self.turns) - 1, -1, -1):
            if self.turns[index].who == "user":
                return self.turns[index + 1 :]
        return self.turns


def read_model(api: str, body: Table) -> Row | Problem:
    name = body.get("model")
    if name is None:
        return missing("model")
    if not isinstance(name, str):
        return invalid_type("model", "a string")
    row = price_list().get(name)
    if row is None:
        status = 400 if api == RESPONSES else 404  # as OpenAI: the older API says 404
        return Problem(status, f"The requested model '{name}' does not exist.", "model_not_found", "model")
    return row


def read_whole(body: Table, param: str, least: int, most: int) -> int | Problem | None:
    """A whole number within limits; None where the field is absent or null."""
    value = body.get(param)
    if value is None:
        return None
    number = whole(value)
    if number is None:
        return invalid_type(param, "an integer")
    if number < least:
        return below(param, least)
    return above(param, most) if number > most else number


def read_flag(body: Table, param: str, default: bool) -> bool | Problem:
    value = body.get(param)
    if value is None:
        return default
    return value if isinstance(value, bool) else invalid_type(param, "a boolean")


def read_tier(body: Table, row: Row) -> str | Problem:
    """The tier's billed name; `auto` is left to the project's setting."""
    value = body.get("service_tier")
    if value is None or value == "auto":
        return "auto"
    tier = TIER_NAMES.get(text(value))
    if tier is None:
        return invalid(f"Invalid value for 'service_tier': {value!r}.", "service_tier", "invalid_value")
    if not row.sells(tier):
        return invalid(f"The service tier '{value}' is not available for the model {row.model}.", "service_tier")
    return tier


def read_metadata(body: Table) -> Table | Problem:
    """At most 16 pairs of strings; the rehearsal's own markers may be numbers too."""
    value = body.get("metadata")
    if value is None:
        return {}
    if not isinstance(value, dict):
        return invalid_type("metadata", "an object")
    pairs = table(value)
    if len(pairs) > 16:
        return invalid("Invalid 'metadata': too many properties. Expected at most 16.", "metadata")
    for name, member in pairs.items():
        mine = name.startswith("rehearsal_") and whole(member) is not None
        if not mine and not isinstance(member, str):
            return invalid_type(f"metadata.{name}", "a string")
        if len(name) > 64 or (isinstance(member, str) and len(member) > 512):
            return invalid(f"Invalid 'metadata.{name}': a name has at most 64 characters, a value at most 512.", "metadata")
    return pairs
