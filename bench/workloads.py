"""The workloads, as one table: what is asked, how often, and how the upstream behaves."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from bench.make_data import CHAT_MODEL, CODEX_MODEL, DATA


class Figure(Enum):
    """What a run is worth, and its unit. A time is told as what the system adds to the same run without it."""

    REQUESTS = "requests/s"
    EVENTS = "events/s"
    ADDED_LATENCY = "us added p50"
    ADDED_FIRST_EVENT = "us added p50, first event"

    @property
    def is_time(self) -> bool:
        return self in (Figure.ADDED_LATENCY, Figure.ADDED_FIRST_EVENT)


# What the Codex CLI sends with each turn, so that the gate's work on it is measured too.
_TURN = {
    "session_id": "0199a1fb-e71b-7735-8094-3e4eb3f35142",
    "turn_id": "0199a1fb-e71b-7660-9f4e-0bcb6817cd57",
    "request_kind": "turn",
    "thread_source": "user",
    "sandbox": "seatbelt",
    "workspaces": {
        "/home/dev/payments-api": {
            "associated_remote_urls": {"origin": "https://git.example.test/acme/payments-api.git"},
            "latest_git_commit_hash": "0bcb6817cd5752f824c03e9debfea3264819e396",
            "has_changes": False,
        }
    },
}
_CODEX_HEADERS = (
    "user-agent: codex_exec/0.169.0 (Debian 12.0.0; x86_64) dumb (codex_exec; 0.169.0)",
    "originator: codex_exec",
    "session-id: 0199a1fb-e71b-7735-8094-3e4eb3f35142",
    "thread-id: 0199a1fb-e71b-7735-8094-3e4eb3f35142",
    f"x-codex-turn-metadata: {json.dumps(_TURN, separators=(',', ':'))}",
)


@dataclass(frozen=True, slots=True)
class Workload:
    name: str
    says: str
    figure: Figure
    target: str
    body: str
    connections: int
    headers: tuple[str, ...] = ()
    events: int | None = None  # a stream with this many events; 0: without an end; None: JSON
    rate: int | None = None  # requests a second; None: each connection asks again when it is answered
    ramp: int | None = None  # connections opened in a second
    delays: bool = False  # read the age of each event
    least_seconds: float = 0
    upstream: dict[str, int | str] = field(default_factory=dict[str, int | str])

    def seconds(self, wished: float) -> float:
        return max(wished, self.least_seconds)

    def arguments(self, key: str, seconds: float, warm_up: float) -> list[str]:
        """Of the load generator."""
        words = ["--target", self.target, "--body", str(Path(DATA) / self.body), "--connections", str(self.connections)]
        words += ["--seconds", str(self.seconds(seconds)), "--warm-up", str(warm_up), "--header", f"authorization: Bearer {key}"]
        for header in self.headers:
            words += ["--header", header]
        if self.events is not None:
            words += ["--events", str(self.events)]
        if self.rate is not None:
            words += ["--rate", str(self.rate)]
        if self.ramp is not None:
            words += ["--ramp", str(self.ramp), "--drain", "0"]
        if self.delays:
            words += ["--delays"]
        return words


def _quick(events: int, model: str) -> dict[str, int | str]:
    return {"delay_ms": 0, "interval_ms": 0, "burst": 1, "events": events, "model": model}


def _open_streams(name: str, streams: int) -> Workload:
    return Workload(
        name=name,
        says=f"{streams:,} open streams, an event every 50 ms",
        figure=Figure.EVENTS,
        target="/v1/responses",
        body="responses_1k_stream.json",
        connections=streams,
        events=0,
        ramp=1500,
        delays=True,
        least_seconds=5,
        upstream=_quick(10_000, CHAT_MODEL) | {"interval_ms": 50},
    )


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload(
            name="W1",
            says="JSON, 1 KB in, 1.5 KB out, 64 connections",
            figure=Figure.REQUESTS,
            target="/v1/responses",
            body="responses_1k.json",
            connections=64,
            upstream=_quick(300, CHAT_MODEL),
        ),
        Workload(
            name="W2",
            says="a Codex turn: 120 KB in, a stream of 300 events out, 64 connections",
            figure=Figure.REQUESTS,
            target="/v1/responses",
            body="codex_120k.json",
            connections=64,
            headers=_CODEX_HEADERS,
            events=300,
            upstream=_quick(300, CODEX_MODEL),
        ),
        _open_streams("W3-1000", 1000),
        _open_streams("W3-5000", 5000),
        Workload(
            name="W4",
            says="the upstream takes 60 ms, 256 connections",
            figure=Figure.REQUESTS,
            target="/v1/chat/completions",
            body="chat_1k.json",
            connections=256,
            upstream=_quick(300, CHAT_MODEL) | {"delay_ms": 60},
        ),
        Workload(
            name="latency",
            says="1,000 requests a second, whatever happens",
            figure=Figure.ADDED_LATENCY,
            target="/v1/responses",
            body="responses_1k.json",
            connections=64,
            rate=1000,
            upstream=_quick(300, CHAT_MODEL),
        ),
        Workload(
            name="first-event",
            says="200 Codex turns a second, 20 events each, one every 5 ms",
            figure=Figure.ADDED_FIRST_EVENT,
            target="/v1/responses",
            body="codex_120k.json",
            connections=64,
            headers=_CODEX_HEADERS,
            events=20,
            rate=200,
            upstream=_quick(20, CODEX_MODEL) | {"interval_ms": 5},
        ),
    )
}
