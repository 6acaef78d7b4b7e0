"""What the wire asks of the house, and what a client may take before the house is asked."""

from __future__ import annotations

from typing import Protocol

import msgspec

from headgate.gateway.answer import Answer
from headgate.gateway.http1 import Head
from headgate.refusal import Reason


class Limits(msgspec.Struct, frozen=True):
    """What a client may take. Times are in seconds and are kept to within one sweep."""

    connections: int = 10_000
    head_s: float = 10
    body_grace_s: float = 10
    body_bytes_per_s: int = 1024
    idle_s: float = 75
    write_stall_s: float = 60
    linger_s: float = 5  # after a refusal the rest of the request is read and dropped so long, or a reset could destroy the answer
    write_buffer: int = 64 * 1024
    unread_bytes: int = 4 * 1024 * 1024  # a writer that ignores back-pressure is cut off here
    surplus: int = 64 * 1024  # of pipelined requests that wait; above it the connection is not read
    sweep_s: float = 1


class Admitted(msgspec.Struct, frozen=True, gc=False):
    """The request may send its body, up to `body_limit` bytes; `ticket` comes back with the complete message."""

    body_limit: int
    ticket: object


class Whole(msgspec.Struct, frozen=True, gc=False):
    """The answer is known from the head alone. `headers` are ready lines, each with its CR LF."""

    status: int
    headers: bytes
    body: bytes


class Door(Protocol):
    """What the listener asks of the house."""

    def admit(self, head: Head) -> Admitted | Whole:
        """Called when the head is complete and before the body is read or `100 Continue` is sent."""
        ...

    def serve(self, ticket: object, head: Head, body: bytes, answer: Answer) -> None:
        """Called when the message is complete; starts whatever answers it."""
        ...

    def refuse(self, reason: Reason, message: str) -> tuple[int, bytes, bytes]:
        """How a fault of the wire is told: status, ready header lines, body."""
        ...
