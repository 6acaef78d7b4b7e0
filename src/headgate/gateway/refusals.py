"""Telling a no: an authenticated refusal is a leaf before it is an answer, and a flood of them is counted exactly.

Up to `LEAVES_A_SECOND` refusals of one workspace and reason get a leaf each within a second; the rest of that second shares one leaf that
carries their number, so that the counts on the record add up to the requests.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from headgate.gateway.desk import Desk
from headgate.gateway.tally import Tally
from headgate.names import show_id
from headgate.refusal import Reason, Refusal
from headgate.store.writer import Record

LEAVES_A_SECOND = 10


class Refusals:
    def __init__(self, desk: Desk, tally: Tally) -> None:
        self._desk = desk
        self._tally = tally
        self._loop = asyncio.get_running_loop()
        self._second = 0
        self._told: Counter[tuple[str, Reason]] = Counter()
        self._flood: Counter[tuple[str, Reason]] = Counter()

    async def record(self, workspace: str, key: str, request: int, refusal: Refusal) -> None:
        """Put the refusal on the record; returns when it is durable, or at once when it belongs to a flood."""
        self._tally.add("refusals_total", "workspace", workspace, "reason", refusal.reason.value)
        second = int(self._loop.time())
        if second != self._second:
            self.flush()
            self._second = second
        self._told[workspace, refusal.reason] += 1
        if self._told[workspace, refusal.reason] > LEAVES_A_SECOND:
            if not self._flood:
                self._loop.call_later(1, self.flush)
            self._flood[workspace, refusal.reason] += 1
            return
        await self._desk.record(
            Record(
                "refusal",
                {"request": show_id(request), "workspace": workspace, "key": key, "reason": refusal.reason.value, "count": 1},
            )
        )

    def flush(self) -> None:
        """Write what the flood of the last second came to."""
        self._told.clear()
        flood, self._flood = self._flood, Counter()
        for (workspace, reason), count in flood.items():
            # Nobody waits for it; the writer takes it before it stops.
            asyncio.ensure_future(
                self._desk.record(Record("refusal", {"workspace": workspace, "reason": reason.value, "count": count}))
            ).add_done_callback(_done)


def _done(future: asyncio.Future[str | Refusal]) -> None:
    future.exception()
