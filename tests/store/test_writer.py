"""The one thread that writes: what is told is durable, who waits is served in turn, and a full or failing disk loses nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

import apsw
import pytest
from tests.store.book import DAY_US, HandClock, doubting, leg, order, posting, rule, voiding

from headgate.refusal import Reason, Refusal
from headgate.store.ledger import Ledger
from headgate.store.sqlite import Database, open_reader, open_writer
from headgate.store.verify import verify
from headgate.store.writer import Answered, Change, Record, Work, Writer
from headgate.terms.order import Grant, Settled, Settlement

DAY = rule(100)
SECONDS = 1_000_000
PATIENCE_S = 20  # how long a test waits for what must come; nothing here depends on how fast it does


class Gate:
    """A writer in its thread. What is told arrives in `told` as (who asked, answer), and sees only what a reader sees."""

    def __init__(self, file: Path, vfs: str | None = None) -> None:
        self.file = file
        self.time = HandClock()
        self.told: SimpleQueue[tuple[str, object]] = SimpleQueue()
        self.batches: list[int] = []
        self.fatal: SimpleQueue[BaseException] = SimpleQueue()
        self.low = False
        self.held_back = threading.Event()
        self.held_back.set()
        self.database: Database = open_writer(file, vfs=vfs)
        ledger = Ledger(self.database, self.time.clock())
        ledger.start()
        self.leaves_when_told: list[int] = []
        self.writer = Writer(ledger, self._tell, self.fatal.put, self._is_low)

    def _is_low(self) -> bool:
        self.held_back.wait(PATIENCE_S)
        return self.low

    def _tell(self, answers: Sequence[tuple[Answered, object]]) -> None:
        self.batches.append(len(answers))
        reader = open_reader(self.file)
        self.leaves_when_told.append(len(reader.run("leaves")))
        reader.close()
        for answered, answer in answers:
            answered(answer)

    def submit(self, name: str, work: Work) -> None:
        self.writer.submit(work, lambda answer: self.told.put((name, answer)))

    def ask(self, name: str, work: Work) -> object:
        self.submit(name, work)
        return self.hear(name)

    def hear(self, name: str) -> object:
        who, answer = self.told.get(timeout=PATIENCE_S)
        assert who == name, (who, answer)
        return answer

    def hears_nothing(self) -> bool:
        try:
            self.told.get(timeout=0.05)
        except Empty:
            return True
        return False

    def together(self, *works: tuple[str, Work]) -> None:
        """Hand in several works so that they are folded into one batch."""
        self.held_back.clear()
        self.submit("door", Record("note", {"text": "keeps the writer busy"}))
        while not self.writer._queue.empty():
            pass
        for name, work in works:
            self.submit(name, work)
        self.held_back.set()
        self.hear("door")

    def stop(self) -> None:
        if self.writer.is_alive():
            self.writer.stop()
            self.writer.join(PATIENCE_S)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path / "ledger.db")
    gate.writer.start()
    yield gate
    gate.stop()
    assert gate.fatal.empty()
    assert verify(open_reader(gate.file)).findings == ()


def test_a_hold_is_told_when_it_is_durable(gate: Gate) -> None:
    answer = gate.ask("a", order(1, [leg(DAY)]))
    assert isinstance(answer, Grant)
    # Another connection saw its leaf (start, budget, hold) at the moment of telling.
    assert gate.leaves_when_told == [3]


def test_works_that_arrive_together_share_a_commit_and_keep_their_order(gate: Gate) -> None:
    gate.together(
        ("a", order(1, [leg(DAY)], cost=60)),
        ("b", order(2, [leg(DAY)], cost=60)),
        ("c", posting(1, 5)),
        ("d", order(3, [leg(DAY)], cost=60)),
    )
    assert isinstance(gate.hear("a"), Grant)
    assert isinstance(gate.hear("b"), Refusal)
    assert isinstance(gate.hear("c"), Settled)
    assert isinstance(gate.hear("d"), Grant)
    assert gate.batches == [1, 4]


def test_a_record_is_answered_with_its_receipt(gate: Gate) -> None:
    receipt = gate.ask("a", Record("refusal", {"reason": "unpriced"}))
    assert isinstance(receipt, str) and len(receipt) == 64


def test_a_second_settlement_is_told_that_there_was_nothing_to_do(gate: Gate) -> None:
    gate.ask("a", order(1, [leg(DAY)]))
    assert isinstance(gate.ask("b", voiding(1)), Settled)
    assert gate.ask("c", posting(1, 5)) is None


def test_who_waits_is_granted_when_a_sibling_settles(gate: Gate) -> None:
    gate.ask("a", order(1, [leg(DAY)], cost=90))
    gate.submit("b", order(2, [leg(DAY)], cost=50, wait_us=5 * SECONDS))
    assert gate.hears_nothing()
    gate.together(("c", posting(1, 5)))
    assert isinstance(gate.hear("c"), Settled)
    grant = gate.hear("b")
    assert isinstance(grant, Grant) and not grant.shortened


def test_who_waited_long_enough_is_shortened_or_refused(gate: Gate) -> None:
    gate.ask("a", order(1, [leg(DAY)], cost=90))
    gate.submit("b", order(2, [leg(DAY)], cost=50, least=4, wait_us=5 * SECONDS))
    gate.submit("c", order(3, [leg(DAY)], cost=50, key="other", wait_us=5 * SECONDS))
    assert gate.hears_nothing()
    gate.time.passes(6 * SECONDS)
    gate.submit("d", Record("note", {}))
    gate.hear("d")
    # The fair share of two who wait is 5 of the 10 that are left.
    short = gate.hear("b")
    assert isinstance(short, Grant) and (short.output, short.shortened) == (5, True)
    no = gate.hear("c")
    assert isinstance(no, Refusal) and no.reason is Reason.BUDGET_BUSY


def test_a_wait_ends_by_itself_when_nothing_else_happens(gate: Gate) -> None:
    gate.ask("a", order(1, [leg(DAY)], cost=90))
    gate.submit("b", order(2, [leg(DAY)], cost=50, wait_us=10_000))
    assert gate.hears_nothing()
    gate.time.passes(SECONDS)
    assert isinstance(gate.hear("b"), Refusal)


def test_a_later_order_of_the_same_key_does_not_pass_the_one_that_waits(gate: Gate) -> None:
    gate.ask("a", order(1, [leg(DAY)], cost=90))
    gate.submit("big", order(2, [leg(DAY)], cost=50, wait_us=5 * SECONDS))
    gate.submit("small", order(3, [leg(DAY)], cost=5, wait_us=5 * SECONDS))
    assert gate.hears_nothing()
    gate.ask("c", doubting(1))
    # Nothing can come back any more, so the big one cannot be served, and the small one is next.
    assert isinstance(gate.hear("big"), Refusal)
    assert isinstance(gate.hear("small"), Grant)


def test_a_flood_of_one_key_does_not_delay_another(gate: Gate) -> None:
    gate.ask("a", order(1, [leg(DAY)], cost=90))
    for number in range(2, 6):
        gate.submit(f"loud {number}", order(number, [leg(DAY)], cost=40, key="loud", wait_us=5 * SECONDS))
    gate.submit("quiet", order(6, [leg(DAY)], cost=40, key="quiet", wait_us=5 * SECONDS))
    assert gate.hears_nothing()
    gate.ask("settled", posting(1, 0))
    assert isinstance(gate.hear("loud 2"), Grant)
    assert isinstance(gate.hear("quiet"), Grant)
    assert gate.hears_nothing()


def test_a_change_runs_alone_and_its_answer_is_told(gate: Gate) -> None:
    def raises_the_cap(ledger: Ledger) -> object:
        ledger.database.run("add_override", (DAY.name, "workspace:ci", 500, "alice", "launch", ledger.now, ledger.now + DAY_US))
        ledger.load_overrides()
        ledger.apply_caps([DAY])
        return "raised"

    assert gate.ask("a", Change(raises_the_cap)) == "raised"
    assert isinstance(gate.ask("b", order(1, [leg(DAY)], cost=400)), Grant)


def test_a_change_that_raises_is_undone_and_told_and_the_gate_goes_on(gate: Gate) -> None:
    def breaks(ledger: Ledger) -> object:
        ledger.database.run("add_freeze", ("workspace:ci", "a mistake", 5))
        raise ValueError("no such workspace")

    answer = gate.ask("a", Change(breaks))
    assert isinstance(answer, ValueError)
    assert open_reader(gate.file).run("freezes") == []
    assert isinstance(gate.ask("b", order(1, [leg(DAY)])), Grant)


def test_a_low_disk_refuses_orders_those_that_wait_included_and_settles_on(gate: Gate) -> None:
    gate.ask("a", order(1, [leg(DAY)], cost=90))
    gate.submit("b", order(2, [leg(DAY)], cost=50, wait_us=5 * SECONDS))
    assert gate.hears_nothing()
    gate.low = True
    gate.submit("c", posting(1, 5))
    assert isinstance(gate.hear("c"), Settled)
    no = gate.hear("b")
    assert isinstance(no, Refusal) and no.reason is Reason.DISK_LOW
    no = gate.ask("d", order(3, [leg(DAY)]))
    assert isinstance(no, Refusal) and no.reason is Reason.DISK_LOW


def test_who_still_waits_when_the_gate_stops_is_told_so(gate: Gate) -> None:
    gate.ask("a", order(1, [leg(DAY)], cost=90))
    gate.submit("b", order(2, [leg(DAY)], cost=50, wait_us=5 * SECONDS))
    gate.submit("c", posting(1, 90))
    gate.hear("c")
    gate.submit("d", order(3, [leg(DAY)], cost=5, key="other"))
    gate.stop()
    told = {gate.told.get(timeout=PATIENCE_S)[0]: None for _ in range(2)}
    assert set(told) == {"b", "d"}


def test_what_was_submitted_before_the_stop_is_written(gate: Gate) -> None:
    gate.submit("a", order(1, [leg(DAY)]))
    gate.submit("b", posting(1, 5))
    gate.writer.stop()
    assert isinstance(gate.hear("a"), Grant)
    assert isinstance(gate.hear("b"), Settled)


# -- disks that are full or fail -----------------------------------------------------------------------------------------


class _FaultyFile(apsw.VFSFile):
    def __init__(self, disk: FaultyDisk, file: str, flags: list[int]) -> None:
        super().__init__("", file, flags)
        self._disk = disk

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._disk.full:
            raise apsw.FullError("no space left")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        if self._disk.failing:
            raise apsw.IOError("the disk does not answer")
        super().xSync(flags)


class FaultyDisk(apsw.VFS):
    """SQLite's own file layer, on a disk that can be full or fail."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "")
        self.full = self.failing = False

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _FaultyFile(self, name.filename() if isinstance(name, apsw.URIFilename) else str(name), flags)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[FaultyDisk, Gate]]:
    vfs = FaultyDisk(f"faulty {tmp_path}")
    gate = Gate(tmp_path / "ledger.db", vfs=f"faulty {tmp_path}")
    gate.writer.start()
    yield vfs, gate
    vfs.full = vfs.failing = False
    gate.stop()
    vfs.unregister()


def test_a_full_disk_refuses_what_is_new_and_keeps_settlements_until_there_is_space(disk: tuple[FaultyDisk, Gate]) -> None:
    vfs, gate = disk
    gate.ask("a", order(1, [leg(DAY)], cost=60))
    vfs.full = True
    gate.submit("settles", posting(1, 20))
    no = gate.ask("b", order(2, [leg(DAY)], cost=5))
    assert isinstance(no, Refusal) and no.reason is Reason.DISK_LOW
    assert gate.hears_nothing()
    vfs.full = False
    settled = gate.hear("settles")
    assert isinstance(settled, Settled) and settled.charged_nano == 20
    assert isinstance(gate.ask("c", order(3, [leg(DAY)], cost=80)), Grant)
    assert verify(open_reader(gate.file)).findings == ()


def test_an_order_that_waits_waits_on_while_the_disk_is_full(disk: tuple[FaultyDisk, Gate]) -> None:
    vfs, gate = disk
    gate.ask("a", order(1, [leg(DAY)], cost=90))
    gate.submit("waits", order(2, [leg(DAY)], cost=50, wait_us=500 * SECONDS))
    assert gate.hears_nothing()
    vfs.full = True
    gate.submit("settles", posting(1, 20))
    # Its turn came in the batch that the disk did not take: it was promised room, and is told no.
    no = gate.hear("waits")
    assert isinstance(no, Refusal) and no.reason is Reason.DISK_LOW
    vfs.full = False
    assert isinstance(gate.hear("settles"), Settled)
    assert verify(open_reader(gate.file)).findings == ()


def test_an_order_that_only_joined_the_line_is_not_refused_by_a_full_disk(disk: tuple[FaultyDisk, Gate]) -> None:
    vfs, gate = disk
    gate.ask("a", order(1, [leg(DAY)], cost=90))
    vfs.full = True
    gate.submit("waits", order(2, [leg(DAY)], cost=50, wait_us=500 * SECONDS))
    assert gate.hears_nothing()
    vfs.full = False
    gate.submit("settles", posting(1, 20))
    assert isinstance(gate.hear("settles"), Settled)
    assert isinstance(gate.hear("waits"), Grant)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # a real full disk does not raise at the close
def test_a_settlement_that_no_disk_took_is_answered_at_the_stop_and_stays_held(disk: tuple[FaultyDisk, Gate]) -> None:
    vfs, gate = disk
    gate.ask("a", order(1, [leg(DAY)], cost=60))
    vfs.full = True
    gate.submit("settles", posting(1, 20))
    gate.stop()
    no = gate.hear("settles")
    assert isinstance(no, Refusal) and no.reason is Reason.DISK_LOW
    vfs.full = False
    ledger = Ledger(open_writer(gate.file), gate.time.clock())
    assert ledger.start() == 1
    assert verify(ledger.database).findings == ()


def test_a_change_that_a_full_disk_does_not_take_is_told_and_undone(disk: tuple[FaultyDisk, Gate]) -> None:
    vfs, gate = disk
    vfs.full = True
    assert isinstance(gate.ask("a", Change(lambda ledger: ledger.record("note", {}))), apsw.FullError)
    vfs.full = False
    assert isinstance(gate.ask("b", order(1, [leg(DAY)])), Grant)
    assert verify(open_reader(gate.file)).findings == ()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("work", [order(2, [leg(DAY)]), posting(1, 5), Change(lambda ledger: ledger.record("note", {}))])
def test_a_disk_that_fails_once_ends_the_process_and_nothing_is_told(disk: tuple[FaultyDisk, Gate], work: Work) -> None:
    vfs, gate = disk
    gate.ask("a", order(1, [leg(DAY)], cost=60))
    vfs.failing = True
    gate.submit("b", work)
    assert isinstance(gate.fatal.get(timeout=PATIENCE_S), apsw.IOError)
    gate.writer.join(PATIENCE_S)
    vfs.failing = False  # an fsync that works again proves nothing about the one that did not
    assert not gate.writer.is_alive()
    assert gate.hears_nothing()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_the_writer_does_not_understand_ends_it(disk: tuple[FaultyDisk, Gate]) -> None:
    _, gate = disk
    gate.ask("a", order(1, [leg(DAY)]))
    gate.submit("again", order(1, [leg(DAY)]))
    assert isinstance(gate.fatal.get(timeout=PATIENCE_S), apsw.ConstraintError)
    assert gate.hears_nothing()


def test_many_threads_never_pass_the_cap(gate: Gate) -> None:
    counted = threading.Lock()
    granted: list[int] = []
    done = threading.Semaphore(0)

    def call(first: int) -> None:
        for number in range(first, first + 40):
            answers: SimpleQueue[object] = SimpleQueue()
            put: Callable[[object], None] = answers.put
            gate.writer.submit(order(number, [leg(DAY)], cost=7), put)
            answer = answers.get(timeout=PATIENCE_S)
            if isinstance(answer, Grant):
                with counted:
                    granted.append(number)
                settlement: Settlement = posting(number, 1) if number % 2 else voiding(number)
                gate.writer.submit(settlement, put)
                assert isinstance(answers.get(timeout=PATIENCE_S), Settled)
        done.release()

    threads = [threading.Thread(target=call, args=(1000 * number + 1,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        assert done.acquire(timeout=PATIENCE_S)
        thread.join()
    row = open_reader(gate.file).run("budgets_all")[0]
    assert row[8] == sum(number % 2 for number in granted) and row[9] == 0
