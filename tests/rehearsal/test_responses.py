"""Against the OpenAI SDK: what it parses, and what its own types accept when they are asked strictly."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from .conftest import Rehearsal

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
TOOL = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
FREEFORM = {"type": "custom", "name": "apply_patch"}


class Capital(BaseModel):
    country: str
    people: int


@pytest.fixture
def client(rehearsal: Rehearsal) -> openai.OpenAI:
    return openai.OpenAI(base_url=rehearsal.base_url, api_key=rehearsal.key, max_retries=0)


@pytest.fixture
def async_client(rehearsal: Rehearsal) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=rehearsal.base_url, api_key=rehearsal.key, max_retries=0)


def test_a_plain_answer_says_something_and_what_it_used(client: openai.OpenAI, rehearsal: Rehearsal) -> None:
    response = client.responses.create(model="gpt-5.5", input="Say hello")
    assert response.output_text == "hello"
    assert response.id.startswith("resp_rehearsal_")
    assert response.model == "gpt-5.5-2026-04-23"
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert rehearsal.billed_pico() == response.usage.input_tokens * 5_000_000 + response.usage.output_tokens * 30_000_000


@pytest.mark.parametrize(
    "body",
    [
        {"input": "Tell me about rivers"},
        {"input": "What is the weather? Use get_weather.", "tools": [TOOL]},
        {"input": "patch it", "tools": [FREEFORM], "tool_choice": {"type": "custom", "name": "apply_patch"}},
        {"input": "Please search the web for rivers", "tools": [{"type": "web_search"}]},
        {"input": "x", "metadata": {"rehearsal_fault": "refusal_text"}},
        {"input": "x", "metadata": {"rehearsal_fault": "incomplete_max_tokens"}},
        {"input": "x", "metadata": {"rehearsal_fault": "failed_with_usage"}},
        {"input": "x", "metadata": {"rehearsal_fault": "cached_and_writes"}},
        {"input": "x", "include": ["reasoning.encrypted_content"], "store": False},
    ],
)
def test_every_event_and_object_is_what_the_types_of_the_sdk_allow(rehearsal: Rehearsal, body: dict[str, Any]) -> None:
    body = {"model": "gpt-6.1-sol", **body}
    events = rehearsal.events("/v1/responses", body)
    for event in events:
        EVENT.validate_python(event, strict=True)
    names = [event["type"] for event in events]
    assert names[:2] == ["response.created", "response.in_progress"]
    assert [name for name in names if name in ("response.completed", "response.incomplete", "response.failed")] == names[-1:]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert names[-1] == "response." + events[-1]["response"]["status"]
    assert events[0]["response"]["usage"] is None
    Response.model_validate(rehearsal.json("POST", "/v1/responses", body), strict=True)


def test_a_stream_and_a_plain_answer_say_and_bill_the_same(client: openai.OpenAI, rehearsal: Rehearsal) -> None:
    plain = client.responses.create(model="gpt-5.5", input="Tell me about rivers")
    with client.responses.stream(model="gpt-5.5", input="Tell me about rivers") as stream:
        deltas = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert deltas == final.output_text == plain.output_text
    assert final.usage == plain.usage
    first, second = rehearsal.calls()
    assert first["billed_pico"] == second["billed_pico"]
    assert [call["ended"] for call in (first, second)] == ["whole", "whole"]


async def _async_text(client: openai.AsyncOpenAI) -> str:
    said = ""
    async for event in await client.responses.create(model="gpt-5.5", input="Say hello", stream=True):
        if event.type == "response.output_text.delta":
            said += event.delta
    return said


def test_the_asynchronous_client_reads_the_same(async_client: openai.AsyncOpenAI) -> None:
    assert asyncio.run(_async_text(async_client)) == "hello"


def test_a_structured_answer_is_parsed(client: openai.OpenAI) -> None:
    parsed = client.responses.parse(model="gpt-5.5", input="The capital?", text_format=Capital)
    assert isinstance(parsed.output_parsed, Capital)


def test_a_tool_that_is_named_is_called_and_its_result_is_used(client: openai.OpenAI) -> None:
    first = client.responses.create(model="gpt-5.5", input="Use get_weather for Oslo", tools=[TOOL])  # type: ignore[list-item]  # a plain dict does
    call = next(item for item in first.output if item.type == "function_call")
    assert call.name == "get_weather"
    second = client.responses.create(
        model="gpt-5.5",
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "4 degrees"}],
        tools=[TOOL],  # type: ignore[list-item]  # a plain dict does
    )
    assert "4 degrees" in second.output_text


def test_an_earlier_response_is_paid_for_again(client: openai.OpenAI) -> None:
    first = client.responses.create(model="gpt-5.5", input="Tell me about rivers")
    alone = client.responses.create(model="gpt-5.5", input="And lakes?")
    after = client.responses.create(model="gpt-5.5", input="And lakes?", previous_response_id=first.id)
    assert first.usage and alone.usage and after.usage
    assert after.usage.input_tokens == first.usage.total_tokens + alone.usage.input_tokens


def test_output_never_passes_its_maximum_and_says_so_when_it_is_cut(client: openai.OpenAI) -> None:
    response = client.responses.create(model="gpt-5.5", input="Tell me about rivers", max_output_tokens=16)
    assert response.status == "incomplete"
    assert response.incomplete_details and response.incomplete_details.reason == "max_output_tokens"
    assert response.usage and response.usage.output_tokens == 16


def test_a_mean_provider_bills_all_that_it_may(rehearsal: Rehearsal, client: openai.OpenAI) -> None:
    rehearsal.settings(full_output=True, bytes_per_token=1)
    capped = client.responses.create(model="gpt-5.5", input="Say hello", max_output_tokens=1_000)
    assert capped.usage and (capped.usage.input_tokens, capped.usage.output_tokens) == (len("Say hello"), 1_000)
    free = client.responses.create(model="gpt-5.5", input="Say hello")
    assert free.usage and free.usage.output_tokens == 128_000


def test_a_stored_response_is_read_listed_and_deleted_by_its_own_project_only(client: openai.OpenAI, rehearsal: Rehearsal) -> None:
    made = client.responses.create(model="gpt-5.5", input="Say hello")
    other = openai.OpenAI(base_url=rehearsal.base_url, api_key=rehearsal.other_key, max_retries=0)
    assert client.responses.retrieve(made.id) == made
    assert len(client.responses.input_items.list(made.id).data) == 1
    with pytest.raises(openai.NotFoundError):
        other.responses.retrieve(made.id)
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_a_response_that_asked_not_to_be_stored_is_not(client: openai.OpenAI) -> None:
    made = client.responses.create(model="gpt-5.5", input="Say hello", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_the_count_is_what_the_request_is_billed_for(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {
        "model": "gpt-5.5",
        "input": [{"role": "user", "content": "naïve 漢字"}],
        "instructions": "Be brief",
        "tools": [TOOL],
    }
    counted = client.responses.input_tokens.count(**asked)
    used = client.responses.create(**asked).usage
    assert used and counted.input_tokens == used.input_tokens
