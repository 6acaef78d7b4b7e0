"""Each mutation still fits the file that it breaks, and breaks nothing else."""

from __future__ import annotations

import filecmp
from pathlib import Path

import pytest

from headgate.trials.mutant import MUTATIONS, PACKAGE, write_mutant


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_changes_one_file_and_leaves_the_rest(name: str, tmp_path: Path) -> None:
    copy = write_mutant(name, tmp_path) / "headgate"
    changed = [
        file.relative_to(PACKAGE).as_posix()
        for file in sorted(PACKAGE.rglob("*.py"))
        if not filecmp.cmp(file, copy / file.relative_to(PACKAGE), shallow=False)
    ]
    assert changed == [MUTATIONS[name].file]
    compile((copy / MUTATIONS[name].file).read_text("utf-8"), name, "exec")
