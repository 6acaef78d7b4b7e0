"""Each level stops at its own cap: one small cap at a time on everything that can have one, over every period, in money and in tokens.

Rule 1  Everything else is wide, so what stops a call is the level under trial, and the refusal must name it.
Rule 2  Another value of the same level goes on at once; of a period, the next one does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import uvloop

from headgate.control.command import Reload
from headgate.ledger.period import datetime_of, span_at
from headgate.money import parse_dollars
from headgate.names import Instant
from headgate.store import rows
from headgate.store.verify import verify
from headgate.terms.budget import Calendar, Measure, Period
from headgate.terms.caller import Dimension
from headgate.trials import configuration
from headgate.trials.client import Client, post, refusal_of
from headgate.trials.clocked import ClockedGate, MovedClock, clocked_gate
from headgate.trials.judging import MOST_TOLD, Verdict, check_calls
from headgate.trials.stage import LOCAL, Stage, free_port, open_book

SMALL = "0.003"  # dollars: some calls, not many
FEW_TOKENS = 2_000
MOST_CALLS = 40
MODEL, OTHER_MODEL = "gpt-5.4-nano", "gpt-5.4-mini"
WIDE = {"caps.month": '"1000000"', "day_brake": '"off"', "week_brake": '"off"', "wait_ms": "500"}

Progress = Callable[[str], None]


class Speaker(msgspec.Struct, frozen=True):
    """Who calls: facts are proven by the key, claims are headers."""

    workspace: str = "here"
    facts: dict[str, str] = {}
    claims: dict[str, str] = {}
    model: str = MODEL


class Level(msgspec.Struct, frozen=True):
    """One small cap, the scope that its refusal must name, who runs into it and who must go on."""

    name: str
    settings: dict[str, str]
    scope: str
    speaker: Speaker
    other: Speaker | None = None  # None: what goes on is the next period
    period: Period = Period.HOUR
    tokens: bool = False

    @property
    def measure(self) -> str:
        return (Measure.TOKENS if self.tokens else Measure.MONEY).value


class Stopped(msgspec.Struct, frozen=True):
    """How one level did. `spent` is in the level's own measure: nano-dollars or tokens."""

    level: str
    period: str
    measure: str
    scope: str
    calls: int
    cap: int
    spent: int
    goes_on: str
    passed: bool
    told: str = ""


class _Answered(msgspec.Struct, frozen=True):
    status: int
    code: str
    scope: str
    message: str


class LevelsResult(msgspec.Struct):
    levels: list[Stopped] = []
    broken_invariants: int = 0
    told: list[str] = []

    @property
    def passed(self) -> bool:
        return bool(self.levels) and all(level.passed for level in self.levels) and not self.broken_invariants


SPEAKER = Speaker()
_DAY = timedelta(days=1)
_PLACES = {
    Dimension.COMMITMENT: ("annual", Speaker("there")),
    Dimension.PATH: ("openai", Speaker("there")),
    Dimension.MODEL: (MODEL, Speaker(model=OTHER_MODEL)),
    Dimension.WORKSPACE: ("here", Speaker("there")),
}
_CLAIMED = (
    *(Dimension.COST_CENTRE, Dimension.CUSTOMER, Dimension.USE, Dimension.WORKFLOW, Dimension.REPOSITORY, Dimension.PULL_REQUEST),
    Dimension.SESSION,
)
_PROVEN = (Dimension.TEAM, Dimension.SERVICE, Dimension.USER)


def dimensions(keys: tuple[str, str]) -> Iterator[Level]:
    """Every dimension once, and each that a caller may claim a second time as a fact of the key. `keys` are two ids of keys."""
    yield Level("organisation", _budget("organisation"), "organisation:all", SPEAKER)
    for dimension, (value, other) in _PLACES.items():
        yield Level(dimension.value, _budget(f"{dimension.value}:{value}"), f"{dimension.value}:{value}", SPEAKER, other)
    for dimension in (*_PROVEN, *_CLAIMED):
        name = dimension.value
        yield Level(name, _budget(f"{name}:one"), f"{name}:one", Speaker(facts={name: "one"}), Speaker(facts={name: "two"}))
    for dimension in _CLAIMED:
        name = dimension.value
        speaker, other = Speaker(claims={name: "one"}), Speaker(claims={name: "two"})
        yield Level(f"{name} (claimed)", _budget(f"{name}:*"), f"{name}:one@here", speaker, other)
    yield Level("key", _budget(f"key:{keys[0]}"), f"key:{keys[0]}", SPEAKER, Speaker(facts={"user": "someone"}))


def periods() -> Iterator[Level]:
    """Every period in money and in tokens, from the shortest on, so that the clock only ever goes ahead."""
    for period in Period:
        for tokens in (False, True):
            who = f"{period.value}-{'tokens' if tokens else 'money'}"
            yield Level(
                "user", _budget(f"user:{who}", period, tokens), f"user:{who}", Speaker(facts={"user": who}), None, period, tokens
            )  # fmt: skip


def _budget(scope: str, period: Period = Period.HOUR, tokens: bool = False) -> dict[str, str]:
    cap = {"token_cap": str(FEW_TOKENS)} if tokens else {"cap": f'"{SMALL}"'}
    return {"scope": f'"{scope}"', "period": f'"{period.value}"', **cap}


def levels(progress: Progress) -> LevelsResult:
    with Stage() as stage, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_Levels(stage, progress).run())


class _Levels:
    def __init__(self, stage: Stage, progress: Progress) -> None:
        self._stage = stage
        self._progress = progress
        # Noon of tomorrow: no hour, day or month ends while the levels are tried.
        start = datetime.fromtimestamp(time.time_ns() // 10**9, UTC).replace(hour=12, minute=1, second=0) + timedelta(days=1)
        self._clock = MovedClock(start)
        self._keys: dict[str, str] = {}
        self._text = ""
        self.result = LevelsResult()

    async def run(self) -> LevelsResult:
        judge = self._stage.rehearse(mean=True, caching=False)
        self._text = (
            configuration.head(free_port(), free_port())
            + configuration.path("openai", judge.port, {"commitment": '"annual"'})
            + configuration.path("second", judge.port, {"commitment": '"quarterly"'})
            + configuration.workspace("here", "development", WIDE)
            + configuration.workspace("there", "development", {**WIDE, "paths": '["second"]'})
        )
        file = self._stage.write(self._text)
        async with clocked_gate(file, self._clock) as gate:
            keys = (await self._key(gate, SPEAKER), await self._key(gate, Speaker(facts={"user": "someone"})))
            for level in (*dimensions(keys), *periods()):
                stopped = await self._try(gate, level)
                self.result.levels = [*self.result.levels, stopped]
                self._progress(
                    f"{stopped.level} ({stopped.measure}, {stopped.period}): "
                    + (
                        f"stopped by {stopped.scope} after {stopped.calls} calls; {stopped.goes_on} goes on"
                        if stopped.passed
                        else stopped.told
                    )
                )
            while not gate.idle():
                await asyncio.sleep(0.01)
        book = open_book(self._stage.folder)
        found = Verdict(0, judge.meter().billed_pico)
        check_calls(book, judge.calls(), found)
        for finding in verify(book).findings:
            found.wrong(f"{finding.rule.value} {finding.where}: {finding.sentence}")
        book.close()
        self.result.broken_invariants, self.result.told = found.broken, found.told[:MOST_TOLD]
        return self.result

    async def _key(self, gate: ClockedGate, speaker: Speaker) -> str:
        """The id of the speaker's key, issued when it is first needed."""
        issued = await gate.issue(speaker.workspace, "trial", speaker.facts)
        self._keys[_who(speaker)] = issued.key
        return issued.id

    async def _ask(self, gate: ClockedGate, client: Client, speaker: Speaker) -> _Answered:
        if _who(speaker) not in self._keys:
            await self._key(gate, speaker)
        extra = "".join(f"x-headgate-{name.replace('_', '-')}: {value}\r\n" for name, value in speaker.claims.items())
        body = msgspec.json.encode({"model": speaker.model, "input": "Say hello.", "max_output_tokens": 300})
        heard = await client.ask(post(LOCAL, "/v1/responses", self._keys[_who(speaker)], body, extra.encode()))
        told = refusal_of(heard)
        return _Answered(heard.status, told.policy_code, told.scope, told.message)

    async def _try(self, gate: ClockedGate, level: Level) -> Stopped:
        """Call until the level's own budget says no; then see that what it does not concern goes on."""
        ends = self._ends(level.period)
        term = {"first_day": str(self._clock.moment().date()), "last_day": str((ends - _DAY).date())} if level.period is Period.TERM else {}
        self._stage.write(self._text + configuration.budget({**level.settings, **term}))
        await gate.command(Reload(actor="trial"))
        client = Client(LOCAL, gate.port)
        calls, last = 0, await self._ask(gate, client, level.speaker)
        while last.status == 200 and calls < MOST_CALLS:
            calls += 1
            last = await self._ask(gate, client, level.speaker)
        spent, cap = self._spent(level)
        if level.other is None:
            goes_on = f"the {level.period.value} from {ends:%Y-%m-%d %H:%M}"
            self._move(ends)
            after = await self._ask(gate, client, level.speaker)
        else:
            goes_on = " ".join((level.other.workspace, *level.other.facts.values(), *level.other.claims.values(), level.other.model))
            after = await self._ask(gate, client, level.other)
        client.close()
        stopped = last.code == "budget_exhausted" and last.scope == level.scope and calls > 0 and 0 < spent <= cap
        if level.period is Period.TERM:  # there is no next one: what was a hard end stays one
            goes_on = "nothing, because the term is over,"
            passed = stopped and after.code == "budget_exhausted" and "is over" in after.message
        else:
            passed = stopped and after.status == 200
        return Stopped(
            level=level.name,
            period=level.period.value,
            measure=level.measure,
            scope=last.scope,
            calls=calls,
            cap=cap,
            spent=spent,
            goes_on=goes_on,
            passed=passed,
            told="" if passed else f"stopped by {last}, then {after}",
        )

    def _ends(self, period: Period) -> datetime:
        """When the period under trial is over; a term lasts ten days from now on."""
        now = self._clock.moment()
        if period is Period.TERM:
            return now.replace(hour=0, minute=0, second=0, microsecond=0) + 10 * _DAY
        span = span_at(period, Calendar(), UTC, Instant(self._clock.wall_us()))
        assert span is not None, "only a term can be over"
        return datetime_of(span.ends_us)

    def _move(self, ends: datetime) -> None:
        if ends - self._clock.moment() > _DAY:
            self._keys.clear()  # keys end after ninety days
        self._clock.move(ends + timedelta(minutes=1))

    def _spent(self, level: Level) -> tuple[int, int]:
        """What the level's own budget says of itself: posted and in doubt, and its cap."""
        book = open_book(self._stage.folder)
        try:
            for row in book.run("budgets_now", {"now": self._clock.wall_us()}):
                balance = rows.balance(row)
                if balance.scope == level.scope and balance.rule.endswith(f"/{level.period.value}/{level.measure}"):
                    small = FEW_TOKENS if level.tokens else parse_dollars(SMALL)
                    return balance.posted + balance.suspect, min(balance.cap, small)
        finally:
            book.close()
        return 0, 0


def _who(speaker: Speaker) -> str:
    return f"{speaker.workspace} {sorted(speaker.facts.items())}"
