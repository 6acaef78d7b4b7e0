"""Fit an order to the room there is: in full, or wait, or a shortened answer, or a no. Against every budget, or against none.

Rule 1  A grant fits every budget of the order, or nothing changes anywhere.
Rule 2  Holds are many times the true cost, so room returns in seconds: who can wait waits first.
Rule 3  After the wait an answer may be shortened to a fair share, never below the least that is useful, and never where the client
        chose the number or the shape of the answer.
Rule 4  "Exhausted" is said only when the least useful amount would not fit even if every open call cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from headgate.ledger.balance import Balance
from headgate.ledger.period import datetime_of
from headgate.money import MAX_HOLD, show_dollars
from headgate.names import MICROSECONDS
from headgate.refusal import Reason, Refusal
from headgate.terms.bound import Bound
from headgate.terms.budget import Measure

RETRY_BUSY_SECONDS = 2


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Room will come back as siblings settle; ask again then."""


WAIT = Wait()


def amount(bound: Bound, measure: Measure, output: int) -> int:
    return bound.nano(output) if measure is Measure.MONEY else bound.tokens(output)


def _output_within(bound: Bound, measure: Measure, room: int) -> int:
    return bound.output_within_nano(room) if measure is Measure.MONEY else bound.output_within_tokens(room)


def reserve(bound: Bound, balances: Sequence[Balance], waiting: Mapping[int, int], patient: bool) -> int | Wait | Refusal:
    """How many output tokens a choice are granted; the balances are changed only when a number is returned.

    `waiting` counts, by budget id, the others who wait for it; `patient` says that the order may still wait.
    """
    if bound.nano(bound.minimum_output) > MAX_HOLD:
        return Refusal(Reason.UNBOUNDED, f"The call could cost more than {show_dollars(MAX_HOLD)}, the most one call may hold.")
    output = bound.wanted_output if bound.nano(bound.wanted_output) <= MAX_HOLD else bound.minimum_output
    short = [balance for balance in balances if amount(bound, balance.measure, output) > balance.room]
    if short:
        spent = next((b for b in short if amount(bound, b.measure, bound.minimum_output) > b.room_at_rest), None)
        if spent is not None:
            return _exhausted(bound, spent)
        if patient and any(balance.held > balance.suspect for balance in short):
            return WAIT
        fitted = _shorten(bound, balances, waiting)
        if fitted is None:
            return _busy(bound, next(b for b in short if amount(bound, b.measure, bound.minimum_output) > b.room))
        output = fitted
    for balance in balances:
        balance.held += amount(bound, balance.measure, output)
    return output


def _shorten(bound: Bound, balances: Sequence[Balance], waiting: Mapping[int, int]) -> int | None:
    """The fair share of the tightest budget, at least the useful minimum; None when not even that fits."""
    share = min(_output_within(bound, b.measure, b.room // (waiting.get(b.id, 0) + 1)) for b in balances)
    if share >= bound.minimum_output:
        return share
    whole = min(_output_within(bound, balance.measure, balance.room) for balance in balances)
    return bound.minimum_output if whole >= bound.minimum_output else None


def show_amount(measure: Measure, number: int) -> str:
    return show_dollars(number) if measure is Measure.MONEY else f"{number:,} tokens"


def _account(bound: Bound, balance: Balance) -> str:
    need = amount(bound, balance.measure, bound.minimum_output)
    limit = balance.cap if balance.target is None else balance.target
    return (
        f"budget {balance.scope} ({balance.rule}) has {show_amount(balance.measure, max(balance.room, 0))} left of "
        f"{show_amount(balance.measure, limit)} ({show_amount(balance.measure, balance.posted)} spent, "
        f"{show_amount(balance.measure, balance.held)} held by open calls); this call may cost {show_amount(balance.measure, need)}"
    )


def _exhausted(bound: Bound, balance: Balance) -> Refusal:
    ends = datetime_of(balance.ends_us)
    return Refusal(
        Reason.BUDGET_EXHAUSTED,
        f"Budget used up: {_account(bound, balance)}. It resets {ends:%Y-%m-%d %H:%M} UTC; ask the workspace owner for a raise, "
        "or send a smaller request",
        resets_at=balance.ends_us // MICROSECONDS,
        scope=balance.scope,
    )


def _busy(bound: Bound, balance: Balance) -> Refusal:
    return Refusal(
        Reason.BUDGET_BUSY,
        f"Budget busy: {_account(bound, balance)}. Room comes back as open calls settle; retry in {RETRY_BUSY_SECONDS} seconds",
        retry_after=RETRY_BUSY_SECONDS,
        scope=balance.scope,
    )
