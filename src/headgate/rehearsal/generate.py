"""One request for an answer: read, bill, write down, send. The order is what the meter promises (meter.py, Rule 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from headgate.rehearsal import chat, responses
from headgate.rehearsal.ask import RESPONSES, Ask, Earlier, Turn
from headgate.rehearsal.ask_chat import read_chat
from headgate.rehearsal.ask_responses import output_turns, read_items, read_responses
from headgate.rehearsal.faults import Fault
from headgate.rehearsal.faults_instead import INSTEAD, problem_answer
from headgate.rehearsal.faults_parts import PARTS
from headgate.rehearsal.faults_plan import PLAN
from headgate.rehearsal.faults_tell import TELL
from headgate.rehearsal.faults_wire import WIRE
from headgate.rehearsal.http import Reply, Request
from headgate.rehearsal.memory import Stored
from headgate.rehearsal.meter import Call
from headgate.rehearsal.moves import Answer, plain
from headgate.rehearsal.plan import Plan, plan
from headgate.rehearsal.problems import Problem, invalid
from headgate.rehearsal.settings import Settings
from headgate.rehearsal.shapes import Table, Unreadable, decode, encode, table
from headgate.rehearsal.stamps import Stamp
from headgate.rehearsal.tokens import tokens_of
from headgate.rehearsal.world import Key, World

Recall = Callable[[str], Earlier | None]


def create(world: World, api: str, request: Request, stamp: Stamp) -> Reply:
    """Answers POST /v1/responses and POST /v1/chat/completions."""
    key = world.key_of(request)
    known = key if isinstance(key, Key) else Key("", "", "")
    call = world.meter.open(known.secret, known.project, api, stamp.created)
    call.headgate_request = request.headers.get("x-headgate-request")
    call.body_bytes = len(request.body)
    ask = _read(world, api, request, key)
    if isinstance(ask, Problem):
        return _refuse(world, call, ask, stamp)
    call.model, call.stream = ask.body["model"], ask.stream
    call.asked_max_output, call.asked_service_tier = ask.max_output, ask.body.get("service_tier")
    input_tokens = count(ask, world.settings)
    if input_tokens > ask.row.context:
        message = f"Your input exceeds the context window of this model: {input_tokens} tokens are more than {ask.row.context}."
        return _refuse(world, call, Problem(400, message, "context_length_exceeded", "input"), stamp)
    fault = world.faults.pick(ask, known.secret)
    if isinstance(fault, Problem):
        return _refuse(world, call, fault, stamp)
    if fault is not None:
        call.fault = fault.name
        if fault.name in INSTEAD:
            return _send(world, call, INSTEAD[fault.name](fault.at), stamp, None)
    return _answer(world, call, ask, known, input_tokens, fault, stamp)


def count(ask: Ask, settings: Settings) -> int:
    """Every input token of a request, what an earlier response left included."""
    earlier = ask.earlier.tokens if ask.earlier is not None else 0
    return tokens_of(ask.input_bytes(), settings.bytes_per_token) + ask.opaque_tokens() + earlier


def read_body(request: Request) -> Table | Problem:
    if request.headers.get("content-encoding", "identity") != "identity":
        return Problem(415, "The rehearsal reads no compressed requests.", None)
    try:
        body = decode(request.body)
    except Unreadable:
        return invalid("We could not parse the JSON body of your request.")
    return table(body) if isinstance(body, dict) else invalid("The body of the request must be a JSON object.")


def recall_for(world: World, project: str) -> Recall:
    def recall(response_id: str) -> Earlier | None:
        stored = world.memory.find(response_id, project)
        return stored.earlier if stored is not None else None

    return recall


def _read(world: World, api: str, request: Request, key: Key | Problem) -> Ask | Problem:
    if isinstance(key, Problem):
        return key
    body = read_body(request)
    if isinstance(body, Problem):
        return body
    return read_responses(body, recall_for(world, key.project)) if api == RESPONSES else read_chat(body)


def _answer(world: World, call: Call, ask: Ask, key: Key, input_tokens: int, fault: Fault | None, stamp: Stamp) -> Reply:
    settings = world.settings
    cached = world.memory.cached_tokens(ask, key.project, settings.bytes_per_token) if settings.caching else 0
    written = world.memory.written_tokens(ask, input_tokens, cached) if settings.caching else 0
    planned = plan(ask, settings, input_tokens, cached, written)
    if fault is not None and fault.name in PLAN:
        planned = PLAN[fault.name](ask, planned, fault.at)
    world.meter.bill(call, planned.row, planned.tier, planned.tokens)
    told, stored = _written_down(world, ask, planned, key, stamp, call.body_bytes)
    call.id = stored.done["id"] if stored is not None else _id_of(told)
    if fault is not None and fault.name in TELL:
        told = TELL[fault.name](told, fault.at)
    parts = [_part(member, ask) for member in told]
    if fault is not None and fault.name in PARTS:
        parts = PARTS[fault.name](ask, parts, fault.at)
    answer = _paced(Answer(200, parts, ask.stream), ask, planned, settings)
    if ask.stream:
        answer.content_type = "text/event-stream; charset=utf-8"
    return _send(world, call, answer, stamp, fault, planned, stored)


def _id_of(told: list[Any]) -> str:
    first = table(told[0])
    return str(first.get("id") or table(first.get("response")).get("id"))


def _written_down(world: World, ask: Ask, planned: Plan, key: Key, stamp: Stamp, size: int) -> tuple[list[Any], Stored | None]:
    """The answer as JSON values: one, or one for each event; and what is stored of it. `size` is the request's, in bytes."""
    settings = world.settings
    if ask.api != RESPONSES:
        told = chat.completion(ask, planned, stamp)
        return (list(chat.chunks(told, ask.include_usage, settings.delta_events)) if ask.stream else [told]), None
    items = responses.output(ask, planned, stamp)
    whole = responses.response(ask, planned, stamp, items)
    begun = responses.running(whole)
    stored = None
    if ask.store:
        turns: tuple[Turn, ...] = (*ask.turns, *output_turns(items))
        asked = read_items(ask.body)
        left = Earlier(turns, planned.tokens.input + planned.tokens.output)
        stored = Stored(key.project, begun, whole, [] if isinstance(asked, Problem) else asked, left, size)
        world.memory.keep(stored)
    return ([event for _, event in responses.events(whole, begun, settings.delta_events)] if ask.stream else [whole]), stored


def _part(member: Any, ask: Ask) -> bytes:
    if not ask.stream:
        return encode(member)
    if isinstance(member, str):
        return f"data: {member}\n\n".encode()
    if ask.api == RESPONSES:
        return b"event: %b\ndata: %b\n\n" % (member["type"].encode(), encode(member))
    return b"data: " + encode(member) + b"\n\n"


def _paced(answer: Answer, ask: Ask, planned: Plan, settings: Settings) -> Answer:
    """Seconds before the first token and between events; a plain answer waits for all of its tokens at once."""
    answer.first_s = settings.first_token_ms / 1_000
    per_second = settings.tokens_per_second
    said_s = (planned.tokens.output - planned.tokens.reasoning * settings.full_output) / per_second if per_second else 0
    if not ask.stream:
        answer.first_s += said_s
        return answer
    answer.pause_before = 2 if ask.api == RESPONSES else 0
    answer.gap_s = settings.event_ms / 1_000 + said_s / max(1, len(answer.parts))
    return answer


def _refuse(world: World, call: Call, problem: Problem, stamp: Stamp) -> Reply:
    return _send(world, call, problem_answer(problem), stamp, None)


def _send(
    world: World, call: Call, answer: Answer, stamp: Stamp, fault: Fault | None, planned: Plan | None = None, stored: Stored | None = None
) -> Reply:
    call.status = answer.status
    answer.headers += stamped(stamp, call.project)
    moves = WIRE[fault.name](answer, fault.at) if fault is not None and fault.name in WIRE else plain(answer)

    def done(ended: str) -> None:
        call.ended = ended if ended != "whole" or answer.status < 400 else "refused"
        if stored is not None:
            stored.finished = True
        if ended == "client_gone" and planned is not None and not world.settings.bill_after_disconnect:
            tokens = planned.tokens
            shown = min(answer.sent, len(answer.parts))
            output = -(-tokens.output * shown // max(1, len(answer.parts)))
            world.meter.bill_anew(call, planned.row, replace(tokens, output=output, reasoning=min(tokens.reasoning, output)))

    return Reply(moves, done)


def stamped(stamp: Stamp, project: str) -> list[tuple[str, str]]:
    """The headers OpenAI sends, and the mark that this is a rehearsal."""
    return [
        ("x-request-id", f"req_{stamp.item(0)}"),
        ("x-headgate-rehearsal", "1"),
        ("openai-version", "2020-10-01"),
        ("openai-organization", "org-rehearsal"),
        ("openai-project", project or "none"),
        ("openai-processing-ms", "7"),
        ("x-ratelimit-limit-requests", "30000"),
        ("x-ratelimit-remaining-requests", "29999"),
        ("x-ratelimit-reset-requests", "2ms"),
    ]
