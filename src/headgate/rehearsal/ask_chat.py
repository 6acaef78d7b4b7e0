"""Reads a request of Chat Completions as OpenAI would, with its words when something is wrong."""

from __future__ import annotations

from typing import Any

from headgate.rehearsal.ask import CHAT, EFFORTS, Ask, Tool, Turn, read_flag, read_metadata, read_model, read_tier, read_whole
from headgate.rehearsal.problems import Problem, invalid, invalid_type, missing
from headgate.rehearsal.shapes import Table, rows, table, text

_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system", "tool": "result", "function": "result"}


def _content_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(text(table(part).get("text")) for part in rows(content))


def _turns(messages: list[Any]) -> list[Turn]:
    turns: list[Turn] = []
    for member in messages:
        message = table(member)
        turns.append(Turn(_ROLES[text(message.get("role"))], _content_text(message.get("content"))))
        for call in rows(message.get("tool_calls")):
            function = table(table(call).get("function")) or table(table(call).get("custom"))
            turns.append(Turn("call", text(function.get("arguments")) or text(function.get("input")), text(function.get("name"))))
    return turns


def _tools(listed: list[Any]) -> list[Tool]:
    found: list[Tool] = []
    for member in listed:
        kind = text(table(member).get("type"))
        inner = table(table(member).get(kind))
        found.append(Tool(kind, text(inner.get("name")), table(inner.get("parameters"))))
    return found


def _tool_choice(choice: Any) -> str:
    if isinstance(choice, str):
        return choice
    members = table(choice)
    inner = table(members.get("function")) or table(members.get("custom"))
    return text(inner.get("name")) or text(table(members.get("allowed_tools")).get("mode")) or "auto"


def _check_messages(value: Any) -> Problem | None:
    if value is None:
        return missing("messages")
    if not isinstance(value, list):
        return invalid_type("messages", "an array of objects")
    if not rows(value):
        return invalid("Invalid 'messages': empty array. Expected an array with minimum length 1.", "messages", "empty_array")
    for index, member in enumerate(rows(value)):
        message = table(member)
        role = text(message.get("role"))
        if role not in _ROLES:
            return invalid(f"Invalid value for 'messages[{index}].role'.", f"messages[{index}].role", "invalid_value")
        content = message.get("content")
        silent = role == "assistant" and content is None
        if not silent and not isinstance(content, (str, list)):
            return invalid_type(f"messages[{index}].content", "a string or an array of content parts")
        if role == "tool" and not text(message.get("tool_call_id")):
            return missing(f"messages[{index}].tool_call_id")
    return None


def _check_tools(value: Any) -> Problem | None:
    if value is None:
        return None
    if not isinstance(value, list):
        return invalid_type("tools", "an array of objects")
    for index, tool in enumerate(rows(value)):
        kind = text(table(tool).get("type"))
        if kind not in ("function", "custom"):
            return invalid(f"Invalid value for 'tools[{index}].type'.", f"tools[{index}].type", "invalid_value")
        if not text(table(table(tool).get(kind)).get("name")):
            return missing(f"tools[{index}].{kind}.name")
    return None


def _schema(body: Table) -> Table | Problem | None:
    form = table(body.get("response_format"))
    kind = text(form.get("type"))
    if kind == "json_object":
        return {}
    if kind != "json_schema":
        return None
    inner = table(form.get("json_schema"))
    return table(inner.get("schema")) if text(inner.get("name")) else missing("response_format.json_schema.name")


def _check_shapes(body: Table, stream: bool) -> Problem | None:
    for name in ("stream_options", "response_format"):
        if body.get(name) is not None and not isinstance(body[name], dict):
            return invalid_type(name, "an object")
    if body.get("stream_options") is not None and not stream:
        return invalid("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        return invalid("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.", "max_tokens")
    effort = body.get("reasoning_effort")
    if effort is not None and effort not in EFFORTS:
        return invalid(f"Invalid value for 'reasoning_effort': expected one of {', '.join(EFFORTS)}.", "reasoning_effort", "invalid_value")
    return _check_messages(body.get("messages")) or _check_tools(body.get("tools"))


def read_chat(body: Table) -> Ask | Problem:
    row = read_model(CHAT, body)
    if isinstance(row, Problem):
        return row
    stream, store = read_flag(body, "stream", False), read_flag(body, "store", False)
    problem = _check_shapes(body, stream is True)
    if problem is not None:
        return problem
    param = "max_tokens" if body.get("max_tokens") is not None else "max_completion_tokens"
    max_output, choices = read_whole(body, param, 1, row.max_output), read_whole(body, "n", 1, 128)
    tier, metadata, schema = read_tier(body, row), read_metadata(body), _schema(body)
    for value in (stream, store, max_output, choices, tier, metadata, schema):
        if isinstance(value, Problem):
            return value
    before = [part for part in (body.get("tools"), table(body.get("response_format")).get("json_schema")) if part]
    return Ask(
        api=CHAT,
        body=body,
        row=row,
        stream=bool(stream),
        turns=tuple(_turns(rows(body["messages"]))),
        tools=tuple(_tools(rows(body.get("tools")))),
        tool_choice=_tool_choice(body.get("tool_choice")) or "auto",
        pieces=(*before, *rows(body["messages"])),
        schema=schema if isinstance(schema, dict) else None,
        choices=choices if isinstance(choices, int) else 1,
        max_output=max_output if isinstance(max_output, int) else None,
        effort=text(body.get("reasoning_effort")),
        tier=tier if isinstance(tier, str) else "auto",
        store=bool(store),
        include_usage=table(body.get("stream_options")).get("include_usage") is True,
        cache_key=text(body.get("prompt_cache_key")),
        metadata=metadata if isinstance(metadata, dict) else {},
    )
