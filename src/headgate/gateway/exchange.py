"""One request and its answer: READ THIS FIRST.

Nothing is sent before its hold is durable, and the attempt owns its settlement: this runs in a task of its own, which no client's
connection can cancel. From the hold on there is one way out, through `close`, and the dearest ending stands until a cheaper one is proved.
"""

from __future__ import annotations

from headgate.gateway.count import count_input, near_the_cap
from headgate.gateway.gate import Call, Gate
from headgate.gateway.listener import Answer
from headgate.gateway.prepare import counted, prepare, written
from headgate.gateway.relay import Passage, attempt
from headgate.gateway.settlement import close, sentence_of_shortening
from headgate.names import show_id
from headgate.refusal import Refusal
from headgate.terms.ending import Ending, Outcome
from headgate.wire.errors import refusal_answer


async def exchange(gate: Gate, call: Call, body: bytes, answer: Answer) -> None:
    """Steps 3 to 13 of a model call."""
    prepared = call.refusal or prepare(gate, call, body)
    if isinstance(prepared, Refusal):
        return await refuse(gate, call, prepared, answer)

    # Bytes bound tokens about four times too high. Near the cap the provider's own count gives that room back.
    if near_the_cap(gate, prepared):
        tokens = await count_input(gate, call, prepared)
        prepared = prepared if tokens is None else counted(prepared, tokens)

    # Whatever can fail for free has failed by now.
    grant = await gate.desk.hold(prepared.order)
    if isinstance(grant, Refusal):
        return await refuse(gate, call, grant, answer)

    # From here on money is held. The dearest ending is assumed; whatever proves a cheaper one says so.
    outcome = Outcome(Ending.CUT)
    try:
        if answer.gone:
            outcome = Outcome(Ending.NEVER_SENT)
            answer.abort()  # who only closed its own side still listens
        else:
            shortened = sentence_of_shortening(prepared, grant)
            outcome = await attempt(Passage(gate, call, prepared, grant, answer, shortened), written(call, prepared, grant))
    finally:
        await close(gate, call, prepared, grant, outcome)
    return None


async def refuse(gate: Gate, call: Call, refusal: Refusal, answer: Answer) -> None:
    """An authenticated no is on the record before it is told."""
    await gate.refusals.record(call.caller.workspace, call.caller.key, call.request, refusal)
    request = show_id(call.request)
    gate.journal.say("refused", request=request, workspace=call.caller.workspace, key=call.caller.key, reason=refusal.reason.value)
    status, lines, body = refusal_answer(refusal, call.client, request)
    answer.send(status, lines + b"x-headgate-request: " + request.encode() + b"\r\n", body)
