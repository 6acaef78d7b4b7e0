"""What the data plane works with: the world as policy sees it, a value that is swapped whole, and the few things that live longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from headgate.gateway.desk import Desk
from headgate.gateway.journal import Journal
from headgate.gateway.listener import Answer, Head
from headgate.gateway.numbers import Numbers
from headgate.gateway.objects import Objects
from headgate.gateway.refusals import Refusals
from headgate.gateway.resends import Resends
from headgate.gateway.tally import Tally
from headgate.gateway.upstream import Upstream
from headgate.names import Instant, RequestId
from headgate.paths.direct import DirectPath
from headgate.policy.legs import Rulebook
from headgate.policy.network import Network
from headgate.policy.workspace import Workspace
from headgate.pricing.book import PriceBook
from headgate.refusal import Refusal
from headgate.store.ledger import Ledger
from headgate.terms.budget import Leg
from headgate.terms.caller import Caller
from headgate.wire.client import Client
from headgate.wire.routes import Matched


class Way(msgspec.Struct, frozen=True):
    """A path that is open: how a request for it is written, and the connections it goes out on."""

    sender: DirectPath
    upstream: Upstream

    def answered_by_a_rehearsal(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a rehearsal answered where a provider should: whatever it says must reach neither the ledger nor a caller."""
        return b"x-headgate-rehearsal" in headers and not self.sender.path.rehearsal


class World(msgspec.Struct, frozen=True):
    """Everything a decision reads. A request keeps the world it began in, whatever is reloaded meanwhile."""

    workspaces: Mapping[str, Workspace]
    rulebook: Rulebook
    callers: Mapping[bytes, Caller]  # by the SHA-256 of the key; revoked keys are not here
    book: PriceBook
    frozen: frozenset[str]
    ways: Mapping[str, Way]
    networks: tuple[Network, ...] = ()
    # The legs of a key on a path and a model, as long as it claims nothing: the same for every call of this world.
    known_legs: dict[tuple[str, str, str], tuple[Leg, ...]] = {}


class Call(msgspec.Struct, frozen=True):
    """One request whose head was read: who asks for what, in which world."""

    world: World
    matched: Matched
    head: Head
    caller: Caller
    client: Client
    request: RequestId
    arrived_us: Instant
    refusal: Refusal | None = None  # the head alone was enough for a no; the body is still read, so that the answer arrives


@dataclass(slots=True)
class Gate:
    """Handed to every exchange. `wall_us` gives microseconds UTC."""

    world: World
    desk: Desk
    numbers: Numbers
    objects: Objects
    refusals: Refusals
    tally: Tally
    journal: Journal
    wall_us: Callable[[], int]
    rooms: Mapping[tuple[str, str], tuple[int, int]]  # of each open budget at the last commit: its room, and the room at rest
    body_limit: int = 32 * 1024 * 1024  # bytes
    drain_seconds: int = 60
    resends: Resends = field(default_factory=Resends)
    draining: bool = False
    not_ready: Callable[[], str] = str  # why no new call is admitted; nothing when they are
    # The tasks that are under way, held here because a task that nobody holds may be collected while money is held for it.
    open_exchanges: dict[asyncio.Task[None], tuple[Call, Answer]] = field(default_factory=dict[asyncio.Task[None], tuple[Call, Answer]])

    def freeze(self, what: tuple[str, ...]) -> None:
        """Close what a breach named, from the next request on."""
        self.world = msgspec.structs.replace(self.world, frozen=self.world.frozen | frozenset(what))
        for name in what:
            self.tally.add("frozen_total", "what", name.partition(":")[0])
            self.journal.say("frozen", what=name)

    async def stop_path(self, name: str) -> None:
        """Close a path on which a rehearsal answered, on the record, so that only an operator opens it again."""
        what, reason = f"path:{name}", "a rehearsal answered on this path"
        self.freeze((what,))

        def write(ledger: Ledger) -> object:
            ledger.database.run("add_freeze", (what, reason, ledger.now))
            return ledger.record("freeze", {"what": what, "reason": reason})

        await self.desk.change(write)
