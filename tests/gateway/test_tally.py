from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.gateway.tally import BUCKETS_MS, Tally


def test_what_is_counted_twice_counts_two() -> None:
    tally = Tally()
    tally.add("refusals_total", "workspace", "ci", "reason", "invalid_key")
    tally.add("refusals_total", "workspace", "ci", "reason", "invalid_key", amount=4)
    assert tally.snapshot() == [(["refusals_total", "workspace", "ci", "reason", "invalid_key"], 5)]


@given(st.lists(st.integers(0, 10**7), max_size=50))
def test_every_duration_falls_into_one_bucket_and_the_sum_is_exact(durations: list[int]) -> None:
    tally = Tally()
    for milliseconds in durations:
        tally.took("t", "ci", milliseconds)
    counts = {tuple(labels): count for labels, count in tally.snapshot()}
    buckets = {labels[4]: count for labels, count in counts.items() if labels[0] == "t"}
    assert sum(buckets.values()) == len(durations)
    assert counts.get(("t_sum", "workspace", "ci"), 0) == sum(durations)
    lower = -1
    for bound in BUCKETS_MS:
        assert buckets.get(str(bound), 0) == sum(lower < one <= bound for one in durations)
        lower = bound
