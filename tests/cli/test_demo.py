"""`headgate demo` as a stranger meets it: an address that works in the first line, and nothing left when it is gone, however it went."""

from __future__ import annotations

import http.client
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.slow

DEMO = [sys.executable, "-m", "headgate", "demo"]


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


class Running:
    """A demo in JSON mode, its processes and its folder."""

    def __init__(self, folder: Path) -> None:
        self.child = subprocess.Popen([*DEMO, "--json"], stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(folder)})
        self.first: dict[str, Any] = self.line()
        self.pids = [int(pid) for pid in Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text().split()]

    def line(self) -> dict[str, Any]:
        assert self.child.stdout is not None
        return json.loads(self.child.stdout.readline())

    def until(self, event: str) -> dict[str, Any]:
        while (line := self.line())["event"] != event:
            pass
        return line

    def ask(self, where: str, body: object | None = None, base: str = "base_url") -> tuple[int, dict[str, Any]]:
        url = urlsplit(self.first[base])
        connection = http.client.HTTPConnection(url.netloc, timeout=60)
        headers = {"authorization": f"Bearer {self.first['key']}", "content-type": "application/json"}
        connection.request("GET" if body is None else "POST", url.path + where, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        connection.close()
        return answer.status, told


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.child.kill()
    running.child.communicate()


def test_the_first_line_is_where_to_call_and_the_call_is_governed(running: Running, tmp_path: Path) -> None:
    assert set(running.first) == {"base_url", "key", "model", "console"}
    assert len(running.pids) == 3, "a rehearsal, a gate and a house"
    status, answer = running.ask("/responses", {"model": running.first["model"], "input": "Say hello."})
    assert status == 200 and answer["status"] == "completed"
    assert running.ask("/models")[0] == 200
    said = running.until("you")
    assert "charged" in said["message"]
    assert {purse["workspace"] for purse in running.until("money")["workspaces"]} == {"production", "development", "ci"}
    running.child.send_signal(signal.SIGTERM)
    end = running.until("end")
    assert end["posted_nano"] <= end["billed_nano"] <= end["posted_nano"] + end["doubted_nano"]
    assert end["findings"] == 0 and end["holds"] > 0
    running.child.wait()
    assert running.child.returncode == 0
    assert [pid for pid in running.pids if alive(pid)] == [] and list(tmp_path.glob("headgate-*")) == []


def test_a_gate_that_is_killed_comes_back_on_the_same_books(running: Running) -> None:
    running.until("answered")
    gate = next(pid for pid in running.pids if b"gate" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
    os.kill(gate, signal.SIGKILL)
    assert "starts again" in running.until("gate")["message"]
    running.until("answered")
    assert running.ask("/responses", {"model": running.first["model"], "input": "Say hello again."})[0] == 200
    running.child.send_signal(signal.SIGINT)
    end = running.until("end")
    assert end["findings"] == 0 and end["billed_nano"] <= end["posted_nano"] + end["doubted_nano"]


def test_the_house_answers_beside_the_gate(running: Running) -> None:
    for _ in range(200):
        try:
            status, told = running.ask("/healthz", base="console")
        except ConnectionRefusedError:
            time.sleep(0.1)
            continue
        assert (status, told["status"]) == (200, "alive")
        return
    pytest.fail("the house does not come up")


def test_nothing_is_left_when_the_demo_is_killed(running: Running) -> None:
    running.until("answered")
    running.child.kill()
    assert [pid for pid in running.pids if not ends(pid)] == []


def test_without_a_terminal_it_tells_lines_and_ends_with_the_books() -> None:
    done = subprocess.run([*DEMO, "--seconds", "8"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "base URL  http://127.0.0.1:" in done.stdout and "curl " in done.stdout and "\x1b" not in done.stdout
    assert "left of $25.00" in done.stdout and "The rehearsal's own meter billed $" in done.stdout and "nothing is wrong" in done.stdout


def test_the_curl_that_it_prints_works(program: Any, tmp_path: Path) -> None:
    program("curl")
    child = subprocess.Popen([*DEMO], stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert child.stdout is not None
    curl = next(line for line in child.stdout if line.startswith("curl "))
    done = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, check=False)
    child.terminate()
    child.communicate()
    assert json.loads(done.stdout)["object"] == "response"


@pytest.mark.parametrize("size", [(24, 80), (50, 200), (10, 40)])
def test_in_a_terminal_it_draws_and_leaves_the_terminal_as_it_was(size: tuple[int, int]) -> None:
    lines, columns = size
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "LINES": str(lines), "COLUMNS": str(columns)}
    child = subprocess.Popen([*DEMO, "--seconds", "5"], stdin=slave, stdout=slave, stderr=slave, env=environment, close_fds=True)
    os.close(slave)
    seen = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # Linux says EIO when the last writer has gone
            break
        if not piece:
            break
        seen += piece
    os.close(master)
    assert child.wait() == 0, seen.decode(errors="replace")[-2000:]
    text = seen.decode(errors="replace")
    assert "production" in text and "streams" in text and "the books" in text and "Traceback" not in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l"), "the cursor is shown again"


def test_it_keeps_its_folder_when_asked_to(tmp_path: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--seconds", "1", "--keep"], capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    kept = list(tmp_path.glob("headgate-*"))
    assert len(kept) == 1 and str(kept[0]) in done.stdout and (kept[0] / "data" / "headgate.db").exists()
    shutil.rmtree(kept[0])
