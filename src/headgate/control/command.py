"""What an operator can ask for, as values: the messages of the command socket and of the offline commands alike.

Each is one JSON object with `do` naming it; unknown fields are refused. Amounts are nano-dollars (or tokens), instants microseconds UTC.
"""

from __future__ import annotations

import msgspec


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", forbid_unknown_fields=True):
    """Every command says who gives it."""

    actor: str


class IssueKey(Command, frozen=True, kw_only=True, tag="key.issue"):
    workspace: str
    label: str
    facts: dict[str, str] = {}
    models: list[str] | None = None
    networks: list[str] = []
    days: int = 90


class RotateKey(Command, frozen=True, kw_only=True, tag="key.rotate"):
    key: str
    overlap_hours: int = 24
    days: int = 90


class RevokeKey(Command, frozen=True, kw_only=True, tag="key.revoke"):
    key: str
    reason: str


class SetCap(Command, frozen=True, kw_only=True, tag="budget.set"):
    rule: str
    scope: str
    cap: int
    reason: str
    hours: int


class ImportPrices(Command, frozen=True, kw_only=True, tag="price.import"):
    sheet: str
    force: bool = False


class Resolve(Command, frozen=True, kw_only=True, tag="ledger.resolve"):
    """`charge`: "actual" with `nano` and `tokens`, "void", or "full"."""

    hold: str
    charge: str
    reason: str
    nano: int = 0
    tokens: int = 0


class Thaw(Command, frozen=True, kw_only=True, tag="ledger.thaw"):
    what: str
    reason: str


class Sweep(Command, frozen=True, kw_only=True, tag="ledger.sweep"):
    """Post in full what has been in doubt for longer than the window."""

    window_hours: int = 24


class Reload(Command, frozen=True, kw_only=True, tag="reload"):
    """Read headgate.toml again; on any error everything stays as it is."""


class Status(Command, frozen=True, kw_only=True, tag="status"):
    """What the gate is and what it counted."""


class Drain(Command, frozen=True, kw_only=True, tag="drain"):
    """Stop accepting calls, finish the open ones, end."""


Change = IssueKey | RotateKey | RevokeKey | SetCap | ImportPrices | Resolve | Thaw | Sweep
AnyCommand = Change | Reload | Status | Drain

decoder = msgspec.json.Decoder(AnyCommand)
encoder = msgspec.json.Encoder()


class Wrong(Exception):
    """A command that cannot be carried out; the message says what to do instead. Nothing has changed."""
