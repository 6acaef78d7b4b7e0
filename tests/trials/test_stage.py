"""A stage's processes end with it, also when whoever stands on it is killed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from headgate.trials import configuration
from headgate.trials.stage import CannotStart, GateGone, Judge, Process, Stage, free_port

KILLED = """
import sys, time
from headgate.trials.stage import Stage
stage = Stage()
stage.rehearse()
sys.stdout.write(f"{stage.children[0].pid} {stage.folder}\\n")
sys.stdout.flush()
time.sleep(600)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(pid: int) -> bool:
    """Whether it ends by itself, however slow the machine is."""
    for _ in range(600):
        if not alive(pid):
            return True
        time.sleep(0.05)
    return False


def written(judge: Judge, port: int) -> str:
    return (
        configuration.head(port)
        + configuration.path("openai", judge.port)
        + configuration.workspace("trial", "development", {"caps.month": '"5"'})
    )


@pytest.mark.slow
def test_what_a_killed_trial_started_ends_by_itself() -> None:
    trial = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
    assert trial.stdout is not None
    pid, _, folder = trial.stdout.readline().strip().partition(" ")
    assert alive(int(pid))
    trial.kill()
    trial.wait()
    trial.stdout.close()
    assert ends(int(pid))
    for file in Path(folder).iterdir():  # a killed trial cannot clean up
        file.unlink()
    Path(folder).rmdir()


@pytest.mark.slow
def test_a_gate_is_killed_started_again_and_stopped_and_nothing_is_left() -> None:
    with Stage() as stage:
        judge = stage.rehearse(mean=True, event_ms=1)
        port = free_port()
        stage.write(written(judge, port))
        gate = stage.gate(port)
        key = gate.issue("trial", "one")
        assert key.startswith("hgk_") and gate.health().rehearsal
        gate.kill()
        with pytest.raises(GateGone):
            gate.health()
        gate.start()
        assert gate.kills == 1 and gate.stop() == 0
        pids = [child.pid for child in stage.children]
        folder = stage.folder
    assert not folder.exists() and not any(alive(pid) for pid in pids)


@pytest.mark.slow
def test_a_gate_that_cannot_start_says_why() -> None:
    with Stage() as stage:
        stage.write("[gate]\nlisten = 7\n")
        with pytest.raises(CannotStart, match="listen"):
            Process(stage, free_port()).start()


def test_a_port_is_free() -> None:
    assert 1024 < free_port() < 65536
