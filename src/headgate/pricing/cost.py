"""What a settled call did cost: its usage at the tier that the provider says it served.

Rule 1  The answer's tier decides, not the one that was asked for.
Rule 2  Above the band's last token the whole request is billed in the long band, output included.
Rule 3  Cached and cache-write tokens are inside the input; what is left of it is plain input.
Rule 4  A count without a price has no cost: None, never zero, and the hold then counts in full until somebody looks.
"""

from __future__ import annotations

from headgate.money import ceil_nano
from headgate.pricing.rates import RatedTariff
from headgate.terms.tariff import Tier, Unit
from headgate.wire.usage import Usage

# How answers name their tier. `scale` is bought capacity without a price per token, so it is not here and has no cost.
TIER_NAMES: dict[str, Tier] = {
    "auto": Tier.STANDARD,
    "default": Tier.STANDARD,
    "standard": Tier.STANDARD,
    "flex": Tier.FLEX,
    "batch": Tier.BATCH,
    "fast": Tier.PRIORITY,
    "priority": Tier.PRIORITY,
    "ultrafast": Tier.ULTRAFAST,
}


def billed_tier(answered: str | None, sent: Tier) -> Tier | None:
    """The tier that is billed: the answer's, or the one that was sent where the answer names none. None: nobody knows that tier."""
    return sent if answered is None else TIER_NAMES.get(answered)


def cost(usage: Usage, tariff: RatedTariff, tier: Tier) -> int | None:
    """Nano-dollars, rounded up once; None when a class of the usage has no price at this tier and band."""
    tier_rates = tariff.rates.get(tier)
    if tier_rates is None or tariff.split:
        return None
    band_tokens = tariff.band_tokens
    rates = tier_rates.short if band_tokens is None or usage.input_tokens <= band_tokens else tier_rates.long
    if rates is None:
        return None
    written = usage.cache_write_tokens
    total = 0
    for count, price in (
        (usage.input_tokens - usage.cached_tokens - written, rates.input),
        (usage.cached_tokens, rates.cached),
        (written - usage.cache_write_12h_tokens, rates.write_30m),
        (usage.cache_write_12h_tokens, rates.write_12h),
        (usage.output_tokens, rates.output),
        (usage.web_searches, tariff.fees.get(Unit.WEB_SEARCH)),
    ):
        if count == 0:
            continue
        if count < 0 or price is None:
            return None
        total += count * price
    # Two roundings upwards, one inside the other, give what one would: ceil(ceil(x / n) / 1000) = ceil(x / 1000n).
    return ceil_nano(-(-total // tariff.common))
