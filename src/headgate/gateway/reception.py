"""Steps 1 and 2 of a request: may this head send its body, and then whose task is it.

Rule 1  Who asks is known before the body is read; whoever shows no good key sends no body.
Rule 2  A no to a caller who is known waits for the body, because it goes on the record first and an early answer may be lost on the way.
Rule 3  The task of an exchange belongs to the gate. The connection only has its answer.
"""

from __future__ import annotations

import asyncio

from headgate.gateway.door import Admitted, Whole
from headgate.gateway.exchange import exchange, refuse
from headgate.gateway.gate import Call, Gate
from headgate.gateway.listener import Answer, Head
from headgate.gateway.passage import list_models, pass_free
from headgate.names import Instant, RequestId, show_id
from headgate.policy.keys import digest, presented_key
from headgate.policy.network import refuse_network
from headgate.refusal import Reason, Refusal
from headgate.terms.caller import Caller
from headgate.wire.client import Client, client_of
from headgate.wire.errors import refusal_answer
from headgate.wire.routes import JSON_BYTES, Action, Matched, Route, match

_BEARER = b"Bearer "
_OK = b"content-type: application/json\r\n"

# Stands for a route that is refused: its body is read and dropped, so that the answer arrives.
NO_MATCH = Matched(Route(Action.HEALTH, "", "", body_limit=JSON_BYTES))


class Reception:
    """Implements the listener's `Door`."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def admit(self, head: Head) -> Admitted | Whole:
        matched = match(head.method, head.target, b"websocket" in head.headers.get(b"upgrade", b"").lower())
        if isinstance(matched, Matched) and not matched.route.needs_key:
            return self._health(matched.route.action)
        client = client_of(head.headers)
        now = Instant(self._gate.wall_us())
        caller = self._caller(head, now)
        if isinstance(caller, Refusal):
            # Of a stranger, a route that is not served says more than that the key is missing.
            return self._whole(matched if isinstance(matched, Refusal) else caller, client)
        if self._gate.draining:
            return self._whole(Refusal(Reason.DRAINING, "This gate is stopping; send the request again in a moment", retry_after=1), client)
        call = Call(
            world=self._gate.world,
            matched=matched if isinstance(matched, Matched) else NO_MATCH,
            head=head,
            caller=caller,
            client=client,
            request=RequestId(self._gate.numbers.next()),
            arrived_us=now,
            refusal=matched if isinstance(matched, Refusal) else self._refusal(head, caller),
        )
        return Admitted(min(call.matched.route.body_limit, self._gate.body_limit), call)

    def serve(self, ticket: object, head: Head, body: bytes, answer: Answer) -> None:
        assert isinstance(ticket, Call)
        task = asyncio.get_running_loop().create_task(self._serve(ticket, body, answer))
        self._gate.open_exchanges[task] = (ticket, answer)
        task.add_done_callback(lambda task: self._served(task, ticket, answer))

    def refuse(self, reason: Reason, message: str) -> tuple[int, bytes, bytes]:
        self._gate.tally.add("refusals_total", "workspace", "", "reason", reason.value)
        return refusal_answer(Refusal(reason, message), Client.SDK, show_id(self._gate.numbers.next()))

    async def _serve(self, call: Call, body: bytes, answer: Answer) -> None:
        action = call.matched.route.action
        if call.refusal is not None:
            await refuse(self._gate, call, call.refusal, answer)
        elif action in (Action.CREATE_RESPONSE, Action.CREATE_CHAT):
            await exchange(self._gate, call, body, answer)
        elif action in (Action.LIST_MODELS, Action.GET_MODEL):
            await list_models(self._gate, call, answer)
        else:
            await pass_free(self._gate, call, body, answer)

    def _served(self, task: asyncio.Task[None], call: Call, answer: Answer) -> None:
        self._gate.open_exchanges.pop(task, None)
        if task.cancelled() or (error := task.exception()) is None:
            return
        # A bug of ours. Its hold is in doubt on the record; the client is told as much as can be told.
        self._gate.tally.add("faults_total", "kind", type(error).__name__)
        self._gate.journal.say("fault", request=show_id(call.request), kind=type(error).__name__, where=_where(error))
        if answer.started:
            answer.abort()
        else:
            told = Refusal(Reason.GATE_FAULT, f"Headgate failed inside; quote {show_id(call.request)} to your platform team")
            answer.send(*refusal_answer(told, call.client, show_id(call.request)))

    def _caller(self, head: Head, now: Instant) -> Caller | Refusal:
        """The key's caller. A known key is one look-up; why another is not good is found out only then."""
        sent = head.headers.get(b"authorization", b"")
        text = sent[len(_BEARER) :].decode("latin-1") if sent.startswith(_BEARER) else ""
        caller = self._gate.world.callers.get(digest(text)) if text.isascii() else None
        if caller is None:
            key = presented_key(head.headers)
            if isinstance(key, Refusal):
                return key
            caller = self._gate.world.callers.get(digest(key))
        if caller is None:
            return Refusal(Reason.INVALID_KEY, "This key is not known here, or was revoked. The workspace's owner issues a new one")
        if caller.expires_us is not None and caller.expires_us <= now:
            return Refusal(Reason.EXPIRED_KEY, f"Key {caller.key} has expired. The workspace's owner issues or rotates it")
        return caller

    def _refusal(self, head: Head, caller: Caller) -> Refusal | None:
        """What the head alone is refused for."""
        world = self._gate.world
        outside = refuse_network(head.peer, world.networks, world.workspaces[caller.workspace].networks, caller.networks)
        if outside is not None:
            return outside
        if head.headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
            return Refusal(Reason.UNSUPPORTED_ENCODING, "Send the body without Content-Encoding; compressed requests are not read")
        return None

    def _health(self, action: Action) -> Whole:
        if action is not Action.READY:
            return Whole(200, _OK, b'{"status":"alive"}')
        why = "draining" if self._gate.draining else self._gate.not_ready()
        if why:
            return Whole(503, _OK, b'{"status":"%b"}' % why.encode("ascii"))
        return Whole(200, _OK, b'{"status":"ready"}')

    def _whole(self, refusal: Refusal, client: Client) -> Whole:
        self._gate.tally.add("refusals_total", "workspace", "", "reason", refusal.reason.value)
        status, lines, body = refusal_answer(refusal, client, show_id(self._gate.numbers.next()))
        return Whole(status, lines, body)


def _where(error: BaseException) -> str:
    """File and line of a fault, without values: a traceback with locals would hold content."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace is not None else ""
