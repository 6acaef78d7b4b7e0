"""A terminal in a folder with a headgate.toml: commands run in this process, and what they print is kept apart by stream."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.store.book import doubting, nobody_waits, order, posting

from headgate.assembly import SYSTEM_CLOCK, open_ledger
from headgate.cli.main import cli
from headgate.config.load import load
from headgate.config.reference import default_file
from headgate.names import AttemptId
from headgate.store.folder import LEDGER_FILE
from headgate.terms.budget import Leg

CREDENTIAL = "sk-that-nobody-may-see"
TOML = default_file(rehearsal=True, base_url="http://127.0.0.1:9/v1")


@dataclass
class Said:
    """How a command ended, and what it said where."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Terminal:
    """`run` is the program as a person calls it. Nothing of a credential may ever be printed."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, text: str = TOML) -> None:
        self.folder = folder
        self._patch = patch
        patch.chdir(folder)
        patch.setenv("OPENAI_API_KEY", CREDENTIAL)
        patch.setenv("HEADGATE_ACTOR", "alice")
        patch.setenv("COLUMNS", "400")
        if text:
            self.write(text)

    def write(self, text: str) -> None:
        (self.folder / "headgate.toml").write_text(text, encoding="utf-8")

    def run(self, *arguments: str) -> Said:
        ended = CliRunner().invoke(cli, arguments, prog_name="headgate")
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        said = Said(ended.exit_code, ended.stdout, ended.stderr)
        assert CREDENTIAL not in said.out + said.err
        assert "Traceback" not in said.err
        return said

    def done(self, *arguments: str) -> Said:
        """A command that is carried out, and says nothing on standard error but what was asked for."""
        said = self.run(*arguments)
        assert said.code == 0, said.err
        return said

    def told(self, code: int, *arguments: str) -> str:
        """A command that is not: its exit code, nothing on standard output, one message that says who speaks."""
        said = self.run(*arguments)
        assert said.code == code, (said.code, said.out, said.err)
        assert said.out == "" and said.err.startswith(("headgate: ", "Usage: headgate"))
        return said.err

    def key(self, *more: str) -> Any:
        return self.done("key", "issue", "--json", "--workspace", "ci", "--label", "payments", *more).json

    @property
    def book(self) -> Path:
        return self.folder / "data" / LEDGER_FILE

    def calls(self, *moves: str, nano: int = 1_000_000_000) -> None:
        """Calls of workspace ci, numbered from 1: each is `posted`, `doubted`, `breached` or left `held`."""
        settings = load(self.folder / "headgate.toml", {"OPENAI_API_KEY": CREDENTIAL})
        legs = [Leg(rule, f"workspace:{rule.value}") for rule in settings.rules if rule.value == "ci"]
        self.book.parent.mkdir(exist_ok=True)
        ledger = open_ledger(settings, SYSTEM_CLOCK)
        ledger.start()
        for number, move in enumerate(moves, 1):
            ledger.begin()
            ledger.admit(order(number, legs, nano), nobody_waits, False)
            ledger.commit()
            settlement = {"posted": posting(number, nano // 2), "doubted": doubting(number), "breached": posting(number, 2 * nano)}
            ledger.begin()
            if move in settlement:
                ledger.settle(settlement[move])
            ledger.commit()
        ledger.database.close()


HOLD = AttemptId(1)
