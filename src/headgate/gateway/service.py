"""The running gate: what listens, what obeys, how it is reloaded and how it lets go. Built by `assembly`, which hands everything in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from headgate.gateway.gate import Gate, Way
from headgate.gateway.listener import Listeners

GRACE_SECONDS = 5  # after the drain, for endings to reach the ledger


class Health(msgspec.Struct, frozen=True):
    """What `status` tells: whole numbers and names, no content. Instants are microseconds UTC."""

    version: str
    rehearsal: bool
    started_us: int
    now_us: int
    open_exchanges: int
    connections: int
    draining: bool
    not_ready: str  # why no new call is admitted; empty when they are
    counts: list[tuple[list[str], int]]


class Service:
    """A gate that serves. `stop` may be called once; it returns when every hold has its ending or is in doubt on the disk."""

    def __init__(self, gate: Gate, listeners: Listeners, jobs: list[asyncio.Task[None]], close: Callable[[], Awaitable[None]]) -> None:
        self.replaced: list[Way] = []  # by a reload; calls that began before still use them
        self.gate = gate
        self.listeners = listeners
        self._jobs = jobs
        self._close = close

    async def stop(self, seconds: float) -> None:
        """Accept nobody else, let open calls finish for so long, cut the rest (their holds are then in doubt), and write it all down."""
        gate = self.gate
        gate.draining = True
        self.listeners.drain()
        gate.journal.say("draining", open=len(gate.open_exchanges))
        if gate.open_exchanges:
            await asyncio.wait(gate.open_exchanges, timeout=seconds)
        for way in (*gate.world.ways.values(), *self.replaced):
            way.upstream.close()  # whoever still reads is cut, and settles
        if gate.open_exchanges:
            await asyncio.wait(gate.open_exchanges, timeout=GRACE_SECONDS)
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        gate.refusals.flush()
        await asyncio.sleep(0)
        self.listeners.close()
        await self._close()
        gate.journal.say("stopped")
        gate.journal.close()
