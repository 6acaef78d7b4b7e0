from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from headgate.gateway.numbers import Numbers
from headgate.names import COUNTER_BITS, NODE_BITS

NOON_MS = 1_790_000_000_000
NODE = ((1 << NODE_BITS) - 1) << COUNTER_BITS


def ticking(times_ms: list[int]) -> Iterator[int]:
    yield from (1000 * (NOON_MS + time) for time in times_ms)


@given(st.lists(st.integers(-100_000, 100_000), min_size=1, max_size=50), st.integers(0, (1 << NODE_BITS) - 1))
def test_ids_only_grow_whatever_the_clock_does(times_ms: list[int], node: int) -> None:
    clock = ticking(times_ms)
    numbers = Numbers(lambda: next(clock), node)
    given_out = [numbers.next() for _ in times_ms]
    assert given_out == sorted(set(given_out))
    assert {(one & NODE) >> COUNTER_BITS for one in given_out} == {node}


def test_a_clock_that_stands_still_runs_out_of_no_ids() -> None:
    numbers = Numbers(lambda: 1000 * NOON_MS, 3)
    many = (1 << COUNTER_BITS) + 100
    given_out = [numbers.next() for _ in range(many)]
    assert len(set(given_out)) == many and given_out == sorted(given_out)
    assert {(one & NODE) >> COUNTER_BITS for one in given_out} == {3}


def test_a_restart_goes_on_above_the_greatest_id_of_the_ledger() -> None:
    before = [(numbers := Numbers(lambda: 1000 * NOON_MS)).next() for _ in range(1)]
    last = max(before[0], numbers.next())
    assert Numbers(lambda: 1000 * (NOON_MS - 60_000), after=last).next() > last
