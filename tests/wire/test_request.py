"""What governs a request is read exactly; the rest passes byte for byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.refusal import Reason, Refusal
from headgate.wire.api import Api
from headgate.wire.request import Edits, ModelRequest, read_request, write_request


def asked(api: Api, **fields: object) -> ModelRequest:
    whole = {"model": "m", **({"messages": []} if api is Api.CHAT else {}), **fields}
    read = read_request(api, json.dumps(whole).encode())
    assert isinstance(read, ModelRequest), read
    return read


def refused(api: Api, body: bytes) -> Refusal:
    read = read_request(api, body)
    assert isinstance(read, Refusal), read
    return read


def wrong(api: Api, **fields: object) -> Refusal:
    return refused(api, json.dumps({"model": "m", "input": "x", "messages": [], **fields}).encode())


def test_a_plain_call_says_nothing_but_its_model():
    read = asked(Api.RESPONSES, input="hello")
    assert (read.model, read.stream, read.max_output, read.choices, read.opaque) == ("m", False, None, 1, False)
    assert not (read.tools or read.background or read.conversation or read.prompt_id or read.structured or read.include_usage)


def test_every_governed_field_of_responses_is_read():
    read = asked(
        Api.RESPONSES,
        input=[],
        stream=True,
        max_output_tokens=7,
        max_tool_calls=3,
        service_tier="flex",
        previous_response_id="resp_1",
        background=True,
        store=False,
        reasoning={"effort": "low"},
        text={"format": {"type": "json_schema"}},
        metadata={"a": "b"},
        conversation={"id": "conv_1"},
        prompt={"id": "pmpt_1"},
    )
    assert read.stream and read.max_output == 7 and read.max_tool_calls == 3 and read.service_tier == "flex"
    assert read.previous_response_id == "resp_1" and read.background and read.store is False and read.reasoning_effort == "low"
    assert read.structured and read.conversation and read.prompt_id and read.metadata == {"a": "b"}


def test_every_governed_field_of_chat_is_read():
    read = asked(
        Api.CHAT,
        stream=True,
        n=3,
        max_completion_tokens=9,
        max_tokens=5,
        reasoning_effort="high",
        stream_options={"include_usage": True},
        response_format={"type": "json_object"},
        modalities=["text", "audio"],
    )
    assert (read.choices, read.max_output, read.reasoning_effort) == (3, 5, "high")
    assert read.include_usage and read.structured and read.audio_output


def test_null_is_the_same_as_not_said():
    names = "stream max_output_tokens max_tool_calls service_tier previous_response_id background store reasoning text metadata tools"
    read = asked(Api.RESPONSES, input=None, conversation=None, prompt=None, **dict.fromkeys(names.split()))
    plain = asked(Api.RESPONSES, input="")
    assert [getattr(read, name) for name in read.__struct_fields__ if name not in ("fields", "body_bytes")] == [
        getattr(plain, name) for name in plain.__struct_fields__ if name not in ("fields", "body_bytes")
    ]


@pytest.mark.parametrize(
    ("api", "field", "value"),
    [
        (Api.RESPONSES, "model", 5),
        (Api.RESPONSES, "model", ""),
        (Api.RESPONSES, "model", "x" * 300),
        (Api.RESPONSES, "stream", "yes"),
        (Api.RESPONSES, "max_output_tokens", 0),
        (Api.RESPONSES, "max_output_tokens", -1),
        (Api.RESPONSES, "max_output_tokens", 1.5),
        (Api.RESPONSES, "max_output_tokens", "5"),
        (Api.RESPONSES, "max_output_tokens", True),
        (Api.RESPONSES, "max_output_tokens", 10**30),
        (Api.RESPONSES, "max_tool_calls", []),
        (Api.RESPONSES, "service_tier", 1),
        (Api.RESPONSES, "previous_response_id", {}),
        (Api.RESPONSES, "reasoning", "high"),
        (Api.RESPONSES, "tools", {}),
        (Api.RESPONSES, "tools", ["function"]),
        (Api.RESPONSES, "text", 3),
        (Api.CHAT, "n", 0),
        (Api.CHAT, "n", 1000),
        (Api.CHAT, "max_tokens", -5),
        (Api.CHAT, "stream_options", True),
        (Api.CHAT, "response_format", "json"),
    ],
)
def test_a_governed_field_of_the_wrong_type_is_named(api, field, value):
    refusal = wrong(api, **{field: value})
    assert refusal.reason is Reason.INVALID_FIELD and refusal.param == field


def test_fields_of_the_other_api_are_not_governed():
    assert asked(Api.RESPONSES, input="", n="many").choices == 1
    assert asked(Api.CHAT, max_output_tokens="many").max_output is None


def test_a_missing_model_and_missing_messages_are_named():
    assert refused(Api.RESPONSES, b'{"input":"x"}').param == "model"
    assert refused(Api.CHAT, b'{"model":"m"}').param == "messages"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.INVALID_JSON),
        (b"[]", Reason.INVALID_JSON),
        (b'"x"', Reason.INVALID_JSON),
        (b'{"model":"m"', Reason.INVALID_JSON),
        (b'{"model":"m"} ,', Reason.INVALID_JSON),
        (b'\xef\xbb\xbf{"model":"m"}', Reason.INVALID_JSON),
        (b'{"model":"m","input":"\xff"}', Reason.INVALID_JSON),
        (b'{"model":"\\ud800"}', Reason.INVALID_JSON),
        (b'{"model":"m","temperature":NaN}', Reason.INVALID_JSON),
        (b'{"model":"m","x":' + b"9" * 1_000_000 + b"}", Reason.INVALID_FIELD),
        (b'{"model":"m","max_output_tokens":' + b"9" * 1_000_000 + b"}", Reason.INVALID_FIELD),
        (b'{"model":"m","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", Reason.TOO_DEEP),
        (b'{"model":"m","input":' + b"[" * 100_000 + b"]" * 100_000 + b"}", Reason.TOO_DEEP),
        (b'{"model":"m","input":[{"x":' + b"[" * 80 + b"1" + b"]" * 80 + b"}]}", Reason.TOO_DEEP),
        (b'{"model":"m","tools":[{"type":"function","parameters":' + b"[" * 80 + b"1" + b"]" * 80 + b"}]}", Reason.TOO_DEEP),
        (b'{"model":"m","metadata":' + b'{"a":' * 80 + b"1" + b"}" * 80 + b"}", Reason.TOO_DEEP),
        (b'{"model":"m",' + b",".join(b'"%d":1' % n for n in range(1_000_000)) + b"}", Reason.INVALID_JSON),
        (b'{"model":"a","model":"b"}', Reason.DUPLICATE_FIELD),
        (b'{"model":"a","mod\\u0065l":"b"}', Reason.DUPLICATE_FIELD),
        (b'{"model":"a","stream_options":{"include_usage":true,"include_usage":false}}', Reason.DUPLICATE_FIELD),
        (b'{"model":"a","reasoning":{"effort":"low","effort":"high"}}', Reason.DUPLICATE_FIELD),
        (b'{"model":"a","tools":[{"type":"function","type":"web_search"}]}', Reason.DUPLICATE_FIELD),
        (b'{"model":"a","tools":[{"type":"function","name":"a","name":"b"}]}', Reason.DUPLICATE_FIELD),
        (b'{"model":"a","tools":[{"type":"namespace","tools":[{"type":"function","type":"mcp"}]}]}', Reason.DUPLICATE_FIELD),
        (b'{"model":"a","input":[{"type":"additional_tools","tools":[],"tools":[{"type":"mcp"}]}]}', Reason.DUPLICATE_FIELD),
    ],
)
def test_bombs_and_doubles_are_refused_and_never_raise(body, reason):
    for api in Api:
        if api is Api.RESPONSES or (b"input" not in body and b"reasoning" not in body and b"tools" not in body):
            assert refused(api, body).reason is reason


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode), st.sampled_from(list(Api)))
def test_no_bytes_raise(body, api):
    read_request(api, body)
    read_request(api, b'{"model":"m","messages":[],"input":' + body + b"}")
    read_request(api, b'{"model":"m","messages":[' + body + b'],"tools":[' + body + b"]}")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["message", "input_image", "function", "low", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "tools", "output", "model", "effort", "format", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
FIELDS = [
    "model",
    "input",
    "messages",
    "tools",
    "stream",
    "stream_options",
    "reasoning",
    "text",
    "n",
    "max_tokens",
    "max_output_tokens",
    "metadata",
    "prompt",
    "new_field",
    "client_metadata",
    "service_tier",
]


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6), st.sampled_from(list(Api)))
def test_whatever_is_read_can_be_written_and_carries_the_limits(fields, api):
    read = read_request(api, json.dumps({"model": "m", "messages": [], **fields}).encode())
    if isinstance(read, Refusal):
        return
    edits = Edits(max_output=99, drop_tools=frozenset({"message", "function"}), include_usage=True, max_tool_calls=2)
    again = read_request(api, write_request(read, edits))
    assert isinstance(again, ModelRequest)
    assert again.max_output == 99 and again.service_tier == "default" and again.include_usage and again.model == read.model
    assert not {tool.type for tool in again.tools if tool.type != "namespace"} & edits.drop_tools


def test_an_unknown_field_passes_and_makes_the_request_opaque():
    read = asked(Api.RESPONSES, input="x", brand_new={"a": 1})
    assert read.opaque
    assert b'"brand_new":{"a": 1}' in write_request(read, Edits(max_output=1))


def test_what_is_not_edited_stands_byte_for_byte():
    body = b'{ "model":"m", "input" : [ {"role":"user", "content":"\\u00e9 \\ud83d\\ude00"} ] , "temperature": 1.0e0, "seed":00 }'
    body = body.replace(b":00", b":1234567890123456789012345678901234567890")
    read = read_request(Api.RESPONSES, body)
    assert isinstance(read, ModelRequest)
    assert write_request(read, Edits(max_output=5)) == (
        b'{"model":"m","input":[ {"role":"user", "content":"\\u00e9 \\ud83d\\ude00"} ],"temperature":1.0e0,'
        b'"seed":1234567890123456789012345678901234567890,"service_tier":"default","max_output_tokens":5}'
    )


def test_the_grant_is_written_where_the_client_wrote_its_own_number():
    def written(**fields: object) -> dict[str, object]:
        return json.loads(write_request(asked(Api.CHAT, **fields), Edits(max_output=5)))

    assert written(max_tokens=9)["max_tokens"] == 5 and "max_completion_tokens" not in written(max_tokens=9)
    assert written(max_completion_tokens=9)["max_completion_tokens"] == 5
    assert written()["max_completion_tokens"] == 5 and written(max_tokens=None)["max_completion_tokens"] == 5
    both = written(max_tokens=9, max_completion_tokens=8)
    assert both["max_tokens"] == both["max_completion_tokens"] == 5


def test_usage_is_asked_for_beside_what_the_client_asked_of_the_stream():
    read = asked(Api.CHAT, stream=True, stream_options={"include_obfuscation": False})
    out = json.loads(write_request(read, Edits(max_output=5, include_usage=True)))
    assert out["stream_options"] == {"include_obfuscation": False, "include_usage": True}
    read = asked(Api.CHAT, stream=True, stream_options={"include_usage": False})
    assert json.loads(write_request(read, Edits(max_output=5, include_usage=True)))["stream_options"] == {"include_usage": True}


def test_dropped_tools_go_wherever_they_stand_and_take_their_choice_along():
    search, function = {"type": "web_search", "filters": None}, {"type": "function", "name": "f"}
    inside = {"type": "additional_tools", "role": "developer", "tools": [search, {"type": "namespace", "name": "n", "tools": [function]}]}
    read = asked(
        Api.RESPONSES, input=[inside, {"role": "user", "content": "x"}], tools=[search, function], tool_choice={"type": "web_search"}
    )
    assert [(tool.type, tool.hosted, tool.inside) for tool in read.tools] == [
        ("web_search", True, False),
        ("function", False, False),
        ("web_search", True, True),
        ("namespace", False, True),
        ("function", False, True),
    ]
    out = json.loads(write_request(read, Edits(max_output=5, drop_tools=frozenset({"web_search"}))))
    assert out["tools"] == [function] and "tool_choice" not in out
    assert out["input"][0]["tools"] == inside["tools"][1:] and out["input"][1] == {"role": "user", "content": "x"}


def test_without_a_tool_left_nothing_speaks_of_tools():
    read = asked(Api.RESPONSES, input="x", tools=[{"type": "web_search"}], tool_choice="required", parallel_tool_calls=True)
    out = json.loads(write_request(read, Edits(max_output=5, drop_tools=frozenset({"web_search"}))))
    assert not out.keys() & {"tools", "tool_choice", "parallel_tool_calls"}


def test_client_metadata_leaves_without_credentials():
    dirty = {"x-codex-turn-metadata": json.dumps({"o": "https://u:secret@git.example.test/a/b"}), "n": 1}
    out = write_request(asked(Api.RESPONSES, input="x", client_metadata=dirty), Edits(max_output=5))
    assert b"secret" not in out and b"git.example.test/a/b" in out
    assert b"client_metadata" not in write_request(
        asked(Api.RESPONSES, input="x", client_metadata={}), Edits(max_output=5, client_metadata=b"")
    )
