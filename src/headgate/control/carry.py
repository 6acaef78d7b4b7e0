"""One table from a command to what carries it out; used by a running gate in its writer's thread and by an offline command alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import msgspec

from headgate.control.caps import set_cap
from headgate.control.command import Change, ImportPrices, IssueKey, Resolve, RevokeKey, RotateKey, SetCap, Sweep, Thaw
from headgate.control.doubts import resolve, sweep, thaw
from headgate.control.keys import issue, revoke, rotate
from headgate.control.prices import import_prices
from headgate.store.ledger import Ledger
from headgate.terms.budget import BudgetRule


class Situation(msgspec.Struct, frozen=True):
    """What a command may look at besides the book."""

    workspaces: tuple[str, ...]
    rules: Sequence[BudgetRule]


def carry_out(ledger: Ledger, command: Change, situation: Situation) -> object:
    """The answer as a struct or plain value. Raises `Wrong` when it cannot be done, and then nothing has changed."""
    match command:
        case IssueKey():
            return issue(ledger, command, situation.workspaces)
        case RotateKey():
            return rotate(ledger, command, situation.workspaces)
        case RevokeKey():
            return revoke(ledger, command)
        case SetCap():
            return set_cap(ledger, command, situation.rules)
        case ImportPrices():
            return import_prices(ledger, command)
        case Resolve():
            return resolve(ledger, command)
        case Thaw():
            return thaw(ledger, command)
        case Sweep():
            return sweep(ledger, command)
        case _:
            assert_never(command)
