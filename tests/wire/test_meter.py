"""A stream passes unchanged, in whole events, and what was seen of it does not depend on how it was cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.wire.api import Api
from headgate.wire.client import Client
from headgate.wire.meter import Seen, StreamMeter, Terminal, read_answer
from headgate.wire.usage import Usage

USAGE = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
CHAT_USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def event(data: object, name: str | None = None, end: str = "\n") -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    lead = f"event: {name}{end}" if name else ""
    return f"{lead}data: {text}{end}{end}".encode()


def response_event(kind: str, end: str = "\n", **response: object) -> bytes:
    whole = {"id": "resp_1", "model": "m-1", "service_tier": "default", **response}
    return event({"type": f"response.{kind}", "sequence_number": 9, "response": whole}, f"response.{kind}", end)


def delta(text: str, end: str = "\n") -> bytes:
    return event({"type": "response.output_text.delta", "delta": text, "sequence_number": 3}, "response.output_text.delta", end)


def chunk(end: str = "\n", **fields: object) -> bytes:
    return event({"id": "chatcmpl_1", "model": "m-1", "service_tier": "default", **fields}, None, end)


def text_chunk(text: str, end: str = "\n", stop: str | None = None) -> bytes:
    return chunk(end, choices=[{"index": 0, "delta": {"content": text}, "finish_reason": stop}], usage=None)


def run(meter: StreamMeter, pieces: list[bytes]) -> bytes:
    return b"".join([meter.feed(piece) for piece in pieces]) + meter.rest()


def whole(api: Api, stream: bytes, **settings_of: object) -> tuple[StreamMeter, bytes]:
    meter = StreamMeter(api, **settings_of)
    return meter, run(meter, [stream])


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = sorted({place % (len(data) + 1) for place in places})
    return [data[start:stop] for start, stop in zip([0, *at], [*at, len(data)], strict=True)]


# Text that looks like the marks, and letters of several bytes.
TEXTS = st.sampled_from(
    ["", "hé", '"response" "error"', "[DONE]", "_tokens", '"usage":{"prompt_tokens":1}', "日本", "\r\n\n", "error", "response"]
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])
NOISE = st.sampled_from([b": keep-alive", b"retry: 5", b"id: 7", b"event: ping", b"data:", b"data: [DONE]x", b"data: {broken"])


@st.composite
def streams(draw: st.DrawFn, api: Api) -> bytes:
    end = draw(ENDS)
    pieces: list[bytes] = []
    stop = draw(st.sampled_from(["stop", "length", None]))
    if api is Api.RESPONSES:
        pieces.append(response_event("created", end, usage=None))
    for _ in range(draw(st.integers(0, 4))):
        text = draw(TEXTS)
        pieces.append(delta(text, end) if api is Api.RESPONSES else text_chunk(text, end))
    if api is Api.RESPONSES:
        kind = draw(st.sampled_from(["completed", "incomplete", "failed"]))
        details = {"reason": "max_output_tokens"} if kind == "incomplete" else None
        for usage in draw(st.sampled_from([[USAGE], [USAGE, None], [None], [USAGE, {"input_tokens": 9, "output_tokens": 5}], []])):
            pieces.append(response_event(kind, end, usage=usage, incomplete_details=details))
    else:
        pieces.append(text_chunk("", end, stop))
        if draw(st.booleans()):
            pieces.append(chunk(end, choices=[], usage=CHAT_USAGE))
        if draw(st.booleans()):
            pieces.append(event("[DONE]", None, end))
    for _ in range(draw(st.integers(0, 3))):
        noise = draw(NOISE) + (end * draw(st.integers(2, 4))).encode()
        pieces.insert(draw(st.integers(0, len(pieces))), noise)
    if draw(st.integers(0, 4)) == 0:
        pieces.append(event({"error": {"message": "x"}, "type": "error"}, "error", end))
    if draw(st.integers(0, 4)) == 0:
        pieces.append(b"data: half an event")
    return b"".join(pieces)


@pytest.mark.parametrize("api", list(Api))
@given(data=st.data())
@settings(max_examples=150)
def test_the_result_does_not_depend_on_how_the_bytes_were_cut(api, data):
    stream = data.draw(streams(api))
    places = data.draw(st.lists(st.integers(0, 5000), max_size=12))
    how = {
        "hide_usage": data.draw(st.booleans()),
        "shortened": data.draw(st.sampled_from([None, "Headgate shortened this answer."])),
        "client": data.draw(st.sampled_from(list(Client))),
        "event_limit": data.draw(st.sampled_from([100, 250, 4096])),
    }
    at_once, first = whole(api, stream, **how)
    in_pieces = StreamMeter(api, **how)
    second = run(in_pieces, cut(stream, places))
    byte_by_byte = StreamMeter(api, **how)
    third = run(byte_by_byte, [bytes([one]) for one in stream])
    assert first == second == third
    assert at_once.seen == in_pieces.seen == byte_by_byte.seen
    assert (at_once.ended, at_once.broken) == (in_pieces.ended, in_pieces.broken) == (byte_by_byte.ended, byte_by_byte.broken)


@pytest.mark.parametrize("api", list(Api))
@given(data=st.data())
def test_every_byte_passes_when_nothing_is_hidden(api, data):
    stream = data.draw(streams(api))
    meter = StreamMeter(api)
    assert run(meter, cut(stream, data.draw(st.lists(st.integers(0, 5000), max_size=6)))) == stream


@given(st.integers(0, 3), ENDS, st.lists(st.integers(0, 5000), max_size=6))
def test_only_the_usage_chunk_disappears(texts, end, places):
    before = b"".join(text_chunk("x", end) for _ in range(texts)) + text_chunk("", end, "stop")
    after = event("[DONE]", None, end)
    meter = StreamMeter(Api.CHAT, hide_usage=True)
    assert run(meter, cut(before + chunk(end, choices=[], usage=CHAT_USAGE) + after, places)) == before + after
    assert meter.seen.usage == Usage(10, 5) and meter.ended and meter.seen.terminal is Terminal.COMPLETED


def test_a_usage_that_rides_on_a_choice_is_counted_and_not_hidden():
    stream = chunk(choices=[{"delta": {}, "finish_reason": "length"}], usage=CHAT_USAGE) + event("[DONE]")
    meter, out = whole(Api.CHAT, stream, hide_usage=True)
    assert out == stream and meter.seen.usage == Usage(10, 5)
    assert meter.seen.terminal is Terminal.INCOMPLETE and meter.seen.incomplete_reason == "length"


def test_a_filter_chunk_without_choices_is_no_usage_chunk():
    stream = chunk(choices=[], usage=None, prompt_filter_results=[]) + text_chunk("x")
    assert whole(Api.CHAT, stream, hide_usage=True)[1] == stream


@pytest.mark.parametrize(
    ("kind", "terminal", "reason"),
    [
        ("completed", Terminal.COMPLETED, None),
        ("incomplete", Terminal.INCOMPLETE, "max_output_tokens"),
        ("failed", Terminal.FAILED, None),
    ],
)
def test_each_terminal_event_ends_a_response(kind, terminal, reason):
    details = {"reason": reason} if reason else None
    stream = response_event("created") + delta("x") + response_event(
        kind, usage=USAGE, incomplete_details=details, service_tier="flex", tool_usage={"web_search": {"num_requests": 2}}
    )  # fmt: skip
    meter, out = whole(Api.RESPONSES, stream)
    assert out == stream and meter.ended and not meter.broken
    assert meter.seen == Seen(Usage(10, 5, web_searches=2), "resp_1", "m-1", "flex", terminal, True, reason, True)


def test_the_id_is_known_from_the_first_event_on():
    meter = StreamMeter(Api.RESPONSES)
    meter.feed(response_event("created"))
    assert meter.seen.response_id == "resp_1" and not meter.ended
    chat = StreamMeter(Api.CHAT)
    chat.feed(b": hello\n\n" + text_chunk("x"))
    assert chat.seen.response_id == "chatcmpl_1" and chat.seen.model == "m-1"


def test_the_last_believable_usage_counts():
    first, second = response_event("completed", usage=USAGE), response_event("completed", usage={"input_tokens": 7, "output_tokens": 5})
    assert whole(Api.RESPONSES, first + second)[0].seen.usage == Usage(7, 5)
    for unbelievable in (None, {"input_tokens": -1, "output_tokens": 5}, "x"):
        meter, _ = whole(Api.RESPONSES, first + response_event("completed", usage=unbelievable))
        assert meter.seen.usage == Usage(10, 5) and meter.ended


@pytest.mark.parametrize(
    "usage", [None, {"input_tokens": -1, "output_tokens": 5}, {"input_tokens": 1.5, "output_tokens": 5}, {}, [], "many"]
)
def test_an_end_without_a_believable_usage_is_an_end_without_usage(usage):
    meter, _ = whole(Api.RESPONSES, response_event("completed", usage=usage))
    assert meter.ended and meter.seen.terminal is Terminal.COMPLETED and meter.seen.usage is None


def test_an_error_in_the_stream_ends_it_and_takes_back_no_count():
    meter, _ = whole(Api.RESPONSES, response_event("created") + event({"type": "error", "code": "x", "message": "y"}, "error"))
    assert meter.ended and meter.seen.terminal is Terminal.FAILED and meter.seen.usage is None
    meter, _ = whole(Api.CHAT, chunk(choices=[], usage=CHAT_USAGE) + event({"error": {"message": "x"}}))
    assert meter.ended and meter.seen.terminal is Terminal.FAILED and meter.seen.usage == Usage(10, 5)


def test_text_that_looks_like_an_end_ends_nothing():
    bait = 'data: [DONE]\n\n{"type":"response.completed","response":{"usage":{"input_tokens":1,"output_tokens":1}}} "error" _tokens"'
    meter, _ = whole(Api.RESPONSES, response_event("created") + delta(bait))
    assert not meter.ended and meter.seen.usage is None
    meter, _ = whole(Api.CHAT, text_chunk(bait) + text_chunk("[DONE]"))
    assert not meter.ended and meter.seen.usage is None


def test_a_stream_without_its_end_has_not_ended():
    assert not whole(Api.CHAT, text_chunk("x") + chunk(choices=[], usage=CHAT_USAGE))[0].ended
    assert not whole(Api.RESPONSES, response_event("created") + delta("x"))[0].ended
    assert not whole(Api.RESPONSES, response_event("completed", usage=USAGE)[:-1])[0].ended


def test_half_an_event_is_held_back():
    meter = StreamMeter(Api.RESPONSES)
    assert meter.feed(delta("x") + b"data: {half") == delta("x")
    assert meter.rest() == b"data: {half"


@pytest.mark.parametrize("page", [b"<html>\n\n<body>no</body></html>", b'{"error":{"message":"x"}}', b'{\n\n"a":1}'])
def test_what_is_no_stream_is_broken_and_nothing_of_it_passes(page):
    meter, out = whole(Api.RESPONSES, page)
    assert meter.broken and out == b"" and not meter.seen.readable


def test_an_event_larger_than_the_limit_breaks_the_stream_after_the_events_before_it():
    stream = delta("x") + delta("y" * 5000) + delta("z")
    meter, out = whole(Api.RESPONSES, stream, event_limit=1000)
    assert meter.broken and out == delta("x")
    endless = StreamMeter(Api.RESPONSES, event_limit=1000)
    assert b"".join(endless.feed(b"data: " + b"x" * 100) for _ in range(50)) == b"" and endless.broken
    assert len(endless.rest()) == 0


def test_a_shortened_answer_fails_with_our_sentence_for_codex():
    details = {"reason": "max_output_tokens"}
    stream = response_event("created") + response_event("incomplete", usage=USAGE, incomplete_details=details)
    for client in (Client.CODEX, Client.CODEX_OLD):
        meter, out = whole(Api.RESPONSES, stream, client=client, shortened="Cut to 5 tokens.", request_id="req_1")
        assert out.startswith(response_event("created") + b"event: response.failed\n") and b"response.incomplete" not in out
        said = json.loads(out.split(b"data: ")[-1])
        assert said["response"]["error"] == {"code": "invalid_prompt", "message": "Cut to 5 tokens.", "decision_id": "req_1"}
        assert (said["response"]["id"], said["response"]["usage"], said["sequence_number"]) == ("resp_1", USAGE, 9)
        assert meter.seen.terminal is Terminal.INCOMPLETE and meter.seen.usage == Usage(10, 5)


def test_a_shortened_answer_is_noted_before_its_end_for_sdks():
    details = {"reason": "max_output_tokens"}
    last = response_event("incomplete", usage=USAGE, incomplete_details=details)
    _, out = whole(Api.RESPONSES, response_event("created") + last, shortened="Cut.\nshort")
    assert out == response_event("created") + b": headgate Cut. short\n\n" + last
    chat = text_chunk("x", stop="length") + chunk(choices=[], usage=CHAT_USAGE)
    _, out = whole(Api.CHAT, chat + event("[DONE]"), shortened="Cut.")
    assert out == chat + b": headgate Cut.\n\n" + event("[DONE]")


def test_a_shortened_answer_that_ended_by_itself_says_nothing():
    stream = response_event("completed", usage=USAGE)
    assert whole(Api.RESPONSES, stream, client=Client.CODEX, shortened="Cut.")[1] == stream
    stream = text_chunk("x", stop="stop") + event("[DONE]")
    assert whole(Api.CHAT, stream, shortened="Cut.")[1] == stream
    stream = response_event("incomplete", usage=USAGE, incomplete_details={"reason": "content_filter"})
    assert whole(Api.RESPONSES, stream, client=Client.CODEX, shortened="Cut.")[1] == stream


@given(st.binary(max_size=200), st.sampled_from(list(Api)))
def test_no_bytes_raise(data, api):
    run(StreamMeter(api, hide_usage=True, shortened="x", event_limit=64), [data[:50], data[50:]])
    read_answer(api, 200, data)


def test_a_whole_answer_is_read():
    body = {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "model": "m-1",
        "service_tier": "flex",
        "usage": USAGE,
        "output": [1],
    }
    assert read_answer(Api.RESPONSES, 200, json.dumps(body).encode()) == Seen(
        Usage(10, 5), "resp_1", "m-1", "flex", Terminal.COMPLETED, True
    )
    body = {"id": "c", "model": "m", "choices": [{"finish_reason": "stop"}, {"finish_reason": "length"}], "usage": CHAT_USAGE}
    assert read_answer(Api.CHAT, 200, json.dumps(body).encode()) == Seen(Usage(10, 5), "c", "m", None, Terminal.INCOMPLETE, True, "length")


@pytest.mark.parametrize(
    ("status", "terminal"), [("queued", None), ("in_progress", None), ("failed", Terminal.FAILED), ("incomplete", Terminal.INCOMPLETE)]
)
def test_the_status_of_a_response_is_its_end(status, terminal):
    assert read_answer(Api.RESPONSES, 200, json.dumps({"id": "r", "status": status}).encode()).terminal is terminal


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"[]", b'{"id":"r"', b'{"error":{"message":"x"}}', b"{}", b'{"id":5,"choices":7}', b"[" * 100_000]
)
def test_what_is_no_answer_is_not_readable(body):
    for api in Api:
        assert read_answer(api, 200, body) == Seen()
        assert read_answer(api, 500, json.dumps({"id": "r", "choices": []}).encode()) == Seen()


def test_empty_lines_between_the_last_chunks_hide_no_reason():
    stream = [text_chunk("x", stop="length"), b"\n\n", event("[DONE]")]
    for pieces in (stream, [b"".join(stream)]):
        meter = StreamMeter(Api.CHAT)
        run(meter, pieces)
        assert meter.seen.incomplete_reason == "length"
