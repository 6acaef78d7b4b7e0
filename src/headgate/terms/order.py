"""What the gate asks the ledger to hold, and what it gets: the order, the grant, and the settlement that closes it."""

from __future__ import annotations

import msgspec

from headgate.names import AttemptId, Instant, RequestId
from headgate.terms.bound import Bound
from headgate.terms.budget import Leg
from headgate.terms.ending import Charge, Outcome


class Order(msgspec.Struct, frozen=True):
    """One attempt that wants to be sent. `wait_us` is how long it may wait for siblings to settle (microseconds)."""

    attempt: AttemptId
    request: RequestId
    workspace: str
    key: str
    path: str
    model: str
    route: str
    shape: str  # which kind of bound it has; a breach freezes path × model × shape
    tariff: int
    bound: Bound
    legs: tuple[Leg, ...]
    wait_us: int = 0
    facts: str = ""  # canonical JSON of what is proven and what is claimed


class Grant(msgspec.Struct, frozen=True, gc=False):
    """A durable hold: how many output tokens it covers, what it is worth, and the hash of its leaf, which is the receipt."""

    attempt: AttemptId
    output: int  # tokens a choice
    nano: int
    tokens: int
    opened_us: Instant
    receipt: str
    shortened: bool


class Settlement(msgspec.Struct, frozen=True):
    """How an attempt ended and what it is charged. `nano` and `tokens` are read only when the charge is ACTUAL."""

    attempt: AttemptId
    charge: Charge
    outcome: Outcome
    nano: int = 0
    tokens: int = 0
    object_id: str | None = None  # the id the answer created
    owner: tuple[str, str] | None = None  # the workspace and the path that the object is entered for
    stored: bool = False  # the provider keeps the response, so that a doubt can be resolved by fetching it
    how: str = "table"  # or: fetched, operator, window


class Settled(msgspec.Struct, frozen=True):
    """What became of it. `frozen` names what a breach or an overrun closed."""

    attempt: AttemptId
    charged_nano: int
    breach_nano: int
    overrun_nano: int
    frozen: tuple[str, ...] = ()
