"""Near the cap the provider counts the input: one more round trip, an attempt with a hold of nothing and a leaf of its own."""

from __future__ import annotations

from headgate.gateway.gate import Call, Gate
from headgate.gateway.prepare import Prepared, counted
from headgate.gateway.upstream import Cut, NotSent, Stalled
from headgate.ledger.reserve import amount
from headgate.names import show_id
from headgate.paths.direct import sending
from headgate.refusal import Refusal
from headgate.terms.bound import Bound
from headgate.terms.ending import Charge, Ending, Outcome
from headgate.terms.order import Order, Settlement
from headgate.wire.api import Api
from headgate.wire.count import count_body, read_count
from headgate.wire.headers import request_headers

COUNT_TARGET = "/v1/responses/input_tokens"
MOST_COUNT_BYTES = 64 * 1024
NOTHING = Bound(0, 0, 0, 0, 0)


def near_the_cap(gate: Gate, prepared: Prepared) -> bool:
    """Whether the whole amount would not fit some budget as it stood at the last commit, and a count may help. The ledger decides anew."""
    if prepared.asked.api is not Api.RESPONSES:
        return False
    limit = prepared.order.bound
    near = False
    for leg in prepared.order.legs:
        # What has not been drawn on in this period is not known yet, and has all of its cap.
        room, at_rest = gate.rooms.get((leg.rule.name, leg.scope), (leg.rule.cap, leg.rule.cap))
        if amount(limit, leg.rule.measure, limit.wanted_output) > room:
            # Where not even an empty input would fit, the provider is not asked: a budget that is gone must not make a flood of counts.
            least = counted(prepared, 0).order.bound
            if amount(least, leg.rule.measure, least.minimum_output) > at_rest:
                return False
            near = True
    return near


async def count_input(gate: Gate, call: Call, prepared: Prepared) -> int | None:
    """The provider's own count (tokens); None when it does not say one, and then the bytes bound the call."""
    order = counting_order(gate, prepared.order)
    grant = await gate.desk.hold(order)
    if isinstance(grant, Refusal):
        return None
    outcome = Outcome(Ending.CUT)
    tokens = None
    try:
        way = prepared.way
        out = sending(
            way.sender, "POST", COUNT_TARGET, request_headers(call.head.headers), count_body(prepared.asked), show_id(order.attempt)
        )
        receiving = await way.upstream.send(out.head, out.body, prepared.workspace.protected)
        if way.answered_by_a_rehearsal(receiving.headers):
            receiving.abort()
            outcome = Outcome(Ending.REHEARSED)
        else:
            body = await receiving.read(MOST_COUNT_BYTES)
            outcome = Outcome(Ending.COMPLETED, status=receiving.status)
            tokens = read_count(body) if receiving.status == 200 else None
    except NotSent:
        outcome = Outcome(Ending.NEVER_SENT)
    except (Cut, Stalled):
        pass
    finally:
        # It held nothing, so there is nothing to doubt.
        await gate.desk.settle(Settlement(order.attempt, Charge.ACTUAL, outcome))
    return tokens


def counting_order(gate: Gate, order: Order) -> Order:
    """The order of an attempt that costs nothing: no legs, a hold of zero, a leaf."""
    return Order(
        attempt=gate.numbers.next(),
        request=order.request,
        workspace=order.workspace,
        key=order.key,
        path=order.path,
        model=order.model,
        route="input_tokens",
        shape="free",
        tariff=order.tariff,
        bound=NOTHING,
        legs=(),
    )
