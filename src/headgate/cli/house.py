"""The house as a process: health, metrics, the read-only admin API, and the jobs that need no hot loop."""

from __future__ import annotations

import asyncio

import uvicorn

from headgate.cli.ending import Exit
from headgate.config.settings import Settings
from headgate.store.folder import LEDGER_FILE, SOCKET_FILE
from headgate.web.app import build_app
from headgate.web.gate_client import GateClient
from headgate.web.jobs import sweep_for_ever


def run_house(settings: Settings, lifeline: int | None = None) -> int:
    """Serve until told to stop. `lifeline` is a pipe that closes when the supervisor dies."""
    gate = GateClient(settings.gate.data / SOCKET_FILE)
    app = build_app(gate, settings.gate.data / LEDGER_FILE)
    listen = settings.house.listen
    server = uvicorn.Server(uvicorn.Config(app, listen.host, listen.port, log_level="warning", access_log=False, lifespan="off"))
    try:
        asyncio.run(_run(server, gate, lifeline))
    except SystemExit:  # uvicorn's way of saying that it cannot listen; it has said why
        return Exit.ADDRESS
    return Exit.DONE


async def _run(server: uvicorn.Server, gate: GateClient, lifeline: int | None) -> None:
    loop = asyncio.get_running_loop()
    if lifeline is not None:

        def gone() -> None:
            loop.remove_reader(lifeline)
            server.should_exit = True

        loop.add_reader(lifeline, gone)
    jobs = asyncio.create_task(sweep_for_ever(gate))
    try:
        await server.serve()
    finally:
        jobs.cancel()
