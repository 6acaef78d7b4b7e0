"""Turns the public price table of LiteLLM (MIT, BerriAI) into Headgate's own price sheet, whole or not at all.

    python tools/convert_prices.py extract model_prices_and_context_window_backup.json   # from the wheel; its sha256 is pinned
    python tools/convert_prices.py convert                                               # extract -> openai-public.json
    python tools/convert_prices.py check                                                 # the file in the repository is what convert writes

Numbers are read as text and become whole pico-dollars through Decimal; an amount that is not whole, or a price key that this
file does not know, stops the conversion. A new table is a new sha256 and a new VERIFIED_ON here, and a `headgate price diff` to read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import cast

from headgate.pricing import vendored
from headgate.pricing.entry import Agreement, Entry, PriceRow, Sheet, sheet_text
from headgate.pricing.sheet import read_sheet
from headgate.terms.tariff import Band, Tier, Unit

DATA = Path(vendored.__file__).parent / "data"

# The day of the wheel: the table was the provider's public one then, as far as its source says.
VERIFIED_ON = "2026-11-12"
UNSAID_SOURCE = "litellm 1.109.1, which names no page"
BAND_TOKENS = 272_000
PICO_PER_DOLLAR = 10**12

Row = dict[str, object]  # a model's row of the public table: text, whole numbers as text, flags

# Left out by name, each for a reason.
LEFT_OUT = {
    r"ft:.*": "a fine-tuned model is priced by its owner's own name",
    r".*audio.*": "audio tokens are priced apart and a usage does not tell them apart",
    r".*-search-.*": "searches on every call, at a fee that nothing bounds",
    r"openai/container": "a session fee, not a model",
    r"gpt-6-astra-law": "its window passes 272,000 tokens, and the table has neither long-band nor cache-write prices for it",
}

FACTS = (
    "max_input_tokens",
    "max_output_tokens",
    "supports_reasoning",
    "deprecation_date",
    "source",
    "mode",
    "search_context_cost_per_query",
)

UNITS = {
    "input_cost_per_token": Unit.INPUT,
    "cache_read_input_token_cost": Unit.CACHED,
    "cache_creation_input_token_cost": Unit.CACHE_WRITE_30M,
    "cache_creation_input_token_cost_above_12hr": Unit.CACHE_WRITE_12H,
    "output_cost_per_token": Unit.OUTPUT,
}
BANDS = {"": Band.SHORT, "_above_272k_tokens": Band.LONG}
TIERS = {"": Tier.STANDARD, "_batches": Tier.BATCH, "_flex": Tier.FLEX, "_priority": Tier.PRIORITY, "_ultrafast": Tier.ULTRAFAST}

KEYS = {
    f"{unit_key}{band_key}{tier_key}": (unit, tier, band)
    for unit_key, unit in UNITS.items()
    for band_key, band in BANDS.items()
    for tier_key, tier in TIERS.items()
}

# Price keys that are known and mean nothing here: another route, and the uplift that `rates.uplifted` computes.
OTHER_KEYS = re.compile(r".*_decisions|regional_processing_uplift_multiplier_(eu|us)")
PRICE_KEY = re.compile(r".*(cost|price|fee|uplift).*")


class Unconvertible(Exception):
    """The table says something that this file would have to guess about."""


def read_table(text: str) -> dict[str, Row]:
    """Every number stays the text it was written as: a float would lose the last digit of a price."""
    return json.loads(text, parse_float=str, parse_int=str)


def extract(table: dict[str, Row]) -> dict[str, Row]:
    """The rows of OpenAI's own text models over Chat Completions and Responses, with nothing but prices and limits."""
    rows: dict[str, Row] = {}
    for model, row in table.items():
        if row.get("litellm_provider") != "openai" or row.get("mode") not in ("chat", "responses"):
            continue
        # Without a window there is no bound, and without a bound no call.
        if any(re.fullmatch(pattern, model) for pattern in LEFT_OUT) or "max_input_tokens" not in row:
            continue
        rows[model] = {key: value for key, value in row.items() if key in FACTS or PRICE_KEY.fullmatch(key)}
    return rows


def convert(rows: dict[str, Row]) -> Sheet:
    """The sheet that the extract says. A snapshot that says what its family says is left out: the book resolves it."""
    entries = {model: entry_of(model, row) for model, row in rows.items()}
    kept = [entry for model, entry in sorted(entries.items()) if not _repeats_family(model, entry, entries)]
    return Sheet(name="openai-public", agreement=Agreement.PUBLIC, entries=tuple(kept))


def entry_of(model: str, row: Row) -> Entry:
    prices = [PriceRow(*KEYS[key], pico=pico(model, key, row[key])) for key in row if key in KEYS]
    for key in row:
        if PRICE_KEY.fullmatch(key) and key not in KEYS and key not in FACTS and not OTHER_KEYS.fullmatch(key):
            raise Unconvertible(f"{model}: the price key {key} is not known")
    searches = row.get("search_context_cost_per_query")
    if isinstance(searches, dict):
        amounts = cast(dict[str, str], searches).values()
        # The three sizes of search have had three prices; the dearest is charged, for a usage does not tell the size.
        fee = max(pico(model, "search_context_cost_per_query", amount) for amount in amounts)
        prices.append(PriceRow(Unit.WEB_SEARCH, Tier.STANDARD, Band.SHORT, fee))
    long_band = any(price.band is Band.LONG for price in prices)
    source, shutdown = row.get("source"), row.get("deprecation_date")
    return Entry(
        path_kind="openai",
        path=None,
        model=model,
        window_tokens=int(str(row["max_input_tokens"])),
        max_output_tokens=int(str(row["max_output_tokens"])),
        band_tokens=BAND_TOKENS if long_band else None,
        reasoning=row.get("supports_reasoning") is True,
        shutdown_on=None if shutdown is None else str(shutdown),
        source=UNSAID_SOURCE if source is None else str(source),
        verified_on=VERIFIED_ON,
        valid_from=VERIFIED_ON,
        valid_to=None,
        prices=tuple(prices),
    )


def pico(model: str, key: str, amount: object) -> int:
    """Dollars per token, as text, to whole pico-dollars."""
    exact = Decimal(str(amount)) * PICO_PER_DOLLAR
    if exact != exact.to_integral_value() or exact <= 0:
        raise Unconvertible(f"{model}: {key} = {amount} is not a whole number of pico-dollars above zero")
    return int(exact)


def _repeats_family(model: str, entry: Entry, entries: dict[str, Entry]) -> bool:
    snapshot = re.fullmatch(r"(.+)-[0-9]{4}-[0-9]{2}-[0-9]{2}", model)
    family = None if snapshot is None else entries.get(snapshot[1])
    return family is not None and _money(entry) == _money(family)


def _money(entry: Entry) -> tuple[frozenset[PriceRow], int, int, int | None, bool]:
    return frozenset(entry.prices), entry.window_tokens, entry.max_output_tokens, entry.band_tokens, entry.reasoning


def extract_text(rows: dict[str, Row]) -> str:
    return json.dumps(rows, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def converted_text() -> str:
    """What `convert` writes; refused when our own strict reader refuses it."""
    text = sheet_text(convert(json.loads((DATA / vendored.EXTRACT.file).read_text(encoding="utf-8"))))
    sheet = read_sheet(text)
    if isinstance(sheet, list):
        raise Unconvertible("\n".join(str(problem) for problem in sheet))
    return text


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("extract", "convert", "check"))
    parser.add_argument("source", nargs="?", type=Path, help="the public table, for extract")
    chosen = parser.parse_args(arguments)
    try:
        return _run(chosen.command, chosen.source)
    except Unconvertible as problem:
        print(problem, file=sys.stderr)
        return 1


def _run(command: str, source: Path | None) -> int:
    if command == "extract":
        if source is None:
            print("extract needs the file of the public table", file=sys.stderr)
            return 2
        table = source.read_bytes()
        print(f"source sha256 {hashlib.sha256(table).hexdigest()} (pinned: {vendored.SOURCE_SHA256})")
        (DATA / vendored.EXTRACT.file).write_text(extract_text(extract(read_table(table.decode()))), encoding="utf-8")
    elif command == "convert":
        (DATA / vendored.OPENAI_PUBLIC.file).write_text(converted_text(), encoding="utf-8")
    elif converted_text() != (DATA / vendored.OPENAI_PUBLIC.file).read_text(encoding="utf-8"):
        print(f"{vendored.OPENAI_PUBLIC.file} is not what convert writes", file=sys.stderr)
        return 1
    for pinned in (vendored.EXTRACT, vendored.OPENAI_PUBLIC):
        file = DATA / pinned.file
        found = hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else "missing"
        print(f"{pinned.file} sha256 {found}{'' if found == pinned.sha256 else ' (pinned: ' + pinned.sha256 + ')'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
