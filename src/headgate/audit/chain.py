"""Leaves read back in their order: whether the chain that each node wrote is whole.

Rule 1  A node's leaves are numbered from 1 without a gap, and its epochs never fall.
Rule 2  Each leaf names the hash of the one before it, so a changed leaf shows at the next one.
Rule 3  After a break the chain is taken up where it goes on, so that one edit is told once and not at every leaf after it.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from headgate.audit.leaf import NO_LEAF, VERSION, leaf_hash


class _Link(msgspec.Struct, frozen=True, gc=False):
    """What is read of a leaf here; the rest is for those who know what it decides."""

    v: int
    node: int
    epoch: int
    seq: int
    prev: str


class _End(msgspec.Struct):
    """The last leaf that was read of a node."""

    sequence: int = 0
    epoch: int = 0
    hash: str = NO_LEAF


_decoder = msgspec.json.Decoder(_Link)


class Chain:
    """Feed it every leaf in order."""

    def __init__(self) -> None:
        self._ends: dict[int, _End] = {}

    def feed(self, data: bytes) -> Iterator[str]:
        """What is wrong with this leaf after those before it, as sentences."""
        try:
            link = _decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield f"The leaf cannot be read: {error}"
            return
        end = self._ends.setdefault(link.node, _End())
        if link.v != VERSION:
            yield f"The leaf is of version {link.v}, which this Headgate does not know"
        if link.seq != end.sequence + 1:
            yield f"Node {link.node} goes from leaf {end.sequence} to leaf {link.seq}; leaves were lost or added"
        if link.prev != end.hash:
            yield f"It names {link.prev[:12]}… as the leaf before it, but that is {end.hash[:12]}…"
        if link.epoch < end.epoch:
            yield f"Node {link.node} falls from epoch {end.epoch} back to epoch {link.epoch}"
        end.sequence, end.epoch, end.hash = link.seq, link.epoch, leaf_hash(data)
