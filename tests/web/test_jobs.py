from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from headgate.control.command import Sweep, decoder
from headgate.gateway.socket import CommandSocket
from headgate.web import jobs
from headgate.web.gate_client import GateClient


def test_old_doubts_are_swept_again_and_again_also_after_the_gate_was_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "SWEEP_EVERY_S", 0.01)
    asked: list[object] = []

    async def obey(line: bytes) -> bytes:
        asked.append(decoder.decode(line))
        return b'{"error":"not now"}' if len(asked) == 1 else b'{"ok":[]}'

    async def live() -> None:
        job = asyncio.create_task(jobs.sweep_for_ever(GateClient(tmp_path / "gate.sock")))
        await asyncio.sleep(0.05)  # nobody there
        gate = CommandSocket(tmp_path / "gate.sock", obey)
        await gate.open()
        while len(asked) < 3:
            assert not job.done()
            await asyncio.sleep(0.01)
        job.cancel()
        await gate.close()

    asyncio.run(live())
    assert asked[:3] == [Sweep(actor="house")] * 3
