from __future__ import annotations

from typing import Any

from tests.stories.callers import Heard
from tests.stories.conftest import Open
from tests.stories.gatehouse import Gatehouse, workspace
from tests.stories.provider import Rehearsal

TWO = workspace("one") + workspace("two")
UNKNOWN = "resp_" + "0" * 48


def absent(heard: Heard) -> str:
    """The refusal without the id that was asked for, so that two of them can be compared."""
    assert (heard.status, heard.error["policy_code"], heard.error["type"]) == (404, "object_not_found", "invalid_request_error")
    return str(heard.error["message"]).partition("'")[2].partition("'")[2]


def held_input(house: Gatehouse, heard: Heard) -> int:
    """The input tokens that a call was held for at most."""
    leaf = next(leaf for leaf in house.book.leaves("hold") if leaf["hold"] == heard.request)
    return int(leaf["tokens"]) - int(leaf["output"])


def test_a_conversation_goes_on_and_is_bounded_by_what_this_ledger_settled(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace())
    caller = house.caller()
    first = caller.respond("word " * 2_000)
    house.settled(first.request)
    usage = first.json["usage"]
    second = caller.respond("And then?", previous_response_id=first.json["id"])
    assert second.status == 200 and house.settled(second.request).state == "POSTED"
    context = usage["input_tokens"] + usage["output_tokens"]
    assert context < held_input(house, second) < context + 1_000
    assert second.json["usage"]["input_tokens"] > context


def test_a_foreign_response_is_as_absent_as_one_that_never_was(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(TWO)
    owner, stranger = house.caller("one"), house.caller("two")
    made = owner.respond().json["id"]
    before, holds = rehearsal.last(), house.book.holds()

    def asks(object_id: str) -> list[Heard]:
        body: dict[str, Any] = {"previous_response_id": object_id}
        return [
            stranger.respond(**body),
            stranger.ask("GET", f"/v1/responses/{object_id}"),
            stranger.ask("GET", f"/v1/responses/{object_id}/input_items"),
            stranger.ask("DELETE", f"/v1/responses/{object_id}"),
            stranger.ask("POST", "/v1/responses/input_tokens", {"model": "gpt-5.5", "input": "How long?", **body}),
        ]

    foreign, unknown = ({absent(heard) for heard in asks(object_id)} for object_id in (made, UNKNOWN))
    assert foreign == unknown and len(foreign) == 1
    assert (rehearsal.last(), house.book.holds()) == (before, holds), "nothing was sent and nothing was held"
    assert owner.ask("GET", f"/v1/responses/{made}").status == 200


def test_codex_is_told_of_an_absent_response_so_that_it_does_not_ask_again(gate: Open) -> None:
    heard = gate(TWO).caller().as_codex().respond(previous_response_id=UNKNOWN)
    assert (heard.status, heard.error["code"]) == (400, "invalid_prompt")


def test_a_conversation_that_was_not_made_through_the_gate_is_absent(gate: Open, rehearsal: Rehearsal) -> None:
    caller = gate(workspace()).caller()
    named = [caller.respond(conversation="conv_1"), caller.respond(conversation={"id": "conv_1"})]
    assert len({absent(heard) for heard in named}) == 1
    assert caller.respond(conversation=7).error["policy_code"] == "invalid_field"
    assert rehearsal.requests() == 0


def test_a_file_that_was_not_made_through_the_gate_is_absent(gate: Open, rehearsal: Rehearsal) -> None:
    caller = gate(workspace()).caller()
    parts = [{"type": "input_text", "text": "Read it"}, {"type": "input_file", "file_id": "file-of-somebody"}]
    absent(caller.ask("POST", "/v1/responses", {"model": "gpt-5.5", "input": [{"role": "user", "content": parts}]}))
    part = {"type": "file", "file": {"file_id": "file-of-somebody"}}
    absent(caller.ask("POST", "/v1/chat/completions", {"model": "gpt-5.5", "messages": [{"role": "user", "content": [part]}]}))
    assert rehearsal.requests() == 0


def test_an_owner_reads_lists_and_deletes_its_own(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace())
    caller = house.caller()
    made = caller.respond("Say hello").json
    read = caller.ask("GET", f"/v1/responses/{made['id']}")
    assert read.json == made
    items = caller.ask("GET", f"/v1/responses/{made['id']}/input_items?order=asc&limit=10")
    assert items.json["object"] == "list" and rehearsal.last()["target"].endswith("/input_items?order=asc&limit=10")
    assert caller.ask("DELETE", f"/v1/responses/{made['id']}").json["deleted"] is True
    assert caller.ask("GET", f"/v1/responses/{made['id']}").status == 404
    house.at_rest()
    free = [leaf for leaf in house.book.leaves("hold") if leaf["nano"] == 0]
    assert sorted(leaf["route"] for leaf in free) == ["delete_response", "list_response_items", "read_response", "read_response"]
    assert read.headers["x-headgate-receipt"] and read.headers["x-headgate-request"] == free[0]["hold"]


def test_an_owner_is_known_after_a_restart(gate: Open) -> None:
    house = gate(TWO)
    made = house.caller("one").respond().json["id"]
    house.stop()
    again = Gatehouse(house.folder, house.text)
    try:
        assert again.caller("one").ask("GET", f"/v1/responses/{made}").status == 200
        absent(again.caller("two").ask("GET", f"/v1/responses/{made}"))
    finally:
        again.stop()


def test_a_count_asks_for_the_input_alone(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace())
    asked = {"model": "gpt-5.5", "input": "How long is this?", "client_metadata": {"secret": "canary"}, "metadata": {"who": "canary"}}
    heard = house.caller().ask("POST", "/v1/responses/input_tokens", asked)
    assert heard.json["object"] == "response.input_tokens" and heard.json["input_tokens"] > 0
    assert "canary" not in rehearsal.last()["body"]
    assert house.caller().ask("POST", "/v1/responses/input_tokens", b"{").error["policy_code"] == "invalid_json"
