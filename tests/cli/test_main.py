from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from tests.cli.terminal import Terminal

from headgate.cli.main import COMMANDS, cli

# What `--help` may import beside the standard library.
LIGHT = {"headgate", "headgate.__main__", "headgate.cli", "headgate.cli.main", "headgate.cli.ending"} | {
    "headgate.store",
    "headgate.store.fault",
}


def imported(root: Path, *arguments: str) -> set[str]:
    """What a call of the program imported, in a fresh interpreter."""
    program = (
        "import json, sys\nbefore = set(sys.modules)\nfrom headgate.__main__ import main\n"
        f"sys.argv = ['headgate', *{list(arguments)!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(root / "src")}, capture_output=True, text=True, check=True
    )
    return set(json.loads(ended.stdout.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("--version",), ("nonsense",)])
def test_help_imports_nothing_of_the_product(root: Path, arguments: tuple[str, ...]) -> None:
    modules = imported(root, *arguments)
    assert {name for name in modules if name.split(".")[0] == "headgate"} <= LIGHT
    heavy = {"apsw", "asyncio", "httptools", "msgspec", "prometheus_client", "rich", "ssl", "starlette", "uvicorn", "uvloop"}
    assert {name.split(".")[0] for name in modules} & heavy == set()


def test_help_names_every_command_in_one_line(terminal: Terminal) -> None:
    out = terminal.done("--help").out
    for name, (_, help_line) in COMMANDS.items():
        assert name in out and help_line in out


def walk(command: click.Command, names: tuple[str, ...]) -> list[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        return [(names, command)]
    context = click.Context(command)
    inner = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
    return [found for name, one in inner if one is not None for found in walk(one, (*names, name))]


def test_every_command_says_what_it_does_and_what_each_option_is_for() -> None:
    for names, command in walk(cli, ()):
        assert command.help and command.help.strip().endswith("."), names
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden and parameter.name != "help":
                assert parameter.help, (names, parameter.name)


def test_a_command_that_does_not_exist_is_a_wrong_command_line(terminal: Terminal) -> None:
    assert "No such command 'keys'" in terminal.told(2, "keys")
    assert "No such command 'make'" in terminal.told(2, "key", "make")
    assert "No such option" in terminal.told(2, "check", "--nope")


@pytest.mark.slow
@pytest.mark.parametrize("how", [("-O",), ("-OO",), ()])
def test_nothing_runs_without_its_assertions(root: Path, how: tuple[str, ...], tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), **({} if how else {"PYTHONOPTIMIZE": "1"})}
    for command in (("serve",), ("key", "list"), ("ledger", "verify")):
        ended = subprocess.run([sys.executable, *how, "-m", "headgate", *command], cwd=tmp_path, env=environment, capture_output=True)
        assert ended.returncode == 2 and b"do not run under python -O" in ended.stderr
    assert list(tmp_path.iterdir()) == []
