from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from headgate.control.command import Status
from headgate.gateway.socket import CommandSocket
from headgate.web.gate_client import GateAway, GateClient


def ask(folder: Path, answer: bytes | None) -> object:
    """One question to a gate that answers so; None: it hangs up."""

    async def talk() -> object:
        async def obey(line: bytes) -> bytes:
            if answer is None:
                raise ConnectionResetError
            return answer

        gate = CommandSocket(folder / "gate.sock", obey)
        await gate.open()
        try:
            return await GateClient(folder / "gate.sock").ask(Status(actor="house"))
        finally:
            await gate.close()

    return asyncio.run(talk())


def test_what_the_gate_says_comes_back_as_it_was(tmp_path: Path) -> None:
    assert ask(tmp_path, b'{"ok":{"draining":false}}') == {"draining": False}
    assert len(str(ask(tmp_path, b'{"ok":"' + b"x" * 1_000_000 + b'"}'))) == 1_000_000


@pytest.mark.parametrize("answer", [None, b"", b"nonsense", b'{"error":"the disk is full"}'])
def test_a_gate_that_cannot_say_it_is_away(tmp_path: Path, answer: bytes | None) -> None:
    with pytest.raises(GateAway, match=r"does not answer|the disk is full"):
        ask(tmp_path, answer)


def test_a_socket_that_is_not_there_is_a_gate_that_is_away(tmp_path: Path) -> None:
    with pytest.raises(GateAway, match="FileNotFoundError"):
        asyncio.run(GateClient(tmp_path / "gate.sock").ask(Status(actor="house")))
    (tmp_path / "gate.sock").write_bytes(b"")
    with pytest.raises(GateAway, match="ConnectionRefusedError"):
        asyncio.run(GateClient(tmp_path / "gate.sock").ask(Status(actor="house")))
