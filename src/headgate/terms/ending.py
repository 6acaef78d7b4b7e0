"""How an attempt can end, what was seen of it, and what that means for its hold."""

from __future__ import annotations

from enum import Enum

import msgspec

from headgate.wire.usage import Usage


class Ending(Enum):
    """How the attempt ended on the upstream side; what the client did is told apart, because it changes no charge."""

    NEVER_SENT = "never_sent"  # no byte of the request left: DNS, connect, TLS, no connection free
    REFUSED = "refused"  # a complete answer 4xx
    BROKE = "broke"  # a complete answer 5xx without output
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"  # complete, but stopped by the token limit or a filter
    FAILED = "failed"  # complete, and the provider says that it failed
    CUT = "cut"  # the request was sent and the answer did not come to its end
    STALLED = "stalled"  # cut by our own time limit
    UNREADABLE = "unreadable"  # complete, and not understood
    CRASHED = "crashed"  # the process died while the attempt was open
    REHEARSED = "rehearsed"  # a rehearsal answered a real path


class Charge(Enum):
    """What happens to the hold."""

    VOID = "void"  # proof that nothing was billed
    ACTUAL = "actual"  # the cost of the usage
    SUSPECT = "suspect"  # counts in full until it is resolved


class Outcome(msgspec.Struct, frozen=True):
    """What the gateway saw. `usage` None: no count, or one that cannot be read."""

    ending: Ending
    usage: Usage | None = None
    status: int = 0  # of the upstream answer; 0 when there was none
    response_id: str | None = None
    model: str | None = None  # as the answer names it
    tier: str | None = None  # as the answer names it
