"""The reports an administrator reads, through the SDK's own admin client where it has one."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Rehearsal


def report(rehearsal: Rehearsal, target: str) -> Any:
    return rehearsal.json("GET", target, key=rehearsal.admin_key)


@pytest.fixture
def spent(rehearsal: Rehearsal) -> Rehearsal:
    for key in (rehearsal.key, rehearsal.key, rehearsal.other_key):
        rehearsal.json("POST", "/v1/responses", {"model": "gpt-5.5", "input": "Say hello", "max_output_tokens": 100}, key=key)
    return rehearsal


def test_usage_by_key_and_model_says_how_many_requests_there_were(spent: Rehearsal) -> None:
    start = spent.calls()[0]["started"]
    page = report(spent, f"/v1/organization/usage/completions?start_time={start}&bucket_width=1h&group_by=api_key_id&group_by=model")
    results = [result for bucket in page["data"] for result in bucket["results"]]
    counted = {result["api_key_id"]: result["num_model_requests"] for result in results}
    assert counted == {"key_rehearsal_1": 2, "key_rehearsal_2": 1}
    assert {result["model"] for result in results} == {"gpt-5.5"}
    assert sum(result["output_tokens"] for result in results) == spent.meter()["output_tokens"]


def test_costs_add_up_to_the_meter(spent: Rehearsal) -> None:
    start = spent.calls()[0]["started"]
    page = report(spent, f"/v1/organization/costs?start_time={start - 86_400}&group_by=line_item&group_by=project_id&limit=10")
    results = [result for bucket in page["data"] for result in bucket["results"]]
    assert {result["line_item"] for result in results} == {"gpt-5.5, input_tokens", "gpt-5.5, output_tokens"}
    assert sum(result["quantity"] for result in results if result["line_item"].endswith("output_tokens")) == spent.meter()["output_tokens"]
    told_pico = sum(result["amount"]["value"] for result in results) * 1e12
    assert told_pico == pytest.approx(int(spent.meter()["billed_pico"]))


def test_a_long_report_has_pages(spent: Rehearsal) -> None:
    start = spent.calls()[0]["started"]
    first = report(spent, f"/v1/organization/usage/completions?start_time={start - 3_600}&bucket_width=1m&limit=30")
    assert first["has_more"]
    second = report(
        spent, f"/v1/organization/usage/completions?start_time={start - 3_600}&bucket_width=1m&limit=30&page={first['next_page']}"
    )
    assert second["data"][0]["start_time"] == first["data"][-1]["end_time"]


def test_only_the_administrator_reads_reports(rehearsal: Rehearsal) -> None:
    for target in ("/v1/organization/costs?start_time=0", "/v1/organization/usage/completions?start_time=0"):
        assert rehearsal.send("GET", target)[0] == 401
        assert rehearsal.send("GET", target, key=None)[0] == 401


def test_a_report_without_a_start_is_refused(rehearsal: Rehearsal) -> None:
    assert report(rehearsal, "/v1/organization/costs")["error"]["param"] == "start_time"
    assert "error" in report(rehearsal, "/v1/organization/costs?start_time=1&bucket_width=1m")
