"""What would open a hole without any test of behaviour noticing: SQL built from text, TLS that checks nobody."""

from __future__ import annotations

import ast
from typing import Protocol


class Source(Protocol):
    """What these tests ask of a file; conftest.py reads it."""

    name: str
    room: str
    tree: ast.Module

    def at(self, node: ast.AST) -> str: ...


def built(node: ast.expr) -> bool:
    """Whether a string is put together on the spot."""
    match node:
        case ast.JoinedStr(values=[ast.Constant(value=str() as opening), *_]) if opening.startswith("PRAGMA "):
            return False  # SQLite binds no parameter in a pragma
        case ast.JoinedStr() | ast.BinOp(op=ast.Add() | ast.Mod()):
            return True
        case ast.Call(func=ast.Attribute(attr="format" | "format_map" | "join" | "replace")):
            return True
        case _:
            return False


def test_sql_is_never_built_from_text(sources: list[Source]) -> None:
    offences = [
        source.at(node)
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("execute", "executemany", "executescript")
        and node.args
        and built(node.args[0])
    ]
    assert offences == []


def test_only_the_store_speaks_to_the_database(sources: list[Source]) -> None:
    offences = [
        source.at(node)
        for source in sources
        if source.room not in ("store", "trials")
        for node in ast.walk(source.tree)
        if (isinstance(node, ast.Import) and any(alias.name.split(".")[0] in ("apsw", "sqlite3") for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("apsw", "sqlite3"))
    ]
    assert offences == []


def test_tls_always_checks_whom_it_speaks_to(sources: list[Source]) -> None:
    offences: list[str] = []
    for source in sources:
        for node in ast.walk(source.tree):
            match node:
                case ast.Attribute(attr="CERT_NONE" | "_create_unverified_context") | ast.Name(id="CERT_NONE"):
                    offences.append(source.at(node))
                case ast.keyword(arg="verify" | "check_hostname" | "verify_ssl", value=ast.Constant(value=False)):
                    offences.append(source.at(node))
                case ast.Assign(targets=[ast.Attribute(attr="check_hostname")], value=ast.Constant(value=False)):
                    offences.append(source.at(node))
                case _:
                    pass
    assert offences == []


def test_nothing_is_run_through_a_shell_or_unpickled(sources: list[Source]) -> None:
    offences: list[str] = []
    for source in sources:
        for node in ast.walk(source.tree):
            match node:
                case ast.keyword(arg="shell", value=ast.Constant(value=True)) | ast.Attribute(attr="system" | "popen"):
                    offences.append(source.at(node))
                case ast.Import(names=names) if any(name.name in ("pickle", "marshal", "shelve") for name in names):
                    offences.append(source.at(node))
                case _:
                    pass
    assert offences == []
