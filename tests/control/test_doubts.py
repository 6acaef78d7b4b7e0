from __future__ import annotations

import pytest
from tests.control.office import EACH_USER, MONTH, Office
from tests.store.book import HOUR_US, doubting, leg, order, posting, voiding

from headgate.control.command import Resolve, Sweep, Thaw
from headgate.control.doubts import Resolved
from headgate.names import AttemptId, show_id

HOLD = show_id(AttemptId(1))
TOKENS = leg(EACH_USER, "user:alice")


def resolve(charge: str, nano: int = 0, tokens: int = 0, hold: str = HOLD, reason: str = "usage page, 14:05") -> Resolve:
    return Resolve(actor="alice", hold=hold, charge=charge, reason=reason, nano=nano, tokens=tokens)


@pytest.fixture
def doubted(office: Office) -> Office:
    """One hold of 400 nano-dollars and as many tokens, in doubt."""
    office.book.hold(order(1, [leg(MONTH), TOKENS], 400))
    office.book.settle(doubting(1))
    return office


def money(office: Office) -> tuple[int | None, int | None, int | None]:
    found = office.book.budget(MONTH)
    return found["posted"], found["held"], found["suspect"]


@pytest.mark.parametrize(
    ("asked", "state", "posted"),
    [(resolve("actual", 150, 70), "POSTED", 150), (resolve("void"), "VOIDED", 0), (resolve("full"), "POSTED", 400)],
)
def test_a_doubt_becomes_what_was_proved(doubted: Office, asked: Resolve, state: str, posted: int) -> None:
    found = doubted.does(asked)
    assert isinstance(found, Resolved) and (found.state, found.nano) == (state, posted)
    assert money(doubted) == (posted, 0, 0)
    assert doubted.book.findings() == []
    (leaf,) = doubted.leaves("resolve")
    assert (leaf["hold"], leaf["actor"], leaf["reason"]) == (HOLD, "alice", "usage page, 14:05")


def test_tokens_are_resolved_with_the_money(doubted: Office) -> None:
    doubted.does(resolve("actual", 150, 70))
    assert doubted.book.budget(EACH_USER, "user:alice")["posted"] == 70


def test_more_than_was_held_is_a_breach_that_freezes(doubted: Office) -> None:
    doubted.does(resolve("actual", 900, 70))
    assert [row[0] for row in doubted.book.database.run("freezes")] == ["shape:openai/gpt-5.5/text"]
    assert money(doubted) == (900, 0, 0)
    assert doubted.does(Thaw(actor="alice", what="shape:openai/gpt-5.5/text", reason="a new price")) == "shape:openai/gpt-5.5/text"
    assert doubted.book.database.run("freezes") == [] and doubted.leaves("thaw")[0]["actor"] == "alice"


def test_what_was_posted_too_high_is_given_back_once(office: Office) -> None:
    office.book.hold(order(1, [leg(MONTH)], 400))
    office.book.settle(posting(1, 300))
    assert "was charged less than that" in office.refuses(resolve("actual", 301))
    assert office.does(resolve("actual", 100)) == Resolved(HOLD, "REFUNDED", 200, 0)
    assert money(office) == (100, 0, 0) and office.book.findings() == []
    assert "refunded before" in office.refuses(resolve("void"))


def test_the_whole_hold_is_not_given_back_to_who_asks_to_post_it(office: Office) -> None:
    office.book.hold(order(1, [leg(MONTH)], 400))
    office.book.settle(posting(1, 300))
    assert "not in doubt any more" in office.refuses(resolve("full"))
    assert money(office) == (300, 0, 0)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (resolve("void", hold="req_"), "there is no hold"),
        (resolve("void", hold=show_id(AttemptId(2))), "there is no hold"),
        (resolve("void", reason=" "), "say what proves it"),
        (resolve("actual", -1), "not negative"),
        (resolve("free"), "say --actual"),
    ],
)
def test_a_resolution_that_makes_no_sense_changes_nothing(doubted: Office, asked: Resolve, told: str) -> None:
    assert told in doubted.refuses(asked)
    assert money(doubted) == (0, 400, 400)


def test_an_open_hold_is_left_to_settle_and_a_void_one_has_nothing_to_give_back(office: Office) -> None:
    office.book.hold(order(1, [leg(MONTH)], 400))
    assert "still open" in office.refuses(resolve("void"))
    office.book.settle(voiding(1))
    assert "not posted" in office.refuses(resolve("void"))


def test_a_doubt_is_posted_in_full_when_its_window_is_over_and_not_before(doubted: Office) -> None:
    doubted.book.time.passes(24 * HOUR_US - 1)
    assert doubted.does(Sweep(actor="house")) == []
    doubted.book.time.passes(1)
    assert doubted.does(Sweep(actor="house")) == [Resolved(HOLD, "POSTED", 400, 400)]
    assert money(doubted) == (400, 0, 0)
    assert doubted.does(Sweep(actor="house")) == []
    assert doubted.does(resolve("actual", 100, 10)).nano == 300, "a later proof of less is a refund"


def test_only_what_is_frozen_can_be_thawed_and_only_for_a_reason(office: Office) -> None:
    assert "frozen now: nothing" in office.refuses(Thaw(actor="alice", what="workspace:ci", reason="x"))
    office.book.hold(order(1, [leg(MONTH)], 400))
    office.book.settle(posting(1, 500))
    assert "say why it is safe" in office.refuses(Thaw(actor="alice", what="shape:openai/gpt-5.5/text", reason=""))
