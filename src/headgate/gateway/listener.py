"""Where clients knock: the listening sockets of one door, the one sweep over its connections, and how they are let go.

What the house must bring (`Door`), what a client may take (`Limits`) and what is handed over stand in the files beside this one and
are named here, so that whoever builds a door imports one file.
"""

from __future__ import annotations

import asyncio
import ssl
from email.utils import formatdate

from headgate.gateway.answer import Answer
from headgate.gateway.connection import Connection, Lobby
from headgate.gateway.door import Admitted, Door, Limits, Whole
from headgate.gateway.http1 import Head

__all__ = ["Admitted", "Answer", "Door", "Head", "Limits", "Listeners", "Whole"]


class Listeners:
    """Every listening socket of one door, and every connection that came through it."""

    def __init__(self, door: Door, limits: Limits | None = None) -> None:
        self._lobby = Lobby(door, limits or Limits())
        self._servers: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._lobby.connections)

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None, backlog: int = 4096) -> int:
        """Accept clients on this address; returns the port (which matters where 0 was asked for)."""
        if self._timer is None:
            self._sweep()
        # Until a handshake is done there is no connection to count or to sweep: only this limit ends it.
        handshake = self._lobby.limits.head_s if tls is not None else None
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self._lobby),
            host,
            port,
            ssl=tls,
            backlog=backlog,
            ssl_handshake_timeout=handshake,
            ssl_shutdown_timeout=handshake,
        )
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def drain(self) -> None:
        """Accept nobody else, let go of idle connections, and end the others with the answer they are waiting for."""
        self._lobby.draining = True
        for server in self._servers:
            server.close()
        for connection in tuple(self._lobby.connections):
            connection.drain()

    async def drained(self, seconds: float) -> bool:
        """Whether every connection ended by itself within the time."""
        try:
            async with asyncio.timeout(seconds):
                await self._lobby.empty.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """End everything now."""
        self.drain()
        for connection in tuple(self._lobby.connections):
            connection.cut(reset=True)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        loop, lobby = asyncio.get_running_loop(), self._lobby
        now = loop.time()
        elapsed, lobby.now = now - lobby.now if lobby.now else 0.0, now
        lobby.lines = f"date: {formatdate(usegmt=True)}\r\n".encode("ascii")
        lobby.last_lines = lobby.lines + b"connection: close\r\n"
        self._timer = loop.call_later(lobby.limits.sweep_s, self._sweep)
        for connection in tuple(lobby.connections):
            connection.sweep(now, elapsed)
