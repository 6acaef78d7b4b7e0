from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.stories.callers import CODEX, Caller, Line
from tests.stories.gatehouse import Gatehouse, configuration, eventually, workspace
from tests.stories.provider import Rehearsal

from headgate.control.command import RevokeKey, RotateKey, SetCap

pytestmark = pytest.mark.slow

SLOW = {"delta_events": 40, "event_ms": 50}  # a stream of about two seconds


@pytest.fixture(scope="module")
def rehearsal(root: Path) -> Iterator[Rehearsal]:
    running = Rehearsal(root / "src")
    yield running
    assert running.stop() == 0


@pytest.fixture
def house(rehearsal: Rehearsal, tmp_path: Path) -> Iterator[Gatehouse]:
    rehearsal.ask("POST", "reset")
    text = configuration(rehearsal.base_url, workspace() + workspace("cuts", on_disconnect='"cut"') + workspace("other"))
    house = Gatehouse(tmp_path, text)
    yield house
    house.stop()
    house.book.proves()


def revoke(house: Gatehouse, caller: Caller) -> None:
    house.command(RevokeKey(actor="alice", key=caller.key_id, reason="pasted into a ticket"))


def told(line: Line) -> Any:
    """The error that ended the stream, which is its last event."""
    heard = line.rest()
    assert heard.whole, "a stream that is ended on purpose is ended in order"
    last: Any = heard.events[-1]
    return last


def test_an_open_stream_of_a_revoked_key_ends_with_an_event_and_its_count_is_still_true(house: Gatehouse, rehearsal: Rehearsal) -> None:
    caller = house.caller()
    rehearsal.set(**SLOW)
    line = caller.stream()
    line.until(b"delta")
    revoke(house, caller)
    last = told(line)
    assert (last["type"], last["error"]["policy_code"]) == ("error", "invalid_key") and "was revoked" in last["message"]
    entry = house.settled(line.heard.request)
    call = rehearsal.call(line.heard.request)
    assert (entry.state, entry.posted_nano) == ("POSTED", int(call["billed_nano_ceiling"]))
    assert not any(event.get("type") == "response.completed" for event in line.heard.events)
    house.at_rest()


def test_each_client_is_told_in_the_way_that_it_shows_and_does_not_repeat(house: Gatehouse, rehearsal: Rehearsal) -> None:
    caller = house.caller(agent=CODEX)
    rehearsal.set(**SLOW)
    line = caller.stream()
    chat = Caller(house.port, caller.key).open(
        "POST", "/v1/chat/completions", {"model": "gpt-5.5", "stream": True, "messages": [{"role": "user", "content": "Say hello"}]}
    )
    line.until(b"delta"), chat.until(b"delta")
    revoke(house, caller)
    last = told(line)
    assert last["type"] == "response.failed" and last["response"]["error"]["code"] == "invalid_prompt"
    assert told(chat)["error"]["policy_code"] == "invalid_key"
    house.at_rest()


def test_a_call_that_has_no_answer_yet_is_refused(house: Gatehouse, rehearsal: Rehearsal) -> None:
    caller = house.caller()
    rehearsal.set(first_token_ms=1_000)
    line = caller.open("POST", "/v1/responses", {"model": "gpt-5.5", "input": "Say hello"})
    eventually(lambda: rehearsal.requests() == 1)
    revoke(house, caller)
    heard = line.rest()
    assert (heard.status, heard.error["policy_code"]) == (401, "invalid_key")
    assert house.settled(heard.request).state == "POSTED"
    house.at_rest()


def test_a_call_that_waits_for_room_is_not_sent_any_more(house: Gatehouse, rehearsal: Rehearsal) -> None:
    house.write(configuration(rehearsal.base_url, workspace(month="1", wait_ms="20000")))
    house.run(house.running.reload("test"))
    caller, other = house.caller(), house.caller()
    rehearsal.set(first_token_ms=500)
    first = other.stream(max_output_tokens=30_000)
    eventually(lambda: rehearsal.requests() == 1)
    waiting = caller.stream(max_output_tokens=30_000)
    eventually(lambda: len(house.running.gate.open_exchanges) == 2)
    revoke(house, caller)
    heard = waiting.rest()
    assert (heard.status, heard.error["policy_code"]) == (401, "invalid_key")
    assert first.rest().status == 200
    house.at_rest()
    entry = house.book.entry(heard.request)
    assert rehearsal.requests() == 1 and (entry is None or entry.state == "VOIDED")


def test_a_workspace_that_chose_to_cut_cuts_and_doubts(house: Gatehouse, rehearsal: Rehearsal) -> None:
    caller = house.caller("cuts")
    rehearsal.set(**SLOW)
    line = caller.stream()
    line.until(b"delta")
    revoke(house, caller)
    assert told(line)["error"]["policy_code"] == "invalid_key"
    assert house.settled(line.heard.request).state == "SUSPECT"
    house.at_rest()


def test_nobody_else_notices(house: Gatehouse, rehearsal: Rehearsal) -> None:
    revoked, other = house.caller(), house.caller()
    rehearsal.set(**SLOW)
    lines = [other.stream(), revoked.stream()]
    for line in lines:
        line.until(b"delta")
    revoke(house, revoked)
    assert told(lines[1])["type"] == "error"
    assert lines[0].rest().events[-1]["type"] == "response.completed"
    house.at_rest()


def test_the_connection_goes_on_and_the_next_request_with_the_key_is_refused(house: Gatehouse) -> None:
    caller = house.caller()
    assert caller.respond().status == 200
    revoke(house, caller)
    heard = caller.respond()
    assert (heard.status, heard.error["policy_code"]) == (401, "invalid_key")
    assert "is not known here, or was revoked" in heard.error["message"]


def test_the_keys_of_a_workspace_that_is_taken_away_are_refused_and_their_streams_end(house: Gatehouse, rehearsal: Rehearsal) -> None:
    caller = house.caller("other")
    rehearsal.set(**SLOW)
    line = caller.stream()
    line.until(b"delta")
    house.write(configuration(rehearsal.base_url, workspace()))
    house.run(house.running.reload("test"))
    assert told(line)["error"]["policy_code"] == "invalid_key"
    assert caller.respond().error["policy_code"] == "invalid_key"
    house.at_rest()


def test_other_commands_end_no_call(house: Gatehouse, rehearsal: Rehearsal) -> None:
    caller = house.caller()
    rehearsal.set(**SLOW)
    line = caller.stream()
    line.until(b"delta")
    house.command(RotateKey(actor="alice", key=caller.key_id, overlap_hours=0))
    house.command(SetCap(actor="alice", rule="workspace:one/month/money", scope="workspace:one", cap=10**12, reason="x", hours=1))
    house.run(house.running.reload("test"))
    assert line.rest().events[-1]["type"] == "response.completed"
    assert caller.respond().error["policy_code"] == "expired_key", "a rotated key without overlap begins nothing new"
