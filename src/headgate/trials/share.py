"""Production at its normal load, alone and beside CI at a hundred times its own, turn by turn in one run, and what production saw of it.

Rule 1  Calls begin by the clock, whether or not earlier ones have ended: a slow gate cannot hide behind fewer calls.
Rule 2  Turns alternate, alone and beside, so that whatever else this machine does falls on both.
Rule 3  A few calls go to the provider without the gate all the time. The provider shares this machine, and what it became slower by itself
        is not the gate's doing.
Rule 4  A machine that is not still is told: more turns are added, and where that does not help the median over the pairs is allowed more.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable

import msgspec
import uvloop

from headgate.trials import configuration
from headgate.trials.client import Client, Heard, post, refusal_of
from headgate.trials.judging import MOST_TOLD
from headgate.trials.stage import CREDENTIAL, LOCAL, Process, Stage, free_port

GOAL_MILLE = 1200  # p99 beside CI ÷ p99 alone, in thousandths
UNSTILL_MILLE = 1500  # the same, where production alone already differs from itself
STILL_MILLE = 1400  # the greatest ÷ the least p99 of turns alone on a machine that is still
CI_NORMAL = 2  # calls a second
DIRECT = 20  # calls a second past the gate
TIMES = 100
MOST_ADDED = 2  # times the turns that were asked for
WARM_SECONDS = 2

Progress = Callable[[str], None]


class SharePlan(msgspec.Struct, frozen=True):
    pairs: int = 6
    seconds: int = 6
    production: int = 40  # calls a second
    ci: int = CI_NORMAL * TIMES


class ShareResult(msgspec.Struct):
    """p99 in microseconds: of all turns together, and of each. Ratios are beside ÷ alone, the median over the pairs, decimals in text:
    `ratio` of production, `provider_ratio` of the calls past the gate.
    """

    production_per_second: int
    ci_per_second: int
    pairs: int = 0
    ratio: str = "9"
    provider_ratio: str = "9"
    allowed: str = "0"
    still: bool = False
    alone_p99_us: int = 0
    beside_p99_us: int = 0
    alone_us: list[int] = []
    beside_us: list[int] = []
    direct_alone_us: list[int] = []
    direct_beside_us: list[int] = []
    production_calls: int = 0
    production_refusals: int = 0
    ci_calls: int = 0
    ci_refusals: int = 0
    told: list[str] = []

    @property
    def passed(self) -> bool:
        return not self.production_refusals and self.ratio <= self.allowed


def share(plan: SharePlan, progress: Progress) -> ShareResult:
    with Stage() as stage, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_Share(plan, stage, progress).run())


class _Load:
    """Calls of one workspace at a steady rate."""

    def __init__(self, port: int, key: str, rate: int) -> None:
        self._port = port
        self._key = key
        self._rate = rate
        self._free: list[Client] = []
        self._open: set[asyncio.Task[None]] = set()
        self._number = 0
        self.took_us: list[int] = []
        self.calls = 0
        self.refused: list[str] = []

    async def run(self, seconds: float) -> None:
        """Begin calls for so long, and wait for the last of them."""
        loop = asyncio.get_running_loop()
        begun = time.monotonic()
        for number in range(int(self._rate * seconds)):
            wait_s = begun + number / self._rate - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            task = loop.create_task(self._call(begun + number / self._rate))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        if self._open:
            await asyncio.wait(set(self._open))

    async def _call(self, due: float) -> None:
        client = self._free.pop() if self._free else Client(LOCAL, self._port)
        self._number += 1
        heard = await client.ask(_ask(self._key, self._number))
        self._free.append(client)
        self.calls += 1
        if heard.status == 200 and heard.whole:
            # From when it was due: a call that could not even begin in time has waited too.
            self.took_us.append(int((heard.ended_at - due) * 1_000_000))
        else:
            self.refused.append(_why(heard))

    def close(self) -> None:
        for client in self._free:
            client.close()


class _Share:
    def __init__(self, plan: SharePlan, stage: Stage, progress: Progress) -> None:
        self._plan = plan
        self._stage = stage
        self._progress = progress
        self._alone: list[int] = []
        self._beside: list[int] = []
        self.result = ShareResult(plan.production, plan.ci)

    async def run(self) -> ShareResult:
        judge = self._stage.rehearse(first_token_ms=60, event_ms=2, delta_events=8, caching=False)
        port = free_port()
        wide = {"day_brake": '"off"', "week_brake": '"off"'}
        self._stage.write(
            configuration.head(port)
            + configuration.path("openai", judge.port)
            + configuration.workspace("ci", "ci", {"caps.month": '"100000"', **wide})
            + configuration.workspace("production", "production", {"caps.month": '"100000"', **wide})
        )
        gate = self._stage.gate(port)
        most = self._plan.pairs * (1 + MOST_ADDED)
        await self._warm(gate, port)
        while self.result.pairs < most and (self.result.pairs < self._plan.pairs or not self.result.still):
            await self._pair(gate, port, judge.port)
        return self.result

    async def _warm(self, gate: Process, port: int) -> None:
        load = _Load(port, gate.issue("production", "warm"), self._plan.production)
        await load.run(WARM_SECONDS)
        load.close()

    async def _pair(self, gate: Process, port: int, provider_port: int) -> None:
        """One turn alone, one beside; each pair has the other order of the one before."""
        order = (False, True) if self.result.pairs % 2 == 0 else (True, False)
        for with_ci in order:
            production = _Load(port, gate.issue("production", "shop"), self._plan.production)
            ci = _Load(port, gate.issue("ci", "runaway"), self._plan.ci if with_ci else CI_NORMAL)
            direct = _Load(provider_port, CREDENTIAL, DIRECT)
            await asyncio.gather(*(load.run(self._plan.seconds) for load in (production, ci, direct)))
            self._enter(with_ci, production, ci, direct)
            for load in (production, ci, direct):
                load.close()
        result = self.result
        result.pairs += 1
        ratio, provider = _ratio(result.alone_us, result.beside_us), _ratio(result.direct_alone_us, result.direct_beside_us)
        result.still = max(result.alone_us) * 1000 <= min(result.alone_us) * STILL_MILLE
        allowed = GOAL_MILLE * max(1000, provider) // 1000
        result.ratio, result.provider_ratio = _mille(ratio), _mille(provider)
        result.allowed = _mille(allowed if result.still else max(allowed, UNSTILL_MILLE))
        alone, beside = result.alone_us[-1] / 1000, result.beside_us[-1] / 1000
        self._progress(
            f"pair {result.pairs}: p99 alone {alone:.1f} ms, beside CI {beside:.1f} ms; median ratio {result.ratio}, "
            f"of the provider {result.provider_ratio}, allowed {result.allowed}{'' if result.still else ' (this machine is not still)'}"
        )

    def _enter(self, with_ci: bool, production: _Load, ci: _Load, direct: _Load) -> None:
        result = self.result
        result.production_calls += production.calls
        result.production_refusals += len(production.refused)
        result.ci_calls += ci.calls
        result.ci_refusals += len(ci.refused)
        result.told = [*result.told, *(f"production: {why}" for why in production.refused)][:MOST_TOLD]
        p99 = _p99(production.took_us)
        if with_ci:
            self._beside += production.took_us
            result.beside_us = [*result.beside_us, p99]
            result.direct_beside_us = [*result.direct_beside_us, _p99(direct.took_us)]
            result.beside_p99_us = _p99(self._beside)
        else:
            self._alone += production.took_us
            result.alone_us = [*result.alone_us, p99]
            result.direct_alone_us = [*result.direct_alone_us, _p99(direct.took_us)]
            result.alone_p99_us = _p99(self._alone)


def _ask(key: str, number: int) -> bytes:
    stream = number % 2 == 0
    if number % 3 == 0:
        body = {"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": f"Question {number}"}], "stream": stream}
        return post(LOCAL, "/v1/chat/completions", key, msgspec.json.encode({**body, "max_completion_tokens": 400}))
    body = {"model": "gpt-5.4-mini", "input": f"Question {number}: where is my parcel?", "stream": stream, "max_output_tokens": 400}
    return post(LOCAL, "/v1/responses", key, msgspec.json.encode(body))


def _why(heard: Heard) -> str:
    return f"{heard.status} {refusal_of(heard).message[:200]}" if heard.status else "no answer"


def _p99(took: list[int]) -> int:
    return sorted(took)[len(took) * 99 // 100] if took else 0


def _ratio(alone: list[int], beside: list[int]) -> int:
    """The median over the pairs, in thousandths."""
    return statistics.median_high(after * 1000 // before for before, after in zip(alone, beside, strict=True))


def _mille(thousandths: int) -> str:
    return f"{thousandths // 1000}.{thousandths % 1000:03d}"
