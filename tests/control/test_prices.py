from __future__ import annotations

import json

import pytest
from tests.control.office import PUBLIC, Office, sheet

from headgate.control.command import ImportPrices
from headgate.control.prices import changes, listed
from headgate.pricing.entry import Sheet
from headgate.pricing.sheet import read_sheet


def asked(text: str, force: bool = False) -> ImportPrices:
    return ImportPrices(actor="alice", sheet=text, force=force)


def rows_of(office: Office) -> list[tuple[object, ...]]:
    return list(office.book.database.run("tariffs"))


def test_an_import_adds_rows_and_changes_none(office: Office) -> None:
    first = office.imports()
    before = rows_of(office)
    assert first.fresh == first.models == len(before)
    second = office.imports(sheet(pico=4_000_000))
    assert (second.fresh, second.models) == (1, 1)
    assert rows_of(office)[: len(before)] == before
    assert [leaf["actor"] for leaf in office.leaves("prices")] == ["alice", "alice"]


def test_the_same_sheet_twice_is_no_change_and_no_leaf(office: Office) -> None:
    office.imports()
    again = office.imports()
    assert again.fresh == 0 and len(office.leaves("prices")) == 1


def test_a_price_that_falls_by_more_than_half_needs_a_second_word_whoever_asks(office: Office) -> None:
    office.imports()
    told = office.refuses(asked(sheet(pico=2_499_999)))
    assert "1 price(s) fall by more than half; nothing was imported" in told and "gpt-5.5 input standard short $5.00" in told
    assert office.imports(sheet(pico=2_500_000)).fresh == 1, "half is not more than half"
    assert office.imports(sheet(pico=1_000_000), force=True).fresh == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not JSON"),
        ("[]", "one JSON object"),
        (PUBLIC[: len(PUBLIC) // 2], "not JSON"),
        (sheet(surprise=1), "surprise"),
        (sheet(currency="EUR"), "currency"),
        (sheet().replace('"pico": 5000000', '"pico": 5000000.5'), "pico"),
        (sheet().replace('"pico": 5000000', '"pico": 0'), "pico"),
        (sheet().replace('"verified_on"', '"verified_on": "2026-01-01", "verified_on"'), "verified_on"),
    ],
)
def test_a_sheet_with_anything_wrong_in_it_is_not_imported_at_all(office: Office, text: str, told: str) -> None:
    said = office.refuses(asked(text))
    assert "nothing was imported" in said and told in said
    assert rows_of(office) == []


def test_a_sheet_of_one_model_does_not_speak_of_the_others(office: Office) -> None:
    office.imports()
    read = read_sheet(sheet(pico=6_000_000))
    assert isinstance(read, Sheet)
    found = changes(listed(office.book.database.run("tariffs")), read)
    assert [(one.model, one.what) for one in found] == [("gpt-5.5", "input standard short")]


def test_a_million_problems_are_told_in_twenty_lines(office: Office) -> None:
    said = json.loads(PUBLIC)
    for entry in said["models"]:
        entry["unknown"] = 1
    assert len(office.refuses(asked(json.dumps(said))).splitlines()) == 21
