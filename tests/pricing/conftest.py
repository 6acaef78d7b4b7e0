"""The vendored sheet, read once, and a book of it for a path named `openai`."""

from __future__ import annotations

from importlib.resources import files

import pytest

from headgate.pricing import vendored
from headgate.pricing.book import Listed, PriceBook, price_book
from headgate.pricing.entry import Sheet


@pytest.fixture(scope="session")
def public_bytes() -> bytes:
    return (files("headgate.pricing") / "data" / vendored.OPENAI_PUBLIC.file).read_bytes()


@pytest.fixture(scope="session")
def public(public_bytes: bytes) -> Sheet:
    sheet = vendored.read_vendored(vendored.OPENAI_PUBLIC, public_bytes)
    assert isinstance(sheet, Sheet), sheet
    return sheet


@pytest.fixture(scope="session")
def book(public: Sheet) -> PriceBook:
    listed = [Listed(row, public.agreement, entry) for row, entry in enumerate(public.entries, 1)]
    return price_book(listed, {"openai": "openai"})
