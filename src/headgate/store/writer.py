"""The one thread that writes: it folds what has arrived into a batch, makes it durable, and only then tells anyone.

Rule 1  An answer is told after the commit that holds it, never before.
Rule 2  It flushes when it has nothing more to fold, or at `MOST_WORKS`.
Rule 3  A full disk refuses admissions and keeps settlements until they can be written. A failing disk ends the process: an fsync that
        failed once is never retried, because the kernel may have dropped the pages.
Rule 4  Anything it does not understand ends the process too. It is better to stop than to go on in a state that is not known.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue

import apsw
import msgspec

from headgate.audit.leaf import Plain
from headgate.ledger.line import Line
from headgate.ledger.reserve import Wait
from headgate.names import MICROSECONDS, Instant
from headgate.refusal import Reason, Refusal
from headgate.store.ledger import Ledger
from headgate.terms.budget import Leg
from headgate.terms.order import Order, Settlement

MOST_WORKS = 128  # a hold and a settlement each of 64 requests
MOST_TURNS = 64  # how many that wait are asked again in one batch
RETRY_FULL_SECONDS = 1

Answered = Callable[[object], None]


class Record(msgspec.Struct, frozen=True):
    """A leaf of its own: a refusal, or a change that moves no money."""

    kind: str
    content: Mapping[str, Plain]


class Change(msgspec.Struct, frozen=True):
    """A change by an operator, run in a transaction of its own; an exception undoes it and is handed back to the caller."""

    run: Callable[[Ledger], object]


Work = Order | Settlement | Record | Change
Told = Callable[[Sequence[tuple[Answered, object]]], None]


class Writer(threading.Thread):
    """`submit` from any thread; `told` is called in the writer's thread with the answers of each durable batch."""

    def __init__(self, ledger: Ledger, told: Told, fatal: Callable[[BaseException], None], disk_low: Callable[[], bool]) -> None:
        super().__init__(name="headgate-writer", daemon=True)
        self._ledger = ledger
        self._told = told
        self._fatal = fatal
        self._disk_low = disk_low
        self._queue: SimpleQueue[tuple[Work | None, Answered]] = SimpleQueue()
        self._line: Line[Answered] = Line()
        self._kept: list[tuple[Settlement, Answered]] = []  # settlements that a full disk did not take
        self._answers: list[tuple[Answered, object]] = []
        self._moved = False  # since those who wait were asked last: something settled, or an operator changed a cap

    def submit(self, work: Work, answered: Answered) -> None:
        self._queue.put((work, answered))

    def stop(self) -> None:
        """Finish what was submitted before, then end. Orders that still wait are told that the gate is stopping."""
        self._queue.put((None, _nobody))

    def run(self) -> None:
        try:
            while self._turn():
                pass
            self._ledger.database.close()
        except BaseException as error:
            self._fatal(error)
            raise

    def _turn(self) -> bool:
        """One batch. False when it was the last."""
        works = self._gather()
        last = any(work is None for work, _ in works)
        changes = [(work, answered) for work, answered in works if isinstance(work, Change)]
        self._write([(work, answered) for work, answered in works if work is not None and not isinstance(work, Change)])
        for change, answered in changes:
            self._change(change, answered)
        if changes:
            self._write([])  # a cap that was raised is room for those who wait
        if last:
            stopping = Refusal(Reason.DRAINING, "The gate is stopping; send the request again in a moment", retry_after=1)
            self._tell([(answered, stopping) for _, _, answered in self._line.in_turn()])
            # Their holds stay open, and the next start puts them in doubt.
            self._tell([(answered, _DISK_LOW) for _, answered in self._kept])
        return not last

    def _gather(self) -> list[tuple[Work | None, Answered]]:
        """Wait for the first work, then take whatever else has arrived."""
        works: list[tuple[Work | None, Answered]] = [*self._kept]
        try:
            works.append(self._queue.get(timeout=self._patience()))
            while len(works) < MOST_WORKS:
                works.append(self._queue.get_nowait())
        except Empty:
            pass
        self._kept = []
        return works

    def _patience(self) -> float | None:
        """Seconds until someone has waited long enough; None: for as long as nothing arrives."""
        if self._kept:
            return RETRY_FULL_SECONDS
        ends_us = self._line.next_end()
        return None if ends_us is None else max(ends_us - self._ledger.wall_us(), 1000) / MICROSECONDS

    def _write(self, works: Sequence[tuple[Work, Answered]]) -> None:
        if not works and not len(self._line):
            return
        self._answers = []
        try:
            self._ledger.begin()
            low = self._disk_low()
            for work, answered in works:
                self._fold(work, answered, low)
            self._ask_again(low)
            self._moved = False
            self._ledger.commit()
        except apsw.FullError:
            self._ledger.abandon()
            self._keep(works)
            return
        self._tell(self._answers)

    def _fold(self, work: Work, answered: Answered, low: bool) -> None:
        if isinstance(work, Settlement):
            self._moved = True
            self._answers.append((answered, self._ledger.settle(work)))
        elif isinstance(work, Order):
            if low:
                self._answers.append((answered, _DISK_LOW))
            elif work.wait_us and self._line.waits(work.key):
                # Behind its own siblings, or a flood of one key would pass those that wait.
                self._line.join(work, Instant(self._ledger.now + work.wait_us), answered)
            else:
                self._admit(work, Instant(self._ledger.now + work.wait_us), answered, waits=False)
        else:
            assert isinstance(work, Record)
            self._answers.append((answered, self._ledger.record(work.kind, work.content)))

    def _admit(self, order: Order, until: Instant, answered: Answered, waits: bool) -> bool:
        """Ask the ledger; True when the order has its answer."""
        decided = self._ledger.admit(order, lambda leg: self._others(order, leg), patient=self._ledger.now < until)
        if isinstance(decided, Wait):
            if not waits:
                self._line.join(order, until, answered)
            return False
        if waits:
            self._line.leave(order)
        self._answers.append((answered, decided))
        return True

    def _others(self, order: Order, leg: Leg) -> int:
        return self._line.others(order, leg.rule.name, leg.scope)

    def _ask_again(self, low: bool) -> None:
        """Whoever waits is asked again when room may have come back, and in any case when their patience ends."""
        if not len(self._line):
            return
        unlucky = 0
        for order, until, answered in self._line.in_turn():
            if low:
                self._line.leave(order)
                self._answers.append((answered, _DISK_LOW))
                continue
            over = self._ledger.now >= until
            if over or (self._moved and unlucky < MOST_TURNS):
                unlucky += not self._admit(order, until, answered, waits=True)

    def _change(self, change: Change, answered: Answered) -> None:
        answer: object
        try:
            self._ledger.begin()
            answer = change.run(self._ledger)
            self._ledger.commit()
            self._moved = True
        except (apsw.IOError, apsw.CorruptError):
            raise
        except Exception as error:  # noqa: BLE001  an operator's mistake is told to the operator, and undone
            self._ledger.abandon()
            answer = error
        self._tell([(answered, answer)])

    def _keep(self, works: Sequence[tuple[Work, Answered]]) -> None:
        """The disk took nothing of the batch: settlements are kept for the next one, everyone else who had an answer gets a no."""
        self._kept = [(work, answered) for work, answered in works if isinstance(work, Settlement)]
        kept = {id(answered) for _, answered in self._kept}
        still_waiting = {id(answered) for _, _, answered in self._line.in_turn()}
        decided = [answered for answered, _ in self._answers] + [answered for _, answered in works]
        refused = {id(answered): answered for answered in decided if id(answered) not in kept | still_waiting}
        self._tell([(answered, _DISK_LOW) for answered in refused.values()])

    def _tell(self, answers: Sequence[tuple[Answered, object]]) -> None:
        if answers:
            self._told(answers)


_DISK_LOW = Refusal(Reason.DISK_LOW, "The disk of the ledger is full or nearly full; nothing was sent. Free some space, nothing was lost")


def _nobody(_answer: object) -> None:
    """The answer that nobody waits for."""
