from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.terminal import Terminal
from tests.stories.gatehouse import PROVIDER, Gatehouse, configuration, workspace
from tests.stories.provider import Rehearsal

from headgate.policy.keys import is_key


@pytest.fixture(scope="module")
def rehearsal(root: Path) -> Iterator[Rehearsal]:
    running = Rehearsal(root / "src")
    yield running
    assert running.stop() == 0


@pytest.fixture
def house(rehearsal: Rehearsal, tmp_path: Path) -> Iterator[Gatehouse]:
    """A gate in the folder of the terminal."""
    rehearsal.ask("POST", "reset")
    house = Gatehouse(tmp_path, configuration(rehearsal.base_url, workspace()))
    yield house
    house.stop()


@pytest.fixture
def beside(house: Gatehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """The terminal beside that gate."""
    for name, value in PROVIDER.items():
        monkeypatch.setenv(name, value)
    return Terminal(tmp_path, monkeypatch, "")


def test_without_a_gate_one_is_told_how_to_start_it(terminal: Terminal) -> None:
    for command in ("status", "reload"):
        assert terminal.told(1, command) == "headgate: no gate runs on data; start it with `headgate serve`\n"


def test_the_status_says_what_a_person_would_ask(beside: Terminal, house: Gatehouse) -> None:
    assert "No call has come yet." in beside.done("status").out
    caller = house.caller()
    caller.respond(), caller.respond(model="gpt-0"), house.at_rest()
    out = beside.done("status").out
    assert "rehearsal calls, since 20" in out and "\nready\n" in out and "0 open call(s)" in out
    (line,) = [line for line in out.splitlines() if line.startswith("one ")]
    assert line.split()[:3] == ["one", "1", "1"] and line.split()[3].startswith("$0.00")
    assert beside.done("status", "--json").json["not_ready"] == ""


def test_a_command_goes_to_the_running_gate_and_is_in_force_when_it_returns(beside: Terminal, house: Gatehouse) -> None:
    said = beside.done("key", "issue", "--workspace", "one", "--label", "payments", "--json").json
    assert is_key(said["key"])
    caller = house.caller()
    caller.key = said["key"]
    assert caller.respond().status == 200
    beside.done("key", "revoke", said["id"], "--reason", "leaked")
    assert caller.respond().error["policy_code"] == "invalid_key"
    assert {key["issued_by"] for key in beside.done("key", "list", "--json").json} == {"alice", "story"}


def test_a_refused_command_is_told_as_it_would_be_offline(beside: Terminal) -> None:
    assert beside.told(1, "key", "issue", "--workspace", "nope", "--label", "x") == (
        "headgate: there is no workspace 'nope'; headgate.toml has: one\n"
    )
    assert "fall by more than half" not in beside.done("price", "import", "--public").out


def test_a_reload_says_which_configuration_is_in_force(beside: Terminal, house: Gatehouse) -> None:
    out = beside.done("reload").out
    assert out == f"reloaded, configuration {house.running.settings.digest[:12]}\n"
    house.write(house.text.replace('[house]\nlisten = "127.0.0.1:0"', '[house]\nlisten = "127.0.0.1:1"'))
    assert "nothing was changed: house.listen cannot change while the gate runs" in beside.told(1, "reload")
    house.write("nonsense")
    assert "headgate.toml:1: expected TOML" in beside.told(3, "reload")


def test_a_second_writer_is_told_who_writes(beside: Terminal, tmp_path: Path) -> None:
    (tmp_path / "data/gate.sock").unlink()
    told = beside.told(4, "key", "issue", "--workspace", "one", "--label", "x")
    assert "in use by process" in told and "a running gate takes commands over its socket" in told
    assert beside.done("key", "list").code == 0, "whoever reads needs no lock"
    assert json.loads(beside.done("budget", "show", "--json").out)["frozen"] == []
