"""What a program does with the OpenAI SDK, scene by scene: each is played directly against the provider and through the gate.

A scene returns everything that the program saw. It sets its own output limit, because a limit that the gate writes is told in the answer.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
from openai import APIError, APIStatusError, AsyncOpenAI, OpenAI
from openai._models import BaseModel as Told
from pydantic import BaseModel

MODEL = "gpt-5.5"
ASK: dict[str, Any] = {"model": MODEL, "input": "Say hello to the seven dwarfs.", "max_output_tokens": 2_000}
TALK: list[Any] = [{"role": "user", "content": "Why is the sky blue?"}]
CHAT: dict[str, Any] = {"model": MODEL, "messages": TALK, "max_completion_tokens": 2_000}
WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOL: Any = {"type": "function", "name": "get_weather", "parameters": WEATHER, "strict": True}
CHAT_TOOL: Any = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER, "strict": True}}
# A PNG of one pixel.
PIXEL = "data:image/png;base64," + base64.b64encode(
    bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8cfc0f01f00050001ff56c72f0d0000000049454e44ae426082")
).decode()  # fmt: skip

Seen = list[Any]


class Event(BaseModel):
    """A structured output."""

    name: str
    day: int
    guests: list[str]


def plain(value: Any) -> Any:
    """As JSON, with the class of what the SDK made of it."""
    if isinstance(value, Told | BaseModel):
        return [type(value).__name__, value.model_dump(mode="json", warnings=False)]
    return value


# -- Responses -------------------------------------------------------------------------------------------------------


def answer(client: OpenAI) -> Seen:
    told = client.responses.create(**ASK, metadata={"team": "payments"}, temperature=0.5)
    return [plain(told), told.output_text]


def unicode_answer(client: OpenAI) -> Seen:
    return [plain(client.responses.create(model=MODEL, input='Say "naïve 漢字 🙂 \\u0000 </script>"', max_output_tokens=500))]


def stream(client: OpenAI) -> Seen:
    return [plain(event) for event in client.responses.create(**ASK, stream=True)]


def stream_helper(client: OpenAI) -> Seen:
    with client.responses.stream(**ASK) as events:
        seen = [plain(event) for event in events]
        return [*seen, plain(events.get_final_response())]


def parsed(client: OpenAI) -> Seen:
    told = client.responses.parse(**{**ASK, "input": "A party on Friday"}, text_format=Event)
    assert isinstance(told.output_parsed, Event)
    return [plain(told), plain(told.output_parsed)]


def parsed_stream(client: OpenAI) -> Seen:
    with client.responses.stream(**{**ASK, "input": "A party on Friday"}, text_format=Event) as events:
        seen = [plain(event) for event in events]
        final = events.get_final_response()
    assert isinstance(final.output_parsed, Event)
    return [*seen, plain(final.output_parsed)]


def tools(client: OpenAI) -> Seen:
    asked: list[Any] = [{"role": "user", "content": "Use get_weather for Paris"}]
    first = client.responses.create(**{**ASK, "input": asked}, tools=[TOOL])
    call = next(item for item in first.output if item.type == "function_call")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees"}
    again = [*asked, *[item.model_dump(exclude_none=True) for item in first.output], result]
    second = client.responses.create(**{**ASK, "input": again}, tools=[TOOL], tool_choice="auto")
    return [plain(first), call.arguments, plain(second), second.output_text]


def tool_stream(client: OpenAI) -> Seen:
    return [
        plain(event)
        for event in client.responses.create(**{**ASK, "input": "Use get_weather"}, tools=[TOOL], tool_choice="required", stream=True)
    ]


def image(client: OpenAI) -> Seen:
    content = [{"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": PIXEL, "detail": "low"}]
    return [plain(client.responses.create(model=MODEL, max_output_tokens=500, input=[{"role": "user", "content": content}]))]  # type: ignore[list-item]  # the SDK's types are narrower than what it sends


def chain(client: OpenAI) -> Seen:
    first = client.responses.create(**ASK)
    second = client.responses.create(**{**ASK, "input": "And now to Snow White."}, previous_response_id=first.id)
    third = client.responses.create(**{**ASK, "input": "Once more."}, previous_response_id=second.id, stream=True)
    return [plain(first), plain(second), *[plain(event) for event in third]]


def stored(client: OpenAI) -> Seen:
    made = client.responses.create(**ASK)
    read = client.responses.retrieve(made.id)
    items = [plain(item) for item in client.responses.input_items.list(made.id, order="asc", limit=10)]
    client.responses.delete(made.id)
    return [plain(made), plain(read), items, trouble(lambda: client.responses.retrieve(made.id))]


def not_stored(client: OpenAI) -> Seen:
    made = client.responses.create(**ASK, store=False)
    return [
        plain(made),
        trouble(lambda: client.responses.retrieve(made.id)),
        trouble(lambda: client.responses.create(**ASK, previous_response_id=made.id)),
    ]


def counted(client: OpenAI) -> Seen:
    return [plain(client.responses.input_tokens.count(model=MODEL, input="How many tokens is this?", instructions="Be brief."))]


def raw(client: OpenAI) -> Seen:
    got = client.responses.with_raw_response.create(**ASK)
    return [got.status_code, got.headers["content-type"], got.text, plain(got.parse())]


def raw_events(client: OpenAI) -> Seen:
    with client.responses.with_streaming_response.create(**ASK, stream=True) as got:
        return [got.status_code, got.headers["content-type"], b"".join(got.iter_bytes()).decode()]


def raw_lines(client: OpenAI) -> Seen:
    with client.responses.with_streaming_response.create(**ASK) as got:
        return [got.status_code, *got.iter_lines()]


# -- Chat Completions ------------------------------------------------------------------------------------------------


def chat(client: OpenAI) -> Seen:
    told = client.chat.completions.create(**CHAT, user="u1", seed=7)
    return [plain(told), told.choices[0].message.content]


def chat_choices(client: OpenAI) -> Seen:
    told = client.chat.completions.create(**CHAT, n=3)
    assert len(told.choices) == 3
    return [plain(told)]


def chat_stream(client: OpenAI) -> Seen:
    return [plain(chunk) for chunk in client.chat.completions.create(**CHAT, stream=True)]


def chat_stream_with_usage(client: OpenAI) -> Seen:
    seen = [plain(chunk) for chunk in client.chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True})]
    assert seen[-1][1]["usage"] is not None and seen[-1][1]["choices"] == []
    return seen


def chat_stream_of_choices(client: OpenAI) -> Seen:
    return [plain(chunk) for chunk in client.chat.completions.create(**CHAT, n=2, stream=True)]


def chat_stream_helper(client: OpenAI) -> Seen:
    with client.chat.completions.stream(**CHAT) as events:
        seen = [[event.type, plain(getattr(event, "chunk", None))] for event in events]
        return [*seen, plain(events.get_final_completion())]


def chat_tools(client: OpenAI) -> Seen:
    asked: list[Any] = [{"role": "user", "content": "Use get_weather for Paris"}]
    first = client.chat.completions.create(**{**CHAT, "messages": asked}, tools=[CHAT_TOOL])
    calls = first.choices[0].message.tool_calls
    assert calls is not None
    again = [*asked, first.choices[0].message, {"role": "tool", "tool_call_id": calls[0].id, "content": "18 degrees"}]
    second = client.chat.completions.create(**{**CHAT, "messages": again}, tools=[CHAT_TOOL])
    return [plain(first), plain(second)]


def chat_tool_stream(client: OpenAI) -> Seen:
    asked: list[Any] = [{"role": "user", "content": "Use get_weather"}]
    return [plain(chunk) for chunk in client.chat.completions.create(**{**CHAT, "messages": asked}, tools=[CHAT_TOOL], stream=True)]


def chat_parsed(client: OpenAI) -> Seen:
    told = client.chat.completions.parse(**CHAT, response_format=Event)
    assert isinstance(told.choices[0].message.parsed, Event)
    return [plain(told)]


def chat_image(client: OpenAI) -> Seen:
    content: Any = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    return [plain(client.chat.completions.create(model=MODEL, max_completion_tokens=500, messages=[{"role": "user", "content": content}]))]


def chat_old_limit(client: OpenAI) -> Seen:
    return [plain(client.chat.completions.create(model="gpt-4.1-mini", messages=TALK, max_tokens=300))]


def chat_raw(client: OpenAI) -> Seen:
    got = client.chat.completions.with_raw_response.create(**CHAT)
    return [got.status_code, got.text, plain(got.parse())]


def chat_raw_events(client: OpenAI) -> Seen:
    usage = {"include_usage": True}
    with client.chat.completions.with_streaming_response.create(**CHAT, stream=True, stream_options=usage) as got:  # type: ignore[arg-type]  # a plain dictionary is what it sends
        return [got.status_code, b"".join(got.iter_bytes()).decode()]


SCENES: tuple[Callable[[OpenAI], Seen], ...] = (
    answer, unicode_answer, stream, stream_helper, parsed, parsed_stream, tools, tool_stream, image, chain, stored, not_stored, counted,
    raw, raw_events, raw_lines, chat, chat_choices, chat_stream, chat_stream_with_usage, chat_stream_of_choices, chat_stream_helper,
    chat_tools, chat_tool_stream, chat_parsed, chat_image, chat_old_limit, chat_raw, chat_raw_events,
)  # fmt: skip


# -- the asynchronous client -----------------------------------------------------------------------------------------


async def async_answer(client: AsyncOpenAI) -> Seen:
    return [plain(await client.responses.create(**ASK)), plain(await client.chat.completions.create(**CHAT))]


async def async_stream(client: AsyncOpenAI) -> Seen:
    seen = [plain(event) async for event in await client.responses.create(**ASK, stream=True)]
    return seen + [plain(chunk) async for chunk in await client.chat.completions.create(**CHAT, stream=True)]


async def async_parsed(client: AsyncOpenAI) -> Seen:
    told = await client.responses.parse(**ASK, text_format=Event)
    async with client.chat.completions.stream(**CHAT, response_format=Event) as events:
        seen = [event.type async for event in events]
        final = await events.get_final_completion()
    assert isinstance(told.output_parsed, Event) and isinstance(final.choices[0].message.parsed, Event)
    return [plain(told), seen, plain(final)]


async def async_raw(client: AsyncOpenAI) -> Seen:
    whole = await client.responses.with_raw_response.create(**ASK)
    async with client.responses.with_streaming_response.create(**ASK, stream=True) as got:
        pieces = [piece async for piece in got.iter_bytes()]
    return [whole.text, b"".join(pieces).decode()]


async def async_stored(client: AsyncOpenAI) -> Seen:
    made = await client.responses.create(**ASK)
    items = [plain(item) async for item in client.responses.input_items.list(made.id)]
    seen = [plain(await client.responses.retrieve(made.id)), items]
    await client.responses.delete(made.id)
    return [*seen, plain(await client.responses.input_tokens.count(model=MODEL, input="How many?"))]


ASYNC_SCENES: tuple[Callable[[AsyncOpenAI], Awaitable[Seen]], ...] = (async_answer, async_stream, async_parsed, async_raw, async_stored)


# -- what goes wrong -------------------------------------------------------------------------------------------------


def trouble(act: Callable[[], Any]) -> Any:
    """The exception of the SDK as a program sees it, or what came instead."""
    try:
        return plain(act())
    except APIStatusError as error:
        return [type(error).__name__, error.status_code, error.code, error.param, error.type, error.message, error.body]
    except APIError as error:
        return [type(error).__name__, error.code, error.param, error.type, error.message, error.body]
    except (httpx2.HTTPError, ValueError) as error:
        return [type(error).__name__]


def broken(client: OpenAI, api: str, streaming: bool, fault: str) -> Seen:
    """A call that the provider answers badly: all that was seen of it, then how it ended."""
    seen: Seen = []
    # Some faults stand in the middle of a stream, which is elsewhere when a usage chunk was asked for.
    marked = {"metadata": {"rehearsal_fault": fault, **({"rehearsal_fault_at": "2"} if fault == "error_midstream" else {})}}

    def act() -> None:
        if api == "chat":
            got: Any = client.chat.completions.create(**CHAT, **marked, stream=streaming)  # type: ignore[call-overload]  # one call for both kinds
        else:
            got = client.responses.create(**ASK, **marked, stream=streaming)  # type: ignore[call-overload]  # one call for both kinds
        for event in got if streaming else [got]:
            seen.append(plain(event))

    return [trouble(act), *seen]
