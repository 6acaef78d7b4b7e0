"""The part of a model request that governs it, read once; the rest stays the bytes it came in.

Rule 1  What governs is typed: a field of the wrong type is refused with its name, never guessed.
Rule 2  What is unknown passes and makes the request opaque: the context window bounds it, not its bytes.
Rule 3  Whatever output was granted is always written, and so is the service tier. Without both, the bound would be no bound.
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from headgate.refusal import Reason, Refusal
from headgate.wire.api import Api
from headgate.wire.bounded import BOUNDED_FIELDS
from headgate.wire.codex import clean_turn_metadata
from headgate.wire.conversation import Conversation, read_conversation
from headgate.wire.objects import (
    MOST_DIGITS,
    NULL,
    Fields,
    check_document,
    deep,
    read_object,
    read_objects,
    read_slices,
    too_deep,
    write_array,
    write_object,
)
from headgate.wire.tools import Tool, read_tools
from headgate.wire.usage import MOST_TOKENS

CONVERSATION = {Api.RESPONSES: "input", Api.CHAT: "messages"}

# Walked by their own readers, which know how deep they are.
_WALKED = frozenset({"input", "messages", "tools"})

_Count = Annotated[int, msgspec.Meta(ge=1, le=MOST_TOKENS)] | None
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class _Format(msgspec.Struct):
    type: str | None = None


class _Text(msgspec.Struct):
    format: _Format | None = None


class _Reasoning(msgspec.Struct):
    effort: str | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Governed(msgspec.Struct):
    """What both APIs say, typed. A field that only one of them knows is only looked for there."""

    model: _Name
    stream: bool | None = None
    max_output_tokens: _Count = None
    max_completion_tokens: _Count = None
    max_tokens: _Count = None
    n: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None
    service_tier: str | None = None
    stream_options: _StreamOptions | None = None
    max_tool_calls: Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)] | None = None
    previous_response_id: _Name | None = None
    background: bool | None = None
    store: bool | None = None
    reasoning: _Reasoning | None = None
    reasoning_effort: str | None = None
    text: _Text | None = None
    response_format: _Format | None = None
    metadata: dict[str, str] | None = None
    modalities: list[str] | None = None


_GOVERNED = msgspec.json.Decoder(_Governed)
_ONLY_RESPONSES = frozenset({"max_output_tokens", "max_tool_calls", "previous_response_id", "background", "reasoning", "text"})
_ONLY_CHAT = frozenset({"max_completion_tokens", "max_tokens", "n", "reasoning_effort", "response_format", "modalities"})
_NAMES = {
    Api.RESPONSES: {name: f',"{name}":'.encode() for name in _Governed.__struct_fields__ if name not in _ONLY_CHAT},
    Api.CHAT: {name: f',"{name}":'.encode() for name in _Governed.__struct_fields__ if name not in _ONLY_RESPONSES},
}
_NAMES_ONCE = ("reasoning", "stream_options")
_AT = re.compile(r" - at `\$\.([a-z_]+)[^`]*`")
_MISSING = re.compile(r"missing required field `([a-z_]+)`")
_STRUCTURED = frozenset({"json_schema", "json_object"})


class ModelRequest(msgspec.Struct, frozen=True):
    """One call to a model as the client asked for it. Counts are tokens; None means that the client did not say."""

    api: Api
    model: str
    stream: bool
    fields: Fields  # the top object in its order, each name once
    body_bytes: int
    max_output: int | None  # the client's own number
    choices: int
    service_tier: str | None
    include_usage: bool  # the client wants the usage chunk of a chat stream
    tools: tuple[Tool, ...]  # those of the top object, then those that items bring
    max_tool_calls: int | None
    opaque: bool  # bytes do not bound its input
    previous_response_id: str | None
    conversation: bool
    prompt_id: bool
    background: bool
    structured: bool  # the output must be JSON: half of it is worth nothing
    store: bool | None
    reasoning_effort: str | None
    audio_output: bool
    metadata: dict[str, str]


class Edits(msgspec.Struct, frozen=True):
    """What the gate writes into a request before it is sent. `None` leaves a field as the client wrote it."""

    max_output: int
    service_tier: str = "default"
    model: str | None = None
    include_usage: bool = False  # ask for the usage chunk of a chat stream
    drop_tools: frozenset[str] = frozenset()  # tool types
    max_tool_calls: int | None = None
    client_metadata: bytes | None = None  # instead of the client's own, which passes without credentials; empty drops the field


def read_request(api: Api, body: bytes) -> ModelRequest | Refusal:
    """What the body asks for, or why it cannot be governed. Never raises, whatever the bytes."""
    fault = check_document(body)
    if fault is not None:
        return fault
    fields = read_object(body, "the body")
    if isinstance(fields, Refusal):
        return _whole_body(fields)
    fault = _check_values(fields)
    if fault is not None:
        return fault
    governed = _read_governed(api, fields)
    if isinstance(governed, Refusal):
        return governed
    tools = read_tools(fields["tools"], "tools") if "tools" in fields else ()
    if isinstance(tools, Refusal):
        return tools
    name = CONVERSATION[api]
    talk = read_conversation(api, fields[name], name) if name in fields else _missing(api, fields)
    if isinstance(talk, Refusal):
        return talk
    return _request(api, body, fields, governed, tools, talk)


def _request(api: Api, body: bytes, fields: Fields, governed: _Governed, tools: tuple[Tool, ...], talk: Conversation) -> ModelRequest:
    effort = governed.reasoning.effort if governed.reasoning is not None else governed.reasoning_effort
    shape = governed.text.format if governed.text is not None else governed.response_format
    limits = [limit for limit in (governed.max_output_tokens, governed.max_completion_tokens, governed.max_tokens) if limit is not None]
    return ModelRequest(
        api=api,
        model=governed.model,
        stream=governed.stream is True,
        fields=fields,
        body_bytes=len(body),
        max_output=min(limits, default=None),
        choices=governed.n or 1,
        service_tier=governed.service_tier,
        include_usage=governed.stream_options is not None and governed.stream_options.include_usage is True,
        tools=tools + talk.tools,
        max_tool_calls=governed.max_tool_calls,
        opaque=talk.opaque or not fields.keys() <= BOUNDED_FIELDS[api],
        previous_response_id=governed.previous_response_id,
        conversation=_said(fields, "conversation"),
        prompt_id=_said(fields, "prompt"),
        background=governed.background is True,
        structured=shape is not None and shape.type in _STRUCTURED,
        store=governed.store,
        reasoning_effort=effort,
        audio_output=governed.modalities is not None and governed.modalities != ["text"],
        metadata=governed.metadata or {},
    )


def _whole_body(refusal: Refusal) -> Refusal:
    """What is wrong with the body as such has no field to name."""
    if refusal.reason is Reason.INVALID_FIELD:
        return Refusal(Reason.INVALID_JSON, refusal.message)
    return refusal if refusal.reason is Reason.DUPLICATE_FIELD else Refusal(refusal.reason, refusal.message)


def _check_values(fields: Fields) -> Refusal | None:
    """Depth and absurd numbers of the values that no other reader walks."""
    for name, raw in fields.items():
        if len(raw) <= MOST_DIGITS or name in _WALKED:
            continue
        if deep(raw, 1):
            return too_deep(_shown(name))
        if bytes(raw)[:1] in b"-0123456789":
            return Refusal(Reason.INVALID_FIELD, f"{_shown(name)} is a number of more than {MOST_DIGITS} characters.", param=_shown(name))
    return None


def _read_governed(api: Api, fields: Fields) -> _Governed | Refusal:
    """The governed fields, cut out and decoded together: one call instead of twenty."""
    pieces: list[bytes | msgspec.Raw] = []
    names = _NAMES[api]
    for name, raw in fields.items():
        if name in names:
            pieces += (names[name], raw)
    for name in _NAMES_ONCE:
        raw = fields.get(name)
        if raw is not None and raw != NULL and name in names:
            within = read_object(raw, name)
            if isinstance(within, Refusal):
                return within
    try:
        return _GOVERNED.decode(b"{" + b"".join(pieces)[1:] + b"}")
    except (msgspec.ValidationError, RecursionError) as fault:
        return _invalid(str(fault))


def _invalid(fault: str) -> Refusal:
    """The decoder names types and limits, never the value."""
    at = _AT.search(fault) or _MISSING.search(fault)
    name = at[1] if at is not None else "the body"
    what = _AT.sub("", fault).replace("`", "")
    return Refusal(Reason.INVALID_FIELD, f"{name}: {what}.", param=at[1] if at is not None else None)


def _missing(api: Api, fields: Fields) -> Conversation | Refusal:
    """Chat always needs messages; a Responses call may continue something that is kept upstream."""
    if api is Api.CHAT:
        return Refusal(Reason.INVALID_FIELD, "messages is missing.", param="messages")
    return Conversation(opaque=False)


def _said(fields: Fields, name: str) -> bool:
    return name in fields and fields[name] != NULL


def _shown(name: str) -> str:
    return name if name.isprintable() and len(name) <= 64 else "a field"


def write_request(request: ModelRequest, edits: Edits) -> bytes:
    """The request with the gate's limits in it; every value that is not edited stands byte for byte as it came."""
    out: dict[str, msgspec.Raw | bytes] = dict(request.fields)
    if edits.model is not None:
        out["model"] = msgspec.json.encode(edits.model)
    out["service_tier"] = msgspec.json.encode(edits.service_tier)
    for name in _limit_names(request):
        out[name] = b"%d" % edits.max_output
    if edits.include_usage and not request.include_usage:
        out["stream_options"] = _with_usage(request)
    if edits.max_tool_calls is not None:
        out["max_tool_calls"] = b"%d" % edits.max_tool_calls
    told = edits.client_metadata
    if told is None and "client_metadata" in out:
        told = clean_turn_metadata(request.fields["client_metadata"])
    if told is not None:
        out["client_metadata"] = told
        if not told:
            del out["client_metadata"]
    if edits.drop_tools:
        _drop_tools(out, request, edits.drop_tools)
    return write_object(out)


def _limit_names(request: ModelRequest) -> list[str]:
    """Where the granted output is written: where the client wrote its own, else the current name of the field."""
    if request.api is Api.RESPONSES:
        return ["max_output_tokens"]
    return [name for name in ("max_completion_tokens", "max_tokens") if _said(request.fields, name)] or ["max_completion_tokens"]


def _with_usage(request: ModelRequest) -> bytes:
    options: dict[str, msgspec.Raw | bytes] = {}
    if _said(request.fields, "stream_options"):
        read = read_object(request.fields["stream_options"], "stream_options")
        assert not isinstance(read, Refusal), "it was read before"
        options.update(read)
    options["include_usage"] = b"true"
    return write_object(options)


def _drop_tools(out: dict[str, msgspec.Raw | bytes], request: ModelRequest, types: frozenset[str]) -> None:
    """Takes the tools of these types out, wherever they stand; with the last tool, what speaks about tools goes too."""
    out.pop("web_search_options", None) if "web_search_options" in types else None
    if any(tool.inside and tool.type in types for tool in request.tools):
        name = CONVERSATION[request.api]
        out[name] = write_array([_without(item, types) for item in read_slices(request.fields[name])])
    if "tools" in out:
        kept = _kept(request.fields["tools"], types)
        out["tools"] = kept
        if kept == b"[]":
            for name in ("tools", "tool_choice", "parallel_tool_calls"):
                out.pop(name, None)
    if "tool_choice" in out and _kind_of(out["tool_choice"]) in types:
        del out["tool_choice"]


def _kept(raw: msgspec.Raw, types: frozenset[str]) -> bytes:
    objects = read_objects(raw, "tools") if raw != NULL else []
    assert not isinstance(objects, Refusal), "they were read before"
    return write_array([write_object(fields) for fields in objects if _kind_of(write_object(fields)) not in types])


def _without(item: msgspec.Raw, types: frozenset[str]) -> bytes | msgspec.Raw:
    """The item without those tools; untouched when it brings none."""
    fields = read_object(item, "input") if bytes(item)[:1] == b"{" else {}
    if isinstance(fields, Refusal) or "tools" not in fields:
        return item
    kept: dict[str, msgspec.Raw | bytes] = dict(fields)
    kept["tools"] = _kept(fields["tools"], types)
    return write_object(kept)


def _kind_of(raw: bytes | msgspec.Raw) -> str | None:
    try:
        return _KIND.decode(raw).type
    except msgspec.DecodeError:
        return None


_KIND = msgspec.json.Decoder(_Format)
