"""What a workspace allows: the part of the operator's text that policy decides by. Its caps are budget rules, not here."""

from __future__ import annotations

from enum import Enum

import msgspec

from headgate.policy.network import Network
from headgate.terms.caller import Dimension, Environment
from headgate.terms.tariff import Tier


class HostedTools(Enum):
    """What happens to tools that the provider runs and bills (web search, file search, containers, images, remote MCP)."""

    REFUSE = "refuse"
    DROP_FOR_CODEX = "drop_for_codex"  # Codex offers web search by itself: taken out of its requests, refused for everyone else
    ALLOW = "allow"  # with at most `web_search_calls` calls, written as max_tool_calls


class OnDisconnect(Enum):
    """What happens upstream when the client hangs up."""

    DRAIN = "drain"  # read on, within the hold, so that the usage is true
    CUT = "cut"  # stop paying for output nobody reads; the hold counts in full until it is resolved


class StalePrices(Enum):
    """What a price that nobody verified for 90 days does."""

    WARN = "warn"
    STOP = "stop"


class Workspace(msgspec.Struct, frozen=True):
    """One workspace. `models` None: every model that has a price; an output limit is tokens a choice."""

    name: str
    environment: Environment
    paths: tuple[str, ...]  # in order of preference
    models: frozenset[str] | None = None
    tiers: frozenset[Tier] = frozenset({Tier.STANDARD})
    hosted_tools: HostedTools = HostedTools.DROP_FOR_CODEX
    web_search_calls: int = 0
    require: tuple[Dimension, ...] = ()
    networks: tuple[Network, ...] = ()
    output_tokens: int | None = None  # wanted when the client sets none; None: the most the model can write
    most_output_tokens: int | None = None  # a client's own number is lowered to this
    least_output_tokens: int = 4_096  # an answer is never shortened below this
    least_reasoning_tokens: int = 8_192  # the same for reasoning models, which think before they write
    wait_ms: int = 5_000  # how long a call waits for siblings to settle before it is shortened or refused
    on_disconnect: OnDisconnect = OnDisconnect.DRAIN
    stale_prices: StalePrices = StalePrices.WARN

    @property
    def protected(self) -> bool:
        """Production draws on the reserved share of connections and caps."""
        return self.environment is Environment.PRODUCTION
