from __future__ import annotations

import json
from typing import Any

import pytest
from tests.stories.callers import Caller
from tests.stories.conftest import Open
from tests.stories.gatehouse import Gatehouse, workspace
from tests.stories.provider import Rehearsal


def test_the_usage_that_nobody_asked_for_is_read_and_not_passed_on(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace())
    caller = house.caller()
    plain = caller.chat(stream=True)
    asked = caller.chat(stream=True, stream_options={"include_usage": True})
    assert json.loads(rehearsal.last()["body"])["stream_options"] == {"include_usage": True}
    for heard, told in ((plain, False), (asked, True)):
        chunks = [event for event in heard.events if event != "[DONE]"]
        assert any(chunk.get("usage") and not chunk["choices"] for chunk in chunks) is told
        assert all(chunk["choices"] for chunk in chunks) is not told
        assert house.settled(heard.request).posted_nano == int(rehearsal.call(heard.request)["billed_nano_ceiling"])
    assert plain.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        (b'{"model":"gpt-5.5","model":"gpt-5.5-pro","input":"x"}', "duplicate_field", 400),
        (b'{"model":"gpt-5.5","input":"x","stream_options":{"include_usage":true,"include_usage":false}}', "duplicate_field", 400),
        (b'{"model":"gpt-5.5","input":"x","reasoning":{"effort":"low","effort":"high"}}', "duplicate_field", 400),
        (b'{"model":"gpt-5.5","input":"x","tools":[{"type":"function","type":"web_search"}]}', "duplicate_field", 400),
        (b'{"model":"gpt-5.5","input":"x","max_output_tokens":"many"}', "invalid_field", 400),
        (b'{"model":"gpt-5.5","input":"x","max_output_tokens":1e400}', "invalid_field", 400),
        (b'{"model":"gpt-5.5","input":' + b"[" * 5_000 + b"]" * 5_000 + b"}", "too_deep", 400),
        (b'{"model":"gpt-5.5","input":"x"', "invalid_json", 400),
        (b"[]", "invalid_json", 400),
        (b'{"model":"gpt-5.5","input":"x","service_tier":"gold"}', "tier_not_allowed", 403),
        (b'{"model":"gpt-5.5","input":"x","service_tier":"priority"}', "tier_not_allowed", 403),
        (b'{"model":"gpt-5.5","input":"x","background":true}', "unbounded", 403),
        (b'{"model":"gpt-5.5","prompt":{"id":"pmpt_1"}}', "unbounded", 403),
        (b'{"model":"gpt-5.5","input":"x","tools":[{"type":"web_search"}]}', "tool_not_allowed", 403),
        (b'{"model":"gpt-5.5","input":"x","tools":[{"type":"code_interpreter","container":{"type":"auto"}}]}', "tool_not_allowed", 403),
        (b'{"model":"gpt-0","input":"x"}', "model_not_found", 404),
    ],
)
def test_what_cannot_be_governed_is_refused_and_never_sent(gate: Open, rehearsal: Rehearsal, body: bytes, code: str, status: int) -> None:
    house = gate(workspace())
    heard = house.caller().ask("POST", "/v1/responses", body)
    assert (heard.error["policy_code"], heard.status) == (code, status)
    assert (rehearsal.requests(), house.book.holds()) == (0, 0)
    assert [leaf["reason"] for leaf in house.book.leaves("refusal")] == [code]


def test_the_tier_that_is_sent_is_the_one_that_was_held_for(gate: Open, rehearsal: Rehearsal) -> None:
    rehearsal.set(auto_tier="priority")  # what a project's own setting could make of a tier that is left to it
    house = gate(workspace(tiers='["standard", "flex"]'))
    caller = house.caller()
    for asked, sent in ((None, "default"), ("auto", "default"), ("flex", "flex")):
        heard = caller.respond(**({} if asked is None else {"service_tier": asked}))
        call = rehearsal.call(heard.request)
        assert (call["asked_service_tier"], call["tier"]) == (sent, sent)
        assert house.settled(heard.request).posted_nano == int(call["billed_nano_ceiling"])


def test_hosted_tools_are_bounded_by_a_number_that_is_written_into_the_request(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace(month="100000", hosted_tools='"allow"', web_search_calls="5"))
    caller = house.caller()
    heard = caller.respond("Please search the web for it", tools=[{"type": "web_search"}])
    sent = json.loads(rehearsal.last()["body"])
    assert sent["max_tool_calls"] == 5 and sent["tools"] == [{"type": "web_search"}]
    entry = house.settled(heard.request)
    assert rehearsal.call(heard.request)["tokens"]["searches"] == 1
    assert entry.posted_nano == int(rehearsal.call(heard.request)["billed_nano_ceiling"])
    caller.respond("Please search the web for it", tools=[{"type": "web_search"}], max_tool_calls=2)
    assert json.loads(rehearsal.last()["body"])["max_tool_calls"] == 2


def test_a_key_sees_the_models_that_it_may_use_and_no_others(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace(models='["gpt-5.5", "gpt-5.4-mini"]') + workspace("every"))

    def listed(caller: Caller) -> set[str]:
        told = caller.ask("GET", "/v1/models").json
        assert told["models"] == []  # Codex keeps what it knows of the models it knows
        return {model["id"] for model in told["data"]}

    assert listed(house.caller()) == {"gpt-5.5", "gpt-5.4-mini"}
    narrow = house.caller(models=["gpt-5.5"])
    assert listed(narrow) == {"gpt-5.5"}
    assert len(listed(house.caller("every"))) > 20
    assert narrow.ask("GET", "/v1/models/gpt-5.5").json["id"] == "gpt-5.5"
    assert narrow.ask("GET", "/v1/models/gpt-5.4-mini").error["policy_code"] == "model_not_found"
    assert narrow.respond(model="gpt-5.4-mini").error["policy_code"] == "model_not_allowed"
    assert rehearsal.requests() == 0


def test_what_codex_doctor_asks_is_answered_without_a_404(gate: Open) -> None:
    house = gate(workspace())
    caller, nobody = house.caller(), Caller(house.port, None)
    assert nobody.ask("HEAD", "/v1/responses").status in (401, 405)
    assert caller.ask("HEAD", "/v1/responses").status == 405
    assert nobody.ask("GET", "/v1/models").status == 401
    upgrade = caller.ask(
        "GET", "/v1/responses", connection="Upgrade", upgrade="websocket", sec_websocket_key="x", sec_websocket_version="13"
    )
    assert (upgrade.status, upgrade.error["policy_code"]) == (426, "upgrade_not_served")
    assert nobody.ask("GET", "/healthz").json == {"status": "alive"} and nobody.ask("GET", "/readyz").json == {"status": "ready"}


@pytest.mark.parametrize(
    ("method", "target", "code"),
    [
        ("GET", "/v1/files", "route_not_served"),
        ("POST", "/v1/embeddings", "route_not_served"),
        ("POST", "/v1/responses/", "unknown_route"),
        ("POST", "/v1//responses", "unknown_route"),
        ("POST", "/V1/responses", "unknown_route"),
        ("POST", "/v1/%72esponses", "unknown_route"),
        ("PUT", "/v1/responses", "method_not_allowed"),
    ],
)
def test_a_route_that_is_not_served_says_so_and_sends_nothing(
    gate: Open, rehearsal: Rehearsal, method: str, target: str, code: str
) -> None:
    house = gate(workspace())
    heard = house.caller().ask(method, target, {"model": "gpt-5.5", "input": "x"} if method == "POST" else None)
    assert heard.error["policy_code"] == code
    assert (rehearsal.requests(), house.book.holds()) == (0, 0)


def test_a_wrong_key_is_told_apart_from_a_missing_one_and_neither_is_repeated(gate: Open) -> None:
    house = gate(workspace())
    good = house.caller().key
    assert good is not None
    for key, code in (
        (None, "missing_key"),
        ("sk-proj-abc", "invalid_key"),
        (good[:-1] + ("1" if good.endswith("0") else "0"), "invalid_key"),
        (good + "x", "invalid_key"),
    ):
        heard = Caller(house.port, key).respond()
        assert (heard.status, heard.error["policy_code"]) == (401, code)
        assert key is None or key.encode() not in heard.body
    assert Caller(house.port, good).ask("POST", "/v1/responses", {"model": "gpt-5.5", "input": "x"}, content_encoding="gzip").status == 415


def test_what_the_gate_does_not_know_passes_byte_for_byte(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace())
    message, field = '[ {"role":"user","content":"caf\\u00e9 \\ud83d\\ude43"}]', '{"b":1.50,"a":[1e3 ,null]}'
    odd = f'{{"model" : "gpt-5.5","input": {message},"x_new_field": {field}}}'
    heard = house.caller().ask("POST", "/v1/responses", odd.encode())
    sent = rehearsal.last()["body"]
    assert message in sent and field in sent
    entry = house.book.told(heard.request)
    # Bytes do not bound what nobody knows: the window does.
    assert entry.held_nano > 1_000_000 * 5_000


def held_for(house: Gatehouse, **fields: Any) -> int:
    heard = house.caller().respond(max_output_tokens=16, **fields)
    return house.settled(heard.request).held_nano


def test_an_image_is_bounded_by_the_window_and_a_text_by_its_bytes(gate: Open) -> None:
    house = gate(workspace())
    image = [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,aGVsbG8="}]}]
    heard = house.caller().ask("POST", "/v1/responses", {"model": "gpt-5.5", "input": image, "max_output_tokens": 16})
    assert house.book.told(heard.request).held_nano > 5_000_000_000
    assert held_for(house) < 10_000_000
