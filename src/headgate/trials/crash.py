"""Kills the process that writes the ledger with kill -9, again and again, and asks each time whether anything billed was forgotten.

A child runs the real writer with several threads. Its provider appends what it bills to a file of its own, after the hold was told.
The parent kills at random, opens the book as a new start does, and holds the provider's file against it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue

import msgspec

from headgate.names import AttemptId, RequestId, attempt_id
from headgate.store.ledger import Clock, Ledger
from headgate.store.sqlite import StoreError, open_writer
from headgate.store.verify import verify
from headgate.store.writer import Answered, Work, Writer
from headgate.terms.bound import Bound
from headgate.terms.budget import BudgetRule, Leg, Measure, Period
from headgate.terms.caller import Dimension
from headgate.terms.ending import Charge, Ending, Outcome
from headgate.terms.order import Grant, Order, Settlement
from headgate.wire.usage import Usage

THREADS = 6
KILLS_PER_DATABASE = 8
LONGEST_LIFE_MS = 250
MOST_TOLD = 20
BOUND = Bound(100, 10_000_000, 1_000_000, 400, 100)

RULES = (
    BudgetRule(Dimension.ORGANISATION, "*", Period.YEAR, Measure.MONEY, 10**15),
    BudgetRule(Dimension.WORKSPACE, "ci", Period.MONTH, Measure.MONEY, 10**14),
    BudgetRule(Dimension.WORKSPACE, "ci", Period.DAY, Measure.TOKENS, 10**14),
)
LEGS = tuple(Leg(rule, f"{rule.dimension.value}:{rule.value}") for rule in RULES)


class CrashResult(msgspec.Struct):
    """`broken` counts kills after which a promise did not hold; `lost` billed attempts that the ledger did not count."""

    send_before_hold: bool
    seed: int
    kills: int = 0
    kills_while_opening: int = 0
    billed: int = 0
    doubted: int = 0
    lost: int = 0
    broken: int = 0
    told: list[str] = []


# -- the child -----------------------------------------------------------------------------------------------------------


class _Provider:
    """Bills into a file: one line for each attempt, whole in one append, so that what was written is what was billed."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_DSYNC, 0o600)

    def bill(self, attempt: int, nano: int) -> None:
        os.write(self._file, f"{attempt} {nano}\n".encode())


class _Numbers:
    """Attempt ids that no earlier life of this database used."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = (0, 0)

    def next(self) -> AttemptId:
        with self._lock:
            milliseconds = max(time.time_ns() // 1_000_000, self._last[0])
            counter = self._last[1] + 1 if milliseconds == self._last[0] else 0
            milliseconds, counter = (milliseconds, counter) if counter < 4096 else (milliseconds + 1, 0)
            self._last = (milliseconds, counter)
            return attempt_id(milliseconds, 0, counter)


class _Caller(threading.Thread):
    """One call after another: hold, send, settle."""

    def __init__(self, writer: Writer, provider: _Provider, numbers: _Numbers, seed: int, send_before_hold: bool) -> None:
        super().__init__(daemon=True)
        self._writer = writer
        self._provider = provider
        self._numbers = numbers
        self._chance = random.Random(seed)
        self._early = send_before_hold

    def _ask(self, work: Work) -> object:
        answers: SimpleQueue[object] = SimpleQueue()
        self._writer.submit(work, answers.put)
        return answers.get()

    def run(self) -> None:
        while True:
            self._call(self._numbers.next(), self._chance.randrange(1, BOUND.nano(BOUND.minimum_output)), self._chance.random())

    def _call(self, attempt: AttemptId, nano: int, luck: float) -> None:
        sent = luck > 0.1
        legs = LEGS[: 1 + attempt % len(LEGS)]
        if self._early and sent:
            self._provider.bill(attempt, nano)
        order = Order(attempt, RequestId(attempt), "ci", "k", "openai", "m", "responses", "text", 1, BOUND, legs, 5000)
        if not isinstance(self._ask(order), Grant):
            return
        if not self._early and sent:
            self._provider.bill(attempt, nano)
        if luck > 0.95:
            return  # its settlement is still on its way when the process dies
        charge, ending = (Charge.ACTUAL, Ending.COMPLETED) if luck > 0.2 else (Charge.SUSPECT, Ending.CUT)
        charge, ending = (charge, ending) if sent else (Charge.VOID, Ending.NEVER_SENT)
        usage = Usage(1, 1) if charge is Charge.ACTUAL else None
        settlement = Settlement(attempt, charge, Outcome(ending, usage), nano if usage else 0, 2 if usage else 0)
        if luck > 0.5:
            self._ask(settlement)
        else:
            self._writer.submit(settlement, _unheard)


def _unheard(_answer: object) -> None:
    """Nobody waits for this settlement."""


def _told(answers: Sequence[tuple[Answered, object]]) -> None:
    for answered, answer in answers:
        answered(answer)


def _child(file: Path, billed: Path, seed: int, send_before_hold: bool) -> None:
    ledger = Ledger(open_writer(file), _clock())
    ledger.start()
    writer = Writer(ledger, _told, lambda _error: os._exit(3), lambda: False)
    writer.start()
    provider, numbers = _Provider(billed), _Numbers()
    for number in range(THREADS):
        _Caller(writer, provider, numbers, seed * THREADS + number, send_before_hold).start()
    sys.stdout.write("running\n")
    sys.stdout.flush()
    writer.join()


def _clock() -> Clock:
    return Clock(lambda: time.time_ns() // 1000, lambda: time.monotonic_ns() // 1000)


# -- the parent ----------------------------------------------------------------------------------------------------------


class _Trial:
    def __init__(self, folder: Path, seed: int, send_before_hold: bool) -> None:
        self._folder = folder
        self._chance = random.Random(seed)
        self._early = send_before_hold
        self.result = CrashResult(send_before_hold, seed)

    def run(self, kills: int) -> CrashResult:
        while self.result.kills < kills:
            book = self._folder / str(self.result.kills)
            book.mkdir()
            for _ in range(min(KILLS_PER_DATABASE, kills - self.result.kills)):
                self._life(book)
                if not self._judge(book):
                    break
            shutil.rmtree(book)
        return self.result

    def _life(self, book: Path) -> None:
        arguments = [str(book / "ledger.db"), str(book / "billed"), str(self._chance.randrange(1 << 30)), str(int(self._early))]
        child = subprocess.Popen([sys.executable, "-m", "headgate.trials.crash", *arguments], stdout=subprocess.PIPE)
        assert child.stdout is not None
        if self._chance.random() < 0.1:
            self.result.kills_while_opening += 1
        else:
            line = child.stdout.readline()
            assert line == b"running\n", "the child could not start"
        time.sleep(self._chance.randrange(1, LONGEST_LIFE_MS) / 1000)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        self.result.kills += 1

    def _judge(self, book: Path) -> bool:
        told: list[str] = []
        try:
            database = open_writer(book / "ledger.db")
        except StoreError as error:
            told.append(f"The book does not open: {error}")
        else:
            self.result.doubted += Ledger(database, _clock()).start()
            told.extend(f"{finding.rule.value} {finding.where}: {finding.sentence}" for finding in verify(database).findings)
            for attempt, nano in _bills(book / "billed"):
                self.result.billed += 1
                ending = database.first("ending_of", (attempt,))
                held = database.first("hold_state", (attempt,)) is not None
                if not held and (ending is None or ending[0] != "POSTED" or ending[3] != nano):
                    self.result.lost += 1
                    told.append(f"Attempt {attempt} was billed {nano} nano-dollars and is not counted")
            database.close()
        if told:
            self.result.broken += 1
            self.result.told = [*self.result.told, *told][:MOST_TOLD]
        return not told


def _bills(file: Path) -> list[tuple[int, int]]:
    if not file.exists():
        return []
    lines = [line.split() for line in file.read_text("ascii").splitlines()]
    return [(int(attempt), int(nano)) for attempt, nano in lines]


def crash(kills: int, seed: int = 1, send_before_hold: bool = False) -> CrashResult:
    """Kill the writer `kills` times. `send_before_hold` is there to show that this trial can fail."""
    folder = Path(tempfile.mkdtemp(prefix="headgate-crash-"))
    try:
        return _Trial(folder, seed, send_before_hold).run(kills)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _child(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "1")
