"""Many callers at one cap while processes die, answers break off and callers hang up; then the provider's own meter is read.

Rule 1  The rehearsal is as mean as it can be: one token per byte, always the whole output limit, billed in full whatever happens after.
Rule 2  Each round has a folder, a rehearsal and a gate of its own. Its chance comes from the seed; what the machine does is its own.
Rule 3  Nobody stops before a budget said that it is used up, or the calls of the round are over.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import uvloop

from headgate.money import PICO_PER_NANO
from headgate.trials import configuration
from headgate.trials.client import Client, Heard, Leave, post, refusal_of
from headgate.trials.judging import MOST_TOLD, No, Verdict, read_no, share_down, share_up, verdict
from headgate.trials.mutant import write_mutant
from headgate.trials.stage import LOCAL, GateGone, Judge, Process, Stage, free_port, open_book

FAULTS = ("kill", "cut", "disconnect")
RULE = "workspace:trial/month/money"
REST_SECONDS = 150  # for open calls to end by themselves once nobody calls any more
CALLS_EACH = 6  # how many calls of a caller the cap is about enough for
PERCENT_LEAVING = 12
MOST_KILLS = 3

# Faults that keep the assumptions a cap rests on (docs/budgets.md), and how many of a thousand calls meet each. A provider that bills above
# max_output_tokens is another trial's.
CUTS: dict[str, int] = {
    "cut_midstream": 15, "reset_before_headers": 8, "closed_after_headers": 5, "truncated_chunked": 8, "stall_midstream": 4,
    "stall_before_headers": 3, "usage_missing": 8, "usage_null": 4, "usage_string": 4, "usage_negative": 4, "html_200": 5,
    "error_midstream": 5, "done_missing": 5, "failed_without_usage": 5, "incomplete_max_tokens": 8, "status_500": 8, "status_429": 5,
    "error_html": 4, "surplus_bytes": 4, "utf8_split": 5, "comments_and_retry": 4,
}  # fmt: skip

# What one output token costs, in nano-dollars, so that sizes can be chosen; the judge has a table of its own.
OUTPUT_NANO = {"gpt-5.4-nano": 1250, "gpt-4.1-nano": 400, "gpt-5.4-mini": 4500}
UNLIMITED = "gpt-5.4-nano"  # the model of calls that set no limit, so that the default below is worth the same for all of them

Progress = Callable[[int, str], None]  # rounds that are over, and a sentence


class CapPlan(msgspec.Struct, frozen=True):
    """`cap` in nano-dollars. `prove` names a mutation: the gate is a copy with that promise broken."""

    cap: int = 5_000_000_000
    clients: int = 1000
    rounds: int = 20
    faults: tuple[str, ...] = FAULTS
    seed: int = 1
    most_calls: int = 40  # of one caller in one round
    prove: str | None = None


class CapResult(msgspec.Struct):
    """Ratios are of the worst round, as decimals in text: `ratio` billed ÷ cap rounded up, `utilisation` (posted + suspect) ÷ cap."""

    cap: int
    clients: int
    faults: tuple[str, ...]
    seed: int
    prove: str | None
    rounds: int = 0
    ratio: str = "0"
    utilisation: str = "9"
    false_refusals: int = 0
    broken_invariants: int = 0
    kills: int = 0
    calls: int = 0
    holds: int = 0
    left: int = 0
    refusals: int = 0
    answers: dict[str, int] = {}
    told: list[str] = []

    @property
    def passed(self) -> bool:
        return self.ratio <= "1.000000000" and not self.false_refusals and not self.broken_invariants


def cap(plan: CapPlan, progress: Progress) -> CapResult:
    """Run every round, one after another."""
    result = CapResult(plan.cap, plan.clients, plan.faults, plan.seed, plan.prove)
    answers: Counter[str] = Counter()
    for number in range(plan.rounds):
        with contextlib.ExitStack() as stack:
            source: Path | None = None
            if plan.prove is not None:
                source = write_mutant(plan.prove, stack.enter_context(Stage()).folder / "mutant")
            stage = stack.enter_context(Stage(source=source))
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                trial = _Round(plan, number, stage)
                found = runner.run(trial.run())
        result.rounds += 1
        result.ratio = max(result.ratio, share_up(found.billed_pico, plan.cap * PICO_PER_NANO))
        result.utilisation = min(result.utilisation, share_down(found.posted + found.suspect, plan.cap))
        result.false_refusals += found.false_refusals
        result.broken_invariants += found.broken
        result.told = [*result.told, *found.told][:MOST_TOLD]
        result.kills += trial.kills
        result.calls += trial.calls
        result.holds += found.holds
        result.left += trial.left
        result.refusals += sum(no.code == "budget_exhausted" for no in trial.noes)
        answers.update(trial.answers)
        result.answers = dict(sorted(answers.items()))
        progress(
            number + 1,
            f"round {number + 1} of {plan.rounds}: billed {share_up(found.billed_pico, plan.cap * PICO_PER_NANO)} of the cap, "
            f"{trial.calls:,} calls, {trial.kills} kills, {found.broken} broken, {found.false_refusals} false refusals",
        )
    return result


class _Round:
    """One gate, one rehearsal, many callers."""

    def __init__(self, plan: CapPlan, number: int, stage: Stage) -> None:
        self._plan = plan
        self._stage = stage
        self._seed = plan.seed * 1_000_003 + number
        self._chance = random.Random(self._seed)
        self._asks = _Asks(plan)
        self._finished = 0
        self._over = False
        self.kills = 0
        self.calls = 0
        self.left = 0
        self.noes: list[No] = []
        self.answers: Counter[str] = Counter()

    async def run(self) -> Verdict:
        judge = self._stage.rehearse(
            mean=True, seed=self._seed, caching=False, first_token_ms=15, event_ms=3, delta_events=6
        )  # fmt: skip
        if "cut" in self._plan.faults:
            for name, per_mille in CUTS.items():
                judge.fault(name, per_mille=per_mille)
        port = free_port()
        self._stage.write(self._configuration(port, judge.port))
        gate = self._stage.gate(port)
        key = gate.issue("trial", "everyone")
        killer = asyncio.create_task(self._kill(gate)) if "kill" in self._plan.faults else None
        await asyncio.gather(*(self._call(port, key, random.Random(f"{self._seed}/{one}")) for one in range(self._plan.clients)))
        self._over = True
        if killer is not None:
            await killer
        return await self._rest(gate, judge)

    def _configuration(self, port: int, rehearsal_port: int) -> str:
        # Many callers on one machine wait for each other; few do not, and need not wait long for an answer that stalls.
        head_seconds = 4 + self._plan.clients // 100
        limits = {"most_connections": str(self._plan.clients + 100), "head_seconds": str(head_seconds), "idle_seconds": "3"}
        return (
            configuration.head(port, drain_seconds=20)
            + configuration.path("openai", rehearsal_port, limits)
            + configuration.workspace(
                "trial",
                "development",
                {
                    "caps.month": f'"{self._plan.cap // 10**9}.{self._plan.cap % 10**9:09d}"',
                    "day_brake": '"off"',
                    "week_brake": '"off"',
                    "output_tokens": str(self._asks.unlimited_output),
                    "least_output_tokens": str(self._asks.least_output),
                    "least_reasoning_tokens": str(self._asks.least_output),
                },
            )
        )

    # -- the callers -------------------------------------------------------------------------------------------------

    async def _call(self, port: int, key: str, chance: random.Random) -> None:
        """One caller: again and again, until a budget is used up."""
        client = Client(LOCAL, port)
        calls = 0
        while calls < self._plan.most_calls:
            heard = await client.ask(self._asks.next(key, chance), self._leave(chance))
            if heard.status or heard.left:
                calls += 1
                self._finished += 1
            pause_s = self._hear(heard, chance)
            if pause_s is None:
                break
            await asyncio.sleep(pause_s)
        client.close()

    def _leave(self, chance: random.Random) -> Leave | None:
        if "disconnect" not in self._plan.faults or chance.randrange(100) >= PERCENT_LEAVING:
            return None
        kind = chance.randrange(5)
        if kind == 0:
            return Leave(mid_request=True)
        return Leave(after_bytes=chance.randrange(1, 3000)) if kind < 3 else Leave(after_s=chance.random() * 1.5)

    def _hear(self, heard: Heard, chance: random.Random) -> float | None:
        """How many seconds to wait before the next call; None: there will be none."""
        if heard.left:
            self.left += 1
            self.answers["left"] += 1
            return 0
        if not heard.whole:
            self.answers["broken off" if heard.status else "no answer"] += 1
            return 0.02 + chance.random() * 0.1
        if heard.status == 200:
            self.answers["200"] += 1
            return 0
        told = refusal_of(heard)
        self.answers[f"{heard.status} {told.policy_code or told.code or ''}".strip()] += 1
        no = read_no(told)
        if no is not None:
            self.noes.append(no)
        if told.policy_code in ("budget_exhausted", "workspace_frozen", "shape_frozen"):
            return None
        return 0.1 + chance.random() * 0.4 if told.policy_code == "budget_busy" else 0.02

    # -- the kills ---------------------------------------------------------------------------------------------------

    async def _kill(self, gate: Process) -> None:
        """kill -9 when so many calls have come back, and sometimes once more while the gate is coming up."""
        at = 0
        for _ in range(self._chance.randrange(1, MOST_KILLS + 1)):
            at += self._chance.randrange(1, 1 + self._plan.clients * CALLS_EACH // 2)
            while self._finished < at and not self._over:
                await asyncio.sleep(0.002)
            if self._over and self.kills:
                return
            gate.kill()
            gate.launch()
            if self._chance.randrange(3) == 0:
                await asyncio.sleep(self._chance.random())
                gate.kill()
                gate.launch()
            self.kills = gate.kills
            while not gate.up():
                await asyncio.sleep(0.02)

    # -- the verdict -------------------------------------------------------------------------------------------------

    async def _rest(self, gate: Process, judge: Judge) -> Verdict:
        """Wait until nothing is open, stop the gate as an operator does, and judge."""
        trouble = ""
        try:
            for _ in range(REST_SECONDS * 10):
                hanging = gate.health().open_exchanges
                if not hanging:
                    break
                await asyncio.sleep(0.1)
            else:
                trouble = "some calls stayed open"
        except GateGone as error:
            trouble = str(error)
        ended = gate.stop()
        calls = judge.calls()
        self.calls = len(calls)
        book = open_book(self._stage.folder)
        found = verdict(book, RULE, self._plan.cap, judge.meter(), calls, self.noes)
        book.close()
        if trouble or ended:
            found.wrong(f"The gate did not come to rest, and ended with {ended}: {trouble}")
        return found


class _Asks:
    """Requests of every kind, each worth so much that the cap is enough for a few calls of each caller."""

    def __init__(self, plan: CapPlan) -> None:
        # No call may be worth more than a hundredth of the cap, or what is left at the end would say nothing about the gate.
        self._typical = min(plan.cap // (plan.clients * CALLS_EACH), plan.cap // 400)
        self.unlimited_output = max(64, self._typical * 2 // OUTPUT_NANO[UNLIMITED])
        self.least_output = max(16, self.unlimited_output // 8)
        self._models = list(OUTPUT_NANO)

    def next(self, key: str, chance: random.Random) -> bytes:
        model = self._models[chance.randrange(len(self._models))] if chance.random() < 0.6 else UNLIMITED
        limited = model != UNLIMITED or chance.random() < 0.7
        most = max(16, int(self._typical * (0.1 + 1.8 * chance.random())) // OUTPUT_NANO[model]) if limited else None
        text = f"{chance.randrange(1 << 60):x} " + "say a few words " * chance.randrange(1, 120)
        body: dict[str, object] = {"model": model, "stream": chance.random() < 0.5}
        if chance.random() < 0.6:
            body |= {"input": text, "store": chance.random() < 0.7}
            if most is not None:
                body["max_output_tokens"] = most
            return post(LOCAL, "/v1/responses", key, msgspec.json.encode(body))
        body["messages"] = [{"role": "user", "content": text}]
        if most is not None:
            body["max_tokens" if chance.random() < 0.3 else "max_completion_tokens"] = most
        return post(LOCAL, "/v1/chat/completions", key, msgspec.json.encode(body))


def faults_of(text: str) -> Sequence[str]:
    """`kill,cut` as names; raises ValueError with a sentence when one is not known."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        raise ValueError(f"there is no fault {unknown[0]!r}; there are {', '.join(FAULTS)}")
    return names
