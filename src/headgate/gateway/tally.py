"""What the gate counts while it runs: whole numbers in a dictionary, with labels that cannot grow without end.

The house renders them for Prometheus; here they cost one addition. Labels are workspaces, reasons, endings and models of the price
book: never a user, a session or anything that a caller may choose freely.
"""

from __future__ import annotations

from collections import Counter

# Milliseconds; the buckets of the time a call took, upper bounds.
BUCKETS_MS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000)


class Tally:
    """Names are Prometheus names without the `headgate_` prefix; a label tuple is (name, value, name, value …)."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()

    def add(self, *labels: str, amount: int = 1) -> None:
        self.counts[labels] += amount

    def took(self, name: str, workspace: str, milliseconds: int) -> None:
        for bucket in BUCKETS_MS:
            if milliseconds <= bucket:
                self.counts[name, "workspace", workspace, "le", str(bucket)] += 1
                break
        else:
            self.counts[name, "workspace", workspace, "le", "+Inf"] += 1
        self.counts[f"{name}_sum", "workspace", workspace] += milliseconds

    def snapshot(self) -> list[tuple[list[str], int]]:
        return [(list(labels), count) for labels, count in self.counts.items()]
