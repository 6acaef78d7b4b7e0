"""Requests that OpenAI would refuse, and the words in which it does."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Rehearsal

GOOD: dict[str, dict[str, Any]] = {
    "/v1/responses": {"model": "gpt-5.5", "input": "hi"},
    "/v1/chat/completions": {"model": "gpt-5.5", "messages": [{"role": "user", "content": "hi"}]},
}


@pytest.mark.parametrize("target", GOOD)
@pytest.mark.parametrize(
    ("change", "status", "code", "param"),
    [
        ({"model": None}, 400, "missing_required_parameter", "model"),
        ({"model": 5}, 400, "invalid_type", "model"),
        ({"stream": "yes"}, 400, "invalid_type", "stream"),
        ({"tools": {}}, 400, "invalid_type", "tools"),
        ({"tools": [{"type": "function"}]}, 400, "missing_required_parameter", None),
        ({"metadata": {"a": 1}}, 400, "invalid_type", "metadata.a"),
        ({"metadata": {str(n): "x" for n in range(17)}}, 400, None, "metadata"),
        ({"service_tier": "gold"}, 400, "invalid_value", "service_tier"),
        ({"service_tier": "ultrafast"}, 400, None, "service_tier"),
        ({"metadata": {"rehearsal_fault": "no_such_fault"}}, 400, None, "metadata.rehearsal_fault"),
        ({"metadata": {"rehearsal_fault": "done_missing"}}, 400, None, "metadata.rehearsal_fault"),
    ],
)
def test_a_bad_field_is_named_and_costs_nothing(
    rehearsal: Rehearsal, target: str, change: dict[str, Any], status: int, code: str | None, param: str | None
) -> None:
    seen, headers, body = rehearsal.send("POST", target, {**GOOD[target], **change})
    error = rehearsal.json("POST", target, {**GOOD[target], **change})["error"]
    assert (seen, headers["x-headgate-rehearsal"]) == (status, "1"), body
    assert error["code"] == code
    assert param is None or error["param"] == param
    assert rehearsal.billed_pico() == 0
    assert [call["ended"] for call in rehearsal.calls()] == ["refused", "refused"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"input": None}, "missing_required_parameter"),
        ({"input": 5}, "invalid_type"),
        ({"input": [{"content": "x"}]}, "missing_required_parameter"),
        ({"input": [{"role": "robot", "content": "x"}]}, "invalid_value"),
        ({"max_output_tokens": 15}, "integer_below_min_value"),
        ({"max_output_tokens": 128_001}, "integer_above_max_value"),
        ({"max_output_tokens": "50"}, "invalid_type"),
        ({"previous_response_id": "resp_unknown"}, "previous_response_not_found"),
        ({"reasoning": {"effort": "enormous"}}, "invalid_value"),
    ],
)
def test_a_bad_field_of_responses_is_named(rehearsal: Rehearsal, change: dict[str, Any], code: str) -> None:
    assert rehearsal.json("POST", "/v1/responses", {**GOOD["/v1/responses"], **change})["error"]["code"] == code


@pytest.mark.parametrize(
    "change",
    [
        {"messages": []},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"stream_options": {"include_usage": True}},
        {"max_tokens": 5, "max_completion_tokens": 5},
        {"n": 0},
        {"n": 129},
    ],
)
def test_a_bad_field_of_chat_is_refused(rehearsal: Rehearsal, change: dict[str, Any]) -> None:
    assert rehearsal.send("POST", "/v1/chat/completions", {**GOOD["/v1/chat/completions"], **change})[0] == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff{}", b'{"model": NaN}', b"[" * 100_000])
def test_what_is_not_a_json_object_is_refused(rehearsal: Rehearsal, body: bytes) -> None:
    assert rehearsal.send("POST", "/v1/responses", body)[0] == 400


def test_an_unknown_model_is_named_as_each_api_does(rehearsal: Rehearsal) -> None:
    status = {target: rehearsal.send("POST", target, {**body, "model": "gpt-99"})[0] for target, body in GOOD.items()}
    assert status == {"/v1/responses": 400, "/v1/chat/completions": 404}


def test_only_its_own_keys_are_let_in(rehearsal: Rehearsal) -> None:
    body = GOOD["/v1/responses"]
    assert rehearsal.send("POST", "/v1/responses", body, key=None)[0] == 401
    assert rehearsal.json("POST", "/v1/responses", body, key="sk-wrong")["error"]["code"] == "invalid_api_key"
    assert rehearsal.send("GET", "/v1/models", key=None)[0] == 401


def test_the_tier_that_is_billed_is_told(rehearsal: Rehearsal) -> None:
    told = {}
    for tier in ("auto", "default", "flex", "priority", "fast", "scale"):
        told[tier] = rehearsal.json("POST", "/v1/responses", {**GOOD["/v1/responses"], "service_tier": tier})["service_tier"]
    assert told == {"auto": "default", "default": "default", "flex": "flex", "priority": "priority", "fast": "priority", "scale": "default"}
    rehearsal.settings(auto_tier="priority")
    assert rehearsal.json("POST", "/v1/responses", GOOD["/v1/responses"])["service_tier"] == "priority"
    assert rehearsal.calls()[-1]["tier"] == "priority"


def test_more_input_than_the_model_can_read_is_refused(rehearsal: Rehearsal) -> None:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "word " * 110_000}]}
    assert rehearsal.json("POST", "/v1/chat/completions", body)["error"]["code"] == "context_length_exceeded"
