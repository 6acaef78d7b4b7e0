"""Who waits for room, in fair order: first come first served for one key, keys in turn."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from headgate.names import Instant
from headgate.terms.order import Order

T = TypeVar("T")


class Line(Generic[T]):
    """Orders that wait, each with the instant (microseconds) at which its patience ends and something to answer to."""

    def __init__(self) -> None:
        self._by_key: dict[str, dict[int, tuple[Order, Instant, T]]] = defaultdict(dict)
        self._scopes: Counter[tuple[str, str]] = Counter()

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._by_key.values())

    def join(self, order: Order, until: Instant, answer: T) -> None:
        self._by_key[order.key][order.attempt] = (order, until, answer)
        self._scopes.update((leg.rule.name, leg.scope) for leg in order.legs)

    def leave(self, order: Order) -> None:
        waiting = self._by_key.pop(order.key)
        del waiting[order.attempt]
        if waiting:
            # Its turn is over: the other keys come first, or a key with many orders would be served until it has no more.
            self._by_key[order.key] = waiting
        self._scopes.subtract((leg.rule.name, leg.scope) for leg in order.legs)
        self._scopes = +self._scopes if len(self._scopes) > 4096 else self._scopes

    def others(self, order: Order, rule: str, scope: str) -> int:
        """How many besides this order wait for the budget."""
        mine = order.attempt in self._by_key.get(order.key, {})
        return self._scopes[rule, scope] - mine

    def waits(self, key: str) -> bool:
        return key in self._by_key

    def next_end(self) -> Instant | None:
        return min((until for waiting in self._by_key.values() for _, until, _ in waiting.values()), default=None)

    def in_turn(self) -> Iterator[tuple[Order, Instant, T]]:
        """Everyone, fairly: the first of each key, then the second of each key, and so on. Safe to leave while iterating."""
        rounds = [list(waiting.values()) for waiting in self._by_key.values()]
        depth = max((len(waiting) for waiting in rounds), default=0)
        yield from _interleave(rounds, depth)


def _interleave(rounds: list[list[tuple[Order, Instant, T]]], depth: int) -> Iterable[tuple[Order, Instant, T]]:
    for position in range(depth):
        for waiting in rounds:
            if position < len(waiting):
                yield waiting[position]
