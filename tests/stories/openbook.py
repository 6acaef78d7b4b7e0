"""The ledger on the disk as an operator could read it, beside the gate and never through its objects."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate.ledger.balance import Balance
from headgate.names import show_id
from headgate.store import rows
from headgate.store.folder import LEDGER_FILE
from headgate.store.sqlite import Database, open_reader
from headgate.store.verify import verify


@dataclass
class Entry:
    """What the book says of one hold."""

    state: str  # HELD, SUSPECT, POSTED or VOIDED
    ending: str
    how: str
    posted_nano: int
    held_nano: int
    output: int  # tokens a choice that were granted
    wanted: int
    legs: list[tuple[int, int]]  # budget, amount
    entries: list[tuple[int, str, int]]  # budget, kind, amount


class Book:
    """The ledger on the disk, read beside the gate."""

    def __init__(self, data: Path) -> None:
        self._data = data

    @contextlib.contextmanager
    def _open(self) -> Iterator[Database]:
        database = open_reader(self._data / LEDGER_FILE)
        try:
            database.begin_reading()  # what is read is of one instant, whatever settles meanwhile
            yield database
            database.rollback()
        finally:
            database.close()

    def run(self, query: str, values: tuple[int | str, ...] = ()) -> list[tuple[Any, ...]]:
        """A named query of the store."""
        with self._open() as database:
            return list(database.run(query, values))

    def entry(self, request: str) -> Entry | None:
        """The hold of a request, by the id that the client was told; None when nothing was held for it."""
        with self._open() as database:
            found = [row[0] for row in database.stream("holds_in_order") if show_id(rows.whole(row[0])) == request]
            if not found:
                return None
            attempt = found[0]
            row = database.first("hold", (attempt,))
            assert row is not None
            hold = rows.hold(row)
            legs: Any = database.run("hold_legs", (attempt,))
            entries: Any = database.run("entries_of", (attempt,))
            ending: Any = database.first("ending_of", (attempt,))
            if ending is None:
                state: Any = database.first("hold_state", (attempt,))
                told: Any = next((row[2] for row in database.run("suspects") if row[0] == attempt), "")
                ending = (state[0], told, "", 0, 0)
            return Entry(ending[0], ending[1], ending[2], ending[3], hold.nano, hold.output, hold.wanted, legs, entries)

    def told(self, request: str) -> Entry:
        """The entry of a request for which something was held."""
        entry = self.entry(request)
        assert entry is not None, f"nothing was held for {request}"
        return entry

    def newest(self, key_id: str) -> str | None:
        """The id of the last request that something was held for with this key."""
        with self._open() as database:
            for row in reversed(database.run("holds_in_order")):
                found = database.first("hold", (row[0],))
                if found is not None and rows.hold(found).key == key_id:
                    return show_id(rows.whole(row[0]))
        return None

    def holds(self) -> int:
        with self._open() as database:
            return len(database.run("holds_in_order"))

    def budgets(self) -> list[Balance]:
        return [rows.balance(row) for row in self.run("budgets_all")]

    def budget(self, rule: str) -> Balance:
        """The newest period of a rule."""
        return [balance for balance in self.budgets() if balance.rule == rule][-1]

    def leaves(self, kind: str) -> list[Any]:
        return [leaf for _, data in self.run("leaves") if (leaf := json.loads(data))["kind"] == kind]

    def proves(self) -> None:
        """Everything that `headgate ledger verify` would find wrong."""
        with self._open() as database:
            database.rollback()
            report = verify(database)
        assert report.whole, report.findings
