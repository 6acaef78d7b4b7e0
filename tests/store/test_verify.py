"""The whole book is held against its promises: a true book has no finding, and each edit behind the ledger's back has one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.store.book import NOON, Book, doubting, leg, order, posting, rule, voiding

from headgate.ledger.replay import Rule
from headgate.store.sqlite import Database, open_reader, open_writer
from headgate.store.verify import MOST_FINDINGS, Report, verify
from headgate.terms.budget import Measure, Period
from headgate.terms.caller import Dimension

DAY, MONTH = rule(1000, Period.DAY), rule(5000)
TOKENS = rule(10_000, measure=Measure.TOKENS, dimension=Dimension.USER, value="*")
LEGS = (leg(DAY), leg(MONTH), leg(TOKENS, "user:alice@ci"))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Holds 1 posted, 2 voided, 3 in doubt, 4 held, 5 overrun, 6 refunded."""
    book = Book(tmp_path)
    for number in range(1, 7):
        book.hold(order(number, LEGS, cost=100, tokens=10))
    book.settle(posting(1, 60, 50))
    book.settle(voiding(2))
    book.settle(doubting(3))
    book.settle(posting(5, 900, 90))
    book.settle(posting(6, 80, 70))
    book.refund(6, 50, 40)
    book.override(MONTH, "workspace:ci", 6000, NOON + 10**12)
    book.database.close()
    return open_writer(book.file)


def edit(database: Database, *statements: str) -> Report:
    """Change the file as someone would who has it open in another program and took the triggers away."""
    for table in ("hold", "leg", "ending", "entry", "leaf"):
        for what in ("stays", "kept"):
            database._cursor.execute(f"DROP TRIGGER IF EXISTS {table}_{what}")
    database._cursor.execute("PRAGMA ignore_check_constraints = ON")
    for statement in statements:
        database._cursor.execute(statement)
    database._cursor.execute("PRAGMA ignore_check_constraints = OFF")
    return verify(database)


def rules(report: Report) -> set[Rule]:
    return {finding.rule for finding in report.findings}


def test_a_true_book_has_no_finding_and_says_what_it_looked_at(database: Database) -> None:
    report = verify(database)
    assert report == Report(leaves=17, holds=6, open=2, suspect=1, budgets=3, found=0, findings=())
    assert report.whole


def test_it_reads_beside_a_live_writer_and_changes_nothing(database: Database, tmp_path: Path) -> None:
    reader = open_reader(tmp_path / "ledger.db")
    database.begin()
    database.run("add_freeze", ("workspace:ci", "not yet committed", 1))
    assert verify(reader).whole
    database.commit()
    assert verify(reader).whole


def test_an_empty_book_is_whole(tmp_path: Path) -> None:
    assert verify(open_writer(tmp_path / "ledger.db")) == Report(0, 0, 0, 0, 0, 0, ())


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE budget SET posted = posted - 1 WHERE id = 1", {Rule.POSTED, Rule.REPLAY}),
        ("UPDATE budget SET held = held - 1 WHERE id = 2", {Rule.HELD, Rule.REPLAY}),
        ("UPDATE budget SET suspect = 0 WHERE id = 1", {Rule.HELD, Rule.REPLAY}),
        ("UPDATE budget SET overrun = 0", {Rule.POSTED, Rule.REPLAY}),
        ("UPDATE budget SET cap = 600 WHERE id = 1", {Rule.CAP, Rule.REPLAY, Rule.FILE}),
        ("UPDATE budget SET cap = 6001 WHERE id = 2", {Rule.REPLAY}),
        ("UPDATE budget SET scope = 'workspace:mine' WHERE id = 1", {Rule.REPLAY}),
        ("DELETE FROM budget WHERE id = 1", {Rule.STRAY, Rule.REPLAY}),
        ("UPDATE leg SET amount = 1 WHERE hold = 4 AND budget = 1", {Rule.HELD, Rule.REPLAY}),
        ("UPDATE leg SET amount = 1 WHERE hold = 1 AND budget = 1", {Rule.REPLAY}),
        ("DELETE FROM leg WHERE hold = 1 AND budget = 1", {Rule.EVERY_LEG, Rule.REPLAY}),
        ("INSERT INTO leg VALUES (777, 1, 5)", {Rule.STRAY}),
        ("UPDATE entry SET amount = 59 WHERE hold = 1 AND budget = 1", {Rule.POSTED, Rule.REPLAY}),
        ("DELETE FROM entry WHERE hold = 1", {Rule.EVERY_LEG, Rule.POSTED, Rule.REPLAY}),
        ("DELETE FROM entry WHERE kind = 'REFUND'", {Rule.POSTED, Rule.REPLAY}),
        ("INSERT INTO entry VALUES (4, 1, 'POST', 0, 0, 5)", {Rule.EVERY_LEG, Rule.STRAY}),
        ("UPDATE hold SET nano = 99 WHERE id = 1", {Rule.REPLAY}),
        ("UPDATE hold SET tokens = 99 WHERE id = 4", {Rule.REPLAY}),
        ("DELETE FROM hold WHERE id = 1", {Rule.REPLAY, Rule.STRAY}),
        ("DELETE FROM hold WHERE id = 4", {Rule.REPLAY, Rule.STRAY}),
        ("UPDATE ending SET nano = 1 WHERE hold = 1", {Rule.REPLAY}),
        ("UPDATE ending SET state = 'VOIDED' WHERE hold = 1", {Rule.REPLAY, Rule.EVERY_LEG}),
        ("DELETE FROM ending WHERE hold = 2", {Rule.ONE_ENDING, Rule.REPLAY}),
        ("DELETE FROM open_hold WHERE hold = 4", {Rule.ONE_ENDING, Rule.HELD, Rule.REPLAY}),
        ("UPDATE open_hold SET state = 'SUSPECT' WHERE hold = 4", {Rule.HELD, Rule.REPLAY}),
        ("INSERT INTO open_hold (hold, state, epoch, since_us) VALUES (1, 'HELD', 1, 1)", {Rule.ONE_ENDING, Rule.HELD}),
        ("INSERT INTO open_hold (hold, state, epoch, since_us) VALUES (777, 'HELD', 1, 1)", {Rule.STRAY}),
        ("DELETE FROM leaf WHERE seq = 5", {Rule.CHAIN, Rule.ONE_ENDING, Rule.REPLAY}),
        ("DELETE FROM leaf WHERE seq = 17", {Rule.REPLAY}),
        ("UPDATE leaf SET bytes = cast(replace(bytes, 'gpt-5.5', 'gpt-5.4') AS BLOB) WHERE seq = 5", {Rule.CHAIN}),
        ("UPDATE leaf SET bytes = x'00' WHERE seq = 17", {Rule.CHAIN, Rule.REPLAY}),
        ("UPDATE private SET value = 'user:bob@ci'", {Rule.REPLAY}),
    ],
)  # fmt: skip
def test_an_edit_behind_the_ledgers_back_is_found(database: Database, statement: str, expected: set[Rule]) -> None:
    assert rules(edit(database, statement)) == expected


def test_the_scope_of_a_person_is_held_against_its_commitment_until_its_salt_is_erased(database: Database) -> None:
    changed = "UPDATE budget SET scope = 'user:bob@ci' WHERE id = 3"
    assert rules(edit(database, changed)) == {Rule.REPLAY}
    assert rules(edit(database, "DELETE FROM private")) == set()


def test_a_finding_says_where_and_what(database: Database) -> None:
    report = edit(database, "UPDATE budget SET posted = 59 WHERE id = 2")
    assert [(finding.rule.value, finding.where, finding.sentence) for finding in report.findings] == [
        ("I3", "budget 2 (workspace:ci/month/money, workspace:ci)", "posted is 59, but its rows add up to 1010"),
        ("I6", "budget 2 (workspace:ci/month/money, workspace:ci)", "posted is 59, but the leaves replay to 1010"),
    ]


def test_a_lost_leaf_is_named_by_its_neighbour(database: Database) -> None:
    report = edit(database, "DELETE FROM leaf WHERE seq = 1")
    assert any(finding.where == "leaf 2" and "leaves before it are gone" in finding.sentence for finding in report.findings)


def test_a_damaged_file_is_found(database: Database, tmp_path: Path) -> None:
    database.run("add_override", (DAY.name, "workspace:ci", 1, "a", "b", 1, 2))
    database._cursor.execute("CREATE INDEX by_reason ON cap_override (reason)")
    database._cursor.execute("PRAGMA writable_schema = ON")
    database._cursor.execute("UPDATE sqlite_schema SET sql = 'CREATE INDEX by_reason ON cap_override (actor)' WHERE name = 'by_reason'")
    database.close()
    report = verify(open_writer(tmp_path / "ledger.db"))
    assert rules(report) == {Rule.FILE}
    assert "restore the last backup" in report.findings[0].sentence


def test_of_very_many_findings_the_first_are_told_and_all_are_counted(database: Database) -> None:
    report = edit(
        database,
        "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 1199) "
        "INSERT INTO open_hold (hold, state, epoch, since_us) SELECT i, 'HELD', 1, 1 FROM n",
        "UPDATE ending SET nano = 3",
        "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 1199) "
        "INSERT INTO hold SELECT i, request, workspace, key, path, model, route, shape, tariff, wanted, output, nano, tokens, epoch, "
        "opened_us, facts FROM n, hold WHERE hold.id = 1",
    )
    assert (len(report.findings), report.found > 200, report.whole) == (MOST_FINDINGS, True, False)
