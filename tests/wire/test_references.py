"""A request says which files it points to, wherever they stand."""

from __future__ import annotations

import json

import pytest

from headgate.refusal import Refusal
from headgate.wire.api import Api
from headgate.wire.references import files_named
from headgate.wire.request import read_request


def named(api: Api, talk: object) -> list[str]:
    name = "input" if api is Api.RESPONSES else "messages"
    asked = read_request(api, json.dumps({"model": "gpt-5.5", name: talk}).encode())
    assert not isinstance(asked, Refusal), asked
    return files_named(asked)


def said(*parts: object) -> list[object]:
    return [{"role": "user", "content": list(parts)}]


@pytest.mark.parametrize(
    ("api", "talk"),
    [
        (Api.RESPONSES, said({"type": "input_file", "file_id": "file-1"})),
        (Api.RESPONSES, said({"type": "input_text", "text": "see"}, {"type": "input_image", "file_id": "file-1", "detail": "low"})),
        (Api.RESPONSES, [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_file", "file_id": "file-1"}]}]),
        (Api.RESPONSES, [{"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot", "file_id": "file-1"}}]),
        (Api.RESPONSES, [{"type": "a_type_of_tomorrow", "deep": [{"er": {"file_id": "file-1"}}]}]),
        (Api.CHAT, said({"type": "file", "file": {"file_id": "file-1"}})),
        (Api.CHAT, said({"type": "file", "file": {"file_id": "file-1"}}, {"type": "file", "file": {"file_id": "file-1"}})),
    ],
)
def test_a_file_is_named_once_wherever_it_stands(api: Api, talk: object) -> None:
    assert named(api, talk) == ["file-1"]


def test_what_only_speaks_of_a_file_names_none() -> None:
    assert named(Api.RESPONSES, '{"file_id":"file-1"}') == []
    assert named(Api.RESPONSES, said({"type": "input_text", "text": '{"file_id":"file-1"}'})) == []
    assert named(Api.RESPONSES, said({"type": "input_file", "file_data": "data:text/plain;base64,aGVsbG8=", "filename": "file_id"})) == []
    assert named(Api.RESPONSES, said({"type": "input_file", "file_id": None})) == []
