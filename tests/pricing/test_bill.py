"""The answer decides what is billed: its tier, and the dearer of two models when another one answered."""

from __future__ import annotations

from headgate.pricing.bill import answered_by_another, bill
from headgate.pricing.book import PriceBook
from headgate.pricing.entry import day_instant
from headgate.terms.ending import Ending, Outcome
from headgate.terms.tariff import Tier
from headgate.wire.usage import Usage

AT = day_instant("2026-11-21")


def billed(book: PriceBook, asked: str, **seen: str) -> int | None:
    tariff = book.tariff("openai", asked, AT)
    assert tariff is not None
    return bill(book, tariff, Tier.STANDARD, Outcome(Ending.COMPLETED, Usage(1_000, 0), 200, **seen), AT)


def test_an_answer_without_a_tier_is_billed_at_the_one_that_was_sent(book: PriceBook) -> None:
    assert billed(book, "gpt-6.1-sol") == 2_000_000


def test_the_tier_of_the_answer_is_billed(book: PriceBook) -> None:
    assert billed(book, "gpt-6.1-sol", tier="priority") == 4_000_000
    assert billed(book, "gpt-6.1-sol", tier="flex") == 1_000_000


def test_a_tier_that_nobody_knows_is_no_bill(book: PriceBook) -> None:
    assert billed(book, "gpt-6.1-sol", tier="scale") is None


def test_a_snapshot_that_answers_for_its_family_is_the_same_model(book: PriceBook) -> None:
    tariff = book.tariff("openai", "gpt-6.1-sol", AT)
    assert tariff is not None and answered_by_another(book, tariff, "gpt-6.1-sol-2026-09-29", AT) is None
    assert billed(book, "gpt-6.1-sol", model="gpt-6.1-sol-2026-09-29") == 2_000_000


def test_a_dearer_model_that_answers_is_billed_and_a_cheaper_one_is_not_believed(book: PriceBook) -> None:
    assert billed(book, "gpt-6-luna", model="gpt-6-astra") == 10_000_000
    assert billed(book, "gpt-6-astra", model="gpt-6-luna") == 10_000_000


def test_a_name_that_the_book_does_not_know_is_billed_as_what_was_asked(book: PriceBook) -> None:
    assert billed(book, "gpt-6.1-sol", model="deployment-7") == 2_000_000
