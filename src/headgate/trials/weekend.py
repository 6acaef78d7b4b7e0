"""A script runs wild in CI from Friday 18:00, nobody reads anything, and on Monday at 08:00 somebody looks what is left.

The configuration is the one that `headgate init` writes. Production calls now and then all weekend, and must never be refused.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
import uvloop

from headgate.config.reference import default_file
from headgate.names import read_id
from headgate.store import rows
from headgate.trials.client import Client, post, refusal_of
from headgate.trials.clocked import ClockedGate, MovedClock, clocked_gate, next_friday
from headgate.trials.judging import MOST_TOLD, No, Verdict, check_calls, read_no, share_up
from headgate.trials.stage import CREDENTIAL_FILE, LOCAL, Judge, Stage, free_port, open_book

WILD_CALLERS = 12
STEP = timedelta(minutes=10)
LASTS = timedelta(hours=62)
MOST_PERCENT = 30
MONTH = "workspace:ci/month/money"

# Nobody set a limit, so each call may write as much as the model can.
_WILD = msgspec.json.encode({"model": "gpt-5.5", "input": "Find every failing test and repair it. Do not stop.", "stream": False})
_SALE = msgspec.json.encode({"model": "gpt-5.4-mini", "input": "Where is my parcel?", "max_output_tokens": 300})

Progress = Callable[[str], None]


class Stop(msgspec.Struct, frozen=True):
    """When CI was stopped, by which budget, and when that resets. Moments are UTC."""

    at: str
    budget: str
    resets: str


class WeekendResult(msgspec.Struct):
    """Amounts are nano-dollars; `share` is what CI was billed ÷ its month's cap, a decimal in text, rounded up."""

    from_: str = msgspec.field(name="from")
    until: str
    cap: int = 0
    billed: int = 0
    posted: int = 0
    held: int = 0
    share: str = "9"
    calls: int = 0
    refusals: int = 0
    stops: list[Stop] = []
    production_calls: int = 0
    production_refusals: int = 0
    broken_invariants: int = 0
    told: list[str] = []

    @property
    def passed(self) -> bool:
        within = self.billed * 100 <= self.cap * MOST_PERCENT and self.billed == self.posted and not self.held
        return within and self.calls > 0 and not self.production_refusals and not self.broken_invariants


def weekend(progress: Progress) -> WeekendResult:
    with Stage() as stage, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_Weekend(stage, progress).run())


class _Weekend:
    def __init__(self, stage: Stage, progress: Progress) -> None:
        self._stage = stage
        self._progress = progress
        self._friday = next_friday(time.time_ns() // 1000)
        self._clock = MovedClock(self._friday)
        self.result = WeekendResult(_show(self._friday), _show(self._friday + LASTS))
        self._stopped_by = ""

    async def run(self) -> WeekendResult:
        judge = self._stage.rehearse(mean=True, caching=False)
        port = free_port()
        file = self._stage.write(
            default_file(
                "Trial",
                listen=f"{LOCAL}:{port}",
                house=f"{LOCAL}:{free_port()}",
                base_url=f"http://{LOCAL}:{judge.port}/v1",
                credential=f"file:{CREDENTIAL_FILE}",
                rehearsal=True,
            )
        )
        async with clocked_gate(file, self._clock) as gate:
            await self._pass(gate)
        self._judge(judge)
        return self.result

    async def _pass(self, gate: ClockedGate) -> None:
        ci, production = (await gate.issue("ci", "nightly")).key, (await gate.issue("production", "shop")).key
        wild = [Client(LOCAL, gate.port) for _ in range(WILD_CALLERS)]
        shop = Client(LOCAL, gate.port)
        moment = self._friday
        while moment < self._friday + LASTS:
            await asyncio.gather(self._buy(shop, production), *(self._run_wild(client, ci) for client in wild))
            moment += STEP
            self._clock.move(moment)
        for client in (*wild, shop):
            client.close()
        while not gate.idle():
            await asyncio.sleep(0.01)

    async def _run_wild(self, client: Client, key: str) -> None:
        heard = await client.ask(post(LOCAL, "/v1/responses", key, _WILD))
        if heard.status == 200:
            self.result.calls += 1
            self._stopped_by = ""
            return
        self.result.refusals += 1
        no = read_no(refusal_of(heard))
        if no is None:
            self.result.told = [*self.result.told, f"CI was answered {heard.status}: {heard.body[:200]!r}"][:MOST_TOLD]
            self.result.broken_invariants += 1
        elif no.rule != self._stopped_by and no.code == "budget_exhausted":
            self._stop(no, refusal_of(heard).resets_at or 0)

    def _stop(self, no: No, resets_at: int) -> None:
        self._stopped_by = no.rule
        stop = Stop(_show(self._clock.moment()), no.rule, _show(datetime.fromtimestamp(resets_at, self._friday.tzinfo)))
        self.result.stops = [*self.result.stops, stop]
        self._progress(f"{stop.at}: {stop.budget} stops CI until {stop.resets}")

    async def _buy(self, client: Client, key: str) -> None:
        heard = await client.ask(post(LOCAL, "/v1/responses", key, _SALE))
        self.result.production_calls += 1
        if heard.status != 200:
            self.result.production_refusals += 1
            self.result.told = [*self.result.told, f"Production was answered {heard.status}: {heard.body[:200]!r}"][:MOST_TOLD]

    def _judge(self, judge: Judge) -> None:
        """What CI was billed by the rehearsal's own account, and what its month says of it."""
        calls, book, result = judge.calls(), open_book(self._stage.folder), self.result
        found = Verdict(0, judge.meter().billed_pico)
        check_calls(book, calls, found)
        billed: Counter[str] = Counter()
        for call in calls:
            hold = book.first("hold", (read_id(call.headgate_request or ""),))
            billed[rows.hold(hold).workspace if hold is not None else ""] += call.billed_nano_ceiling
        for row in book.run("budgets_all"):
            balance = rows.balance(row)
            if balance.rule == MONTH:
                result.cap, result.posted, result.held = balance.cap, balance.posted, balance.held
        book.close()
        result.billed = billed["ci"]
        result.share = share_up(result.billed, result.cap)
        result.broken_invariants += found.broken
        result.told = [*result.told, *found.told][:MOST_TOLD]


def _show(moment: datetime) -> str:
    return moment.strftime("%a %Y-%m-%d %H:%M")
