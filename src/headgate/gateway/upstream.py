"""The way to one provider: connections that are kept, shared, reserved and watched, and how a call on one of them can fail.

Rule 1  `NotSent` means that not one byte of the request was given to a connection. Once one was, a failure is `Cut` or `Stalled`.
Rule 2  A connection is used again only if it is known to be in order: idle for a few seconds at most, nothing unexpected heard on it.
Rule 3  Some connections are kept for protected calls, so that a flood of others cannot make production wait.
Rule 4  Where we connect to comes from the configuration. No answer sends us anywhere else, and no certificate goes unchecked.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from functools import cached_property

import msgspec

from headgate.gateway.receiving import Cut, NoneFree, NotSent, Receiving, Stalled, Wire

__all__ = ["Cut", "NoneFree", "NotSent", "Origin", "Receiving", "Stalled", "Upstream", "Withdrawn"]


class Withdrawn(asyncio.CancelledError):
    """Cancelled while it waited for a connection: as with `NotSent`, not one byte of the request left."""


class Origin(msgspec.Struct, frozen=True):
    """One provider's address and what we allow ourselves with it. Times are in seconds; head and idle limits hold to within one sweep."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None  # the caller's, with verification; None is plain TCP
    connections: int = 512
    reserved: int = 64  # of these, only for protected calls
    pool_s: float = 5
    connect_s: float = 10
    head_s: float = 600
    idle_s: float = 300
    reuse_s: float = 10  # providers and the boxes on the way drop idle connections, some after 15 s, and do not say so
    sweep_s: float = 1


class Upstream:
    """The connections to one provider."""

    def __init__(self, origin: Origin) -> None:
        assert 0 <= origin.reserved < origin.connections, "unprotected calls need connections too"
        self.origin = origin
        self.in_use = 0
        self._unprotected = 0  # of those in use
        self._idle: list[Wire] = []  # the last used is the first to be used again, so that the others grow old and are closed
        self._wires: set[Wire] = set()
        self._waiting: deque[tuple[asyncio.Future[None], float]] = deque()
        self._waiting_protected: deque[tuple[asyncio.Future[None], float]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    async def send(self, head: bytes, body: bytes, protected: bool = False) -> Receiving:
        """Send one request, head and body as they stand, and wait for the head of its answer."""
        try:
            wire = await self._reach(protected)
        except asyncio.CancelledError as error:
            raise Withdrawn from error
        return await wire.exchange(head, body, protected)

    async def _reach(self, protected: bool) -> Wire:
        """A connection in order, with the room for it taken."""
        if self._closed:
            raise NotSent("the gate is stopping")
        if self._has_room(protected) and not (self._waiting_protected if protected else self._waiting):
            self._take(protected)
        else:
            await self._wait(protected)
        wire = self._reusable()
        if wire is None:
            try:
                wire = await self._connect()
                if self._closed:
                    wire.break_off("the gate is stopping")
                    raise NotSent("the gate is stopping")
            except BaseException:
                self._give(protected)
                raise
        return wire

    def close(self) -> None:
        """End every connection; calls that are under way are cut."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for wire in tuple(self._wires):
            wire.break_off("the gate is stopping")
        for queue in (self._waiting, self._waiting_protected):
            while queue:
                future, _ = queue.popleft()
                if not future.done():
                    future.set_exception(NotSent("the gate is stopping"))

    # The room.

    def _has_room(self, protected: bool) -> bool:
        origin = self.origin
        return self.in_use < origin.connections and (protected or self._unprotected < origin.connections - origin.reserved)

    def _take(self, protected: bool) -> None:
        self.in_use += 1
        self._unprotected += not protected

    def _give(self, protected: bool) -> None:
        self.in_use -= 1
        self._unprotected -= not protected
        if self._waiting or self._waiting_protected:
            self._admit()

    def _admit(self) -> None:
        """Give the room that there is to those who wait for it, protected calls first."""
        for queue, theirs in ((self._waiting_protected, True), (self._waiting, False)):
            while queue and self._has_room(theirs):
                future, _ = queue.popleft()
                if not future.done():
                    # The room is taken here, on behalf of the one who waits: nobody who comes meanwhile can slip in.
                    self._take(theirs)
                    future.set_result(None)

    async def _wait(self, protected: bool) -> None:
        loop = self._loop
        future: asyncio.Future[None] = loop.create_future()
        queue = self._waiting_protected if protected else self._waiting
        entry = (future, loop.time() + self.origin.pool_s)
        queue.append(entry)
        self._watch()
        try:
            await future
        except asyncio.CancelledError:
            if entry in queue:
                queue.remove(entry)
            elif not future.cancelled() and future.exception() is None:
                self._give(protected)
            raise

    # The connections.

    def _reusable(self) -> Wire | None:
        if not self._idle:
            return None
        oldest = self._loop.time() - self.origin.reuse_s
        while self._idle:
            wire = self._idle.pop()
            if wire.idle_since > oldest and not wire.transport.is_closing():
                return wire
            wire.break_off("it was idle for too long")
        return None

    async def _connect(self) -> Wire:
        origin, loop = self.origin, self._loop
        self._watch()
        problem = ""
        try:
            async with asyncio.timeout(origin.connect_s):
                addresses = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
                until = loop.time() + origin.connect_s
                for number, (_, _, _, _, address) in enumerate(addresses):
                    # Each address that is left gets an equal part of the time that is left, so that a dead first one costs not all of it.
                    share = max((until - loop.time()) / (len(addresses) - number), 0.001)
                    try:
                        async with asyncio.timeout(share):
                            _, wire = await loop.create_connection(
                                lambda: Wire(self),
                                str(address[0]),
                                origin.port,
                                ssl=origin.tls,
                                server_hostname=origin.host if origin.tls else None,
                                ssl_handshake_timeout=origin.connect_s if origin.tls else None,
                            )
                            return wire
                    except TimeoutError:
                        problem = "no answer in time"
                    except OSError as error:
                        problem = str(error) or type(error).__name__
        except TimeoutError:
            problem = problem or "no answer in time"
        except (OSError, UnicodeError) as error:
            problem = str(error) or type(error).__name__
        raise NotSent(f"connecting to {origin.host} port {origin.port} failed: {problem}")

    def opened(self, wire: Wire) -> None:
        """Called by a connection that begins."""
        self._wires.add(wire)

    def freed(self, wire: Wire, protected: bool, reusable: bool) -> None:
        """Called by a connection whose answer has ended; `reusable` if it is in order for the next."""
        if reusable and not self._closed:
            wire.idle_since = self._loop.time()
            self._idle.append(wire)
        self._give(protected)

    def dropped(self, wire: Wire) -> None:
        """Called by a connection that is no more."""
        self._wires.discard(wire)
        if wire in self._idle:
            self._idle.remove(wire)

    # The watch.

    def _watch(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = self._loop.call_later(self.origin.sweep_s, self._sweep)

    def _sweep(self) -> None:
        """Once a second: end what took too long. It sleeps when there is nothing to watch."""
        origin, now = self.origin, self._loop.time()
        self._timer = None
        for queue in (self._waiting, self._waiting_protected):
            while queue and (queue[0][1] < now or queue[0][0].done()):
                future, _ = queue.popleft()
                if not future.done():
                    future.set_exception(NoneFree(f"no connection to {origin.host} was free within {origin.pool_s:g} seconds"))
        for wire in tuple(self._wires):
            wire.sweep(now, origin.head_s, origin.idle_s, origin.reuse_s)
        if self._wires or self._waiting or self._waiting_protected:
            self._watch()
