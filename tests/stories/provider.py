"""The provider of a story: a rehearsal in a process of its own, and the judge's side of it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

CREDENTIAL = "sk-rehearsal-of-the-stories"
PATIENCE_S = 30  # beyond every time limit of a story; what takes longer hangs


class Rehearsal:
    """The provider, and the judge's side of it."""

    def __init__(self, source: Path, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "headgate.rehearsal", "--listen", f"127.0.0.1:{port}", "--key", CREDENTIAL],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(source)},
        )
        assert self.process.stdout is not None
        said = json.loads(self.process.stdout.readline())
        self.base_url: str = said["base_url"]
        self.port = int(said["origin"].rpartition(":")[2])

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def ask(self, method: str, where: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        connection.request(method, f"/rehearsal/{where}", None if body is None else json.dumps(body))
        answer = connection.getresponse()
        read = answer.read()
        connection.close()
        assert answer.status == 200, f"{method} {where}: {read!r}"
        return json.loads(read)

    def set(self, **settings: object) -> None:
        self.ask("POST", "settings", settings)

    def fault(self, name: str, times: int = 1, at: int | None = None) -> None:
        self.ask("POST", "faults", {"name": name, "times": times, **({} if at is None else {"at": at})})

    def calls(self) -> list[Any]:
        """Every model call that arrived, oldest first."""
        return self.ask("GET", "calls?limit=100000")["calls"]

    def call(self, request: str) -> Any:
        """The call that the gate sent under this id; None when nothing arrived."""
        return next((call for call in reversed(self.calls()) if call["headgate_request"] == request), None)

    def last(self) -> Any:
        """The last request of any kind under /v1, as it arrived."""
        return self.ask("GET", "last")

    def requests(self) -> int:
        return int(self.ask("GET", "meter")["requests"])
