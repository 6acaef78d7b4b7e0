"""No usage within the limits costs more than the bound, and what has no bound is refused with a sentence that says what to change."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.names import Instant
from headgate.pricing.book import PriceBook
from headgate.pricing.bound import FEE_OF_TOOL, FRAME_TOKENS, UNCOUNTED_TOOLS, OutputPolicy, bound
from headgate.pricing.cost import cost
from headgate.pricing.entry import day_instant
from headgate.pricing.rates import RatedTariff, rate
from headgate.refusal import Reason, Refusal
from headgate.terms.bound import Bound
from headgate.terms.tariff import Band, Price, Tariff, Tier, Unit
from headgate.wire.api import Api
from headgate.wire.request import ModelRequest, read_request
from headgate.wire.usage import Usage

AT = day_instant("2026-11-21")
STANDARD = frozenset({Tier.STANDARD})


def asked(api: Api = Api.RESPONSES, **said: object) -> ModelRequest:
    text = {"input": "hi"} if api is Api.RESPONSES else {"messages": [{"role": "user", "content": "hi"}]}
    request = read_request(api, json.dumps({"model": "gpt-6.1-sol", **text, **said}).encode())
    assert isinstance(request, ModelRequest), request
    return request


@pytest.fixture
def sol(book: PriceBook) -> RatedTariff:
    tariff = book.tariff("openai", "gpt-6.1-sol", AT)
    assert tariff is not None
    return tariff


def of(book: PriceBook, model: str) -> RatedTariff:
    tariff = book.tariff("openai", model, AT)
    assert tariff is not None
    return tariff


def limit(found: Bound | Refusal) -> Bound:
    assert isinstance(found, Bound), found
    return found


def refusal(found: Bound | Refusal) -> Refusal:
    assert isinstance(found, Refusal), found
    return found


# How many input tokens there can be


def test_text_is_bounded_by_its_bytes_and_the_frame(sol: RatedTariff) -> None:
    request = asked(input="x" * 10_000)
    assert limit(bound(request, sol, STANDARD)).input_tokens == request.body_bytes + FRAME_TOKENS


def test_no_text_is_bounded_by_more_than_the_window(sol: RatedTariff) -> None:
    assert limit(bound(msgspec.structs.replace(asked(), body_bytes=5_000_000), sol, STANDARD)).input_tokens == sol.window_tokens


def test_an_image_is_bounded_by_the_window(sol: RatedTariff) -> None:
    part = {"type": "input_image", "image_url": "https://example.com/a.png"}
    request = asked(input=[{"role": "user", "content": [part]}])
    assert limit(bound(request, sol, STANDARD)).input_tokens == sol.window_tokens


def test_a_stored_conversation_is_bounded_by_the_window(sol: RatedTariff) -> None:
    assert limit(bound(asked(conversation="conv_1"), sol, STANDARD)).input_tokens == sol.window_tokens


def test_a_previous_response_that_was_settled_here_is_bounded_by_its_tokens(sol: RatedTariff) -> None:
    request = asked(previous_response_id="resp_1")
    known = limit(bound(request, sol, STANDARD, known_context=70_000))
    assert known.input_tokens == 70_000 + request.body_bytes + FRAME_TOKENS


def test_a_previous_response_that_nobody_settled_is_bounded_by_the_window(sol: RatedTariff) -> None:
    assert limit(bound(asked(previous_response_id="resp_1"), sol, STANDARD)).input_tokens == sol.window_tokens


def test_what_the_provider_counted_bounds_images_and_conversations_too(sol: RatedTariff) -> None:
    request = asked(conversation="conv_1")
    assert limit(bound(request, sol, STANDARD, counted=1_000)).input_tokens == 1_000 + FRAME_TOKENS


def test_a_tool_that_the_client_runs_is_only_bytes(sol: RatedTariff) -> None:
    tools = [{"type": "function", "name": "f", "parameters": {}}, {"type": "custom", "name": "p"}, {"type": "local_shell"}]
    request = asked(tools=tools)
    assert limit(bound(request, sol, STANDARD)).input_tokens == request.body_bytes + FRAME_TOKENS


def test_a_tool_that_nobody_knows_is_bounded_by_the_window_even_when_the_input_was_counted(sol: RatedTariff) -> None:
    request = asked(tools=[{"type": "from_the_future"}])
    assert limit(bound(request, sol, STANDARD)).input_tokens == sol.window_tokens
    assert limit(bound(request, sol, STANDARD, counted=5)).input_tokens == sol.window_tokens


# What a token can cost


def test_input_is_held_at_the_price_of_a_cache_write(sol: RatedTariff) -> None:
    request = asked()
    assert limit(bound(request, sol, STANDARD)).fixed_pico == (request.body_bytes + FRAME_TOKENS) * 5_000_000


def test_an_input_that_may_pass_the_band_is_held_at_the_long_prices(sol: RatedTariff) -> None:
    short = limit(bound(asked(), sol, STANDARD, counted=272_000 - FRAME_TOKENS))
    long = limit(bound(asked(), sol, STANDARD, counted=272_001 - FRAME_TOKENS))
    assert (short.fixed_pico, short.output_pico) == (272_000 * 5_000_000, 10_000_000)
    assert (long.fixed_pico, long.output_pico) == (272_001 * 10_000_000, 15_000_000)


def test_the_dearest_tier_that_may_be_billed_is_held(sol: RatedTariff) -> None:
    tiers = frozenset({Tier.FLEX, Tier.STANDARD, Tier.PRIORITY})
    assert limit(bound(asked(), sol, tiers)).output_pico == 20_000_000
    assert limit(bound(asked(), sol, frozenset({Tier.FLEX}))).output_pico == 5_000_000


def test_a_tier_without_a_price_is_refused(book: PriceBook) -> None:
    found = refusal(bound(asked(), of(book, "gpt-4.1"), frozenset({Tier.FLEX, Tier.STANDARD})))
    assert (found.reason, found.param) == (Reason.UNPRICED, "service_tier")
    assert "flex" in found.message and "default tier" in found.message


def test_a_tier_without_a_long_price_is_refused_only_when_the_input_may_be_long(book: PriceBook) -> None:
    tiers = frozenset({Tier.PRIORITY, Tier.STANDARD})
    assert isinstance(bound(asked(), of(book, "gpt-5.5"), tiers), Bound)
    found = refusal(bound(asked(conversation="conv_1"), of(book, "gpt-5.5"), tiers))
    assert found.reason is Reason.UNPRICED and "272,000" in found.message


def test_every_choice_is_held(book: PriceBook) -> None:
    found = limit(bound(asked(Api.CHAT, n=5), of(book, "gpt-4o"), STANDARD))
    assert (found.choices, found.output_pico) == (5, 50_000_000)


# How much output


def test_without_a_number_the_most_that_the_model_can_write_is_wanted_and_a_useful_part_may_be_granted(book: PriceBook) -> None:
    for model, most, least in (("gpt-6.1-sol", 128_000, 8_192), ("gpt-4.1", 32_768, 4_096), ("computer-use-preview", 1_024, 1_024)):
        found = limit(bound(asked(), of(book, model), STANDARD))
        assert (found.wanted_output, found.minimum_output) == (most, least), model


def test_a_workspace_may_want_less(sol: RatedTariff) -> None:
    found = limit(bound(asked(), sol, STANDARD, OutputPolicy(output_tokens=20_000)))
    assert (found.wanted_output, found.minimum_output) == (20_000, 8_192)
    found = limit(bound(asked(), sol, STANDARD, OutputPolicy(output_tokens=2_000)))
    assert (found.wanted_output, found.minimum_output) == (2_000, 2_000)


def test_a_workspace_says_what_is_still_useful(book: PriceBook) -> None:
    policy = OutputPolicy(least_output_tokens=100, least_reasoning_tokens=200)
    assert limit(bound(asked(), of(book, "gpt-6.1-sol"), STANDARD, policy)).minimum_output == 200
    assert limit(bound(asked(), of(book, "gpt-4.1"), STANDARD, policy)).minimum_output == 100


def test_a_number_that_the_client_set_is_held_and_never_shortened(sol: RatedTariff) -> None:
    found = limit(bound(asked(max_output_tokens=50_000), sol, STANDARD, OutputPolicy(output_tokens=1_000)))
    assert (found.wanted_output, found.minimum_output) == (50_000, 50_000)


def test_a_number_above_what_is_possible_or_allowed_is_lowered(sol: RatedTariff) -> None:
    request = asked(max_output_tokens=900_000)
    assert limit(bound(request, sol, STANDARD)).wanted_output == 128_000
    found = limit(bound(request, sol, STANDARD, OutputPolicy(most_output_tokens=30_000)))
    assert (found.wanted_output, found.minimum_output) == (30_000, 30_000)


def test_json_is_never_shortened(sol: RatedTariff) -> None:
    schema = {"format": {"type": "json_schema", "name": "s", "schema": {"type": "object"}}}
    found = limit(bound(asked(text=schema), sol, STANDARD, OutputPolicy(output_tokens=20_000)))
    assert (found.wanted_output, found.minimum_output) == (20_000, 20_000)


# Hosted tools


@pytest.mark.parametrize("name", sorted(FEE_OF_TOOL))
def test_searches_are_bounded_by_their_number_of_windows_and_fees(sol: RatedTariff, name: str) -> None:
    found = limit(bound(asked(tools=[{"type": name}], max_tool_calls=3), sol, STANDARD))
    window = sol.window_tokens
    # Four windows at the long write price of 10 USD a million, three searches at a cent.
    assert found.input_tokens == 4 * window
    assert found.fixed_pico == 4 * window * 10_000_000 + 3 * 10_000_000_000


def test_the_number_that_is_written_bounds_searches_whatever_the_client_asked(sol: RatedTariff) -> None:
    request = asked(tools=[{"type": "web_search"}], max_tool_calls=50)
    assert limit(bound(request, sol, STANDARD, max_tool_calls=1)).input_tokens == 2 * sol.window_tokens


def test_searches_without_a_number_are_refused(sol: RatedTariff) -> None:
    found = refusal(bound(asked(tools=[{"type": "web_search"}]), sol, STANDARD))
    assert (found.reason, found.param) == (Reason.UNBOUNDED, "max_tool_calls")
    assert "set max_tool_calls" in found.message


def test_searches_without_a_price_are_refused(book: PriceBook) -> None:
    found = refusal(bound(asked(tools=[{"type": "web_search"}], max_tool_calls=1), of(book, "gpt-4o"), STANDARD))
    assert (found.reason, found.param) == (Reason.UNPRICED, "tools")


def test_a_dropped_tool_costs_nothing(sol: RatedTariff) -> None:
    request = asked(tools=[{"type": "web_search"}, {"type": "mcp"}])
    found = limit(bound(request, sol, STANDARD, dropped=frozenset({"web_search", "mcp"})))
    assert found.input_tokens == request.body_bytes + FRAME_TOKENS


UNBOUNDED: list[tuple[str, ModelRequest, str]] = [
    ("background", asked(background=True), "without background"),
    ("prompt", asked(prompt={"id": "pmpt_1"}), "instructions and input"),
    ("prediction", asked(Api.CHAT, prediction={"type": "content", "content": "x"}), "without prediction"),
    ("web_search_options", asked(Api.CHAT, web_search_options={}), "use the Responses API"),
    ("modalities", asked(Api.CHAT, modalities=["text", "audio"], audio={"voice": "x", "format": "wav"}), "ask for text"),
    *(("tools", asked(tools=[{"type": name}], max_tool_calls=1), "remove the tool") for name in sorted(UNCOUNTED_TOOLS)),
    (
        "tools",
        asked(input=[{"type": "additional_tools", "role": "developer", "tools": [{"type": "mcp"}]}, {"role": "user", "content": "hi"}]),
        "remove the tool",
    ),
]


@pytest.mark.parametrize(("param", "request_", "told"), UNBOUNDED)
def test_what_has_no_bound_is_refused_and_told_what_to_change(sol: RatedTariff, param: str, request_: ModelRequest, told: str) -> None:
    found = refusal(bound(request_, sol, STANDARD))
    assert (found.reason, found.param) == (Reason.UNBOUNDED, param)
    assert told in found.message


def test_a_field_that_says_nothing_is_no_reason_to_refuse(book: PriceBook) -> None:
    assert isinstance(bound(asked(Api.CHAT, prediction=None, web_search_options=None), of(book, "gpt-4.1"), STANDARD), Bound)


def test_a_shell_in_a_local_environment_is_only_bytes(sol: RatedTariff) -> None:
    request = asked(tools=[{"type": "shell", "environment": {"type": "local"}}])
    assert limit(bound(request, sol, STANDARD)).input_tokens == request.body_bytes + FRAME_TOKENS


def test_a_model_that_prices_images_apart_is_refused() -> None:
    prices = {(unit, Tier.STANDARD, Band.SHORT): Price(1) for unit in (Unit.INPUT, Unit.OUTPUT, Unit.IMAGE_INPUT)}
    found = refusal(bound(asked(), rate(a_tariff(prices, None)), STANDARD))
    assert (found.reason, found.param) == (Reason.UNBOUNDED, "model")


# Promises


def a_tariff(prices: dict[tuple[Unit, Tier, Band], Price], band_tokens: int | None, window: int = 922_000, most: int = 128_000) -> Tariff:
    return Tariff(1, "openai", "gpt-x", prices, window, most, band_tokens, True, Instant(0), None, "2026-11-12", "by hand")


def test_a_part_of_a_pico_dollar_is_held_as_a_whole_one() -> None:
    prices = {(unit, Tier.STANDARD, Band.SHORT): Price(1, 1_000_000) for unit in (Unit.INPUT, Unit.OUTPUT)}
    found = limit(bound(asked(), rate(a_tariff(prices, None)), STANDARD))
    assert (found.fixed_pico, found.output_pico) == (1, 1)


TOKEN_UNITS = (Unit.INPUT, Unit.CACHED, Unit.CACHE_WRITE_30M, Unit.CACHE_WRITE_12H, Unit.OUTPUT)
amounts = st.builds(Price, st.integers(1, 10**8), st.sampled_from([1, 3, 10, 1000]))


@st.composite
def tariffs(draw: st.DrawFn) -> RatedTariff:
    band_tokens = draw(st.none() | st.integers(1, 5_000))
    keys = [(unit, tier, band) for unit in TOKEN_UNITS for tier in Tier for band in Band if band is Band.SHORT or band_tokens is not None]
    prices = {key: draw(amounts) for key in keys}
    prices[Unit.WEB_SEARCH, Tier.STANDARD, Band.SHORT] = draw(amounts)
    return rate(a_tariff(prices, band_tokens, draw(st.integers(1, 10_000)), draw(st.integers(1, 5_000))))


BASE = asked()
SEARCHING = asked(tools=[{"type": "web_search"}])


@st.composite
def requests(draw: st.DrawFn) -> ModelRequest:
    return msgspec.structs.replace(
        draw(st.sampled_from([BASE, SEARCHING])),
        body_bytes=draw(st.integers(30, 10_000)),
        choices=draw(st.integers(1, 4)),
        max_output=draw(st.none() | st.integers(1, 10_000)),
        max_tool_calls=draw(st.integers(0, 3)),
        opaque=draw(st.booleans()),
        previous_response_id=draw(st.none() | st.just("resp_1")),
        structured=draw(st.booleans()),
    )


tier_sets = st.frozensets(st.sampled_from(Tier), min_size=1)
contexts = st.none() | st.integers(0, 10_000)


@given(data=st.data(), tariff=tariffs(), request_=requests(), tiers=tier_sets, known=contexts, counted=contexts)
def test_no_usage_within_bounds_costs_more_than_the_bound(
    data: st.DataObject, tariff: RatedTariff, request_: ModelRequest, tiers: frozenset[Tier], known: int | None, counted: int | None
) -> None:
    most = limit(bound(request_, tariff, tiers, OutputPolicy(), known, counted))
    granted = data.draw(st.integers(most.minimum_output, most.wanted_output), label="granted")
    read = data.draw(st.integers(0, most.input_tokens) | st.just(most.input_tokens), label="read")
    cached = data.draw(st.integers(0, read), label="cached")
    written = data.draw(st.integers(0, read - cached) | st.just(read - cached), label="written")
    long_lived = data.draw(st.integers(0, written) | st.just(written), label="long lived")
    output = data.draw(st.integers(0, granted * most.choices) | st.just(granted * most.choices), label="output")
    searches = data.draw(st.integers(0, request_.max_tool_calls or 0) if request_.tools else st.just(0), label="searches")
    usage = Usage(read, output, cached, written, long_lived, 0, searches)
    for tier in tiers:
        billed = cost(usage, tariff, tier)
        assert billed is not None and billed <= most.nano(granted)
    assert read + output <= most.tokens(granted)


@given(
    tariff=tariffs(),
    request_=requests(),
    tiers=tier_sets,
    more=st.integers(0, 5_000),
    choices=st.integers(0, 3),
    tier=st.sampled_from(Tier),
)
def test_more_bytes_more_choices_or_more_tiers_never_lower_the_bound(
    tariff: RatedTariff, request_: ModelRequest, tiers: frozenset[Tier], more: int, choices: int, tier: Tier
) -> None:
    less = limit(bound(request_, tariff, tiers))
    larger = msgspec.structs.replace(request_, body_bytes=request_.body_bytes + more, choices=request_.choices + choices)
    most = limit(bound(larger, tariff, tiers | {tier}))
    assert most.input_tokens >= less.input_tokens and most.fixed_pico >= less.fixed_pico and most.output_pico >= less.output_pico
    assert most.nano(most.wanted_output) >= less.nano(less.wanted_output)


@given(tariff=tariffs(), request_=requests(), tiers=tier_sets, counted=st.integers(0, 10_000), more=st.integers(0, 10_000))
def test_more_counted_tokens_never_lower_the_bound(
    tariff: RatedTariff, request_: ModelRequest, tiers: frozenset[Tier], counted: int, more: int
) -> None:
    less, most = limit(bound(request_, tariff, tiers, counted=counted)), limit(bound(request_, tariff, tiers, counted=counted + more))
    assert most.fixed_pico >= less.fixed_pico and most.output_pico >= less.output_pico


@given(tariff=tariffs(), request_=requests(), tiers=tier_sets)
def test_a_bound_is_made_of_whole_numbers(tariff: RatedTariff, request_: ModelRequest, tiers: frozenset[Tier]) -> None:
    found = limit(bound(request_, tariff, tiers))
    assert all(type(value) is int and value >= 0 for value in msgspec.structs.astuple(found))
    assert found.minimum_output <= found.wanted_output
