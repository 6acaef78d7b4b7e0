"""Every way the rehearsal can be a bad provider, by name; asked for by a marker in a request's metadata or queued by the judge.

A fault works at one or more of five stages, each a table of functions:
  instead   another answer altogether, complete and free                          faults_instead.py
  plan      what is said, told and billed, consistently                           faults_plan.py
  tell      the JSON that is told, while the meter bills the truth                faults_tell.py
  parts     the bytes of the body or of the stream events                         faults_parts.py
  wire      the connection itself                                                 faults_wire.py
Billing: `instead` is free, as a complete error answer is; everything else is billed in full, whatever arrives at the client.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from headgate.rehearsal.ask import CHAT, RESPONSES, Ask
from headgate.rehearsal.faults_instead import INSTEAD
from headgate.rehearsal.faults_parts import PARTS
from headgate.rehearsal.faults_plan import PLAN
from headgate.rehearsal.faults_tell import TELL
from headgate.rehearsal.faults_wire import WIRE
from headgate.rehearsal.problems import Problem, invalid
from headgate.rehearsal.shapes import Table, text, whole

MARKER, MARKER_AT = "rehearsal_fault", "rehearsal_fault_at"

_EVERYWHERE = frozenset({(RESPONSES, False), (RESPONSES, True), (CHAT, False), (CHAT, True)})
_STREAMS = frozenset({(RESPONSES, True), (CHAT, True)})

# Where a fault means something, as (api, stream); everywhere unless said here. Asked for elsewhere it is a 400, never a silent success.
_ONLY: dict[str, frozenset[tuple[str, bool]]] = {
    "done_missing": _STREAMS,
    "error_midstream": _STREAMS,
    "line_ends_crlf": _STREAMS,
    "line_ends_cr": _STREAMS,
    "comments_and_retry": _STREAMS,
    "endless_event": _STREAMS,
    "failed_with_usage": frozenset({(RESPONSES, False), (RESPONSES, True)}),
    "failed_without_usage": frozenset({(RESPONSES, False), (RESPONSES, True)}),
    "tool_calls_above_max": frozenset({(RESPONSES, False), (RESPONSES, True)}),
}


def names() -> list[str]:
    """Every fault there is, in the order of its stages."""
    found: dict[str, None] = {}
    for stage in (INSTEAD, PLAN, TELL, PARTS, WIRE):
        found |= dict.fromkeys(stage)
    return list(found)


def applies(name: str, api: str, stream: bool) -> bool:
    return (api, stream) in _ONLY.get(name, _EVERYWHERE)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault that is about to happen; `at` means something different to each of them."""

    name: str
    at: int | None


@dataclass(slots=True)
class Queued:
    """A fault for the next requests: of this key or of any, as often as `times`, with a probability in thousandths."""

    name: str
    at: int | None
    times: int
    key: str | None
    per_mille: int


class Faults:
    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._queue: list[Queued] = []

    def clear(self) -> None:
        self._queue.clear()

    def enqueue(self, order: Table) -> Problem | None:
        name, key = text(order.get("name")), order.get("key")
        times, per_mille = order.get("times", 1), order.get("probability", 1_000)
        at = order.get("at")
        if name not in names():
            return invalid(f"There is no fault {name!r}; GET /rehearsal/faults lists them.", "name")
        if whole(times) is None or times < 1:
            return invalid("times must be a whole number of at least 1.", "times")
        if whole(per_mille) is None or not 0 <= per_mille <= 1_000:
            return invalid("probability must be in thousandths, from 0 to 1000.", "probability")
        if at is not None and whole(at) is None:
            return invalid("at must be a whole number.", "at")
        self._queue.append(Queued(name, at, times, key if isinstance(key, str) else None, per_mille))
        return None

    def pick(self, ask: Ask, key: str) -> Fault | Problem | None:
        """The fault of this request: its own marker first, then the first queued one that fits and whose chance comes up."""
        marked = ask.metadata.get(MARKER)
        if marked is not None:
            at = ask.metadata.get(MARKER_AT)
            if isinstance(at, str):
                at = int(at) if at.isdigit() and len(at) < 12 else None
            if marked not in names():
                return invalid(f"There is no fault {marked!r}; GET /rehearsal/faults lists them.", f"metadata.{MARKER}")
            if not applies(str(marked), ask.api, ask.stream):
                return invalid(f"The fault {marked!r} means nothing for this API or without a stream.", f"metadata.{MARKER}")
            return Fault(str(marked), whole(at))
        for queued in self._queue:
            fits = queued.key in (None, key) and applies(queued.name, ask.api, ask.stream)
            if fits and self._chance.randrange(1_000) < queued.per_mille:
                queued.times -= 1
                if queued.times == 0:
                    self._queue.remove(queued)
                return Fault(queued.name, queued.at)
        return None

    def shown(self) -> Table:
        return {
            "queued": [
                {"name": queued.name, "at": queued.at, "times": queued.times, "key": queued.key, "probability": queued.per_mille}
                for queued in self._queue
            ],
            "faults": [
                {
                    "name": name,
                    "stages": [label for label, stage in _STAGES.items() if name in stage],
                    "applies": sorted(f"{api}/{'stream' if stream else 'json'}" for api, stream in _ONLY.get(name, _EVERYWHERE)),
                    "billed": "nothing" if name in INSTEAD else "in full",
                }
                for name in names()
            ],
        }


_STAGES: dict[str, dict[str, Callable[..., object]]] = {
    "instead": dict(INSTEAD),
    "plan": dict(PLAN),
    "tell": dict(TELL),
    "parts": dict(PARTS),
    "wire": dict(WIRE),
}
