"""Prices as people read them: dollars per million tokens, cents a call, and how old the check is."""

from __future__ import annotations

from headgate.pricing.book import PriceBook
from headgate.pricing.diff import differences
from headgate.pricing.entry import Sheet, day_instant
from headgate.pricing.show import DIFF_COLUMNS, LIST_COLUMNS, SHOW_COLUMNS, diff_rows, facts_of, list_rows, show_price, show_rows
from headgate.terms.tariff import Price, Unit

AT = day_instant("2026-11-21")


def test_a_price_is_shown_per_million_tokens_and_a_fee_per_call() -> None:
    assert show_price(Unit.INPUT, Price(2_000_000)) == ("$2.00", "1M tokens")
    assert show_price(Unit.CACHED, Price(5_000)) == ("$0.005", "1M tokens")
    assert show_price(Unit.INPUT, Price(22_000_000, 10)) == ("$2.20", "1M tokens")
    assert show_price(Unit.WEB_SEARCH, Price(10_000_000_000)) == ("$0.01", "call")


def test_what_nine_decimals_do_not_hold_is_rounded_up() -> None:
    assert show_price(Unit.INPUT, Price(1_000_000, 3)) == ("$0.333333334", "1M tokens")


def test_a_list_has_one_line_a_model(book: PriceBook) -> None:
    rows = list_rows(book.models("openai", AT), AT)
    (sol,) = [row for row in rows if row[1] == "gpt-6.1-sol"]
    assert dict(zip(LIST_COLUMNS, sol, strict=True)) == {
        "path": "openai",
        "model": "gpt-6.1-sol",
        "input": "$2.00",
        "cached": "$0.10",
        "output": "$10.00",
        "per": "1M tokens",
        "tiers": "standard, batch, flex, priority, ultrafast",
        "verified": "2026-11-12 (9 d)",
        "state": "",
        "agreement": "public",
    }


def test_a_list_says_which_prices_are_old(book: PriceBook) -> None:
    assert {row[8] for row in list_rows(book.models("openai", day_instant("2026-12-30")), day_instant("2026-12-30"))} == {"ageing"}
    assert {row[8] for row in list_rows(book.models("openai", day_instant("2027-03-01")), day_instant("2027-03-01"))} == {"stale"}


def test_a_model_is_shown_price_by_price_in_the_order_people_compare(book: PriceBook) -> None:
    tariff = book.tariff("openai", "gpt-5.5", AT)
    assert tariff is not None
    rows = show_rows(tariff)
    assert all(len(row) == len(SHOW_COLUMNS) for row in rows)
    assert rows[0] == ("standard", "short", "input", "$5.00", "1M tokens")
    assert ("standard", "long", "output", "$45.00", "1M tokens") in rows
    assert ("long band", "above 272,000 input tokens") in facts_of(tariff, AT)
    assert ("verified", "2026-11-12 (9 days ago, fresh)") in facts_of(tariff, AT)


def test_a_difference_is_one_line(public: Sheet) -> None:
    rows = diff_rows(differences(public.entries, public.entries[1:]))
    assert all(len(row) == len(DIFF_COLUMNS) for row in rows)
    assert rows[0] == ("removed", "chat-latest", "input standard short", "$5.00 per million", "-", "")
