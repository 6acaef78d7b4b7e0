"""What is wrong with a configuration, told so that it can be mended without a manual: where, what was expected, what to write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. `line` 0: the file as a whole. `found` never holds a secret."""

    file: str
    line: int
    key: str
    expected: str
    found: str
    example: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        key = f"{self.key}: " if self.key else ""
        end = "" if self.found.endswith("?") else "."
        return f"{place}: {key}expected {self.expected}, found {self.found}{end} For example: {self.example}"


class ConfigError(Exception):
    """The configuration is not used; everything that is wrong with it is told at once, in the order of its lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, problem.key)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Unfit(Exception):
    """A value is not what its setting wants. `found` says what it is instead; `within` is the item of a list that it is about."""

    def __init__(self, found: str, expected: str | None = None, within: tuple[str | int, ...] = ()) -> None:
        super().__init__(found)
        self.found = found
        self.expected = expected
        self.within = within


@dataclass(frozen=True, slots=True)
class Caution:
    """Something that is allowed and unwise; `headgate check` tells it."""

    file: str
    line: int
    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.key}: {self.text}"
