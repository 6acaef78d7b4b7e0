"""What a settled attempt is billed: the tier and the model that the answer names decide, never the ones that were asked for."""

from __future__ import annotations

from headgate.names import Instant
from headgate.pricing.book import PriceBook
from headgate.pricing.cost import billed_tier, cost
from headgate.pricing.rates import RatedTariff
from headgate.terms.ending import Outcome
from headgate.terms.tariff import Tier


def bill(book: PriceBook, tariff: RatedTariff, sent: Tier, outcome: Outcome, at: Instant) -> int | None:
    """Nano-dollars, or None when the usage cannot be priced: a tier that nobody knows, a class without a price.

    An answer by another model that has a price is billed at the dearer of the two, so that a swapped model shows as a breach. A name that
    the book does not know is billed as what was asked for; the caller flags it.
    """
    assert outcome.usage is not None, "nothing is billed without a count"
    tier = billed_tier(outcome.tier, sent)
    if tier is None:
        return None
    own = cost(outcome.usage, tariff, tier)
    answered = answered_by_another(book, tariff, outcome.model, at)
    if own is None or answered is None:
        return own
    other = cost(outcome.usage, answered, tier)
    return None if other is None else max(own, other)


def answered_by_another(book: PriceBook, tariff: RatedTariff, model: str | None, at: Instant) -> RatedTariff | None:
    """The tariff of the model that answered, when it is not the one that was asked; None also when its name has no price."""
    if model is None or model == tariff.model:
        return None
    found = book.tariff(tariff.path, model, at)
    return None if found is None or found.model == tariff.model else found
