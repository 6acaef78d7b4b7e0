"""Which attempts are one request: a client that heard nothing, or half an answer, sends the same again.

Rule 1  Only the record joins them. Each attempt has its own hold, is sent and is charged, whatever became of the one before.
Rule 2  A resend is told by its key, the turn it says it belongs to, its length and the end of its conversation. It is not the same byte
        for byte: Codex 0.169 writes the fields of its `client_metadata` in another order each time. Nor is the whole body read again:
        it grows with the conversation, and within a turn every new request is longer than the last.
Rule 3  Only clients that name their turn are joined. Two programs may well send the same question twice and mean it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b

from headgate.names import MICROSECONDS, Instant, RequestId
from headgate.wire.codex import TURN_HEADER
from headgate.wire.request import CONVERSATION, ModelRequest

WITHIN_US = 60 * MICROSECONDS  # since the attempt before
TAIL_BYTES = 4096
MOST_REMEMBERED = 10_000

_Fingerprint = tuple[str, int, bytes]


class Resends:
    """The requests of the last minute, the newest last."""

    def __init__(self) -> None:
        self._seen: OrderedDict[_Fingerprint, tuple[RequestId, Instant]] = OrderedDict()

    def first(self, request: RequestId, key: str, headers: Mapping[bytes, bytes], asked: ModelRequest, now: Instant) -> RequestId:
        """The first attempt's id, which names the logical request; this attempt's own when it is the first."""
        turn = headers.get(TURN_HEADER)  # all of it: it also tells the thread and the kind of request
        if turn is None:
            return request
        said = asked.fields.get(CONVERSATION[asked.api])
        tail = b"" if said is None else memoryview(said)[-TAIL_BYTES:]
        found = (key, asked.body_bytes, blake2b(b"".join((turn, b"\0", tail)), digest_size=16).digest())
        known = self._seen.get(found)
        joined = known[0] if known is not None and now - known[1] <= WITHIN_US else request
        self._seen[found] = (joined, now)
        self._seen.move_to_end(found)
        self._forget(now)
        return joined

    def _forget(self, now: Instant) -> None:
        while self._seen:
            oldest = next(iter(self._seen))
            if len(self._seen) <= MOST_REMEMBERED and now - self._seen[oldest][1] <= WITHIN_US:
                return
            del self._seen[oldest]
