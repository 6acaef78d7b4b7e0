"""Which headers pass, in both directions: those of a list, and a few families. All others end here.

Headers are rebuilt, never copied: framing, cookies, addresses, credentials and whatever a `connection` header names do not pass, and
nothing that a client writes can stand for what the gate writes. Names are lower case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from headgate.wire.codex import TURN_HEADER, clean_turn_metadata

# To the provider. Not here: `openai-organization` and `openai-project` (who is billed is the path's matter), `authorization`, `cookie`,
# `idempotency-key` (each attempt is its own), and everything with `forwarded`.
REQUEST = frozenset(
    {
        b"accept",
        b"openai-beta",
        b"originator",
        b"session-id",
        b"session_id",
        b"thread-id",
        b"thread_id",
        b"user-agent",
        b"x-client-request-id",
    }
)
REQUEST_FAMILIES = (b"x-codex-", b"x-openai-", b"x-stainless-")

# To the client. `openai-organization` and `openai-project` are nobody's business but the operator's.
ANSWER = frozenset(
    {
        b"content-type",
        b"openai-processing-ms",
        b"openai-version",
        b"retry-after",
        b"retry-after-ms",
        b"x-models-etag",
        b"x-reasoning-included",
        b"x-request-id",
        b"x-should-retry",
    }
)
ANSWER_FAMILIES = (b"x-codex-", b"x-ratelimit-")

_NAME = re.compile(rb"[a-z0-9_.-]{1,64}")
# Visible ASCII and space. RFC 9110, 5.5 calls bytes above 127 obsolete, and readers differ in what they make of them.
_VALUE = re.compile(rb"[\x20-\x7e]{0,16384}")


def request_headers(headers: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """What goes to the provider. `content-type`, `accept-encoding`, the framing and the credential are written by the path."""
    passed: list[tuple[bytes, bytes]] = []
    for name, value in headers.items():
        if name not in REQUEST and not name.startswith(REQUEST_FAMILIES):
            continue
        if name == TURN_HEADER:
            value = clean_turn_metadata(value)
        if value and _fits(name, value):
            passed.append((name, value))
    return passed


def answer_headers(headers: Mapping[bytes, bytes], rerouted: bool = False) -> bytes:
    """What goes to the client, as ready lines. `rerouted`: another model answers than the one that was asked for.

    Codex tells its user of "high-risk cyber activity" when `openai-model` differs from what it asked.
    """
    lines: list[bytes] = []
    for name, value in headers.items():
        known = name in ANSWER or name.startswith(ANSWER_FAMILIES) or (name == b"openai-model" and not rerouted)
        if known and _fits(name, value):
            lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join(lines)


def _fits(name: bytes, value: bytes) -> bool:
    """A name or a value that could end its line is dropped whole: what it was meant to be is not guessed."""
    return _NAME.fullmatch(name) is not None and _VALUE.fullmatch(value) is not None
