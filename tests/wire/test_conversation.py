"""Bytes bound a conversation only when it is text through and through."""

from __future__ import annotations

import json

import msgspec
import pytest

from headgate.refusal import Refusal
from headgate.wire.api import Api
from headgate.wire.conversation import Conversation, read_conversation


def talk(api: Api, items: object) -> Conversation:
    raw = items if isinstance(items, bytes) else json.dumps(items).encode()
    read = read_conversation(api, msgspec.Raw(raw), "input")
    assert not isinstance(read, Refusal), read
    return read


TEXT = {"type": "input_text", "text": "x"}


@pytest.mark.parametrize(
    "items",
    [
        "hello",
        None,
        [],
        [{"role": "user", "content": "x"}],
        [{"role": "user", "content": [TEXT]}],
        [{"type": "message", "role": "assistant", "id": "msg_1", "content": [{"type": "output_text", "text": "x", "annotations": []}]}],
        [{"type": "message", "role": "user", "content": [{**TEXT, "prompt_cache_breakpoint": True}]}],
        [{"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"}, {"type": "function_call_output", "output": "x"}],
        [{"type": "function_call_output", "call_id": "c", "output": [TEXT]}],
        [{"type": "custom_tool_call", "input": "x"}, {"type": "custom_tool_call_output", "output": "x"}],
        [{"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "x"}], "encrypted_content": "x"}],
        [{"type": "local_shell_call", "action": {"command": ["ls"]}}, {"type": "local_shell_call_output", "output": "x"}],
        [{"type": "compaction", "encrypted_content": "x"}, {"type": "compaction_trigger"}],
        [{"type": "tool_search_call", "arguments": {}, "execution": "client"}],
        [{"type": "message", "role": "user", "content": "x", "brand_new_note": {"deep": [1]}}],
    ],
)
def test_text_is_bounded_by_its_bytes(items):
    assert talk(Api.RESPONSES, items) == Conversation(opaque=False)


@pytest.mark.parametrize(
    "items",
    [
        [{"role": "user", "content": [{"type": "input_image", "image_url": "data:x"}]}],
        [{"role": "user", "content": [TEXT, {"type": "input_file", "file_id": "f"}]}],
        [{"role": "user", "content": [{"type": "input_audio"}]}],
        [{"role": "user", "content": [{"text": "x"}]}],
        [{"type": "item_reference", "id": "msg_1"}],
        [{"id": "msg_1"}],
        [{"type": "message", "id": "msg_1"}],
        [{"type": "reasoning", "id": "rs_1", "summary": []}],
        [{"type": "reasoning", "id": "rs_1", "encrypted_content": None}],
        [{"type": "compaction", "id": "cmp_1"}],
        [{"type": "computer_call_output", "output": {"type": "computer_screenshot"}}],
        [{"type": "function_call_output", "output": [{"type": "input_image"}]}],
        [{"type": "invented_tomorrow"}],
        [{"type": 5, "role": "user", "content": "x"}],
        [{"role": "user", "content": 5}],
        ["x"],
        {"role": "user"},
        7,
        b'[{"type":"message","type":"item_reference","role":"user","content":"x"}]',
        b'[{"type":"item_reference","type":"message","role":"user","content":"x"}]',
        b'[{"role":"user","content":[{"type":"input_image"}],"content":"x"}]',
        b'[{"role":"user","content":[{"type":"input_image","type":"input_text"}]}]',
        b'[{"role":"user","content":[{"type":"input_text","typ\\u0065":"input_image"}]}]',
        b'[{"role":"user","content":[{"type":"input_im\\u0061ge"}]}]',
    ],
)
def test_whatever_points_elsewhere_or_is_unknown_is_opaque(items):
    assert talk(Api.RESPONSES, items).opaque


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "x", "name": "n"},
        {"role": "user", "content": [{"type": "text", "text": "x"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "assistant", "content": "x", "refusal": None, "audio": None, "annotations": []},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "f", "input": "x"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "x"},
    ],
)
def test_chat_text_is_bounded_by_its_bytes(message):
    assert not talk(Api.CHAT, [message]).opaque


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "user", "content": [{"type": "file", "file": {}}]},
        {"role": "assistant", "audio": {"id": "audio_1"}},
        {"role": "user", "content": {"type": "text"}},
    ],
)
def test_chat_pictures_files_and_earlier_audio_are_opaque(message):
    assert talk(Api.CHAT, [message]).opaque


def test_an_earlier_audio_answer_cannot_hide_behind_a_null():
    assert talk(Api.CHAT, b'[{"role":"assistant","content":"x","audio":{"id":"a"},"audio":null}]').opaque


def test_tools_are_found_in_every_kind_of_item():
    tools = [{"type": "mcp", "server_url": "https://x"}]
    usual = [{"type": "additional_tools", "tools": tools}, {"type": "message", "role": "user", "content": "x"}]
    odd = [{"type": "tool_search_output", "tools": tools, "call_id": "c"}, {"type": "message", "role": "user", "content": "x"}]
    strange = [{"type": "additional_tools", "tools": tools}, {"type": "message", "content": 5}]
    for items in (usual, odd, strange):
        read = talk(Api.RESPONSES, items)
        assert [(tool.type, tool.hosted, tool.inside) for tool in read.tools] == [("mcp", True, True)]
    assert not talk(Api.RESPONSES, usual).opaque and not talk(Api.RESPONSES, odd).opaque and talk(Api.RESPONSES, strange).opaque
