"""Ids grow with time, keep their node and counter, and read back as they were shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.names import COUNTER_BITS, EPOCH_MS, NODE_BITS, attempt_id, read_id, show_id


def test_the_first_id_of_all_is_zero_and_the_parts_lie_side_by_side() -> None:
    assert attempt_id(EPOCH_MS, 0, 0) == 0
    assert attempt_id(EPOCH_MS + 1, 2, 3) == 1 << (NODE_BITS + COUNTER_BITS) | 2 << COUNTER_BITS | 3


@given(
    st.tuples(st.integers(0, 2**41 - 1), st.integers(0, 1023), st.integers(0, 4095)),
    st.tuples(st.integers(0, 2**41 - 1), st.integers(0, 1023), st.integers(0, 4095)),
)
def test_a_later_attempt_has_a_greater_id_and_shows_as_one(one: tuple[int, int, int], two: tuple[int, int, int]) -> None:
    first, second = (attempt_id(EPOCH_MS + ms, node, counter) for ms, node, counter in (one, two))
    assert (first < second) == (one < two) == (show_id(first) < show_id(second))
    assert first < 1 << 63


@pytest.mark.parametrize(("node", "counter"), [(1024, 0), (-1, 0), (0, 4096), (0, -1)])
def test_a_node_or_counter_that_does_not_fit_is_a_bug(node: int, counter: int) -> None:
    with pytest.raises(AssertionError):
        attempt_id(EPOCH_MS, node, counter)


@given(st.integers(0, 2**63 - 1))
def test_a_shown_id_reads_back(number: int) -> None:
    assert read_id(show_id(number)) == number
    assert read_id(show_id(number, "job"), "job") == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "req_",
        "req_0",
        "0000000000001",
        "job_0000000000001",
        "req_000000000000l",
        "req_000000000000O",
        "req_00000000000001",
        "req_zzzzzzzzzzzzz",
    ],
)
def test_what_is_not_an_id_is_not_read_as_one(text: str) -> None:
    assert read_id(text) is None
