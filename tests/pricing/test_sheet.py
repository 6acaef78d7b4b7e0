"""A price sheet is read whole or not at all, and every problem says where, what was expected, and how it would look right."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.pricing.entry import Agreement, Entry, PriceRow, Sheet, digest, entry_text, read_entry, sheet_text
from headgate.pricing.sheet import read_sheet
from headgate.terms.tariff import Band, Tier, Unit

Document = dict[str, Any]


def row(unit: str = "input", tier: str = "standard", band: str = "short", pico: object = 2_000_000, per: object = 1) -> Document:
    return {"unit": unit, "tier": tier, "band": band, "pico": pico, "per": per}


def model(**said: object) -> Document:
    facts: Document = {
        "path_kind": "openai",
        "model": "gpt-x",
        "window_tokens": 400_000,
        "max_output_tokens": 128_000,
        "reasoning": True,
        "source": "contract 12",
        "verified_on": "2026-11-12",
        "valid_from": "2026-11-12",
        "prices": [row("input"), row("output", pico="10000000")],
    }
    return {**facts, **said}


def document(*models: Document, **said: object) -> Document:
    return {"format": 1, "name": "ours", "agreement": "negotiated", "currency": "USD", "models": list(models) or [model()], **said}


def read(said: object) -> Sheet | list[str]:
    found = read_sheet(json.dumps(said))
    return found if isinstance(found, Sheet) else [str(problem) for problem in found]


def only_problem(said: object) -> str:
    problems = read(said)
    assert isinstance(problems, list) and len(problems) == 1, problems
    return problems[0]


def test_a_small_sheet_is_read_with_what_it_leaves_out_filled_in() -> None:
    sheet = read(document())
    assert isinstance(sheet, Sheet) and sheet.agreement is Agreement.NEGOTIATED
    (entry,) = sheet.entries
    assert (entry.path, entry.band_tokens, entry.shutdown_on, entry.valid_to) == (None, None, None, None)
    assert entry.prices == (
        PriceRow(Unit.INPUT, Tier.STANDARD, Band.SHORT, 2_000_000),
        PriceRow(Unit.OUTPUT, Tier.STANDARD, Band.SHORT, 10_000_000),
    )


def test_an_amount_may_be_digits_or_a_string_of_digits() -> None:
    assert read(document(model(prices=[row(pico=5), row("output", pico="5")]))) == read(
        document(model(prices=[row(pico="5"), row("output", pico=5)]))
    )


WRONG: list[tuple[str, Document, str]] = [
    (
        "a price with a fraction",
        document(model(prices=[row(pico=0.5), row("output")])),
        'models[0] ("gpt-x").prices[0].pico: expected whole',
    ),
    ("a price with an exponent", document(model(prices=[row(pico=2e6), row("output")])), "prices[0].pico"),
    ("a price of zero", document(model(prices=[row(pico=0), row("output")])), "never 0"),
    ("a negative price", document(model(prices=[row(pico=-1), row("output")])), "found -1"),
    ("a price that is true", document(model(prices=[row(pico=True), row("output")])), "found true"),
    ("a price in words", document(model(prices=[row(pico="2.5"), row("output")])), 'found "2.5"'),
    ("a price with leading zeros", document(model(prices=[row(pico="007"), row("output")])), 'found "007"'),
    ("a token dearer than ten cents", document(model(prices=[row(pico=100_000_000_001), row("output")])), "ten cents"),
    ("a per of zero", document(model(prices=[row(per=0), row("output")])), ".per: expected"),
    ("an unknown unit", document(model(prices=[row("token"), row(), row("output")])), "cache_write_30m"),
    ("an unknown tier", document(model(prices=[row(tier="fast"), row(), row("output")])), "ultrafast"),
    ("an unknown name in a price", document(model(prices=[{**row(), "currency": "EUR"}, row("output")])), 'the unknown name "currency"'),
    ("an unknown name in a model", document(model(context=1)), 'the unknown name "context"'),
    ("an unknown name in the sheet", document(notes="x"), 'the unknown name "notes"'),
    ("a price twice", document(model(prices=[row(), row(pico=1), row("output")])), "two prices for input standard short"),
    ("no price for output", document(model(prices=[row()])), "no price for output standard short"),
    ("no prices", document(model(prices=[])), "a list of 1 to 1,000 records"),
    ("only a fee", document(model(prices=[row("web_search", pico=10**10)])), "no price for a token"),
    ("a fee at a tier", document(model(prices=[row(), row("output"), row("web_search", "flex")])), "a fee at tier standard"),
    ("a fee above a thousand dollars", document(model(prices=[row(), row("output"), row("web_search", pico=10**15 + 1)])), ".pico"),
    (
        "long prices without a band",
        document(model(prices=[row(), row("output"), row(band="long"), row("output", band="long")])),
        "both or neither",
    ),
    ("a band without long prices", document(model(band_tokens=272_000)), "both or neither"),
    (
        "a tier with a long band only",
        document(model(band_tokens=9, prices=[row(), row("output"), row(tier="flex", band="long"), row("output", "flex", "long")])),
        "flex in the long band only",
    ),
    ("a day that does not exist", document(model(valid_from="2026-02-30")), "a day that exists"),
    ("a day in another order", document(model(verified_on="12.11.2026")), '.verified_on: expected a day that exists, found "12.11.2026"'),
    ("an end before its beginning", document(model(valid_to="2026-11-12")), "a day after valid_from"),
    ("a missing source", {**document(), "models": [{k: v for k, v in model().items() if k != "source"}]}, ".source: expected where"),
    ("a window of zero", document(model(window_tokens=0)), "from 1 to 100,000,000"),
    ("an absurd window", document(model(window_tokens=10**30)), "from 1 to 100,000,000"),
    ("a model without a name", document(model(model="")), ".model: expected a model name"),
    ("a model name with a space", document(model(model="gpt 5")), "a model name"),
    ("another currency", document(currency="EUR"), '.currency: expected "USD", found "EUR"'),
    ("another format", document(format=2), "the number 1"),
    ("an agreement nobody knows", document(agreement="list"), '"public" or "negotiated"'),
    ("models that are no list", {**document(), "models": {"gpt-x": 1}}, ".models"),
    ("a model that is no object", {**document(), "models": ["gpt-x"]}, "one JSON object for a model"),
    ("a price that is no object", document(model(prices=[3, row(), row("output")])), "one JSON object for a price"),
    ("two entries for one day", document(model(), model(valid_from="2026-12-01")), "one price a day"),
    ("two ends that overlap", document(model(valid_to="2026-12-02"), model(valid_from="2026-12-01")), "one price a day"),
    ("the same entry twice", document(model(), model()), "one price a day"),
]


@pytest.mark.parametrize(("said", "told"), [wrong[1:] for wrong in WRONG], ids=[wrong[0] for wrong in WRONG])
def test_what_is_wrong_is_refused_and_named(said: Document, told: str) -> None:
    problem = only_problem(said)
    assert told in problem and "; for example " in problem


def test_all_problems_of_a_sheet_are_told_at_once() -> None:
    said = document(model(window_tokens="many", prices=[row(pico=0), row("output", per=-1)]), model(model="gpt-y", reasoning=1), name="")
    problems = read(said)
    assert isinstance(problems, list) and len(problems) == 5


def test_spans_that_meet_at_a_day_and_models_of_different_paths_do_not_overlap() -> None:
    sheet = read(document(model(valid_to="2026-12-01"), model(valid_from="2026-12-01"), model(path="eu"), model(path_kind="azure")))
    assert isinstance(sheet, Sheet) and len(sheet.entries) == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '"sheet"',
        "{",
        '{"format": NaN}',
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        "[" * 100_000,
        '{"format": ' + "9" * 10_000 + "}",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_text_that_is_no_sheet_is_a_problem_and_not_a_fault(text: str | bytes) -> None:
    found = read_sheet(text)
    assert isinstance(found, list) and found


def test_a_name_said_twice_is_refused_at_every_depth() -> None:
    text = json.dumps(document())
    for said, twice in (('"name": "ours"', '"name": "ours", "name": "ours"'), ('"pico": 2000000', '"pico": 1, "pico": 2000000')):
        found = read_sheet(text.replace(said, twice))
        assert isinstance(found, list) and any("a second time" in str(problem) for problem in found)


def test_a_lone_surrogate_is_refused_where_text_is_free() -> None:
    found = read_sheet(json.dumps(document(model(source="x\ud800"))))
    assert isinstance(found, list)


def test_the_digest_is_of_what_is_said_and_not_of_how() -> None:
    first = read(document(model(), model(model="gpt-y")))
    again = read(document(model(model="gpt-y", prices=[row("output", pico=10_000_000), row(pico="2000000")]), model(path=None)))
    other = read(document(model(prices=[row(pico=2_000_001), row("output", pico=10_000_000)]), model(model="gpt-y")))
    assert isinstance(first, Sheet) and isinstance(again, Sheet) and isinstance(other, Sheet)
    assert digest(first.agreement, first.entries) == digest(again.agreement, again.entries)
    assert digest(first.agreement, first.entries) != digest(other.agreement, other.entries)
    assert digest(first.agreement, first.entries) != digest(Agreement.PUBLIC, first.entries)


days = st.dates().map(lambda day: day.isoformat())
amounts = st.integers(1, 10**11)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    tiers = draw(st.sets(st.sampled_from(Tier), min_size=1))
    band_tokens = draw(st.none() | st.integers(1, 10**6))
    bands = (Band.SHORT,) if band_tokens is None else (Band.SHORT, Band.LONG)
    units = (Unit.INPUT, Unit.OUTPUT, *draw(st.sets(st.sampled_from([Unit.CACHED, Unit.CACHE_WRITE_30M, Unit.CACHE_WRITE_12H]))))
    rows = [
        PriceRow(unit, tier, band, draw(amounts), draw(st.sampled_from([1, 10, 1000])))
        for unit in units
        for tier in tiers
        for band in bands
    ]
    return Entry(
        path_kind=draw(st.sampled_from(["openai", "azure", "oci"])),
        path=draw(st.none() | st.just("eu-1")),
        model=draw(st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True)),
        window_tokens=draw(st.integers(1, 10**8)),
        max_output_tokens=draw(st.integers(1, 10**8)),
        band_tokens=band_tokens,
        reasoning=draw(st.booleans()),
        shutdown_on=draw(st.none() | days),
        source=draw(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=50)),
        verified_on=draw(days),
        valid_from=draw(days),
        valid_to=None,
        prices=tuple(rows),
    )


@settings(max_examples=60)
@given(entry=entries())
def test_what_is_written_is_read_back_the_same(entry: Entry) -> None:
    sheet = Sheet("written", Agreement.NEGOTIATED, (entry,))
    again = read_sheet(sheet_text(sheet))
    assert isinstance(again, Sheet), again
    assert set(again.entries[0].prices) == set(entry.prices)
    assert digest(again.agreement, again.entries) == digest(sheet.agreement, sheet.entries)
    assert entry_text(read_entry(entry_text(entry))) == entry_text(entry)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*document(), *model(), *row(), "x"]), inner, max_size=5),
    max_leaves=15,
)


@settings(max_examples=150)
@given(said=json_values)
def test_no_json_makes_the_reader_fault(said: object) -> None:
    found = read_sheet(json.dumps(said))
    assert isinstance(found, Sheet) or (found and all(str(problem) for problem in found))
