"""Listens, says where, serves until it is told to stop, and ends the process at once when something unexpected happens.

A rehearsal that swallowed an error could have billed wrongly and judge wrongly; so an exception anywhere is exit code 70.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any

from headgate.rehearsal.http import Connection
from headgate.rehearsal.routes import handler
from headgate.rehearsal.world import World

_BACKLOG = 4_096
_EX_SOFTWARE = 70


async def serve(world: World, host: str, port: int, announce: Callable[[str, int], None]) -> None:
    """Serves until SIGTERM or SIGINT; `announce` is told the address once it can be connected to."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_crash)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    connections: set[Connection] = set()
    handle = handler(world)
    server = await loop.create_server(
        lambda: Connection(handle, connections), host, port, backlog=_BACKLOG, family=socket.AF_UNSPEC, reuse_address=True
    )
    bound = server.sockets[0].getsockname()
    announce(bound[0], bound[1])
    await stop.wait()
    server.close()
    for connection in list(connections):
        connection.close()


def raise_open_files() -> None:
    """Thousands of open connections need as many file descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _crash(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    problem = context.get("exception")
    if isinstance(problem, OSError):
        return  # the other side of a connection went away
    sys.stderr.write(f"rehearsal: {context.get('message')}\n")
    if isinstance(problem, BaseException):
        traceback.print_exception(problem)
    sys.stderr.flush()
    os._exit(_EX_SOFTWARE)
