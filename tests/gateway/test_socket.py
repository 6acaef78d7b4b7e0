from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from headgate.gateway.socket import MOST_PATH_BYTES, CommandSocket, fits


async def echo(line: bytes) -> bytes:
    return b'{"ok":' + line.strip() + b"}"


def talk(file: Path, work: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        command = CommandSocket(file, echo)
        await command.open()
        try:
            await work()
        finally:
            await command.close()

    asyncio.run(run())


def test_several_commands_go_over_one_connection_in_order(tmp_path: Path) -> None:
    async def work() -> None:
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.write(b"1\n2\n3\n")
        assert [await reader.readline() for _ in range(3)] == [b'{"ok":1}\n', b'{"ok":2}\n', b'{"ok":3}\n']
        writer.close()

    talk(tmp_path / "s", work)


def test_only_its_user_may_open_the_socket(tmp_path: Path) -> None:
    async def work() -> None:
        mode = os.stat(tmp_path / "s").st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600

    talk(tmp_path / "s", work)


def test_what_a_killed_gate_left_behind_is_replaced_and_nothing_is_left_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"left behind")

    async def work() -> None:
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.write(b"1\n")
        assert await reader.readline() == b'{"ok":1}\n'
        writer.close()

    talk(tmp_path / "s", work)
    assert list(tmp_path.iterdir()) == []


def test_a_client_that_leaves_in_the_middle_of_a_line_disturbs_nobody(tmp_path: Path) -> None:
    async def work() -> None:
        for sent in (b"", b"half a li", b"\n" * 3):
            _, writer = await asyncio.open_unix_connection(tmp_path / "s")
            writer.write(sent)
            writer.close()
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.write(b"1\n")
        assert await reader.readline() == b'{"ok":1}\n'
        writer.close()

    talk(tmp_path / "s", work)


@pytest.mark.parametrize("length", [MOST_PATH_BYTES - 1, MOST_PATH_BYTES, MOST_PATH_BYTES + 1, MOST_PATH_BYTES + 50])
def test_a_name_fits_exactly_when_the_kernel_takes_it(tmp_path: Path, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("ü" * (length // 4) + "x" * (length - 2 * (length // 4)))
    assert len(os.fsencode(file)) == length

    async def opens() -> bool:
        command = CommandSocket(file, echo)
        try:
            await command.open()
        except OSError:
            return False
        await command.close()
        return True

    if fits(file):
        assert asyncio.run(opens())
    else:
        assert length > MOST_PATH_BYTES
