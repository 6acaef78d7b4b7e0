"""Cuts the power of a disk under the real ledger, again and again, and asks each time whether anything billed was forgotten.

Rule 1  What was synced survives. Each write since then is lost, kept, or torn at sectors of 512 bytes, by the seed, file by file.
Rule 2  The provider of this trial bills an attempt when the commit of its hold has returned, and not before.
Rule 3  After every cut the book opens, its promises hold, and each billed attempt is posted with what was billed or still held.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from pathlib import Path

import apsw
import msgspec

from headgate.names import AttemptId, RequestId
from headgate.store.ledger import Clock, Ledger
from headgate.store.sqlite import Database, StoreError, open_writer
from headgate.store.verify import verify
from headgate.terms.bound import Bound
from headgate.terms.budget import BudgetRule, Leg, Measure, Period
from headgate.terms.caller import Dimension
from headgate.terms.ending import Charge, Ending, Outcome
from headgate.terms.order import Grant, Order, Settlement
from headgate.wire.usage import Usage

SECTOR = 512  # bytes; what a disk writes whole or not at all
CUTS_PER_DATABASE = 12
BATCHES_PER_LIFE = 8
MOST_TOLD = 20

RULES = (
    BudgetRule(Dimension.ORGANISATION, "*", Period.MONTH, Measure.MONEY, 40_000),
    BudgetRule(Dimension.WORKSPACE, "ci", Period.DAY, Measure.MONEY, 12_000),
    BudgetRule(Dimension.WORKSPACE, "ci", Period.DAY, Measure.TOKENS, 20_000),
)
LEGS = tuple(Leg(rule, f"{rule.dimension.value}:{rule.value}") for rule in RULES)
HOUR_US = 3_600_000_000
START_US = 1_790_000_000_000_000


class PowerResult(msgspec.Struct):
    """`broken` counts cuts after which a promise did not hold; `lost` billed attempts that were not counted any more."""

    synchronous: str
    seed: int
    cuts: int = 0
    cuts_while_opening: int = 0
    billed: int = 0
    lost: int = 0
    broken: int = 0
    told: list[str] = []


class PowerCut(Exception):
    """The power went."""


class _Image(msgspec.Struct):
    """One file: what a cut leaves of it, and the writes (offset, bytes) and truncations (size) since the last sync."""

    durable: bytearray = msgspec.field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = msgspec.field(default_factory=list[tuple[int, bytes | None]])

    def sync(self) -> None:
        for offset, data in self.pending:
            self._apply(offset, data)
        self.pending.clear()

    def cut(self, chance: random.Random) -> None:
        mood = chance.choice(("lose", "keep", "mix", "mix", "mix"))
        for offset, data in self.pending:
            fate = mood if mood != "mix" else chance.choice(("lose", "keep", "tear"))
            if fate == "keep":
                self._apply(offset, data)
            elif fate == "tear" and data is not None:
                self._tear(offset, data, chance)
        self.pending.clear()

    def _tear(self, offset: int, data: bytes, chance: random.Random) -> None:
        begin = 0
        while begin < len(data):
            end = min(begin + SECTOR - (offset + begin) % SECTOR, len(data))
            if chance.random() < 0.5:
                self._apply(offset + begin, data[begin:end])
            begin = end

    def _apply(self, offset: int, data: bytes | None) -> None:
        if data is None:
            del self.durable[offset:]
            return
        if len(self.durable) < offset:
            self.durable.extend(bytes(offset - len(self.durable)))
        self.durable[offset : offset + len(data)] = data


class _Disk:
    """The files of one database, and how many more writes, truncations and syncs the power lasts."""

    def __init__(self) -> None:
        self.images: dict[str, _Image] = {}
        self.left: int | None = None
        self.dead = False

    def image(self, file: str) -> _Image:
        return self.images.setdefault(Path(file).name, _Image())

    def spend(self) -> bool:
        """False when there is no power any more; raises at the moment it goes."""
        if self.dead:
            return False
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.dead = True
                raise PowerCut
        return True

    def must_live(self) -> None:
        if self.dead:
            raise PowerCut


class _File(apsw.VFSFile):
    def __init__(self, disk: _Disk, file: str, flags: list[int]) -> None:
        super().__init__("", file, flags)
        self._disk = disk
        self._image = disk.image(file)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._disk.spend():
            super().xWrite(data, offset)  # pyright: ignore[reportUnknownMemberType]  the stub leaves the buffer type unknown
            self._image.pending.append((offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        if self._disk.spend():
            super().xTruncate(newsize)
            self._image.pending.append((newsize, None))

    def xSync(self, flags: int) -> None:
        if self._disk.spend():
            self._image.sync()


class _PowerVfs(apsw.VFS):
    """SQLite's own file layer over a folder in memory; only writes, syncs and deletions are watched."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "")
        self.called = name
        self.disk = _Disk()

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        file = name.filename() if isinstance(name, apsw.URIFilename) else name
        assert file is not None, "the book has no nameless files"
        return _File(self.disk, file, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        if self.disk.spend():
            super().xDelete(filename, syncdir)
            self.disk.images.pop(Path(filename).name, None)


class _Trial:
    def __init__(self, vfs: _PowerVfs, seed: int, root: Path, synchronous: str) -> None:
        self._vfs = vfs
        self._chance = random.Random(seed)
        self._root = root
        self._synchronous = synchronous
        self.result = PowerResult(synchronous, seed)
        self._fresh()

    def _fresh(self) -> None:
        """A new database, and a provider that has billed nothing."""
        self._vfs.disk = _Disk()
        self._wall_us = START_US
        self._next = 1
        self._billed: dict[int, int] = {}
        self._sent: list[tuple[int, int]] = []  # attempts whose end is not yet settled, and what is true of each
        self._place()

    def _place(self) -> None:
        """Write what the disk still has into a new folder, as a machine finds it after the power came back."""
        disk = _Disk()
        shutil.rmtree(self._root, ignore_errors=True)
        self._root.mkdir()
        for name, image in self._vfs.disk.images.items():
            image.cut(self._chance)
            disk.images[name] = image
            (self._root / name).write_bytes(image.durable)
        self._vfs.disk = disk

    def run(self, cuts: int) -> PowerResult:
        while self.result.cuts < cuts:
            for _ in range(min(CUTS_PER_DATABASE, cuts - self.result.cuts)):
                # Some cuts fall while the book is created or recovers from the cut before.
                self._vfs.disk.left = self._chance.randrange(12 if self._chance.random() < 0.2 else 140)
                if not self._live():
                    break
            else:
                self._live(last=True)
            self._fresh()
        return self.result

    def _live(self, last: bool = False) -> bool:
        """Open, check, work until the power goes. False when the book is broken and a new one must be begun."""
        if last:
            self._vfs.disk.left = None
        database: Database | None = None
        told: list[str] = []
        opening = True
        try:
            database = self._open()
            ledger = Ledger(database, Clock(lambda: self._wall_us, lambda: self._wall_us))
            ledger.start()
            self._vfs.disk.must_live()
            told = self._check(database)
            opening = False
            if not told and not last:
                for _ in range(BATCHES_PER_LIFE):
                    self._batch(ledger)
                    if self._chance.random() < 0.15:
                        database.checkpoint()
                        self._vfs.disk.must_live()
        except (PowerCut, StoreError, apsw.Error) as error:
            if not self._vfs.disk.dead:
                told = [f"The book does not open: {error}"]
        if told:
            self.result.broken += 1
            self.result.told = [*self.result.told, *told][:MOST_TOLD]
        if not last:
            self.result.cuts += 1
            self.result.cuts_while_opening += opening
        self._vfs.disk.dead = True
        if database is not None:
            database.close()
        self._place()
        return not told

    def _open(self) -> Database:
        file = self._root / "ledger.db"
        database = open_writer(file, vfs=self._vfs.called)
        if self._synchronous == "FULL":
            return database
        database.close()
        connection = apsw.Connection(str(file), vfs=self._vfs.called)
        connection.pragma("synchronous", self._synchronous)  # pyright: ignore[reportUnknownMemberType]  as above
        return Database(connection)

    def _check(self, database: Database) -> list[str]:
        told = [f"{finding.rule.value} {finding.where}: {finding.sentence}" for finding in verify(database).findings]
        for attempt, nano in self._billed.items():
            ending = database.first("ending_of", (attempt,))
            known = database.first("hold_state", (attempt,)) is not None
            if not known and (ending is None or ending[0] != "POSTED" or ending[3] != nano):
                self.result.lost += 1
                told.append(f"Attempt {attempt} was billed {nano} nano-dollars and is not counted")
        return told

    def _batch(self, ledger: Ledger) -> None:
        """Settle some of what was sent, hold some more; the provider bills what is told after the commit."""
        chance = self._chance
        self._wall_us += chance.choice((1000, HOUR_US // 10, 9 * HOUR_US))
        chance.shuffle(self._sent)
        ending, self._sent = self._sent[:2], self._sent[2:]
        grants: list[Grant] = []
        ledger.begin()
        for attempt, nano in ending:
            ledger.settle(self._settlement(attempt, nano))
        for _ in range(chance.randrange(1, 4)):
            attempt, self._next = self._next, self._next + 1
            wanted = chance.randrange(100, 900)
            order = Order(
                AttemptId(attempt), RequestId(attempt), "ci", "k", "openai", "m", "responses", "text", 1,
                Bound(50, 10_000, 1000, wanted, 50), LEGS[: chance.randrange(1, 4)],
            )  # fmt: skip
            answer = ledger.admit(order, lambda _leg: 0, False)
            if isinstance(answer, Grant):
                grants.append(answer)
        ledger.commit()
        # A cut in the checkpoint after the commit is not an error to SQLite; but nobody was there any more to send anything.
        self._vfs.disk.must_live()
        for grant in grants:
            if chance.random() < 0.15:
                self._sent.append((grant.attempt, 0))  # it could not be sent
            else:
                self._billed[grant.attempt] = nano = chance.randrange(1, grant.nano + 1)
                self._sent.append((grant.attempt, nano))
                self.result.billed += 1

    def _settlement(self, attempt: int, nano: int) -> Settlement:
        if nano == 0:
            return Settlement(AttemptId(attempt), Charge.VOID, Outcome(Ending.NEVER_SENT))
        if self._chance.random() < 0.2:
            return Settlement(AttemptId(attempt), Charge.SUSPECT, Outcome(Ending.CUT))
        return Settlement(AttemptId(attempt), Charge.ACTUAL, Outcome(Ending.COMPLETED, Usage(1, 1), 200), nano, min(nano, 50))


def power(cuts: int, seed: int = 1, synchronous: str = "FULL") -> PowerResult:
    """Cut the power `cuts` times. `synchronous` is FULL as in the product; NORMAL is there to show that this trial can fail."""
    ram = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="headgate-power-", dir=ram if ram.is_dir() else None))
    vfs = _PowerVfs(folder.name)
    aloud = sys.unraisablehook
    # What SQLite may ignore, such as a failed checkpoint, would be printed each time; the trial sees by itself that the power went.
    sys.unraisablehook = lambda error: None if error.exc_type is PowerCut else aloud(error)
    try:
        return _Trial(vfs, seed, folder / "disk", synchronous).run(cuts)
    finally:
        sys.unraisablehook = aloud
        vfs.unregister()
        shutil.rmtree(folder, ignore_errors=True)
