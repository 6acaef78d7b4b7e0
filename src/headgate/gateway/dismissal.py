"""Ending calls that are under way because their key is no good any more: within the second, in words that the client understands.

The call itself goes on as if its client had left: what the provider still says is read for the true count, or cut, as the workspace chose.
"""

from __future__ import annotations

from headgate.gateway.gate import Call, Gate, World
from headgate.gateway.listener import Answer
from headgate.names import show_id
from headgate.refusal import Reason, Refusal
from headgate.wire.errors import refusal_answer, refusal_event

_REVOKED = Refusal(
    Reason.INVALID_KEY, "The key of this call was revoked while the call was under way. The workspace's owner issues a new one"
)


def enter(gate: Gate, world: World) -> None:
    """Decide by this world from the next request on, and end the calls of keys that are not in it."""
    gate.world = world
    known = {caller.key for caller in world.callers.values()}
    for call, answer in tuple(gate.open_exchanges.values()):
        if call.caller.key not in known:
            dismiss(gate, call, answer, _REVOKED)


def dismiss(gate: Gate, call: Call, answer: Answer, refusal: Refusal) -> None:
    """Tell the client in whatever the answer has come to so far; nothing more reaches it."""
    if answer.over:
        return
    request = show_id(call.request)
    api = call.matched.route.api
    # First, because it begins the time for which an answer is drained, and whoever waits for its hold then takes none.
    answer.leave()
    if not answer.started:
        status, lines, body = refusal_answer(refusal, call.client, request)
        answer.send(status, lines + b"x-headgate-request: " + request.encode() + b"\r\n", body)
    elif api is not None:
        answer.write(refusal_event(refusal, api, call.client, request))
        answer.finish()
    else:
        answer.abort()
    gate.tally.add("dismissals_total", "workspace", call.caller.workspace)
    gate.journal.say("dismissed", request=request, workspace=call.caller.workspace, key=call.caller.key, reason=refusal.reason.value)
