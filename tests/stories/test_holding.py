from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.stories.conftest import Open
from tests.stories.faultstage import writer_held
from tests.stories.gatehouse import eventually, workspace
from tests.stories.provider import Rehearsal

from headgate.money import NANO_PER_DOLLAR

FIRM = 30_000  # output tokens that a client asks for: 0.90 dollars of gpt-5.5, which nobody may shorten


def test_a_call_is_held_sent_and_posted_to_the_nano_dollar(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace())
    heard = house.caller().respond()
    assert heard.status == 200
    entry = house.settled(heard.request)
    call = rehearsal.call(heard.request)
    assert (entry.state, entry.ending) == ("POSTED", "completed")
    assert entry.posted_nano == int(call["billed_nano_ceiling"]) > 0
    assert call["asked_max_output"] == entry.output and call["asked_service_tier"] == "default"
    house.at_rest()


def test_nothing_is_sent_before_its_hold_is_durable(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace())
    caller = house.caller()
    with writer_held(house):
        line = caller.stream()
        eventually(lambda: len(house.running.gate.open_exchanges) == 1)
        assert house.book.holds() == 0 and rehearsal.requests() == 0
    heard = line.rest()
    assert heard.status == 200 and house.book.holds() == rehearsal.requests() == 1
    assert house.settled(heard.request).state == "POSTED"


def test_what_cannot_be_written_down_is_not_sent_and_what_was_sent_is_written_down_later(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace(month="5000"))
    caller = house.caller()
    rehearsal.set(first_token_ms=300)
    under_way = caller.stream()
    eventually(lambda: rehearsal.requests() == 1)
    rehearsal.set(first_token_ms=0)
    with house.full_disk():
        statuses: list[int] = []
        while 503 not in statuses:  # the last pages of the file still have some room
            assert len(statuses) < 100
            heard = caller.respond()
            statuses.append(heard.status)
        assert heard.error["policy_code"] == "disk_low"
        assert rehearsal.requests() == house.book.holds() == len(statuses)  # all but the refused one, and the one under way
        assert under_way.rest().events[-1]["type"] == "response.completed"
        entry = house.book.entry(under_way.heard.request)
        assert entry is not None and entry.state == "HELD"
    assert house.settled(under_way.heard.request).state == "POSTED"
    assert caller.respond().status == 200
    house.at_rest()


def test_a_refusal_holds_nothing_anywhere_and_is_on_the_record(gate: Open, rehearsal: Rehearsal) -> None:
    # Of three budgets only the day has no room; the week and the month are not touched for it.
    house = gate(workspace(month="5", day_brake='"1%"', week_brake='"90%"'))
    caller = house.caller()
    refused = {
        caller.respond(max_output_tokens=FIRM).error["policy_code"],
        caller.respond(model="gpt-0").error["policy_code"],
        caller.respond(background=True).error["policy_code"],
    }
    assert refused == {"budget_exhausted", "model_not_found", "unbounded"}
    house.at_rest()
    assert [leaf["legs"] for leaf in house.book.leaves("hold") if leaf["nano"]] == [] and rehearsal.requests() == 0
    assert [(balance.posted, balance.held) for balance in house.book.budgets()] == [(0, 0)] * len(house.book.budgets())
    assert sorted(leaf["reason"] for leaf in house.book.leaves("refusal")) == sorted(refused)


def test_an_answer_is_shortened_to_the_room_and_says_so(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace(month="1"))
    caller = house.caller()
    heard = caller.respond(metadata={"rehearsal_fault": "incomplete_max_tokens"})
    entry = house.settled(heard.request)
    assert heard.headers["x-headgate-shortened"] == f"max_output_tokens={entry.output}"
    assert 8_192 <= entry.output < entry.wanted == 128_000
    assert rehearsal.call(heard.request)["asked_max_output"] == entry.output
    assert entry.held_nano <= NANO_PER_DOLLAR and entry.posted_nano > 0.9 * NANO_PER_DOLLAR
    assert heard.json["status"] == "incomplete"
    house.at_rest()


def test_a_shortened_stream_says_so_where_each_client_shows_it(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace("sdk", month="1") + workspace("codex", month="1"))
    marker = {"metadata": {"rehearsal_fault": "incomplete_max_tokens"}}
    told = house.caller("sdk").stream(**marker).rest()
    assert b"\n: headgate Headgate shortened this answer to " in told.body
    assert told.events[-1]["type"] == "response.incomplete"
    codex = house.caller("codex").as_codex().stream(**marker).rest()
    last = codex.events[-1]
    assert last["type"] == "response.failed" and last["response"]["error"]["code"] == "invalid_prompt"
    assert "Headgate shortened this answer to" in last["response"]["error"]["message"]
    for heard in (told, codex):
        assert "x-headgate-shortened" in heard.headers and house.settled(heard.request).state == "POSTED"


def test_an_answer_that_ends_by_itself_is_not_disturbed_by_a_limit_it_never_met(gate: Open) -> None:
    house = gate(workspace(month="1"))
    heard = house.caller().as_codex().stream().rest()
    assert "x-headgate-shortened" in heard.headers
    assert heard.events[-1]["type"] == "response.completed" and b": headgate" not in heard.body


def test_what_the_client_chose_is_never_shortened(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace(month="1"))
    caller = house.caller()
    own = caller.respond(max_output_tokens=60_000)
    shape = {"type": "json_schema", "name": "answer", "schema": {"type": "object"}}
    structured = caller.respond(text={"format": shape})
    chat = caller.chat(response_format={"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}})
    for heard in (own, structured, chat):
        assert (heard.status, heard.error["policy_code"]) == (429, "budget_exhausted")
    fits = caller.respond(max_output_tokens=FIRM)
    assert fits.status == 200 and "x-headgate-shortened" not in fits.headers
    assert rehearsal.call(fits.request)["asked_max_output"] == FIRM
    assert rehearsal.requests() == 1


def test_a_call_waits_for_its_siblings_to_settle_and_is_granted_in_full(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace(month="5", wait_ms="20000"))
    caller = house.caller()
    rehearsal.set(first_token_ms=300)
    first = caller.stream()
    eventually(lambda: rehearsal.requests() == 1)
    second = caller.stream()
    assert first.rest().status == second.rest().status == 200
    entries = [house.settled(line.heard.request) for line in (first, second)]
    assert [entry.output for entry in entries] == [128_000, 128_000]
    assert all("x-headgate-shortened" not in line.heard.headers for line in (first, second))
    house.at_rest()


def test_a_key_with_many_calls_does_not_make_another_key_wait_behind_all_of_them(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace(month="1", wait_ms="30000"))
    busy, other = house.caller(), house.caller()
    rehearsal.set(first_token_ms=60)
    with ThreadPoolExecutor(6) as threads:
        opened = [busy.stream(max_output_tokens=FIRM) for _ in range(5)]
        eventually(lambda: len(house.running.gate.open_exchanges) == 5)
        late = other.stream(max_output_tokens=FIRM)
        assert {heard.status for heard in threads.map(lambda line: line.rest(), [*opened, late])} == {200}
    served = [call["headgate_request"] for call in rehearsal.calls()]
    assert served.index(late.heard.request) <= 2, "one call was under way, one had been promised its turn"
    house.at_rest()


def test_busy_and_used_up_are_told_apart_and_to_each_client_in_its_way(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace(month="1"))
    caller = house.caller()
    rehearsal.set(first_token_ms=400)
    line = caller.stream(max_output_tokens=FIRM)
    eventually(lambda: rehearsal.requests() == 1)
    busy = [caller.respond(max_output_tokens=FIRM), caller.as_codex().respond(max_output_tokens=FIRM)]
    for heard in busy:
        assert (heard.status, heard.error["type"], heard.error["code"]) == (429, "rate_limit_error", "budget_busy")
        assert heard.headers["x-should-retry"] == "true" and int(heard.headers["retry-after"]) >= 1
    assert line.rest().status == 200
    spent = caller.respond(max_output_tokens=60_000)
    assert (spent.status, spent.error["type"], spent.error["code"]) == (429, "insufficient_quota", "budget_exhausted")
    assert spent.headers["x-should-retry"] == "false" and "retry-after" not in spent.headers
    assert spent.error["scope"] == "workspace:one" and spent.error["resets_at"] > 1_700_000_000
    codex = caller.as_codex().respond(max_output_tokens=60_000)
    assert (codex.status, codex.error["type"]) == (429, "usage_limit_reached")
    assert codex.error["resets_at"] == spent.error["resets_at"]
    assert codex.headers["x-codex-promo-message"].startswith("Budget used up: budget workspace:one")
    assert rehearsal.requests() == 1


def test_near_the_cap_the_provider_counts_the_input_and_gives_the_room_back(gate: Open, rehearsal: Rehearsal) -> None:
    # 40,000 bytes are at most 40,000 tokens, 0.20 dollars; the provider counts 10,000.
    house = gate(workspace(month="0.15"))
    caller = house.caller()
    long = "word " * 8_000
    assert caller.respond(max_output_tokens=16).status == 200
    assert [leaf for leaf in house.book.leaves("hold") if leaf["route"] == "input_tokens"] == []
    heard = caller.respond(long, max_output_tokens=16)
    assert heard.status == 200
    counting = [leaf for leaf in house.book.leaves("hold") if leaf["route"] == "input_tokens"]
    assert [(leaf["nano"], leaf["legs"], leaf["request"]) for leaf in counting] == [(0, [], heard.request)]
    assert house.settled(heard.request).held_nano < NANO_PER_DOLLAR * 6 // 100
    rehearsal.set(count_status=500)
    assert caller.respond(long, max_output_tokens=16).error["policy_code"] == "budget_exhausted"
    house.at_rest()


def test_whoever_has_no_room_left_asks_nothing_of_the_provider(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace(month="0.05"))
    caller = house.caller()
    for _ in range(3):
        assert caller.respond("word " * 8_000, max_output_tokens=FIRM).error["policy_code"] == "budget_exhausted"
    house.at_rest()
    assert house.book.holds() == 0
    with pytest.raises(AssertionError, match="GET last"):
        rehearsal.last()
