"""Rows of the book as typed values, and values as rows: the one place that knows the order of the columns."""

from __future__ import annotations

from typing import cast

import msgspec

from headgate.ledger.balance import Balance
from headgate.names import AttemptId, Instant
from headgate.store.sqlite import Row, Value
from headgate.terms.budget import Measure
from headgate.wire.usage import Usage


def whole(value: Value) -> int:
    assert isinstance(value, int)
    return value


def text(value: Value) -> str:
    assert isinstance(value, str)
    return value


def blob(value: Value) -> bytes:
    assert isinstance(value, bytes)
    return value


def balance(row: Row) -> Balance:
    """A row of `budget`."""
    numbers = cast(tuple[int, ...], row)
    return Balance(
        id=numbers[0],
        rule=text(row[1]),
        scope=text(row[2]),
        measure=Measure(row[3]),
        starts_us=Instant(numbers[4]),
        ends_us=Instant(numbers[5]),
        cap=numbers[6],
        target=numbers[7],
        posted=numbers[8],
        held=numbers[9],
        suspect=numbers[10],
        overrun=numbers[11],
    )


class HoldRow(msgspec.Struct, frozen=True, array_like=True):
    """A row of `hold`."""

    attempt: AttemptId
    request: int
    workspace: str
    key: str
    path: str
    model: str
    route: str
    shape: str
    tariff: int
    wanted: int
    output: int
    nano: int
    tokens: int
    epoch: int
    opened_us: int
    facts: str


def hold(row: Row) -> HoldRow:
    return msgspec.convert(row, HoldRow)


class Suspect(msgspec.Struct, frozen=True, array_like=True):
    """A hold in doubt, with what is needed to resolve it."""

    attempt: AttemptId
    since_us: Instant
    ending: str
    response_id: str
    stored: bool
    workspace: str
    path: str
    model: str
    nano: int
    tokens: int
    tariff: int
    route: str


def suspect(row: Row) -> Suspect:
    return msgspec.convert((*row[:4], bool(row[4]), *row[5:]), Suspect)


def usage_columns(usage: Usage | None) -> tuple[Value, ...]:
    if usage is None:
        return (None,) * 7
    return (
        usage.input_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.cache_write_12h_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
        usage.web_searches,
    )
