"""The fields of a price sheet: which names each record takes, how a value is checked, what was expected in words, and an example.

`docs/reference/` prints these tables, so what a message says and what the page says cannot differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import TypeAlias

from headgate.pricing.entry import CURRENCY, FORMAT, Agreement
from headgate.terms.tariff import Band, Tier, Unit

# A token dearer than ten cents, a call dearer than a thousand dollars or a window above a hundred million tokens is a slip of the pen.
MOST_TOKEN_PICO = 100_000_000_000
MOST_FEE_PICO = 1_000_000_000_000_000
MOST_PER = 1_000_000_000
MOST_WINDOW_TOKENS = 100_000_000
MOST_ENTRIES = 10_000
MOST_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a sheet: where, what stands there, what was expected, and an example of it."""

    place: str
    found: str
    expected: str
    example: str

    def __str__(self) -> str:
        return f"{self.place}: expected {self.expected}, found {self.found}; for example {self.example}"


@dataclass(frozen=True, slots=True)
class Inexact:
    """A number written with a fraction or an exponent. It never becomes a number: prices are whole."""

    text: str


@dataclass(frozen=True, slots=True)
class Record:
    """A JSON object with its names in order, a name that stands twice included."""

    pairs: tuple[tuple[str, Json], ...]


Json: TypeAlias = "Record | list[Json] | str | int | bool | Inexact | None"
Plain: TypeAlias = str | int | bool | None


class Unfit(Enum):
    """What a check answers when the value is not what the field takes."""

    UNFIT = "unfit"


@dataclass(frozen=True, slots=True)
class Field:
    """One name of a record: how its value is checked, what it takes in words, and an example. `default` makes it optional."""

    name: str
    check: Callable[[Json], Plain | Unfit]
    expected: str
    example: str
    optional: bool = False
    default: Plain = None


def _text(pattern: str) -> Callable[[Json], Plain | Unfit]:
    compiled = re.compile(pattern)

    def check(value: Json) -> Plain | Unfit:
        return value if isinstance(value, str) and compiled.fullmatch(value) else Unfit.UNFIT

    return check


def _whole(least: int, most: int) -> Callable[[Json], Plain | Unfit]:
    """A whole number, as JSON digits or as a string of digits (for readers that would make a float of large ones)."""

    def check(value: Json) -> Plain | Unfit:
        if isinstance(value, str) and re.fullmatch("0|[1-9][0-9]{0,18}", value):
            value = int(value)
        # `True` is an int to Python, and no amount to anybody.
        if isinstance(value, bool) or not isinstance(value, int):
            return Unfit.UNFIT
        return value if least <= value <= most else Unfit.UNFIT

    return check


def _day(value: Json) -> Plain | Unfit:
    if not isinstance(value, str) or not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return Unfit.UNFIT
    try:
        date.fromisoformat(value)
    except ValueError:
        return Unfit.UNFIT
    return value


def _flag(value: Json) -> Plain | Unfit:
    return value if isinstance(value, bool) else Unfit.UNFIT


def _one_of(choices: Iterable[str]) -> Callable[[Json], Plain | Unfit]:
    known = frozenset(choices)

    def check(value: Json) -> Plain | Unfit:
        return value if isinstance(value, str) and value in known else Unfit.UNFIT

    return check


def _or_null(check: Callable[[Json], Plain | Unfit]) -> Callable[[Json], Plain | Unfit]:
    return lambda value: None if value is None else check(value)


def _named(kind: type[Enum]) -> list[str]:
    return [str(member.value) for member in kind]


NAME = r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}"

SHEET_FIELDS: tuple[Field, ...] = (
    Field("format", _whole(FORMAT, FORMAT), f"the number {FORMAT}", str(FORMAT)),
    Field("name", _text(NAME), "a name of letters, digits and . _ : / -", '"openai-public"'),
    Field("agreement", _one_of(_named(Agreement)), '"public" or "negotiated"', '"negotiated"'),
    Field("currency", _one_of([CURRENCY]), f'"{CURRENCY}"', f'"{CURRENCY}"'),
)

ENTRY_FIELDS: tuple[Field, ...] = (
    Field("path_kind", _text("[a-z][a-z0-9_-]{0,31}"), "the kind of path in small letters", '"openai"'),
    Field("path", _or_null(_text(NAME)), "the name of one path, or null for every path of the kind", '"openai-eu"', optional=True),
    Field("model", _text(NAME), "a model name", '"gpt-6.1-sol"'),
    Field("window_tokens", _whole(1, MOST_WINDOW_TOKENS), f"a whole number from 1 to {MOST_WINDOW_TOKENS:,}", "922000"),
    Field("max_output_tokens", _whole(1, MOST_WINDOW_TOKENS), f"a whole number from 1 to {MOST_WINDOW_TOKENS:,}", "128000"),
    Field(
        "band_tokens", _or_null(_whole(1, MOST_WINDOW_TOKENS)), "the last token count of the short band, or null", "272000", optional=True
    ),
    Field("reasoning", _flag, "true or false", "true"),
    Field("shutdown_on", _or_null(_day), "a day that exists, or null", '"2027-04-01"', optional=True),
    Field(
        "source", _text(r"[^\x00-\x1f\ud800-\udfff]{1,500}"), "where the price was read", '"https://developers.openai.com/api/docs/pricing"'
    ),
    Field("verified_on", _day, "a day that exists", '"2026-11-12"'),
    Field("valid_from", _day, "a day that exists", '"2026-11-12"'),
    Field("valid_to", _or_null(_day), "the first day on which it no longer holds, or null", '"2027-01-01"', optional=True),
)

ROW_FIELDS: tuple[Field, ...] = (
    Field("unit", _one_of(_named(Unit)), f"one of {', '.join(_named(Unit))}", '"input"'),
    Field("tier", _one_of(_named(Tier)), f"one of {', '.join(_named(Tier))}", '"standard"'),
    Field("band", _one_of(_named(Band)), f"one of {', '.join(_named(Band))}", '"short"', optional=True, default=Band.SHORT.value),
    Field("pico", _whole(1, MOST_FEE_PICO), "whole pico-dollars (10^-12 USD), never 0 (2 USD per million tokens: 2000000)", "2000000"),
    Field("per", _whole(1, MOST_PER), f"a whole number of units from 1 to {MOST_PER:,}", "1", optional=True, default=1),
)

FIELDS: Mapping[str, tuple[Field, ...]] = {"sheet": SHEET_FIELDS, "models": ENTRY_FIELDS, "prices": ROW_FIELDS}


def show_value(value: Json) -> str:
    """A value as a problem names it: short, and never a whole document."""
    if isinstance(value, Record):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, Inexact):
        return f"{value.text[:40]} (not a whole number)"
    if isinstance(value, str):
        return json.dumps(value[:60], ensure_ascii=False)
    return json.dumps(value)[:40]
