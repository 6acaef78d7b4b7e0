"""What the cache of prompts knows, seen from outside."""

from __future__ import annotations

from typing import Any

from .conftest import Rehearsal

LONG = "a sentence of some length that says nothing. " * 200


def used(rehearsal: Rehearsal, model: str, *items: str, **more: Any) -> Any:
    body = {"model": model, "input": [{"role": "user", "content": item} for item in items], **more}
    return rehearsal.json("POST", "/v1/responses", body)["usage"]


def test_a_prefix_that_was_seen_is_cached_and_costs_less(rehearsal: Rehearsal) -> None:
    first, second = (
        used(rehearsal, "gpt-5.5", LONG, prompt_cache_key="s"),
        used(rehearsal, "gpt-5.5", LONG, "and then?", prompt_cache_key="s"),
    )
    assert first["input_tokens_details"]["cached_tokens"] == 0
    cached = second["input_tokens_details"]["cached_tokens"]
    assert cached % 128 == 0
    assert first["input_tokens"] - 128 < cached <= first["input_tokens"]
    call = rehearsal.calls()[-1]
    plain = call["tokens"]["input"] - cached
    assert int(call["billed_pico"]) == plain * 5_000_000 + cached * 500_000 + call["tokens"]["output"] * 30_000_000


def test_another_key_of_the_cache_or_another_project_knows_nothing(rehearsal: Rehearsal) -> None:
    used(rehearsal, "gpt-5.5", LONG, prompt_cache_key="s")
    assert used(rehearsal, "gpt-5.5", LONG, prompt_cache_key="t")["input_tokens_details"]["cached_tokens"] == 0
    body = {"model": "gpt-5.5", "input": [{"role": "user", "content": LONG}], "prompt_cache_key": "s"}
    other = rehearsal.json("POST", "/v1/responses", body, key=rehearsal.other_key)
    assert other["usage"]["input_tokens_details"]["cached_tokens"] == 0


def test_a_short_prompt_is_never_cached(rehearsal: Rehearsal) -> None:
    for _ in range(2):
        assert used(rehearsal, "gpt-5.5", "short")["input_tokens_details"]["cached_tokens"] == 0


def test_a_model_that_bills_writes_bills_what_it_writes(rehearsal: Rehearsal) -> None:
    first = used(rehearsal, "gpt-6.1-sol", LONG)
    details = first["input_tokens_details"]
    written = details["cache_write_tokens"]
    assert written == first["input_tokens"] - first["input_tokens"] % 128
    assert details["cache_write_tokens_details"] == {"ttl_30m_tokens": written, "ttl_12h_tokens": 0}
    assert used(rehearsal, "gpt-6.1-sol", LONG)["input_tokens_details"]["cache_write_tokens"] == 0
    kept = used(rehearsal, "gpt-6.1-sol", LONG, prompt_cache_key="12", prompt_cache_options={"ttl": "12h"})
    assert kept["input_tokens_details"]["cache_write_tokens_details"] == {"ttl_30m_tokens": 0, "ttl_12h_tokens": written}
    bills = [int(call["billed_pico"]) - call["tokens"]["output"] * 10_000_000 for call in rehearsal.calls()]
    plain = first["input_tokens"] - written
    assert bills == [
        written * 2_500_000 + plain * 2_000_000,
        written * 100_000 + plain * 2_000_000,
        written * 5_000_000 + plain * 2_000_000,
    ]
