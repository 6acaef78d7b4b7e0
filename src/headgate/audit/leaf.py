"""One decision as exact bytes: canonical JSON of strings and integers, kept as written and never re-serialised to be verified.

Every leaf carries the node, its epoch, its place in the node's own sequence and the hash of the leaf before it, so that the loss of a
leaf shows even before a tree is built over them. No personal data enters a leaf except as a salted commitment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

# What a leaf may hold: nothing that two encoders could write differently.
Plain = str | int | Sequence["Plain"] | Mapping[str, "Plain"]

VERSION = 1
NO_LEAF = "0" * 64

_encoder = msgspec.json.Encoder(order="sorted")


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a leaf stands: node, epoch and sequence number within the node, and the hash of the leaf before it (hex)."""

    node: int
    epoch: int
    sequence: int
    previous: str


def leaf_bytes(kind: str, place: Place, at_us: int, content: Mapping[str, Plain]) -> bytes:
    """The bytes of one leaf. `content` has strings, integers, lists and objects of them only."""
    return _encoder.encode(
        {
            "v": VERSION,
            "kind": kind,
            "node": place.node,
            "epoch": place.epoch,
            "seq": place.sequence,
            "prev": place.previous,
            "at": at_us,
            **content,
        }
    )


def leaf_hash(leaf: bytes) -> str:
    """RFC 9162, 2.1.1: the hash of a leaf is SHA-256 over a zero byte and the leaf (hex)."""
    return hashlib.sha256(b"\x00" + leaf).hexdigest()


def commitment(field: str, salt: bytes, value: str) -> str:
    """What stands in a leaf for a personal value: erased for ever when its salt is."""
    return hashlib.sha256(b"v1" + field.encode() + b"\x00" + salt + value.encode()).hexdigest()
