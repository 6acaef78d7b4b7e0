"""The event loop's side of the writer: hand in work, await the durable answer.

Nothing here is cancelled with the client: an answer that nobody awaits any more is dropped, what it says is on the disk all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from headgate.refusal import Refusal
from headgate.store.ledger import Ledger
from headgate.store.writer import Answered, Change, Record, Work, Writer
from headgate.terms.order import Grant, Order, Settled, Settlement


class Desk:
    """One per gate. `open` once the loop runs, `close` when the last exchange has settled."""

    def __init__(self, ledger: Ledger, fatal: Callable[[BaseException], None], disk_low: Callable[[], bool]) -> None:
        self._loop = asyncio.get_running_loop()
        self._writer = Writer(ledger, self._told, fatal, disk_low)
        self._writer.start()

    def _told(self, answers: Sequence[tuple[Answered, object]]) -> None:
        self._loop.call_soon_threadsafe(_deliver, answers)

    def _ask(self, work: Work) -> asyncio.Future[object]:
        future: asyncio.Future[object] = self._loop.create_future()
        self._writer.submit(work, future.set_result)
        return future

    def hold(self, order: Order) -> Awaitable[Grant | Refusal]:
        """Resolves once the hold is durable, or there is no room."""
        return cast(Awaitable[Grant | Refusal], self._ask(order))

    def settle(self, settlement: Settlement) -> Awaitable[Settled | Refusal | None]:
        """A refusal: the gate stops on a disk that is full, and the hold stays open for the next start to doubt."""
        return cast(Awaitable[Settled | Refusal | None], self._ask(settlement))

    def record(self, record: Record) -> Awaitable[str | Refusal]:
        return cast(Awaitable[str | Refusal], self._ask(record))

    async def change(self, run: Callable[[Ledger], object]) -> object:
        """Run an operator's change in the writer's thread; raises what the change raises, and then nothing has changed."""
        answer = await self._ask(Change(run))
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        """Everything that was handed in is durable when this returns."""
        self._writer.stop()
        await self._loop.run_in_executor(None, self._writer.join)


def _deliver(answers: Sequence[tuple[Answered, object]]) -> None:
    for answered, answer in answers:
        try:
            answered(answer)
        except asyncio.InvalidStateError:
            continue  # its task was cancelled; the book is right all the same
