"""On which line of a TOML text each key, table and list item begins.

`tomllib` reads the values and proves the text well formed, but forgets where things stood. This walks the same text once more and keeps
only places; it may be lenient, because it never sees a text that `tomllib` refused. Grammar: toml.io, v1.0.0.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

Place = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t]*")
_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})|\'\'\'.*?\'\'\'(?:\'{0,2})|"(?:[^"\\]|\\.)*"|\'[^\']*\'', re.DOTALL)
_SCALAR = re.compile(r"[^,\]}#\r\n]*")


def locate(text: str) -> dict[Place, int]:
    """The line (from 1) of every place: `("workspaces", "ci", "caps", "month")`, `("budget", 0, "scope")`."""
    return _Walk(text).lines


def _inner(place: Place, key: str | int) -> Place:
    return (*place, key)


class _Walk:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.ends = [place for place, character in enumerate(text) if character == "\n"]
        self.lines: dict[Place, int] = {}
        self.items: dict[Place, int] = {}  # how many tables each [[list]] has so far
        table: Place = ()
        while self._skip(_GAP) < len(text):
            table = self._header() if text[self.at] == "[" else self._pair(table)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at

    def _note(self, place: Place, exactly: bool) -> None:
        line = bisect_right(self.ends, self.at - 1) + 1
        if exactly:
            self.lines[place] = line
        else:
            self.lines.setdefault(place, line)

    def _header(self) -> Place:
        """`[a.b]` or `[[a.b]]`: the table that the following pairs belong to."""
        brackets = 2 if self.text.startswith("[[", self.at) else 1
        self.at += brackets
        place: Place = ()
        keys = self._keys()
        for number, key in enumerate(keys):
            place = _inner(place, key)
            last = number == len(keys) - 1
            self._note(place, exactly=False)
            if last and brackets == 2:
                self.items[place] = self.items.get(place, -1) + 1
            if place in self.items:
                place = _inner(place, self.items[place])
        self._note(place, exactly=True)
        self.at += brackets
        return place

    def _pair(self, table: Place) -> Place:
        """`a.b = value`: returns the table, which stays the same."""
        place = table
        start = self.at
        keys = self._keys()
        after, self.at = self.at, start
        for key in keys:
            place = _inner(place, key)
            self._note(place, exactly=False)
        self.at = after + 1  # the equals sign
        self._value(place)
        return table

    def _keys(self) -> list[str]:
        keys: list[str] = []
        while True:
            self._skip(_SPACE)
            start = self.at
            if self.text[self.at] in "\"'":
                keys.append(tomllib.loads(f"key = {self.text[start : self._skip(_STRING)]}")["key"])
            else:
                keys.append(self.text[start : self._skip(_BARE_KEY)])
            self._skip(_SPACE)
            if self.text[self.at] != ".":
                return keys
            self.at += 1

    def _value(self, place: Place) -> None:
        self._skip(_SPACE)
        first = self.text[self.at]
        if first == "[":
            self._inside("]", place)
        elif first == "{":
            self._inside("}", place)
        else:
            self._skip(_STRING if first in "\"'" else _SCALAR)

    def _inside(self, end: str, place: Place) -> None:
        """A list's items or an inline table's pairs, up to the closing bracket."""
        self.at += 1
        number = 0
        while self.text[self._skip(_GAP)] != end:
            if self.text[self.at] == ",":
                self.at += 1
            elif end == "]":
                self._note((*place, number), exactly=True)
                self._value((*place, number))
                number += 1
            else:
                self._pair(place)
        self.at += 1
