"""Undoes a compression that a provider used although it was asked for none, within bounds that a bomb cannot pass."""

from __future__ import annotations

import zlib
from collections.abc import Callable

_FORMATS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}  # window bits as zlib counts them: 31 is gzip's frame, 15 zlib's
_PIECE_BYTES = 64 * 1024
_FREE_BYTES = 1024 * 1024  # so much may come out of anything
_MOST_PER_BYTE = 100  # beyond that, JSON and text do not shrink further; a bomb does
_MOST_BYTES = 256 * 1024 * 1024


class Damaged(Exception):
    """The compressed bytes are not what they say they are, or are made to do harm."""


class Inflater:
    """Feeds on what is compressed as it arrives and hands on what it means."""

    __slots__ = ("_feed", "_given", "_machine", "_taken")

    def __init__(self, window_bits: int, feed: Callable[[bytes], None]) -> None:
        self._machine = zlib.decompressobj(window_bits)
        self._feed = feed
        self._taken = self._given = 0

    def feed(self, data: bytes) -> None:
        """The next compressed bytes."""
        self._taken += len(data)
        machine = self._machine
        more = True
        while more:
            try:
                piece = machine.decompress(data, _PIECE_BYTES)
            except zlib.error as error:
                raise Damaged(f"the compressed answer is damaged: {error}") from error
            self._given += len(piece)
            if self._given > min(_FREE_BYTES + self._taken * _MOST_PER_BYTE, _MOST_BYTES):
                raise Damaged("the compressed answer grows beyond all bounds")
            if piece:
                self._feed(piece)
            if machine.unused_data:
                raise Damaged("the compressed answer goes on after its end")
            data = machine.unconsumed_tail
            more = bool(data) or len(piece) == _PIECE_BYTES

    def end(self) -> None:
        """No more compressed bytes will come."""
        if not self._machine.eof:
            raise Damaged("the compressed answer breaks off")


def inflater(encoding: bytes, feed: Callable[[bytes], None]) -> Inflater:
    """The way back from one Content-Encoding; several at once, or one that nobody asked for, are damage."""
    window_bits = _FORMATS.get(encoding.strip(b" \t").lower())
    if window_bits is None:
        raise Damaged("the answer came in an encoding that was not asked for")
    return Inflater(window_bits, feed)
