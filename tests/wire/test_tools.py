"""A tool is free only when the client is known to run it."""

from __future__ import annotations

import json

import msgspec
import pytest

from headgate.refusal import Refusal
from headgate.wire.tools import FREE, read_tools


def hosted(*tools: object) -> list[tuple[str, bool]]:
    read = read_tools(msgspec.Raw(json.dumps(tools).encode()), "tools")
    assert not isinstance(read, Refusal), read
    return [(tool.type, tool.hosted) for tool in read]


@pytest.mark.parametrize("kind", sorted(FREE))
def test_what_the_client_runs_is_free(kind):
    assert hosted({"type": kind}) == [(kind, False)]


@pytest.mark.parametrize(
    "kind",
    ["web_search", "web_search_preview", "file_search", "code_interpreter", "image_generation", "mcp", "computer", "invented_tomorrow"],
)
def test_what_the_provider_runs_or_nobody_knows_is_hosted(kind):
    assert hosted({"type": kind}) == [(kind, True)]


def test_some_tools_are_free_only_when_they_say_so():
    assert hosted({"type": "tool_search"}, {"type": "tool_search", "execution": "client"}) == [
        ("tool_search", True),
        ("tool_search", False),
    ]
    local, container = {"type": "shell", "environment": {"type": "local"}}, {"type": "shell", "environment": {"type": "container_auto"}}
    assert hosted(local, container, {"type": "shell"}) == [("shell", False), ("shell", True), ("shell", True)]


def test_a_tool_without_a_type_is_hosted():
    assert hosted({}, {"type": 5}) == [("unknown", True), ("unknown", True)]


def test_tools_of_a_namespace_count_like_their_own():
    assert hosted({"type": "namespace", "tools": [{"type": "function"}, {"type": "mcp"}]}) == [
        ("namespace", False),
        ("function", False),
        ("mcp", True),
    ]


def test_a_namespace_too_far_inside_is_not_believed():
    deep = {"type": "mcp"}
    for _ in range(4):
        deep = {"type": "namespace", "tools": [deep]}
    assert ("namespace", True) in hosted(deep)
