"""The source, read once, for the tests that judge how it is written."""

from __future__ import annotations

import ast
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "src/headgate"

DRY_ROOMS = ("money", "names", "refusal", "wire", "terms", "policy", "paths", "pricing", "ledger", "audit")


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file: `name` is how it is told in a failure, `room` is the first folder under src/headgate (or the file's own name)."""

    file: Path
    name: str
    room: str
    text: str
    tree: ast.Module

    @property
    def dry(self) -> bool:
        return self.room in DRY_ROOMS

    @property
    def opening(self) -> str:
        return (ast.get_docstring(self.tree) or "").strip()

    def at(self, node: ast.AST) -> str:
        return f"{self.name}:{getattr(node, 'lineno', 1)}"


def read(file: Path) -> Source:
    text = file.read_text(encoding="utf-8")
    inside = file.relative_to(PACKAGE).parts[0].removesuffix(".py") if file.is_relative_to(PACKAGE) else ""
    return Source(file, str(file.relative_to(ROOT)), inside, text, ast.parse(text, str(file)))


@pytest.fixture(scope="session")
def sources() -> list[Source]:
    """Every file of the product."""
    return [read(file) for file in sorted(PACKAGE.rglob("*.py"))]


@pytest.fixture(scope="session")
def dry_sources(sources: list[Source]) -> list[Source]:
    """Every file of a dry room."""
    return [source for source in sources if source.dry]


@pytest.fixture(scope="session")
def all_sources(sources: list[Source]) -> list[Source]:
    """The product, its tests, its tools and its bench."""
    beside = [file for folder in ("tests", "tools", "bench") for file in sorted((ROOT / folder).rglob("*.py"))]
    return sources + [read(file) for file in beside]


@pytest.fixture(scope="session")
def tracked() -> list[Path]:
    """Every file that git tracks or would track."""
    told = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    )
    return [file for name in told.stdout.split("\0") if name and (file := ROOT / name).is_file()]
