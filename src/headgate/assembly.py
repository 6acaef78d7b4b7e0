"""The one place where everything is built and handed over: book, world, ways, gate, service."""

from __future__ import annotations

import asyncio
import os
import resource
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path

import msgspec

from headgate import __version__
from headgate.config.problem import ConfigError, Problem
from headgate.config.reference import FILE_NAME
from headgate.config.settings import PathSettings, Settings
from headgate.control.carry import Situation, carry_out
from headgate.control.command import AnyCommand, Drain, ImportPrices, Reload, Status, Wrong, decoder, encoder
from headgate.control.keys import read_callers
from headgate.control.prices import import_prices, listed
from headgate.gateway.desk import Desk
from headgate.gateway.dismissal import enter
from headgate.gateway.gate import Gate, Way, World
from headgate.gateway.journal import Journal
from headgate.gateway.listener import Limits, Listeners
from headgate.gateway.numbers import Numbers
from headgate.gateway.objects import Objects
from headgate.gateway.reception import Reception
from headgate.gateway.refusals import Refusals
from headgate.gateway.resolver import resolve_for_ever
from headgate.gateway.service import Health, Service
from headgate.gateway.socket import MOST_PATH_BYTES, CommandSocket, fits
from headgate.gateway.tally import Tally
from headgate.gateway.upstream import Origin, Upstream
from headgate.paths.direct import direct
from headgate.policy.legs import rulebook
from headgate.pricing.book import price_book
from headgate.pricing.vendored import OPENAI_PUBLIC
from headgate.store import rows
from headgate.store.folder import LEDGER_FILE, SOCKET_FILE
from headgate.store.ledger import CLOCK_DOUBT_US, Clock, Ledger
from headgate.store.lock import DataLock
from headgate.store.sqlite import Database, StoreError, explaining, open_reader, open_writer

RESERVE_BYTES = 64 * 1024 * 1024  # of disk; below it nothing new is admitted, so that open holds can still settle
RESOLVE_EVERY_S = 15
WAY_ENDS_S = 3600  # after a reload replaced it

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
    """Always verified, by the system's authorities and the one that the operator names. Raises ConfigError."""
    if not path.access.tls:
        return None
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if path.ca_file is not None:
        try:
            context.load_verify_locations(path.ca_file)
        except (OSError, ValueError) as error:
            raise _unfit(f"paths.{path.access.name}.ca_file", "certificates in PEM", path.ca_file, error) from error
    if path.client_certificate is not None:
        key = f"paths.{path.access.name}.client_certificate"
        _load_pair(context, key, path.client_certificate, path.client_key)
    return context


def listen_tls(settings: Settings) -> ssl.SSLContext | None:
    """What clients see of the gate. Raises ConfigError."""
    if settings.gate.tls_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_pair(context, "gate.tls_certificate", settings.gate.tls_certificate, settings.gate.tls_key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def prove_tls(settings: Settings) -> None:
    """Read every certificate and key that the configuration names. Raises ConfigError."""
    listen_tls(settings)
    for path in settings.paths.values():
        upstream_tls(path)


def _load_pair(context: ssl.SSLContext, setting: str, certificate: Path, key: Path | None) -> None:
    try:
        # An encrypted key would make OpenSSL ask on the terminal, and a service would wait for ever.
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise _unfit(setting, "a certificate chain in PEM, with the private key that belongs to it", certificate, error) from error


def _no_password() -> str:
    raise ValueError("the private key is encrypted; keep it unencrypted in a file that only this user can read")


def _unfit(setting: str, expected: str, file: Path, error: Exception) -> ConfigError:
    why = error.reason if isinstance(error, ssl.SSLError) and error.reason else str(error)
    return ConfigError([Problem(FILE_NAME, 0, setting, expected, f"{file}: {why}", f'{setting.rpartition(".")[2]} = "tls/file.pem"')])


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


class RunningGate:
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
        self._skew_us = clock.wall_us() - clock.monotonic_us()
        self._disk_checked = (0, False)

    async def start(self) -> Service:
        """Lock, recover, listen. Raises ConfigError, StoreError or OSError (of an address); then nothing is left running."""
        settings = self.settings
        socket_file = settings.gate.data / SOCKET_FILE
        if not fits(socket_file):
            raise StoreError(
                f"{settings.gate.data}: too long a name for a command socket in it ({len(os.fsencode(socket_file))} bytes, and the system "
                f"takes {MOST_PATH_BYTES}); point `gate.data` at a shorter folder, or start where headgate.toml is, without --config"
            )
        self._tls = listen_tls(settings)
        ways = {name: build_way(path) for name, path in settings.paths.items()}
        self._lock = DataLock(settings.gate.data)
        self._lock.take()
        with ExitStack() as undo:
            undo.callback(self._lock.release)
            with explaining(settings.gate.data / LEDGER_FILE):
                ledger = open_ledger(settings, self._clock)
                undo.callback(ledger.database.close)
                left = ledger.start()
                ledger.begin()
                ledger.apply_caps(settings.rules)
                ledger.commit()
            reader = self._reader = open_reader(settings.gate.data / LEDGER_FILE)
            undo.callback(reader.close)
            gate = self.gate = self._build_gate(ledger, reader, ways)
            listeners = self._listeners = Listeners(Reception(gate), Limits(connections=settings.gate.most_connections))
            self._socket = CommandSocket(socket_file, self.obey)
            try:
                # Commands first: whoever sees the port open may count on the socket.
                await self._socket.open()
                self.port = await listeners.listen(settings.gate.listen.host, settings.gate.listen.port, self._tls)
            except OSError:
                listeners.close()
                await self._socket.close()
                await gate.desk.close()
                raise
            undo.pop_all()
        jobs = [asyncio.create_task(resolve_for_ever(gate, reader, RESOLVE_EVERY_S))]
        self.service = Service(gate, listeners, jobs, self._close)
        gate.journal.say(
            "listening",
            host=settings.gate.listen.host,
            port=self.port,
            rehearsal=int(settings.rehearsal),
            doubted=left,
            version=__version__,
        )
        return self.service

    def _build_gate(self, ledger: Ledger, reader: Database, ways: Mapping[str, Way]) -> Gate:
        settings, wall_us = self.settings, self._clock.wall_us
        last = reader.first("greatest_hold")
        tally = Tally()
        desk = Desk(ledger, self._fatal, self._disk_low)
        return Gate(
            world=build_world(settings, reader, ways),
            desk=desk,
            numbers=Numbers(wall_us, after=rows.whole(last[0]) if last is not None else 0),
            objects=Objects(reader),
            refusals=Refusals(desk, tally),
            tally=tally,
            journal=Journal(wall_us),
            wall_us=wall_us,
            rooms=ledger.rooms,
            body_limit=settings.gate.body_limit_bytes,
            drain_seconds=settings.gate.drain_seconds,
            not_ready=self._not_ready,
        )

    async def _close(self) -> None:
        await self._socket.close()
        await self.gate.desk.close()
        self._reader.close()
        self._lock.release()

    def _not_ready(self) -> str:
        """Why no new call is admitted, in a word; nothing when they are."""
        if self._disk_low():
            return "disk_low"
        skew_us = self._clock.wall_us() - self._clock.monotonic_us()
        return "clock_unsure" if abs(skew_us - self._skew_us) > CLOCK_DOUBT_US else ""

    def _disk_low(self) -> bool:
        """Looked at once a second, in the writer's thread and by whoever asks whether the gate is ready."""
        second = self._clock.monotonic_us() // 1_000_000
        if second != self._disk_checked[0]:
            space = os.statvfs(self.settings.gate.data)
            self._disk_checked = (second, space.f_bavail * space.f_frsize < RESERVE_BYTES)
        return self._disk_checked[1]

    async def obey(self, line: bytes) -> bytes:
        """One command as JSON to one answer as JSON: {"ok": …} or {"error": "…"}."""
        try:
            command = decoder.decode(line)
        except (msgspec.MsgspecError, RecursionError) as error:
            return encoder.encode({"error": f"not a command: {error}"})
        try:
            return encoder.encode({"ok": await self._obey(command)})
        except (Wrong, StoreError) as error:
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
                with explaining(self.settings.gate.data / LEDGER_FILE):
                    answer = await self.gate.desk.change(lambda ledger: carry_out(ledger, command, situation))
                enter(self.gate, build_world(self.settings, self._reader, self.gate.world.ways))
                self.gate.journal.say("command", do=str(command.__struct_config__.tag), actor=command.actor)
                return answer

    async def reload(self, actor: str) -> str:
        """Read the file again and swap the world whole; on any error everything stays as it is."""
        try:
            settings = self._read()
            tls = listen_tls(settings)
            old_paths, old_ways = self.settings.paths, self.gate.world.ways
            ways = {
                name: old_ways[name] if old_paths.get(name) == path and name in old_ways else build_way(path)
                for name, path in settings.paths.items()
            }
        except ConfigError as error:
            raise Wrong(f"nothing was changed:\n{error}") from error
        changed = [name for name, new, old in _fixed(settings, self.settings) if new != old]
        if changed:
            raise Wrong(f"nothing was changed: {', '.join(changed)} cannot change while the gate runs; restart it")

        def apply(ledger: Ledger) -> object:
            ledger.apply_caps(settings.rules)
            return ledger.record("reload", {"config": settings.digest, "actor": actor})

        with explaining(settings.gate.data / LEDGER_FILE):
            await self.gate.desk.change(apply)
        if self._tls is not None and tls is not None and settings.gate.tls_certificate is not None:
            # The context that listens takes the renewed certificate; who is connected keeps the one they saw.
            self._tls.load_cert_chain(settings.gate.tls_certificate, settings.gate.tls_key)
        self.settings = settings
        self.gate.body_limit, self.gate.drain_seconds = settings.gate.body_limit_bytes, settings.gate.drain_seconds
        enter(self.gate, build_world(settings, self._reader, ways))
        self.gate.journal.say("reloaded", config=settings.digest, actor=actor)
        # Calls that began before keep their world; the connections of a way that was replaced end with the last of them.
        for name, way in old_ways.items():
            if ways.get(name) is not way:
                self.service.replaced.append(way)
                asyncio.get_running_loop().call_later(WAY_ENDS_S, way.upstream.close)
        return settings.digest

    def health(self) -> Health:
        gate = self.gate
        return Health(
            version=__version__,
            rehearsal=self.settings.rehearsal,
            started_us=self._started_us,
            now_us=self._clock.wall_us(),
            open_exchanges=len(gate.open_exchanges),
            connections=self._listeners.connections,
            draining=gate.draining,
            not_ready="draining" if gate.draining else self._not_ready(),
            counts=gate.tally.snapshot(),
        )


def _fixed(new: Settings, old: Settings) -> tuple[tuple[str, object, object], ...]:
    """What a running gate cannot change."""
    return (
        ("gate.listen", new.gate.listen, old.gate.listen),
        ("gate.data", new.gate.data, old.gate.data),
        ("gate.most_connections", new.gate.most_connections, old.gate.most_connections),
        ("TLS of the gate", new.gate.tls_certificate is None, old.gate.tls_certificate is None),
        ("house.listen", new.house.listen, old.house.listen),
        ("whether paths are rehearsals", new.rehearsal, old.rehearsal),
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
