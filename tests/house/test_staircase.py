"""Imports go down one staircase, and the contracts that say so notice when they do not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def lint(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """A copy of the source and its contracts, to break."""
    shutil.copy(root / "pyproject.toml", tmp_path)
    shutil.copytree(root / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_imports_only_go_down_the_staircase(root: Path) -> None:
    told = lint(root)
    assert told.returncode == 0, told.stdout[told.stdout.find("Contracts:") :] + told.stderr


# What is broken: the file, the line that is added to it, and how the contracts name the offence.
FAULTS = {
    "a clock in the ledger": ("ledger/reserve.py", "import time", "headgate.ledger.reserve -> time"),
    "a file in a path": ("paths/path.py", "import pathlib", "headgate.paths.path -> pathlib"),
    "policy asks the store": ("policy/decide.py", "import headgate.store.sqlite", "headgate.policy.decide -> headgate.store.sqlite"),
    "the ledger asks pricing": ("ledger/hold.py", "import headgate.pricing.cost", "headgate.ledger.hold -> headgate.pricing.cost"),
    "the wire knows the terms": ("wire/usage.py", "import headgate.terms.bound", "headgate.wire.usage -> headgate.terms.bound"),
    "a folder for leftovers": ("utils/__init__.py", "", "headgate.utils"),
    "the house reaches into the gate": (
        "web/__init__.py",
        "import headgate.gateway.listener",
        "headgate.web -> headgate.gateway.listener",
    ),
    "the gate knows the rehearsal": ("gateway/listener.py", "import headgate.rehearsal", "headgate.gateway.listener -> headgate.rehearsal"),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_an_import_that_goes_up_is_noticed(copy: Path, fault: str) -> None:
    name, line, offence = FAULTS[fault]
    file = copy / "src/headgate" / name
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as out:
        out.write(f"\n{line}\n")
    told = lint(copy)
    assert told.returncode != 0
    assert offence in told.stdout
