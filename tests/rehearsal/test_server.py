"""The process: how it starts, what it says, how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from headgate.rehearsal.__main__ import main

from .conftest import Rehearsal, Start


def test_the_first_line_says_where_it_is_and_whom_it_knows(rehearsal: Rehearsal) -> None:
    assert rehearsal.said["keys"] == {rehearsal.key: rehearsal.project, rehearsal.other_key: rehearsal.other_project}
    assert rehearsal.base_url.endswith("/v1")
    assert rehearsal.send("GET", "/v1/models")[0] == 200


def environment(root: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(root / "src")}


def test_without_keys_one_is_made(root: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "headgate.rehearsal"], stdout=subprocess.PIPE, text=True, env=environment(root)
    ) as process:
        assert process.stdout is not None
        assert '"sk-rehearsal-' in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0


SABOTAGED = """
import sys
from headgate.rehearsal import __main__, meter
def bill(*given):
    raise ArithmeticError("no price")
meter.Meter.bill = bill
sys.exit(__main__.main(["--key", "sk-rehearsal-one"]))
"""


def test_a_bill_that_cannot_be_made_ends_the_process(root: Path) -> None:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", SABOTAGED], **pipes, text=True, env=environment(root)) as process:
        assert process.stdout is not None
        rehearsal = Rehearsal(process, json.loads(process.stdout.readline()))
        with pytest.raises(ConnectionError):
            rehearsal.json("POST", "/v1/responses", {"model": "gpt-5.5", "input": "x"})
        assert process.wait(timeout=10) == 70
        assert process.stderr is not None
        assert "no price" in process.stderr.read()


def test_it_ends_at_once_even_with_a_client_that_waits(start: Start) -> None:
    rehearsal = start("--mean", "--set", "first_token_ms=600000")
    with rehearsal.connected(rehearsal.post_bytes("/v1/responses", {"model": "gpt-5.5", "input": "x"})):
        while not rehearsal.calls():
            pass
        rehearsal.process.send_signal(signal.SIGTERM)
        assert rehearsal.process.wait(timeout=10) == 0


def test_mean_is_a_flag(start: Start) -> None:
    settings = start("--mean", "--set", "event_ms=3").json("GET", "/rehearsal/settings")
    assert (settings["bytes_per_token"], settings["full_output"], settings["event_ms"]) == (1, True, 3)


@pytest.mark.parametrize(
    ("flags", "code"),
    [(["--set", "speed=1"], 64), (["--listen", "nowhere"], 64), (["--listen", "192.0.2.1:1"], 69), (["--set", "event_ms=fast"], 64)],
)
def test_a_start_that_cannot_be_says_why(flags: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(flags) == code
    assert capsys.readouterr().err.startswith("rehearsal: ")
