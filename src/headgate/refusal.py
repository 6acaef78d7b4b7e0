"""Every way the product says no, in order of precedence.

A refusal is a value, never an exception: it holds nothing, sends nothing and costs nothing. When several apply, the first of this
list is told. `docs/reference/refusals.md` is generated from the tables here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a client should do about it; decides the shape on the wire (`wire/errors.py`)."""

    INVALID = "invalid"  # the request is wrong: mend it
    AUTH = "auth"  # the key is wrong: get another
    ABSENT = "absent"  # no such route, model or object
    POLICY = "policy"  # a rule forbids it: a retry is refused again
    BUDGET = "budget"  # the money or the tokens are gone until a stated time
    BUSY = "busy"  # room comes back in seconds: wait, then retry
    PATH = "path"  # the provider or the way to it fails
    GATE = "gate"  # Headgate itself cannot serve now


class Reason(Enum):
    """Why. The value is the stable `code` that clients, logs and the record carry."""

    # the wire
    MALFORMED_HTTP = "malformed_http"
    HEADERS_TOO_LARGE = "headers_too_large"
    BODY_TOO_LARGE = "body_too_large"
    BODY_TOO_SLOW = "body_too_slow"
    UNKNOWN_ROUTE = "unknown_route"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UPGRADE_NOT_SERVED = "upgrade_not_served"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    # the gate's own state
    DRAINING = "draining"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    # who asks
    MISSING_KEY = "missing_key"
    INVALID_KEY = "invalid_key"
    EXPIRED_KEY = "expired_key"
    NETWORK_NOT_ALLOWED = "network_not_allowed"
    ROUTE_NOT_SERVED = "route_not_served"
    # what is asked
    INVALID_JSON = "invalid_json"
    DUPLICATE_FIELD = "duplicate_field"
    TOO_DEEP = "too_deep"
    INVALID_FIELD = "invalid_field"
    # policy
    WORKSPACE_FROZEN = "workspace_frozen"
    ATTRIBUTION_REQUIRED = "attribution_required"
    MODEL_NOT_FOUND = "model_not_found"
    MODEL_NOT_ALLOWED = "model_not_allowed"
    TIER_NOT_ALLOWED = "tier_not_allowed"
    TOOL_NOT_ALLOWED = "tool_not_allowed"
    OBJECT_NOT_FOUND = "object_not_found"
    SHAPE_FROZEN = "shape_frozen"
    # the path
    NO_PATH = "no_path"
    PATH_BUSY = "path_busy"
    PATH_CREDENTIAL = "path_credential"
    # the price and the bound
    UNPRICED = "unpriced"
    PRICE_STALE = "price_stale"
    UNBOUNDED = "unbounded"
    # the ledger
    BUDGET_EXHAUSTED = "budget_exhausted"
    BUDGET_BUSY = "budget_busy"
    DISK_LOW = "disk_low"
    CLOCK_UNSURE = "clock_unsure"
    GATE_FAULT = "gate_fault"
    # faults of the provider, told in the same shape; these are endings of a held attempt, not refusals before it
    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_CUT = "upstream_cut"
    UPSTREAM_INVALID = "upstream_invalid"
    UPSTREAM_ERROR = "upstream_error"
    REHEARSAL_ANSWER = "rehearsal_answer"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a reason is told: HTTP status, kind, whether a retry may succeed, and the sentence of the reference page."""

    status: int
    kind: Kind
    retry: bool
    means: str


MANNERS: dict[Reason, Manner] = {
    Reason.MALFORMED_HTTP: Manner(
        400, Kind.INVALID, False, "The bytes are not one well-formed HTTP/1.1 request; the connection is closed."
    ),
    Reason.HEADERS_TOO_LARGE: Manner(431, Kind.INVALID, False, "The request line or the headers are larger or more than the limit."),
    Reason.BODY_TOO_LARGE: Manner(413, Kind.INVALID, False, "The body is larger than the limit of its route (32 MiB for JSON)."),
    Reason.BODY_TOO_SLOW: Manner(408, Kind.INVALID, True, "The head or the body did not arrive in time."),
    Reason.UNKNOWN_ROUTE: Manner(404, Kind.ABSENT, False, "No such route. Nothing was sent to a provider."),
    Reason.METHOD_NOT_ALLOWED: Manner(405, Kind.ABSENT, False, "The route exists, this method on it does not."),
    Reason.UPGRADE_NOT_SERVED: Manner(
        426, Kind.ABSENT, False, "WebSocket is not served yet; the same call over HTTP is. Codex falls back by itself."
    ),
    Reason.UNSUPPORTED_ENCODING: Manner(415, Kind.INVALID, False, "The body is compressed or not JSON; send plain JSON."),
    Reason.DRAINING: Manner(503, Kind.GATE, True, "Headgate is stopping: open calls finish, new ones are refused."),
    Reason.TOO_MANY_CONNECTIONS: Manner(503, Kind.GATE, True, "More connections are open than the limit, in all or of this workspace."),
    Reason.MISSING_KEY: Manner(401, Kind.AUTH, False, "No key was sent."),
    Reason.INVALID_KEY: Manner(401, Kind.AUTH, False, "The key is not known, or was revoked."),
    Reason.EXPIRED_KEY: Manner(401, Kind.AUTH, False, "The key is past its expiry, its overlap or its greatest age."),
    Reason.NETWORK_NOT_ALLOWED: Manner(403, Kind.POLICY, False, "The key may not be used from this network."),
    Reason.ROUTE_NOT_SERVED: Manner(
        403, Kind.POLICY, False, "The route is part of the OpenAI API but cannot be metered yet, so it is closed."
    ),
    Reason.INVALID_JSON: Manner(400, Kind.INVALID, False, "The body is not one JSON object in UTF-8."),
    Reason.DUPLICATE_FIELD: Manner(400, Kind.INVALID, False, "A name stands twice in one object, and two readers could see two requests."),
    Reason.TOO_DEEP: Manner(400, Kind.INVALID, False, "The JSON is nested deeper than the limit."),
    Reason.INVALID_FIELD: Manner(400, Kind.INVALID, False, "A field that governs the call has a wrong type or value."),
    Reason.WORKSPACE_FROZEN: Manner(
        403, Kind.POLICY, False, "The workspace is frozen: more was billed than its room. An operator thaws it."
    ),
    Reason.ATTRIBUTION_REQUIRED: Manner(403, Kind.POLICY, False, "The workspace requires a tag that the call does not carry."),
    Reason.MODEL_NOT_FOUND: Manner(404, Kind.ABSENT, False, "No path offers the model."),
    Reason.MODEL_NOT_ALLOWED: Manner(403, Kind.POLICY, False, "The workspace or the key may not use the model."),
    Reason.TIER_NOT_ALLOWED: Manner(403, Kind.POLICY, False, "The workspace may not use this service tier, or nobody knows it."),
    Reason.TOOL_NOT_ALLOWED: Manner(
        403, Kind.POLICY, False, "The workspace may not use this hosted tool, which the provider runs and bills itself."
    ),
    Reason.OBJECT_NOT_FOUND: Manner(
        404, Kind.ABSENT, False, "The object is not known, or belongs to another workspace; the answer is the same."
    ),
    Reason.SHAPE_FROZEN: Manner(
        403, Kind.POLICY, False, "This shape of request cost more than its bound once; it is closed until an operator looks."
    ),
    Reason.NO_PATH: Manner(503, Kind.PATH, True, "No path can serve the request now."),
    Reason.PATH_BUSY: Manner(429, Kind.BUSY, True, "The path serves as many calls as it may; production keeps its share."),
    Reason.PATH_CREDENTIAL: Manner(503, Kind.PATH, True, "The provider refused Headgate's own credential. The caller's key is fine."),
    Reason.UNPRICED: Manner(403, Kind.POLICY, False, "The price book has no price for this model on this path; no price, no call."),
    Reason.PRICE_STALE: Manner(403, Kind.POLICY, False, "The price was not verified for 90 days; production stops until it is."),
    Reason.UNBOUNDED: Manner(
        403, Kind.POLICY, False, "The most this call can cost cannot be known beforehand, and the workspace has a cap."
    ),
    Reason.BUDGET_EXHAUSTED: Manner(
        429, Kind.BUDGET, False, "A budget has no useful amount left until its period ends or its cap is raised."
    ),
    Reason.BUDGET_BUSY: Manner(429, Kind.BUSY, True, "Open calls hold the rest of a budget; room comes back as they settle."),
    Reason.DISK_LOW: Manner(503, Kind.GATE, True, "The disk of the ledger is nearly full; what is left is kept to settle open calls."),
    Reason.CLOCK_UNSURE: Manner(
        503, Kind.GATE, True, "The machine's clock jumped; no new budget period is opened until an operator restarts the gate."
    ),
    Reason.GATE_FAULT: Manner(
        503, Kind.GATE, False, "Headgate failed inside. What was held is in doubt on the record; a retry is a new call."
    ),
    Reason.UPSTREAM_UNREACHABLE: Manner(
        503, Kind.PATH, True, "The provider could not be reached; nothing was sent and nothing is charged."
    ),
    Reason.UPSTREAM_TIMEOUT: Manner(
        503, Kind.PATH, True, "The provider did not answer in time. The hold is kept until it is known what was billed."
    ),
    Reason.UPSTREAM_CUT: Manner(
        502, Kind.PATH, True, "The provider's answer broke off. The hold is kept until it is known what was billed."
    ),
    Reason.UPSTREAM_INVALID: Manner(
        502, Kind.PATH, True, "The provider's answer could not be understood. The hold is kept until it is known what was billed."
    ),
    Reason.UPSTREAM_ERROR: Manner(502, Kind.PATH, True, "The provider answered with an error that is not in OpenAI's shape."),
    Reason.REHEARSAL_ANSWER: Manner(
        502, Kind.PATH, False, "A rehearsal answered a real path. The path is stopped; nothing enters the ledger."
    ),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """One no. `message` says which rule, what is left, when it changes and what to do; it never holds content or a credential.

    `param` names the field to mend; `resets_at` (unix seconds) and `retry_after` (seconds) say when a new try may succeed;
    `scope` is the budget that had no room.
    """

    reason: Reason
    message: str
    param: str | None = None
    resets_at: int | None = None
    retry_after: int | None = None
    scope: str | None = None

    @property
    def manner(self) -> Manner:
        return MANNERS[self.reason]
