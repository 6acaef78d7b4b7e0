"""One budget in one period, while a batch is decided: its cap and what is promised and spent against it.

Rule 1  0 <= suspect <= held, 0 <= posted, posted + held <= cap. The table's CHECK says the same and has the last word.
Rule 2  A lowered cap never breaks rule 1: it steps down as holds settle, and until then there is no room.
"""

from __future__ import annotations

from dataclasses import dataclass

from headgate.names import Instant
from headgate.terms.budget import Measure


@dataclass(slots=True)
class Balance:
    """A row of the budget table, loaded for one batch. Amounts are nano-dollars or tokens, as `measure` says."""

    id: int
    rule: str
    scope: str
    measure: Measure
    starts_us: Instant
    ends_us: Instant
    cap: int
    target: int | None  # a lower cap that is waited for
    posted: int
    held: int
    suspect: int
    overrun: int

    @property
    def room(self) -> int:
        limit = self.cap if self.target is None else self.target
        return limit - self.posted - self.held

    @property
    def room_at_rest(self) -> int:
        """The room there would be if every open call cost nothing; what is suspect does not come back by waiting."""
        return self.room + self.held - self.suspect

    def set_cap(self, wanted: int) -> None:
        in_use = self.posted + self.held
        self.cap, self.target = (wanted, None) if wanted >= in_use else (in_use, wanted)

    def step_down(self) -> None:
        if self.target is not None:
            self.set_cap(self.target)
