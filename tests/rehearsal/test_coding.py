"""The coding task, step by step, and carried out by the real Codex CLI."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import Rehearsal

QUESTION = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "Fix the bug in calc.py: add() must return the sum. Check it."}],
}
PLAIN_TOOLS = [{"type": "function", "name": "exec_command", "parameters": {"type": "object"}}, {"type": "custom", "name": "apply_patch"}]
CODE_TOOLS = {
    "type": "additional_tools",
    "role": "developer",
    "tools": [{"type": "namespace", "name": "functions", "tools": [{"type": "custom", "name": "exec"}]}],
}
BROKEN = "def add(a, b):\n    return a - b\n"


def step(rehearsal: Rehearsal, items: list[Any], tools: list[Any]) -> Any:
    answer = rehearsal.json("POST", "/v1/responses", {"model": "gpt-5.5", "input": items, "tools": tools})
    return answer["output"][-1]


def result(call: Any, output: str) -> Any:
    kind = "custom_tool_call_output" if call["type"] == "custom_tool_call" else "function_call_output"
    return {"type": kind, "call_id": call["call_id"], "output": output}


def test_the_task_is_read_mended_checked_and_told(rehearsal: Rehearsal) -> None:
    items: list[Any] = [QUESTION]
    read = step(rehearsal, items, PLAIN_TOOLS)
    assert (read["name"], json.loads(read["arguments"])) == ("exec_command", {"cmd": "cat calc.py"})
    items += [read, result(read, BROKEN)]
    patch = step(rehearsal, items, PLAIN_TOOLS)
    assert patch["type"] == "custom_tool_call"
    assert "-    return a - b\n+    return a + b\n" in patch["input"]
    items += [patch, result(patch, "Success")]
    check = step(rehearsal, items, PLAIN_TOOLS)
    assert "assert m.add(2, 3) == 5" in check["arguments"]
    items += [check, result(check, "add(2, 3) = 5")]
    assert "now returns a + b" in step(rehearsal, items, PLAIN_TOOLS)["content"][0]["text"]


def test_in_code_mode_the_tools_are_called_from_a_script(rehearsal: Rehearsal) -> None:
    read = step(rehearsal, [CODE_TOOLS, QUESTION], [])
    assert (read["name"], read["namespace"]) == ("exec", "functions")
    assert "tools.exec_command" in read["input"]
    patch = step(rehearsal, [CODE_TOOLS, QUESTION, read, result(read, json.dumps({"output": BROKEN}))], [])
    assert "tools.apply_patch" in patch["input"]


def test_a_file_without_the_bug_is_left_alone(rehearsal: Rehearsal) -> None:
    read = step(rehearsal, [QUESTION], PLAIN_TOOLS)
    told = step(rehearsal, [QUESTION, read, result(read, BROKEN.replace("-", "+"))], PLAIN_TOOLS)
    assert "nothing to change" in told["content"][0]["text"]


def test_a_check_that_fails_is_not_called_a_success(rehearsal: Rehearsal) -> None:
    items: list[Any] = [QUESTION]
    for output in (BROKEN, "Success", "Traceback (most recent call last)"):
        call = step(rehearsal, items, PLAIN_TOOLS)
        items += [call, result(call, output)]
    assert "the check failed" in step(rehearsal, items, PLAIN_TOOLS)["content"][0]["text"]


CONFIG = """
model = "{model}"
model_provider = "rehearsal"
check_for_update_on_startup = false
[model_providers.rehearsal]
name = "Rehearsal"
base_url = "{base_url}"
wire_api = "responses"
env_key = "REHEARSAL_KEY"
[features]
plugins = false
apps = false
unbounded_connection_retries = false
[analytics]
enabled = false
[feedback]
enabled = false
"""


@pytest.mark.world
@pytest.mark.parametrize("model", ["gpt-5.5", "gpt-6.1-sol"])
def test_the_real_codex_mends_the_file(rehearsal: Rehearsal, program: Callable[[str], Path], tmp_path: Path, model: str) -> None:
    codex, git = program("codex"), program("git")
    home, repository = tmp_path / "home", tmp_path / "repository"
    home.mkdir()
    repository.mkdir()
    (home / "config.toml").write_text(CONFIG.format(model=model, base_url=rehearsal.base_url))
    (repository / "calc.py").write_text(BROKEN)
    subprocess.run([git, "init", "-q", "."], cwd=repository, check=True)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "CODEX_HOME": str(home),
        "REHEARSAL_KEY": rehearsal.key,
        "TERM": "dumb",
        "LANG": "C.UTF-8",
    }
    command = [codex, "exec", "--dangerously-bypass-approvals-and-sandbox", QUESTION["content"][0]["text"]]
    ran = subprocess.run(
        command, cwd=repository, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "return a + b" in (repository / "calc.py").read_text()
    calls = rehearsal.calls()
    assert [call["ended"] for call in calls] == ["whole"] * 4
    assert rehearsal.billed_pico() == sum(int(call["billed_pico"]) for call in calls) > 0
    # Codex sends everything again at each step; the cache of the provider knows the beginning.
    assert all(call["tokens"]["cached"] > 0 for call in calls[1:])
