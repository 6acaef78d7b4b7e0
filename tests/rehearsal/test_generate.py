"""One request from end to end, without a network: whatever is asked, the answer is an answer and the bill is exact."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headgate.rehearsal.http import Request
from headgate.rehearsal.meter import pico
from headgate.rehearsal.moves import Cut, Hang, Shut, Wait
from headgate.rehearsal.routes import handler
from headgate.rehearsal.settings import Settings
from headgate.rehearsal.world import World

SCALAR = st.none() | st.booleans() | st.integers(-2, 300) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
WORDS = st.sampled_from(
    [
        "type",
        "role",
        "content",
        "text",
        "name",
        "user",
        "tool",
        "message",
        "function",
        "custom",
        "web_search",
        "json_schema",
        "schema",
        "required",
        "auto",
        "calc.py",
    ]
)
JSON = st.recursive(
    SCALAR | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
FIELDS = [
    *(
        "input",
        "messages",
        "tools",
        "tool_choice",
        "text",
        "response_format",
        "reasoning",
        "reasoning_effort",
        "metadata",
        "stream",
        "stream_options",
        "n",
    ),
    *(
        "store",
        "max_output_tokens",
        "max_tokens",
        "max_completion_tokens",
        "instructions",
        "service_tier",
        "previous_response_id",
        "include",
        "user",
    ),
    *("prompt_cache_options", "prompt_cache_key", "parallel_tool_calls", "temperature", "truncation", "max_tool_calls", "background"),
]


def answered(world: World, target: str, body: bytes) -> tuple[int, bytes]:
    """Status and everything that was sent."""
    reply = handler(world)(Request("POST", target, {"authorization": "Bearer k"}, body, b""))
    sent = b"".join(move for move in reply.moves if not isinstance(move, Wait | Cut | Shut | Hang))
    reply.done("whole")
    return int(sent.split(b" ", 2)[1]), sent


@given(
    st.sampled_from(["/v1/responses", "/v1/chat/completions", "/v1/responses/input_tokens"]),
    st.sampled_from(["gpt-5.5", "gpt-4o", "gpt-6.1-sol"]),
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5),
    st.booleans(),
)
def test_no_request_is_too_strange_for_an_answer(target: str, model: str, fields: dict[str, Any], sensible: bool) -> None:
    world = World({"k": "p"}, "admin", Settings(), 1)
    base: dict[str, Any] = {"model": model}
    if sensible:
        base |= {"input": "Fix calc.py", "messages": [{"role": "user", "content": "Fix calc.py"}]}
    status, _ = answered(world, target, json.dumps({**base, **fields}).encode())
    assert status in (200, 400, 404)
    assert (world.meter.total.billed > 0) == (status == 200 and target != "/v1/responses/input_tokens")
    assert pico(world.meter.total.billed) >= 0


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["role", "type", "content", "output", "arguments", "name", "call_id"]), JSON, max_size=4),
        max_size=4,
    )
)
def test_with_one_token_a_byte_the_input_never_has_more_tokens_than_the_body_has_bytes(items: list[Any]) -> None:
    world = World({"k": "p"}, "admin", Settings(bytes_per_token=1), 1)
    body = json.dumps(
        {"model": "gpt-6.1-sol", "input": [{"role": "user", "content": "x"}, *items]}, separators=(",", ":"), ensure_ascii=False
    )
    if answered(world, "/v1/responses", body.encode("utf-8", "replace"))[0] == 200:
        assert world.meter.total.input_tokens <= len(body.encode("utf-8", "replace"))


def test_another_model_is_billed_as_the_other_model() -> None:
    world = World({"k": "p"}, "admin", Settings(), 1)
    asked = {"model": "gpt-5.5", "input": "Say hello", "metadata": {"rehearsal_fault": "dearer_model"}}
    answered(world, "/v1/responses", json.dumps(asked).encode())
    (call,) = world.meter.calls
    assert (call.model, call.billed_model) == ("gpt-5.5", "gpt-5.5-pro")
    assert call.tokens is not None
    assert pico(call.billed) == call.tokens.input * 30_000_000 + call.tokens.output * 180_000_000
