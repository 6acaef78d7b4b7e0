"""Faults put into the ledger on purpose, one at a time, and the quick tests that must cry for each of them.

`python tools/mutants.py [name …]` copies the source and the tests, changes one text, runs the named tests and prints a table.
It fails when a mutant survives, and when the text it changes is no longer there: then the mutant has to follow the source.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 300  # a mutant that hangs its test is caught too


@dataclass(frozen=True, slots=True)
class Mutant:
    """`edits` are exact texts of `file` and what stands there instead; `tests` are the files that must fail."""

    name: str
    file: str
    edits: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]


class Fate(Enum):
    CAUGHT = "caught"
    SURVIVED = "SURVIVED"
    NO_MATCH = "NO MATCH"


RESERVE, SETTLE, BALANCE = "ledger/reserve.py", "ledger/settle.py", "ledger/balance.py"
LEDGER, WRITER = "store/ledger.py", "store/writer.py"

MUTANTS = (
    Mutant(
        "one nano-dollar too much fits",
        RESERVE,
        (("output) > balance.room]", "output) > balance.room + 1]"),),
        ("ledger/test_reserve.py",),
    ),
    Mutant(
        "what fits exactly does not",
        RESERVE,
        (("output) > balance.room]", "output) >= balance.room]"),),
        ("ledger/test_reserve.py",),
    ),
    Mutant(
        "only the first budget is asked",
        RESERVE,
        (("short = [balance for balance in balances if", "short = [balance for balance in balances[:1] if"),),
        ("ledger/test_reserve.py",),
    ),
    Mutant(
        "a refusal keeps a hold on the first budget",
        RESERVE,
        (("        if fitted is None:\n", "        if fitted is None:\n            balances[0].held += 1\n"),),
        ("ledger/test_reserve.py",),
    ),
    Mutant(
        "only the first leg is written",
        LEDGER,
        (
            (
                '        for budget, held in legs:\n            self._add("add_leg"',
                '        for budget, held in legs[:1]:\n            self._add("add_leg"',
            ),
        ),
        ("store/test_ledger.py",),
    ),
    Mutant(
        "exhausted is said when waiting would help",
        RESERVE,
        (("bound.minimum_output) > b.room_at_rest)", "bound.minimum_output) > b.room)"),),
        ("ledger/test_reserve.py",),
    ),
    Mutant(
        "who is shortened takes the share of the others",
        RESERVE,
        (("b.room // (waiting.get(b.id, 0) + 1)", "b.room"),),
        ("ledger/test_reserve.py",),
    ),
    Mutant(
        "a cap on its way down still gives room",
        BALANCE,
        (("limit = self.cap if self.target is None else self.target", "limit = self.cap"),),
        ("ledger/test_balance.py",),
    ),
    Mutant(
        "what is suspect is not held",
        SETTLE,
        (("        balance.suspect += held\n", "        balance.suspect += held\n        balance.held -= held\n"),),
        ("ledger/test_settle.py",),
    ),
    Mutant(
        "an overrun is booked inside the cap",
        SETTLE,
        (("posted = min(used, balance.cap - balance.posted - balance.held)", "posted = used"),),
        ("ledger/test_settle.py",),
    ),
    Mutant(
        "a hold is not given back",
        SETTLE,
        (("    balance.held -= held\n", "    pass\n"),),
        ("ledger/test_settle.py",),
    ),
    Mutant(
        "a cost is rounded down",
        "money.py",
        (("return -(-pico // PICO_PER_NANO)", "return pico // PICO_PER_NANO"),),
        ("test_money.py",),
    ),
    Mutant(
        "an answer that was cut is charged what had been counted",
        "ledger/ending.py",
        (("(Ending.CUT, True): Charge.SUSPECT", "(Ending.CUT, True): Charge.ACTUAL"),),
        ("ledger/test_ending.py",),
    ),
    Mutant(
        "the last day of a term is outside",
        "ledger/period.py",
        (("_midnight(last + timedelta(days=1), zone)", "_midnight(last, zone)"),),
        ("ledger/test_period.py",),
    ),
    Mutant(
        "a crash frees what was held",
        LEDGER,
        (("Settlement(attempt, Charge.SUSPECT, Outcome(Ending.CRASHED))", "Settlement(attempt, Charge.VOID, Outcome(Ending.CRASHED))"),),
        ("store/test_ledger.py",),
    ),
    Mutant(
        "a doubt is freed by time",
        LEDGER,
        (
            (
                "        for attempt in left:\n",
                (
                    '        for row in self.database.run("suspects"):\n'
                    "            self.settle(Settlement(AttemptId(rows.whole(row[0])), Charge.VOID, Outcome(Ending.CUT)))\n"
                    "        for attempt in left:\n"
                ),
            ),
        ),
        ("store/test_ledger.py",),
    ),
    Mutant(
        "a hold is settled twice",
        LEDGER,
        (("        if attempt in self._closed:\n", "        if attempt in ():\n"),),
        ("store/test_ledger.py",),
    ),
    Mutant(
        "a breach freezes nothing",
        LEDGER,
        (("            if posted.breached:\n", "            if posted.overran:\n"),),
        ("store/test_ledger.py",),
    ),
    Mutant(
        "a refund is paid twice",
        LEDGER,
        ((" or any(kind == EntryKind.REFUND.value for _, kind, _ in entries)", ""),),
        ("store/test_ledger.py",),
    ),
    Mutant(
        "a period that is looked up again begins at zero",
        LEDGER,
        (("            self._apply_cap(balance, cap)\n        self._periods[", "            balance.posted = 0\n        self._periods["),),
        ("store/test_ledger.py",),
    ),
    Mutant(
        "an override never expires",
        LEDGER,
        (("if expires_us > self.now else", "if expires_us else"),),
        ("store/test_ledger.py",),
    ),
    Mutant(
        "an override that was undone stays in force",
        LEDGER,
        (("self._sequence, self._previous, self._overrides, self._caps = self._mark", "self._sequence, self._previous = self._mark[:2]"),),
        ("store/test_ledger.py",),
    ),
    Mutant(
        "a clock that jumped opens a new period",
        LEDGER,
        ((" self._clock_unsure():\n", " self.now < 0:\n"),),
        ("store/test_ledger.py",),
    ),
    Mutant(
        "leaves are not chained",
        LEDGER,
        (("        self._previous: str = leaf_hash(leaf)\n", '        self._previous: str = leaf_hash(b"")\n'),),
        ("store/test_ledger.py",),
    ),
    Mutant(
        "a person stands in a leaf",
        LEDGER,
        (("PERSONAL = frozenset({Dimension.USER, ", "PERSONAL = frozenset({"),),
        ("store/test_ledger.py",),
    ),
    Mutant(
        "a hold is told before it is durable",
        WRITER,
        (
            (
                "            self._ledger.commit()\n        except apsw.FullError:",
                (
                    "            self._tell(self._answers)\n            self._answers = []\n"
                    "            self._ledger.commit()\n        except apsw.FullError:"
                ),
            ),
        ),
        ("store/test_writer.py",),
    ),
    Mutant(
        "an order passes its sibling that waits",
        WRITER,
        (("            elif work.wait_us and self._line.waits(work.key):\n", "            elif work.wait_us < 0:\n"),),
        ("store/test_writer.py",),
    ),
    Mutant(
        "a full disk loses settlements",
        WRITER,
        (
            (
                "        self._kept = [(work, answered) for work, answered in works if isinstance(work, Settlement)]\n",
                "        self._kept = []\n",
            ),
        ),
        ("store/test_writer.py",),
    ),
    Mutant(
        "a failing disk is tried again",
        WRITER,
        (("        except apsw.FullError:\n", "        except (apsw.FullError, apsw.IOError):\n"),),
        ("store/test_writer.py",),
    ),
    Mutant(
        "a commit is not synced",
        "store/sqlite.py",
        (
            ('"synchronous=FULL"', '"synchronous=NORMAL"'),
            ('_pragma(connection, "synchronous") != 2', '_pragma(connection, "synchronous") != 1'),
        ),
        ("trials/test_power.py",),
    ),
    Mutant(
        "the proof does not look at holds",
        "store/verify.py",
        (("        take(check_hold(facts, replay))\n", ""),),
        ("store/test_verify.py",),
    ),
    Mutant(
        "the proof does not look at the chain",
        "audit/chain.py",
        (("        if link.prev != end.hash:\n", "        if link.prev == NO_LEAF:\n"),),
        ("audit/test_chain.py",),
    ),
)


def try_mutant(mutant: Mutant) -> Fate:
    """Run the mutant's tests on a copy that has its fault."""
    text = (ROOT / "src/headgate" / mutant.file).read_text("utf-8")
    for old, new in mutant.edits:
        if text.count(old) != 1:
            return Fate.NO_MATCH
        text = text.replace(old, new)
    with tempfile.TemporaryDirectory(prefix="headgate-mutant-") as folder:
        copy = Path(folder)
        kept_out = shutil.ignore_patterns("__pycache__")
        for name in ("src", "tests"):
            shutil.copytree(ROOT / name, copy / name, ignore=kept_out)
        shutil.copy(ROOT / "pyproject.toml", copy)
        (copy / "src/headgate" / mutant.file).write_text(text, "utf-8")
        return Fate.CAUGHT if _fails(copy, mutant.tests) else Fate.SURVIVED


def sound(tests: tuple[str, ...]) -> bool:
    """Whether the tests pass on the source as it is; if they do not, nothing is proved by their failing."""
    return not _fails(ROOT, tests)


def _fails(root: Path, tests: tuple[str, ...]) -> bool:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not long", *(f"tests/{name}" for name in tests)]
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return True
    # 1: tests ran and some failed. Anything else (nothing collected, a usage error) would be no proof.
    assert done.returncode in (0, 1), done.stdout.decode() + done.stderr.decode()
    return done.returncode == 1


def main(names: list[str]) -> int:
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    files = tuple(sorted({name for mutant in chosen for name in mutant.tests}))
    if not sound(files):
        print("The tests fail without any mutant: mend them first.")
        return 1
    fates: list[Fate] = []
    for mutant in chosen:
        fates.append(try_mutant(mutant))
        print(f"{fates[-1].value:<9} {mutant.name}  ({mutant.file}; {', '.join(mutant.tests)})", flush=True)
    caught = fates.count(Fate.CAUGHT)
    print(f"{caught} of {len(fates)} mutants caught")
    return 0 if fates and caught == len(fates) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
