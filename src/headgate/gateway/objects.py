"""Whose an upstream id is. What just passed is known before its settlement is durable, so that the next request may name it.

An id that is unknown and one that belongs to another workspace get the same answer, and nothing is sent.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from headgate.refusal import Reason, Refusal
from headgate.store import rows
from headgate.store.sqlite import Database

MOST_REMEMBERED = 100_000


class Owned(msgspec.Struct, frozen=True, gc=False):
    """`context` is input + output tokens of the response that this ledger settled; 0 when it was not settled with a count."""

    workspace: str
    path: str
    context: int


class Objects:
    def __init__(self, reader: Database) -> None:
        self._reader = reader
        self._recent: OrderedDict[str, Owned] = OrderedDict()

    def remember(self, object_id: str, owned: Owned) -> None:
        self._recent[object_id] = owned
        self._recent.move_to_end(object_id)
        if len(self._recent) > MOST_REMEMBERED:
            self._recent.popitem(last=False)

    def forget(self, object_id: str) -> None:
        self._recent.pop(object_id, None)

    def owned(self, object_id: str, workspace: str) -> Owned | Refusal:
        known = self._recent.get(object_id) or self._read(object_id)
        if known is not None and known.workspace == workspace:
            return known
        return Refusal(
            Reason.OBJECT_NOT_FOUND,
            f"{object_id[:80]!r} is not known in this workspace. Only the workspace that created an object through this gate sees it.",
        )

    def _read(self, object_id: str) -> Owned | None:
        row = self._reader.first("object", (object_id,))
        return None if row is None else Owned(rows.text(row[1]), rows.text(row[2]), rows.whole(row[4]))
