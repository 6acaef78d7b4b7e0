"""Everything one rehearsal has: keys and their projects, settings, memory, faults, and the meter."""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass

from headgate.rehearsal.faults import Faults
from headgate.rehearsal.http import Request
from headgate.rehearsal.memory import Memory
from headgate.rehearsal.meter import Meter
from headgate.rehearsal.problems import NO_KEY, WRONG_KEY, Problem
from headgate.rehearsal.settings import Settings
from headgate.rehearsal.stamps import Stamp


@dataclass(frozen=True, slots=True)
class Key:
    """A credential of this provider; its `key_id` is what reports name it by."""

    secret: str
    project: str
    key_id: str


class World:
    def __init__(self, keys: dict[str, str], admin_key: str, settings: Settings, seed: int) -> None:
        """`keys` is project by key."""
        self.keys = {secret: Key(secret, project, f"key_rehearsal_{index + 1}") for index, (secret, project) in enumerate(keys.items())}
        self.admin_key = admin_key
        self.settings = settings
        self.first_settings = settings
        self.memory = Memory()
        self.faults = Faults(seed)
        self.meter = Meter()
        self.last_request: Request | None = None
        self._salt = secrets.token_hex(6)
        self._made = 0

    def reset(self) -> None:
        """Forgets everything but the keys; ids stay unique."""
        self.settings = self.first_settings
        self.memory = Memory()
        self.faults.clear()
        self.meter.reset()
        self.last_request = None

    def stamp(self) -> Stamp:
        self._made += 1
        return Stamp(self._salt, self._made, int(time.time()))

    def key_of(self, request: Request) -> Key | Problem:
        credential = bearer(request)
        if not credential:
            return NO_KEY
        return self.keys.get(credential, WRONG_KEY)

    def is_admin(self, request: Request) -> bool:
        return hmac.compare_digest(bearer(request).encode(), self.admin_key.encode())


def bearer(request: Request) -> str:
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""
