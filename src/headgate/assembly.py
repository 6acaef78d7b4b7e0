"""The one place where everything is built and handed over: book, world, ways, gate, service."""

from __future__ import annotations

import asyncio
import os
import resource
import ssl
import time
from collections.abc import Callable, Mapping
from importlib.resources import files

import msgspec

from headgate import __version__
from headgate.config.settings import PathSettings, Settings
from headgate.control.carry import Situation, carry_out
from headgate.control.command import AnyCommand, Drain, ImportPrices, Reload, Status, Wrong, decoder, encoder
from headgate.control.keys import read_callers
from headgate.control.prices import import_prices, listed
from headgate.gateway.desk import Desk
from headgate.gateway.gate import Gate, Way, World
from headgate.gateway.journal import Journal
from headgate.gateway.listener import Limits, Listeners
from headgate.gateway.numbers import Numbers
from headgate.gateway.objects import Objects
from headgate.gateway.reception import Reception
from headgate.gateway.refusals import Refusals
from headgate.gateway.resolver import resolve_for_ever
from headgate.gateway.service import Health, Service
from headgate.gateway.socket import CommandSocket
from headgate.gateway.tally import Tally
from headgate.gateway.upstream import Origin, Upstream
from headgate.paths.direct import direct
from headgate.policy.legs import rulebook
from headgate.pricing.book import price_book
from headgate.pricing.vendored import OPENAI_PUBLIC
from headgate.store import rows
from headgate.store.folder import LEDGER_FILE, SOCKET_FILE
from headgate.store.ledger import Clock, Ledger
from headgate.store.lock import DataLock
from headgate.store.sqlite import Database, StoreError, open_reader, open_writer

RESERVE_BYTES = 64 * 1024 * 1024  # of disk; below it nothing new is admitted, so that open holds can still settle
RESOLVE_EVERY_S = 15

SYSTEM_CLOCK = Clock(lambda: time.time_ns() // 1000, lambda: time.monotonic_ns() // 1000)


def open_ledger(settings: Settings, clock: Clock = SYSTEM_CLOCK, vfs: str | None = None) -> Ledger:
    """The book of this configuration, opened to write. The caller holds the data lock. A new book gets the public price table."""
    file = settings.gate.data / LEDGER_FILE
    database = open_writer(file, vfs)
    kind = "rehearsal" if settings.rehearsal else "real"
    known = database.first("house_value", {"name": "kind"})
    if known is None:
        database.run("set_house_value", {"name": "kind", "value": kind})
    elif known[0] != kind:
        database.close()
        raise StoreError(
            f"{file}: this ledger is a {known[0]} one and the paths of headgate.toml are {kind}: rehearsed and real calls never share a "
            "ledger. Point `gate.data` at another folder"
        )
    ledger = Ledger(database, clock)
    if not database.run("tariffs"):
        ledger.begin()
        import_prices(ledger, ImportPrices(actor="headgate", sheet=public_sheet()))
        ledger.commit()
    return ledger


def public_sheet() -> str:
    """The vendored table of public OpenAI prices, as text."""
    return files("headgate.pricing").joinpath("data", OPENAI_PUBLIC.file).read_text("utf-8")


def build_world(settings: Settings, reader: Database, ways: Mapping[str, Way]) -> World:
    """Everything a decision reads, from what the operator wrote and what the book knows."""
    workspaces = settings.workspaces
    environments = {name: workspace.environment for name, workspace in workspaces.items()}
    return World(
        workspaces=workspaces,
        rulebook=rulebook(settings.rules, environments.items()),
        callers=read_callers(reader.run("keys"), environments),
        book=price_book(
            listed(reader.run("tariffs")),
            {name: path.prices for name, path in settings.paths.items()},
            {name: path.uplift_percent for name, path in settings.paths.items()},
        ),
        frozen=frozenset(rows.text(row[0]) for row in reader.run("freezes")),
        ways=ways,
        networks=settings.gate.networks,
    )


def upstream_tls(path: PathSettings) -> ssl.SSLContext | None:
    """Always verified, by the system's authorities or by the one that the operator names."""
    if not path.access.tls:
        return None
    context = ssl.create_default_context(cafile=str(path.ca_file) if path.ca_file is not None else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if path.client_certificate is not None:
        context.load_cert_chain(path.client_certificate, path.client_key)
    return context


def listen_tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.gate.tls_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.gate.tls_certificate, settings.gate.tls_key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def build_way(path: PathSettings) -> Way:
    origin = Origin(
        host=path.access.host,
        port=path.access.port,
        tls=upstream_tls(path),
        connections=path.most_connections,
        reserved=path.reserved_production,
        connect_s=path.connect_seconds,
        head_s=path.head_seconds,
        idle_s=path.idle_seconds,
    )
    sender = direct(path.access, path.credential.reveal(), path.openai_organization, path.openai_project)
    return Way(sender, Upstream(origin))


class House:
    """A running gate and what it was built from; obeys commands and reloads. `read` gives the settings anew."""

    def __init__(
        self, read: Callable[[], Settings], clock: Clock = SYSTEM_CLOCK, fatal: Callable[[BaseException], None] | None = None
    ) -> None:
        self._read = read
        self._clock = clock
        self._fatal = fatal or end_process
        self.settings = read()
        self.stopping = asyncio.Event()
        self.port = 0
        self._started_us = clock.wall_us()
        self._disk_checked = (0, False)

    async def start(self) -> Service:
        """Lock, recover, listen. Raises StoreError or OSError with what to do next; then nothing is left running."""
        settings = self.settings
        self._lock = DataLock(settings.gate.data)
        self._lock.take()
        ledger = open_ledger(settings, self._clock)
        left = ledger.start()
        ledger.begin()
        ledger.apply_caps(settings.rules)
        ledger.commit()
        self._reader = open_reader(settings.gate.data / LEDGER_FILE)
        last = self._reader.first("greatest_hold")
        journal, tally = Journal(self._clock.wall_us), Tally()
        desk = Desk(ledger, self._fatal, self._disk_low)
        ways = {name: build_way(path) for name, path in settings.paths.items()}
        gate = self.gate = Gate(
            world=build_world(settings, self._reader, ways),
            desk=desk,
            numbers=Numbers(self._clock.wall_us, after=rows.whole(last[0]) if last is not None else 0),
            objects=Objects(self._reader),
            refusals=Refusals(desk, tally),
            tally=tally,
            journal=journal,
            wall_us=self._clock.wall_us,
            rooms=ledger.rooms,
            body_limit=settings.gate.body_limit_bytes,
        )
        listeners = Listeners(Reception(gate), Limits(connections=settings.gate.most_connections))
        self._socket = CommandSocket(settings.gate.data / SOCKET_FILE, self.obey)
        try:
            self.port = await listeners.listen(settings.gate.listen.host, settings.gate.listen.port, listen_tls(settings))
            await self._socket.open()
        except OSError:
            listeners.close()
            await desk.close()
            self._lock.release()
            raise
        jobs = [asyncio.create_task(resolve_for_ever(gate, self._reader, RESOLVE_EVERY_S))]
        self.service = Service(gate, listeners, jobs, self._close)
        journal.say("listening", port=self.port, rehearsal=int(settings.rehearsal), doubted=left, version=__version__)
        return self.service

    async def _close(self) -> None:
        await self._socket.close()
        await self.gate.desk.close()
        self._reader.close()
        self._lock.release()

    def _disk_low(self) -> bool:
        """Looked at once a second, in the writer's thread."""
        second = self._clock.monotonic_us() // 1_000_000
        if second != self._disk_checked[0]:
            space = os.statvfs(self.settings.gate.data)
            self._disk_checked = (second, space.f_bavail * space.f_frsize < RESERVE_BYTES)
        return self._disk_checked[1]

    async def obey(self, line: bytes) -> bytes:
        """One command as JSON to one answer as JSON: {"ok": …} or {"error": "…"}."""
        try:
            command = decoder.decode(line)
        except msgspec.MsgspecError as error:
            return encoder.encode({"error": f"not a command: {error}"})
        try:
            return encoder.encode({"ok": await self._obey(command)})
        except Wrong as error:
            return encoder.encode({"error": str(error)})

    async def _obey(self, command: AnyCommand) -> object:
        match command:
            case Status():
                return self.health()
            case Drain():
                self.stopping.set()
                return "draining"
            case Reload():
                return await self.reload(command.actor)
            case _:
                situation = Situation(tuple(self.settings.workspaces), self.settings.rules)
                answer = await self.gate.desk.change(lambda ledger: carry_out(ledger, command, situation))
                self.gate.world = build_world(self.settings, self._reader, self.gate.world.ways)
                return answer

    async def reload(self, actor: str) -> str:
        """Read the file again and swap the world whole; on any error everything stays as it is."""
        try:
            settings = self._read()
        except Exception as error:
            raise Wrong(f"nothing was changed:\n{error}") from error
        fixed = (
            (settings.gate.listen, self.settings.gate.listen),
            (settings.gate.data, self.settings.gate.data),
            (settings.rehearsal, self.settings.rehearsal),
        )
        if any(new != old for new, old in fixed):
            raise Wrong("nothing was changed: `listen`, `data` and whether paths are rehearsals need a restart, not a reload")
        ways: dict[str, Way] = {}
        old_paths, old_ways = self.settings.paths, self.gate.world.ways
        for name, path in settings.paths.items():
            ways[name] = old_ways[name] if old_paths.get(name) == path and name in old_ways else build_way(path)

        def apply(ledger: Ledger) -> object:
            ledger.apply_caps(settings.rules)
            return ledger.record("reload", {"config": settings.digest, "actor": actor})

        await self.gate.desk.change(apply)
        self.settings = settings
        self.gate.world = build_world(settings, self._reader, ways)
        self.gate.journal.say("reloaded", config=settings.digest, actor=actor)
        # Calls that began before keep their world; the connections of a way that was replaced end with the last of them.
        for name, way in old_ways.items():
            if ways.get(name) is not way:
                asyncio.get_running_loop().call_later(3600, way.upstream.close)
        return settings.digest

    def health(self) -> Health:
        gate = self.gate
        return Health(
            version=__version__,
            rehearsal=self.settings.rehearsal,
            started_us=self._started_us,
            now_us=self._clock.wall_us(),
            open_exchanges=len(gate.open_exchanges),
            connections=self.service.listeners.connections,
            draining=gate.draining,
            counts=gate.tally.snapshot(),
        )


def end_process(error: BaseException) -> None:
    """The disk failed or the book is not what it should be: stop at once. What was told is durable, the rest is in doubt at the start."""
    os.write(
        2, f'{{"event":"fatal","kind":"{type(error).__name__}","what":"the ledger cannot be written; see docs/operating.md"}}\n'.encode()
    )
    os._exit(70)


def harden() -> None:
    """No core dump may hold a credential or a prompt; as many open files as the system allows."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
