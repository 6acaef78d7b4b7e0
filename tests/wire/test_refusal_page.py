"""The reference page names every reason, for every client, with a way out."""

from __future__ import annotations

from headgate.refusal import MANNERS, Kind, Reason
from headgate.wire.refusal_page import WHAT_ELSE, WHAT_TO_DO, refusal_page


def test_every_reason_has_a_row_a_meaning_and_a_way_out():
    page = refusal_page()
    for reason, manner in MANNERS.items():
        assert page.count(f"[`{reason.value}`](#{reason.value}) |") == 1
        told = page.split(f"### `{reason.value}`\n\n")[1].split("\n")[0]
        assert told.startswith(manner.means) and len(told) > len(manner.means) + 20
    assert set(WHAT_TO_DO) == set(Kind) and set(WHAT_ELSE) <= set(Reason)


def test_the_rows_stand_in_order_of_precedence():
    page = refusal_page()
    places = [page.index(f"| [`{reason.value}`]") for reason in Reason]
    assert places == sorted(places)
