"""The verdict on a gate at rest: the rehearsal's own meter against the cap and the book, call by call, and each no against the book.

Rule 1  A bill is compared in pico-dollars, and a ratio is rounded up: what is told as 1.000000 was never passed.
Rule 2  Every call that the rehearsal knows has one hold; posted is what was billed, in doubt is at least that, void is nothing.
Rule 3  A refusal is false when the least that the call needed fitted the budget as the leaves tell it for that instant.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from headgate.ledger.hold import State
from headgate.ledger.replay import Replay
from headgate.money import PICO_PER_NANO, parse_dollars
from headgate.names import read_id
from headgate.store import rows
from headgate.store.sqlite import Database
from headgate.store.verify import verify
from headgate.trials.client import Told
from headgate.trials.stage import Called, Meter

MOST_TOLD = 20
_DECIMALS = 9

_ACCOUNT = re.compile(
    r"budget (?P<scope>\S+) \((?P<rule>\S+)\) has (?P<room>\$\S+) left of (?P<cap>\$\S+) "
    r"\((?P<posted>\$\S+) spent, (?P<held>\$\S+) held by open calls\); this call may cost (?P<need>\$[0-9,]+\.[0-9]+)"
)


class No(msgspec.Struct, frozen=True):
    """A refusal for want of money, as it was told to the client, in nano-dollars."""

    code: str
    scope: str
    rule: str
    posted: int
    held: int
    cap: int
    need: int


class Verdict(msgspec.Struct):
    """`broken` counts what must not be; the first of it is in `told`. Amounts are nano-dollars where they do not say otherwise."""

    cap: int
    billed_pico: int
    posted: int = 0
    held: int = 0
    suspect: int = 0
    holds: int = 0
    broken: int = 0
    false_refusals: int = 0
    told: list[str] = []

    def wrong(self, sentence: str) -> None:
        self.broken += 1
        if len(self.told) < MOST_TOLD:
            self.told = [*self.told, sentence]


def read_no(told: Told) -> No | None:
    """The amounts in the message of a refusal; None when it is about something else than money."""
    match = _ACCOUNT.search(told.message)
    if match is None:
        return None
    posted, held, cap, need = (parse_dollars(match[name]) for name in ("posted", "held", "cap", "need"))
    return No(told.policy_code, match["scope"], match["rule"], posted, held, cap, need)


def verdict(book: Database, rule: str, cap: int, meter: Meter, calls: Sequence[Called], noes: Sequence[No]) -> Verdict:
    """Judge one budget of a gate that has come to rest. `rule` is the budget's name, `cap` what was promised in nano-dollars."""
    found = Verdict(cap, meter.billed_pico)
    if meter.billed_pico > cap * PICO_PER_NANO:
        found.wrong(f"The provider billed {meter.billed_pico} pico-dollars, and the cap is {cap * PICO_PER_NANO}")
    report = verify(book)
    found.holds = report.holds
    for finding in report.findings:
        found.wrong(f"{finding.rule.value} {finding.where}: {finding.sentence}")
    for row in book.run("budgets_all"):
        balance = rows.balance(row)
        if balance.held != balance.suspect:
            found.wrong(f"At rest {balance.rule} holds {balance.held}, of which only {balance.suspect} is in doubt")
        if balance.rule == rule:
            found.posted, found.held, found.suspect = balance.posted, balance.held, balance.suspect
    check_calls(book, calls, found)
    _noes(book, rule, noes, found)
    return found


def check_calls(book: Database, calls: Sequence[Called], found: Verdict) -> None:
    """Rule 2."""
    seen: set[int] = set()
    billed = 0
    for call in calls:
        billed += call.billed_nano_ceiling
        attempt = read_id(call.headgate_request or "")
        hold = book.first("hold", (attempt,)) if attempt is not None else None
        if attempt is None or hold is None:
            found.wrong(f"Call {call.number} ({call.headgate_request}) reached the provider and has no hold")
            continue
        if attempt in seen:
            found.wrong(f"Hold {call.headgate_request} was sent twice")
        seen.add(attempt)
        ending = book.first("ending_of", (attempt,))
        state = book.first("hold_state", (attempt,))
        if ending is not None and ending[0] == State.POSTED.value:
            if ending[3] != call.billed_nano_ceiling:
                found.wrong(f"{call.headgate_request} was billed {call.billed_nano_ceiling} and posted {ending[3]} ({call.fault})")
        elif ending is not None:
            if call.billed_nano_ceiling:
                found.wrong(f"{call.headgate_request} was billed {call.billed_nano_ceiling} and is void ({call.fault})")
        elif state is None or state[0] != State.SUSPECT.value:
            found.wrong(f"{call.headgate_request} is neither ended nor in doubt at rest")
        elif rows.hold(hold).nano < call.billed_nano_ceiling:
            found.wrong(f"{call.headgate_request} was billed {call.billed_nano_ceiling} and holds only {rows.hold(hold).nano}")


def _noes(book: Database, rule: str, noes: Sequence[No], found: Verdict) -> None:
    """Rule 3. The message tells what was posted and held; how much of that was in doubt is what the leaves say of such an instant."""
    doubted: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
    replay = Replay()
    for _, data in book.stream("leaves"):
        replay.feed(rows.blob(data))
        for told in replay.budgets.values():
            if told.rule == rule:
                doubted[told.posted, told.held].add(told.suspect)
    for no in noes:
        if no.rule != rule:
            found.wrong(f"{no.rule} refused a call, and {rule} is the only budget")
            continue
        suspects = doubted.get((no.posted, no.held))
        if suspects is None:
            found.wrong(f"A refusal told of {no.posted} spent and {no.held} held, and the book was never so")
            continue
        # Exhausted promises that waiting is no use, so open calls count as nothing; busy only that there is no room at the moment.
        taken = max(suspects) if no.code == "budget_exhausted" else no.held
        found.false_refusals += no.posted + taken + no.need <= no.cap


def share_up(amount: int, whole: int) -> str:
    """amount ÷ whole with nine decimals, rounded up, so that nothing above one is ever told as one."""
    return _decimal(-(-amount * 10**_DECIMALS // whole))


def share_down(amount: int, whole: int) -> str:
    return _decimal(amount * 10**_DECIMALS // whole)


def _decimal(scaled: int) -> str:
    return f"{scaled // 10**_DECIMALS}.{scaled % 10**_DECIMALS:0{_DECIMALS}d}"
