"""The ids of attempts: they grow with time and never repeat, also when the clock stands still or goes back."""

from __future__ import annotations

from collections.abc import Callable

from headgate.names import COUNTER_BITS, NODE_BITS, AttemptId, attempt_id


class Numbers:
    """`wall_us` gives microseconds UTC; `after` is the greatest id of the ledger, so that a restart goes on above it."""

    def __init__(self, wall_us: Callable[[], int], node: int = 0, after: int = 0) -> None:
        self._wall_us = wall_us
        self._node = node
        self._last = after

    def next(self) -> AttemptId:
        fresh = attempt_id(self._wall_us() // 1000, self._node, 0)
        if fresh <= self._last:
            fresh = AttemptId(self._last + 1)
            if fresh & ((1 << COUNTER_BITS) - 1) == 0:
                # The counter of this millisecond is used up: borrow from the next one, on the same node.
                fresh = AttemptId(
                    ((self._last >> (NODE_BITS + COUNTER_BITS)) + 1) << (NODE_BITS + COUNTER_BITS) | self._node << COUNTER_BITS
                )
        self._last = fresh
        return fresh
