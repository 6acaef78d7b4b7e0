"""Token counts as providers report them, from every shape that Responses and Chat Completions use.

Rule 1  Cached and cache-write tokens are inside `input_tokens`; reasoning and rejected-prediction tokens are inside `output_tokens`.
Rule 2  A count that is negative, not whole, absurd or missing makes the whole usage unreadable: unknown is never zero.
Rule 3  So does a count that contradicts another: more cached and written than read, more reasoned than written out, a total above the
        sum. Some gateways report reasoning beside the output, and a bill read by rule 1 would then be too small.
Rule 4  What no price class here stands for (audio, image generation) makes it unreadable too, unless it is zero.

Source: the types of openai-python 3.52.0 (`ResponseUsage`, `ToolUsage`, `CompletionUsage`).
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from headgate.wire.api import Api

# No model reads or writes more tokens in one call; a larger count is a broken answer, not a bill.
MOST_TOKENS = 1_000_000_000

_Count = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]


class Usage(msgspec.Struct, frozen=True, gc=False):
    """What one attempt used, in tokens (and calls, for hosted tools)."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0  # all of them; written for 30 minutes unless counted below
    cache_write_12h_tokens: int = 0
    reasoning_tokens: int = 0
    web_searches: int = 0


class _Written(msgspec.Struct):
    ttl_30m_tokens: _Count = 0
    ttl_12h_tokens: _Count = 0


class _In(msgspec.Struct):
    cached_tokens: _Count | None = None
    cache_write_tokens: _Count | None = None
    cache_write_tokens_details: _Written | None = None
    audio_tokens: _Count | None = None


class _Out(msgspec.Struct):
    reasoning_tokens: _Count | None = None
    audio_tokens: _Count | None = None


class _Responses(msgspec.Struct):
    input_tokens: _Count
    output_tokens: _Count
    input_tokens_details: _In | None = None
    output_tokens_details: _Out | None = None
    total_tokens: _Count | None = None


class _Chat(msgspec.Struct):
    prompt_tokens: _Count
    completion_tokens: _Count
    prompt_tokens_details: _In | None = None
    completion_tokens_details: _Out | None = None
    total_tokens: _Count | None = None


class _Searches(msgspec.Struct):
    num_requests: _Count


class _Images(msgspec.Struct):
    input_tokens: _Count = 0
    output_tokens: _Count = 0


class _ToolUsage(msgspec.Struct):
    web_search: _Searches | None = None
    image_gen: _Images | None = None


_RESPONSES = msgspec.json.Decoder(_Responses)
_CHAT = msgspec.json.Decoder(_Chat)
_TOOLS = msgspec.json.Decoder(_ToolUsage | None)


def read_usage(api: Api, usage: bytes | msgspec.Raw, tool_usage: bytes | msgspec.Raw = b"null") -> Usage | None:
    """The counts of one answer; None when they are missing or cannot be believed."""
    try:
        tools = _TOOLS.decode(tool_usage)
        if api is Api.RESPONSES:
            told = _RESPONSES.decode(usage)
            read, written, total = told.input_tokens, told.output_tokens, told.total_tokens
            inside, outside = told.input_tokens_details, told.output_tokens_details
        else:
            chat = _CHAT.decode(usage)
            read, written, total = chat.prompt_tokens, chat.completion_tokens, chat.total_tokens
            inside, outside = chat.prompt_tokens_details, chat.completion_tokens_details
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    if total is not None and total > read + written:
        return None
    return _believed(read, written, inside or _In(), outside or _Out(), tools or _ToolUsage())


def _believed(read: int, written: int, inside: _In, outside: _Out, tools: _ToolUsage) -> Usage | None:
    cached, reasoning = inside.cached_tokens or 0, outside.reasoning_tokens or 0
    kept = inside.cache_write_tokens_details or _Written()
    stored = inside.cache_write_tokens
    if stored is None:
        stored = kept.ttl_30m_tokens + kept.ttl_12h_tokens
    if cached + stored > read or kept.ttl_30m_tokens + kept.ttl_12h_tokens > stored or reasoning > written:
        return None
    if inside.audio_tokens or outside.audio_tokens:
        return None
    if tools.image_gen is not None and (tools.image_gen.input_tokens or tools.image_gen.output_tokens):
        return None
    return Usage(
        input_tokens=read,
        output_tokens=written,
        cached_tokens=cached,
        cache_write_tokens=stored,
        cache_write_12h_tokens=kept.ttl_12h_tokens,
        reasoning_tokens=reasoning,
        web_searches=tools.web_search.num_requests if tools.web_search is not None else 0,
    )


def tells_searches(tool_usage: bytes | msgspec.Raw) -> bool:
    """Does the answer count its web searches? Without that, a call that offered them has an unknown cost."""
    try:
        tools = _TOOLS.decode(tool_usage)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return tools is not None and tools.web_search is not None
