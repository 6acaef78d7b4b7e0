from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.stories.callers import Caller
from tests.stories.conftest import Open
from tests.stories.gatehouse import CommandRefused, Gatehouse, GateProcess, Shifted, configuration, eventually, workspace
from tests.stories.provider import Rehearsal

from headgate import assembly
from headgate.control.command import Reload, Resolve, RevokeKey, RotateKey, SetCap, Status, Sweep, Thaw
from headgate.gateway import service
from headgate.names import MICROSECONDS

pytestmark = pytest.mark.slow

MONTH = "workspace:one/month/money"
LONG = {"metadata": {"rehearsal_text_tokens": "400"}}


def cap(dollars: str, hours: int = 1) -> SetCap:
    nano = int(float(dollars) * 1_000_000_000)
    return SetCap(actor="story", rule=MONTH, scope="workspace:one", cap=nano, reason="a story", hours=hours)


def test_the_counts_of_a_flood_of_refusals_add_up_to_the_requests(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace() + workspace("two"))
    callers = [house.caller(), house.caller(), house.caller("two")]
    with ThreadPoolExecutor(6) as threads:
        asked = [(callers[number % 3], ("gpt-0", "tier")[number % 2]) for number in range(240)]
        refused = list(
            threads.map(lambda one: one[0].respond(**({"model": "gpt-0"} if one[1] == "gpt-0" else {"service_tier": "gold"})), asked)
        )
    assert {heard.status for heard in refused} == {404, 403}
    house.stop()
    leaves = house.book.leaves("refusal")
    for space, share in (("one", 160), ("two", 80)):
        for reason in ("model_not_found", "tier_not_allowed"):
            told = [leaf for leaf in leaves if (leaf["workspace"], leaf["reason"]) == (space, reason)]
            assert sum(leaf["count"] for leaf in told) == share // 2
    assert len(leaves) < 240, "a flood shares its leaves"
    assert rehearsal.requests() == 0


def test_a_revoked_key_is_nobody_from_the_next_request_on(gate: Open) -> None:
    house = gate(workspace())
    caller, other = house.caller(), house.caller()
    assert caller.respond().status == 200
    house.command(RevokeKey(actor="story", key=caller.key_id, reason="it was seen in a log"))
    refused = caller.respond()
    assert (refused.status, refused.error["policy_code"]) == (401, "invalid_key")
    assert other.respond().status == 200


def test_a_rotated_key_goes_on_for_its_overlap_and_then_ends(gate: Open) -> None:
    shifted = Shifted()
    house = gate(workspace(), clock=shifted.clock())
    caller = house.caller()
    fresh = Caller(house.port, house.command(RotateKey(actor="story", key=caller.key_id, overlap_hours=2))["key"])
    assert (caller.respond().status, fresh.respond().status) == (200, 200)
    shifted.both_ahead_us = 3 * 3600 * MICROSECONDS
    assert caller.respond().error["policy_code"] == "expired_key"
    assert fresh.respond().status == 200


def test_a_stream_that_runs_keeps_its_world_while_another_is_loaded(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace())
    caller = house.caller()
    rehearsal.set(event_ms=10)
    line = caller.stream(**LONG)
    line.until(b"output_text.delta")
    house.write(house.text.replace('models = ["*"]', 'models = ["gpt-5.4-mini"]'))
    house.command(Reload(actor="story"))
    refused = caller.respond()
    assert refused.error["policy_code"] == "model_not_allowed"
    assert line.rest().events[-1]["type"] == "response.completed"
    assert house.settled(line.heard.request).state == "POSTED"
    assert caller.respond(model="gpt-5.4-mini").status == 200
    house.at_rest()


def test_a_file_with_a_mistake_changes_nothing(gate: Open) -> None:
    house = gate(workspace())
    caller = house.caller()
    for text in (
        house.text.replace("caps.month", "caps.mnoth"),
        house.text + "[paths",
        house.text.replace('data = "data"', 'data = "other"'),
    ):
        house.write(text)
        with pytest.raises(CommandRefused, match="nothing was changed"):
            house.command(Reload(actor="story"))
        assert caller.respond().status == 200
    house.write(house.text.replace('caps.month = "500"', 'caps.month = "400"'))
    house.command(Reload(actor="story"))
    assert house.book.budget(MONTH).cap == 400 * 1_000_000_000
    house.at_rest()


def test_a_cap_that_is_set_holds_at_once_is_not_undone_by_a_reload_and_ends_by_itself(gate: Open) -> None:
    shifted = Shifted()
    house = gate(workspace(), clock=shifted.clock())
    caller = house.caller()
    assert caller.respond(max_output_tokens=16).status == 200
    house.command(cap("0.01"))
    for _ in range(2):
        assert caller.respond(max_output_tokens=16).status == 200
        assert caller.respond(max_output_tokens=30_000).error["policy_code"] == "budget_exhausted"
        house.command(Reload(actor="story"))
    shifted.both_ahead_us = 2 * 3600 * MICROSECONDS
    assert caller.respond(max_output_tokens=30_000).status == 200
    house.at_rest()


def test_a_cap_below_what_is_in_use_is_reached_as_calls_settle(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace())
    caller = house.caller()
    rehearsal.set(event_ms=10)
    line = caller.stream(**LONG)
    line.until(b"output_text.delta")
    house.command(cap("0.5"))
    between = house.book.budget(MONTH)
    assert between.cap == between.posted + between.held > (between.target or 0) == 500_000_000
    assert caller.respond(max_output_tokens=16).error["policy_code"] in ("budget_busy", "budget_exhausted")
    line.rest()
    house.at_rest()
    assert (house.book.budget(MONTH).cap, house.book.budget(MONTH).target) == (500_000_000, None)
    assert caller.respond(max_output_tokens=16).status == 200


def test_a_raised_cap_lets_those_in_who_wait(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace(month="5", wait_ms="20000"))
    caller = house.caller()
    rehearsal.set(first_token_ms=1_500)
    line = caller.stream()
    eventually(lambda: rehearsal.requests() == 1)
    waiting = caller.stream()
    eventually(lambda: len(house.running.gate.open_exchanges) == 2)
    house.command(cap("50"))
    eventually(lambda: rehearsal.requests() == 2)
    assert "x-headgate-shortened" not in waiting.rest().headers and line.rest().status == 200
    house.at_rest()


def test_a_disk_that_is_nearly_full_admits_nothing_and_settles_what_is_open(
    gate: Open, rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    shifted = Shifted()
    house = gate(workspace(), clock=shifted.clock())
    caller = house.caller()
    rehearsal.set(event_ms=10)
    line = caller.stream(**LONG)
    line.until(b"output_text.delta")
    monkeypatch.setattr(assembly, "RESERVE_BYTES", 1 << 62)
    shifted.both_ahead_us = 2 * MICROSECONDS  # the disk is looked at once a second
    refused = caller.respond()
    assert (refused.status, refused.error["policy_code"], refused.headers["x-should-retry"]) == (503, "disk_low", "true")
    assert line.rest().status == 200 and house.settled(line.heard.request).state == "POSTED"
    monkeypatch.undo()
    shifted.both_ahead_us = 4 * MICROSECONDS
    assert caller.respond().status == 200 and rehearsal.requests() == 2


def test_a_gate_that_stops_on_a_full_disk_leaves_its_open_calls_in_doubt(
    gate: Open, rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "GRACE_SECONDS", 0.2)
    house = gate(workspace(month="5000"))
    caller = house.caller()
    rehearsal.set(first_token_ms=300)
    line = caller.stream()
    eventually(lambda: rehearsal.requests() == 1)
    rehearsal.set(first_token_ms=0)
    with house.full_disk():
        while caller.respond().status == 200:
            pass
        assert line.rest().status == 200
        house.stop(1)
        assert house.faults == [] and not any("faults_total" in labels for labels in house.running.gate.tally.counts)
    again = Gatehouse(house.folder, house.text)
    entry = again.book.told(line.heard.request)
    assert (entry.state, entry.ending) == ("SUSPECT", "crashed")
    again.stop()


def test_a_clock_that_jumps_opens_no_new_period_and_keeps_the_old_ones(gate: Open) -> None:
    shifted = Shifted()
    house = gate(workspace(), clock=shifted.clock())
    caller = house.caller()
    assert caller.respond().status == 200
    shifted.wall_ahead_us = 5 * 60 * MICROSECONDS
    assert caller.respond().status == 200, "the month is open"
    shifted.wall_ahead_us = 40 * 86_400 * MICROSECONDS
    refused = caller.respond()
    assert (refused.status, refused.error["policy_code"]) == (503, "clock_unsure")
    shifted.wall_ahead_us = 0
    assert caller.respond().status == 200
    assert len(house.book.budgets()) == 1
    house.at_rest()


def test_a_gate_that_starts_in_the_past_draws_on_no_earlier_day_again(gate: Open) -> None:
    shifted = Shifted()
    house = gate(workspace(legs=3), clock=shifted.clock())
    caller = house.caller()
    assert caller.respond().status == 200
    house.stop()
    shifted.both_ahead_us = -3 * 86_400 * MICROSECONDS
    again = Gatehouse(house.folder, house.text, shifted.clock())
    refused = Caller(again.port, caller.key).respond()
    again.stop()
    assert (refused.status, refused.error["policy_code"]) == (503, "clock_unsure")


def test_the_next_month_is_another_budget(gate: Open) -> None:
    shifted = Shifted()
    house = gate(workspace(month="0.01"), clock=shifted.clock())
    caller = house.caller()
    while caller.respond(max_output_tokens=16).status == 200:
        pass
    assert caller.respond(max_output_tokens=16).error["policy_code"] == "budget_exhausted"
    shifted.both_ahead_us = 32 * 86_400 * MICROSECONDS
    assert caller.respond(max_output_tokens=16).status == 200
    house.at_rest()
    assert [balance.posted > 0 for balance in house.book.budgets()] == [True, True]
    house.at_rest()


def test_a_breach_closes_its_shape_and_nothing_else_until_an_operator_opens_it(gate: Open) -> None:
    house = gate(workspace())
    caller = house.caller()
    breach = caller.respond(max_output_tokens=128, metadata={"rehearsal_fault": "output_above_max", "rehearsal_fault_at": "2000"})
    assert breach.status == 200
    house.at_rest()
    assert caller.respond().error["policy_code"] == "shape_frozen"
    assert caller.stream().rest().error["policy_code"] == "shape_frozen", "turning the stream on is no way around"
    assert (caller.chat().status, caller.respond(model="gpt-5.4-mini").status) == (200, 200)
    house.stop()
    again = Gatehouse(house.folder, house.text)
    back = Caller(again.port, caller.key)
    assert back.respond().error["policy_code"] == "shape_frozen"
    again.command(Thaw(actor="story", what="shape:openai/gpt-5.5/responses", reason="understood"))
    assert back.respond().status == 200
    again.stop()


def test_an_answer_of_a_dearer_model_is_posted_at_its_price_and_counted(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace())
    rehearsal.set(caching=False)
    caller = house.caller()
    plain = caller.respond(model="gpt-5.4-2026-03-05")
    swapped = caller.respond(metadata={"rehearsal_fault": "dearer_model"})
    assert swapped.json["model"].startswith("gpt-5.5-pro") and plain.json["model"].startswith("gpt-5.4")
    for heard in (plain, swapped):
        assert house.settled(heard.request).posted_nano == int(rehearsal.call(heard.request)["billed_nano_ceiling"])
    house.at_rest()
    counts = house.running.gate.tally.counts
    assert {labels: count for labels, count in counts.items() if labels[0].startswith("answered")} == {
        ("answered_by_another_model_total", "workspace", "one", "model", "gpt-5.5"): 1
    }


def test_a_gate_that_is_told_to_stop_finishes_the_streams_that_run(rehearsal: Rehearsal, root: Path, tmp_path: Path) -> None:
    process = GateProcess(root / "src", tmp_path / "gate", configuration(rehearsal.base_url, workspace(), drain=20))
    caller = process.caller()
    rehearsal.set(event_ms=15)
    line = caller.stream(**LONG)
    kept = caller.open("GET", "/v1/models")
    assert kept.rest().status == 200
    line.until(b"output_text.delta")
    process.process.terminate()
    assert line.rest().events[-1]["type"] == "response.completed"
    assert process.process.wait(30) == 0
    entry = process.book.told(line.heard.request)
    assert (entry.state, entry.posted_nano) == ("POSTED", int(rehearsal.call(line.heard.request)["billed_nano_ceiling"]))
    process.stop()
    process.book.proves()


def test_a_stream_that_outlasts_the_drain_is_ended_with_an_event_and_is_in_doubt(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace())
    rehearsal.set(event_ms=100)
    line = house.caller().stream(**LONG)
    line.until(b"output_text.delta")
    house.stop(0.2)
    last = line.rest().events[-1]
    assert last["type"] == "error" and last["error"]["policy_code"] == "upstream_cut"
    assert house.book.told(line.heard.request).state == "SUSPECT"
    house.book.proves()


def test_what_a_kill_left_in_doubt_is_posted_in_full_after_the_window_and_refunded_with_proof(
    rehearsal: Rehearsal, root: Path, tmp_path: Path
) -> None:
    text = configuration(rehearsal.base_url, workspace(legs=3))
    process = GateProcess(root / "src", tmp_path / "gate", text)
    rehearsal.set(event_ms=50)
    lines = [process.caller().stream(**LONG, store=False) for _ in range(2)]
    requests = [line.until(b"output_text.delta").request for line in lines]
    process.kill()
    for line in lines:
        line.hang_up()
    shifted = Shifted()
    house = Gatehouse(process.folder, text, shifted.clock())
    doubts = [house.book.told(request) for request in requests]
    assert [(entry.state, entry.ending) for entry in doubts] == [("SUSPECT", "crashed")] * 2
    assert house.command(Sweep(actor="story")) == [], "time alone has not passed"
    shifted.both_ahead_us = 25 * 3600 * MICROSECONDS
    assert len(house.command(Sweep(actor="story"))) == 2
    for request, doubt in zip(requests, doubts, strict=True):
        entry = house.book.told(request)
        assert (entry.state, entry.how, entry.posted_nano) == ("POSTED", "window", doubt.held_nano)
    call = rehearsal.call(requests[0])
    billed, tokens = int(call["billed_nano_ceiling"]), call["tokens"]["input"] + call["tokens"]["output"]
    proof = Resolve(actor="story", hold=requests[0], charge="actual", nano=billed, tokens=tokens, reason="the provider's report")
    house.command(proof)
    refunds = [amount for _, kind, amount in house.book.told(requests[0]).entries if kind == "REFUND"]
    assert refunds == [doubts[0].held_nano - billed] * 3
    assert {balance.posted for balance in house.book.budgets()} == {billed + doubts[1].held_nano}
    with pytest.raises(CommandRefused, match="refunded before"):
        house.command(proof)
    house.at_rest()
    house.stop()


def test_a_gate_tells_what_it_counted(gate: Open) -> None:
    house = gate(workspace())
    house.caller().respond()
    house.at_rest()
    told = house.command(Status(actor="story"))
    assert (told["open_exchanges"], told["draining"], told["rehearsal"]) == (0, False, True)
    counts = {tuple(labels): count for labels, count in told["counts"]}
    assert counts["exchanges_total", "workspace", "one", "model", "gpt-5.5", "ending", "completed"] == 1
