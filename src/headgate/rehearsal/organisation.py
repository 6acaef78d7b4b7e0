"""What the organisation's admin would be told: usage by minute, hour or day, and costs by day, in OpenAI's shapes.

Amounts are floats here because OpenAI's shape is; the exact sums are in the meter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from headgate.rehearsal.meter import Line, Meter, Used
from headgate.rehearsal.problems import Problem, invalid, missing
from headgate.rehearsal.shapes import Table

_WIDTHS = {"1m": (60, 1_440, 60), "1h": (3_600, 168, 24), "1d": (86_400, 31, 7)}  # seconds, most buckets, usual buckets
_COST_WIDTHS = {"1d": (86_400, 180, 7)}

Query = dict[str, list[str]]
Group = tuple[tuple[str, str], ...]


def usage_page(meter: Meter, key_ids: dict[str, str], query: Query, now: int) -> Table | Problem:
    """GET /v1/organization/usage/completions."""
    found: dict[tuple[int, Group], Used] = {}

    def collect(bucket: Callable[[int], int], grouped: frozenset[str]) -> None:
        for (minute, project, key, model, tier), used in meter.used.items():
            names = {"project_id": project, "api_key_id": key_ids.get(key, key), "model": model, "service_tier": tier}
            into = found.setdefault((bucket(minute), _group(names, grouped)), Used())
            for name in Used.__slots__:
                setattr(into, name, getattr(into, name) + getattr(used, name))

    return _page(query, _WIDTHS, now, collect, lambda: ((at, _usage_result(group, used)) for (at, group), used in found.items()))


def costs_page(meter: Meter, key_ids: dict[str, str], query: Query, now: int) -> Table | Problem:
    """GET /v1/organization/costs."""
    found: dict[tuple[int, Group], Line] = {}

    def collect(bucket: Callable[[int], int], grouped: frozenset[str]) -> None:
        for (day, project, key, item), line in meter.lines.items():
            names = {"project_id": project, "api_key_id": key_ids.get(key, key), "line_item": item}
            into = found.setdefault((bucket(day), _group(names, grouped)), Line())
            into.quantity += line.quantity
            into.amount += line.amount

    return _page(query, _COST_WIDTHS, now, collect, lambda: ((at, _cost_result(group, line)) for (at, group), line in found.items()))


def _group(names: dict[str, str], grouped: frozenset[str]) -> Group:
    return tuple(sorted((name, value) for name, value in names.items() if name in grouped))


def _page(
    query: Query,
    widths: dict[str, tuple[int, int, int]],
    now: int,
    collect: Callable[[Callable[[int], int], frozenset[str]], None],
    results: Callable[[], Iterable[tuple[int, Table]]],
) -> Table | Problem:
    width = _first(query, "bucket_width", "1d")
    if width not in widths:
        return invalid(f"Invalid value for 'bucket_width': expected one of {', '.join(widths)}.", "bucket_width")
    seconds, most, usual = widths[width]
    start_text, end_text, limit_text = (
        _first(query, "start_time", ""),
        _first(query, "end_time", str(now + 1)),
        _first(query, "limit", str(usual)),
    )
    if not start_text:
        return missing("start_time")
    if not (start_text.isdigit() and end_text.isdigit() and limit_text.isdigit() and 1 <= int(limit_text) <= most):
        return invalid(f"start_time and end_time are unix seconds, limit is from 1 to {most}.", "start_time")
    page = _first(query, "page", "")
    start = int(page.removeprefix("page_")) if page.removeprefix("page_").isdigit() else int(start_text)
    start -= start % seconds
    starts = range(start, max(start, int(end_text)), seconds)
    shown = starts[: int(limit_text)]
    collect(lambda at: at - at % seconds, frozenset(query.get("group_by", []) + query.get("group_by[]", [])))
    by_start: dict[int, list[Table]] = {at: [] for at in shown}
    for at, result in results():
        if at in by_start:
            by_start[at].append(result)
    more = len(starts) > len(shown)
    return {
        "object": "page",
        "data": [{"object": "bucket", "start_time": at, "end_time": at + seconds, "results": listed} for at, listed in by_start.items()],
        "has_more": more,
        "next_page": f"page_{starts[len(shown)]}" if more else None,
    }


def _first(query: Query, name: str, default: str) -> str:
    return query.get(name, [default])[0]


def _usage_result(group: Group, used: Used) -> Table:
    named: dict[str, Any] = dict.fromkeys(("project_id", "user_id", "api_key_id", "model", "batch", "service_tier"))
    return {
        "object": "organization.usage.completions.result",
        "input_tokens": used.input,
        "output_tokens": used.output,
        "num_model_requests": used.requests,
        "input_cached_tokens": used.cached,
        "input_uncached_tokens": used.input - used.cached,
        "input_cache_write_tokens": used.write_30m + used.write_12h,
        "input_cache_write_30m_tokens": used.write_30m,
        "input_cache_write_12h_tokens": used.write_12h,
        "input_audio_tokens": 0,
        "output_audio_tokens": 0,
        **named,
        **dict(group),
    }


def _cost_result(group: Group, line: Line) -> Table:
    names = dict(group)
    item = names.get("line_item")
    return {
        "object": "organization.costs.result",
        "amount": {"value": float(line.amount), "currency": "usd"},
        "line_item": item,
        "quantity": float(line.quantity) if item is not None else None,
        "quantity_unit": "tokens" if item is not None and "_tokens" in item else None,
        "project_id": names.get("project_id"),
        "api_key_id": names.get("api_key_id"),
        "user_id": None,
    }
