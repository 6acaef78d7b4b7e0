"""The gate's own log: JSON lines without content, credentials or anything that a terminal would obey.

Rule 1  A request never waits for its line: lines are gathered, and a thread of their own hands them to whoever reads standard error.
Rule 2  What a reader that is stuck cannot take is dropped and counted. A log that nobody reads must not stop the gate.
Rule 3  A write holds whole lines and is no longer than a pipe takes at once, so that another process's lines cannot fall into ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue

import msgspec

FLUSH_SECONDS = 0.1
MOST_BUFFERED = 10_000  # lines
WHOLE_BYTES = 4096  # PIPE_BUF of Linux (pipe(7)): what is written at once and never mixed with others' writes
LAST_SECONDS = 1  # at the end, for a reader that is slow

_encode = msgspec.json.Encoder().encode


def write_error(data: bytes) -> None:
    """To standard error, past the buffer and its lock: a thread that is stuck in it must not keep the process from ending."""
    while data:
        data = data[os.write(2, data) :]


class Journal:
    """`write` takes the bytes of whole lines; it is called in the journal's own thread."""

    def __init__(self, wall_us: Callable[[], int], write: Callable[[bytes], object] = write_error) -> None:
        self._wall_us = wall_us
        self._write = write
        self._lines: list[bytes] = []
        self._dropped = 0
        self._due: asyncio.TimerHandle | None = None
        self._queue: SimpleQueue[Sequence[bytes] | None] = SimpleQueue()
        self._handed = 0  # lines, counted by the loop
        self._done = 0  # lines, counted by the thread
        self._thread: threading.Thread | None = None

    def say(self, event: str, **fields: str | int) -> None:
        """One line: what happened, when (microseconds UTC), and plain fields. JSON escapes whatever a terminal would obey."""
        if len(self._lines) + self._handed - self._done >= MOST_BUFFERED:
            self._dropped += 1
            return
        self._lines.append(_encode({"at": self._wall_us(), "event": event, **fields}) + b"\n")
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Hand what was gathered to the thread."""
        self._due = None
        if self._dropped:
            self._lines.append(_encode({"at": self._wall_us(), "event": "log_lines_dropped", "count": self._dropped}) + b"\n")
            self._dropped = 0
        lines, self._lines = self._lines, []
        if not lines:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="headgate-journal", daemon=True)
            self._thread.start()
        self._handed += len(lines)
        self._queue.put(lines)

    def close(self) -> None:
        """Hand over the rest and wait a moment for it to be written."""
        if self._due is not None:
            self._due.cancel()
        self.flush()
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(LAST_SECONDS)

    def _run(self) -> None:
        while (lines := self._queue.get()) is not None:
            for piece in _pieces(lines):
                with contextlib.suppress(OSError):  # whoever read has gone; there is nobody to tell
                    self._write(piece)
            self._done += len(lines)


def _pieces(lines: Sequence[bytes]) -> Iterator[bytes]:
    """Whole lines, joined up to what is written at once."""
    piece: list[bytes] = []
    size = 0
    for line in lines:
        if piece and size + len(line) > WHOLE_BYTES:
            yield b"".join(piece)
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    yield b"".join(piece)
