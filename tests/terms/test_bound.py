"""The most an attempt can cost is a straight line, and fitting it to a room never passes the room and wastes no token."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.terms.bound import Bound

bounds = st.builds(
    lambda tokens, fixed, each, wanted, least, choices: Bound(tokens, fixed, each, wanted, min(least, wanted), choices),
    st.integers(0, 10**6), st.integers(0, 10**12), st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 8),
)  # fmt: skip


def test_a_bound_is_rounded_up_once_and_for_all_choices_together() -> None:
    bound = Bound(100, 1, 1, 1000, 10, 3)
    assert (bound.nano(0), bound.nano(999), bound.nano(1000)) == (1, 1, 2)
    assert bound.tokens(10) == 130


@given(bounds, st.integers(-1000, 10**18))
def test_the_output_that_fits_a_room_fits_it_and_one_token_more_does_not(bound: Bound, room: int) -> None:
    output = bound.output_within_nano(room)
    if output == -1:
        assert bound.nano(0) > room
    else:
        assert bound.nano(output) <= room
        assert output == bound.wanted_output or bound.nano(output + 1) > room


@given(bounds, st.integers(-1000, 10**9))
def test_the_same_is_true_of_tokens(bound: Bound, room: int) -> None:
    output = bound.output_within_tokens(room)
    if output == -1:
        assert bound.tokens(0) > room
    else:
        assert bound.tokens(output) <= room
        assert output == bound.wanted_output or bound.tokens(output + 1) > room


def test_output_without_a_price_is_not_limited_by_money() -> None:
    assert Bound(1, 1000, 0, 77, 7).output_within_nano(1) == 77
