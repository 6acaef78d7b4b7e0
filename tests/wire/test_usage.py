"""A usage is believed whole or not at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.wire.api import Api
from headgate.wire.usage import MOST_TOKENS, Usage, read_usage, tells_searches

RESPONSES = {
    "input_tokens": 100,
    "input_tokens_details": {
        "cached_tokens": 40,
        "cache_write_tokens": 30,
        "cache_write_tokens_details": {"ttl_30m_tokens": 20, "ttl_12h_tokens": 10},
    },
    "output_tokens": 50,
    "output_tokens_details": {"reasoning_tokens": 50},
    "total_tokens": 150,
    "brand_new": {"x": 1},
}
CHAT = {
    "prompt_tokens": 100,
    "prompt_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 30, "audio_tokens": 0, "image_tokens": 5},
    "completion_tokens": 50,
    "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 0, "rejected_prediction_tokens": 4},
    "total_tokens": 150,
}


def read(api: Api, usage: object, tools: object = None) -> Usage | None:
    return read_usage(api, json.dumps(usage).encode(), json.dumps(tools).encode())


def test_every_class_of_a_response_is_read():
    searches = {"web_search": {"num_requests": 3}, "image_gen": {"input_tokens": 0, "output_tokens": 0}}
    assert read(Api.RESPONSES, RESPONSES, searches) == Usage(100, 50, 40, 30, 10, 50, 3)


def test_every_class_of_a_chat_completion_is_read():
    assert read(Api.CHAT, CHAT) == Usage(100, 50, 40, 30, 0, 20)


def test_details_may_be_missing_or_null():
    assert read(Api.RESPONSES, {"input_tokens": 1, "output_tokens": 2}) == Usage(1, 2)
    assert read(Api.CHAT, {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": None, "total_tokens": None}) == Usage(1, 2)


PLACES = [
    (Api.RESPONSES, RESPONSES, ("input_tokens",)),
    (Api.RESPONSES, RESPONSES, ("output_tokens",)),
    (Api.RESPONSES, RESPONSES, ("total_tokens",)),
    (Api.RESPONSES, RESPONSES, ("input_tokens_details", "cached_tokens")),
    (Api.RESPONSES, RESPONSES, ("input_tokens_details", "cache_write_tokens")),
    (Api.RESPONSES, RESPONSES, ("input_tokens_details", "cache_write_tokens_details", "ttl_12h_tokens")),
    (Api.RESPONSES, RESPONSES, ("output_tokens_details", "reasoning_tokens")),
    (Api.CHAT, CHAT, ("prompt_tokens",)),
    (Api.CHAT, CHAT, ("completion_tokens",)),
    (Api.CHAT, CHAT, ("prompt_tokens_details", "cached_tokens")),
    (Api.CHAT, CHAT, ("completion_tokens_details", "reasoning_tokens")),
]


@pytest.mark.parametrize(("api", "usage", "place"), PLACES)
@pytest.mark.parametrize("value", [-1, 1.5, 2.0, "7", True, MOST_TOKENS + 1, 10**40, [], {}])
def test_a_count_that_is_no_count_makes_the_usage_unreadable(api, usage, place, value):
    broken = json.loads(json.dumps(usage))
    inner = broken
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    assert read(api, broken) is None


@pytest.mark.parametrize("name", ["input_tokens", "output_tokens"])
def test_a_missing_count_is_unknown_and_never_zero(name):
    assert read(Api.RESPONSES, {key: value for key, value in RESPONSES.items() if key != name}) is None
    assert read(Api.RESPONSES, {**RESPONSES, name: None}) is None


@pytest.mark.parametrize("usage", [b"null", b"", b"[]", b"{", b"5", b'{"input_tokens":1,"output_tokens":2', b"[" * 100_000])
def test_what_is_no_usage_is_unreadable(usage):
    assert read_usage(Api.RESPONSES, usage) is None and read_usage(Api.CHAT, usage) is None


def test_counts_that_contradict_each_other_are_unreadable():
    assert (
        read(Api.RESPONSES, {"input_tokens": 10, "output_tokens": 1, "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 3}})
        is None
    )
    assert read(Api.RESPONSES, {"input_tokens": 10, "output_tokens": 1, "output_tokens_details": {"reasoning_tokens": 2}}) is None
    assert read(Api.RESPONSES, {"input_tokens": 10, "output_tokens": 1, "total_tokens": 12}) is None
    kept = {"cache_write_tokens": 1, "cache_write_tokens_details": {"ttl_12h_tokens": 2}}
    assert read(Api.RESPONSES, {"input_tokens": 10, "output_tokens": 1, "input_tokens_details": kept}) is None


def test_what_has_no_price_class_here_is_unreadable_unless_zero():
    assert read(Api.CHAT, {**CHAT, "prompt_tokens_details": {"audio_tokens": 1}}) is None
    assert read(Api.CHAT, {**CHAT, "completion_tokens_details": {"audio_tokens": 1}}) is None
    assert read(Api.RESPONSES, RESPONSES, {"image_gen": {"input_tokens": 0, "output_tokens": 9}}) is None
    assert read(Api.RESPONSES, RESPONSES, {"web_search": {"num_requests": -1}}) is None


def test_searches_are_told_only_when_they_are_counted():
    assert tells_searches(b'{"web_search":{"num_requests":0}}')
    for silent in (b"null", b"{}", b'{"image_gen":{}}', b"nonsense"):
        assert not tells_searches(silent)


@given(*[st.integers(0, 1000)] * 5)
def test_no_believed_usage_has_parts_larger_than_their_whole(read_tokens, written, cached, stored, reasoning):
    usage = read(
        Api.RESPONSES,
        {
            "input_tokens": read_tokens,
            "output_tokens": written,
            "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": stored},
            "output_tokens_details": {"reasoning_tokens": reasoning},
        },
    )
    assert (usage is not None) == (cached + stored <= read_tokens and reasoning <= written)
