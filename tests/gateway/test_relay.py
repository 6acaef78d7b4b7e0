from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.stories.gatehouse import Gatehouse, configuration, eventually, workspace
from tests.stories.provider import Rehearsal

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rehearsal(root: Path) -> Iterator[Rehearsal]:
    running = Rehearsal(root / "src")
    yield running
    assert running.stop() == 0


def test_a_caller_who_does_not_read_and_then_leaves_is_drained_to_the_true_count(rehearsal: Rehearsal, tmp_path: Path) -> None:
    house = Gatehouse(tmp_path, configuration(rehearsal.base_url, workspace(), drain=20))
    caller = house.caller()
    rehearsal.set(text_tokens=120_000)
    body = json.dumps({"model": "gpt-5.5", "input": "Say much", "stream": True}).encode()
    head = f"POST /v1/responses HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {caller.key}\r\ncontent-length: {len(body)}\r\n\r\n"
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", house.port))
        lazy.sendall(head.encode() + body)
        eventually(lambda: any(answer.paused for _, answer in house.running.gate.open_exchanges.values()))
    eventually(lambda: not house.running.gate.open_exchanges)
    (call,) = rehearsal.calls()
    entry = house.settled(call["headgate_request"])
    assert (entry.state, entry.posted_nano) == ("POSTED", int(call["billed_nano_ceiling"]))
    house.at_rest()
    house.stop()
