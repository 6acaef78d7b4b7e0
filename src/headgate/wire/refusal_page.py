"""The reference page of refusals, written from the tables: reason, status and code per client, whether a repeat helps, what to do."""

from __future__ import annotations

from headgate.refusal import MANNERS, Kind, Reason
from headgate.wire.client import Client
from headgate.wire.errors import shape_of

# What the developer can do, by kind; where one reason needs another answer it stands below.
WHAT_TO_DO: dict[Kind, str] = {
    Kind.INVALID: "Mend the request; the message and `param` name what is wrong.",
    Kind.AUTH: "Ask for a key, or renew yours. Nothing is wrong with the request.",
    Kind.ABSENT: "Use what the message names instead.",
    Kind.POLICY: "Do not repeat it. Change the request as the message says, or ask the owner of the workspace.",
    Kind.BUDGET: "Wait until `resets_at`, or ask the owner of `scope` for a raise. Do not repeat it before.",
    Kind.BUSY: "Wait `retry-after` seconds and repeat it; SDKs and Codex do so by themselves.",
    Kind.PATH: "Repeat it later; clients do so a few times by themselves. An operator sees the path's state.",
    Kind.GATE: "Repeat it shortly; another gate may serve it. An operator is told.",
}

WHAT_ELSE: dict[Reason, str] = {
    Reason.METHOD_NOT_ALLOWED: "Use the method that the message names.",
    Reason.UPGRADE_NOT_SERVED: "Nothing: Codex and the SDKs go on over HTTP.",
    Reason.BODY_TOO_SLOW: "Repeat it on a better connection.",
    Reason.ROUTE_NOT_SERVED: "Ask the platform team; the route is closed for everybody.",
    Reason.OBJECT_NOT_FOUND: "Use an id that your own workspace created, and that was not deleted.",
    Reason.WORKSPACE_FROZEN: "Tell an operator; every call is refused until the workspace is thawed.",
    Reason.SHAPE_FROZEN: "Send it without the hosted tools or stored context that the message names, or tell an operator.",
    Reason.UPSTREAM_CUT: "Repeat it if you must: what the first one cost is held until it is known.",
    Reason.UPSTREAM_TIMEOUT: "Repeat it if you must: what the first one cost is held until it is known.",
    Reason.REHEARSAL_ANSWER: "Tell an operator: a production path points to a rehearsal.",
}

_CLIENTS = ((Client.SDK, "SDKs"), (Client.CODEX, "Codex from 0.169"), (Client.CODEX_OLD, "older Codex"))

_HEAD = """\
# Refusals

Every way Headgate says no, in order of precedence: when several apply, the first one of this page is told. A refusal costs nothing, holds
nothing and sends nothing to a provider. The last group is told of a call that was sent; its hold is settled by what the provider billed.

Every body is `{"error": {"message", "type", "param", "code", "policy_code", "decision_id"}}`, with `scope` and `resets_at` (unix seconds)
where they are known. `policy_code` is the reason of this page for every client; `code` is what the client needs to show the text once
and not repeat the call. `x-should-retry` says the same as the column "repeat"; `x-request-id` is the `decision_id`.
"""


def refusal_page() -> str:
    """The page as Markdown."""
    lines = [_HEAD, _table(), "## What they mean, and what to do\n"]
    for reason, manner in MANNERS.items():
        lines.append(f"### `{reason.value}`\n\n{manner.means} {WHAT_ELSE.get(reason, WHAT_TO_DO[manner.kind])}\n")
    return "\n".join(lines).rstrip() + "\n"


def _table() -> str:
    names = [name for _, name in _CLIENTS]
    rows = [f"| reason | {' | '.join(names)} | repeat |", "| --- |" + " --- |" * (len(names) + 1)]
    for reason, manner in MANNERS.items():
        told = [_told(reason, client) for client, _ in _CLIENTS]
        rows.append(f"| [`{reason.value}`](#{reason.value}) | {' | '.join(told)} | {'helps' if manner.retry else 'no'} |")
    return "\n".join(rows) + "\n"


def _told(reason: Reason, client: Client) -> str:
    shape = shape_of(reason, client)
    return f"{shape.status} `{shape.code}`" + (f" ({shape.type})" if shape.type in ("usage_limit_reached", "insufficient_quota") else "")
