"""The most that a call can cost, known before anything is sent, or why it cannot be known.

Rule 1  Text: a token covers at least one byte of the body, so there are at most as many tokens as bytes. No tokenizer.
Rule 2  What bytes do not bound (images, files, a stored conversation) is bounded by the window: the provider reads no more.
Rule 3  A previous response that this ledger settled is bounded by its own tokens; one that it did not is bounded by the window.
Rule 4  Every token is priced at the dearest price that could apply: cache writes, both bands once the input may pass the first, each
        tier the answer may be billed at.
Rule 5  A hosted tool feeds the context back at each call, so T calls read at most T + 1 windows; without a T there is no bound.
Rule 6  The output held is the output that is written into the request. An answer whose length or shape the client chose is not shortened.
"""

from __future__ import annotations

import msgspec

from headgate.pricing.rates import BandRates, RatedTariff
from headgate.refusal import Reason, Refusal
from headgate.terms.bound import Bound
from headgate.terms.tariff import Band, Tier, Unit
from headgate.wire.request import ModelRequest

# What surrounds the bytes we were sent: the provider's own framing, and the limits that Headgate writes into the body.
FRAME_TOKENS = 512

LEAST_OUTPUT = 4_096
LEAST_REASONING_OUTPUT = 8_192  # reasoning models think before they write

# Tools that the provider runs, and the fee of one call. What the client runs is only bytes (`wire/tools.py` tells them apart).
# Source: the tool types of openai-python 3.52.0.
FEE_OF_TOOL: dict[str, Unit] = {
    "web_search": Unit.WEB_SEARCH,
    "web_search_2025_08_26": Unit.WEB_SEARCH,
    "web_search_preview": Unit.WEB_SEARCH,
    "web_search_preview_2025_03_11": Unit.WEB_SEARCH,
}

# Hosted tools whose calls no usage counts, or whose own model is billed besides: a bound would be a guess, and so would the cost.
# A hosted tool that stands in no table is bounded by one window; should it be billed for more, that is a breach and closes the shape.
UNCOUNTED_TOOLS = frozenset({"file_search", "code_interpreter", "image_generation", "mcp", "shell"})

# How Chat Completions asks for searches: without a limit, so without a bound.
SEARCH_FIELD = "web_search_options"


class OutputPolicy(msgspec.Struct, frozen=True):
    """What a workspace says about the length of answers; tokens are counted a choice."""

    output_tokens: int | None = None  # wanted when the client sets none; None: the most the model can write
    most_output_tokens: int | None = None  # a client's own number is lowered to this
    least_output_tokens: int = LEAST_OUTPUT
    least_reasoning_tokens: int = LEAST_REASONING_OUTPUT


PLAIN = OutputPolicy()
NO_TOOLS: frozenset[str] = frozenset()


def bound(
    request: ModelRequest,
    tariff: RatedTariff,
    allowed: frozenset[Tier],
    policy: OutputPolicy = PLAIN,
    known_context: int | None = None,
    counted: int | None = None,
    dropped: frozenset[str] = NO_TOOLS,
    max_tool_calls: int | None = None,
) -> Bound | Refusal:
    """The line that no cost within the limits passes, or the refusal that says what to change.

    `allowed` are the tiers that the answer may be billed at; `known_context` the input and output tokens of the previous response,
    when this ledger settled it for the same workspace; `counted` the provider's own count of the input, when it was asked;
    `dropped` the tool types taken out before sending; `max_tool_calls` the number that is written, None: the client's own stands.
    """
    hosted = [tool.type for tool in request.tools if tool.hosted and tool.type not in dropped]
    refused = _unboundable(request, tariff, hosted, dropped)
    if refused is not None:
        return refused
    fees = [FEE_OF_TOOL[name] for name in hosted if name in FEE_OF_TOOL]
    calls = 0
    if fees:
        most = request.max_tool_calls if max_tool_calls is None else max_tool_calls
        if most is None:
            message = "The provider may search any number of times; set max_tool_calls, or remove the tool web_search."
            return _unbounded(message, "max_tool_calls")
        calls = most
        input_tokens = (calls + 1) * tariff.window_tokens
    else:
        input_tokens = _most_input(request, tariff, bool(hosted), known_context, counted)
    dearest = _dearest(tariff, allowed, input_tokens)
    if isinstance(dearest, Refusal):
        return dearest
    input_rate, output_rate = dearest
    fee = 0
    for unit in fees:
        priced = tariff.fees.get(unit)
        if priced is None:
            return _no_fee(unit, tariff)
        fee = max(fee, priced)
    wanted, least = _output(request, tariff, policy)
    return Bound(
        input_tokens=input_tokens,
        fixed_pico=-(-(input_tokens * input_rate + calls * fee) // tariff.common),
        output_pico=-(-(output_rate * request.choices) // tariff.common),
        wanted_output=wanted,
        minimum_output=least,
        choices=request.choices,
    )


def _unboundable(request: ModelRequest, tariff: RatedTariff, hosted: list[str], dropped: frozenset[str]) -> Refusal | None:
    if tariff.split:
        message = f"{tariff.model} prices images or audio apart, and an answer does not count them apart; use another model."
        return _unbounded(message, "model")
    if request.background:
        return _unbounded("A background response is billed after this call ends; send it without background.", "background")
    if request.prompt_id:
        return _unbounded("A stored prompt adds text that Headgate does not see; send its text as instructions and input.", "prompt")
    if request.audio_output:
        return _unbounded("Audio output is priced apart and has no price here; ask for text in modalities.", "modalities")
    if _said(request, "prediction"):
        return _unbounded("Predicted output is billed beside the output limit; send the call without prediction.", "prediction")
    if SEARCH_FIELD not in dropped and _said(request, SEARCH_FIELD):
        message = "Chat Completions has no limit on searches; use the Responses API with web_search and max_tool_calls."
        return _unbounded(message, SEARCH_FIELD)
    for name in hosted:
        if name in UNCOUNTED_TOOLS:
            return _unbounded(f"The calls of the hosted tool {name} are not counted in the answer; remove the tool.", "tools")
    return None


def _said(request: ModelRequest, name: str) -> bool:
    """Whether the field stands in the request with a value; bytes, because a raw slice is never equal to them."""
    return name in request.fields and bytes(request.fields[name]) != b"null"


def _most_input(request: ModelRequest, tariff: RatedTariff, hosted: bool, known_context: int | None, counted: int | None) -> int:
    window = tariff.window_tokens
    if counted is not None and not hosted:
        return min(window, counted + FRAME_TOKENS)
    if request.opaque or request.conversation or hosted:
        return window
    bytes_bound = request.body_bytes + FRAME_TOKENS
    if request.previous_response_id is None:
        return min(window, bytes_bound)
    return window if known_context is None else min(window, known_context + bytes_bound)


def _dearest(tariff: RatedTariff, allowed: frozenset[Tier], input_tokens: int) -> tuple[int, int] | Refusal:
    """The dearest price of an input and of an output token, per `tariff.common`, over all tiers and bands that may apply."""
    assert allowed, "an answer is billed at some tier"
    band_tokens = tariff.band_tokens
    may_be_long = band_tokens is not None and input_tokens > band_tokens
    most_input = most_output = 0
    for tier in allowed:
        tier_rates = tariff.rates.get(tier)
        if tier_rates is None or tier_rates.short is None:
            return _no_price(tariff, tier, Band.SHORT)
        most_input, most_output = _dearer(tier_rates.short, most_input, most_output)
        if may_be_long:
            if tier_rates.long is None:
                return _no_price(tariff, tier, Band.LONG)
            most_input, most_output = _dearer(tier_rates.long, most_input, most_output)
    return most_input, most_output


def _dearer(rates: BandRates, most_input: int, most_output: int) -> tuple[int, int]:
    return max(rates.dearest_input, most_input), max(rates.dearest_output, most_output)


def _output(request: ModelRequest, tariff: RatedTariff, policy: OutputPolicy) -> tuple[int, int]:
    """Output tokens a choice: what is wanted, and the least that is still useful."""
    chosen = request.max_output
    if chosen is not None:
        most = policy.most_output_tokens
        wanted = min(chosen, tariff.max_output_tokens) if most is None else min(chosen, tariff.max_output_tokens, most)
        return wanted, wanted
    wanted = tariff.max_output_tokens if policy.output_tokens is None else min(policy.output_tokens, tariff.max_output_tokens)
    least = policy.least_reasoning_tokens if tariff.reasoning else policy.least_output_tokens
    return wanted, wanted if request.structured else min(wanted, least)


def _unbounded(message: str, param: str) -> Refusal:
    return Refusal(Reason.UNBOUNDED, message, param)


def _no_price(tariff: RatedTariff, tier: Tier, band: Band) -> Refusal:
    if band is Band.SHORT:
        message = f"The price book has no price of tier {tier.value} for {tariff.model} on path {tariff.path}; use the default tier."
    else:
        message = (
            f"The price book has no price of tier {tier.value} for {tariff.model} above {tariff.band_tokens:,} input tokens, and this"
            " input may have more; shorten it, or use the default tier."
        )
    return Refusal(Reason.UNPRICED, message, "service_tier")


def _no_fee(unit: Unit, tariff: RatedTariff) -> Refusal:
    message = f"The price book has no price of {unit.value} for {tariff.model} on path {tariff.path}; remove the tool."
    return Refusal(Reason.UNPRICED, message, "tools")
