"""Reads a request of the Responses API as OpenAI would, with its words when something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headgate.rehearsal.ask import (
    EFFORTS,
    RESPONSES,
    Ask,
    Earlier,
    Tool,
    Turn,
    read_flag,
    read_metadata,
    read_model,
    read_tier,
    read_whole,
)
from headgate.rehearsal.problems import Problem, invalid, invalid_type, missing
from headgate.rehearsal.shapes import Table, rows, table, text

_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
_CALLS = {"function_call": "arguments", "custom_tool_call": "input", "mcp_call": "arguments"}
_RESULTS = ("function_call_output", "custom_tool_call_output", "tool_search_output", "local_shell_call_output", "shell_call_output")

# What the rehearsal does not play; a request for it is refused rather than half done.
_NOT_PLAYED = ("conversation", "prompt")


def _content_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(text(table(part).get("text")) for part in rows(content))


def _turn(item: Table) -> Turn:
    kind = text(item.get("type")) or "message"
    if kind == "message":
        return Turn(_ROLES.get(text(item.get("role")), "other"), _content_text(item.get("content")))
    if kind in _CALLS:
        return Turn("call", text(item.get(_CALLS[kind])), text(item.get("name")))
    if kind in _RESULTS:
        return Turn("result", _content_text(item.get("output")))
    return Turn("other", "")


def _tools(listed: list[Any], namespace: str = "") -> list[Tool]:
    found: list[Tool] = []
    for member in listed:
        tool = table(member)
        kind = text(tool.get("type"))
        if kind == "namespace":
            found += _tools(rows(tool.get("tools")), text(tool.get("name")))
        else:
            found.append(Tool(kind, text(tool.get("name")) or kind, table(tool.get("parameters")), namespace))
    return found


def _tool_choice(choice: Any) -> str:
    if isinstance(choice, str):
        return choice
    members = table(choice)
    if text(members.get("type")) == "allowed_tools":
        return text(members.get("mode")) or "auto"
    return text(members.get("name")) or text(members.get("type")) or "auto"


def _check_items(items: list[Any]) -> Problem | None:
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            return invalid_type(f"input[{index}]", "an object")
        members = table(item)
        if "type" not in members and "role" not in members:
            return missing(f"input[{index}].type")
        if members.get("type", "message") == "message":
            if text(members.get("role")) not in _ROLES:
                return invalid(f"Invalid value for 'input[{index}].role'.", f"input[{index}].role", "invalid_value")
            if not isinstance(members.get("content"), (str, list)):
                return invalid_type(f"input[{index}].content", "a string or an array of content parts")
    return None


def _check_tools(value: Any) -> Problem | None:
    if value is None:
        return None
    if not isinstance(value, list):
        return invalid_type("tools", "an array of objects")
    for index, tool in enumerate(rows(value)):
        if not isinstance(tool, dict):
            return invalid_type(f"tools[{index}]", "an object")
        kind = text(table(tool).get("type"))
        if not kind:
            return missing(f"tools[{index}].type")
        if kind in ("function", "custom") and not text(table(tool).get("name")):
            return missing(f"tools[{index}].name")
    return None


def _schema(body: Table) -> Table | Problem | None:
    form = table(table(body.get("text")).get("format"))
    kind = text(form.get("type"))
    if kind == "json_object":
        return {}
    if kind != "json_schema":
        return None
    if not text(form.get("name")):
        return missing("text.format.name")
    return table(form.get("schema")) if isinstance(form.get("schema"), dict) else missing("text.format.schema")


def _check_shapes(body: Table) -> Problem | None:
    for name in ("text", "reasoning", "stream_options", "prompt_cache_options"):
        if body.get(name) is not None and not isinstance(body[name], dict):
            return invalid_type(name, "an object")
    for name in ("instructions", "previous_response_id", "prompt_cache_key", "user", "safety_identifier"):
        if body.get(name) is not None and not isinstance(body[name], str):
            return invalid_type(name, "a string")
    for name in _NOT_PLAYED:
        if body.get(name) is not None:
            return Problem(404, f"The {name} of this request was not found.", None, name)
    effort = table(body.get("reasoning")).get("effort")
    if effort is not None and effort not in EFFORTS:
        return invalid(f"Invalid value for 'reasoning.effort': expected one of {', '.join(EFFORTS)}.", "reasoning.effort", "invalid_value")
    return _check_tools(body.get("tools"))


def read_items(body: Table) -> list[Any] | Problem:
    """The input as a list of items; a bare string is one message of the user."""
    value = body.get("input")
    if value is None:
        return missing("input")
    if isinstance(value, str):
        return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": value}]}]
    if not isinstance(value, list):
        return invalid_type("input", "a string or an array of items")
    return _check_items(rows(value)) or rows(value)


def read_responses(body: Table, recall: Callable[[str], Earlier | None]) -> Ask | Problem:
    """`recall` finds what an earlier response of the same project left."""
    row = read_model(RESPONSES, body)
    if isinstance(row, Problem):
        return row
    items = read_items(body)
    if isinstance(items, Problem):
        return items
    problem = _check_shapes(body)
    if problem is not None:
        return problem
    max_output = read_whole(body, "max_output_tokens", 16, row.max_output)
    max_tool_calls = read_whole(body, "max_tool_calls", 1, 1_000_000)
    stream, store = read_flag(body, "stream", False), read_flag(body, "store", True)
    tier, metadata, schema = read_tier(body, row), read_metadata(body), _schema(body)
    for value in (max_output, max_tool_calls, stream, store, tier, metadata, schema):
        if isinstance(value, Problem):
            return value
    if body.get("background"):
        return invalid("The rehearsal does not run responses in the background.", "background", "unsupported_parameter")
    earlier = None
    if body.get("previous_response_id") is not None:
        earlier = recall(body["previous_response_id"])
        if earlier is None:
            message = f"Previous response with id '{body['previous_response_id']}' not found."
            return invalid(message, "previous_response_id", "previous_response_not_found")
    added = [tool for item in items if table(item).get("type") == "additional_tools" for tool in rows(table(item).get("tools"))]
    before = [part for part in (body.get("instructions"), body.get("tools"), table(body.get("text")).get("format")) if part]
    content: list[Any] = [body["input"]] if isinstance(body["input"], str) else items
    turns = tuple(_turn(table(item)) for item in items)
    return Ask(
        api=RESPONSES,
        body=body,
        row=row,
        stream=bool(stream),
        turns=(*earlier.turns, *turns) if earlier else turns,
        tools=tuple(_tools(rows(body.get("tools")) + added)),
        tool_choice=_tool_choice(body.get("tool_choice")) or "auto",
        pieces=(*before, *content),
        schema=schema if isinstance(schema, dict) else None,
        max_output=max_output if isinstance(max_output, int) else None,
        max_tool_calls=max_tool_calls if isinstance(max_tool_calls, int) else None,
        effort=text(table(body.get("reasoning")).get("effort")),
        tier=tier if isinstance(tier, str) else "auto",
        store=bool(store),
        include_usage=True,
        encrypted_reasoning="reasoning.encrypted_content" in rows(body.get("include")),
        cache_key=text(body.get("prompt_cache_key")),
        cache_12h=table(body.get("prompt_cache_options")).get("ttl") == "12h",
        earlier=earlier,
        metadata=metadata if isinstance(metadata, dict) else {},
    )


def output_turns(output: list[Table]) -> tuple[Turn, ...]:
    """The turns that the next request sees of an answer's items."""
    return tuple(_turn(item) for item in output)


def canonical(items: list[Any]) -> list[Table]:
    """The items as `GET …/input_items` lists them: every one with an id."""
    return [{"id": f"item_rehearsal_{index}", **table(item)} for index, item in enumerate(items)]
