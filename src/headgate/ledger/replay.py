"""Leaves read back in their order: the balances they tell, and whether the story they tell can be.

Rule 1  A hold is opened once, ends at most once, is refunded at most once, and its ending names the legs it was opened with.
Rule 2  Balances come from the leaves alone, so that the tables can be held against them.

Whether the leaves form a whole chain is for the room of the record to say (`audit/chain.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from enum import Enum

import msgspec

from headgate.ledger.hold import EntryKind, State
from headgate.names import read_id

Legs = tuple[tuple[int, int], ...]  # (budget, amount)
Entries = tuple[tuple[int, str, int], ...]  # (budget, kind, amount)


class Rule(Enum):
    """What a finding breaks. The value is the number of the invariant, or a word."""

    CAP = "I1"  # 0 <= suspect <= held, 0 <= posted, posted + held <= cap
    HELD = "I2"  # held is the sum of the open legs, suspect that of the legs in doubt
    POSTED = "I3"  # posted is POST - REFUND + ADJUST, overrun is OVERRUN
    ONE_ENDING = "I4"  # a hold is open or ended, never both, never neither
    EVERY_LEG = "I5"  # a hold counts against every budget it names, or against none
    REPLAY = "I6"  # the leaves alone tell the same holds, entries and balances
    PERIOD = "I7"  # nothing new is held in a period that is over
    CHAIN = "chain"
    STRAY = "stray"
    FILE = "file"


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong: the rule it breaks, where, and a sentence for the operator."""

    rule: Rule
    where: str
    sentence: str


class Leaf(msgspec.Struct, frozen=True, gc=False):
    """What is read of a leaf; every other field of it is evidence, not money."""

    kind: str
    at: int
    hold: str = ""
    budget: int = 0
    rule: str = ""
    scope: str = ""
    measure: str = ""
    starts: int = 0
    ends: int = 0
    cap: int = 0
    nano: int = 0
    tokens: int = 0
    state: str = ""
    legs: Legs = ()
    entries: Entries = ()


class Told(msgspec.Struct):
    """What the leaves tell of one budget in one period. `leaf` is the number of the leaf that opened it."""

    leaf: int
    rule: str
    scope: str
    measure: str
    starts_us: int
    ends_us: int
    cap: int
    posted: int = 0
    held: int = 0
    suspect: int = 0
    overrun: int = 0


class OpenHold(msgspec.Struct, gc=False):
    """A hold that the leaves opened and did not end."""

    state: State
    nano: int
    tokens: int
    legs: Legs


def digest_of(state: str, held: tuple[int, int], used: tuple[int, int], legs: Legs, entries: Entries) -> bytes:
    """One ended hold in sixteen bytes, so that ten million can be compared without keeping them; the order of the legs does not count."""
    told = msgspec.json.encode((state, held, used, sorted(legs), sorted(entries)))
    return hashlib.blake2b(told, digest_size=16).digest()


# What an entry does to (posted, overrun).
_EFFECT: Mapping[str, tuple[int, int]] = {
    EntryKind.POST.value: (1, 0),
    EntryKind.REFUND.value: (-1, 0),
    EntryKind.ADJUST.value: (1, 0),
    EntryKind.OVERRUN.value: (0, 1),
}

_decoder = msgspec.json.Decoder(Leaf)


class Replay:
    """Feed it every leaf in order; then `budgets`, `open` and `ended` are what the leaves tell."""

    def __init__(self) -> None:
        self.leaves = 0
        self.budgets: dict[int, Told] = {}
        self.open: dict[int, OpenHold] = {}
        self.ended: dict[int, bytes] = {}
        self.refunds: dict[int, Entries] = {}

    def feed(self, data: bytes) -> list[Finding]:
        """What is wrong with this leaf, given those before it."""
        self.leaves += 1
        where = f"leaf {self.leaves}"
        try:
            leaf = _decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return [Finding(Rule.REPLAY, where, f"It tells no decision that can be read: {error}")]
        return list(self._move(leaf, where))

    def _move(self, leaf: Leaf, where: str) -> Iterator[Finding]:
        if leaf.kind == "hold":
            yield from self._hold(leaf, where)
        elif leaf.kind == "ending":
            yield from self._ending(leaf, where)
        elif leaf.kind == "doubt":
            yield from self._doubt(leaf, where)
        elif leaf.kind == "refund":
            yield from self._refund(leaf, where)
        elif leaf.kind == "budget":
            if leaf.budget in self.budgets:
                yield Finding(Rule.REPLAY, where, f"Budget {leaf.budget} is opened a second time")
            else:
                self.budgets[leaf.budget] = Told(
                    self.leaves, leaf.rule, leaf.scope, leaf.measure, leaf.starts, leaf.ends, leaf.cap
                )  # fmt: skip
        elif leaf.kind == "cap":
            told = self.budgets.get(leaf.budget)
            if told is None:
                yield _unknown_budget(leaf.budget, where)
            else:
                told.cap = leaf.cap

    def _hold(self, leaf: Leaf, where: str) -> Iterator[Finding]:
        hold = read_id(leaf.hold)
        if hold is None or hold in self.open or hold in self.ended:
            yield Finding(Rule.REPLAY, where, f"Hold {leaf.hold} is no id, or is opened a second time")
            return
        self.open[hold] = OpenHold(State.HELD, leaf.nano, leaf.tokens, leaf.legs)
        for budget, amount in leaf.legs:
            told = self.budgets.get(budget)
            if told is None:
                yield _unknown_budget(budget, where)
                continue
            told.held += amount
            if leaf.at >= told.ends_us:
                yield Finding(Rule.PERIOD, where, f"Hold {leaf.hold} is opened in budget {budget}, whose period is over")

    def _ending(self, leaf: Leaf, where: str) -> Iterator[Finding]:
        hold = read_id(leaf.hold)
        opened = self.open.pop(hold, None) if hold is not None else None
        if hold is None or opened is None:
            yield Finding(Rule.ONE_ENDING, where, f"Hold {leaf.hold} ends without being open: never opened, or ended before")
            return
        if sorted(leaf.legs) != sorted(opened.legs):
            yield Finding(Rule.EVERY_LEG, where, f"Hold {leaf.hold} ends with other legs than it was opened with")
        # The legs it was opened with are those that its budgets count.
        self._release(opened)
        self.ended[hold] = digest_of(leaf.state, (opened.nano, opened.tokens), (leaf.nano, leaf.tokens), opened.legs, leaf.entries)
        yield from self._enter(leaf.entries, where)

    def _doubt(self, leaf: Leaf, where: str) -> Iterator[Finding]:
        hold = read_id(leaf.hold)
        opened = self.open.get(hold) if hold is not None else None
        if opened is None or opened.state is not State.HELD:
            yield Finding(Rule.REPLAY, where, f"Hold {leaf.hold} comes into doubt without being held")
            return
        opened.state = State.SUSPECT
        for budget, amount in opened.legs:
            if budget in self.budgets:
                self.budgets[budget].suspect += amount

    def _refund(self, leaf: Leaf, where: str) -> Iterator[Finding]:
        hold = read_id(leaf.hold)
        if hold is None or hold not in self.ended or hold in self.refunds:
            yield Finding(Rule.REPLAY, where, f"Hold {leaf.hold} is refunded without having ended, or a second time")
            return
        self.refunds[hold] = leaf.entries
        yield from self._enter(leaf.entries, where)

    def _release(self, opened: OpenHold) -> None:
        for budget, amount in opened.legs:
            told = self.budgets.get(budget)
            if told is not None:
                told.held -= amount
                told.suspect -= amount if opened.state is State.SUSPECT else 0

    def _enter(self, entries: Entries, where: str) -> Iterator[Finding]:
        for budget, kind, amount in entries:
            told, effect = self.budgets.get(budget), _EFFECT.get(kind)
            if told is None or effect is None:
                yield Finding(Rule.REPLAY, where, f"An entry of kind {kind} names budget {budget}; one of the two is not known")
                continue
            told.posted += amount * effect[0]
            told.overrun += amount * effect[1]


def _unknown_budget(budget: int, where: str) -> Finding:
    return Finding(Rule.REPLAY, where, f"Budget {budget} is named before it was opened")
