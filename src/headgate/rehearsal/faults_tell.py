"""Faults in what the provider tells: usage that is missing, wrong or twice, while the meter bills the truth.

Each function changes the JSON values of the answer: one for a plain answer, one for each event or chunk of a stream.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from headgate.rehearsal.chat import DONE
from headgate.rehearsal.shapes import Table, table

Told = list[Any]  # objects, and the word [DONE]

_TERMINAL = ("response.completed", "response.incomplete", "response.failed")
_OUTPUT = ("output_tokens", "completion_tokens")
_PADDING = "rehearsal " * 7_000  # more than 64 KiB


def _holder(told: Any) -> Table:
    """Where the usage of this object stands: in the response of an event, else in the object itself."""
    members = table(told)
    return table(members.get("response")) or members


def _holders(told: Told) -> list[Table]:
    """Every object that tells a usage, each a copy of its own so that what is stored stays true."""
    found: list[Table] = []
    for index, member in enumerate(told):
        if _holder(member).get("usage") is not None:
            told[index] = deepcopy(member)
            found.append(_holder(told[index]))
    return found


def _each_count(change: Callable[[int], Any]) -> Callable[[Told, int | None], Told]:
    def tell(told: Told, at: int | None) -> Told:
        for holder in _holders(told):
            for name in _OUTPUT:
                if name in holder["usage"]:
                    holder["usage"][name] = change(holder["usage"][name])
        return told

    return tell


def _missing(told: Told, at: int | None) -> Told:
    for holder in _holders(told):
        del holder["usage"]
    # The chunk that had nothing but the usage is not sent at all, as when a stream is interrupted.
    return [member for member in told if not _is_bare_chunk(member)]


def _is_bare_chunk(member: Any) -> bool:
    return table(member).get("object") == "chat.completion.chunk" and not table(member).get("choices")


def _null(told: Told, at: int | None) -> Told:
    for holder in _holders(told):
        holder["usage"] = None
    return told


def _extra_fields(told: Told, at: int | None) -> Told:
    for holder in _holders(told):
        usage = holder["usage"]
        usage |= {
            "rehearsal_credits": {"amount": "7", "unit": ["a", {"b": None}]},
            "cost_in_usd_ticks": 12,
            "output_tokens_per_second": 88.5,
        }
        for name in ("input_tokens_details", "prompt_tokens_details"):
            if name in usage:
                usage[name]["rehearsal_tokens"] = 3
    return told


def _twice(told: Told, at: int | None) -> Told:
    """A running count of half the output first, then the truth."""
    holders = _holders(told)
    if len(told) == 1 or not holders:
        return told  # a plain answer tells it twice by a repeated name: see faults_parts.py
    index = next(index for index, member in enumerate(told) if _holder(member).get("usage") is not None)
    early = deepcopy(told[index])
    usage = _holder(early)["usage"]
    for name in _OUTPUT:
        if name in usage:
            usage[name] //= 2
    if early.get("type") in _TERMINAL:
        early["type"] = "response.in_progress"
        _holder(early)["status"] = "in_progress"
    told.insert(index, early)
    return told


def _empty_choices(told: Told, at: int | None) -> Told:
    """Chat: nothing chosen (in a stream one such chunk comes first, without a usage). Responses: no output at all."""
    told = deepcopy(told)
    first = table(told[0])
    if first.get("object") == "chat.completion.chunk":
        return [{**first, "choices": [], "prompt_filter_results": []}, *told]
    kept = [member for member in told if table(member).get("type") in (None, "response.created", "response.in_progress", *_TERMINAL)]
    for member in kept:
        holder = _holder(member)
        for name in ("choices", "output"):
            if name in holder:
                holder[name] = []
    return kept


def _done_missing(told: Told, at: int | None) -> Told:
    """The stream ends in order, but without its last word."""
    return [member for member in told if member != DONE and table(member).get("type") not in _TERMINAL]


def _padded(told: Told, at: int | None) -> Told:
    """An event of more than 64 KiB in the middle, and the last one that tells something as long."""
    last = max(index for index, member in enumerate(told) if member != DONE)
    for index in {len(told) // 2, last}:
        if told[index] != DONE:
            told[index] = {**told[index], "obfuscation": _PADDING}
    return told


TELL: dict[str, Callable[[Told, int | None], Told]] = {
    "usage_missing": _missing,
    "usage_null": _null,
    "usage_negative": _each_count(lambda count: -count - 1),
    "usage_float": _each_count(lambda count: count + 0.5),
    "usage_string": _each_count(str),
    "usage_huge": _each_count(lambda count: 10**30),
    "usage_extra_fields": _extra_fields,
    "usage_twice": _twice,
    "empty_choices": _empty_choices,
    "done_missing": _done_missing,
    "event_64k": _padded,
}
