"""The rehearsal as an HTTP server: framing, pipelines, many connections, clients that leave."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import pytest

from .conftest import Rehearsal

SMALL = {"model": "gpt-5.5", "input": "Say hello"}
CLOSE = "connection: close"


def wait_until(happened: Any) -> Any:
    """Asks again until the answer is true; the test's own time limit is the only limit."""
    while not (found := happened()):
        time.sleep(0.01)
    return found


def test_requests_on_one_connection_are_answered_in_order(rehearsal: Rehearsal) -> None:
    first = rehearsal.post_bytes("/v1/responses", {**SMALL, "input": "Say one"})
    second = rehearsal.post_bytes("/v1/responses", {**SMALL, "input": "Say two", "stream": True})
    third = rehearsal.post_bytes("/v1/responses", {**SMALL, "input": "Say three"}, CLOSE)
    answers = rehearsal.raw(first + second + third)
    assert answers.count(b"HTTP/1.1 200") == 3
    assert answers.index(b'"text":"one"') < answers.index(b'"text":"two"') < answers.index(b'"text":"three"')


def test_a_request_in_chunks_byte_by_byte_is_read_whole(rehearsal: Rehearsal) -> None:
    body = json.dumps(SMALL).encode()
    lines = (
        "POST /v1/responses HTTP/1.1",
        "host: x",
        f"authorization: Bearer {rehearsal.key}",
        CLOSE,
        "transfer-encoding: chunked",
        "",
        "",
    )
    head = "\r\n".join(lines).encode()
    data = head + b"5\r\n" + body[:5] + b"\r\n" + b"%x;note=1\r\n" % len(body[5:]) + body[5:] + b"\r\n0\r\n\r\n"
    with rehearsal.connected(b"") as connection:
        for index in range(len(data)):
            connection.sendall(data[index : index + 1])
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


def test_a_body_that_is_announced_is_waited_for(rehearsal: Rehearsal) -> None:
    data = rehearsal.post_bytes("/v1/responses", SMALL, "expect: 100-continue", CLOSE)
    head, _, body = data.partition(b"\r\n\r\n")
    with rehearsal.connected(head + b"\r\n\r\n") as connection:
        assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"POST /v1/responses HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST /v1/responses HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        b"POST /v1/responses HTTP/1.1\r\ncontent-length: -5\r\n\r\n",
        b"POST /v1/responses HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
        b"POST /v1/responses HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        b"GET / HTTP/1.1\r\n folded: x\r\n\r\n",
    ],
)
def test_a_request_without_a_certain_end_is_refused_and_the_connection_closed(rehearsal: Rehearsal, data: bytes) -> None:
    assert rehearsal.raw(data).startswith(b"HTTP/1.1 400 ")
    assert rehearsal.calls() == []


def test_a_client_that_leaves_pays_for_the_whole_answer(rehearsal: Rehearsal) -> None:
    rehearsal.settings(event_ms=600_000)
    call = _leave_in_the_middle(rehearsal)
    rehearsal.settings(event_ms=0)
    rehearsal.events("/v1/responses", {**SMALL, "input": "Tell me about rivers"})
    assert call["ended"] == "client_gone"
    assert call["billed_pico"] == rehearsal.calls()[-1]["billed_pico"]


def test_a_client_that_leaves_a_kind_provider_pays_for_what_was_sent(rehearsal: Rehearsal) -> None:
    rehearsal.settings(event_ms=600_000, bill_after_disconnect=False)
    call = _leave_in_the_middle(rehearsal)
    rehearsal.settings(event_ms=0)
    rehearsal.events("/v1/responses", {**SMALL, "input": "Tell me about rivers"})
    whole = rehearsal.calls()[-1]
    assert 0 < call["tokens"]["output"] < whole["tokens"]["output"]
    assert rehearsal.billed_pico() == int(call["billed_pico"]) + int(whole["billed_pico"])


def _leave_in_the_middle(rehearsal: Rehearsal) -> Any:
    body = {**SMALL, "input": "Tell me about rivers", "stream": True}
    with rehearsal.connected(rehearsal.post_bytes("/v1/responses", body)) as connection:
        connection.recv(1)
    return wait_until(lambda: next((call for call in rehearsal.calls() if call["ended"] != "running"), None))


def test_a_response_that_is_still_made_is_in_progress(rehearsal: Rehearsal) -> None:
    rehearsal.settings(event_ms=600_000)
    with rehearsal.connected(rehearsal.post_bytes("/v1/responses", {**SMALL, "stream": True})) as connection:
        connection.recv(1)
        (call,) = rehearsal.calls()
        running = rehearsal.json("GET", f"/v1/responses/{call['id']}")
        assert (running["status"], running["usage"]) == ("in_progress", None)
    wait_until(lambda: rehearsal.calls()[0]["ended"] != "running")
    done = rehearsal.json("GET", f"/v1/responses/{call['id']}")
    assert done["status"] == "completed"
    assert done["usage"]["output_tokens"] == call["tokens"]["output"]


def test_a_slow_reader_holds_up_nobody_else(rehearsal: Rehearsal) -> None:
    endless = {**SMALL, "stream": True, "metadata": {"rehearsal_fault": "endless_event"}}
    with rehearsal.connected(rehearsal.post_bytes("/v1/responses", endless)):
        assert rehearsal.json("POST", "/v1/responses", SMALL)["status"] == "completed"
    wait_until(lambda: rehearsal.calls()[0]["ended"] == "client_gone")


def test_many_connections_are_open_at_once(rehearsal: Rehearsal) -> None:
    rehearsal.settings(first_token_ms=200)
    data = rehearsal.post_bytes("/v1/responses", {**SMALL, "stream": True}, CLOSE)
    connections = [socket.create_connection(rehearsal.address, timeout=20) for _ in range(500)]
    try:
        for connection in connections:
            connection.sendall(data)
        received = [b"" for _ in connections]
        for index, connection in enumerate(connections):
            while piece := connection.recv(65_536):
                received[index] += piece
    finally:
        for connection in connections:
            connection.close()
    assert all(answer.endswith(b"0\r\n\r\n") for answer in received)
    assert rehearsal.meter()["billed_requests"] == 500


def test_a_head_request_has_no_body(rehearsal: Rehearsal) -> None:
    data = f"HEAD /v1/responses HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {rehearsal.key}\r\n{CLOSE}\r\n\r\n".encode()
    answer = rehearsal.raw(data)
    assert answer.startswith(b"HTTP/1.1 405")
    assert answer.endswith(b"\r\n\r\n")


def test_an_upgrade_is_refused_in_the_one_way_that_clients_understand(rehearsal: Rehearsal) -> None:
    assert rehearsal.send("GET", "/v1/responses", connection="upgrade", upgrade="websocket")[0] == 426
