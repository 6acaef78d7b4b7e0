"""A price sheet is read strictly: JSON text becomes a sheet, or a list of everything that is wrong with it, and never half a sheet.

Unknown names, names said twice, numbers with a fraction, rows said twice, spans of days that overlap and prices of zero are refused:
each would be a guess about money.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from headgate.pricing.entry import FEES, Agreement, Entry, PriceRow, Sheet
from headgate.pricing.schema import (
    ENTRY_FIELDS,
    MOST_ENTRIES,
    MOST_ROWS,
    MOST_TOKEN_PICO,
    ROW_FIELDS,
    SHEET_FIELDS,
    Field,
    Inexact,
    Json,
    Plain,
    Problem,
    Record,
    Unfit,
    show_value,
)
from headgate.terms.tariff import Band, Tier, Unit


def read_sheet(text: str | bytes) -> Sheet | list[Problem]:
    """The sheet that the text says, or everything that is wrong with it."""
    try:
        said: Json = json.loads(text, object_pairs_hook=_record, parse_float=Inexact, parse_constant=Inexact)
    except (ValueError, RecursionError) as error:
        return [Problem("the sheet", f"text that is not JSON ({error})", "one JSON object in UTF-8", '{"format": 1, …}')]
    if not isinstance(said, Record):
        return [Problem("the sheet", show_value(said), "one JSON object", '{"format": 1, …}')]
    problems: list[Problem] = []
    facts = _fields(said, SHEET_FIELDS, "the sheet", ("models",), problems)
    entries: list[Entry] = []
    for place, record in _list(said, "models", "the sheet", MOST_ENTRIES, problems):
        entry = _entry(record, place, problems)
        if entry is not None:
            entries.append(entry)
    problems.extend(_overlaps(entries))
    if problems:
        return problems
    return Sheet(name=str(facts["name"]), agreement=Agreement(facts["agreement"]), entries=tuple(entries))


def _record(pairs: list[tuple[str, Json]]) -> Record:
    return Record(tuple(pairs))


def _entry(said: Json, place: str, problems: list[Problem]) -> Entry | None:
    before = len(problems)
    if not isinstance(said, Record):
        problems.append(
            Problem(place, show_value(said), "one JSON object for a model", '{"path_kind": "openai", "model": "gpt-6.1-sol", …}')
        )
        return None
    name = dict(said.pairs).get("model")
    place = f"{place} ({show_value(name)})" if isinstance(name, str) else place
    facts = _fields(said, ENTRY_FIELDS, place, ("prices",), problems)
    rows: list[PriceRow] = []
    for row_place, record in _list(said, "prices", place, MOST_ROWS, problems):
        row = _row(record, row_place, problems)
        if row is not None:
            rows.append(row)
    if len(problems) > before:
        return None
    entry = msgspec.convert({**facts, "prices": []}, Entry)
    entry = msgspec.structs.replace(entry, prices=tuple(rows))
    problems.extend(_contradictions(entry, place))
    return entry if len(problems) == before else None


def _row(said: Json, place: str, problems: list[Problem]) -> PriceRow | None:
    before = len(problems)
    if not isinstance(said, Record):
        example = '{"unit": "input", "tier": "standard", "band": "short", "pico": 2000000, "per": 1}'
        problems.append(Problem(place, show_value(said), "one JSON object for a price", example))
        return None
    facts = _fields(said, ROW_FIELDS, place, (), problems)
    if len(problems) > before:
        return None
    row = msgspec.convert(facts, PriceRow)
    if row.unit in FEES and (row.tier, row.band) != (Tier.STANDARD, Band.SHORT):
        found = f"tier {row.tier.value}, band {row.band.value}"
        problems.append(Problem(place, found, "a fee at tier standard and band short: it is the same at all", '"standard"'))
    if row.unit not in FEES and row.pico > MOST_TOKEN_PICO * row.per:
        problems.append(Problem(f"{place}.pico", str(row.pico), "at most ten cents a token, in pico-dollars", "2000000"))
    return row


def _fields(said: Record, fields: Sequence[Field], place: str, lists: Sequence[str], problems: list[Problem]) -> dict[str, Plain]:
    """The checked values of a record by name; what is missing, unknown, said twice or unfit goes to `problems`."""
    values: dict[str, Json] = {}
    known = {field.name for field in fields} | set(lists)
    names = ", ".join([*(field.name for field in fields), *lists])
    for name, value in said.pairs:
        if name not in known:
            problems.append(Problem(place, f"the unknown name {show_value(name)}", f"only the names {names}", f'"{fields[0].name}"'))
        elif name in values:
            problems.append(Problem(f"{place}.{name}", "the name a second time", "each name once", f'"{name}"'))
        values.setdefault(name, value)
    checked: dict[str, Plain] = {}
    for field in fields:
        if field.name not in values and field.optional:
            checked[field.name] = field.default
            continue
        value = field.check(values[field.name]) if field.name in values else Unfit.UNFIT
        if isinstance(value, Unfit):
            found = show_value(values[field.name]) if field.name in values else "nothing"
            problems.append(Problem(f"{place}.{field.name}", found, field.expected, field.example))
        else:
            checked[field.name] = value
    return checked


def _list(said: Record, name: str, place: str, most: int, problems: list[Problem]) -> list[tuple[str, Json]]:
    value = dict(said.pairs).get(name)
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        found = f"a list of {len(value):,}" if isinstance(value, list) else show_value(value) if value is not None else "nothing"
        problems.append(Problem(f"{place}.{name}", found, f"a list of 1 to {most:,} records", f'"{name}": [{{…}}]'))
        return []
    within = "" if place == "the sheet" else f"{place}."
    return [(f"{within}{name}[{index}]", item) for index, item in enumerate(value)]


def _contradictions(entry: Entry, place: str) -> list[Problem]:
    """What is wrong between the rows of one entry, each sound by itself."""
    problems: list[Problem] = []
    seen: set[tuple[Unit, Tier, Band]] = set()
    for row in entry.prices:
        key = row.unit, row.tier, row.band
        if key in seen:
            problems.append(Problem(place, f"two prices for {_name(key)}", "each unit, tier and band once", "remove one of them"))
        seen.add(key)
    bands = {(tier, band) for unit, tier, band in seen if unit not in FEES}
    for tier, band in sorted(bands, key=str):
        for unit in (Unit.INPUT, Unit.OUTPUT):
            if (unit, tier, band) not in seen:
                expected = f"a price for {unit.value} wherever a tier and band have any"
                problems.append(Problem(place, f"no price for {_name((unit, tier, band))}", expected, f'{{"unit": "{unit.value}", …}}'))
        if band is Band.LONG and (tier, Band.SHORT) not in bands:
            problems.append(Problem(place, f"{tier.value} in the long band only", "a short band for every tier", '"band": "short"'))
    long_rows = any(band is Band.LONG for _, band in bands)
    if not bands:
        problems.append(Problem(place, "no price for a token", "input and output prices of at least one tier", '"unit": "input"'))
    if long_rows != (entry.band_tokens is not None):
        found = "prices of the long band and no band_tokens" if long_rows else "band_tokens and no price of the long band"
        problems.append(Problem(f"{place}.band_tokens", found, "both or neither", "272000"))
    if entry.valid_to is not None and entry.valid_to <= entry.valid_from:
        expected = f"a day after valid_from, {entry.valid_from}"
        problems.append(Problem(f"{place}.valid_to", entry.valid_to, expected, "null, while the price holds"))
    return problems


def _overlaps(entries: Iterable[Entry]) -> list[Problem]:
    """A model with two prices on one day has none: the sheet must say which one holds."""
    spans: dict[tuple[str, str | None, str], list[Entry]] = {}
    for entry in entries:
        spans.setdefault((entry.path_kind, entry.path, entry.model), []).append(entry)
    problems: list[Problem] = []
    for (_, _, model), those in spans.items():
        for early, late in pairwise(sorted(those, key=lambda entry: entry.valid_from)):
            if early.valid_to is None or early.valid_to > late.valid_from:
                found = f"an entry from {early.valid_from} to {early.valid_to or 'further notice'} and one from {late.valid_from}"
                expected = "one price a day: valid_to of the earlier at or before valid_from of the later"
                problems.append(Problem(f"model {model}", found, expected, f'"valid_to": "{late.valid_from}"'))
    return problems


def _name(key: tuple[Unit, Tier, Band]) -> str:
    return " ".join(part.value for part in key)
