"""What the judge asks of a rehearsal."""

from __future__ import annotations

from .conftest import Rehearsal

SMALL = {"model": "gpt-5.5", "input": "Say hello", "max_output_tokens": 64, "service_tier": "flex"}


def test_the_meter_tells_each_key_and_project_apart(rehearsal: Rehearsal) -> None:
    for key in (rehearsal.key, rehearsal.key, rehearsal.other_key):
        rehearsal.json("POST", "/v1/responses", SMALL, key=key)
    meter = rehearsal.meter()
    assert (meter["by_key"][rehearsal.key]["requests"], meter["by_project"]["proj_two"]["requests"]) == (2, 1)
    assert int(meter["billed_pico"]) == sum(int(total["billed_pico"]) for total in meter["by_key"].values())
    assert int(meter["billed_nano_ceiling"]) == sum(int(call["billed_nano_ceiling"]) for call in rehearsal.calls())


def test_a_call_tells_what_was_asked_and_by_which_exchange(rehearsal: Rehearsal) -> None:
    rehearsal.send("POST", "/v1/responses", SMALL, **{"x-headgate-request": "req_1"})
    (call,) = rehearsal.calls()
    assert (call["asked_max_output"], call["asked_service_tier"], call["headgate_request"]) == (64, "flex", "req_1")
    assert (call["tier"], call["model"], call["api"]) == ("flex", "gpt-5.5", "responses")


def test_calls_are_read_on_from_the_last_one_seen(rehearsal: Rehearsal) -> None:
    for _ in range(3):
        rehearsal.json("POST", "/v1/responses", SMALL)
    assert [call["number"] for call in rehearsal.json("GET", "/rehearsal/calls?after=1")["calls"]] == [2, 3]
    assert [call["number"] for call in rehearsal.json("GET", "/rehearsal/calls?after=0&limit=1")["calls"]] == [1]


def test_a_reset_forgets_everything_but_the_keys(rehearsal: Rehearsal) -> None:
    made = rehearsal.json("POST", "/v1/responses", SMALL)
    rehearsal.settings(full_output=True)
    rehearsal.json("POST", "/rehearsal/faults", {"name": "status_500"})
    rehearsal.json("POST", "/rehearsal/reset")
    assert rehearsal.billed_pico() == 0
    assert rehearsal.send("GET", f"/v1/responses/{made['id']}")[0] == 404
    again = rehearsal.json("POST", "/v1/responses", SMALL)
    assert again["id"] != made["id"]
    assert again["usage"] == made["usage"]


def test_the_last_request_is_shown_as_it_came(rehearsal: Rehearsal) -> None:
    rehearsal.send("POST", "/v1/responses?lab=1", SMALL, **{"X-Codex-Something": "7"})
    last = rehearsal.json("GET", "/rehearsal/last")
    assert (last["target"], last["headers"]["x-codex-something"]) == ("/v1/responses?lab=1", "7")
    assert '"max_output_tokens": 64' in last["body"]


def test_a_counter_can_be_made_to_fail(rehearsal: Rehearsal) -> None:
    rehearsal.settings(count_status=500)
    assert rehearsal.send("POST", "/v1/responses/input_tokens", SMALL)[0] == 500


def test_a_page_that_is_not_there_is_not_found(rehearsal: Rehearsal) -> None:
    assert rehearsal.send("GET", "/rehearsal/nothing")[0] == 404
    assert rehearsal.send("POST", "/rehearsal/settings", {"speed": 1})[0] == 400
    assert rehearsal.send("GET", "/rehearsal/calls?after=x")[0] == 400
