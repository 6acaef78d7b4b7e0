"""Counts beside the ledger what it should hold: knows no database, no leaves and no code of the product, only addition."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Account:
    limit: int
    held: int = 0
    suspect: int = 0
    posted: int = 0
    overrun: int = 0

    def room(self) -> int:
        return self.limit - self.posted - self.held

    def room_at_rest(self) -> int:
        return self.limit - self.posted - self.suspect

    def sums(self) -> tuple[int, int, int, int]:
        return (self.posted, self.held, self.suspect, self.overrun)


@dataclass
class Call:
    held: dict[str, int]
    state: str = "HELD"
    posted: dict[str, int] = field(default_factory=dict)


@dataclass
class Auditor:
    accounts: dict[str, Account] = field(default_factory=dict)
    calls: dict[int, Call] = field(default_factory=dict)

    def granted(self, number: int, amounts: dict[str, int]) -> None:
        assert number not in self.calls
        for name, amount in amounts.items():
            assert amount <= self.accounts[name].room(), f"{name}: {amount} was granted into {self.accounts[name].room()}"
            self.accounts[name].held += amount
        self.calls[number] = Call(amounts)

    def doubted(self, number: int) -> None:
        call = self.calls[number]
        assert call.state == "HELD"
        call.state = "SUSPECT"
        for name, amount in call.held.items():
            self.accounts[name].suspect += amount

    def ended(self, number: int, state: str, used: dict[str, int]) -> int:
        """Returns the most that ran over on one account."""
        call, worst = self.calls[number], 0
        assert call.state in ("HELD", "SUSPECT")
        for name, amount in call.held.items():
            account = self.accounts[name]
            ceiling = max(account.limit, account.posted + account.held)  # a lowered limit does not count until there is room
            account.held -= amount
            account.suspect -= amount if call.state == "SUSPECT" else 0
            if state == "POSTED":
                call.posted[name] = min(used[name], ceiling - account.posted - account.held)
                account.posted += call.posted[name]
                account.overrun += used[name] - call.posted[name]
                worst = max(worst, used[name] - call.posted[name])
        call.state = state
        return worst

    def refunded(self, number: int, truth: dict[str, int]) -> None:
        call = self.calls[number]
        assert call.state == "POSTED"
        call.state = "REFUNDED"
        for name, posted in call.posted.items():
            self.accounts[name].posted -= max(posted - truth[name], 0)

    def died(self) -> list[int]:
        left = [number for number, call in self.calls.items() if call.state == "HELD"]
        for number in left:
            self.doubted(number)
        return left
