"""Balances and holds against their own sums: each promise has a way to break, and each break has its finding."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from headgate.ledger.balance import Balance
from headgate.ledger.hold import State
from headgate.ledger.replay import OpenHold, Replay, Rule, Told, digest_of
from headgate.ledger.verify import HoldFacts, Sums, check_balance, check_hold
from headgate.names import Instant
from headgate.terms.budget import Measure

TOLD = Told(1, "r", "s", "money", 0, 10, 100, posted=30, held=20, suspect=5, overrun=2)
SUMS = Sums(held=20, suspect=5, posted=30, overrun=2)


def row(**changes: Any) -> Balance:
    b = Balance(1, "r", "s", Measure.MONEY, Instant(0), Instant(10), 100, None, 30, 20, 5, 2)
    for name, value in changes.items():
        setattr(b, name, value)
    return b


def broken(balance: Balance, sums: Sums = SUMS, told: Told | None = TOLD) -> set[Rule]:
    return {finding.rule for finding in check_balance(balance, sums, told)}


def test_a_balance_that_agrees_with_everything_has_no_finding() -> None:
    assert broken(row()) == set()
    assert broken(row(cap=50, target=40), told=msgspec.structs.replace(TOLD, cap=40)) == set()


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"cap": 49, "target": None}, {Rule.CAP, Rule.REPLAY}),
        ({"suspect": 21}, {Rule.CAP, Rule.HELD, Rule.REPLAY}),
        ({"suspect": -1}, {Rule.CAP, Rule.HELD, Rule.REPLAY}),
        ({"posted": -1}, {Rule.CAP, Rule.POSTED, Rule.REPLAY}),
        ({"overrun": -1}, {Rule.CAP, Rule.POSTED, Rule.REPLAY}),
        ({"posted": 29}, {Rule.POSTED, Rule.REPLAY}),
        ({"held": 19}, {Rule.HELD, Rule.REPLAY}),
        ({"suspect": 4}, {Rule.HELD, Rule.REPLAY}),
        ({"overrun": 3}, {Rule.POSTED, Rule.REPLAY}),
        ({"cap": 99}, {Rule.REPLAY}),
        ({"cap": 120, "target": 100}, {Rule.CAP}),
        ({"cap": 50, "target": 60}, {Rule.CAP, Rule.REPLAY}),
        ({"rule": "other"}, {Rule.REPLAY}),
        ({"measure": Measure.TOKENS}, {Rule.REPLAY}),
        ({"starts_us": Instant(1)}, {Rule.REPLAY}),
        ({"ends_us": Instant(11)}, {Rule.REPLAY}),
    ],
)
def test_a_changed_balance_is_found(changes: dict[str, Any], rules: set[Rule]) -> None:
    assert broken(row(**changes)) == rules


def test_a_budget_without_a_leaf_is_found() -> None:
    assert broken(row(), told=None) == {Rule.REPLAY}


OPEN = HoldFacts(7, "req_7", 10, 5, "HELD", None, 0, 0, ((1, 10), (2, 5)), ())
POSTED = HoldFacts(7, "req_7", 10, 5, None, "POSTED", 8, 4, ((1, 10), (2, 5)), ((1, "POST", 8), (1, "REFUND", 3), (2, "POST", 4)))


def leaves(hold: HoldFacts) -> Replay:
    """What the leaves tell when they tell the same."""
    replay = Replay()
    if hold.open is not None:
        replay.open[7] = OpenHold(State(hold.open), hold.nano, hold.tokens, hold.legs)
    else:
        posts = tuple(entry for entry in hold.entries if entry[1] != "REFUND")
        replay.ended[7] = digest_of(
            hold.ended or "", (hold.nano, hold.tokens), (hold.used_nano, hold.used_tokens), hold.legs[::-1], posts[::-1]
        )
        replay.refunds[7] = tuple(entry for entry in hold.entries if entry[1] == "REFUND")
    return replay


def wrong(was: HoldFacts, **changes: Any) -> set[Rule]:
    return {finding.rule for finding in check_hold(msgspec.structs.replace(was, **changes), leaves(was))}


def test_holds_that_agree_with_their_leaves_have_no_finding() -> None:
    assert wrong(OPEN) == wrong(POSTED) == set()
    assert wrong(msgspec.structs.replace(POSTED, ended="VOIDED", entries=(), used_nano=0, used_tokens=0)) == set()


@pytest.mark.parametrize(
    ("hold", "changes", "rules"),
    [
        (OPEN, {"ended": "VOIDED"}, {Rule.ONE_ENDING}),
        (OPEN, {"open": None}, {Rule.ONE_ENDING, Rule.REPLAY}),
        (OPEN, {"open": "SUSPECT"}, {Rule.REPLAY}),
        (OPEN, {"nano": 9}, {Rule.REPLAY}),
        (OPEN, {"tokens": 9}, {Rule.REPLAY}),
        (OPEN, {"legs": ((1, 10),)}, {Rule.REPLAY}),
        (OPEN, {"entries": ((1, "POST", 8), (2, "POST", 4))}, {Rule.EVERY_LEG}),
        (POSTED, {"ended": None}, {Rule.ONE_ENDING, Rule.EVERY_LEG, Rule.REPLAY}),
        (POSTED, {"ended": "VOIDED"}, {Rule.EVERY_LEG, Rule.REPLAY}),
        (POSTED, {"used_nano": 7}, {Rule.REPLAY}),
        (POSTED, {"used_tokens": 7}, {Rule.REPLAY}),
        (POSTED, {"nano": 11}, {Rule.REPLAY}),
        (POSTED, {"entries": ((1, "POST", 8), (1, "REFUND", 3))}, {Rule.EVERY_LEG, Rule.REPLAY}),
        (POSTED, {"entries": ((1, "POST", 8), (2, "POST", 4))}, {Rule.REPLAY}),
        (POSTED, {"entries": ((1, "POST", 9), (1, "REFUND", 3), (2, "POST", 4))}, {Rule.REPLAY}),
    ],
)
def test_a_changed_hold_is_found(hold: HoldFacts, changes: dict[str, Any], rules: set[Rule]) -> None:
    assert wrong(hold, **changes) == rules


def test_a_hold_without_a_leaf_is_found() -> None:
    assert {finding.rule for finding in check_hold(POSTED, Replay())} == {Rule.REPLAY}


def test_the_order_of_legs_and_entries_changes_no_digest_and_everything_else_does() -> None:
    whole = ("POSTED", (10, 5), (8, 4), ((1, 10), (2, 5)), ((1, "POST", 8), (2, "POST", 4)))
    digest = digest_of(*whole)
    assert digest_of(*whole[:3], whole[3][::-1], whole[4][::-1]) == digest
    others = [("VOIDED", *whole[1:]), (whole[0], (10, 6), *whole[2:]), (*whole[:2], (8, 5), *whole[3:]), (*whole[:3], ((1, 10),), whole[4])]
    assert digest not in {digest_of(*other) for other in others}
