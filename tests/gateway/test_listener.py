from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from tests.gateway.dialogue import GET, LAST, QUICK, Held, NotingDoor, call, certificate, open_door, post, run, until

from headgate.gateway.listener import Limits, Listeners


def test_more_connections_than_the_limit_are_told_so_and_a_flood_is_dropped() -> None:
    async def story() -> None:
        door = NotingDoor()
        listeners, port = await open_door(door, msgspec.structs.replace(QUICK, connections=2))
        first, second = await call(port), await call(port)
        await until(lambda: listeners.connections == 2)
        third = await call(port)
        assert (await third.hear_all()).startswith(b"HTTP/1.1 503 ")
        others = [await call(port) for _ in range(8)]
        await until(lambda: listeners.connections <= 4)
        for caller in (first, second):
            await caller.say(LAST)
            assert b"served" in await caller.hear_all()
        for caller in (third, *others):
            caller.hang_up()
        await until(lambda: listeners.connections == 0)
        again = await call(port)
        await again.say(LAST)
        assert b"served" in await again.hear_all()
        listeners.close()

    run(story())


def test_draining_lets_open_calls_finish_and_idle_ones_go() -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door)
        busy, idle, begun = await call(port), await call(port), await call(port)
        await busy.say(GET)
        await begun.say(GET[:20])
        await until(lambda: len(held.answers) == 1 and listeners.connections == 3)
        listeners.drain()
        assert await idle.hear_all() == b""
        assert not await listeners.drained(0.02)
        with pytest.raises(ConnectionError):
            await call(port)
        held.answers[0].send(200, b"", b"done")
        heard = await busy.hear_all()
        assert b"\r\nconnection: close\r\n" in heard
        assert heard.endswith(b"done")
        await begun.say(GET[20:])
        await until(lambda: len(held.answers) == 2)
        held.answers[1].send(200, b"", b"done")
        assert b"\r\nconnection: close\r\n" in await begun.hear_all()
        assert await listeners.drained(5)
        listeners.close()

    run(story())


def test_closing_ends_everything_and_tells_whoever_was_answering() -> None:
    async def story() -> None:
        door = NotingDoor()
        held = Held(door)
        listeners, port = await open_door(door)
        caller = await call(port)
        await caller.say(GET)
        await until(lambda: len(held.answers) == 1)
        listeners.close()
        assert held.gone == 1
        assert await caller.hear_all() == b"<reset>"

    run(story())


def test_the_same_is_served_over_tls(tmp_path: Path) -> None:
    async def story() -> None:
        server, client = certificate(tmp_path)
        door = NotingDoor()
        listeners = Listeners(door, QUICK)
        port = await listeners.listen("127.0.0.1", 0, tls=server)
        for message, status in ((post(b"x" * 100_000), b"200"), (b"nonsense\r\n\r\n", b"400")):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
            writer.write(message)
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 " + status)
            writer.close()
        await until(lambda: listeners.connections == 0)
        assert len(door.served) == 1
        listeners.close()

    run(story())


def test_the_limits_are_those_of_the_design() -> None:
    limits = Limits()
    assert (limits.head_s, limits.body_bytes_per_s, limits.write_stall_s, limits.idle_s) == (10, 1024, 60, 75)
