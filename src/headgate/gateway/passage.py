"""Calls that cost nothing: the list of models, and the reads, deletes and counts of a caller's own objects.

Each is an attempt with a hold of nothing and a leaf. An id that is not the workspace's own is never sent.
"""

from __future__ import annotations

from headgate.gateway.count import NOTHING
from headgate.gateway.exchange import refuse
from headgate.gateway.gate import Call, Gate, Way
from headgate.gateway.listener import Answer
from headgate.gateway.prepare import context_of
from headgate.gateway.relay import MOST_JSON_BYTES
from headgate.gateway.upstream import Cut, NotSent, Stalled
from headgate.names import AttemptId, show_id
from headgate.paths.direct import sending
from headgate.refusal import Reason, Refusal
from headgate.terms.ending import Charge, Ending, Outcome
from headgate.terms.order import Order, Settlement
from headgate.wire.api import Api
from headgate.wire.count import count_body
from headgate.wire.errors import credential_refused, refusal_answer, upstream_error
from headgate.wire.headers import answer_headers, request_headers
from headgate.wire.models import ModelEntry, model_body, models_body
from headgate.wire.request import read_request
from headgate.wire.routes import Action

_JSON = b"content-type: application/json\r\n"


async def list_models(gate: Gate, call: Call, answer: Answer) -> None:
    """The models that this key may use, in one body for SDKs and Codex. Nothing is asked of the provider."""
    entries = _entries(call)
    lines = _JSON + b"x-headgate-request: " + show_id(call.request).encode() + b"\r\n"
    if call.matched.route.action is Action.LIST_MODELS:
        return answer.send(200, lines, models_body(list(entries.values())))
    entry = entries.get(call.matched.object_id or "")
    if entry is None:
        may = ", ".join(sorted(entries)[:20])
        return await refuse(
            gate, call, Refusal(Reason.MODEL_NOT_FOUND, f"This key has no such model. It may use: {may}", param="model"), answer
        )
    return answer.send(200, lines, model_body(entry))


def _entries(call: Call) -> dict[str, ModelEntry]:
    """By every name of the price book, and by the dated names that are allowed or asked for, as a call may use them."""
    workspace = call.world.workspaces[call.caller.workspace]
    allowed = [names for names in (workspace.models, call.caller.models) if names is not None]
    dated = {name for names in allowed for name in names} | ({call.matched.object_id} if call.matched.object_id is not None else set[str]())
    book, entries = call.world.book, dict[str, ModelEntry]()
    for path in workspace.paths:
        named = {tariff.model: tariff for tariff in book.models(path, call.arrived_us)}
        named |= {name: tariff for name in dated if (tariff := book.tariff(path, name, call.arrived_us)) is not None}
        for name, tariff in named.items():
            if all(name in names or tariff.model in names for names in allowed):
                entries.setdefault(name, ModelEntry(name, path, tariff.window_tokens, tariff.max_output_tokens, tariff.reasoning))
    return entries


async def pass_free(gate: Gate, call: Call, body: bytes, answer: Answer) -> None:
    """Read, delete or count: to the path that has the object, or the workspace's first."""
    workspace = call.world.workspaces[call.caller.workspace]
    path = workspace.paths[0]
    object_id = call.matched.object_id
    if object_id is not None:
        owned = gate.objects.owned(object_id, workspace.name)
        if isinstance(owned, Refusal):
            return await refuse(gate, call, owned, answer)
        path = owned.path
    if call.matched.route.action is Action.COUNT_TOKENS:
        counts = _count(gate, workspace.name, body)
        if isinstance(counts, Refusal):
            return await refuse(gate, call, counts, answer)
        body = counts
    way = call.world.ways.get(path)
    if way is None or f"path:{path}" in call.world.frozen:
        return await refuse(gate, call, Refusal(Reason.NO_PATH, f"Path {path} is closed"), answer)
    order = Order(
        attempt=AttemptId(call.request), request=call.request, workspace=workspace.name, key=call.caller.key, path=path, model="",
        route=call.matched.route.action.value, shape="free", tariff=0, bound=NOTHING, legs=(),
    )  # fmt: skip
    grant = await gate.desk.hold(order)
    if isinstance(grant, Refusal):
        return await refuse(gate, call, grant, answer)
    ours = b"x-headgate-request: " + show_id(call.request).encode() + b"\r\nx-headgate-receipt: " + grant.receipt.encode() + b"\r\n"
    outcome = Outcome(Ending.CUT)
    try:
        outcome = await _relay(gate, call, way, body, answer, ours)
    finally:
        # It held nothing, so there is nothing to doubt.
        await gate.desk.settle(Settlement(order.attempt, Charge.ACTUAL, outcome))
    if call.matched.route.action is Action.DELETE_RESPONSE and outcome.status == 200 and object_id is not None:
        gate.objects.forget(object_id)
    return None


def _count(gate: Gate, workspace: str, body: bytes) -> bytes | Refusal:
    """What is counted: the input alone, and nothing that it goes on from may be another workspace's."""
    asked = read_request(Api.RESPONSES, body)
    if isinstance(asked, Refusal):
        return asked
    context = context_of(gate, asked, workspace)
    return context if isinstance(context, Refusal) else count_body(asked)


async def _relay(gate: Gate, call: Call, way: Way, body: bytes, answer: Answer, ours: bytes) -> Outcome:
    def fail(reason: Reason, sentence: str) -> None:
        status, lines, told = refusal_answer(Refusal(reason, sentence), call.client, show_id(call.request))
        answer.send(status, lines + ours, told)

    path = way.sender.path.name
    query = f"?{call.head.query}" if call.head.query else ""
    protected = call.world.workspaces[call.caller.workspace].protected
    try:
        target = call.head.target + query
        out = sending(way.sender, call.head.method, target, request_headers(call.head.headers), body, show_id(call.request))
        receiving = await way.upstream.send(out.head, out.body, protected)
        if way.answered_by_a_rehearsal(receiving.headers):
            receiving.abort()
            fail(Reason.REHEARSAL_ANSWER, f"A rehearsal answered on path {path}; the path is stopped until an operator looks")
            await gate.stop_path(path)
            return Outcome(Ending.REHEARSED)
        lines = answer_headers(receiving.headers) + ours
        if receiving.headers.get(b"content-type", b"").startswith(b"text/event-stream"):
            answer.start(receiving.status, lines)
            await receiving.pump(answer.write)
            answer.finish()
            return Outcome(Ending.COMPLETED, status=receiving.status)
        whole = await receiving.read(MOST_JSON_BYTES)
    except (NotSent, Cut, Stalled, ValueError) as fault:
        if answer.started:
            answer.abort()
        else:
            fail(Reason.UPSTREAM_UNREACHABLE, f"Path {path}: {fault}")
        return Outcome(Ending.NEVER_SENT if isinstance(fault, NotSent | ValueError) else Ending.CUT)
    if credential_refused(receiving.status, whole):
        gate.journal.say("path_credential", path=path, status=receiving.status)
        fail(Reason.PATH_CREDENTIAL, f"The provider refused the credential of path {path} ({receiving.status}). Your own key is fine")
    elif receiving.status == 200 or upstream_error(receiving.status, whole) is not None:
        answer.send(receiving.status, lines, whole)
    else:
        fail(Reason.UPSTREAM_ERROR, f"The provider answered {receiving.status} and no reason that can be read")
    return Outcome(Ending.COMPLETED, status=receiving.status)
