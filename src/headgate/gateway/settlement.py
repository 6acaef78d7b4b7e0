"""How an attempt ended becomes what it is charged: the table of endings, the price of the usage, one settlement."""

from __future__ import annotations

from headgate.gateway.gate import Call, Gate
from headgate.gateway.prepare import Prepared
from headgate.ledger.ending import charge_of
from headgate.names import Instant, show_id
from headgate.pricing.bill import bill
from headgate.pricing.cost import TIER_NAMES
from headgate.terms.ending import Charge, Outcome
from headgate.terms.order import Grant, Settled, Settlement
from headgate.wire.api import Api


def sentence_of_shortening(prepared: Prepared, grant: Grant) -> str | None:
    """What a client is told when its answer was cut to fit the budget; None when it was not."""
    if not grant.shortened:
        return None
    return (
        f"Headgate shortened this answer to {grant.output:,} output tokens (of {prepared.order.bound.wanted_output:,}) "
        f"to stay within the budget of workspace {prepared.workspace.name}; ask its owner for a raise, or send a smaller request"
    )


def settlement(gate: Gate, prepared: Prepared, outcome: Outcome) -> Settlement:
    """The charge by the table; a usage that has no price keeps the hold in doubt, because unknown is never zero."""
    charge = charge_of(outcome.ending, outcome.usage is not None)
    nano = tokens = 0
    if charge is Charge.ACTUAL:
        assert outcome.usage is not None, "the table charges the actual only where a count was seen"
        sent = TIER_NAMES[prepared.permit.service_tier]
        billed = bill(gate.world.book, prepared.tariff, sent, outcome, Instant(gate.wall_us()))
        if billed is None:
            charge = Charge.SUSPECT
        else:
            nano, tokens = billed, outcome.usage.input_tokens + outcome.usage.output_tokens
    order = prepared.order
    creates = prepared.asked.api is Api.RESPONSES
    return Settlement(
        attempt=order.attempt,
        charge=charge,
        outcome=outcome,
        nano=nano,
        tokens=tokens,
        object_id=outcome.response_id if creates else None,
        owner=(order.workspace, order.path),
        stored=creates and outcome.response_id is not None and prepared.asked.store is not False,
    )


async def close(gate: Gate, call: Call, prepared: Prepared, grant: Grant, outcome: Outcome) -> None:
    """Settle, count, and say in the log what became of it."""
    asked = settlement(gate, prepared, outcome)
    settled = await gate.desk.settle(asked)
    workspace = prepared.workspace.name
    took_ms = (gate.wall_us() - call.arrived_us) // 1000
    charged = settled.charged_nano if isinstance(settled, Settled) else 0
    gate.tally.add("exchanges_total", "workspace", workspace, "model", prepared.order.model, "ending", outcome.ending.value)
    gate.tally.add("charged_nano_total", "workspace", workspace, amount=charged)
    gate.tally.took("exchange_milliseconds", workspace, took_ms)
    answered = outcome.model
    if answered is not None and answered != prepared.order.model:
        named = gate.world.book.tariff(prepared.order.path, answered, call.arrived_us)
        if named is None or named.model != prepared.order.model:
            # Billed as the dearer of the two, or, where the book does not know the name, as what was asked for: somebody has to look.
            gate.tally.add("answered_by_another_model_total", "workspace", workspace, "model", prepared.order.model)
            model = prepared.order.model
            gate.journal.say("answered_by_another_model", request=show_id(call.request), asked=model, answered=answered[:100])
    gate.journal.say(
        "exchange", request=show_id(call.request), workspace=workspace, key=call.caller.key, model=prepared.order.model,
        path=prepared.order.path, ending=outcome.ending.value, charge=asked.charge.value, held_nano=grant.nano, charged_nano=charged,
        status=outcome.status, ms=took_ms, shortened=int(grant.shortened),
    )  # fmt: skip
    if isinstance(settled, Settled) and settled.frozen:
        gate.journal.say("breach", request=show_id(call.request), breach_nano=settled.breach_nano, overrun_nano=settled.overrun_nano)
        gate.tally.add("breaches_total", "workspace", workspace)
        gate.freeze(settled.frozen)
