"""What can stand between the load and the upstream: nothing, nginx, or the gate."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.headgate import start_headgate

HERE = Path(__file__).parent
NGINX_ABSENT = """\
*** nginx is not installed, so there is nothing to compare with: no ratio will be printed or kept.
*** Debian and Ubuntu: apt-get install nginx-light   Fedora: dnf install nginx   macOS is not supported (taskset, /proc)."""


@dataclass(frozen=True, slots=True)
class System:
    """Something under test that is running."""

    name: str
    port: int
    key: str
    pid: int | None  # of its first process; None for the upstream itself


Starter = Callable[[Path, int, int], System]


def _direct(_folder: Path, upstream_port: int, _core: int) -> System:
    return System("direct", upstream_port, "none", None)


def _nginx(folder: Path, upstream_port: int, core: int) -> System:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    text = (HERE / "neighbours" / "nginx.conf").read_text().replace("@LISTEN@", str(port)).replace("@UPSTREAM@", str(upstream_port))
    (folder / "nginx.conf").write_text(text)
    folder.chmod(0o755)  # its worker may run as another user
    command = ["taskset", "-c", str(core), "nginx", "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]
    with (folder / "nginx.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return System("nginx", port, "none", process.pid)
        time.sleep(0.02)
    process.kill()
    raise RuntimeError(f"nginx did not start:\n{(folder / 'nginx.log').read_text()}")


def _headgate(folder: Path, upstream_port: int, core: int) -> System:
    started = start_headgate(folder, upstream_port, core=core)
    return System("headgate", started.port, started.key, started.pid)


STARTERS: dict[str, Starter] = {"direct": _direct, "nginx": _nginx, "headgate": _headgate}


def available(names: list[str]) -> list[str]:
    """The systems that can be started here; says loudly what is missing."""
    if "nginx" in names and shutil.which("nginx") is None:
        print(NGINX_ABSENT)
        return [name for name in names if name != "nginx"]
    return names


@contextmanager
def running(name: str, folder: Path, upstream_port: int, core: int) -> Generator[System]:
    """A system in a folder of its own, ended with all its processes."""
    folder.mkdir(parents=True)
    system = STARTERS[name](folder, upstream_port, core)
    try:
        yield system
    finally:
        if system.pid is not None:
            end_group(system.pid)


def end_group(pid: int, seconds: float = 10) -> None:
    """Asks the process group to end, then makes it."""
    _signal_group(pid, signal.SIGTERM)
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                break
        except ChildProcessError:
            break
        time.sleep(0.02)
    _signal_group(pid, signal.SIGKILL)


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return  # it ended by itself; a run that needed it has said so
