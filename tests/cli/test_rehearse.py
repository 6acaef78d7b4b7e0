"""`headgate rehearse openai` as a process: where it says it is, what it bills, and with whom it ends."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from click.testing import CliRunner

from headgate.cli.main import cli

pytestmark = pytest.mark.slow


def start(*arguments: str, lifeline: int | None = None) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    command = [sys.executable, "-m", "headgate", "rehearse", "openai", "--listen", "127.0.0.1:0", *arguments]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=() if lifeline is None else (lifeline,))
    assert child.stdout is not None
    return child, json.loads(child.stdout.readline())


def ask(told: dict[str, Any], method: str, where: str, body: object = None, key: str = "") -> dict[str, Any]:
    connection = http.client.HTTPConnection(told["origin"].removeprefix("http://"), timeout=30)
    connection.request(method, where, json.dumps(body), {"authorization": f"Bearer {key}"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def test_it_says_where_it_is_takes_the_keys_it_was_given_and_bills_as_mean_as_it_was_told() -> None:
    child, told = start("--key", "sk-one", "--project", "proj_mine", "--mean", "--set", "caching=false")
    try:
        assert told["keys"] == {"sk-one": "proj_mine"} and told["pid"] == child.pid
        asked = {"model": "gpt-5.4-nano", "input": "Say hello.", "max_output_tokens": 200}
        assert ask(told, "POST", "/v1/responses", asked, "sk-one")["usage"]["output_tokens"] == 200
        assert ask(told, "GET", "/rehearsal/meter")["billed_requests"] == 1
    finally:
        child.terminate()
        child.communicate()
    assert child.returncode == 0


def test_it_ends_with_whoever_holds_the_other_end_of_its_pipe() -> None:
    read_end, write_end = os.pipe()
    child, _ = start("--lifeline", str(read_end), lifeline=read_end)
    os.close(read_end)
    assert child.poll() is None
    os.close(write_end)
    child.communicate(timeout=30)
    assert child.returncode == 0


def test_a_setting_that_does_not_exist_is_told_and_nothing_is_started() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "headgate", "rehearse", "openai", "--set", "meanness=9"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0 and "no setting 'meanness'" in done.stderr


def test_the_help_names_every_option() -> None:
    text = CliRunner().invoke(cli, ["rehearse", "openai", "--help"]).output
    assert all(option in text for option in ("--listen", "--key", "--project", "--admin-key", "--mean", "--set", "--seed"))
    assert "--lifeline" not in text
