"""A provider on a real socket that follows a script, and the few answers that most scripts are made of."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from tests.gateway.dialogue import run

from headgate.gateway.upstream import Origin, Receiving, Upstream


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


HEAD = b"POST /v1/responses HTTP/1.1\r\nHost: provider\r\nContent-Length: %d\r\n\r\n"


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


Play = Callable[[Script], Awaitable[None]]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def post(upstream: Upstream, body: bytes = b"{}", protected: bool = False) -> Receiving:
    return await upstream.send(HEAD % len(body), body, protected)


def answers(*pieces: bytes, then: str = "stay") -> Play:
    """A provider that answers one request with these pieces, and then stays, hangs up or tears the connection."""

    async def play(script: Script) -> None:
        await script.request()
        await script.say(*pieces)
        if then == "reset":
            script.reset()
        elif then == "stay":
            await script.reader.read()

    return play


async def serve(script: Script) -> None:
    """A provider that answers every request, with its body, for as long as it is asked."""
    while True:
        request = await script.request()
        body = request.partition(b"\r\n\r\n")[2]
        await script.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Request-Id: r\r\n\r\n" % len(body) + body)


class Meeting:
    """One provider and the connections to it."""

    def __init__(self, *scripts: Play) -> None:
        self.provider = Provider(*scripts)

    async def upstream(self, **settings: object) -> Upstream:
        port = await self.provider.listen()
        origin = msgspec.structs.replace(Origin("127.0.0.1", port, sweep_s=0.01), **settings)
        return Upstream(origin)


def meet(story: Callable[[Upstream, Provider], Awaitable[None]], *scripts: Play, **settings: object) -> None:
    async def told() -> None:
        meeting = Meeting(*scripts)
        upstream = await meeting.upstream(**settings)
        await story(upstream, meeting.provider)
        upstream.close()

    run(told())
