"""Which price holds: the path's own before its kind's, negotiated before public, later before earlier, and none before a guess."""

from __future__ import annotations

import msgspec
import pytest

from headgate.names import Instant
from headgate.pricing.book import STOP_AFTER_DAYS, WARN_AFTER_DAYS, Freshness, Listed, PriceBook, age_days, freshness, price_book
from headgate.pricing.entry import DAY_US, Agreement, Entry, PriceRow, day_instant
from headgate.terms.tariff import Band, Price, Tier, Unit

AT = day_instant("2026-11-21")

ENTRY = Entry(
    path_kind="openai",
    path=None,
    model="gpt-x",
    window_tokens=400_000,
    max_output_tokens=128_000,
    band_tokens=None,
    reasoning=True,
    shutdown_on=None,
    source="by hand",
    verified_on="2026-11-12",
    valid_from="2026-11-12",
    valid_to=None,
    prices=(
        PriceRow(Unit.INPUT, Tier.STANDARD, Band.SHORT, 2_000_000),
        PriceRow(Unit.OUTPUT, Tier.STANDARD, Band.SHORT, 10_000_000),
    ),
)


def listed(row: int, agreement: Agreement = Agreement.PUBLIC, **said: object) -> Listed:
    return Listed(row, agreement, msgspec.structs.replace(ENTRY, **said))


def row_at(book: PriceBook, path: str, model: str, at: Instant = AT) -> int | None:
    found = book.tariff(path, model, at)
    return None if found is None else found.row


def test_a_tariff_says_what_its_entry_says() -> None:
    found = price_book([listed(7, shutdown_on="2027-01-14")], {"main": "openai"}).tariff("main", "gpt-x", AT)
    assert found is not None
    assert (found.row, found.path, found.model, found.shutdown_on) == (7, "main", "gpt-x", "2027-01-14")
    assert found.prices[Unit.OUTPUT, Tier.STANDARD, Band.SHORT] == Price(10_000_000)
    assert found.valid_from == day_instant("2026-11-12") and found.valid_to is None


def test_an_unknown_model_or_path_or_kind_has_no_tariff() -> None:
    book = price_book([listed(1)], {"main": "openai", "cloud": "azure"})
    assert row_at(book, "main", "gpt-y") is None
    assert row_at(book, "cloud", "gpt-x") is None
    assert row_at(book, "elsewhere", "gpt-x") is None


def test_a_snapshot_has_the_prices_of_its_family() -> None:
    book = price_book([listed(1)], {"main": "openai"})
    assert row_at(book, "main", "gpt-x-2026-04-23") == 1
    for other in ("gpt-x-2026-4-23", "gpt-x-20260423", "gpt-x-mini", "gpt-x-2026-04-23-eu", "2026-04-23", "-2026-04-23"):
        assert row_at(book, "main", other) is None, other


def test_a_snapshot_with_a_row_of_its_own_has_its_own_prices(book: PriceBook) -> None:
    own, family = book.tariff("openai", "gpt-4o-2024-05-13", AT), book.tariff("openai", "gpt-4o-2024-08-06", AT)
    assert own is not None and own.model == "gpt-4o-2024-05-13"
    assert family is not None and family.model == "gpt-4o"
    key = Unit.INPUT, Tier.STANDARD, Band.SHORT
    assert (own.prices[key], family.prices[key]) == (Price(5_000_000), Price(2_500_000))


def test_a_negotiated_price_wins_over_a_public_one_whenever_it_came() -> None:
    rows = [listed(1), listed(2, Agreement.NEGOTIATED), listed(3, valid_from="2026-11-20")]
    assert row_at(price_book(rows, {"main": "openai"}), "main", "gpt-x") == 2


def test_the_path_that_is_named_wins_over_its_kind() -> None:
    rows = [listed(1, Agreement.NEGOTIATED), listed(2, path="main")]
    book = price_book(rows, {"main": "openai", "other": "openai"})
    assert (row_at(book, "main", "gpt-x"), row_at(book, "other", "gpt-x")) == (2, 1)


def test_the_later_price_wins_from_its_first_instant_on() -> None:
    rows = [listed(1), listed(2, valid_from="2026-12-01")]
    book = price_book(rows, {"main": "openai"})
    first = day_instant("2026-12-01")
    assert row_at(book, "main", "gpt-x", Instant(first - 1)) == 1
    assert row_at(book, "main", "gpt-x", first) == 2


def test_a_price_holds_from_its_first_instant_to_before_its_end_and_no_longer() -> None:
    book = price_book([listed(1, valid_to="2026-12-01")], {"main": "openai"})
    first, last = day_instant("2026-11-12"), day_instant("2026-12-01")
    assert [row_at(book, "main", "gpt-x", Instant(at)) for at in (first - 1, first, last - 1, last)] == [None, 1, 1, None]


def test_of_two_equal_prices_the_row_that_came_later_wins() -> None:
    assert row_at(price_book([listed(2), listed(1)], {"main": "openai"}), "main", "gpt-x") == 2


def test_a_hold_finds_its_row_whatever_holds_by_now() -> None:
    book = price_book([listed(1), listed(2, Agreement.NEGOTIATED)], {"main": "openai"})
    found = book.by_row("main", 1)
    assert found is not None and found.row == 1
    assert book.by_row("main", 3) is None and book.by_row("other", 1) is None


def test_the_models_of_a_path_are_listed_once_and_by_name() -> None:
    rows = [listed(1), listed(2, model="gpt-a"), listed(3, Agreement.NEGOTIATED), listed(4, model="gpt-z", valid_from="2027-01-01")]
    book = price_book(rows, {"main": "openai", "cloud": "azure"})
    assert [(tariff.model, tariff.row) for tariff in book.models("main", AT)] == [("gpt-a", 2), ("gpt-x", 3)]
    assert book.models("cloud", AT) == []


def test_the_digest_changes_with_any_row_and_not_with_their_order() -> None:
    paths = {"main": "openai"}
    one, two = listed(1), listed(2, model="gpt-y")
    assert price_book([one, two], paths).digest == price_book([two, one], paths).digest
    assert price_book([one], paths).digest != price_book([one, two], paths).digest
    assert price_book([one], paths).digest != price_book([listed(1, reasoning=False)], paths).digest


@pytest.mark.parametrize(
    ("days", "state"),
    [
        (0, Freshness.FRESH),
        (WARN_AFTER_DAYS - 1, Freshness.FRESH),
        (WARN_AFTER_DAYS, Freshness.AGEING),
        (STOP_AFTER_DAYS - 1, Freshness.AGEING),
        (STOP_AFTER_DAYS, Freshness.STALE),
        (4_000, Freshness.STALE),
    ],
)
def test_a_price_ages_from_the_day_it_was_verified(days: int, state: Freshness) -> None:
    tariff = price_book([listed(1)], {"main": "openai"}).by_row("main", 1)
    assert tariff is not None
    at = Instant(day_instant("2026-11-12") + days * DAY_US + DAY_US - 1)
    assert (age_days(tariff, at), freshness(tariff, at)) == (days, state)


def test_a_price_verified_later_than_now_is_fresh() -> None:
    tariff = price_book([listed(1)], {"main": "openai"}).by_row("main", 1)
    assert tariff is not None and freshness(tariff, Instant(0)) is Freshness.FRESH and age_days(tariff, Instant(0)) == 0
