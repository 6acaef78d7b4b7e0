from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.terminal import Terminal
from tests.control.office import sheet


@pytest.fixture
def priced(terminal: Terminal) -> Terminal:
    """With a book, and so with the public prices."""
    terminal.key()
    return terminal


def written(terminal: Terminal, text: str) -> str:
    file = terminal.folder / "sheet.json"
    file.write_text(text, encoding="utf-8")
    return file.name


def test_prices_are_listed_and_shown_as_people_compare_them(priced: Terminal) -> None:
    out = priced.done("price", "list").out
    (line,) = [line for line in out.splitlines() if " gpt-5.5 " in line]
    assert "$5.00" in line and "$30.00" in line and "public" in line
    shown = priced.done("price", "show", "gpt-5.5").out
    assert "1,050,000 tokens" in shown and "standard  short  input" in shown
    assert {row["model"] for row in priced.done("price", "list", "--json").json} >= {"gpt-5.5", "gpt-5.4-mini"}
    assert priced.done("price", "show", "gpt-5.5-2026-04-23", "--json").json["model"] == "gpt-5.5"


def test_a_sheet_is_compared_before_it_is_taken(priced: Terminal) -> None:
    name = written(priced, sheet(pico=4_000_000))
    out = priced.done("price", "diff", name).out
    assert "$5.00 per million" in out and "$4.00 per million" in out and len(out.splitlines()) == 2
    assert priced.done("price", "show", "gpt-5.5").out.count("$5.00") >= 1
    assert "1 models, 1 new row(s)" in priced.done("price", "import", name).out
    assert "$4.00" in priced.done("price", "show", "gpt-5.5").out
    assert "No difference." in priced.done("price", "diff", name).out


def test_a_steep_fall_needs_a_second_word(priced: Terminal) -> None:
    name = written(priced, sheet(pico=1_000_000))
    told = priced.told(1, "price", "import", name)
    assert "1 price(s) fall by more than half; nothing was imported" in told and "say --force" in told
    assert priced.done("price", "diff", name).out.count("falls by more than half") == 1
    assert "1 new row(s)" in priced.done("price", "import", name, "--force").out


def test_the_public_sheet_is_taken_again_without_a_change(priced: Terminal) -> None:
    assert "No difference." in priced.done("price", "diff", "--public").out
    assert "0 new row(s)" in priced.done("price", "import", "--public").out
    assert "$5.00" in priced.done("price", "show", "gpt-5.5").out


@pytest.mark.parametrize("verb", ["diff", "import"])
def test_a_sheet_that_is_wrong_is_told_and_not_taken(priced: Terminal, verb: str) -> None:
    before = priced.done("price", "list").out
    assert "name a SHEET, or --public" in priced.told(2, "price", verb)
    assert "name a SHEET, or --public" in priced.told(2, "price", verb, written(priced, sheet()), "--public")
    assert "does not exist" in priced.told(2, "price", verb, "nowhere.json")
    for text, told in (("{", "not JSON"), (sheet(unknown=1), "unknown"), (sheet().replace("5000000", "5e6"), "pico")):
        assert told in priced.told(1, "price", verb, written(priced, text))
    (priced.folder / "bytes.json").write_bytes(b"\xff\xfe\x00")
    assert "not JSON" in priced.told(1, "price", verb, "bytes.json")
    assert priced.done("price", "list").out == before


def test_a_model_or_a_path_without_prices_is_told(priced: Terminal) -> None:
    assert "'gpt-99' has no price on path openai; `headgate price list`" in priced.told(1, "price", "show", "gpt-99")
    assert "there is no path 'azure'; headgate.toml has: openai" in priced.told(1, "price", "list", "--path", "azure")
    assert "there is no path 'azure'" in priced.told(1, "price", "show", "gpt-5.5", "--path", "azure")


def test_prices_before_the_first_start_are_told_to_come_with_it(terminal: Terminal, tmp_path: Path) -> None:
    assert "no ledger here yet" in terminal.told(4, "price", "list")
