"""One SQLite file: how it is opened, checked and moved forward, and the named queries that run in it.

Full sync on every commit: in a power-cut simulator `NORMAL` loses holds that were already billed. One read-write connection in one process;
readers are query-only. The bundled library of `apsw` is used, because older system libraries carry the WAL-reset bug (fixed in 3.51.3).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Protocol, cast

import apsw

from headgate.store.fault import StoreError

Value = int | str | bytes | None
Row = tuple[Value, ...]

APPLICATION_ID = 0x48474154  # "HGAT": tells our file from any other SQLite file
FIXED_LIBRARY = 3051003


def _load_queries(text: str) -> dict[str, str]:
    queries: dict[str, str] = {}
    for block in text.split("-- name: ")[1:]:
        name, _, body = block.partition("\n")
        queries[name.strip()] = body.strip()
    return queries


QUERIES = _load_queries(files("headgate.store").joinpath("queries.sql").read_text("utf-8"))


def _migrations() -> list[tuple[int, str]]:
    found = [
        (int(entry.name[:4]), entry.read_text("utf-8"))
        for entry in files("headgate.store").joinpath("migrations").iterdir()
        if entry.name.endswith(".sql")
    ]
    return sorted(found)


MIGRATIONS = _migrations()


class _Cursor(Protocol):
    """What is used of apsw's cursor; its own stub leaves the buffer type unknown."""

    def __iter__(self) -> Iterator[Row]: ...
    def execute(self, statements: str, bindings: object = ...) -> _Cursor: ...
    def executemany(self, statements: str, sequenceofbindings: object) -> _Cursor: ...
    def fetchall(self) -> list[Row]: ...
    def fetchone(self) -> Row | None: ...


class Database:
    """A connection and the named queries. Not for use by two threads at once."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._cursor = _cursor(connection)

    def run(self, name: str, values: Sequence[Value] | dict[str, Value] = ()) -> list[Row]:
        return self._cursor.execute(QUERIES[name], values).fetchall()

    def first(self, name: str, values: Sequence[Value] | dict[str, Value] = ()) -> Row | None:
        # Read to the end: a statement that is left half way is prepared anew the next time.
        found = self._cursor.execute(QUERIES[name], values).fetchall()
        return found[0] if found else None

    def many(self, name: str, rows: Iterable[Sequence[Value]]) -> None:
        self._cursor.executemany(QUERIES[name], rows)

    def stream(self, name: str, values: Sequence[Value] | dict[str, Value] = ()) -> Iterator[Row]:
        """The rows one by one, for results that should not be held at once. Several may run beside each other."""
        return iter(_cursor(self._connection).execute(QUERIES[name], values))

    def begin_reading(self) -> None:
        """Everything read until `rollback` is of one instant, whatever is written meanwhile."""
        self._cursor.execute("BEGIN")

    def begin(self) -> None:
        self._cursor.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self._cursor.execute("COMMIT")

    def rollback(self) -> None:
        if self._connection.in_transaction:
            self._cursor.execute("ROLLBACK")

    def changes(self) -> int:
        return self._connection.changes()

    def close(self) -> None:
        self._connection.close()

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file, so that a copy of the file alone is whole."""
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def schema_version(self) -> int:
        return _whole(_pragma(self._connection, "user_version"))

    def integrity(self) -> str:
        return str(self._cursor.execute("PRAGMA integrity_check(1)").fetchall()[0][0])


class Reader(Database):
    """A connection that only reads. Whatever the file turns out to be is told as a StoreError, at each query."""

    def __init__(self, connection: apsw.Connection, file: Path) -> None:
        super().__init__(connection)
        self._file = file

    def run(self, name: str, values: Sequence[Value] | dict[str, Value] = ()) -> list[Row]:
        with explaining(self._file):
            return super().run(name, values)

    def first(self, name: str, values: Sequence[Value] | dict[str, Value] = ()) -> Row | None:
        with explaining(self._file):
            return super().first(name, values)

    def stream(self, name: str, values: Sequence[Value] | dict[str, Value] = ()) -> Iterator[Row]:
        with explaining(self._file):
            yield from super().stream(name, values)

    def integrity(self) -> str:
        with explaining(self._file):
            return super().integrity()


# What went wrong, and what to do next; the first that fits is told.
_TOLD: tuple[tuple[type[apsw.Error], str], ...] = (
    (apsw.NotADBError, "damaged, or not a Headgate ledger ({}); restore the last backup beside it and run `headgate ledger verify`"),
    (apsw.CorruptError, "damaged, or not a Headgate ledger ({}); restore the last backup beside it and run `headgate ledger verify`"),
    (apsw.CantOpenError, "cannot be written ({}); check that `gate.data` exists, is writable by this user and is not read-only"),
    (apsw.ReadOnlyError, "cannot be written ({}); check that `gate.data` exists, is writable by this user and is not read-only"),
    (apsw.FullError, "the disk is full; free some space, nothing was lost"),
    (apsw.BusyError, "another process writes to it; stop it first"),
    (apsw.IOError, "the disk fails ({}); check the system log before you start again"),
)


@contextmanager
def explaining(file: Path) -> Generator[None]:
    """Tell what SQLite finds wrong with the file as a StoreError that says what to do next. A mistake of ours stays what it is."""
    try:
        yield
    except apsw.Error as error:
        for kind, text in _TOLD:
            if isinstance(error, kind):
                raise StoreError(f"{file}: {text.format(error)}") from error
        raise


def _cursor(connection: apsw.Connection) -> _Cursor:
    return cast(_Cursor, connection.cursor())


def _pragma(connection: apsw.Connection, text: str) -> Value:
    row = _cursor(connection).execute(f"PRAGMA {text}").fetchone()
    return row[0] if row else None


def open_writer(file: Path, vfs: str | None = None, migrations: Sequence[tuple[int, str]] = MIGRATIONS) -> Database:
    """Open the book to write, creating it or moving it forward. Raises StoreError with what to do next."""
    if apsw.SQLITE_VERSION_NUMBER < FIXED_LIBRARY:
        raise StoreError(
            "apsw links a SQLite older than 3.51.3, which can corrupt a write-ahead log; install the apsw wheel of the lock file"
        )
    with explaining(file):
        connection = apsw.Connection(str(file), vfs=vfs)
        connection.set_busy_timeout(2000)
        _check_owner(connection, file, migrations)
        if connection.readonly("main"):
            # SQLite opens what it may not write without a word, and would only say so at the first hold.
            raise StoreError(f"{file}: cannot be written; check that it and its folder are writable by this user")
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "fullfsync=ON",
            "trusted_schema=OFF",
            "cache_size=-65536",
        ):
            _pragma(connection, pragma)
        if _pragma(connection, "journal_mode") != "wal" or _pragma(connection, "synchronous") != 2:
            raise StoreError(f"{file}: this folder cannot hold a write-ahead log with full sync; put `gate.data` on a local disk")
        _move_forward(connection, file, migrations)
    return Database(connection)


def open_reader(file: Path) -> Database:
    """Open the book to read only. Keep each read under a second: a long one keeps the write-ahead log from shrinking."""
    if not file.exists():
        raise StoreError(f"{file}: no ledger here yet; run `headgate serve` once, or check `gate.data`")
    with explaining(file):
        connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(2000)
        _check_owner(connection, file, MIGRATIONS)
        if _whole(_pragma(connection, "user_version")) < MIGRATIONS[-1][0]:
            raise StoreError(f"{file}: empty, or written by an older Headgate; run `headgate serve` once to bring it forward")
        _pragma(connection, "query_only=ON")
    return Reader(connection, file)


def _whole(value: Value) -> int:
    assert isinstance(value, int)
    return value


def _check_owner(connection: apsw.Connection, file: Path, migrations: Sequence[tuple[int, str]]) -> None:
    owner = _pragma(connection, "application_id")
    version = _whole(_pragma(connection, "user_version"))
    if owner not in (0, APPLICATION_ID) or (owner == 0 and _pragma(connection, "schema_version") != 0):
        raise StoreError(f"{file}: a SQLite file, but not a Headgate ledger; point `gate.data` at the right folder")
    if version > migrations[-1][0] and owner == APPLICATION_ID:
        raise StoreError(
            f"{file}: written by a newer Headgate (schema {version}, this one knows {migrations[-1][0]}); "
            "run the newer version, or restore the backup that was taken before the upgrade"
        )


def _move_forward(connection: apsw.Connection, file: Path, migrations: Sequence[tuple[int, str]]) -> None:
    """Each migration in one transaction with its version, so that a crash leaves either the old schema or the new one."""
    version = _whole(_pragma(connection, "user_version"))
    for number, script in migrations:
        if number > version:
            with connection:
                _cursor(connection).execute(script)
                _pragma(connection, f"application_id = {APPLICATION_ID}")
                _pragma(connection, f"user_version = {number}")
