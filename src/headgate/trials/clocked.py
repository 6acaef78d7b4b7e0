"""A gate inside the trial's own process, whose clock the trial moves: a weekend passes in seconds, and nothing else is pretended.

Wall and monotonic time move together, as they do on a machine that was simply left alone; only a clock that is set differs between them.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from headgate.assembly import RunningGate
from headgate.control.command import AnyCommand, IssueKey, encoder
from headgate.control.keys import Issued
from headgate.ledger.period import instant_of
from headgate.names import MICROSECONDS
from headgate.store.ledger import Clock
from headgate.trials import configuration

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MovedClock:
    """Runs on as the real one does, and is moved ahead on demand."""

    def __init__(self, start: datetime) -> None:
        self._ahead_us = instant_of(start) - time.time_ns() // 1000
        self._moved_us = 0

    def wall_us(self) -> int:
        return time.time_ns() // 1000 + self._ahead_us

    def monotonic_us(self) -> int:
        return time.monotonic_ns() // 1000 + self._moved_us

    def move(self, moment: datetime) -> None:
        """To this moment, which is not in its past."""
        step_us = instant_of(moment) - self.wall_us()
        assert step_us > 0, "a clock that goes back was set, and that is another trial"
        self._ahead_us += step_us
        self._moved_us += step_us

    def moment(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.wall_us())

    @property
    def clock(self) -> Clock:
        return Clock(self.wall_us, self.monotonic_us)


class _Answer(msgspec.Struct):
    ok: Issued | str | None = None
    error: str | None = None


class ClockedGate:
    """A running gate and its commands, given as an operator gives them."""

    def __init__(self, running: RunningGate) -> None:
        self._running = running

    @property
    def port(self) -> int:
        return self._running.port

    async def command(self, asked: AnyCommand) -> Issued | str:
        answer = msgspec.json.decode(await self._running.obey(encoder.encode(asked)), type=_Answer)
        assert answer.ok is not None, f"the gate does not do {asked}: {answer.error}"
        return answer.ok

    async def issue(self, workspace: str, label: str, facts: Mapping[str, str] | None = None) -> Issued:
        issued = await self.command(IssueKey(actor="trial", workspace=workspace, label=label, facts=dict(facts or {})))
        assert isinstance(issued, Issued)
        return issued

    def idle(self) -> bool:
        return not self._running.gate.open_exchanges


@contextlib.asynccontextmanager
async def clocked_gate(file: Path, clock: MovedClock) -> AsyncGenerator[ClockedGate]:
    """A gate by this configuration; its log is written beside it. It is stopped, and its book closed, when this is left."""
    running = RunningGate(lambda: configuration.read(file), clock.clock)
    with (file.parent / "gate.log").open("a", encoding="utf-8") as log:
        # The log goes where standard error is when the gate starts.
        with contextlib.redirect_stderr(log):
            service = await running.start()
        try:
            yield ClockedGate(running)
        finally:
            await service.stop(10)


def next_friday(after_us: int) -> datetime:
    """18:00 UTC of the first Friday after this instant whose weekend lies within one month."""
    day = (_EPOCH + timedelta(microseconds=after_us // MICROSECONDS * MICROSECONDS)).replace(hour=18, minute=0, second=0, microsecond=0)
    while True:
        day += timedelta(days=1)
        if day.weekday() == 4 and (day + timedelta(days=3)).month == day.month:
            return day
