"""Every fault by name: what the client sees of it, and what the meter bills for it."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

from headgate.rehearsal.ask import CHAT, RESPONSES
from headgate.rehearsal.faults import applies, names
from headgate.rehearsal.faults_instead import INSTEAD
from headgate.rehearsal.faults_wire import WIRE

from .conftest import Rehearsal

TARGETS = {RESPONSES: "/v1/responses", CHAT: "/v1/chat/completions"}
OUT = {RESPONSES: "output_tokens", CHAT: "completion_tokens"}
EVERYWHERE = [(api, stream) for api in TARGETS for stream in (False, True)]
ALL = [(name, api, stream) for name in names() for api, stream in EVERYWHERE if applies(name, api, stream)]

# Those that a test of its own looks at, because they never end or are too large to read for every shape.
NEVER_WHOLE = {"stall_before_headers", "stall_midstream", "endless_event", "gzip_bomb", "slow_bytes"}

# What the names of the fault matrix are; a name that goes missing here was renamed without telling anybody.
PROMISED = [
    "status_400",
    "status_401",
    "status_403",
    "status_404",
    "status_413",
    "status_422",
    "status_429",
    "status_429_retry_after",
    "status_500",
    "status_502",
    "status_503",
    "status_529",
    "error_html",
    "slow_bytes",
    "incomplete_max_tokens",
    "incomplete_content_filter",
    "failed_with_usage",
    "failed_without_usage",
    "tool_call",
    "refusal_text",
    "usage_twice",
    "empty_choices",
    "usage_extra_fields",
    "cached_and_writes",
    "tier_differs",
    "long_context",
    "utf8_split",
    "line_ends_crlf",
    "line_ends_cr",
    "comments_and_retry",
    "event_64k",
    "trailers",
    "reset_before_headers",
    "stall_before_headers",
    "cut_midstream",
    "stall_midstream",
    "truncated_chunked",
    "html_200",
    "invalid_json_200",
    "usage_missing",
    "usage_null",
    "usage_negative",
    "usage_float",
    "usage_string",
    "usage_huge",
    "done_missing",
    "gzip_bomb",
    "endless_event",
    "closed_after_headers",
    "error_midstream",
    "usage_above_hold",
    "dearer_model",
    "tool_calls_above_max",
    "output_above_max",
    "surplus_bytes",
    "informational",
    "hostile_headers",
    "redirect_302",
    "connection_close",
]


def body(api: str, fault: str | None = None, stream: bool = False, at: int | None = None) -> dict[str, Any]:
    marked = {} if fault is None else {"rehearsal_fault": fault}
    if at is not None:
        marked["rehearsal_fault_at"] = str(at)
    asked: dict[str, Any] = {"model": "gpt-5.5", "stream": stream, "metadata": marked}
    if api == RESPONSES:
        return {**asked, "input": "Tell me about rivers", "max_output_tokens": 500}
    usage = {"stream_options": {"include_usage": True}} if stream else {}
    return {**asked, **usage, "messages": [{"role": "user", "content": "Tell me about rivers"}], "max_completion_tokens": 500}


def raw(rehearsal: Rehearsal, api: str, fault: str, stream: bool = False, patience_s: float = 10) -> tuple[bytes, bytes]:
    """Head and body as they came, the connection closed by the server after the answer where it can be."""
    answer = rehearsal.raw(rehearsal.post_bytes(TARGETS[api], body(api, fault, stream), "connection: close"), patience_s)
    head, _, rest = answer.partition(b"\r\n\r\n")
    return head, rest


def usages(told: list[Any]) -> list[Any]:
    found: list[Any] = []
    for member in told:
        if isinstance(member, dict):
            holder = member.get("response", member)
            if isinstance(holder, dict) and holder.get("usage") is not None:
                found.append(holder["usage"])
    return found


def told(rehearsal: Rehearsal, api: str, fault: str, stream: bool, at: int | None = None) -> list[Any]:
    if stream:
        return rehearsal.events(TARGETS[api], body(api, fault, True, at))
    return [rehearsal.json("POST", TARGETS[api], body(api, fault, False, at))]


def test_every_promised_fault_is_there() -> None:
    assert set(PROMISED) <= set(names())


@pytest.mark.parametrize(("name", "api", "stream"), [case for case in ALL if case[0] not in NEVER_WHOLE])
def test_a_fault_bills_in_full_unless_it_is_a_complete_error_answer(rehearsal: Rehearsal, name: str, api: str, stream: bool) -> None:
    raw(rehearsal, api, name, stream)
    (call,) = rehearsal.calls()
    assert call["fault"] == name
    assert (int(call["billed_pico"]) == 0) == (name in INSTEAD)
    assert call["ended"] != "running"
    assert rehearsal.billed_pico() == int(call["billed_pico"])


@pytest.mark.parametrize(("api", "stream"), EVERYWHERE)
@pytest.mark.parametrize("name", sorted(INSTEAD))
def test_a_complete_error_answer_has_its_status_and_a_body(rehearsal: Rehearsal, name: str, api: str, stream: bool) -> None:
    status, headers, read = rehearsal.send("POST", TARGETS[api], body(api, name, stream))
    expected = {"error_html": 502, "redirect_302": 302}.get(name) or int(name.split("_")[1])
    assert status == expected
    assert headers["x-headgate-rehearsal"] == "1"
    if headers["content-type"] == "application/json":
        assert set(json.loads(read)["error"]) == {"message", "type", "param", "code"}
    assert ("retry-after" in headers) == (name == "status_429_retry_after")


@pytest.mark.parametrize(("api", "stream"), EVERYWHERE)
@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("usage_missing", lambda found: not found),
        ("usage_null", lambda found: not found),
        ("usage_negative", lambda found: found[0] < 0),
        ("usage_float", lambda found: isinstance(found[0], float)),
        ("usage_string", lambda found: isinstance(found[0], str)),
        ("usage_huge", lambda found: found[0] > 2**64),
        ("usage_extra_fields", lambda found: found[0] > 0),
    ],
)
def test_a_wrong_usage_is_told_while_the_truth_is_billed(rehearsal: Rehearsal, name: str, wrong: Any, api: str, stream: bool) -> None:
    found = [usage[OUT[api]] for usage in usages(told(rehearsal, api, name, stream))]
    assert wrong(found), found
    assert rehearsal.calls()[0]["tokens"] == _honest_tokens(rehearsal, api)


def test_what_is_stored_stays_true(rehearsal: Rehearsal) -> None:
    for name in ("usage_missing", "usage_negative", "usage_twice", "cut_midstream", "empty_choices"):
        rehearsal.raw(rehearsal.post_bytes("/v1/responses", body(RESPONSES, name), "connection: close"))
        call = rehearsal.calls()[-1]
        stored = rehearsal.json("GET", f"/v1/responses/{call['id']}")
        assert stored["usage"]["output_tokens"] == call["tokens"]["output"]
        assert stored["output"]


def _honest_tokens(rehearsal: Rehearsal, api: str) -> Any:
    rehearsal.send("POST", TARGETS[api], body(api))
    return rehearsal.calls()[-1]["tokens"]


@pytest.mark.parametrize(("api", "stream"), EVERYWHERE)
@pytest.mark.parametrize(
    "name",
    ["long_context", "cached_and_writes", "usage_above_hold", "output_above_max", "incomplete_max_tokens", "tier_differs", "dearer_model"],
)
def test_what_a_provider_does_is_told_as_it_is_billed(rehearsal: Rehearsal, name: str, api: str, stream: bool) -> None:
    (usage,) = usages(told(rehearsal, api, name, stream))
    (call,) = rehearsal.calls()
    tokens = call["tokens"]
    details = usage.get("input_tokens_details") or usage["prompt_tokens_details"]
    assert (tokens["input"], tokens["output"]) == (usage.get("input_tokens", usage.get("prompt_tokens")), usage[OUT[api]])
    assert tokens["cached"] == details["cached_tokens"]
    assert tokens["write_30m"] + tokens["write_12h"] == details["cache_write_tokens"]


def test_long_context_is_billed_at_the_long_band(rehearsal: Rehearsal) -> None:
    told(rehearsal, RESPONSES, "long_context", False)
    (call,) = rehearsal.calls()
    assert call["tokens"]["input"] == 272_001
    assert int(call["billed_pico"]) == 272_001 * 10_000_000 + call["tokens"]["output"] * 45_000_000


def test_the_sums_above_a_hold_are_what_they_say(rehearsal: Rehearsal) -> None:
    assert usages(told(rehearsal, RESPONSES, "output_above_max", False))[0]["output_tokens"] == 1_500
    assert usages(told(rehearsal, RESPONSES, "usage_above_hold", False))[0]["output_tokens"] == 5_000
    assert usages(told(rehearsal, RESPONSES, "usage_above_hold", False, at=77))[0]["output_tokens"] == 77
    assert told(rehearsal, RESPONSES, "dearer_model", False)[0]["model"] == "gpt-5.5-pro"
    assert told(rehearsal, RESPONSES, "tier_differs", False)[0]["service_tier"] == "priority"
    assert told(rehearsal, RESPONSES, "tool_calls_above_max", False)[0]["tool_usage"]["web_search"]["num_requests"] == 3
    assert rehearsal.calls()[-1]["tokens"]["searches"] == 3


def test_writes_for_twelve_hours_are_told_and_billed_apart(rehearsal: Rehearsal) -> None:
    asked = {**body(RESPONSES, "cached_and_writes"), "model": "gpt-6.1-sol"}
    details = rehearsal.json("POST", "/v1/responses", asked)["usage"]["input_tokens_details"]
    assert details == {
        "cached_tokens": 2_048,
        "cache_write_tokens": 1_024,
        "cache_write_tokens_details": {"ttl_30m_tokens": 512, "ttl_12h_tokens": 512},
    }
    (call,) = rehearsal.calls()
    expected = 1_024 * 2_000_000 + 2_048 * 100_000 + 512 * 2_500_000 + 512 * 5_000_000 + call["tokens"]["output"] * 10_000_000
    assert int(call["billed_pico"]) == expected


@pytest.mark.parametrize("api", TARGETS)
def test_a_usage_told_twice_ends_with_the_truth(rehearsal: Rehearsal, api: str) -> None:
    early, last = usages(told(rehearsal, api, "usage_twice", True))
    assert early[OUT[api]] < last[OUT[api]] == rehearsal.calls()[0]["tokens"]["output"]
    (plain,) = usages(told(rehearsal, api, "usage_twice", False))
    assert plain == last
    assert raw(rehearsal, api, "usage_twice")[1].count(b'"usage":') == 2


@pytest.mark.parametrize("api", TARGETS)
def test_an_answer_without_choices_is_billed_all_the_same(rehearsal: Rehearsal, api: str) -> None:
    (plain,) = told(rehearsal, api, "empty_choices", False)
    assert plain.get("choices", plain.get("output")) == []
    stream = told(rehearsal, api, "empty_choices", True)
    assert len(usages(stream)) == 1
    assert api == RESPONSES or stream[0]["choices"] == []


@pytest.mark.parametrize("api", TARGETS)
def test_the_last_word_is_missing(rehearsal: Rehearsal, api: str) -> None:
    stream = told(rehearsal, api, "done_missing", True)
    assert stream[-1] != "[DONE]"
    assert api == CHAT or stream[-1]["type"] == "response.output_item.done"


@pytest.mark.parametrize("api", TARGETS)
def test_other_line_ends_and_noise_carry_the_same_events(rehearsal: Rehearsal, api: str) -> None:
    honest = len([line for line in raw(rehearsal, api, "usage_extra_fields", True)[1].splitlines() if line.startswith(b"data: ")])
    for name in ("line_ends_crlf", "line_ends_cr", "comments_and_retry"):
        read = rehearsal.send("POST", TARGETS[api], body(api, name, True))[2]
        assert len([line for line in read.splitlines() if line.startswith(b"data: ")]) == honest
        assert (b"\r\n" in read) == (name == "line_ends_crlf")
        assert (b"\n" in read) == (name != "line_ends_cr")
        assert (b"\nretry: 3000" in read) == (name == "comments_and_retry")


@pytest.mark.parametrize(("api", "stream"), EVERYWHERE)
def test_characters_are_split_between_chunks_and_arrive_whole(rehearsal: Rehearsal, api: str, stream: bool) -> None:
    head, rest = raw(rehearsal, api, "utf8_split", stream)
    assert b"transfer-encoding: chunked" in head
    chunks = [line for line in rest.split(b"\r\n") if line]
    assert any(line[-1] >= 0xC0 for line in chunks), "no chunk ends within a character"
    read = rehearsal.send("POST", TARGETS[api], body(api, "utf8_split", stream))[2].decode()
    assert "naïve café — 漢字かな 🙂" in read or stream


@pytest.mark.parametrize(("api", "stream"), EVERYWHERE)
def test_an_event_is_longer_than_64_kib(rehearsal: Rehearsal, api: str, stream: bool) -> None:
    read = rehearsal.send("POST", TARGETS[api], body(api, "event_64k", stream))[2]
    assert max(len(line) for line in read.splitlines()) > 65_536


@pytest.mark.parametrize("api", TARGETS)
def test_an_error_in_the_middle_of_a_stream_is_an_event(rehearsal: Rehearsal, api: str) -> None:
    last = told(rehearsal, api, "error_midstream", True, at=2)[-1]
    assert (last["error"]["code"] if api == CHAT else last["code"]) == "server_error"


@pytest.mark.parametrize(("api", "stream"), EVERYWHERE)
def test_what_should_be_json_is_not(rehearsal: Rehearsal, api: str, stream: bool) -> None:
    status, headers, read = rehearsal.send("POST", TARGETS[api], body(api, "html_200", stream))
    assert (status, headers["content-type"][:9], read[:9]) == (200, "text/html", b"<!DOCTYPE")
    status, _, read = rehearsal.send("POST", TARGETS[api], body(api, "invalid_json_200", stream))
    candidates = [line.removeprefix(b"data: ") for line in read.splitlines() if line.startswith(b"data: {")] if stream else [read]
    assert status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(candidates[-1])


@pytest.mark.parametrize(("api", "stream"), EVERYWHERE)
def test_a_connection_breaks_where_the_fault_says(rehearsal: Rehearsal, api: str, stream: bool) -> None:
    names_seen = [name for name in WIRE if name not in NEVER_WHOLE]
    seen = {name: rehearsal.raw(rehearsal.post_bytes(TARGETS[api], body(api, name, stream), "connection: close")) for name in names_seen}
    assert seen["reset_before_headers"] == b"<ConnectionResetError>"
    assert seen["cut_midstream"].startswith(b"HTTP/1.1 200")
    assert seen["cut_midstream"].endswith(b"<ConnectionResetError>")
    assert seen["closed_after_headers"].endswith(b"\r\n\r\n")
    assert b"<" not in seen["truncated_chunked"][-20:]
    assert not seen["truncated_chunked"].endswith(b"0\r\n\r\n")
    assert b"content-length" not in seen["connection_close"].lower()
    assert b"chunked" not in seen["connection_close"]
    assert seen["surplus_bytes"].endswith(b'{"surplus":"answers"}')
    assert seen["informational"].startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 ")
    assert b"0\r\nx-headgate-receipt: forged\r\n" in seen["trailers"]
    assert seen["hostile_headers"].partition(b"\r\n\r\n")[0].count(b"\r\n") >= 50
    assert {call["ended"] for call in rehearsal.calls()} == {"whole", "cut", "closed"}


@pytest.mark.parametrize(("api", "stream"), EVERYWHERE)
def test_a_stall_says_nothing_until_the_client_leaves(rehearsal: Rehearsal, api: str, stream: bool) -> None:
    assert raw(rehearsal, api, "stall_before_headers", stream, patience_s=0.3) == (b"<TimeoutError>", b"")
    assert raw(rehearsal, api, "stall_midstream", stream, patience_s=1)[1].endswith(b"<TimeoutError>")
    assert [call["ended"] for call in rehearsal.calls()] == ["stalled", "stalled"]


def test_slow_bytes_arrive_one_by_one_and_complete(rehearsal: Rehearsal) -> None:
    (answer,) = told(rehearsal, RESPONSES, "slow_bytes", False, at=0)
    assert answer["status"] == "completed"


@pytest.mark.parametrize("api", TARGETS)
def test_an_endless_event_never_has_a_line_end(rehearsal: Rehearsal, api: str) -> None:
    with rehearsal.connected(rehearsal.post_bytes(TARGETS[api], body(api, "endless_event", True))) as connection:
        received = b""
        while len(received) < 1 << 20:
            received += connection.recv(65_536)
    assert b"\n" not in received[-(1 << 19) :].replace(b"\r\n", b"")


def test_a_gzip_bomb_is_a_thousand_times_larger_inside(rehearsal: Rehearsal) -> None:
    status, headers, read = rehearsal.send("POST", "/v1/responses", body(RESPONSES, "gzip_bomb"))
    assert (status, headers["content-encoding"]) == (200, "gzip")
    first = zlib.decompressobj(wbits=31).decompress(read)
    assert len(first) * 64 > 500 * len(read)


def test_a_queued_fault_hits_the_next_requests_and_then_no_more(rehearsal: Rehearsal) -> None:
    rehearsal.json("POST", "/rehearsal/faults", {"name": "status_503", "times": 2})
    seen = [rehearsal.send("POST", TARGETS[RESPONSES], body(RESPONSES))[0] for _ in range(3)]
    assert seen == [503, 503, 200]


def test_a_queued_fault_may_be_for_one_key_only(rehearsal: Rehearsal) -> None:
    rehearsal.json("POST", "/rehearsal/faults", {"name": "status_500", "key": rehearsal.other_key})
    seen = [rehearsal.send("POST", TARGETS[RESPONSES], body(RESPONSES), key=key)[0] for key in (rehearsal.key, rehearsal.other_key)]
    assert seen == [200, 500]


def test_a_queued_fault_with_a_probability_hits_some(rehearsal: Rehearsal) -> None:
    rehearsal.json("POST", "/rehearsal/faults", {"name": "status_500", "times": 1_000, "probability": 300})
    seen = [rehearsal.send("POST", TARGETS[RESPONSES], body(RESPONSES))[0] for _ in range(60)]
    assert set(seen) == {200, 500}


def test_a_queued_fault_waits_for_a_request_it_means_something_for(rehearsal: Rehearsal) -> None:
    rehearsal.json("POST", "/rehearsal/faults", {"name": "done_missing"})
    assert rehearsal.send("POST", TARGETS[RESPONSES], body(RESPONSES))[0] == 200
    assert rehearsal.json("GET", "/rehearsal/faults")["queued"][0]["times"] == 1
    rehearsal.events(TARGETS[CHAT], body(CHAT, stream=True))
    assert rehearsal.json("GET", "/rehearsal/faults")["queued"] == []


@pytest.mark.parametrize(
    "order", [{"name": "nonsense"}, {"name": "status_500", "times": 0}, {"name": "status_500", "probability": 1_001}, {}]
)
def test_an_order_for_a_fault_that_makes_no_sense_is_refused(rehearsal: Rehearsal, order: dict[str, Any]) -> None:
    assert rehearsal.send("POST", "/rehearsal/faults", order)[0] == 400
