"""One attempt on the wire: send what was held, let the answer pass, and say how it ended.

Rule 1  Only whole events go to a client, so that a stream which breaks off can still be ended with an event it understands.
Rule 2  A client that hangs up stops nothing: the answer is drained, so that its count is true, until the drain's time is over.
Rule 3  Every way out returns an `Outcome`; what it costs is not decided here.
"""

from __future__ import annotations

import asyncio

import msgspec

from headgate.gateway.gate import Call, Gate
from headgate.gateway.listener import Answer
from headgate.gateway.objects import Owned
from headgate.gateway.prepare import Prepared
from headgate.gateway.upstream import Cut, NoneFree, NotSent, Receiving, Stalled, Withdrawn
from headgate.names import show_id
from headgate.paths.direct import Sending
from headgate.policy.workspace import OnDisconnect
from headgate.refusal import Reason, Refusal
from headgate.terms.ending import Ending, Outcome
from headgate.terms.order import Grant
from headgate.wire.errors import credential_refused, refusal_answer, refusal_event, upstream_error
from headgate.wire.headers import answer_headers
from headgate.wire.meter import Seen, StreamMeter, Terminal, read_answer

MOST_JSON_BYTES = 64 * 1024 * 1024
MOST_ERROR_BYTES = 1024 * 1024

# Complete answers that prove that nothing was billed (facts: the provider bills no refused request).
REFUSED = frozenset({400, 401, 403, 404, 409, 413, 415, 422, 429})

ENDINGS: dict[Terminal, Ending] = {
    Terminal.COMPLETED: Ending.COMPLETED,
    Terminal.INCOMPLETE: Ending.INCOMPLETE,
    Terminal.FAILED: Ending.FAILED,
}

# How a stream that has begun can come to no end.
_BROKEN_OFF: dict[type[Cut | Stalled], tuple[Reason, Ending, str]] = {
    Cut: (Reason.UPSTREAM_CUT, Ending.CUT, "broke off"),
    Stalled: (Reason.UPSTREAM_TIMEOUT, Ending.STALLED, "stood still for too long"),
}


class Passage(msgspec.Struct):
    """One attempt under way."""

    gate: Gate
    call: Call
    prepared: Prepared
    grant: Grant
    answer: Answer
    shortened: str | None
    response_id: str | None = None  # as soon as the answer has named it

    def lines(self, upstream: bytes = b"") -> bytes:
        """The header lines of the answer: the provider's own, then ours."""
        ours = [
            b"x-headgate-request: " + show_id(self.call.request).encode(),
            b"x-headgate-receipt: " + self.grant.receipt.encode(),
        ]
        if self.shortened is not None:
            ours.append(b"x-headgate-shortened: max_output_tokens=%d" % self.grant.output)
        if self.prepared.permit.drop_tools:
            ours.append(b"x-headgate-dropped-tools: " + ",".join(sorted(self.prepared.permit.drop_tools)).encode())
        return upstream + b"\r\n".join(ours) + b"\r\n"

    def owned(self, seen: Seen) -> None:
        """Whoever created a response may name it at once, also before its settlement is durable."""
        if seen.response_id is not None:
            self.response_id = seen.response_id
            context = seen.usage.input_tokens + seen.usage.output_tokens if seen.usage is not None else 0
            self.gate.objects.remember(seen.response_id, Owned(self.prepared.workspace.name, self.prepared.order.path, context))

    def fail(self, reason: Reason, sentence: str) -> None:
        """Tell the client of a fault, in whatever the answer has come to so far."""
        refusal = Refusal(reason, sentence)
        if not self.answer.started:
            status, lines, body = refusal_answer(refusal, self.call.client, show_id(self.call.request))
            self.answer.send(status, self.lines(lines), body)
        else:
            self.answer.write(refusal_event(refusal, self.prepared.asked.api, self.call.client, show_id(self.call.request)))
            self.answer.finish()


class Patience:
    """How long an answer is drained once its caller has left; then the attempt's own task is interrupted."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._task = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self.over = False

    def begin(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._end)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _end(self) -> None:
        assert self._task is not None, "an attempt runs in a task"
        self.over = True
        self._task.cancel()


async def attempt(passage: Passage, sending: Sending) -> Outcome:
    """Send, relay, and say how it ended."""
    way, workspace = passage.prepared.way, passage.prepared.workspace
    patience = Patience(passage.gate.drain_seconds if workspace.on_disconnect is OnDisconnect.DRAIN else 0)
    passage.answer.on_gone(patience.begin)
    receiving: Receiving | None = None
    try:
        receiving = await way.upstream.send(sending.head, sending.body, workspace.protected)
        return await _pass(passage, receiving)
    except NoneFree as fault:
        passage.fail(Reason.PATH_BUSY, f"Path {way.sender.path.name} is busy: {fault}. Nothing was sent and nothing is charged")
        return Outcome(Ending.NEVER_SENT)
    except NotSent as fault:
        passage.fail(Reason.UPSTREAM_UNREACHABLE, f"Path {way.sender.path.name}: {fault}. Nothing was sent and nothing is charged")
        return Outcome(Ending.NEVER_SENT)
    except Cut as fault:
        passage.fail(
            Reason.UPSTREAM_CUT, f"The provider's answer broke off ({fault}). What it billed is being found out; send it again if you must"
        )
        return Outcome(Ending.CUT)
    except Stalled as fault:
        passage.fail(Reason.UPSTREAM_TIMEOUT, f"The provider did not go on in time ({fault}). What it billed is being found out")
        return Outcome(Ending.STALLED)
    except asyncio.CancelledError as cancelled:
        if receiving is not None:
            receiving.abort()
        if not patience.over:
            raise
        if isinstance(cancelled, Withdrawn):
            return Outcome(Ending.NEVER_SENT)
        # The caller has left, and the drain took too long. With its id the provider can still be asked what it billed.
        return Outcome(Ending.STALLED, response_id=passage.response_id)
    finally:
        patience.stop()


async def _pass(passage: Passage, receiving: Receiving) -> Outcome:
    path = passage.prepared.way.sender.path
    if passage.prepared.way.answered_by_a_rehearsal(receiving.headers):
        receiving.abort()
        passage.fail(Reason.REHEARSAL_ANSWER, f"A rehearsal answered on path {path.name}; the path is stopped until an operator looks")
        await passage.gate.stop_path(path.name)
        return Outcome(Ending.REHEARSED)
    if receiving.status != 200:
        return await _error(passage, receiving)
    if passage.prepared.asked.stream:
        if receiving.headers.get(b"content-type", b"").startswith(b"text/event-stream"):
            return await _stream(passage, receiving)
        await receiving.read(MOST_JSON_BYTES)
        passage.fail(Reason.UPSTREAM_INVALID, "The provider answered a streaming request with something else than a stream")
        return Outcome(Ending.UNREADABLE, status=receiving.status)
    return await _whole(passage, receiving)


async def _error(passage: Passage, receiving: Receiving) -> Outcome:
    """An error of the provider: passed byte for byte when it is in OpenAI's shape, wrapped when it is not."""
    body = await receiving.read(MOST_ERROR_BYTES)
    status = receiving.status
    path = passage.prepared.way.sender.path.name
    if credential_refused(status, body):
        passage.gate.journal.say("path_credential", path=path, status=status)
        passage.fail(Reason.PATH_CREDENTIAL, f"The provider refused the credential of path {path} ({status}). Your own key is fine")
    else:
        passed = upstream_error(status, body)
        if passed is not None:
            passage.answer.send(status, passage.lines(answer_headers(receiving.headers)), passed)
        else:
            passage.fail(Reason.UPSTREAM_ERROR, f"The provider answered {status} and no reason that can be read")
    if status in REFUSED:
        return Outcome(Ending.REFUSED, status=status)
    return Outcome(Ending.BROKE if status >= 500 else Ending.UNREADABLE, status=status)


async def _whole(passage: Passage, receiving: Receiving) -> Outcome:
    body = await receiving.read(MOST_JSON_BYTES)
    seen = read_answer(passage.prepared.asked.api, receiving.status, body)
    if not seen.readable:
        passage.fail(Reason.UPSTREAM_INVALID, "The provider's answer is not the JSON that was asked for")
        return Outcome(Ending.UNREADABLE, status=receiving.status)
    passage.owned(seen)
    passage.answer.send(receiving.status, passage.lines(answer_headers(receiving.headers)), body)
    return _outcome(passage, receiving, seen, Ending.UNREADABLE)


async def _stream(passage: Passage, receiving: Receiving) -> Outcome:
    asked, answer = passage.prepared.asked, passage.answer
    meter = StreamMeter(
        asked.api,
        hide_usage=not asked.include_usage,
        client=passage.call.client,
        shortened=passage.shortened,
        request_id=show_id(passage.call.request),
    )
    answer.start(receiving.status, passage.lines(answer_headers(receiving.headers)))
    answer.on_resume(receiving.resume)
    answer.on_gone(receiving.resume)  # whoever leaves while it is slow never resumes, and the answer is drained all the same
    known = ended = False

    def feed(data: bytes) -> None:
        nonlocal known, ended
        whole = meter.feed(data)
        if (not known and meter.seen.response_id is not None) or (meter.ended and not ended):
            known, ended = True, meter.ended
            passage.owned(meter.seen)
        if meter.broken:
            receiving.abort()
        elif whole:
            answer.write(whole, more=receiving.complete)
            if answer.paused and not answer.gone:
                receiving.pause()

    try:
        await receiving.pump(feed)
    except (Cut, Stalled) as fault:
        if not meter.broken:
            reason, ending, what = _BROKEN_OFF[type(fault)]
            passage.fail(reason, f"The provider's stream {what}. What it billed is being found out")
            return _outcome(passage, receiving, msgspec.structs.replace(meter.seen, terminal=None), ending)
    if meter.broken:
        passage.fail(Reason.UPSTREAM_INVALID, "The provider's stream could not be read")
        return Outcome(Ending.UNREADABLE, status=receiving.status, response_id=meter.seen.response_id)
    if not meter.ended:
        passage.fail(Reason.UPSTREAM_CUT, "The provider's stream stopped before its end. What it billed is being found out")
        return _outcome(passage, receiving, msgspec.structs.replace(meter.seen, terminal=None), Ending.CUT)
    answer.write(meter.rest(), more=True)
    answer.finish()
    return _outcome(passage, receiving, meter.seen, Ending.CUT)


def _outcome(passage: Passage, receiving: Receiving, seen: Seen, without_terminal: Ending) -> Outcome:
    # A call that could search, and whose searches were not counted, has an unknown cost: not one of zero.
    uncounted = passage.prepared.permit.max_tool_calls is not None and not seen.counts_searches
    return Outcome(
        ending=ENDINGS[seen.terminal] if seen.terminal is not None else without_terminal,
        usage=None if uncounted else seen.usage,
        status=receiving.status,
        response_id=seen.response_id,
        model=seen.model,
        tier=seen.tier,
    )
