"""Importing a price sheet: checked, compared with what is in force, kept for ever. Rows are never changed; newer ones win."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from headgate.control.command import ImportPrices, Wrong
from headgate.pricing.book import Listed
from headgate.pricing.diff import Difference, differences, steep_falls
from headgate.pricing.entry import Agreement, Sheet, digest, entry_text, read_entry
from headgate.pricing.sheet import read_sheet
from headgate.pricing.show import diff_rows
from headgate.store import rows
from headgate.store.ledger import Ledger
from headgate.store.sqlite import Row


class Imported(msgspec.Struct, frozen=True):
    """What an import did; `digest` is the content hash of the sheet."""

    sheet: str
    digest: str
    models: int
    fresh: int


def import_prices(ledger: Ledger, command: ImportPrices) -> Imported:
    sheet = read_sheet(command.sheet)
    if isinstance(sheet, list):
        told = "\n".join(f"  {p.place}: found {p.found}; expected {p.expected}, for example {p.example}" for p in sheet[:20])
        raise Wrong(f"the price sheet has {len(sheet)} problem(s), nothing was imported:\n{told}")
    falls = steep_falls(changes(listed(ledger.database.run("tariffs")), sheet))
    if falls and not command.force:
        # Too low a price is a cap that leaks, so this is asked here, where no client of the socket gets around it.
        told = "\n".join("  " + " ".join(row) for row in diff_rows(falls))
        raise Wrong(f"{len(falls)} price(s) fall by more than half; nothing was imported. If that is right, say --force:\n{told}")
    name = digest(sheet.agreement, sheet.entries)
    before = len(ledger.database.run("tariffs"))
    for entry in sheet.entries:
        ledger.database.run("add_tariff", (name, sheet.agreement.value, entry.model, entry_text(entry), ledger.now))
    fresh = len(ledger.database.run("tariffs")) - before
    if fresh:
        ledger.record("prices", {"sheet": sheet.name, "digest": name, "models": len(sheet.entries), "fresh": fresh, "actor": command.actor})
    return Imported(sheet.name, name, len(sheet.entries), fresh)


def changes(known: Sequence[Listed], sheet: Sheet) -> list[Difference]:
    """What an import of the sheet would change. A model that it does not name stays as it is."""
    named = {(entry.path_kind, entry.path, entry.model) for entry in sheet.entries}
    return differences((e for item in known if ((e := item.entry).path_kind, e.path, e.model) in named), sheet.entries)


def listed(found: Sequence[Row]) -> list[Listed]:
    """The rows of the store as the price book takes them."""
    return [Listed(rows.whole(row[0]), Agreement(row[1]), read_entry(rows.text(row[2]))) for row in found]
