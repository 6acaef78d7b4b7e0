"""What a provider remembers between requests: stored responses, and which prompt prefixes its cache knows."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from headgate.rehearsal.ask import Ask, Earlier
from headgate.rehearsal.shapes import Table, encode
from headgate.rehearsal.tokens import tokens_of, weigh

_KEPT_RESPONSES = 20_000
_KEPT_BYTES = 128 * 1024 * 1024  # of the requests behind the stored responses
_KEPT_PREFIXES = 50_000
_LEAST_CACHED = 1_024  # tokens; shorter prompts are never cached
_CACHE_STEP = 128  # tokens; a cached prefix is counted in whole steps


@dataclass(slots=True)
class Stored:
    """One response: how it reads while it runs and when it is done."""

    project: str
    running: Table
    done: Table
    items: list[Any]
    earlier: Earlier
    size: int  # bytes of the request
    finished: bool = False

    def shown(self) -> Table:
        return self.done if self.finished else self.running


class Memory:
    def __init__(self) -> None:
        self._responses: OrderedDict[str, Stored] = OrderedDict()
        self._bytes = 0
        self._prefixes: OrderedDict[bytes, None] = OrderedDict()

    def keep(self, stored: Stored) -> None:
        self._responses[stored.done["id"]] = stored
        self._bytes += stored.size
        while len(self._responses) > _KEPT_RESPONSES or (self._bytes > _KEPT_BYTES and len(self._responses) > 1):
            self._bytes -= self._responses.popitem(last=False)[1].size

    def find(self, response_id: str, project: str) -> Stored | None:
        """A response of this project; another project's is as unknown as none."""
        stored = self._responses.get(response_id)
        return stored if stored is not None and stored.project == project else None

    def forget(self, response_id: str) -> None:
        stored = self._responses.pop(response_id, None)
        self._bytes -= stored.size if stored is not None else 0

    def cached_tokens(self, ask: Ask, project: str, bytes_per_token: int) -> int:
        """Tokens of the longest prefix that was seen before, in whole steps; from now on this whole prompt is known."""
        total = tokens_of(ask.input_bytes(), bytes_per_token)
        if not ask.row.caches or total < _LEAST_CACHED:
            return 0
        digest = blake2b(encode([project, ask.row.model, ask.cache_key, bytes_per_token]), digest_size=16).digest()
        read, best = 0, 0
        for piece in ask.pieces:
            digest = blake2b(digest + encode(piece), digest_size=16).digest()
            read += weigh(piece)
            if digest in self._prefixes:
                self._prefixes.move_to_end(digest)
                best = read // bytes_per_token
            else:
                self._prefixes[digest] = None
        while len(self._prefixes) > _KEPT_PREFIXES:
            self._prefixes.popitem(last=False)
        return best - best % _CACHE_STEP if best >= _LEAST_CACHED else 0

    def written_tokens(self, ask: Ask, total: int, cached: int) -> int:
        """Tokens that this prompt writes into the cache, for the models that bill it."""
        if not ask.row.bills_writes or total < _LEAST_CACHED:
            return 0
        return max(0, total - total % _CACHE_STEP - cached)
