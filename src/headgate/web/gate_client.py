"""The house's line to the gate: one command a connection over the gate's socket. Every write of the house goes this way."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from headgate.control.command import AnyCommand, encoder

MOST_LINE_BYTES = 64 * 1024 * 1024
SECONDS = 10


class GateAway(Exception):
    """The gate does not answer; the message says how that showed."""


class GateClient:
    def __init__(self, file: Path) -> None:
        self._file = file

    async def ask(self, command: AnyCommand) -> Any:  # Any: JSON that the caller converts to the answer it knows
        try:
            async with asyncio.timeout(SECONDS):
                reader, writer = await asyncio.open_unix_connection(self._file, limit=MOST_LINE_BYTES)
                try:
                    writer.write(encoder.encode(command) + b"\n")
                    answer = msgspec.json.decode(await reader.readline())
                finally:
                    writer.close()
        except (OSError, TimeoutError, msgspec.DecodeError) as error:
            raise GateAway(f"the gate does not answer on its socket ({type(error).__name__})") from error
        if "error" in answer:
            raise GateAway(answer["error"])
        return answer["ok"]
