"""How an answer is written down in the Responses API: the response object, and its events in OpenAI's order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headgate.rehearsal.ask import Ask
from headgate.rehearsal.meter import Tokens
from headgate.rehearsal.plan import COMPLETED, FAILED, INCOMPLETE, Plan
from headgate.rehearsal.says import Say, SayText, Search, UseTool
from headgate.rehearsal.shapes import Table, rows, table
from headgate.rehearsal.stamps import Stamp

Event = tuple[str, Table]

_TERMINAL = {COMPLETED: "response.completed", INCOMPLETE: "response.incomplete", FAILED: "response.failed"}
_NO_IMAGES = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "total_tokens": 0,
}
_FAILURE = {"code": "server_error", "message": "The rehearsal failed to generate an answer."}


def usage(tokens: Tokens) -> Table:
    details: Table = {"cached_tokens": tokens.cached, "cache_write_tokens": tokens.write_30m + tokens.write_12h}
    if tokens.write_30m or tokens.write_12h:
        details["cache_write_tokens_details"] = {"ttl_30m_tokens": tokens.write_30m, "ttl_12h_tokens": tokens.write_12h}
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": details,
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    }


def _item(say: Say, item_id: str, status: str) -> Table:
    match say:
        case SayText(text, refusal):
            part: Table = (
                {"type": "refusal", "refusal": text}
                if refusal
                else {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
            )
            return {"id": f"msg_{item_id}", "type": "message", "status": status, "role": "assistant", "content": [part]}
        case UseTool(tool, arguments):
            custom = tool.kind == "custom"
            item: Table = {
                "id": f"{'ctc' if custom else 'fc'}_{item_id}",
                "type": "custom_tool_call" if custom else "function_call",
                "status": status,
                "call_id": f"call_{item_id}",
                "name": tool.name,
                "input" if custom else "arguments": arguments,
            }
            return {**item, "namespace": tool.namespace} if tool.namespace else item
        case Search(query):
            return {
                "id": f"ws_{item_id}",
                "type": "web_search_call",
                "status": status,
                "action": {"type": "search", "query": query, "queries": [query]},
            }


def output(ask: Ask, plan: Plan, stamp: Stamp) -> list[Table]:
    """The items of the answer, reasoning first."""
    items: list[Table] = []
    if plan.tokens.reasoning and ask.row.reasoning:
        reasoning: Table = {"id": f"rs_{stamp.item(0)}", "type": "reasoning", "summary": []}
        if ask.encrypted_reasoning:
            reasoning["encrypted_content"] = f"rehearsal-{stamp.item(0)}"
        items.append(reasoning)
    last = len(plan.choices[0]) - 1
    for index, say in enumerate(plan.choices[0]):
        unfinished = plan.status != COMPLETED and index == last
        items.append(_item(say, stamp.item(len(items)), "incomplete" if unfinished else "completed"))
    return items


def response(ask: Ask, plan: Plan, stamp: Stamp, items: list[Table]) -> Table:
    """The whole response object as it stands at the end."""
    body = ask.body
    told: Table = {
        "id": stamp.response_id,
        "object": "response",
        "created_at": stamp.created,
        "status": plan.status,
        "background": False,
        "completed_at": stamp.created if plan.status == COMPLETED else None,
        "error": _FAILURE if plan.status == FAILED else None,
        "incomplete_details": {"reason": plan.reason} if plan.status == INCOMPLETE else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": ask.max_output,
        "max_tool_calls": ask.max_tool_calls,
        "model": plan.row.snapshot,
        "output": items,
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "prompt_cache_key": body.get("prompt_cache_key"),
        "reasoning": {"effort": ask.effort or ("medium" if ask.row.reasoning else None), "summary": None},
        "safety_identifier": body.get("safety_identifier"),
        "service_tier": plan.tier,
        "store": ask.store,
        "system_fingerprint": "fp_rehearsal",
        "temperature": body.get("temperature", 1.0),
        "text": {"format": {"type": "text"}, "verbosity": "medium", **table(body.get("text"))},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": rows(body.get("tools")),
        "top_logprobs": body.get("top_logprobs", 0),
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation", "disabled"),
        "usage": usage(plan.tokens) if plan.told_usage else None,
        "user": body.get("user"),
        "metadata": ask.metadata,
    }
    if plan.tokens.searches:
        told["tool_usage"] = {"web_search": {"num_requests": plan.tokens.searches}, "image_gen": _NO_IMAGES}
    return told


def running(told: Table) -> Table:
    """The same response while it is being made."""
    return {
        **told,
        "status": "in_progress",
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "output": [],
        "usage": None,
        "tool_usage": None,
    }


def events(told: Table, begun: Table, delta_events: int) -> list[Event]:
    """Every event with its number: created, in progress, the items one after another, and exactly one terminal event."""
    listed: list[Event] = [("response.created", {"response": begun}), ("response.in_progress", {"response": begun})]
    for index, item in enumerate(rows(told["output"])):
        listed += _item_events(table(item), index, delta_events)
    listed.append((_TERMINAL[told["status"]], {"response": told}))
    return [(name, {"type": name, "sequence_number": number, **fields}) for number, (name, fields) in enumerate(listed)]


def _item_events(item: Table, index: int, delta_events: int) -> Iterator[Event]:
    begun: Table = {**item, "status": "in_progress"} if "status" in item else item
    where = {"item_id": item["id"], "output_index": index}
    match item["type"]:
        case "message":
            yield "response.output_item.added", {"output_index": index, "item": {**begun, "content": []}}
            yield from _part_events(item["content"][0], {**where, "content_index": 0}, delta_events)
        case "function_call":
            yield "response.output_item.added", {"output_index": index, "item": {**begun, "arguments": ""}}
            for piece in pieces(item["arguments"], delta_events):
                yield "response.function_call_arguments.delta", {**where, "delta": piece}
            yield "response.function_call_arguments.done", {**where, "name": item["name"], "arguments": item["arguments"]}
        case "custom_tool_call":
            yield "response.output_item.added", {"output_index": index, "item": {**begun, "input": ""}}
            for piece in pieces(item["input"], delta_events):
                yield "response.custom_tool_call_input.delta", {**where, "delta": piece}
            yield "response.custom_tool_call_input.done", {**where, "input": item["input"]}
        case "web_search_call":
            yield "response.output_item.added", {"output_index": index, "item": begun}
            for step in ("in_progress", "searching", "completed"):
                yield f"response.web_search_call.{step}", where
        case _:
            yield "response.output_item.added", {"output_index": index, "item": begun}
    yield "response.output_item.done", {"output_index": index, "item": item}


def _part_events(part: Table, where: dict[str, Any], delta_events: int) -> Iterator[Event]:
    refusal = part["type"] == "refusal"
    name, whole = ("refusal", part["refusal"]) if refusal else ("output_text", part["text"])
    extra: Table = {} if refusal else {"logprobs": []}
    yield "response.content_part.added", {**where, "part": {**part, "refusal" if refusal else "text": ""}}
    for piece in pieces(whole, delta_events):
        yield f"response.{name}.delta", {**where, "delta": piece, **extra}
    yield f"response.{name}.done", {**where, "refusal" if refusal else "text": whole, **extra}
    yield "response.content_part.done", {**where, "part": part}


def pieces(whole: str, count: int) -> list[str]:
    """A text in so many pieces of about the same length; 0 is a piece for every sixteen characters."""
    count = min(count or max(1, len(whole) // 16), len(whole))
    return [whole[len(whole) * index // count : len(whole) * (index + 1) // count] for index in range(count)]
