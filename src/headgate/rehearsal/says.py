"""The things a model can do in an answer: say a text, refuse, use a tool, search the web."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.rehearsal.ask import Tool


@dataclass(frozen=True, slots=True)
class SayText:
    text: str
    refusal: bool = False


@dataclass(frozen=True, slots=True)
class UseTool:
    """A call of a tool of the client; `arguments` is JSON for a function and free text for a custom tool."""

    tool: Tool
    arguments: str


@dataclass(frozen=True, slots=True)
class Search:
    """A search of the web by the provider's own tool."""

    query: str


Say = SayText | UseTool | Search


def said_text(say: Say) -> str:
    """What counts as output tokens."""
    match say:
        case SayText():
            return say.text
        case UseTool():
            return say.tool.name + say.arguments
        case Search():
            return ""
