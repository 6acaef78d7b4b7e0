"""Which client asks: the real Codex, an older one, or an OpenAI SDK. It decides the shape of a refusal and nothing else.

The client says so itself; whoever lies gets an error text that another program would have understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum


class Client(Enum):
    CODEX = "codex"  # from 0.169 on: shows the text of a 403 with code inference_hook_denied, once
    CODEX_OLD = "codex_old"  # before: shows the text of a 400 with code invalid_prompt, once
    SDK = "sdk"  # everything else


# The first release that shows our own text for a 403 (measured: 0.130 to 0.166 send such a request six times).
FIRST_NEW = (0, 169)

# `codex_exec/0.169.0 (Debian 12.0.0; x86_64) dumb (codex_exec; 0.169.0)`. An embedding program puts its own name first.
_AGENT = re.compile(rb"(?P<name>[A-Za-z0-9_.-]{1,64})/(?P<major>[0-9]{1,5})\.(?P<minor>[0-9]{1,5})")
_CODEX_NAME = re.compile(rb"codex[_-][A-Za-z0-9_-]+")


def client_of(headers: Mapping[bytes, bytes]) -> Client:
    """By the user agent; a turn of Codex under another name is known by its metadata header."""
    agent = _AGENT.match(headers.get(b"user-agent", b""))
    named = agent is not None and _CODEX_NAME.fullmatch(agent["name"]) is not None
    originator = headers.get(b"originator", b"")
    if not named and _CODEX_NAME.fullmatch(originator) is None and b"x-codex-turn-metadata" not in headers:
        return Client.SDK
    if agent is None or not (named or agent["name"] == originator):
        return Client.CODEX_OLD  # an unknown version gets the shape that every version understands
    return Client.CODEX if (int(agent["major"]), int(agent["minor"])) >= FIRST_NEW else Client.CODEX_OLD
