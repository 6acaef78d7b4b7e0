"""Every reason has a shape for every client, and real clients see our sentence once."""

from __future__ import annotations

import asyncio
import json
from itertools import product

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import APIError, APIStatusError, AsyncOpenAI, OpenAI

from headgate.refusal import MANNERS, Kind, Reason, Refusal
from headgate.wire.api import Api
from headgate.wire.client import Client
from headgate.wire.errors import (
    EXCEPTIONS,
    SHAPES,
    credential_refused,
    header_text,
    refusal_answer,
    refusal_event,
    shape_of,
    upstream_error,
)

SENTENCE = "Workspace ci has $0.00 left until Monday. Ask ada@example.test."


def answer(reason: Reason, client: Client, **more: object) -> tuple[int, dict[bytes, bytes], dict[str, object]]:
    status, lines, body = refusal_answer(Refusal(reason, SENTENCE, **more), client, "req_1")
    assert lines.endswith(b"\r\n")
    headers = dict(line.split(b": ", 1) for line in lines[:-2].split(b"\r\n"))
    return status, headers, json.loads(body)["error"]


def test_the_tables_are_complete():
    assert set(SHAPES) == set(Kind)
    for table in (*SHAPES.values(), *EXCEPTIONS.values()):
        assert set(table) == set(Client)


@pytest.mark.parametrize(("reason", "client"), list(product(Reason, Client)))
def test_every_reason_has_a_shape_for_every_client_and_api(reason, client):
    status, headers, error = answer(reason, client, param="model", scope="workspace:ci", resets_at=1796083200)
    assert 400 <= status < 600 and status != 500
    assert error["message"] == SENTENCE and error["type"] and error["code"] and error["param"] == "model"
    assert (error["policy_code"], error["decision_id"]) == (reason.value, "req_1")
    assert (error["scope"], error["resets_at"]) == ("workspace:ci", 1796083200)
    assert headers[b"content-type"] == b"application/json" and headers[b"x-request-id"] == b"req_1"
    assert headers[b"x-should-retry"] == (b"true" if MANNERS[reason].retry else b"false")
    for api in Api:
        event = refusal_event(Refusal(reason, SENTENCE), api, client, "req_1")
        assert event.endswith(b"\n\n") and event.count(b"\n\n") == 1 and b"\r" not in event
        data = json.loads(event.split(b"data: ", 1)[1])
        assert SENTENCE.split(".", maxsplit=1)[0] in json.dumps(data)


@pytest.mark.parametrize(("reason", "client"), list(product(Reason, [Client.CODEX, Client.CODEX_OLD])))
def test_codex_never_repeats_what_will_be_refused_again(reason, client):
    """Measured: these shapes are sent once. A 401 is sent again because a credential command may have a new key."""
    status, _, error = answer(reason, client)
    kind = MANNERS[reason].kind
    if MANNERS[reason].retry or (kind in (Kind.AUTH, Kind.ABSENT) and reason is not Reason.OBJECT_NOT_FOUND):
        return
    once = {(400, "invalid_prompt"), (429, "budget_exhausted")} | ({(403, "inference_hook_denied")} if client is Client.CODEX else set())
    assert (status, error["code"]) in once


@pytest.mark.parametrize(
    ("reason", "sdk", "codex", "old"),
    [
        (Reason.MODEL_NOT_ALLOWED, (403, "model_not_allowed"), (403, "inference_hook_denied"), (400, "invalid_prompt")),
        (Reason.MODEL_NOT_FOUND, *[(404, "model_not_found")] * 3),
        (Reason.MISSING_KEY, *[(401, "invalid_api_key")] * 3),
        (Reason.BUDGET_EXHAUSTED, *[(429, "budget_exhausted")] * 3),
        (Reason.BUDGET_BUSY, *[(429, "budget_busy")] * 3),
        (Reason.UPGRADE_NOT_SERVED, *[(426, "upgrade_not_served")] * 3),
        (Reason.DRAINING, *[(503, "draining")] * 3),
        (Reason.INVALID_FIELD, (400, "invalid_field"), (400, "invalid_prompt"), (400, "invalid_prompt")),
        (Reason.BODY_TOO_LARGE, (413, "body_too_large"), (400, "invalid_prompt"), (400, "invalid_prompt")),
    ],
)
def test_the_shapes_that_were_measured(reason, sdk, codex, old):
    for client, expected in zip((Client.SDK, Client.CODEX, Client.CODEX_OLD), (sdk, codex, old), strict=True):
        shape = shape_of(reason, client)
        assert (shape.status, shape.code) == expected


def test_a_spent_budget_is_told_to_codex_in_its_own_words():
    status, headers, error = answer(Reason.BUDGET_EXHAUSTED, Client.CODEX, resets_at=1796083200)
    assert (status, error["type"], error["resets_at"]) == (429, "usage_limit_reached", 1796083200)
    assert headers[b"x-codex-promo-message"] == b"Workspace ci has $0.00 left until Monday. Ask ada@example.test (req_1)"
    assert headers[b"x-should-retry"] == b"false" and b"retry-after" not in headers
    status, headers, error = answer(Reason.BUDGET_EXHAUSTED, Client.SDK)
    assert error["type"] == "insufficient_quota" and b"x-codex-promo-message" not in headers


def test_only_a_wait_that_helps_is_announced():
    for client in Client:
        assert answer(Reason.BUDGET_BUSY, client, retry_after=3)[1][b"retry-after"] == b"3"
        assert answer(Reason.PATH_BUSY, client)[1][b"retry-after"] == b"1"
    for reason in (Reason.NO_PATH, Reason.DRAINING, Reason.UPSTREAM_CUT):
        assert answer(reason, Client.SDK, retry_after=5)[1][b"retry-after"] == b"5"
        assert b"retry-after" not in answer(reason, Client.CODEX, retry_after=5)[1]
        assert b"retry-after" not in answer(reason, Client.CODEX_OLD, retry_after=5)[1]


@given(st.text(max_size=700), st.text(max_size=20), st.sampled_from(list(Reason)), st.sampled_from(list(Client)))
def test_no_message_ends_a_header_or_an_event(message, request_id, reason, client):
    refusal = Refusal(reason, message)
    _, lines, body = refusal_answer(refusal, client, request_id)
    json.loads(body)
    for line in lines[:-2].split(b"\r\n"):
        assert all(0x20 <= byte < 0x7F for byte in line) and len(line) < 600
    for api in Api:
        event = refusal_event(refusal, api, client, request_id)
        assert event.count(b"\n\n") == 1 and event.endswith(b"\n\n") and b"\r" not in event
    assert header_text(message).isascii()


def serve(
    content: bytes, kind: str = "text/event-stream", status: int = 200, headers: dict[str, str] | None = None, seen: list[int] | None = None
):
    def handle(request: httpx2.Request) -> httpx2.Response:
        if seen is not None:
            seen.append(1)
        return httpx2.Response(status, headers={"content-type": kind, **(headers or {})}, content=content)

    return httpx2.MockTransport(handle)


def sdk(transport: httpx2.MockTransport) -> OpenAI:
    return OpenAI(api_key="k", base_url="http://gate.test/v1", http_client=httpx2.Client(transport=transport))


REFUSAL = Refusal(Reason.UPSTREAM_CUT, SENTENCE)


def test_a_stream_of_responses_that_must_end_raises_our_sentence_in_the_sdk():
    content = refusal_event(REFUSAL, Api.RESPONSES, Client.SDK, "req_1", 4)
    with pytest.raises(APIError) as caught:
        list(sdk(serve(content)).responses.create(model="m", input="x", stream=True))
    assert (caught.value.message, caught.value.code) == (SENTENCE, "upstream_cut")
    flat = json.loads(content.split(b"data: ")[1])
    assert (flat["type"], flat["message"], flat["code"], flat["sequence_number"]) == ("error", SENTENCE, "upstream_cut", 4)


def test_a_stream_of_chat_that_must_end_raises_our_sentence_in_the_sdk():
    content = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}\n\n'
    content += refusal_event(REFUSAL, Api.CHAT, Client.SDK, "req_1")
    with pytest.raises(APIError) as caught:
        list(sdk(serve(content)).chat.completions.create(model="m", messages=[], stream=True))
    assert (caught.value.message, caught.value.code) == (SENTENCE, "upstream_cut")


def test_the_asynchronous_sdk_sees_the_same():
    async def ask() -> None:
        client = AsyncOpenAI(
            api_key="k",
            base_url="http://gate.test/v1",
            http_client=httpx2.AsyncClient(transport=serve(refusal_event(REFUSAL, Api.RESPONSES, Client.SDK, "req_1"))),
        )
        async for _ in await client.responses.create(model="m", input="x", stream=True):
            pass

    with pytest.raises(APIError, match="Workspace ci"):
        asyncio.run(ask())


@pytest.mark.parametrize("reason", [Reason.BUDGET_EXHAUSTED, Reason.MODEL_NOT_ALLOWED, Reason.INVALID_KEY])
def test_the_sdk_sends_a_refused_call_once_and_shows_everything(reason):
    status, lines, body = refusal_answer(Refusal(reason, SENTENCE, scope="workspace:ci"), Client.SDK, "req_1")
    headers = dict(line.split(": ", 1) for line in lines.decode()[:-2].split("\r\n"))
    seen: list[int] = []
    with pytest.raises(APIStatusError) as caught:
        sdk(serve(body, "application/json", status, headers, seen)).responses.create(model="m", input="x")
    assert len(seen) == 1 and caught.value.status_code == status and caught.value.request_id == "req_1"
    assert caught.value.body == json.loads(body)["error"] and SENTENCE in caught.value.message


@pytest.mark.parametrize("client", [Client.CODEX, Client.CODEX_OLD])
def test_codex_in_a_stream_is_told_once_what_is_final_and_again_what_is_not(client):
    def failed(reason: Reason, **more: object) -> dict[str, str]:
        event = refusal_event(Refusal(reason, SENTENCE, **more), Api.RESPONSES, client, "req_1")
        assert event.startswith(b"event: response.failed\n")
        return json.loads(event.split(b"data: ")[1])["response"]["error"]

    assert failed(Reason.BUDGET_EXHAUSTED) == {"code": "invalid_prompt", "message": SENTENCE, "decision_id": "req_1"}
    assert failed(Reason.MODEL_NOT_ALLOWED)["code"] == "invalid_prompt"
    assert failed(Reason.UPSTREAM_CUT)["code"] == "upstream_cut"
    assert failed(Reason.REHEARSAL_ANSWER)["code"] == "invalid_prompt"
    busy = failed(Reason.BUDGET_BUSY, retry_after=2)
    assert busy["code"] == "rate_limit_exceeded" and busy["message"].endswith("Please try again in 2s.")


def test_an_upstream_error_in_openais_shape_passes_byte_for_byte():
    body = b'{ "error" : {"message":"no", "type":"x", "code":null, "new":1} }'
    assert upstream_error(429, body) is body
    for other in (
        b"",
        b"<html>",
        b'{"error":"no"}',
        b'{"message":"no"}',
        b'{"error":{"code":"x"}}',
        b'{"error":{"message":""}}',
        b"[" * 100_000,
    ):
        assert upstream_error(502, other) is None
    assert upstream_error(200, body) is None


def test_a_refusal_of_our_own_credential_is_told_apart_from_one_of_the_request():
    assert (
        credential_refused(401, b"") and credential_refused(403, b"<html>") and credential_refused(403, b'{"error":{"message":"region"}}')
    )
    assert not credential_refused(403, b'{"error":{"message":"x","code":"model_not_found"}}')
    assert not credential_refused(429, b"")
