"""The gate's own log: JSON lines without content, credentials or anything that a terminal would obey.

Lines are gathered and written about ten times a second, so that a request never waits for a terminal or a pipe.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import msgspec

FLUSH_SECONDS = 0.1
MOST_BUFFERED = 10_000

_encode = msgspec.json.Encoder().encode


class Journal:
    """`write` takes the bytes of whole lines. What a stuck reader cannot take is dropped and counted, never waited for."""

    def __init__(self, wall_us: Callable[[], int], write: Callable[[bytes], object] | None = None) -> None:
        self._wall_us = wall_us
        self._write = write or sys.stderr.buffer.write
        self._lines: list[bytes] = []
        self._dropped = 0
        self._due: asyncio.TimerHandle | None = None

    def say(self, event: str, **fields: str | int) -> None:
        """One line: what happened, when (microseconds UTC), and plain fields. JSON escapes whatever a terminal would obey."""
        if len(self._lines) >= MOST_BUFFERED:
            self._dropped += 1
            return
        self._lines.append(_encode({"at": self._wall_us(), "event": event, **fields}))
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        self._due = None
        if self._dropped:
            self._lines.append(_encode({"at": self._wall_us(), "event": "log_lines_dropped", "count": self._dropped}))
            self._dropped = 0
        lines, self._lines = self._lines, []
        if lines:
            self._write(b"\n".join(lines) + b"\n")
            sys.stderr.flush()
