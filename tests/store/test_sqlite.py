"""The file itself: created, moved forward, refused with the right sentence; and what the database alone will not let anyone write."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from tests.store.book import Book, leg, order, posting, rule

from headgate.store.ledger import Ledger
from headgate.store.sqlite import APPLICATION_ID, MIGRATIONS, QUERIES, Database, StoreError, open_reader, open_writer

SECOND = [
    *MIGRATIONS,
    (MIGRATIONS[-1][0] + 1, "CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT; ALTER TABLE freeze ADD COLUMN actor TEXT;"),
]
DAY = rule(100)


def raw(file: Path) -> apsw.Connection:
    return apsw.Connection(str(file))


def names(file: Path) -> set[str]:
    return {str(row[0]) for row in raw(file).execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


# -- opening -------------------------------------------------------------------------------------------------------------


def test_a_fresh_file_is_ours_at_the_newest_schema_with_full_sync(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    database = open_writer(file)
    assert database.schema_version() == MIGRATIONS[-1][0]
    assert database.integrity() == "ok"
    connection = raw(file)
    assert connection.pragma("application_id") == APPLICATION_ID
    assert connection.pragma("journal_mode") == "wal"


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.hold(order(1, [leg(DAY)]))
    before = book.database.run("leaves")
    assert open_writer(book.file).run("leaves") == before


def test_a_newer_release_moves_the_schema_forward_and_keeps_what_is_there(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.hold(order(1, [leg(DAY)]))
    book.database.close()
    for _ in range(2):
        database = open_writer(book.file, migrations=SECOND)
        assert database.schema_version() == SECOND[-1][0]
        assert len(database.run("leaves")) == 3
        database.close()
    assert "later" in names(book.file)


def test_a_migration_that_breaks_in_the_middle_leaves_the_old_schema(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    open_writer(file).close()
    broken = [*MIGRATIONS, (99, "CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT; INSERT INTO nowhere VALUES (1);")]
    with pytest.raises(apsw.SQLError):
        open_writer(file, migrations=broken)
    assert "later" not in names(file)
    database = open_writer(file)
    assert database.schema_version() == MIGRATIONS[-1][0]


def test_a_schema_of_a_newer_release_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    open_writer(file, migrations=SECOND).close()
    before = file.read_bytes()
    for opening in (open_writer, open_reader):
        with pytest.raises(
            StoreError, match=r"written by a newer Headgate \(schema 2, this one knows 1\); run the newer version, or restore"
        ):
            opening(file)
    assert file.read_bytes() == before


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    for number, script in enumerate(("CREATE TABLE theirs (id INTEGER)", "PRAGMA application_id = 7; CREATE TABLE theirs (id INTEGER)")):
        file = tmp_path / f"{number}.db"
        raw(file).execute(script)
        with pytest.raises(StoreError, match=r"a SQLite file, but not a Headgate ledger; point `gate\.data`"):
            open_writer(file)
        assert names(file) == {"theirs"}


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    file.write_bytes(b"not a database, and long enough to have a header" * 100)
    for opening in (open_writer, open_reader):
        with pytest.raises(StoreError, match="damaged, or not a Headgate ledger"):
            opening(file)
    assert file.read_bytes().startswith(b"not a database")


def test_a_damaged_schema_is_refused_with_what_to_do(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.database.checkpoint()
    book.database.close()
    content = bytearray(book.file.read_bytes())
    content[100:4096] = os.urandom(3996)  # the first page after the header: the schema
    book.file.write_bytes(content)
    with pytest.raises(StoreError, match="restore the last backup"):
        open_writer(book.file)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot be written .*check that `gate\.data` exists, is writable"):
        open_writer(tmp_path / "nowhere" / "ledger.db")


def test_a_reader_of_a_ledger_that_is_not_there_creates_none(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no ledger here yet"):
        open_reader(tmp_path / "ledger.db")
    assert list(tmp_path.iterdir()) == []


def as_nobody(attempt: Callable[[], object]) -> str:
    """What a user without rights is told; the rights of files do not bind root, so a child gives them up."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            attempt()
            os.write(writing, b"opened")
        except BaseException as error:  # noqa: BLE001  everything goes to the parent, nothing may run on in the child
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as told:
        return told.read()


def open_to_all(folder: Path) -> None:
    """Let a user without rights reach the folder, not write into it."""
    for each in (folder, *folder.parents):
        if each.stat().st_uid == os.geteuid() and each != Path("/"):
            each.chmod(each.stat().st_mode | 0o055)


def test_a_read_only_folder_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    open_to_all(folder)
    folder.chmod(0o555)
    assert as_nobody(lambda: open_writer(folder / "ledger.db")).startswith(f"StoreError: {folder / 'ledger.db'}: cannot be written")


def test_a_ledger_that_may_only_be_read_is_not_opened_to_write(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    book = Book(folder)
    book.database.close()
    open_to_all(folder)
    book.file.chmod(0o444)
    folder.chmod(0o777)
    assert as_nobody(lambda: open_writer(book.file)).startswith(f"StoreError: {book.file}: cannot be written")


def test_a_second_writer_in_another_process_is_told_to_wait(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    other = open_writer(file, migrations=MIGRATIONS)
    other.begin()
    with pytest.raises(StoreError, match="another process writes to it"):
        open_writer(file, migrations=SECOND)


def test_a_reader_can_write_nothing(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.hold(order(1, [leg(DAY)]))
    reader = open_reader(book.file)
    assert len(reader.run("leaves")) == 3
    with pytest.raises((apsw.ReadOnlyError, StoreError)):
        reader.run("thaw", ("workspace:ci",))


def test_a_reader_sees_one_instant_while_others_write(tmp_path: Path) -> None:
    book = Book(tmp_path)
    reader = open_reader(book.file)
    reader.begin_reading()
    before = list(reader.stream("leaves"))
    book.hold(order(1, [leg(DAY)]))
    assert list(reader.stream("leaves")) == before
    reader.rollback()
    assert len(list(reader.stream("leaves"))) == len(before) + 2


# -- the wall ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def spent(tmp_path: Path) -> Database:
    book = Book(tmp_path)
    book.hold(order(1, [leg(DAY)], cost=60))
    book.hold(order(2, [leg(DAY)], cost=30))
    book.settle(posting(1, 20))
    book.database.close()
    return open_writer(book.file)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE budget SET held = 81",
        "UPDATE budget SET posted = 71",
        "UPDATE budget SET cap = 49",
        "UPDATE budget SET held = -1",
        "UPDATE budget SET posted = -1",
        "UPDATE budget SET suspect = held + 1",
        "UPDATE budget SET overrun = -1",
        "UPDATE budget SET cap = 9000000000000000000",
        "UPDATE budget SET target = -1",
        "UPDATE budget SET held = 30.5",
        "UPDATE budget SET held = '30 dollars'",
        "UPDATE budget SET held = 9223372036854775807 + 1",
        ("INSERT INTO hold SELECT id + 9, request, workspace, key, path, model, route, shape, tariff, wanted, output, 0.5, tokens, epoch, "
        "opened_us, facts FROM hold WHERE id = 1"),
        ("INSERT INTO hold SELECT id + 9, request, workspace, key, path, model, route, shape, tariff, wanted, output, 1000000000000001, "
        "tokens, epoch, opened_us, facts FROM hold WHERE id = 1"),
        "INSERT INTO leg VALUES (1, 2, 0.5)",
        "INSERT INTO leg VALUES (1, 1, 5)",
        "INSERT INTO ending (hold, state, ending, how, nano, tokens, ended_us) VALUES (1, 'VOIDED', 'cut', 'table', 0, 0, 5)",
        "INSERT INTO ending (hold, state, ending, how, nano, tokens, ended_us) VALUES (2, 'FORGOTTEN', 'cut', 'table', 0, 0, 5)",
        "INSERT INTO entry VALUES (1, 1, 'POST', 0, 5, 5)",
        "INSERT INTO entry VALUES (1, 1, 'POST', 1, 5, 5)",
        "INSERT INTO entry VALUES (1, 1, 'GIFT', 0, 5, 5)",
        "INSERT INTO entry VALUES (2, 1, 'POST', 0, 0.5, 5)",
        "INSERT INTO open_hold (hold, state, epoch, since_us) VALUES (9, 'FREE', 1, 1)",
        *(f"UPDATE {table} SET {column} = {column}" for table, column in
          (("hold", "nano"), ("leg", "amount"), ("ending", "nano"), ("entry", "amount"), ("leaf", "bytes"))),
        *(f"DELETE FROM {table}" for table in ("hold", "leg", "ending", "entry", "leaf")),
    ],
)  # fmt: skip
def test_the_database_itself_refuses(spent: Database, statement: str) -> None:
    with pytest.raises(apsw.ConstraintError):
        spent._cursor.execute(statement)


def test_the_wall_stands_at_the_last_nano_dollar_and_not_before(spent: Database) -> None:
    spent._cursor.execute("UPDATE budget SET held = 80")


# -- the queries ---------------------------------------------------------------------------------------------------------

HOT = (
    "budget", "budget_at", "set_budget", "last_leaf", "hold_state", "hold_legs", "close_hold", "doubt_hold", "hold", "ending_of",
    "entries_of", "last_epoch", "object", "key", "private_of",
)  # fmt: skip


@pytest.mark.parametrize("name", HOT)
def test_a_hot_query_finds_its_rows_by_an_index(tmp_path: Path, name: str) -> None:
    database = open_writer(tmp_path / "ledger.db")
    text = QUERIES[name]
    bindings = {"node": 0} if ":node" in text else (1,) * text.count("?")
    plan = [str(row[3]) for row in database._cursor.execute(f"EXPLAIN QUERY PLAN {text}", bindings).fetchall()]
    assert plan and all("SEARCH" in step or (name == "last_leaf" and step == "SCAN leaf") for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan


def test_the_last_leaf_is_read_without_reading_the_others(tmp_path: Path) -> None:
    database = open_writer(tmp_path / "ledger.db")
    program = [str(row[1]) for row in database._cursor.execute(f"EXPLAIN {QUERIES['last_leaf']}").fetchall()]
    assert "Last" in program and "SorterOpen" not in program


def test_the_checks_of_strays_walk_each_table_once(tmp_path: Path) -> None:
    database = open_writer(tmp_path / "ledger.db")
    for name in ("strays", "holds_in_order", "legs_in_order", "entries_in_order", "holds_without_one_ending"):
        plan = [str(row[3]) for row in database._cursor.execute(f"EXPLAIN QUERY PLAN {QUERIES[name]}").fetchall()]
        assert not any("TEMP B-TREE" in step or "AUTOMATIC" in step for step in plan), (name, plan)


def test_every_query_can_be_prepared(tmp_path: Path) -> None:
    database = open_writer(tmp_path / "ledger.db")
    for name, text in QUERIES.items():
        bindings = dict.fromkeys(("name", "value", "node", "epoch", "started_us", "now"), 0) if ":" in text else (1,) * text.count("?")
        assert database._cursor.execute(f"EXPLAIN {text}", bindings).fetchall(), name


def test_a_change_of_the_schema_is_a_new_migration_and_never_an_edit(tmp_path: Path) -> None:
    assert [number for number, _ in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_a_ledger_opens_on_a_file_that_a_trial_brought(tmp_path: Path) -> None:
    book = Book(tmp_path)
    assert Ledger(open_reader(book.file), book.time.clock()).node == 0
