from __future__ import annotations

from pathlib import Path

import pytest
from tests.store.book import Book, leg, order, rule

from headgate.gateway import objects as objects_file
from headgate.gateway.objects import Objects, Owned
from headgate.refusal import Reason, Refusal
from headgate.store.sqlite import open_reader
from headgate.terms.ending import Charge, Ending, Outcome
from headgate.terms.order import Settlement
from headgate.wire.usage import Usage

MONTH = rule(1_000)


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    """The book has `resp_1` of workspace ci, with a context of 30 tokens."""
    book = Book(tmp_path)
    held = book.hold(order(1, [leg(MONTH)], 100))
    outcome = Outcome(Ending.COMPLETED, Usage(10, 20), 200, "resp_1", "gpt-5.5", "default")
    book.settle(Settlement(held.attempt, Charge.ACTUAL, outcome, 50, 30, "resp_1", ("ci", "openai"), stored=True))
    return Objects(open_reader(book.file))


def reason(found: Owned | Refusal) -> Reason | None:
    return found.reason if isinstance(found, Refusal) else None


def test_an_object_is_its_workspaces_and_nobody_elses(objects: Objects) -> None:
    assert objects.owned("resp_1", "ci") == Owned("ci", "openai", 30)
    foreign, unknown = objects.owned("resp_1", "production"), objects.owned("resp_2", "ci")
    assert reason(foreign) is reason(unknown) is Reason.OBJECT_NOT_FOUND
    assert isinstance(foreign, Refusal) and isinstance(unknown, Refusal)
    assert foreign.message.replace("resp_1", "") == unknown.message.replace("resp_2", ""), "nobody learns which ids exist"


def test_what_just_passed_is_known_before_it_is_durable(objects: Objects) -> None:
    objects.remember("resp_9", Owned("ci", "openai", 7))
    assert objects.owned("resp_9", "ci") == Owned("ci", "openai", 7)
    assert reason(objects.owned("resp_9", "production")) is Reason.OBJECT_NOT_FOUND
    objects.forget("resp_9")
    objects.forget("resp_9")
    assert reason(objects.owned("resp_9", "ci")) is Reason.OBJECT_NOT_FOUND


def test_memory_keeps_the_last_and_asks_the_book_for_the_others(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects_file, "MOST_REMEMBERED", 3)
    for number in (1, 2, 3, 4):
        objects.remember(f"resp_{number}", Owned("ci", "openai", number))
    assert objects.owned("resp_1", "ci") == Owned("ci", "openai", 30), "forgotten, and read from the book"
    assert reason(objects.owned("resp_2", "ci")) is None
    objects.remember("resp_2", Owned("ci", "openai", 22))
    objects.remember("resp_5", Owned("ci", "openai", 5))
    assert objects.owned("resp_2", "ci") == Owned("ci", "openai", 22), "what was named again is not the oldest"
    assert reason(objects.owned("resp_3", "ci")) is Reason.OBJECT_NOT_FOUND


@pytest.mark.parametrize("object_id", ["", "x" * 100_000, "resp_\x00", "'; DROP TABLE object; --", "résumé"])
def test_an_id_is_only_ever_looked_up(objects: Objects, object_id: str) -> None:
    found = objects.owned(object_id, "ci")
    assert isinstance(found, Refusal) and len(found.message) < 300
