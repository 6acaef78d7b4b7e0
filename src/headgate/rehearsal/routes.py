"""Which request is answered by what: the routes of OpenAI that are played, and the judge's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from headgate.rehearsal.ask import CHAT, RESPONSES
from headgate.rehearsal.ask_responses import canonical, read_responses
from headgate.rehearsal.faults_instead import problem_answer
from headgate.rehearsal.generate import count, create, read_body, recall_for, stamped
from headgate.rehearsal.http import Handler, Reply, Request
from headgate.rehearsal.judge import judge
from headgate.rehearsal.memory import Stored
from headgate.rehearsal.moves import Answer, plain
from headgate.rehearsal.organisation import costs_page, usage_page
from headgate.rehearsal.prices import Row, price_list
from headgate.rehearsal.problems import WRONG_KEY, Problem, not_found
from headgate.rehearsal.shapes import Table, encode
from headgate.rehearsal.stamps import Stamp
from headgate.rehearsal.world import Key, World

Told = Table | Problem
Looked = Callable[[World, Request, Key, str], Told]

_CREATED = 1_767_225_600  # unix seconds; when every model of the rehearsal was born


def handler(world: World) -> Handler:
    """The one function the server calls for each request."""

    def handle(request: Request) -> Reply:
        stamp = world.stamp()
        location = request.location
        if location.startswith("/rehearsal/"):
            return _tell(judge(world, request), stamp)
        world.last_request = request
        if request.method == "POST" and location == "/v1/responses":
            return create(world, RESPONSES, request, stamp)
        if request.method == "POST" and location == "/v1/chat/completions":
            return create(world, CHAT, request, stamp)
        return _tell(_look(world, request, location), stamp, request.method == "HEAD")

    return handle


def _tell(told: Told, stamp: Stamp, bodyless: bool = False) -> Reply:
    answer = problem_answer(told) if isinstance(told, Problem) else Answer(200, [encode(told)])
    answer.headers += stamped(stamp, "")
    if bodyless:  # a body after the answer to HEAD would be read as the next answer
        answer.parts = [b""]
    return Reply(plain(answer), _nothing)


def _nothing(ended: str) -> None:
    pass


def _look(world: World, request: Request, location: str) -> Told:
    """Everything that is looked up rather than made."""
    if location.startswith("/v1/organization/"):
        return _organisation(world, request, location)
    if location == "/v1/responses" and "upgrade" in request.headers:
        # Clients that would rather speak WebSocket fall back at once on 426, and only after many tries on anything else.
        return Problem(426, "The rehearsal speaks no WebSocket.", "upgrade_required")
    known = False
    for method, pattern, look in _LOOKED:
        match = pattern.fullmatch(location)
        if match is None:
            continue
        known = True
        if method == request.method:
            key = world.key_of(request)
            return key if isinstance(key, Problem) else look(world, request, key, "".join(match.groups()))
    if known or location in ("/v1/responses", "/v1/chat/completions"):
        return Problem(405, f"Not allowed to {request.method} on {location}.", "method_not_supported")
    return Problem(404, f"Invalid URL ({request.method} {location})", None)


def _organisation(world: World, request: Request, location: str) -> Told:
    if not world.is_admin(request):
        return WRONG_KEY
    reports: dict[str, Any] = {"/v1/organization/usage/completions": usage_page, "/v1/organization/costs": costs_page}
    report = reports.get(location)
    if report is None or request.method != "GET":
        return Problem(404, f"Invalid URL ({request.method} {location})", None)
    key_ids = {secret: key.key_id for secret, key in world.keys.items()}
    return report(world.meter, key_ids, request.query, world.stamp().created)


def _count(world: World, request: Request, key: Key, name: str) -> Told:
    """POST /v1/responses/input_tokens: the exact number a request with this input would be billed for."""
    if world.settings.count_status != 200:
        return Problem(world.settings.count_status, "The token counter of the rehearsal was told to fail.", None, type="server_error")
    body = read_body(request)
    if isinstance(body, Problem):
        return body
    ask = read_responses(body, recall_for(world, key.project))
    if isinstance(ask, Problem):
        return ask
    return {"object": "response.input_tokens", "input_tokens": count(ask, world.settings)}


def _stored(world: World, key: Key, response_id: str) -> Stored | Problem:
    stored = world.memory.find(response_id, key.project)
    return stored or Problem(404, f"Response with id '{response_id}' not found.", None, "id")


def _read_response(world: World, request: Request, key: Key, name: str) -> Told:
    stored = _stored(world, key, name)
    return stored if isinstance(stored, Problem) else stored.shown()


def _delete_response(world: World, request: Request, key: Key, name: str) -> Told:
    stored = _stored(world, key, name)
    if isinstance(stored, Problem):
        return stored
    world.memory.forget(name)
    return {"id": name, "object": "response", "deleted": True}


def _response_items(world: World, request: Request, key: Key, name: str) -> Told:
    stored = _stored(world, key, name)
    if isinstance(stored, Problem):
        return stored
    listed = canonical(stored.items)
    data = listed if request.query.get("order") == ["asc"] else listed[::-1]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": False,
    }


def _model(name: str, row: Row) -> Table:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": "rehearsal"}


def _list_models(world: World, request: Request, key: Key, name: str) -> Told:
    return {"object": "list", "data": [_model(listed, row) for listed, row in price_list().items()]}


def _get_model(world: World, request: Request, key: Key, name: str) -> Told:
    row = price_list().get(name)
    return _model(name, row) if row is not None else not_found(f"The model '{name}'", "model")


_LOOKED: tuple[tuple[str, re.Pattern[str], Looked], ...] = (
    ("POST", re.compile(r"/v1/responses/input_tokens"), _count),
    ("GET", re.compile(r"/v1/responses/(resp_[^/]+)"), _read_response),
    ("DELETE", re.compile(r"/v1/responses/(resp_[^/]+)"), _delete_response),
    ("GET", re.compile(r"/v1/responses/(resp_[^/]+)/input_items"), _response_items),
    ("GET", re.compile(r"/v1/models"), _list_models),
    ("GET", re.compile(r"/v1/models/([^/]+)"), _get_model),
)
