"""Tests mirror the source room by room, so that a reader of a file knows where its tests are."""

from __future__ import annotations

from pathlib import Path

# Kinds of tests that belong to no single file: docs/, ARCHITECTURE.md tell what each of them is for.
FREE = {"house", "stories", "model", "world"}

# Folders beside src/ whose tests mirror them too.
BESIDE = {"bench", "tools"}

# A room's test that is about a promise of the whole room.
ROOMWIDE = {
    "gateway/test_smuggling.py": "payloads that two readers of HTTP would cut differently, against both sides of the wire",
}


def test_every_test_file_stands_where_its_source_file_stands(root: Path) -> None:
    package = root / "src/headgate"
    strays: list[str] = []
    for file in sorted((root / "tests").rglob("test_*.py")):
        where = file.relative_to(root / "tests")
        if where.parts[0] in FREE or where.as_posix() in ROOMWIDE:
            continue
        house = root if where.parts[0] in BESIDE else package
        source = house / where.parent / where.name.removeprefix("test_")
        if not source.exists():
            strays.append(f"{where} tests no file {source.relative_to(root)}")
    assert strays == []


def test_an_exemption_is_still_needed(root: Path) -> None:
    assert [name for name in ROOMWIDE if not (root / "tests" / name).parent.is_dir()] == []
