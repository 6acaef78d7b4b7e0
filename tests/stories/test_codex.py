from __future__ import annotations

import json
from pathlib import Path

from tests.stories.conftest import Open
from tests.stories.gatehouse import GateProcess, configuration, workspace
from tests.stories.provider import Rehearsal

TURN = {
    "session_id": "session-1",
    "turn_id": "turn-1",
    "workspaces": {
        "/folder": {
            "associated_remote_urls": {
                "origin": "https://oauth2:CANARY-one@git.example.test/acme/shop.git",
                "mirror": "https://git.example.test/acme/shop.git?access_token=CANARY-two",
            }
        }
    },
}


def test_the_web_search_that_codex_offers_by_itself_is_taken_out_and_said(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace())
    tools = [{"type": "function", "name": "shell", "parameters": {}}, {"type": "web_search"}]
    heard = house.caller().as_codex().stream(tools=tools, tool_choice="auto").rest()
    assert heard.headers["x-headgate-dropped-tools"] == "web_search"
    assert json.loads(rehearsal.last()["body"])["tools"] == tools[:1]
    assert heard.events[-1]["type"] == "response.completed"
    alone = house.caller().as_codex().respond(tools=tools[1:], tool_choice="auto")
    assert alone.status == 200 and {"tools", "tool_choice"}.isdisjoint(json.loads(rehearsal.last()["body"]))


def test_no_credential_of_a_turn_reaches_the_provider_the_log_or_the_book(rehearsal: Rehearsal, root: Path, tmp_path: Path) -> None:
    budget = '[[budget]]\nscope = "repository:*"\nperiod = "day"\ncap = "100"\n'
    process = GateProcess(root / "src", tmp_path / "gate", configuration(rehearsal.base_url, workspace() + budget))
    caller = process.caller().as_codex()
    turn = json.dumps(TURN)
    body = {"model": "gpt-5.5", "input": "CANARY-prompt", "client_metadata": {"x-codex-turn-metadata": turn}, "stream": True}
    heard = caller.open("POST", "/v1/responses", body, x_codex_turn_metadata=turn, x_headgate_use="review").rest()
    assert heard.status == 200
    sent = json.dumps(rehearsal.last())
    assert "git.example.test/acme/shop" in sent and "CANARY-one" not in sent and "CANARY-two" not in sent
    refused = caller.open("POST", "/v1/responses", {**body, "model": "CANARY-model"}, x_codex_turn_metadata=turn).rest()
    assert refused.status == 404
    scopes = {balance.scope for balance in process.book.budgets()}
    assert "repository:git.example.test/acme/shop@one" in scopes
    assert process.stop() == 0
    kept = b"".join(file.read_bytes() for file in sorted((tmp_path / "gate/data").rglob("*")) if file.is_file())
    assert b"git.example.test/acme/shop" in kept, "what is searched is where it would be"
    assert process.said, "the log is searched too"
    key = caller.key or ""
    for secret in ("CANARY", "sk-rehearsal-of-the-stories", key):
        assert secret.encode() not in kept and secret not in json.dumps(process.said), secret


def test_codex_repeats_a_path_that_is_down_and_not_a_budget_that_is_gone(gate: Open, rehearsal: Rehearsal) -> None:
    # What Codex does with each was measured: it repeats a 5xx and an answer that broke off, and shows a 403 and a used-up limit at once.
    house = gate(workspace("one", month="500") + workspace("poor", month="0.01"))
    codex, poor = house.caller().as_codex(), house.caller("poor").as_codex()
    rehearsal.fault("reset_before_headers")
    down = codex.stream().rest()
    assert (down.status, down.headers["x-should-retry"]) == (502, "true")
    rehearsal.fault("cut_midstream")
    cut = codex.stream().rest().events[-1]
    assert (cut["type"], cut["response"]["error"]["code"]) == ("response.failed", "upstream_cut")
    assert codex.stream().rest().events[-1]["type"] == "response.completed"
    gone = poor.stream(max_output_tokens=60_000).rest()
    assert (gone.status, gone.error["type"], gone.headers["x-should-retry"]) == (429, "usage_limit_reached", "false")
    forbidden = codex.respond(service_tier="priority")
    assert (forbidden.status, forbidden.error["code"]) == (403, "inference_hook_denied")
    house.at_rest()
