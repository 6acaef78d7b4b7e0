"""A test that is skipped in CI has failed: what a test needs, CI installs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SKIPPING = """
import pytest

def test_a_program_is_there(program):
    pytest.skip("not here")

@pytest.mark.xfail(reason="known", strict=True)
def test_a_known_limit():
    assert False
"""


@pytest.mark.parametrize(("on_ci", "code", "told"), [("", 0, "1 skipped"), ("true", 1, "1 failed")])
def test_ci_skips_nothing(root: Path, tmp_path: Path, on_ci: str, code: int, told: str) -> None:
    shutil.copy(root / "tests/conftest.py", tmp_path)
    (tmp_path / "test_skipping.py").write_text(SKIPPING)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        env={**os.environ, "CI": on_ci},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == code, ended.stdout
    assert told in ended.stdout and "1 xfailed" in ended.stdout


def test_ci_that_runs_no_test_has_failed(root: Path) -> None:
    # pytest ends with 5 when it found nothing to run; make passes any code but 0 on, and nothing here hides it.
    text = (root / ".ci/run").read_text(encoding="utf-8")
    assert "set -euo pipefail" in text
    assert text.rstrip().endswith("make check\nmake test")
