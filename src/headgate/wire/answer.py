"""What an answer tells about itself: its id, its model and tier, how it ended, what it used. Content is never looked at."""

from __future__ import annotations

from enum import Enum

import msgspec

from headgate.wire.api import Api
from headgate.wire.objects import NULL, UNREADABLE
from headgate.wire.usage import Usage, read_usage, tells_searches


class Terminal(Enum):
    """How the provider says that an answer ended."""

    COMPLETED = "completed"
    INCOMPLETE = "incomplete"  # stopped by the token limit or a filter
    FAILED = "failed"


class Seen(msgspec.Struct, frozen=True):
    """What was seen of one answer. `readable` is false when it was not an answer of this API at all."""

    usage: Usage | None = None
    response_id: str | None = None
    model: str | None = None
    tier: str | None = None
    terminal: Terminal | None = None
    readable: bool = False
    incomplete_reason: str | None = None
    counts_searches: bool = False  # web searches are counted; without that, a call that offered them has an unknown cost


class Incomplete(msgspec.Struct):
    reason: str | None = None


class ResponseObject(msgspec.Struct):
    """The part of a `response` that the meter reads."""

    id: str | None = None
    model: str | None = None
    status: str | None = None
    service_tier: str | None = None
    usage: msgspec.Raw = NULL
    tool_usage: msgspec.Raw = NULL
    incomplete_details: Incomplete | None = None


class Choice(msgspec.Struct):
    finish_reason: str | None = None


class ChatObject(msgspec.Struct):
    """The part of a chat completion, or of one of its chunks, that the meter reads."""

    id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    choices: list[Choice] | None = None
    usage: msgspec.Raw = NULL
    error: msgspec.Raw = NULL


# Why a choice stopped early. Every other reason (`stop`, `tool_calls`) is a whole answer.
CUT_SHORT = frozenset({"length", "content_filter"})

_STATUS: dict[str | None, Terminal] = {
    "completed": Terminal.COMPLETED,
    "incomplete": Terminal.INCOMPLETE,
    "failed": Terminal.FAILED,
    None: Terminal.COMPLETED,  # a complete 200 that does not say otherwise
}

_RESPONSE = msgspec.json.Decoder(ResponseObject)
_CHAT = msgspec.json.Decoder(ChatObject)


def read_answer(api: Api, status: int, body: bytes) -> Seen:
    """What a whole JSON answer tells. An error answer, a web page or half a document is not readable."""
    if not 200 <= status < 300:
        return Seen()
    try:
        if api is Api.RESPONSES:
            return _response(_RESPONSE.decode(body))
        return _chat(_CHAT.decode(body))
    except (*UNREADABLE, RecursionError):
        return Seen()


def _response(told: ResponseObject) -> Seen:
    if told.id is None:
        return Seen()
    return seen_of(told, _STATUS.get(told.status))


def seen_of(told: ResponseObject, terminal: Terminal | None) -> Seen:
    """What a `response` tells, in a whole answer or in the last event of a stream."""
    return Seen(
        usage=read_usage(Api.RESPONSES, told.usage, told.tool_usage),
        response_id=told.id,
        model=told.model,
        tier=told.service_tier,
        terminal=terminal,
        readable=True,
        incomplete_reason=told.incomplete_details.reason if told.incomplete_details is not None else None,
        counts_searches=tells_searches(told.tool_usage),
    )


def _chat(told: ChatObject) -> Seen:
    if told.choices is None or told.error != NULL:
        return Seen()
    short = next((choice.finish_reason for choice in told.choices if choice.finish_reason in CUT_SHORT), None)
    return Seen(
        usage=read_usage(Api.CHAT, told.usage),
        response_id=told.id,
        model=told.model,
        tier=told.service_tier,
        terminal=Terminal.COMPLETED if short is None else Terminal.INCOMPLETE,
        readable=True,
        incomplete_reason=short,
    )
