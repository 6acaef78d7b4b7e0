"""The command socket: one JSON object a line in, one a line out, for whoever may open a file of mode 0600 in the data folder.

What a command means is not known here; it is handed to `obey`. A command that cannot be read is told so, and the connection goes on.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

MOST_LINE_BYTES = 32 * 1024 * 1024  # a price sheet comes in one line

# The longest path that the kernel takes for a socket (sun_path, Linux and macOS).
MOST_PATH_BYTES = 103


def fits(file: Path) -> bool:
    """Whether the kernel takes this name for a socket."""
    return len(os.fsencode(file)) <= MOST_PATH_BYTES


class CommandSocket:
    """Serves one connection at a time each in its own task; `obey` takes a line and gives the answer's bytes."""

    def __init__(self, file: Path, obey: Callable[[bytes], Awaitable[bytes]]) -> None:
        self._file = file
        self._obey = obey
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen. What a killed process left behind is removed: the data lock says that no other gate is alive."""
        self._file.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._talk, self._file, limit=MOST_LINE_BYTES)
        finally:
            os.umask(mask)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._file.unlink(missing_ok=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(await self._obey(line) + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # the other side left, or sent a line without end
        finally:
            writer.close()
