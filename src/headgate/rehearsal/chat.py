"""How an answer is written down in Chat Completions: the completion object, and its chunks up to `[DONE]`."""

from __future__ import annotations

from headgate.rehearsal.ask import Ask
from headgate.rehearsal.meter import Tokens
from headgate.rehearsal.plan import CONTENT_FILTER, INCOMPLETE, Plan
from headgate.rehearsal.responses import pieces
from headgate.rehearsal.says import Say, SayText, UseTool
from headgate.rehearsal.shapes import Table, rows
from headgate.rehearsal.stamps import Stamp

DONE = "[DONE]"
_FINGERPRINT = "fp_rehearsal"


def usage(tokens: Tokens) -> Table:
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {
            "cached_tokens": tokens.cached,
            "cache_write_tokens": tokens.write_30m + tokens.write_12h,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _message(says: tuple[Say, ...], stamp: Stamp, choice: int) -> Table:
    message: Table = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
    calls: list[Table] = []
    for say in says:
        if isinstance(say, SayText):
            message["refusal" if say.refusal else "content"] = say.text
        elif isinstance(say, UseTool):
            call_id = f"call_{stamp.item(choice * 16 + len(calls))}"
            inner = {"name": say.tool.name, "input" if say.tool.kind == "custom" else "arguments": say.arguments}
            calls.append({"id": call_id, "type": say.tool.kind, say.tool.kind: inner})
    if calls:
        message["tool_calls"] = calls
    elif message["content"] is None and message["refusal"] is None:
        message["content"] = ""
    return message


def _finish(plan: Plan, message: Table) -> str:
    if plan.status == INCOMPLETE:
        return "content_filter" if plan.reason == CONTENT_FILTER else "length"
    return "tool_calls" if "tool_calls" in message else "stop"


def completion(ask: Ask, plan: Plan, stamp: Stamp) -> Table:
    """The whole completion."""
    messages = [_message(says, stamp, choice) for choice, says in enumerate(plan.choices)]
    return {
        "id": stamp.chat_id,
        "object": "chat.completion",
        "created": stamp.created,
        "model": plan.row.snapshot,
        "choices": [
            {"index": index, "message": message, "logprobs": None, "finish_reason": _finish(plan, message)}
            for index, message in enumerate(messages)
        ],
        "usage": usage(plan.tokens) if plan.told_usage else None,
        "service_tier": plan.tier,
        "system_fingerprint": _FINGERPRINT,
        **({"metadata": ask.metadata} if ask.store else {}),
    }


def chunks(told: Table, include_usage: bool, delta_events: int) -> list[Table | str]:
    """The chunks of a completion; with `include_usage` every chunk says `usage: null` and one more before `[DONE]` has it."""
    head: Table = {name: told[name] for name in ("id", "created", "model", "service_tier", "system_fingerprint")}
    head["object"] = "chat.completion.chunk"
    tail: Table = {"usage": None} if include_usage else {}
    listed: list[Table | str] = []
    for choice in rows(told["choices"]):
        for delta in _deltas(choice["message"], delta_events):
            listed.append(
                {**head, "choices": [{"index": choice["index"], "delta": delta, "logprobs": None, "finish_reason": None}], **tail}
            )
        listed.append(
            {
                **head,
                "choices": [{"index": choice["index"], "delta": {}, "logprobs": None, "finish_reason": choice["finish_reason"]}],
                **tail,
            }
        )
    if include_usage:
        listed.append({**head, "choices": [], "usage": told["usage"]})
    return [*listed, DONE]


def _deltas(message: Table, delta_events: int) -> list[Table]:
    deltas: list[Table] = [{"role": "assistant", "content": None if message["content"] is None else "", "refusal": None}]
    for name in ("content", "refusal"):
        deltas += [{name: piece} for piece in pieces(message[name] or "", delta_events)]
    for index, call in enumerate(rows(message.get("tool_calls"))):
        kind = call["type"]
        argument = "input" if kind == "custom" else "arguments"
        deltas.append({"tool_calls": [{"index": index, "id": call["id"], "type": kind, kind: {**call[kind], argument: ""}}]})
        deltas += [{"tool_calls": [{"index": index, kind: {argument: piece}}]} for piece in pieces(call[kind][argument], delta_events)]
    return deltas
