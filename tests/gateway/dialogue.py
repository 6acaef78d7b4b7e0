"""Real sockets on each side of the wire: a door that notes what it served, a client that says raw bytes, a provider with a script."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TypeVar

import uvloop

from headgate.gateway.listener import Admitted, Answer, Head, Limits, Listeners, Whole
from headgate.refusal import MANNERS, Reason

Result = TypeVar("Result")
PLAIN = b"content-type: text/plain\r\n"
QUICK = Limits(sweep_s=0.01)


def run(story: Coroutine[object, object, Result]) -> Result:
    """One story on one fresh loop, which must not need more than a minute."""
    return uvloop.run(_within_a_minute(story))


async def _within_a_minute(story: Coroutine[object, object, Result]) -> Result:
    async with asyncio.timeout(60):
        return await story


class NotingDoor:
    """Serves every request at once with a text that says what was served; a test may put something else in `serving`."""

    def __init__(self, body_limit: int = 1 << 20) -> None:
        self.body_limit = body_limit
        self.served: list[tuple[str, str, bytes]] = []
        self.admitted: list[Head] = []
        self.refused: list[Reason] = []
        self.serving: Callable[[Head, bytes, Answer], None] = lambda head, body, answer: answer.send(200, PLAIN, b"served " + body)
        self.whole: dict[str, Whole] = {}

    def admit(self, head: Head) -> Admitted | Whole:
        self.admitted.append(head)
        return self.whole.get(head.target) or Admitted(self.body_limit, head.target)

    def serve(self, ticket: object, head: Head, body: bytes, answer: Answer) -> None:
        assert ticket == head.target
        self.served.append((head.method, head.target, body))
        self.serving(head, body, answer)

    def refuse(self, reason: Reason, message: str) -> tuple[int, bytes, bytes]:
        self.refused.append(reason)
        assert message
        return MANNERS[reason].status, PLAIN, b"refused " + reason.value.encode()


class Caller:
    """The client's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, *pieces: bytes) -> None:
        """Send the pieces one by one, each with a turn of the loop for itself."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0.001)

    async def hear(self, text: bytes) -> bytes:
        """Wait for this text; returns everything up to its end."""
        return await self.reader.readuntil(text)

    async def hear_all(self) -> bytes:
        """Wait until the other side closes; a reset counts as that."""
        heard = bytearray()
        try:
            while piece := await self.reader.read(1 << 16):
                heard += piece
        except ConnectionError:
            heard += b"<reset>"
        return bytes(heard)

    def finish(self) -> None:
        """Close our side only."""
        self.writer.write_eof()

    def hang_up(self) -> None:
        """Close both sides in order."""
        self.writer.close()

    def reset(self) -> None:
        """Tear the connection."""
        handle = self.writer.get_extra_info("socket")
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def call(port: int, buffer: int = 0) -> Caller:
    """Connect to the door; `buffer` bounds what the kernel takes in for a client that does not read."""
    handle = socket.socket()
    if buffer:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    handle.setblocking(False)
    await asyncio.get_running_loop().sock_connect(handle, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=handle, limit=1 << 16)
    return Caller(reader, writer)


async def open_door(door: NotingDoor, limits: Limits = QUICK) -> tuple[Listeners, int]:
    """The door on a free port of this machine."""
    listeners = Listeners(door, limits)
    return listeners, await listeners.listen("127.0.0.1", 0)


async def until(fact: Callable[[], bool]) -> None:
    """Wait for something that must become true."""
    while not fact():
        await asyncio.sleep(0.002)


class Script:
    """What a provider does on one connection: `expect` a number of requests' ends, then `say` bytes, `hang_up`, `reset` or wait."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def request(self) -> bytes:
        """One request with a Content-Length, head and body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                return head + await self.reader.readexactly(int(line.split(b":")[1]))
        return head

    async def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0.001)

    def hang_up(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        handle = self.writer.get_extra_info("socket")
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Provider:
    """A provider that plays one script per connection, in order, and counts the connections it got."""

    def __init__(self, *scripts: Callable[[Script], Awaitable[None]]) -> None:
        self.scripts: Sequence[Callable[[Script], Awaitable[None]]] = scripts
        self.connections = 0
        self.open = 0
        self.port = 0

    async def listen(self) -> int:
        self.server = await asyncio.start_server(self._play, "127.0.0.1", 0, limit=1 << 20)
        self.port = self.server.sockets[0].getsockname()[1]
        return self.port

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, self.connections, self.open = self.connections, self.connections + 1, self.open + 1
        try:
            await self.scripts[min(number, len(self.scripts) - 1)](Script(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side of the dialogue may leave at any line
        finally:
            self.open -= 1
            writer.close()
