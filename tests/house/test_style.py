"""How a file is written: what it opens with, where it imports, what it excuses, how long it is."""

from __future__ import annotations

import ast
import io
import re
import statistics
import tokenize
from pathlib import Path
from typing import Protocol

LONGEST_FILE = 500  # lines; "rarely over 400" allows a few
LONG_FILE = 400
MOST_LONG_FILES = 5
LONGEST_FUNCTION = 100  # lines
MEDIAN_FILE = 200

# A name that says the kind of code and not its subject gathers whatever nobody placed.
VAGUE = re.compile(r"^(utils?|helpers?|common|misc|managers?|base|core|services|lib|stuff|.*_(utils?|helpers?|v\d+|new|old))$")

EXCUSE = re.compile(r"#\s*(?:noqa(?::\s*[A-Z0-9, ]+)?|type:\s*ignore(?:\[[^\]]*\])?|pyright:\s*\w+(?:\[[^\]]*\])?)")


class Source(Protocol):
    """What these tests ask of a file; conftest.py reads it."""

    file: Path
    name: str
    room: str
    text: str
    tree: ast.Module
    opening: str

    def at(self, node: ast.AST) -> str: ...


def test_a_file_opens_with_a_sentence_that_says_what_it_knows(all_sources: list[Source]) -> None:
    # A test file may go without: its tests are sentences already.
    spoken = [source for source in all_sources if source.tree.body and not source.name.startswith("tests/")]
    assert [source.name for source in spoken if not re.match(r"[A-Z`\"].*[.:;!?]", source.opening, re.DOTALL)] == []


def test_no_two_files_open_alike(all_sources: list[Source]) -> None:
    seen: dict[str, str] = {}
    for source in all_sources:
        if not source.opening:
            continue
        first = source.opening.splitlines()[0].casefold()
        assert first not in seen, f"{source.name} opens like {seen[first]}"
        seen[first] = source.name


def test_the_front_door_of_a_room_is_one_sentence(sources: list[Source]) -> None:
    for source in sources:
        if source.file.name != "__init__.py":
            continue
        allowed = 2 if source.room == "__init__" else 1  # the package itself also tells its version
        assert len(source.tree.body) == allowed, f"{source.name} does more than say what the room knows"
        assert len(source.opening.splitlines()) == 1, source.name


def test_every_import_stands_at_the_top(all_sources: list[Source]) -> None:
    hidden = [
        source.at(inner)
        for source in all_sources
        for node in ast.walk(source.tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If, ast.Try, ast.With))
        for inner in ast.walk(node)
        if isinstance(inner, (ast.Import, ast.ImportFrom))
    ]
    assert hidden == []


def test_no_import_hides_behind_type_checking(all_sources: list[Source]) -> None:
    word = "TYPE_" + "CHECKING"
    assert [source.name for source in all_sources if word in source.text] == []


def test_a_room_is_entered_by_a_file_and_never_by_its_front_door(sources: list[Source]) -> None:
    doors: list[str] = []
    rooms = {
        f"headgate.{source.room}": source.file.parent
        for source in sources
        if source.file.name == "__init__.py" and source.room != "__init__"
    }
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ImportFrom) and node.module in rooms:
                folder = rooms[node.module]
                doors += [
                    f"{source.at(node)} {alias.name}"
                    for alias in node.names
                    if not (folder / f"{alias.name}.py").exists() and not (folder / alias.name).is_dir()
                ]
    assert doors == []


def test_an_excuse_gives_its_reason_beside_it(all_sources: list[Source]) -> None:
    bare: list[str] = []
    for source in all_sources:
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
            if token.type != tokenize.COMMENT or not (excuse := EXCUSE.search(token.string)):
                continue
            reason = re.findall(r"[A-Za-z]{2,}", token.string[: excuse.start()] + token.string[excuse.end() :])
            if len(reason) < 2:
                bare.append(f"{source.name}:{token.start[0]} {token.string}")
    assert bare == []


def test_a_fault_is_never_swallowed(sources: list[Source]) -> None:
    swallowed = [
        source.at(node)
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")))
        and all(isinstance(line, (ast.Pass, ast.Continue)) for line in node.body)
    ]
    assert swallowed == []


def test_a_file_is_named_after_its_subject(sources: list[Source]) -> None:
    assert [source.name for source in sources if VAGUE.match(source.file.stem) or VAGUE.match(source.room)] == []


def test_files_and_functions_stay_short(sources: list[Source]) -> None:
    lengths = {source.name: len(source.text.splitlines()) for source in sources if source.file.name != "__init__.py"}
    assert [name for name, length in lengths.items() if length > LONGEST_FILE] == []
    assert sum(length > LONG_FILE for length in lengths.values()) <= MOST_LONG_FILES
    assert statistics.median(lengths.values()) <= MEDIAN_FILE
    long = [
        f"{source.at(node)} {node.name}"
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (node.end_lineno or 0) - node.lineno > LONGEST_FUNCTION
    ]
    assert long == []


def test_a_list_of_tasks_is_not_kept_in_comments(all_sources: list[Source]) -> None:
    words = re.compile(r"#.*\b(?:TODO|FIXME|XXX):")
    assert [source.name for source in all_sources if words.search(source.text)] == []
