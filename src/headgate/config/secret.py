"""Secrets: named in the file, fetched from the environment or a file of their own, and never shown again."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headgate.config.problem import Unfit

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VISIBLE = re.compile(rb"[!-~]+")
MOST_BYTES = 16_384
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where a secret is: `env:NAME` or `file:PATH`."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


class Secret:
    """A secret at hand. Whatever prints it prints where it came from."""

    __slots__ = ("_value", "source")

    def __init__(self, source: SecretSource, value: bytes) -> None:
        self.source = source
        self._value = value

    def reveal(self) -> bytes:
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.source})"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not copied, pickled or sent")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def read_source(value: object) -> SecretSource:
    """`"env:NAME"` or `"file:PATH"`; anything else could be the secret itself, so it is refused without being shown."""
    if not isinstance(value, str):
        raise Unfit("something that is not text (not shown)")
    kind, _, name = value.partition(":")
    if kind == "env" and _NAME.fullmatch(name):
        return SecretSource(kind, name)
    if kind == "file" and name and "\0" not in name:
        return SecretSource(kind, name)
    raise Unfit("a plain value (not shown: it may be the secret itself)")


def fetch(source: SecretSource, environment: Mapping[str, str], folder: Path) -> tuple[Secret, str | None]:
    """The secret, and a warning when its file is open to others. A file is relative to the folder of headgate.toml."""
    if source.kind == "env":
        if source.name not in environment:
            raise Unfit(f"no variable {source.name} in the environment", "a variable that is set")
        return Secret(source, _checked(environment[source.name].encode("utf-8", "surrogateescape"))), None
    file = folder / source.name
    try:
        mode = file.stat().st_mode
        with file.open("rb") as opened:
            value = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise Unfit(f"{file}: {error.strerror}", "a file that can be read") from None
    warning = f"{file} can be read by others than its owner; run: chmod 600 {file}" if mode & _OTHERS else None
    return Secret(source, _checked(value.rstrip(b"\r\n"))), warning


def _checked(value: bytes) -> bytes:
    if not value:
        raise Unfit("an empty secret", "a secret")
    if len(value) > MOST_BYTES or _VISIBLE.fullmatch(value) is None:
        raise Unfit("a secret with a space, a line end or another character that no header may hold", "visible ASCII only")
    return value
