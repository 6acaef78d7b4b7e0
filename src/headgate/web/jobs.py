"""Jobs of the house: what must happen by itself, and is a command to the gate like any other."""

from __future__ import annotations

import asyncio
import contextlib

from headgate.control.command import Sweep
from headgate.web.gate_client import GateAway, GateClient

SWEEP_EVERY_S = 600


async def sweep_for_ever(gate: GateClient) -> None:
    """Post in full what has been in doubt for longer than the window; the gate decides, the house only asks."""
    while True:
        await asyncio.sleep(SWEEP_EVERY_S)
        with contextlib.suppress(GateAway):
            await gate.ask(Sweep(actor="house"))
