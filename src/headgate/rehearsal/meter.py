"""What the rehearsal has billed, call by call, in exact fractions of a dollar.

Rule 1  Nothing is rounded on the way; only what is told to people and to OpenAI's own shapes is.
Rule 2  A call is billed when its answer begins to exist, before a byte of it is sent: what happens on the way changes nothing.
Rule 3  The one correction is a client that hung up while `bill_after_disconnect` is off: then the bill is made anew for what was sent.
Rule 4  Billing is exact or the process ends: a tier or a class without a price is a bug here, never a zero.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from headgate.rehearsal.prices import WEB_SEARCH, Row
from headgate.rehearsal.shapes import Table

KEPT_CALLS = 200_000  # older calls leave the list; the totals keep them
_PICO = 10**12


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one answer used, as the provider sees it; cached and written tokens are inside the input."""

    input: int
    output: int
    cached: int = 0
    write_30m: int = 0
    write_12h: int = 0
    reasoning: int = 0
    searches: int = 0


@dataclass(slots=True)
class Call:
    """One request for an answer, whether or not it got one."""

    number: int
    key: str
    project: str
    api: str
    started: int  # unix seconds
    model: str = ""
    billed_model: str = ""
    id: str = ""
    tier: str = ""
    tokens: Tokens | None = None
    billed: Fraction = field(default_factory=Fraction)  # dollars
    status: int = 0
    ended: str = "running"
    fault: str = ""
    stream: bool = False
    asked_max_output: int | None = None
    asked_service_tier: str | None = None
    headgate_request: str | None = None
    body_bytes: int = 0


@dataclass(slots=True)
class Sum:
    """Totals of one key, one project or everything."""

    requests: int = 0
    billed_requests: int = 0
    billed: Fraction = field(default_factory=Fraction)
    nano_ceiling: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(slots=True)
class Used:
    """One row of the organisation's usage: a minute of one project, key, model and tier."""

    requests: int = 0
    input: int = 0
    output: int = 0
    cached: int = 0
    write_30m: int = 0
    write_12h: int = 0


@dataclass(slots=True)
class Line:
    """One line item of the organisation's costs on one day."""

    quantity: int = 0
    amount: Fraction = field(default_factory=Fraction)


LineItem = tuple[str, int, Fraction]  # name, quantity, dollars


def line_items(row: Row, tier: str, tokens: Tokens) -> list[LineItem]:
    """Each class of tokens that was used, and the calls of hosted tools."""
    rates = row.rates_for(tier, tokens.input)
    plain = tokens.input - tokens.cached - tokens.write_30m - tokens.write_12h
    assert plain >= 0 and tokens.output >= 0, "more tokens cached and written than there are"
    suffix = "" if tier == "default" else f", {tier}"
    lines = (
        ("input_tokens", plain, rates.input),
        ("cached_input_tokens", tokens.cached, rates.cached),
        ("cache_write_30m_tokens", tokens.write_30m, rates.write_30m),
        ("cache_write_12h_tokens", tokens.write_12h, rates.write_12h),
        ("output_tokens", tokens.output, rates.output),
        ("web_search_calls", tokens.searches, WEB_SEARCH),
    )
    return [(f"{row.model}, {name}{suffix}", quantity, price * quantity) for name, quantity, price in lines if quantity]


def cost(row: Row, tier: str, tokens: Tokens) -> Fraction:
    """Dollars of one answer."""
    return _total(line_items(row, tier, tokens))


def _total(lines: list[LineItem]) -> Fraction:
    return sum((amount for _, _, amount in lines), Fraction())


def pico(dollars: Fraction) -> int:
    """Whole pico-dollars; every price of the table is a whole number of them."""
    value = dollars * _PICO
    if value.denominator != 1:
        raise ArithmeticError(f"{dollars} dollars are not a whole number of pico-dollars")
    return value.numerator


def nano_ceiling(dollars: Fraction) -> int:
    """Nano-dollars, rounded up once for this amount."""
    return -(-pico(dollars) // 1_000)


class Meter:
    """The sums, the calls and the two organisation reports."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.total = Sum()
        self.by_key: dict[str, Sum] = {}
        self.by_project: dict[str, Sum] = {}
        self.calls: deque[Call] = deque(maxlen=KEPT_CALLS)
        self.used: dict[tuple[int, str, str, str, str], Used] = {}  # minute, project, key, model, tier
        self.lines: dict[tuple[int, str, str, str], Line] = {}  # day, project, key, line item
        self.numbered = 0

    def open(self, key: str, project: str, api: str, started: int) -> Call:
        """A request has arrived; nothing is billed yet."""
        self.numbered += 1
        call = Call(self.numbered, key, project, api, started)
        self.calls.append(call)
        for total in self._sums(call):
            total.requests += 1
        return call

    def bill(self, call: Call, row: Row, tier: str, tokens: Tokens) -> None:
        assert call.tokens is None, "a call is billed once"
        call.billed_model, call.tier, call.tokens = row.model, tier, tokens
        lines = line_items(row, tier, tokens)
        call.billed = _total(lines)
        self._enter(call, lines, 1)

    def bill_anew(self, call: Call, row: Row, tokens: Tokens) -> None:
        """Replaces the bill of a call by another one (Rule 3)."""
        assert call.tokens is not None, "only a billed call is billed anew"
        self._enter(call, line_items(row, call.tier, call.tokens), -1)
        call.tokens = None
        self.bill(call, row, call.tier, tokens)

    def since(self, number: int, limit: int) -> Iterable[Call]:
        found = [call for call in self.calls if call.number > number]
        return found[:limit]

    def _sums(self, call: Call) -> tuple[Sum, Sum, Sum]:
        return self.total, self.by_key.setdefault(call.key, Sum()), self.by_project.setdefault(call.project, Sum())

    def _enter(self, call: Call, lines: list[LineItem], sign: int) -> None:
        tokens = call.tokens
        assert tokens is not None, "only a billed call is entered"
        ceiling = nano_ceiling(call.billed)
        for total in self._sums(call):
            total.billed_requests += sign
            total.billed += sign * call.billed
            total.nano_ceiling += sign * ceiling
            total.input_tokens += sign * tokens.input
            total.output_tokens += sign * tokens.output
        minute, day = call.started - call.started % 60, call.started - call.started % 86_400
        used = self.used.setdefault((minute, call.project, call.key, call.billed_model, call.tier), Used())
        used.requests += sign
        used.input += sign * tokens.input
        used.output += sign * tokens.output
        used.cached += sign * tokens.cached
        used.write_30m += sign * tokens.write_30m
        used.write_12h += sign * tokens.write_12h
        for item, quantity, amount in lines:
            line = self.lines.setdefault((day, call.project, call.key, item), Line())
            line.quantity += sign * quantity
            line.amount += sign * amount


def sum_shown(total: Sum) -> Table:
    """Amounts as strings of whole numbers: `billed_nano_ceiling` is rounded up once per call, as a ledger must."""
    return {
        "requests": total.requests,
        "billed_requests": total.billed_requests,
        "billed_pico": str(pico(total.billed)),
        "billed_nano_ceiling": str(total.nano_ceiling),
        "input_tokens": total.input_tokens,
        "output_tokens": total.output_tokens,
    }


def call_shown(call: Call) -> Table:
    tokens = call.tokens
    return {
        "number": call.number,
        "id": call.id,
        "key": call.key,
        "project": call.project,
        "api": call.api,
        "model": call.model,
        "billed_model": call.billed_model,
        "tier": call.tier,
        "stream": call.stream,
        "started": call.started,
        "status": call.status,
        "ended": call.ended,
        "fault": call.fault,
        "billed_pico": str(pico(call.billed)),
        "billed_nano_ceiling": str(nano_ceiling(call.billed)),
        "tokens": None
        if tokens is None
        else {
            "input": tokens.input,
            "cached": tokens.cached,
            "write_30m": tokens.write_30m,
            "write_12h": tokens.write_12h,
            "output": tokens.output,
            "reasoning": tokens.reasoning,
            "searches": tokens.searches,
        },
        "headgate_request": call.headgate_request,
        "asked_max_output": call.asked_max_output,
        "asked_service_tier": call.asked_service_tier,
        "body_bytes": call.body_bytes,
    }
