"""One way to a model as a value: where it is sent, who bills it, what proves it. How it is signed is a file per kind beside this one."""

from __future__ import annotations

from enum import Enum

import msgspec


class PathKind(Enum):
    """How a request is addressed and signed."""

    OPENAI = "openai"


class Evidence(Enum):
    """What the provider itself shows of a call, from the most to the least."""

    AUDITED = "audited per call"
    LOGGED = "logged per call"
    AGGREGATE = "aggregate only"
    UNMEASURED = "not measured"


# OpenAI's usage API counts per minute, key and model, and no log of its own names a single call.
EVIDENCE: dict[PathKind, Evidence] = {PathKind.OPENAI: Evidence.AGGREGATE}


class AccessPath(msgspec.Struct, frozen=True):
    """Only this host is ever contacted for this path. `base` is the origin's prefix, without a slash at its end: `/v1`."""

    name: str
    kind: PathKind
    host: str
    port: int
    tls: bool
    base: str
    biller: str = "openai"
    commitment: str | None = None  # the commitment that its calls draw on
    rehearsal: bool = False  # rehearsed answers never enter a ledger that is not a rehearsal's

    @property
    def evidence(self) -> Evidence:
        return Evidence.UNMEASURED if self.rehearsal else EVIDENCE[self.kind]

    @property
    def authority(self) -> str:
        """The Host header: the port only where it is not the scheme's own (RFC 9110, 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"
