"""The house's pages: health and metrics for machines, and the read-only admin API. It listens apart from the data plane."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from headgate.control.command import Status
from headgate.control.reports import BudgetLine, budgets, doubts, freezes, keys, overrides
from headgate.store.sqlite import Database, StoreError, open_reader
from headgate.web.gate_client import GateAway, GateClient
from headgate.web.metrics import Counts, render

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# No page of ours is framed, sniffed, cached or given a script from elsewhere.
SAFE = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}


def build_app(gate: GateClient, ledger_file: Path) -> Starlette:
    pages = Pages(gate, ledger_file)
    return Starlette(
        exception_handlers={404: _told, 405: _told},
        middleware=[Middleware(LocalHost)],
        routes=[
            Route("/", pages.index),
            Route("/healthz", pages.healthz),
            Route("/readyz", pages.readyz),
            Route("/metrics", pages.metrics),
            Route("/admin/v1/status", pages.status),
            Route("/admin/v1/budgets", pages.budgets),
            Route("/admin/v1/keys", pages.keys),
            Route("/admin/v1/doubts", pages.doubts),
        ],
    )


class LocalHost:
    """Answers nobody who came by another name. The house has no log-in, and a page that a browser on this machine has open could give
    its own name our address, and read with its visitor's eyes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _local(Request(scope).headers.get("host", "")):
            await _json({"error": "ask for this page by an address of this machine, such as 127.0.0.1"}, 421)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _local(host: str) -> bool:
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    try:
        return name.lower() == "localhost" or ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


async def _told(request: Request, error: Exception) -> Response:
    """No such page, or not a way to ask for it: the house only tells, it changes nothing."""
    assert isinstance(error, HTTPException)
    told = _json({"error": error.detail}, error.status_code)
    told.headers.update(error.headers or {})
    return told


class Pages:
    """Each page is one short read of the book, or one question to the gate."""

    def __init__(self, gate: GateClient, ledger_file: Path) -> None:
        self._gate = gate
        self._file = ledger_file
        self._reader: Database | None = None

    def _book(self) -> Database:
        if self._reader is None:
            self._reader = open_reader(self._file)
        return self._reader

    async def index(self, request: Request) -> Response:
        where = ("/healthz", "/readyz", "/metrics", "/admin/v1/status", "/admin/v1/budgets", "/admin/v1/keys", "/admin/v1/doubts")
        return _json({"headgate": "house", "pages": where})

    async def healthz(self, request: Request) -> Response:
        return _json({"status": "alive"})

    async def readyz(self, request: Request) -> Response:
        try:
            status = await self._gate.ask(Status(actor="house"))
        except GateAway as away:
            return _json({"status": "not ready", "why": str(away)}, 503)
        why = status["not_ready"]
        return _json({"status": "not ready", "why": why}, 503) if why else _json({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        gauges = {"up": 0}
        counts: Counts = []
        lines: list[BudgetLine] = []
        try:
            status = await self._gate.ask(Status(actor="house"))
            counts = status["counts"]
            gauges = {"up": 1} | {name: int(status[name]) for name in ("open_exchanges", "connections", "draining")}
            lines = budgets(self._book(), status["now_us"])
        except (GateAway, StoreError):
            pass  # `headgate_up 0` says it
        return Response(render(counts, lines, gauges), media_type=METRICS_TYPE, headers=SAFE)

    async def status(self, request: Request) -> Response:
        try:
            return _json(await self._gate.ask(Status(actor="house")))
        except GateAway as away:
            return _json({"error": str(away)}, 503)

    async def budgets(self, request: Request) -> Response:
        try:
            status = await self._gate.ask(Status(actor="house"))
            book, now = self._book(), status["now_us"]
            return _json({"budgets": budgets(book, now), "overrides": overrides(book, now), "frozen": freezes(book)})
        except (GateAway, StoreError) as error:
            return _json({"error": str(error)}, 503)

    async def keys(self, request: Request) -> Response:
        try:
            return _json({"keys": keys(self._book())})
        except StoreError as error:
            return _json({"error": str(error)}, 503)

    async def doubts(self, request: Request) -> Response:
        try:
            return _json({"doubts": doubts(self._book())})
        except StoreError as error:
            return _json({"error": str(error)}, 503)


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json", headers=SAFE)
