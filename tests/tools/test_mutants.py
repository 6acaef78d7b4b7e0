"""The tests of the ledger cry when a fault is put into it."""

from __future__ import annotations

import pytest
from tools.mutants import MUTANTS, ROOT, Fate, Mutant, main, sound, try_mutant

QUICK = ("one nano-dollar too much fits", "an overrun is booked inside the cap", "a cost is rounded down")


def test_every_mutant_still_matches_its_source_once_and_names_tests_that_exist() -> None:
    for mutant in MUTANTS:
        text = (ROOT / "src/headgate" / mutant.file).read_text("utf-8")
        assert [text.count(old) for old, _ in mutant.edits] == [1] * len(mutant.edits), mutant.name
        assert all((ROOT / "tests" / name).exists() for name in mutant.tests), mutant.name
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 16


@pytest.mark.parametrize("mutant", [mutant for mutant in MUTANTS if mutant.name in QUICK], ids=lambda mutant: mutant.name)
def test_a_fault_in_the_core_is_caught(mutant: Mutant) -> None:
    assert sound(mutant.tests)
    assert try_mutant(mutant) is Fate.CAUGHT


def test_a_change_that_breaks_nothing_survives_and_one_without_its_text_is_told() -> None:
    harmless = Mutant("harmless", "money.py", (('"a cost is never negative"', '"a cost is not negative"'),), ("test_money.py",))
    assert try_mutant(harmless) is Fate.SURVIVED
    gone = Mutant("gone", "money.py", (("a text that is not there", ""),), ("test_money.py",))
    assert try_mutant(gone) is Fate.NO_MATCH


@pytest.mark.long
def test_every_fault_is_caught() -> None:
    assert main([]) == 0
