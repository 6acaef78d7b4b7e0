"""What is said, and that it is said again in the same words."""

from __future__ import annotations

from typing import Any

from .conftest import Rehearsal


def said(rehearsal: Rehearsal, text: str, **more: Any) -> str:
    answer = rehearsal.json("POST", "/v1/responses", {"model": "gpt-4o", "input": text, **more})
    return answer["output"][-1]["content"][0]["text"]


def test_the_same_question_gets_the_same_answer_and_another_one_another(rehearsal: Rehearsal) -> None:
    assert said(rehearsal, "Tell me about rivers") == said(rehearsal, "Tell me about rivers") != said(rehearsal, "Tell me about lakes")


def test_what_it_is_told_to_say_it_says(rehearsal: Rehearsal) -> None:
    assert said(rehearsal, 'Reply with exactly: "governed and durable".') == "governed and durable"


def test_the_length_of_an_answer_can_be_set_for_all_or_for_one(rehearsal: Rehearsal) -> None:
    assert len(said(rehearsal, "x", metadata={"rehearsal_text_tokens": "100"}).encode()) // 4 in range(95, 110)
    rehearsal.settings(text_tokens=300)
    assert len(said(rehearsal, "x").encode()) // 4 in range(290, 320)


def test_the_number_of_deltas_can_be_set(rehearsal: Rehearsal) -> None:
    rehearsal.settings(delta_events=7)
    events = rehearsal.events("/v1/responses", {"model": "gpt-4o", "input": "Tell me about rivers"})
    assert [event["type"] for event in events].count("response.output_text.delta") == 7


def test_a_tool_that_is_forbidden_is_not_used(rehearsal: Rehearsal) -> None:
    tool = {"type": "function", "name": "look", "parameters": {"type": "object"}}
    body = {"model": "gpt-4o", "input": "Use look", "tools": [tool]}
    assert rehearsal.json("POST", "/v1/responses", body)["output"][-1]["type"] == "function_call"
    assert rehearsal.json("POST", "/v1/responses", {**body, "tool_choice": "none"})["output"][-1]["type"] == "message"
