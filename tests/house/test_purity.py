"""What a dry room may not say: the moment, chance, a float; and what nobody may say anywhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Protocol


class Source(Protocol):
    """What these tests ask of a file; conftest.py reads it."""

    name: str
    room: str
    tree: ast.Module

    def at(self, node: ast.AST) -> str: ...


# Rooms and files where an amount, a price or a count of tokens lives. Here even a true division is one float too many.
MONEY = ("src/headgate/money.py", "src/headgate/pricing/", "src/headgate/ledger/", "src/headgate/terms/", "src/headgate/wire/usage.py")

FLOATS = {"float", "complex", "round", "Decimal", "Fraction"}
MOMENTS = {"now", "utcnow", "today"}
CHANCE = {"open", "input", "print", "exec", "eval", "__import__"}


def words(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Every identifier that a file reads, writes or defines."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=word) | ast.Attribute(attr=word) | ast.arg(arg=word) | ast.FunctionDef(name=word) | ast.alias(name=word):
                yield node, word
            case _:
                pass


def test_no_float_is_written_in_a_dry_room(dry_sources: list[Source]) -> None:
    literals = [
        source.at(node)
        for source in dry_sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, (float, complex))
    ]
    names = [f"{source.at(node)} {word}" for source in dry_sources for node, word in words(source.tree) if word in FLOATS]
    assert literals + names == []


def test_money_is_never_divided_into_a_float(dry_sources: list[Source]) -> None:
    divisions = [
        source.at(node)
        for source in dry_sources
        if source.name.startswith(MONEY)
        for node in ast.walk(source.tree)
        if isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div)
    ]
    assert divisions == []


def test_a_dry_room_is_told_the_moment_and_never_asks(dry_sources: list[Source]) -> None:
    asked: list[str] = []
    for source in dry_sources:
        for node in ast.walk(source.tree):
            match node:
                case ast.Attribute(attr=word) | ast.Call(func=ast.Name(id=word)) | ast.alias(name=word) if word in MOMENTS:
                    asked.append(f"{source.at(node)} {word}")
                case _:
                    pass
    assert asked == []


def test_a_dry_room_opens_nothing_and_prints_nothing(dry_sources: list[Source]) -> None:
    calls = [
        f"{source.at(node)} {node.func.id}"
        for source in dry_sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CHANCE
    ]
    assert calls == []


def test_a_dry_room_waits_for_nothing_and_shares_no_variable(dry_sources: list[Source]) -> None:
    kinds = (ast.Global, ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert [source.at(node) for source in dry_sources for node in ast.walk(source.tree) if isinstance(node, kinds)] == []


def test_no_value_of_any_type_crosses_a_dry_room(dry_sources: list[Source]) -> None:
    # wire/ is the edge where JSON becomes typed values; behind it nothing is untyped.
    places = [source.at(node) for source in dry_sources if source.room != "wire" for node, word in words(source.tree) if word == "Any"]
    assert places == []


def test_the_rehearsal_imports_nothing_of_the_house(sources: list[Source]) -> None:
    imports: list[str] = []
    for source in sources:
        if source.room != "rehearsal":
            continue
        for node in ast.walk(source.tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{source.at(node)}: name the room in full"
                names = [node.module or ""]
                if node.module == "headgate":
                    names = [f"headgate.{alias.name}" for alias in node.names]
            imports += [
                f"{source.at(node)} {name}"
                for name in names
                if name.split(".")[0] == "headgate" and not f"{name}.".startswith("headgate.rehearsal.")
            ]
    assert imports == []
