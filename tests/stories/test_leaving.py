from __future__ import annotations

import socket

import pytest
from tests.stories.conftest import Open
from tests.stories.faultstage import writer_held
from tests.stories.gatehouse import Gatehouse, eventually, workspace
from tests.stories.provider import Rehearsal

from headgate import assembly

LONG = {"metadata": {"rehearsal_text_tokens": "400"}}


def test_a_caller_who_hangs_up_in_the_middle_pays_what_was_billed(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace())
    rehearsal.set(event_ms=5)
    line = house.caller().stream(**LONG)
    request = line.until(b"output_text.delta").request
    line.hang_up()
    entry = house.settled(request)
    call = rehearsal.call(request)
    assert (entry.state, entry.ending, call["ended"]) == ("POSTED", "completed", "whole")
    assert entry.posted_nano == int(call["billed_nano_ceiling"])
    house.at_rest()


def test_a_caller_who_reads_nothing_and_then_hangs_up_pays_what_was_billed(gate: Open, rehearsal: Rehearsal) -> None:
    # So much is said that the way to the caller fills up and the provider is held back; leaving lets it go on.
    house = gate(workspace())
    line = house.caller().stream(metadata={"rehearsal_text_tokens": "90000"})
    request = line.head().request
    eventually(lambda: provider_is_held_back(house))
    line.hang_up()
    entry = house.settled(request)
    assert (entry.state, entry.posted_nano) == ("POSTED", int(rehearsal.call(request)["billed_nano_ceiling"]))
    house.at_rest()


def provider_is_held_back(house: Gatehouse) -> bool:
    wires = house.running.gate.world.ways["openai"].upstream._wires
    return any(wire.receiving is not None and wire.receiving.held for wire in wires)


def test_a_caller_who_hangs_up_before_the_hold_is_durable_pays_nothing(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace())
    caller = house.caller()
    with writer_held(house):
        line = caller.stream()
        eventually(lambda: len(house.running.gate.open_exchanges) == 1)
        line.hang_up()
        eventually(lambda: house.service.listeners.connections == 0)
    house.at_rest()
    request = house.book.newest(caller.key_id)
    assert request is not None
    entry = house.settled(request)
    assert (entry.state, entry.ending, rehearsal.requests()) == ("VOIDED", "never_sent", 0)


def test_a_caller_who_only_closed_its_side_is_not_left_waiting_for_an_answer_that_never_comes(gate: Open) -> None:
    house = gate(workspace())
    caller = house.caller()
    body = b'{"model":"gpt-5.5","input":"Say hello"}'
    head = f"POST /v1/responses HTTP/1.1\r\nhost: gate\r\nauthorization: Bearer {caller.key}\r\ncontent-length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", house.port), timeout=30) as connection, writer_held(house) as release:
        connection.sendall(head.encode() + body)
        connection.shutdown(socket.SHUT_WR)
        eventually(lambda: any(answer.gone for _, answer in house.running.gate.open_exchanges.values()))
        release()
        with pytest.raises(ConnectionResetError):
            connection.recv(65_536)
    house.at_rest()
    assert house.service.listeners.connections == 0


def test_a_workspace_that_cuts_keeps_the_hold_until_the_provider_was_asked(
    gate: Open, rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assembly, "RESOLVE_EVERY_S", 0.5)
    house = gate(workspace(on_disconnect='"cut"'))
    rehearsal.set(event_ms=20)
    line = house.caller().stream(**LONG)
    request = line.until(b"output_text.delta").request
    line.hang_up()
    eventually(lambda: house.book.told(request).state == "SUSPECT")
    doubted = house.book.told(request)
    assert (doubted.ending, doubted.posted_nano) == ("stalled", 0)
    assert house.book.budget("workspace:one/month/money").suspect == doubted.held_nano
    # The provider keeps the answer under its id, which the gate saw before its caller left.
    eventually(lambda: house.book.told(request).state == "POSTED")
    entry = house.book.told(request)
    call = rehearsal.call(request)
    assert (entry.how, call["ended"], entry.posted_nano) == ("fetched", "client_gone", int(call["billed_nano_ceiling"]))
    assert rehearsal.last()["method"] == "GET"
    house.at_rest()


def test_a_doubt_about_an_answer_that_nobody_keeps_stays(gate: Open, rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "RESOLVE_EVERY_S", 0.1)
    house = gate(workspace(on_disconnect='"cut"'))
    rehearsal.set(event_ms=20)
    caller = house.caller()
    kept = caller.stream(**LONG)
    unkept = caller.stream(store=False, **LONG)
    requests = [line.until(b"output_text.delta").request for line in (kept, unkept)]
    for line in (kept, unkept):
        line.hang_up()
    assert house.settled(requests[0]) and house.settled(requests[1])
    eventually(lambda: house.book.told(requests[0]).state == "POSTED")
    assert house.book.told(requests[1]).state == "SUSPECT"
    house.at_rest()


def test_a_caller_who_cuts_while_it_waits_for_a_connection_pays_nothing(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace(on_disconnect='"cut"', paths='["narrow"]'), narrow(rehearsal))
    caller = house.caller()
    rehearsal.set(first_token_ms=500)
    first = caller.stream()
    eventually(lambda: rehearsal.requests() == 1)
    second = caller.stream()
    eventually(lambda: house.book.holds() == 2)
    second.hang_up()
    eventually(lambda: (newest := house.book.newest(caller.key_id)) is not None and house.book.told(newest).state != "HELD")
    entry = house.book.told(house.book.newest(caller.key_id))
    assert (entry.state, entry.ending) == ("VOIDED", "never_sent")
    assert first.rest().status == 200 and rehearsal.requests() == 1
    house.at_rest()


def narrow(rehearsal: Rehearsal) -> str:
    return f'[paths.narrow]\nbase_url = "{rehearsal.base_url}"\ncredential = "env:PROVIDER_KEY"\nrehearsal = true\nmost_connections = 1\n'


def test_a_drain_that_takes_too_long_leaves_a_doubt_and_no_connection(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace())
    house.running.gate.drain_seconds = 0
    rehearsal.set(event_ms=200)
    line = house.caller().stream(store=False, **LONG)
    request = line.until(b"output_text.delta").request
    line.hang_up()
    entry = house.settled(request)
    assert (entry.state, entry.ending) == ("SUSPECT", "stalled")
    house.at_rest()
