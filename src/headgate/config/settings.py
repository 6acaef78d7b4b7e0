"""The configuration as values: complete, checked, immutable, and without a secret in any text that is shown."""

from __future__ import annotations

from pathlib import Path

import msgspec

from headgate.config.kinds import Address, Scope, Share
from headgate.config.problem import Caution
from headgate.config.secret import Secret
from headgate.paths.path import AccessPath
from headgate.policy.network import Network
from headgate.policy.workspace import Workspace
from headgate.terms.budget import BudgetRule, Calendar, Measure, Period


class Gate(msgspec.Struct, frozen=True):
    listen: Address
    data: Path
    tls_certificate: Path | None
    tls_key: Path | None
    networks: tuple[Network, ...]
    most_connections: int
    body_limit_bytes: int
    drain_seconds: int


class House(msgspec.Struct, frozen=True):
    listen: Address


class Cap(msgspec.Struct, frozen=True):
    """One cap of the organisation or of a workspace, in nano-dollars or tokens."""

    period: Period
    measure: Measure
    amount: int


class Organisation(msgspec.Struct, frozen=True):
    name: str
    zone: str
    fiscal_month: int
    caps: tuple[Cap, ...] = ()
    reserve: Share | None = None


class PathSettings(msgspec.Struct, frozen=True):
    """What the gate needs to reach a path and to price it. `credential` is the only place where the secret is."""

    access: AccessPath
    credential: Secret
    openai_organization: str | None
    openai_project: str | None
    prices: str
    uplift_percent: int
    ca_file: Path | None
    client_certificate: Path | None
    client_key: Path | None
    most_connections: int
    reserved_production: int
    connect_seconds: int
    head_seconds: int
    idle_seconds: int


class Draw(msgspec.Struct, frozen=True):
    """What a workspace may draw: its caps, and its brakes as whole percent of the month's cap in money (None: off)."""

    caps: tuple[Cap, ...]
    day_brake: int | None
    week_brake: int | None
    week_start: int


class BudgetEntry(msgspec.Struct, frozen=True):
    """One `[[budget]]`; `number` is its place among them, from 0."""

    scope: Scope
    period: Period
    measure: Measure
    cap: int
    workspace: str | None
    reserve: Share | None
    calendar: Calendar
    number: int


class Settings(msgspec.Struct, frozen=True):
    """Everything. `rules` are all budget rules, defaults and shares of production included; `cautions` is what `check` tells."""

    file: Path
    digest: str  # SHA-256 of the text, so that two nodes can tell whether they read the same
    gate: Gate
    house: House
    organisation: Organisation
    paths: dict[str, PathSettings]
    workspaces: dict[str, Workspace]
    draws: dict[str, Draw]  # by workspace
    budgets: tuple[BudgetEntry, ...]
    rules: tuple[BudgetRule, ...] = ()
    cautions: tuple[Caution, ...] = ()

    @property
    def rehearsal(self) -> bool:
        """Whether all paths lead to rehearsals. Never only some: rehearsed and real calls do not share a ledger."""
        return all(path.access.rehearsal for path in self.paths.values())
