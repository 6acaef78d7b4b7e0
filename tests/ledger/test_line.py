"""Who waits for room waits in fair order."""

from __future__ import annotations

from tests.store.book import leg, order, rule

from headgate.ledger.line import Line
from headgate.names import Instant
from headgate.terms.budget import Period
from headgate.terms.order import Order

DAY, MONTH = rule(100, Period.DAY), rule(1000)


def line(*orders: Order) -> Line[str]:
    waiting: Line[str] = Line()
    for number, each in enumerate(orders):
        waiting.join(each, Instant(1000 + number), f"answer {each.attempt}")
    return waiting


def turns(waiting: Line[str]) -> list[int]:
    return [each.attempt for each, _, _ in waiting.in_turn()]


def test_one_key_is_served_in_the_order_it_came() -> None:
    assert turns(line(order(3, []), order(1, []), order(2, []))) == [3, 1, 2]


def test_keys_take_turns_so_that_a_flood_of_one_does_not_delay_another() -> None:
    flood = [order(number, [], key="loud") for number in range(1, 6)]
    assert turns(line(*flood, order(6, [], key="quiet"), order(7, [], key="quiet"))) == [1, 6, 2, 7, 3, 4, 5]


def test_a_key_that_had_its_turn_comes_last_the_next_time() -> None:
    flood = [order(number, [], key="loud") for number in range(1, 4)]
    waiting = line(*flood, order(4, [], key="quiet"), order(5, [], key="quiet"))
    served: list[int] = []
    while len(waiting):
        first = next(each for each, _, _ in waiting.in_turn())
        waiting.leave(first)
        served.append(first.attempt)
    assert served == [1, 4, 2, 5, 3]


def test_who_leaves_is_not_asked_again_and_the_line_may_change_while_it_is_walked() -> None:
    waiting = line(order(1, []), order(2, [], key="b"), order(3, []))
    for each, _, _ in waiting.in_turn():
        if each.attempt != 3:
            waiting.leave(each)
    assert (turns(waiting), len(waiting)) == ([3], 1)


def test_each_order_keeps_its_own_patience_and_its_own_answer() -> None:
    waiting = line(order(1, []), order(2, []))
    assert [(until, answer) for _, until, answer in waiting.in_turn()] == [(1000, "answer 1"), (1001, "answer 2")]
    assert waiting.next_end() == 1000


def test_an_empty_line_has_no_end_and_nobody_in_it() -> None:
    waiting = line()
    assert (waiting.next_end(), len(waiting), turns(waiting), waiting.waits("k")) == (None, 0, [], False)


def test_the_others_are_counted_by_budget_and_an_order_is_not_its_own_other() -> None:
    first, second = order(1, [leg(DAY), leg(MONTH)]), order(2, [leg(DAY)], key="b")
    waiting = line(first, second)
    assert waiting.others(first, DAY.name, "workspace:ci") == 1
    assert waiting.others(order(3, [leg(DAY)]), DAY.name, "workspace:ci") == 2
    assert waiting.others(order(3, [leg(MONTH)], key="new"), MONTH.name, "workspace:ci") == 1
    assert waiting.others(order(3, [leg(DAY)]), DAY.name, "workspace:production") == 0


def test_a_key_waits_until_its_last_order_left() -> None:
    first, second = order(1, []), order(2, [])
    waiting = line(first, second)
    waiting.leave(first)
    assert waiting.waits("k")
    waiting.leave(second)
    assert not waiting.waits("k")


def test_scopes_that_nobody_waits_for_are_forgotten() -> None:
    waiting = line()
    for number in range(4100):
        each = order(number, [leg(DAY, f"user:{number}")])
        waiting.join(each, Instant(1), "")
        waiting.leave(each)
    assert len(waiting._scopes) < 4100  # otherwise it would grow with every user there ever was
