"""How an attempt ended decides what it is charged, as a table that is complete.

A caller who hangs up is not in it: that does not stop the provider's meter, so it changes no charge.
"""

from __future__ import annotations

from headgate.terms.ending import Charge, Ending

# (how it ended, was a readable count seen) -> what happens to the hold
CHARGES: dict[tuple[Ending, bool], Charge] = {
    (Ending.NEVER_SENT, False): Charge.VOID,
    (Ending.REFUSED, False): Charge.VOID,
    # A provider that refuses and yet counts has billed what it counted.
    (Ending.REFUSED, True): Charge.ACTUAL,
    # Assumption A3: a complete error before any output is not billed. The daily reconciliation watches it.
    (Ending.BROKE, False): Charge.VOID,
    (Ending.BROKE, True): Charge.ACTUAL,
    (Ending.COMPLETED, False): Charge.SUSPECT,
    (Ending.COMPLETED, True): Charge.ACTUAL,
    (Ending.INCOMPLETE, False): Charge.SUSPECT,
    (Ending.INCOMPLETE, True): Charge.ACTUAL,
    (Ending.FAILED, False): Charge.SUSPECT,
    (Ending.FAILED, True): Charge.ACTUAL,
    (Ending.CUT, False): Charge.SUSPECT,
    # The count came, the end did not: what is counted may not be all, so the hold stays.
    (Ending.CUT, True): Charge.SUSPECT,
    (Ending.STALLED, False): Charge.SUSPECT,
    (Ending.STALLED, True): Charge.SUSPECT,
    (Ending.UNREADABLE, False): Charge.SUSPECT,
    (Ending.CRASHED, False): Charge.SUSPECT,
    # A rehearsal bills nobody, and its figures may not enter a real ledger.
    (Ending.REHEARSED, False): Charge.VOID,
    (Ending.REHEARSED, True): Charge.VOID,
}
# Absent, because nobody can count them: (NEVER_SENT, True), (UNREADABLE, True), (CRASHED, True).


def charge_of(ending: Ending, counted: bool) -> Charge:
    return CHARGES[ending, counted]
