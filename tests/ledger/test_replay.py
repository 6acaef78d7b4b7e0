"""Leaves read back: the balances they tell, and every way in which they may not belong together."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from headgate.audit.leaf import NO_LEAF, Place, Plain, leaf_bytes, leaf_hash
from headgate.ledger.hold import State
from headgate.ledger.replay import Finding, Replay, Rule
from headgate.names import show_id

ONE, TWO = show_id(1), show_id(2)
Content = Mapping[str, Plain]


def budget(number: int = 1, cap: int = 100) -> tuple[str, Content]:
    return "budget", {"budget": number, "rule": "r", "scope": "s", "measure": "money", "starts": 0, "ends": 1000, "cap": cap}


def hold(name: str = ONE, *legs: tuple[int, int]) -> tuple[str, Content]:
    return "hold", {"hold": name, "nano": 10, "tokens": 5, "legs": legs or ((1, 10),)}


def ending(
    name: str = ONE, entries: tuple[tuple[int, str, int], ...] = ((1, "POST", 7),), legs: tuple[tuple[int, int], ...] = ((1, 10),)
) -> tuple[str, Content]:
    state = "POSTED" if entries else "VOIDED"
    return "ending", {"hold": name, "state": state, "nano": 7, "tokens": 3, "legs": legs, "entries": entries}


def doubt(name: str = ONE) -> tuple[str, Content]:
    return "doubt", {"hold": name, "ending": "cut"}


def refund(name: str = ONE) -> tuple[str, Content]:
    return "refund", {"hold": name, "reason": "less was billed", "entries": ((1, "REFUND", 3),)}


def chain(*contents: tuple[str, Content], at_us: int = 5) -> list[bytes]:
    leaves: list[bytes] = []
    previous = NO_LEAF
    for number, (kind, content) in enumerate(contents, 1):
        leaves.append(leaf_bytes(kind, Place(0, 1, number, previous), at_us, content))
        previous = leaf_hash(leaves[-1])
    return leaves


def read(leaves: list[bytes]) -> tuple[Replay, list[Finding]]:
    replay = Replay()
    return replay, [finding for leaf in leaves for finding in replay.feed(leaf)]


def told(*contents: tuple[str, Content], at_us: int = 5) -> tuple[int, int, int, int]:
    replay, findings = read(chain(*contents, at_us=at_us))
    assert findings == []
    b = replay.budgets[1]
    return b.posted, b.held, b.suspect, b.overrun


def findings(*contents: tuple[str, Content], at_us: int = 5) -> list[tuple[Rule, str]]:
    return [(finding.rule, finding.where) for finding in read(chain(*contents, at_us=at_us))[1]]


def test_an_open_hold_is_held() -> None:
    assert told(budget(), hold()) == (0, 10, 0, 0)


def test_a_hold_in_doubt_is_held_and_suspect() -> None:
    assert told(budget(), hold(), doubt()) == (0, 10, 10, 0)


def test_an_ending_gives_the_hold_back_and_posts_its_entries() -> None:
    assert told(budget(), hold(), ending()) == (7, 0, 0, 0)
    assert told(budget(), hold(), doubt(), ending()) == (7, 0, 0, 0)
    assert told(budget(), hold(), ending(entries=())) == (0, 0, 0, 0)


def test_an_overrun_is_told_beside_what_is_posted_and_an_adjustment_inside() -> None:
    assert told(budget(), hold(), ending(entries=((1, "POST", 7), (1, "OVERRUN", 30), (1, "ADJUST", -2)))) == (5, 0, 0, 30)


def test_a_refund_is_taken_from_what_is_posted() -> None:
    assert told(budget(), hold(), ending(), refund()) == (4, 0, 0, 0)


def test_a_cap_is_the_one_told_last() -> None:
    replay, wrong = read(chain(budget(), ("cap", {"budget": 1, "cap": 55})))
    assert (replay.budgets[1].cap, wrong) == (55, [])


def test_leaves_that_move_no_money_are_read_over() -> None:
    assert told(("start", {}), budget(), ("refusal", {"reason": "unpriced", "workspace": "ci"})) == (0, 0, 0, 0)


def test_what_is_open_keeps_its_state_and_its_legs() -> None:
    replay, _ = read(chain(budget(), budget(2), hold(ONE, (2, 4), (1, 10)), hold(TWO), doubt(TWO)))
    assert (replay.open[1].state, replay.open[1].legs, replay.open[2].state) == (State.HELD, ((2, 4), (1, 10)), State.SUSPECT)


def test_an_ending_may_name_its_legs_in_another_order() -> None:
    assert findings(budget(), budget(2), hold(ONE, (2, 4), (1, 10)), ending(legs=((1, 10), (2, 4)))) == []


@pytest.mark.parametrize(
    ("contents", "rule"),
    [
        ((budget(), hold(), hold()), Rule.REPLAY),
        ((budget(), hold(), ending(), hold()), Rule.REPLAY),
        ((budget(), hold("hold one")), Rule.REPLAY),
        ((budget(), hold(), ending(), ending()), Rule.ONE_ENDING),
        ((budget(), ending(TWO)), Rule.ONE_ENDING),
        ((budget(), ending("nobody")), Rule.ONE_ENDING),
        ((budget(), hold(), ending(legs=((1, 11),))), Rule.EVERY_LEG),
        ((budget(), doubt()), Rule.REPLAY),
        ((budget(), doubt("nobody")), Rule.REPLAY),
        ((budget(), hold(), doubt(), doubt()), Rule.REPLAY),
        ((budget(), hold(), refund()), Rule.REPLAY),
        ((budget(), refund("nobody")), Rule.REPLAY),
        ((budget(), hold(), ending(), refund(), refund()), Rule.REPLAY),
        ((budget(), budget()), Rule.REPLAY),
        ((hold(),), Rule.REPLAY),
        ((budget(), ("cap", {"budget": 9, "cap": 1})), Rule.REPLAY),
        ((budget(), hold(), ending(entries=((9, "POST", 7),))), Rule.REPLAY),
        ((budget(), hold(), ending(entries=((1, "GIFT", 7),))), Rule.REPLAY),
    ],
)
def test_a_story_that_cannot_be_is_found_at_its_last_leaf(contents: tuple[tuple[str, Content], ...], rule: Rule) -> None:
    assert findings(*contents) == [(rule, f"leaf {len(contents)}")]


def test_a_hold_on_a_budget_that_was_never_opened_is_found_once_and_read_to_its_end() -> None:
    assert [rule for rule, _ in findings(hold(), doubt(), ending())] == [Rule.REPLAY, Rule.REPLAY]


def test_a_hold_in_a_period_that_is_over_is_found() -> None:
    assert findings(budget(), hold(), at_us=1000) == [(Rule.PERIOD, "leaf 2")]
    assert findings(budget(), hold(), at_us=999) == []


def test_a_leaf_that_cannot_be_read_is_a_finding_and_not_the_end() -> None:
    replay, wrong = read([b'{"v":1,"kind":7}', b"\xff", *chain(budget())])
    assert [(finding.rule, finding.where) for finding in wrong] == [(Rule.REPLAY, "leaf 1"), (Rule.REPLAY, "leaf 2")]
    assert (replay.leaves, list(replay.budgets)) == (3, [1])
