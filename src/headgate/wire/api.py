"""The two model APIs that are metered, by name."""

from __future__ import annotations

from enum import Enum


class Api(Enum):
    RESPONSES = "responses"
    CHAT = "chat"
