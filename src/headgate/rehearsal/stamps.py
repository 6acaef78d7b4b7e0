"""Names that say where an answer comes from: everything the rehearsal makes has `rehearsal` in its id."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stamp:
    """The ids of one answer, and when it was made (unix seconds)."""

    salt: str  # of this process: two rehearsals never make the same id
    number: int
    created: int

    @property
    def response_id(self) -> str:
        return f"resp_rehearsal_{self.salt}{self.number:012x}"

    @property
    def chat_id(self) -> str:
        return f"chatcmpl-rehearsal{self.salt}{self.number:012x}"

    def item(self, index: int) -> str:
        return f"rehearsal_{self.salt}{self.number:012x}_{index}"
