"""One program with the OpenAI SDK, run twice: through the gate it sees what it sees directly."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from tests.world import scenes
from tests.world.scenes import ASK, CHAT, MODEL, Seen, broken, plain
from tests.world.worldhouse import DIRECT_KEY, World, until

pytestmark = pytest.mark.slow

_ID = re.compile(r"[a-z]+[_-]rehearsal_?[0-9a-f]{24}(?:_\d+)?")
_TIME = re.compile(r'(\\?"(?:created|created_at|completed_at)\\?": ?)\d+(?:\.0)?')


def alike(seen: Seen) -> Any:
    """Without what differs between any two runs: ids become their order, instants become 0."""
    names: dict[str, str] = {}
    text = _TIME.sub(r"\g<1>0", json.dumps(seen, ensure_ascii=False))
    return json.loads(_ID.sub(lambda match: names.setdefault(match[0], f"id {len(names)}"), text))


def direct(world: World, **options: Any) -> OpenAI:
    return OpenAI(base_url=world.rehearsal.base_url, api_key=DIRECT_KEY, **{"max_retries": 0, **options})


def through(world: World, key: str, **options: Any) -> OpenAI:
    return OpenAI(base_url=world.base_url, api_key=key, **{"max_retries": 0, **options})


@pytest.fixture(autouse=True)
def nothing_cached(world: World) -> None:
    """A cache hit depends on what was asked before; two runs would count differently."""
    world.rehearsal.set(caching=False)


@pytest.mark.parametrize("scene", scenes.SCENES, ids=lambda scene: scene.__name__)
def test_the_sdk_sees_through_the_gate_what_it_sees_directly(world: World, scene: Callable[[OpenAI], Seen]) -> None:
    key = world.key()
    assert alike(scene(through(world, key.key))) == alike(scene(direct(world)))
    world.agrees(key)


@pytest.mark.parametrize("scene", scenes.ASYNC_SCENES, ids=lambda scene: scene.__name__)
def test_so_does_the_asynchronous_sdk(world: World, scene: Callable[[AsyncOpenAI], Awaitable[Seen]]) -> None:
    async def run(base_url: str, key: str) -> Seen:
        async with AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0) as client:
            return await scene(client)

    key = world.key()
    assert alike(asyncio.run(run(world.base_url, key.key))) == alike(asyncio.run(run(world.rehearsal.base_url, DIRECT_KEY)))
    world.agrees(key)


# -- what goes wrong -------------------------------------------------------------------------------------------------

# Errors of the provider that are in its own shape and not about the gate's credential: they pass byte for byte.
REFUSED = ("status_400", "status_404", "status_409", "status_413", "status_422", "status_429", "status_429_quota")
BROKE = ("status_500", "status_502", "status_503", "status_529")
# Bad answers that a client must see as they are, and odd ones that are none.
ODD = ("failed_with_usage", "error_midstream", "incomplete_max_tokens", "incomplete_content_filter", "refusal_text", "usage_extra_fields",
       "trailers", "informational", "connection_close", "line_ends_crlf", "comments_and_retry", "utf8_split", "event_64k")  # fmt: skip
STREAMS_ONLY = {"error_midstream", "line_ends_crlf", "comments_and_retry"}
RESPONSES_ONLY = {"failed_with_usage", "event_64k"}


@pytest.mark.parametrize("fault", [*REFUSED, *BROKE])
def test_an_error_of_the_provider_is_the_same_exception(world: World, fault: str) -> None:
    key = world.key()
    for api in ("responses", "chat"):
        for streaming in (False, True):
            seen, expected = (broken(client, api, streaming, fault) for client in (through(world, key.key), direct(world)))
            assert alike(seen) == alike(expected), f"{api}, {streaming=}"
    assert {hold.state for hold in world.agrees(key)} == {"VOIDED"}, "what was not billed is not charged"


@pytest.mark.parametrize("fault", ODD)
def test_an_odd_answer_is_as_odd_through_the_gate(world: World, fault: str) -> None:
    key = world.key()
    for api in ("responses",) if fault in RESPONSES_ONLY else ("responses", "chat"):
        for streaming in (True,) if fault in STREAMS_ONLY else (False, True):
            seen, expected = (broken(client, api, streaming, fault) for client in (through(world, key.key), direct(world)))
            assert alike(seen) == alike(expected), f"{api}, {streaming=}"


@pytest.mark.parametrize(("fault", "times"), [("status_500", 2), ("status_429_retry_after", 1), ("status_409", 1)])
def test_the_sdk_tries_again_as_often_as_it_would_directly_and_every_try_is_held(world: World, fault: str, times: int) -> None:
    key = world.key()
    world.rehearsal.fault(fault, times)
    assert through(world, key.key, max_retries=2).responses.create(**ASK).status == "completed"
    holds = world.agrees(key)
    assert [hold.state for hold in holds] == ["VOIDED"] * times + ["POSTED"]
    assert len({hold.attempt for hold in holds}) == times + 1


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_the_refused_credential_of_the_gate_is_not_the_callers(world: World, api: str) -> None:
    key = world.key()
    seen = broken(through(world, key.key), api, False, "status_401")[0]
    assert seen[:3] == ["InternalServerError", 503, "path_credential"] and "Your own key is fine" in seen[5]
    assert broken(direct(world), api, False, "status_401")[0][:3] == ["AuthenticationError", 401, "invalid_api_key"]


def test_what_is_no_error_of_the_api_becomes_one(world: World) -> None:
    key = world.key()
    for fault, code in (("error_html", "upstream_error"), ("html_200", "upstream_invalid"), ("closed_after_headers", "upstream_cut")):
        seen = broken(through(world, key.key), "responses", False, fault)[0]
        assert seen[:3] == ["InternalServerError", 502, code], fault
    assert [hold.state for hold in world.holds(key)] == ["VOIDED", "SUSPECT", "SUSPECT"], "what may have been billed stays in doubt"


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_a_stream_that_breaks_off_ends_with_an_error_that_the_sdk_raises(world: World, api: str) -> None:
    key = world.key()
    told, *seen = broken(through(world, key.key), api, True, "cut_midstream")
    assert told[:2] == ["APIError", "upstream_cut"] and "broke off" in told[4]
    assert seen, "what came before the cut was seen"
    assert [hold.state for hold in world.holds(key)] == ["SUSPECT"]


# -- what the gate says no to ----------------------------------------------------------------------------------------


def refused(world: World, key: str, what: dict[str, Any], api: str = "responses", **options: Any) -> tuple[openai.APIStatusError, int]:
    """The exception, and how many requests the SDK sent for it."""
    sent: list[str] = []
    http_client = httpx2.Client(event_hooks={"request": [lambda request: sent.append(request.method)]})
    client = through(world, key, http_client=http_client, **{"max_retries": 2, **options})
    with pytest.raises(openai.APIStatusError) as caught:
        if api == "responses":
            client.responses.create(**what)
        else:
            client.chat.completions.create(**what)
    return caught.value, len(sent)


@pytest.mark.parametrize(("api", "what"), [("responses", ASK), ("responses", {**ASK, "stream": True}), ("chat", CHAT)])
def test_a_budget_that_is_gone_is_one_request_and_one_sentence(world: World, api: str, what: dict[str, Any]) -> None:
    key = world.key("broke")
    before = len(world.rehearsal.calls())
    error, sent = refused(world, key.key, what, api)
    assert isinstance(error, openai.RateLimitError)
    assert (error.status_code, error.code, error.type) == (429, "budget_exhausted", "insufficient_quota")
    assert sent == 1 and world.refusals(key) == ["budget_exhausted"]
    assert "broke" in error.message and "budget" in error.message
    body: Any = error.body
    assert body["policy_code"] == "budget_exhausted" and body["decision_id"] == error.response.headers["x-headgate-request"]
    assert body["resets_at"] > 0 and body["scope"] == "workspace:broke"
    assert len(world.rehearsal.calls()) == before and world.agrees(key) == []


def test_a_budget_that_is_busy_is_waited_for_by_the_sdk_itself(world: World) -> None:
    key = world.key("busy")
    world.rehearsal.set(text_tokens=300, delta_events=60, event_ms=40)
    heard: list[tuple[int, str | None, str | None]] = []

    def hear(answer: httpx2.Response) -> None:
        heard.append((answer.status_code, answer.headers.get("retry-after"), answer.headers.get("x-should-retry")))

    # 30 dollars a million output tokens: the first call holds nine tenths of the cap for as long as it is open.
    with through(world, key.key).responses.create(**{**ASK, "max_output_tokens": 30_000}, stream=True) as events:
        next(iter(events))
        world.rehearsal.set(text_tokens=0, delta_events=0, event_ms=0)
        client = through(world, key.key, max_retries=20, http_client=httpx2.Client(event_hooks={"response": [hear]}))
        told = client.responses.create(**{**ASK, "max_output_tokens": 10_000})
        assert told.status == "completed"
    assert heard[-1] == (200, None, None)
    assert {(status, again) for status, _, again in heard[:-1]} == {(429, "true")} and all(int(wait or 0) >= 1 for _, wait, _ in heard[:-1])
    assert set(world.refusals(key)) == {"budget_busy"} and len(world.refusals(key)) == len(heard) - 1
    assert len(world.agrees(key)) == 2


NOS: tuple[tuple[str, str, dict[str, Any], str, type[openai.APIStatusError], int], ...] = (
    ("narrow", "responses", {"model": MODEL, "input": "x"}, "model_not_allowed", openai.PermissionDeniedError, 403),
    ("narrow", "chat", {"model": MODEL, "messages": []}, "model_not_allowed", openai.PermissionDeniedError, 403),
    ("development", "responses", {**ASK, "model": "gpt-0"}, "model_not_found", openai.NotFoundError, 404),
    ("development", "responses", {**ASK, "background": True}, "unbounded", openai.PermissionDeniedError, 403),
    ("development", "responses", {**ASK, "service_tier": "priority"}, "tier_not_allowed", openai.PermissionDeniedError, 403),
    ("development", "responses", {**ASK, "tools": [{"type": "web_search"}]}, "tool_not_allowed", openai.PermissionDeniedError, 403),
    ("development", "responses", {**ASK, "max_output_tokens": "many"}, "invalid_field", openai.BadRequestError, 400),
    ("development", "responses", {**ASK, "previous_response_id": "resp_of_another"}, "object_not_found", openai.NotFoundError, 404),
)


@pytest.mark.parametrize(("workspace", "api", "what", "code", "kind", "status"), NOS, ids=[f"{no[1]}-{no[3]}" for no in NOS])
def test_a_no_is_told_once_and_sends_nothing(
    world: World, workspace: str, api: str, what: dict[str, Any], code: str, kind: type[openai.APIStatusError], status: int
) -> None:
    key = world.key(workspace)
    error, sent = refused(world, key.key, what, api)
    assert (type(error), error.status_code, error.code, sent) == (kind, status, code, 1)
    assert len(error.message) > 40, "a sentence"
    assert world.refusals(key) == [code] and world.holds(key) == []


def test_a_key_that_is_wrong_or_revoked_is_an_authentication_error(world: World) -> None:
    key = world.key()
    world.headgate("key", "revoke", key.id, "--reason", "lost")
    for sent in (key.key, "hgk_nobody", "sk-of-the-provider"):
        with pytest.raises(openai.AuthenticationError) as caught:
            through(world, sent, max_retries=2).models.list()
        assert caught.value.code == "invalid_api_key"


def test_a_response_of_another_workspace_is_not_there(world: World) -> None:
    mine, other = world.key(), world.key("ci")
    made = through(world, mine.key).responses.create(**ASK)
    with pytest.raises(openai.NotFoundError) as caught:
        through(world, other.key).responses.retrieve(made.id)
    assert caught.value.code == "object_not_found" and world.refusals(other) == ["object_not_found"]


# -- what the gate changes -------------------------------------------------------------------------------------------


def test_only_the_limits_that_were_written_differ_where_the_program_sets_none(world: World) -> None:
    ask = {"model": MODEL, "input": "Say hello."}
    seen, expected = (alike([plain(client.responses.create(**ask))])[0][1] for client in (through(world, world.key().key), direct(world)))
    assert (expected["max_output_tokens"], seen["max_output_tokens"]) == (None, 128_000)
    assert {**seen, "max_output_tokens": None} == expected


def test_a_chat_stream_shows_its_usage_only_to_whoever_asked(world: World) -> None:
    key = world.key()
    chunks = list(through(world, key.key).chat.completions.create(**CHAT, stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    asked = list(through(world, key.key).chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True}))
    assert [chunk.usage is not None for chunk in asked] == [False] * (len(asked) - 1) + [True]
    hidden, told = world.agrees(key)
    assert hidden.nano == told.nano > 0, "both were metered"


def test_a_shortened_answer_says_so_in_a_header_and_a_comment(world: World) -> None:
    key = world.key("short")
    world.rehearsal.set(text_tokens=20_000)
    client = through(world, key.key)
    with client.responses.with_streaming_response.create(model=MODEL, input="A long story.", stream=True) as got:
        text = b"".join(got.iter_bytes()).decode()
    (hold,) = world.agrees(key)
    assert 8_192 <= hold.output < hold.wanted
    assert got.headers["x-headgate-shortened"] == f"max_output_tokens={hold.output}"
    comment = next(line for line in text.splitlines() if line.startswith(":"))
    assert comment.startswith(f": headgate Headgate shortened this answer to {hold.output:,} output tokens (of 128,000)")
    assert '"reason":"max_output_tokens"' in text and "response.incomplete" in text


def test_the_models_are_those_that_the_key_may_use(world: World) -> None:
    client = through(world, world.key("narrow").key)
    listed = list(client.models.list())
    assert [(model.id, model.object) for model in listed] == [("gpt-5.4-mini", "model"), ("gpt-5.5-2026-04-23", "model")]
    for model in listed:
        assert client.models.retrieve(model.id) == model
        assert client.responses.create(**{**ASK, "model": model.id}).model.startswith(model.id)
    for other in ("gpt-6-astra", "gpt-5.5"):
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve(other)
    assert through(world, world.key().key).models.retrieve("gpt-5.5-2026-04-23").id == "gpt-5.5-2026-04-23"


# -- callers who leave -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_a_stream_that_the_caller_closes_is_charged_what_it_used(world: World, api: str) -> None:
    key = world.key()
    world.rehearsal.set(text_tokens=100, delta_events=20, event_ms=30)
    client = through(world, key.key)
    events: Any = client.responses.create(**ASK, stream=True) if api == "responses" else client.chat.completions.create(**CHAT, stream=True)
    next(iter(events))
    events.close()
    (hold,) = world.agrees(key)
    assert (hold.state, hold.ending) == ("POSTED", "completed"), "it was read on to the true count"


def test_an_answer_that_the_caller_does_not_wait_for_is_charged_what_it_used(world: World) -> None:
    key = world.key()
    world.rehearsal.set(first_token_ms=1500)
    with pytest.raises(openai.APITimeoutError):
        through(world, key.key, timeout=0.8).responses.create(**ASK)
    until(lambda: world.query("SELECT 1 FROM hold WHERE key = ?", key.id), "the call is held")
    assert [hold.state for hold in world.agrees(key)] == ["POSTED"]


def test_a_hundred_calls_of_one_client_all_agree(world: World) -> None:
    key = world.key()

    async def run() -> list[str]:
        async with AsyncOpenAI(base_url=world.base_url, api_key=key.key, max_retries=0) as client:
            asked = [client.responses.create(**{**ASK, "input": f"Say {number}."}) for number in range(100)]
            return [told.output_text for told in await asyncio.gather(*asked)]

    assert asyncio.run(run()) == [f"{number}" for number in range(100)]
    assert len(world.agrees(key)) == 100
