"""An operator's desk over a real book: each command in a transaction of its own, as the writer runs it."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from tests.store.book import Book

from headgate.control.carry import Situation, carry_out
from headgate.control.command import Change, ImportPrices, IssueKey, Wrong
from headgate.control.keys import Issued
from headgate.pricing.vendored import OPENAI_PUBLIC
from headgate.store import rows
from headgate.terms.budget import BudgetRule, Measure, Period
from headgate.terms.caller import Dimension

MONTH = BudgetRule(Dimension.WORKSPACE, "ci", Period.MONTH, Measure.MONEY, 1_000)
EACH_USER = BudgetRule(Dimension.USER, "*", Period.DAY, Measure.TOKENS, 500)
PUBLIC = files("headgate.pricing").joinpath("data", OPENAI_PUBLIC.file).read_text("utf-8")


class Office:
    """The workspaces `ci` and `production`, two rules, and whatever the commands make of the book."""

    def __init__(self, folder: Path) -> None:
        self.book = Book(folder)
        self.situation = Situation(("ci", "production"), (MONTH, EACH_USER))

    def does(self, command: Change) -> Any:
        """Carry it out; a mistake undoes everything, as the writer does."""
        ledger = self.book.ledger
        ledger.begin()
        try:
            answer = carry_out(ledger, command, self.situation)
            ledger.commit()
        except Wrong:
            ledger.abandon()
            raise
        return answer

    def refuses(self, command: Change) -> str:
        """What is said to a command that cannot be carried out; the book is as it was."""
        before = list(self.book.database.run("leaves"))
        try:
            self.does(command)
        except Wrong as error:
            assert list(self.book.database.run("leaves")) == before
            return str(error)
        raise AssertionError(f"{command} was carried out")

    def issues(self, **fields: Any) -> Issued:
        return self.does(IssueKey(**{"actor": "alice", "workspace": "ci", "label": "payments", **fields}))

    def refuses_issue(self, **fields: Any) -> str:
        return self.refuses(IssueKey(**{"actor": "alice", "workspace": "ci", "label": "payments", **fields}))

    def imports(self, sheet: str = PUBLIC, force: bool = False) -> Any:
        return self.does(ImportPrices(actor="alice", sheet=sheet, force=force))

    def leaves(self, kind: str) -> list[Any]:
        told: list[Any] = [json.loads(rows.blob(data)) for _, data in self.book.database.run("leaves")]
        return [leaf for leaf in told if leaf["kind"] == kind]


def sheet(model: str = "gpt-5.5", pico: int = 5_000_000, **sheet_fields: Any) -> str:
    """A price sheet of one model whose input costs so much."""
    said = json.loads(PUBLIC)
    entry = next(entry for entry in said["models"] if entry["model"] == model)
    for price in entry["prices"]:
        if (price["unit"], price["tier"], price["band"]) == ("input", "standard", "short"):
            price["pico"] = pico
    return json.dumps({**said, "models": [entry], **sheet_fields})
