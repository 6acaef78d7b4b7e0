"""How an attempt ended decides its charge, for every ending, with a count and without one."""

from __future__ import annotations

from itertools import product

import pytest

from headgate.ledger.ending import CHARGES, charge_of
from headgate.terms.ending import Charge, Ending

NOBODY_CAN_COUNT = {(Ending.NEVER_SENT, True), (Ending.UNREADABLE, True), (Ending.CRASHED, True)}


def test_every_ending_is_charged_with_and_without_a_count() -> None:
    assert set(CHARGES) | NOBODY_CAN_COUNT == set(product(Ending, (False, True)))
    assert not set(CHARGES) & NOBODY_CAN_COUNT


@pytest.mark.parametrize("ending", sorted((ending for ending, counted in NOBODY_CAN_COUNT if counted), key=lambda e: e.value))
def test_a_count_that_nobody_can_have_seen_is_a_bug_and_not_a_charge(ending: Ending) -> None:
    with pytest.raises(KeyError):
        charge_of(ending, True)


def test_only_proof_that_nothing_was_billed_voids_a_hold() -> None:
    proof = {Ending.NEVER_SENT, Ending.REFUSED, Ending.BROKE, Ending.REHEARSED}
    assert {ending for (ending, _), charge in CHARGES.items() if charge is Charge.VOID} == proof


def test_what_was_sent_and_not_counted_to_its_end_stays_suspect() -> None:
    for ending in (Ending.CUT, Ending.STALLED, Ending.CRASHED, Ending.UNREADABLE, Ending.COMPLETED, Ending.FAILED, Ending.INCOMPLETE):
        assert charge_of(ending, False) is Charge.SUSPECT
    assert charge_of(Ending.CUT, True) is charge_of(Ending.STALLED, True) is Charge.SUSPECT


def test_a_complete_answer_with_a_count_is_charged_what_it_counted_whatever_it_says() -> None:
    for ending in (Ending.COMPLETED, Ending.INCOMPLETE, Ending.FAILED, Ending.REFUSED, Ending.BROKE):
        assert charge_of(ending, True) is Charge.ACTUAL


def test_a_rehearsal_never_charges_a_real_ledger() -> None:
    assert {charge_of(Ending.REHEARSED, counted) for counted in (False, True)} == {Charge.VOID}
