"""Starts the gate that is measured: the only file here that knows its command line and its settings."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

START_SECONDS = 20
WORKSPACE = "bench"

# Caps that no run can reach, so that every hold is placed and settled and none is refused; room for 5,000 streams; no long drain at the end
# of a run. Everything else stays as it is by default: the figure is worth something only because the key, the policy, the durable hold,
# the settlement, the leaves and the metrics are on.
SETTINGS = """\
[gate]
listen = "127.0.0.1:{port}"
data = "{data}"
drain_seconds = 1

[house]
listen = "127.0.0.1:{house_port}"

[paths.bench]
base_url = "http://127.0.0.1:{upstream_port}/v1"
credential = "env:BENCH_CREDENTIAL"
rehearsal = true
most_connections = 10000

[workspaces.bench]
environment = "development"
paths = ["bench"]
models = ["gpt-4o-mini", "gpt-5.5"]
caps.month = 4000000000
day_brake = "off"
week_brake = "off"
"""


class Started(NamedTuple):
    port: int
    key: str
    pid: int


def start_headgate(folder: Path, upstream_port: int, *, core: int | None = None, python: tuple[str, ...] = (sys.executable,)) -> Started:
    """Starts a gate with an empty ledger in the folder, in front of the mock upstream; the caller ends the process group `pid`.

    Both its processes and every thread of them, the ledger's writer too, stay on `core`. `python` is what runs `-m headgate serve`, so
    that a profiler can stand there.
    """
    port = _free_port()
    config = folder / "headgate.toml"
    config.write_text(SETTINGS.format(port=port, house_port=_free_port(), data=folder / "data", upstream_port=upstream_port))
    environment = os.environ | {"BENCH_CREDENTIAL": "sk-the-credential-of-the-provider"}
    pin = ["taskset", "-c", str(core)] if core is not None else []
    with (folder / "serve.log").open("wb") as log:
        command = [*pin, *python, "-m", "headgate", "serve", "--config", str(config)]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        _wait_until_ready(process, port, folder / "serve.log")
        return Started(port, _issue_key(config, environment), process.pid)
    except BaseException:
        process.kill()
        raise


def _issue_key(config: Path, environment: dict[str, str]) -> str:
    command = [
        sys.executable,
        "-m",
        "headgate",
        "key",
        "issue",
        "--config",
        str(config),
        "--workspace",
        WORKSPACE,
        "--label",
        "bench",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"headgate key issue failed: {done.stderr or done.stdout}")
    return str(json.loads(done.stdout)["key"])


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise RuntimeError(f"headgate serve ended with {process.returncode}:\n{log.read_text()[-2000:]}")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass  # not listening yet
        finally:
            connection.close()
        time.sleep(0.05)
    raise RuntimeError(f"headgate serve was not ready within {START_SECONDS} seconds:\n{log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
