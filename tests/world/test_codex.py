"""The real Codex CLI works through the gate, stops at a budget with our sentence, and comes through what breaks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.world.codex import TASK, Codex, Terminal, ended, left_running
from tests.world.worldhouse import PATIENCE_S, Key, World, until

pytestmark = pytest.mark.world

Make = Callable[..., Codex]


@pytest.fixture
def codex(program: Callable[[str], Path], world: World, tmp_path: Path) -> Iterator[Make]:
    binary = program("codex")
    program("git")

    def make(key: Key, base_url: str | None = None, **options: Any) -> Codex:
        return Codex(binary, tmp_path / key.id, base_url or world.base_url, key.key, **options)

    yield make
    until(lambda: not any(left_running(tmp_path / folder.name) for folder in tmp_path.glob("key_*")), "Codex leaves nothing running")


def test_a_task_of_several_turns_is_held_and_settled_turn_by_turn(world: World, codex: Make) -> None:
    key = world.key()
    developer = codex(key)
    ran = developer.exec()
    assert ran.code == 0 and developer.mended, ran.shown
    assert "Fixed add()" in ran.last
    holds = world.agrees(key)
    assert len(holds) == 4 and {hold.state for hold in holds} == {"POSTED"}
    assert len({hold.request for hold in holds}) == 4, "four turns are four requests"
    assert all(hold.attempt == hold.request for hold in holds)
    claimed = [json.loads(hold.facts)["claimed"] for hold in holds]
    assert claimed[0] == {"repository": ["git.example.test/acme/payments"], "session": claimed[0]["session"]}
    assert claimed == [claimed[0]] * 4, "one session in one repository"


def test_its_own_default_model_works_in_its_code_mode(world: World, codex: Make) -> None:
    key = world.key()
    developer = codex(key, model=None)
    ran = developer.exec()
    assert ran.code == 0 and developer.mended and "model: gpt-6.1-sol" in ran.shown, ran.shown
    assert {hold.model for hold in world.agrees(key)} == {"gpt-6.1-sol"}
    sent = world.rehearsal.last()
    assert sent["headers"]["x-openai-internal-codex-responses-lite"] == "true"
    assert '"additional_tools"' in sent["body"]


def test_a_session_that_is_resumed_is_one_session(world: World, codex: Make) -> None:
    key = world.key()
    developer = codex(key)
    assert developer.exec("Say hello.").code == 0
    resumed = developer.exec("Say goodbye.", "resume", "--last")
    assert resumed.code == 0 and "goodbye" in resumed.last, resumed.shown
    holds = world.agrees(key)
    assert len(holds) == 2
    assert len({json.loads(hold.facts)["claimed"]["session"][0] for hold in holds}) == 1


# -- when the gate says no -------------------------------------------------------------------------------------------


def refused_once(world: World, key: Key, reason: str) -> None:
    """One request arrived, and nothing went on from here."""
    assert world.refusals(key) == [reason]
    logged = until(lambda: [line for line in world.log_lines() if line["event"] == "refused" and line["key"] == key.id], "the log")
    assert [line["reason"] for line in logged] == [reason]
    assert {hold.route for hold in world.holds(key)} <= {"input_tokens"}, "at most the provider was asked to count"
    assert world.calls(key) == []


def test_with_the_budget_gone_codex_stops_after_one_request_with_our_sentence(world: World, codex: Make) -> None:
    key = world.key("broke")
    calls = len(world.rehearsal.calls())
    ran = codex(key).exec()
    assert ran.code == 1 and "Reconnecting" not in ran.shown
    assert "Budget used up: budget workspace:broke (workspace:broke/month/money) has $0.001 left of $0.001" in ran.shown, ran.shown
    assert "ask the workspace owner for a raise" in ran.shown and "or try again at" in ran.shown
    refused_once(world, key, "budget_exhausted")
    assert len(world.rehearsal.calls()) == calls, "nothing was sent"


def test_the_same_as_json_lines(world: World, codex: Make) -> None:
    key = world.key("broke")
    ran = codex(key).exec(TASK, "--json")
    lines = [json.loads(line) for line in ran.last.splitlines() if line.startswith("{")]
    assert ran.code == 1 and [line["type"] for line in lines][-2:] == ["error", "turn.failed"], ran.last
    assert "Budget used up: budget workspace:broke" in lines[-1]["error"]["message"]
    refused_once(world, key, "budget_exhausted")


@pytest.mark.parametrize("model", ["gpt-5.5", None])
def test_a_model_that_is_not_allowed_is_refused_once_and_the_sentence_names_those_that_are(
    world: World, codex: Make, model: str | None
) -> None:
    key = world.key("narrow")
    ran = codex(key, model=model).exec()
    assert ran.code == 1 and "Reconnecting" not in ran.shown
    sentence = f"Workspace narrow may not use '{model or 'gpt-6.1-sol'}'. It may use: gpt-5.4-mini, gpt-5.5-2026-04-23"
    assert f"ERROR: {sentence}" in ran.shown, ran.shown
    refused_once(world, key, "model_not_allowed")


def test_a_budget_that_ends_in_the_middle_of_a_task_keeps_the_work_that_was_done(world: World, codex: Make) -> None:
    key = world.key("ending")
    developer = codex(key)
    ran = developer.exec()
    assert ran.code == 1 and f"Budget used up: budget key:{key.id}" in ran.shown, ran.shown
    holds = world.agrees(key)
    assert 1 <= len(holds) < 4 and world.refusals(key) == ["budget_exhausted"]
    assert "succeeded in" in ran.shown, "its first command ran"


def test_a_key_that_is_not_known_says_so(world: World, codex: Make) -> None:
    key = world.key()
    world.headgate("key", "revoke", key.id, "--reason", "lost")
    ran = codex(key, more="stream_max_retries = 0\nrequest_max_retries = 0").exec()
    assert ran.code == 1 and "This key is not known here, or was revoked" in ran.shown, ran.shown


def test_a_shortened_answer_says_so_where_it_shows(world: World, codex: Make) -> None:
    key = world.key("short")
    world.rehearsal.set(text_tokens=20_000)
    ran = codex(key).exec("Tell me a long story.")
    (hold,) = world.agrees(key)
    assert 8_192 <= hold.output < hold.wanted == 128_000 and hold.ending == "incomplete"
    sentence = f"Headgate shortened this answer to {hold.output:,} output tokens (of 128,000) to stay within the budget of workspace short"
    assert ran.code == 1 and f"ERROR: {sentence}" in ran.shown and "Reconnecting" not in ran.shown, ran.shown
    assert "About “Tell me a long story”" in ran.shown, "what was written stands above it"
    assert [hold.route for hold in world.holds(key)] == ["responses", "input_tokens"], (
        "the provider counted first, as this came near the cap"
    )


def test_a_budget_that_is_busy_is_waited_for(world: World, codex: Make) -> None:
    key = world.key("busy")
    world.rehearsal.set(text_tokens=300, delta_events=80, event_ms=50)
    ask = {"model": "gpt-5.5", "input": "Say hello.", "max_output_tokens": 30_000, "stream": True}
    authorized = {"authorization": f"Bearer {key.key}"}
    with httpx2.stream("POST", f"{world.base_url}/responses", json=ask, headers=authorized, timeout=PATIENCE_S) as other:
        pieces = other.iter_bytes()
        next(pieces)
        world.rehearsal.set(text_tokens=0, delta_events=0, event_ms=0)
        developer = codex(key)
        process = developer.start()
        assert b"response.completed" in b"".join(pieces)
    ran = ended(process)
    assert ran.code == 0 and developer.mended, ran.shown
    assert set(world.refusals(key)) == {"budget_busy"} and len(world.agrees(key)) == 5


# -- when something breaks -------------------------------------------------------------------------------------------


def test_a_stream_that_is_cut_is_sent_again_and_both_attempts_are_one_request(world: World, codex: Make) -> None:
    key = world.key()
    world.rehearsal.fault("cut_midstream", at=2)
    developer = codex(key)
    ran = developer.exec()
    assert ran.code == 0 and developer.mended and ran.shown.count("Reconnecting") == 1, ran.shown
    cut, again, *others = world.holds(key)
    assert (cut.state, cut.ending, again.state) == ("SUSPECT", "cut", "POSTED")
    assert again.request == cut.request == cut.attempt != again.attempt
    assert len(others) == 3 and all(hold.request == hold.attempt for hold in others)
    assert [hold.nano for hold in (again, *others)] == [int(call["billed_nano_ceiling"]) for call in world.calls(key)[1:]]


def test_after_a_whole_item_codex_goes_on_from_it_and_that_is_another_request(world: World, codex: Make) -> None:
    key = world.key()
    world.rehearsal.fault("cut_midstream", at=5)
    ran = codex(key).exec()
    assert ran.code == 0 and ran.shown.count("Reconnecting") == 1, ran.shown
    first, second, *_ = world.holds(key)
    assert (first.state, second.state) == ("SUSPECT", "POSTED") and second.request == second.attempt
    assert world.calls(key)[1]["body_bytes"] > world.calls(key)[0]["body_bytes"]


def test_an_overloaded_provider_is_tried_again_for_nothing(world: World, codex: Make) -> None:
    key = world.key()
    world.rehearsal.fault("status_502", times=2)
    developer = codex(key)
    ran = developer.exec()
    assert ran.code == 0 and developer.mended, ran.shown
    holds = world.agrees(key)
    assert [hold.state for hold in holds] == ["VOIDED", "VOIDED", *["POSTED"] * 4]
    assert len({hold.request for hold in holds[:3]}) == 1


@pytest.fixture
def breakable(root: Path, tmp_path: Path, program: Callable[[str], Path]) -> Iterator[World]:
    program("codex")
    folder = tmp_path / "breakable"
    folder.mkdir()
    world = World(root / "src", folder)
    yield world
    world.headgate("ledger", "verify")
    assert world.stop() == (0, 0)


def test_with_the_path_down_codex_tries_again_and_finishes_once_it_is_back(breakable: World, codex: Make) -> None:
    world = breakable
    key = world.key()
    developer = codex(key, world.base_url, more="request_max_retries = 8\nstream_max_retries = 8")
    assert world.rehearsal.stop() == 0
    process = developer.start()
    until(
        lambda: world.query("SELECT 1 FROM ending JOIN hold ON hold.id = ending.hold WHERE key = ? LIMIT 1 OFFSET 1", key.id), "two tries"
    )
    world.rehearsal.start()
    ran = ended(process)
    assert ran.code == 0 and developer.mended, ran.shown
    holds = world.holds(key)
    down = [hold for hold in holds if hold.ending == "never_sent"]
    assert len(down) >= 2 and {hold.state for hold in down} == {"VOIDED"} and {hold.nano for hold in down} == {0}
    assert [hold.state for hold in holds[len(down) :]] == ["POSTED"] * 4
    assert {hold.request for hold in holds[: len(down) + 1]} == {down[0].attempt}, "until it went through it was one request"
    assert [hold.nano for hold in holds[len(down) :]] == [int(call["billed_nano_ceiling"]) for call in world.calls(key)]


# -- what it sends, and what it asks ---------------------------------------------------------------------------------


def test_credentials_in_git_addresses_reach_neither_the_provider_nor_the_log(world: World, codex: Make) -> None:
    key = world.key()
    secrets = ("s3cretuser", "s3cretpassword", "s3crettoken")
    developer = codex(
        key, remote=f"https://{secrets[0]}:{secrets[1]}@git.example.test/acme/payments.git?access_token={secrets[2]}&ref=main"
    )
    assert developer.exec("Say hello.").code == 0
    sent = world.rehearsal.last()
    assert "git.example.test/acme/payments.git" in sent["headers"]["x-codex-turn-metadata"], "the rest of it is sent"
    assert "git.example.test/acme/payments.git" in sent["body"]
    kept = b"".join(file.read_bytes() for file in sorted(world.folder.rglob("*")) if file.is_file())
    for secret in secrets:
        assert secret not in json.dumps(sent) and secret.encode() not in kept
    assert key.key not in json.dumps(sent) and key.key.encode() not in kept, "nor does the key"


@pytest.mark.parametrize("how", ["the built-in provider", "a provider that says it speaks it"])
def test_a_websocket_is_tried_once_and_codex_goes_on_over_http(world: World, codex: Make, how: str) -> None:
    key = world.key()
    developer = codex(key, provider=False) if how == "the built-in provider" else codex(key, more="supports_websockets = true")
    ran = developer.exec()
    assert ran.code == 0 and developer.mended and "Reconnecting" not in ran.shown, ran.shown
    assert world.refusals(key) == ["upgrade_not_served"] and len(world.agrees(key)) == 4


@pytest.mark.parametrize("model", ["gpt-5.5", None])
def test_a_token_command_works_and_the_list_of_models_leaves_the_prompt_alone(world: World, codex: Make, model: str | None) -> None:
    plain, listed = world.key(), world.key()
    assert codex(plain, model=model).exec("Say hello.").code == 0
    ran = codex(listed, model=model, command=f"echo {listed.key}").exec("Say hello.")
    assert ran.code == 0 and "metadata" not in ran.shown, ran.shown
    (before,), (after,) = world.agrees(plain), world.agrees(listed)
    assert (before.model, before.input_tokens) == (after.model, after.input_tokens)


def test_one_list_of_models_is_read_by_codex_and_by_sdks(world: World) -> None:
    authorized = {"authorization": f"Bearer {world.key('narrow').key}"}
    bare, asked = (httpx2.get(f"{world.base_url}/models{query}", headers=authorized) for query in ("", "?client_version=0.169.0"))
    assert bare.status_code == asked.status_code == 200 and bare.json() == asked.json()
    assert asked.json()["object"] == "list" and asked.json()["models"] == []
    assert {model["id"] for model in asked.json()["data"]} == {"gpt-5.4-mini", "gpt-5.5-2026-04-23"}


def test_the_doctor_of_codex_is_content(world: World, codex: Make) -> None:
    key = world.key()
    checks = json.loads(ended(codex(key).run("doctor", "--json")).last)["checks"]
    for name in ("config.load", "auth.credentials", "network.provider_reachability", "network.websocket_reachability"):
        assert checks[name]["status"] == "ok", checks[name]
    assert world.refusals(key) == [], "it asked without a key, as it does"


# -- the terminal ----------------------------------------------------------------------------------------------------


def test_the_terminal_works_and_the_title_of_the_thread_is_held_like_any_other_call(world: World, codex: Make) -> None:
    key = world.key()
    developer = codex(key, model="gpt-6.1-sol")  # another model is asked about first
    with Terminal(developer, "--dangerously-bypass-approvals-and-sandbox", TASK) as terminal:
        terminal.until(lambda: terminal.shows("Fixed add()"), "the task is done")
        terminal.until(lambda: len(world.holds(key)) == 5, "the title is made")
    assert developer.mended
    sessions = [tuple(json.loads(hold.facts)["claimed"]["session"]) for hold in world.agrees(key)]
    assert sorted(sessions.count(session) for session in set(sessions)) == [1, 4], "the title is a session of its own"


def test_the_terminal_shows_our_sentence_when_the_budget_is_gone(world: World, codex: Make) -> None:
    key = world.key("broke")
    with Terminal(codex(key, model="gpt-6.1-sol"), "--dangerously-bypass-approvals-and-sandbox", TASK) as terminal:
        terminal.until(lambda: terminal.shows("ask the workspace owner for a raise"), "the sentence")
        terminal.until(lambda: len(world.refusals(key)) == 2, "both were refused")
    assert world.refusals(key) == ["budget_exhausted"] * 2, "the turn and the title, each once"
    assert world.calls(key) == []
