"""Chat Completions against the OpenAI SDK, and against its types asked strictly."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from .conftest import Rehearsal

TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
}


class Capital(BaseModel):
    country: str
    people: int


@pytest.fixture
def client(rehearsal: Rehearsal) -> openai.OpenAI:
    return openai.OpenAI(base_url=rehearsal.base_url, api_key=rehearsal.key, max_retries=0)


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"n": 3},
        {"tools": [TOOL], "tool_choice": "required"},
        {"metadata": {"rehearsal_fault": "refusal_text"}},
        {"metadata": {"rehearsal_fault": "incomplete_content_filter"}},
        {"response_format": {"type": "json_object"}},
    ],
)
def test_every_chunk_and_object_is_what_the_types_of_the_sdk_allow(rehearsal: Rehearsal, more: dict[str, Any]) -> None:
    body = ask("Tell me about rivers", **more)
    ChatCompletion.model_validate(rehearsal.json("POST", "/v1/chat/completions", body), strict=True)
    *chunks, done = rehearsal.events("/v1/chat/completions", {**body, "stream_options": {"include_usage": True}})
    assert done == "[DONE]"
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    assert [chunk["usage"] is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    assert chunks[-1]["choices"] == []


def test_usage_is_told_in_a_stream_only_when_it_is_asked_for(rehearsal: Rehearsal) -> None:
    chunks = rehearsal.events("/v1/chat/completions", ask("Say hello"))[:-1]
    assert all("usage" not in chunk for chunk in chunks)
    assert rehearsal.billed_pico() > 0


def test_a_stream_and_a_plain_answer_say_and_bill_the_same(client: openai.OpenAI, rehearsal: Rehearsal) -> None:
    plain = client.chat.completions.create(**ask("Tell me about rivers"))
    said = "".join(
        chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**ask("Tell me about rivers"), stream=True)
    )
    assert said == plain.choices[0].message.content
    first, second = rehearsal.calls()
    assert first["tokens"] == second["tokens"]


def test_every_choice_is_billed(client: openai.OpenAI, rehearsal: Rehearsal) -> None:
    rehearsal.settings(full_output=True)
    completion = client.chat.completions.create(**ask("Say hello", n=4, max_completion_tokens=50))
    assert len(completion.choices) == 4
    assert completion.usage and completion.usage.completion_tokens == 200


def test_every_choice_has_its_own_reasoning(client: openai.OpenAI) -> None:
    one, two = (client.chat.completions.create(**{**ask("Say hello", n=n), "model": "gpt-5.5"}).usage for n in (1, 2))
    assert one and two and two.completion_tokens == 2 * one.completion_tokens
    assert one.completion_tokens_details and (one.completion_tokens_details.reasoning_tokens or 0) > 0


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_both_names_of_the_output_limit_are_obeyed(client: openai.OpenAI, limit: str) -> None:
    completion = client.chat.completions.create(**ask("Tell me about rivers", **{limit: 3}))
    assert completion.usage and completion.usage.completion_tokens == 3
    assert completion.choices[0].finish_reason == "length"


def test_a_structured_answer_is_parsed(client: openai.OpenAI) -> None:
    parsed = client.chat.completions.parse(**ask("The capital?"), response_format=Capital)
    assert isinstance(parsed.choices[0].message.parsed, Capital)


def test_a_tool_call_streams_its_arguments(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(**ask("Use get_weather", tools=[TOOL])) as stream:
        final = stream.get_final_completion()
    call = (final.choices[0].message.tool_calls or [])[0]
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert final.choices[0].finish_reason == "tool_calls"
