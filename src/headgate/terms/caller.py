"""Who asks, and what is known of the call: proven facts from the credential, claimed facts from headers, kept apart."""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Network, IPv6Network

import msgspec

from headgate.names import Instant, KeyId


class Dimension(Enum):
    """What a cap can be set on, from the widest to the narrowest. Levels are a list to loop over, never a function each."""

    ORGANISATION = "organisation"
    COMMITMENT = "commitment"
    PATH = "path"
    MODEL = "model"
    COST_CENTRE = "cost_centre"
    CUSTOMER = "customer"
    WORKSPACE = "workspace"
    TEAM = "team"
    USE = "use"
    WORKFLOW = "workflow"
    REPOSITORY = "repository"
    SERVICE = "service"
    USER = "user"
    KEY = "key"
    PULL_REQUEST = "pull_request"
    SESSION = "session"


class Environment(Enum):
    DEVELOPMENT = "development"
    CI = "ci"
    PRODUCTION = "production"


Facts = tuple[tuple[Dimension, str], ...]


class Caller(msgspec.Struct, frozen=True):
    """What a key proves. `expires_us` is the earliest of its expiry, its overlap's end and its greatest age (microseconds, UTC)."""

    key: KeyId
    workspace: str
    environment: Environment
    facts: Facts = ()  # proven: bound to the key when it was issued (team, user, service, repository, cost centre …)
    models: frozenset[str] | None = None  # None: whatever the workspace allows
    networks: tuple[IPv4Network | IPv6Network, ...] = ()  # empty: from anywhere
    expires_us: Instant | None = None
