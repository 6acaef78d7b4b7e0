"""The house as a process: health, metrics, the read-only admin API, and the jobs that need no hot loop."""

from __future__ import annotations

import asyncio
import logging
import socket
import time

import msgspec
import uvicorn

from headgate.assembly import harden
from headgate.cli.address import cannot_listen, listening
from headgate.cli.ending import Exit, fail
from headgate.config.settings import Settings
from headgate.gateway.journal import write_error
from headgate.store.folder import LEDGER_FILE, SOCKET_FILE
from headgate.web.app import build_app
from headgate.web.gate_client import GateClient
from headgate.web.jobs import sweep_for_ever


class JsonLines(logging.Handler):
    """What the web server logs, as lines like the gate's own: what and where, never the values in a trace."""

    def emit(self, record: logging.LogRecord) -> None:
        line: dict[str, str | int] = {"at": time.time_ns() // 1000, "event": "house", "what": record.getMessage().strip()[:500]}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line["kind"] = type(error).__name__
        write_error(msgspec.json.encode(line) + b"\n")


def run_house(settings: Settings, lifeline: int | None = None) -> int:
    """Serve until told to stop. `lifeline` is a pipe that closes when the supervisor dies."""
    harden()
    listen = settings.house.listen
    try:
        listener = listening(listen)
    except OSError as error:
        fail(Exit.ADDRESS, cannot_listen("house.listen", listen, error))
    logger = logging.getLogger("uvicorn")
    logger.addHandler(JsonLines(logging.WARNING))
    logger.propagate = False
    gate = GateClient(settings.gate.data / SOCKET_FILE)
    app = build_app(gate, settings.gate.data / LEDGER_FILE)
    config = uvicorn.Config(app, log_config=None, log_level="warning", access_log=False, lifespan="off", server_header=False)
    asyncio.run(_run(uvicorn.Server(config), listener, gate, lifeline))
    return Exit.DONE


async def _run(server: uvicorn.Server, listener: socket.socket, gate: GateClient, lifeline: int | None) -> None:
    loop = asyncio.get_running_loop()
    if lifeline is not None:

        def gone() -> None:
            loop.remove_reader(lifeline)
            server.should_exit = True

        loop.add_reader(lifeline, gone)
    jobs = asyncio.create_task(sweep_for_ever(gate))
    line = {"at": time.time_ns() // 1000, "event": "house_listening", "port": listener.getsockname()[1]}
    write_error(msgspec.json.encode(line) + b"\n")
    try:
        await server.serve([listener])
    finally:
        jobs.cancel()
