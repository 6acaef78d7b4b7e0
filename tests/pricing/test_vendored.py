"""The public table that ships is the one that was reviewed, and says what the providers' facts say, row by row."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import pytest

from headgate.pricing import vendored
from headgate.pricing.entry import Entry, Sheet, sheet_text
from headgate.terms.tariff import Band, Tier, Unit

ROOT = Path(__file__).parents[2]

# OpenAI's public prices in USD per million tokens as of 2026-11-12, written down by hand from two independent tables:
# model | in | cached | write 30m / 12h | out | batch | flex | priority | ultrafast | long in / cached / out | shutdown
FACTS = """
gpt-6-astra | 10 | 1 | 12.5 / 25 | 50 | 5 / 25 | 5 / 25 | 20 / 100 | 60 / 300 | 20 / 2 / 75 | –
gpt-6.1-sol | 2 | 0.1 | 2.5 / 5 | 10 | 1 / 5 | 1 / 5 | 4 / 20 | 12 / 60 | 4 / 0.2 / 15 | –
gpt-6.1-terra | 1 | 0.05 | 1.25 / 2.5 | 5 | 0.5 / 2.5 | 0.5 / 2.5 | 2 / 10 | – / – | 2 / 0.1 / 7.5 | –
gpt-6-sol | 2 | 0.2 | 2.5 / 5 | 10 | 1 / 5 | 1 / 5 | 4 / 20 | – / – | 4 / 0.4 / 15 | –
gpt-6-luna | 0.1 | 0.01 | 0.125 / 0.25 | 0.5 | 0.05 / 0.25 | 0.05 / 0.25 | 0.2 / 1 | – / – | 0.2 / 0.02 / 0.75 | –
gpt-5.6-sol | 4 | 0.4 | 5 / 10 | 20 | 2 / 10 | 2 / 10 | 8 / 40 | – / – | 8 / 0.8 / 30 | –
gpt-5.6-terra | 2 | 0.2 | 2.5 / 5 | 12 | 1 / 6 | 1 / 6 | 4 / 24 | – / – | 4 / 0.4 / 18 | –
gpt-5.6-luna | 0.2 | 0.02 | 0.25 / 0.5 | 1.2 | 0.1 / 0.6 | 0.1 / 0.6 | 0.4 / 2.4 | – / – | 0.4 / 0.04 / 1.8 | –
gpt-5.6-cyber | 12.5 | 1.25 | 15.625 / 31.25 | 75 | – / – | – / – | – / – | – / – | 25 / 2.5 / 112.5 | –
gpt-5.5 | 5 | 0.5 | – / – | 30 | 2.5 / 15 | 2.5 / 15 | 12.5 / 75 | – / – | 10 / 1 / 45 | –
gpt-5.5-pro | 30 | – | – / – | 180 | 15 / 90 | 15 / 90 | – / – | – / – | 60 / – / 270 | –
gpt-5.4 | 2.5 | 0.25 | – / – | 15 | 1.25 / 7.5 | 1.25 / 7.5 | 5 / 30 | – / – | 5 / 0.5 / 22.5 | –
gpt-5.4-mini | 0.75 | 0.075 | – / – | 4.5 | 0.375 / 2.25 | 0.375 / 2.25 | 1.5 / 9 | – / – | – / – / – | –
gpt-5.4-nano | 0.2 | 0.02 | – / – | 1.25 | 0.1 / 0.625 | 0.1 / 0.625 | – / – | – / – | – / – / – | 2027-04-01
gpt-5.4-pro | 30 | – | – / – | 180 | 15 / 90 | 15 / 90 | – / – | – / – | 60 / – / 270 | –
gpt-5.3-codex | 1.75 | 0.175 | – / – | 14 | – / – | – / – | 3.5 / 28 | – / – | – / – / – | 2027-04-01
gpt-5.2 | 1.75 | 0.175 | – / – | 14 | 0.875 / 7 | 0.875 / 7 | 3.5 / 28 | – / – | – / – / – | –
gpt-5.2-pro | 21 | – | – / – | 168 | 10.5 / 84 | – / – | – / – | – / – | – / – / – | –
gpt-5.1 | 1.25 | 0.125 | – / – | 10 | 0.625 / 5 | 0.625 / 5 | 2.5 / 20 | – / – | – / – / – | 2027-04-01
gpt-5 | 1.25 | 0.125 | – / – | 10 | 0.625 / 5 | 0.625 / 5 | 2.5 / 20 | – / – | – / – / – | 2026-12-11
gpt-5-mini | 0.25 | 0.025 | – / – | 2 | 0.125 / 1 | 0.125 / 1 | 0.45 / 3.6 | – / – | – / – / – | 2026-12-11
gpt-5-nano | 0.05 | 0.005 | – / – | 0.4 | 0.025 / 0.2 | 0.025 / 0.2 | – / – | – / – | – / – / – | 2026-12-11
gpt-5-pro | 15 | – | – / – | 120 | 7.5 / 60 | – / – | – / – | – / – | – / – / – | 2026-12-11
gpt-4.1 | 2 | 0.5 | – / – | 8 | 1 / 4 | – / – | 3.5 / 14 | – / – | – / – / – | –
gpt-4.1-mini | 0.4 | 0.1 | – / – | 1.6 | 0.2 / 0.8 | – / – | 0.7 / 2.8 | – / – | – / – / – | –
gpt-4.1-nano | 0.1 | 0.025 | – / – | 0.4 | 0.05 / 0.2 | – / – | 0.2 / 0.8 | – / – | – / – / – | 2026-10-23
gpt-4o | 2.5 | 1.25 | – / – | 10 | 1.25 / 5 | – / – | 4.25 / 17 | – / – | – / – / – | –
gpt-4o-mini | 0.15 | 0.075 | – / – | 0.6 | 0.075 / 0.3 | – / – | 0.25 / 1 | – / – | – / – / – | –
o3 | 2 | 0.5 | – / – | 8 | 1 / 4 | 1 / 4 | 3.5 / 14 | – / – | – / – / – | 2026-12-11
o3-pro | 20 | – | – / – | 80 | 10 / 40 | – / – | – / – | – / – | – / – / – | 2026-12-11
o4-mini | 1.1 | 0.275 | – / – | 4.4 | 0.55 / 2.2 | 0.55 / 2.2 | 2 / 8 | – / – | – / – / – | 2026-10-23
o3-mini | 1.1 | 0.55 | – / – | 4.4 | 0.55 / 2.2 | – / – | – / – | – / – | – / – / – | 2026-10-23
o1 | 15 | 7.5 | – / – | 60 | 7.5 / 30 | – / – | – / – | – / – | – / – / – | 2026-10-23
chat-latest | 5 | 0.5 | – / – | 30 | – / – | – / – | – / – | – / – | – / – / – | –
gpt-6-rosalind | 15 | 1.5 | 18.75 / 37.5 | 75 | – / – | – / – | – / – | – / – | 30 / 3 / 112.5 | –
"""

# What each amount of a line is the price of, from left to right.
AMOUNTS = (
    (Unit.INPUT, Tier.STANDARD, Band.SHORT),
    (Unit.CACHED, Tier.STANDARD, Band.SHORT),
    (Unit.CACHE_WRITE_30M, Tier.STANDARD, Band.SHORT),
    (Unit.CACHE_WRITE_12H, Tier.STANDARD, Band.SHORT),
    (Unit.OUTPUT, Tier.STANDARD, Band.SHORT),
    *((unit, tier, Band.SHORT) for tier in (Tier.BATCH, Tier.FLEX, Tier.PRIORITY, Tier.ULTRAFAST) for unit in (Unit.INPUT, Unit.OUTPUT)),
    (Unit.INPUT, Tier.STANDARD, Band.LONG),
    (Unit.CACHED, Tier.STANDARD, Band.LONG),
    (Unit.OUTPUT, Tier.STANDARD, Band.LONG),
)

LINES = FACTS.strip().splitlines()


def entry_of(sheet: Sheet, model: str) -> Entry:
    return next(entry for entry in sheet.entries if entry.model == model)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split(" | ")[0])
def test_every_price_is_the_published_one(public: Sheet, line: str) -> None:
    model, *amounts, shutdown = re.split(r" \| | / ", line)
    entry = entry_of(public, model)
    rows = {(row.unit, row.tier, row.band): row for row in entry.prices}
    assert len(amounts) == len(AMOUNTS)
    for key, amount in zip(AMOUNTS, amounts, strict=True):
        if amount == "–":
            assert key not in rows, key
        else:
            # A dollar per million tokens is a million pico-dollars per token.
            assert Fraction(rows[key].pico, rows[key].per) == Fraction(amount) * 1_000_000, key
    assert entry.shutdown_on == (None if shutdown == "–" else shutdown)


def test_the_long_band_begins_above_272_000_tokens_wherever_it_has_prices(public: Sheet) -> None:
    for line in LINES:
        model, long_input = line.split(" | ")[0], line.split(" | ")[9].split(" / ")[0]
        assert entry_of(public, model).band_tokens == (None if long_input == "–" else 272_000)


def test_cache_writes_of_the_long_band_are_priced_twice_the_short_ones(public: Sheet) -> None:
    for entry in public.entries:
        rows = {(row.unit, row.tier, row.band): row.pico for row in entry.prices}
        for (unit, tier, band), pico in rows.items():
            if unit in (Unit.CACHE_WRITE_30M, Unit.CACHE_WRITE_12H) and band is Band.LONG:
                assert pico == 2 * rows[unit, tier, Band.SHORT], (entry.model, unit, tier)


def test_a_write_for_thirty_minutes_costs_a_quarter_more_than_input_and_one_for_twelve_hours_twice_that(public: Sheet) -> None:
    for entry in public.entries:
        rows = {(row.unit, row.tier, row.band): row.pico for row in entry.prices}
        for (unit, tier, band), pico in rows.items():
            if unit is Unit.CACHE_WRITE_30M:
                assert 4 * pico == 5 * rows[Unit.INPUT, tier, band], (entry.model, tier, band)
            if unit is Unit.CACHE_WRITE_12H:
                assert pico == 2 * rows[Unit.CACHE_WRITE_30M, tier, band], (entry.model, tier, band)


def test_every_model_has_limits_a_source_and_the_day_of_the_table(public: Sheet) -> None:
    for entry in public.entries:
        assert entry.path_kind == "openai" and entry.path is None
        assert entry.window_tokens >= 4_096 and entry.max_output_tokens >= 1_024
        assert entry.source and entry.verified_on == entry.valid_from == "2026-11-12" and entry.valid_to is None


def test_reasoning_models_are_known_as_such(public: Sheet) -> None:
    told = {entry.model: entry.reasoning for entry in public.entries}
    assert all(told[model] for model in ("gpt-6-astra", "gpt-6.1-sol", "gpt-5.5", "gpt-5-mini", "o3", "o1"))
    assert not any(told[model] for model in ("gpt-4.1", "gpt-4o", "gpt-4o-mini", "gpt-3.5-turbo"))


def test_nothing_that_cannot_be_settled_is_in_the_table(public: Sheet) -> None:
    assert not [entry.model for entry in public.entries if re.search(r"^ft:|audio|-search-|container", entry.model)]


def test_the_files_are_the_pinned_ones() -> None:
    for pinned in (vendored.EXTRACT, vendored.OPENAI_PUBLIC):
        data = (files("headgate.pricing") / "data" / pinned.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == pinned.sha256, pinned.file


def test_the_notice_names_the_licence_and_every_digest() -> None:
    notice = (ROOT / "NOTICE").read_text()
    for digest in (vendored.SOURCE_SHA256, vendored.EXTRACT.sha256, vendored.OPENAI_PUBLIC.sha256):
        assert digest in notice
    assert "MIT License" in notice and "Copyright (c) 2023 Berri AI" in notice


def test_a_changed_byte_of_the_vendored_file_is_refused(public_bytes: bytes) -> None:
    changed = public_bytes.replace(b'"pico": 2000000', b'"pico": 1000000', 1)
    problems = vendored.read_vendored(vendored.OPENAI_PUBLIC, changed)
    assert isinstance(problems, list) and "SHA-256" in str(problems[0])


def test_converting_the_extract_again_gives_the_file_byte_for_byte() -> None:
    done = subprocess.run([sys.executable, "tools/convert_prices.py", "check"], cwd=ROOT, env={"PYTHONPATH": "src"}, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_extract_holds_no_number_that_could_become_a_float() -> None:
    text = (files("headgate.pricing") / "data" / vendored.EXTRACT.file).read_text()
    found: list[str] = []
    json.loads(text, parse_float=found.append)
    assert found == []


def test_the_sheet_is_written_in_its_own_form(public: Sheet, public_bytes: bytes) -> None:
    assert sheet_text(public).encode() == public_bytes
