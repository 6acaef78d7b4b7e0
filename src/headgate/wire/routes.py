"""Every route there is: the ones that are served, and the published operations that are not, each by its exact text.

Rule 1  A path that is not in the table, letter for letter, is 404. Nothing is normalised: `//`, `%2e`, `;`, upper case and a slash at the
        end are other paths. Whoever decides by one spelling and forwards another can be walked around.
Rule 2  A published operation that is not served says so (403), so that nobody looks for a typing mistake.
Rule 3  Access is decided by the matched route, never by the text.

Source: the operations of openai-openapi 2.3.0 (MIT, 2026-08-21).
"""

from __future__ import annotations

import re
from enum import Enum

import msgspec

from headgate.refusal import Reason, Refusal
from headgate.wire.api import Api
from headgate.wire.operations import NOT_SERVED

JSON_BYTES = 32 * 1024 * 1024  # Codex sends pictures inside JSON: 16 MB were seen
NO_BODY = 0


class Action(Enum):
    CREATE_RESPONSE = "create_response"
    CREATE_CHAT = "create_chat"
    COUNT_TOKENS = "count_tokens"
    LIST_MODELS = "list_models"
    GET_MODEL = "get_model"
    READ_RESPONSE = "read_response"
    DELETE_RESPONSE = "delete_response"
    LIST_RESPONSE_ITEMS = "list_response_items"
    HEALTH = "health"
    READY = "ready"


class Route(msgspec.Struct, frozen=True):
    """One served method and pattern. `{id}` in a pattern stands for one object id."""

    action: Action
    method: str
    pattern: str
    api: Api | None = None
    needs_key: bool = True
    body_limit: int = NO_BODY  # bytes


class Matched(msgspec.Struct, frozen=True):
    route: Route
    object_id: str | None = None


ROUTES: tuple[Route, ...] = (
    Route(Action.CREATE_RESPONSE, "POST", "/v1/responses", Api.RESPONSES, body_limit=JSON_BYTES),
    Route(Action.CREATE_CHAT, "POST", "/v1/chat/completions", Api.CHAT, body_limit=JSON_BYTES),
    Route(Action.COUNT_TOKENS, "POST", "/v1/responses/input_tokens", Api.RESPONSES, body_limit=JSON_BYTES),
    Route(Action.LIST_MODELS, "GET", "/v1/models"),
    Route(Action.GET_MODEL, "GET", "/v1/models/{id}"),
    Route(Action.READ_RESPONSE, "GET", "/v1/responses/{id}", Api.RESPONSES),
    Route(Action.DELETE_RESPONSE, "DELETE", "/v1/responses/{id}", Api.RESPONSES),
    Route(Action.LIST_RESPONSE_ITEMS, "GET", "/v1/responses/{id}/input_items", Api.RESPONSES),
    Route(Action.HEALTH, "GET", "/healthz", needs_key=False),
    Route(Action.READY, "GET", "/readyz", needs_key=False),
)

# What a slot of a pattern may hold. Model names carry colons and dots (`ft:gpt-4o:acme::id`); nothing may cut or escape a path.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,255}")

_SERVED = {(route.method, route.pattern): route for route in ROUTES}


def _methods() -> dict[str, frozenset[str]]:
    methods: dict[str, frozenset[str]] = {pattern: frozenset(names.split()) for pattern, names in NOT_SERVED.items()}
    for route in ROUTES:
        pattern = route.pattern.replace("{id}", "*")
        methods[pattern] = methods.get(pattern, frozenset()) | {route.method}
    return methods


_METHODS = _methods()
_SLOTTED = tuple((pattern.split("/"), pattern) for pattern in _METHODS if "*" in pattern)


def match(method: str, path_text: str, upgrade: bool = False) -> Matched | Refusal:
    """The route of a request line, by the path as it was sent (no query). `upgrade`: the client asks for a WebSocket."""
    route = _SERVED.get((method, path_text))
    if route is not None and "{" not in path_text:
        return Matched(route)
    if upgrade and (method, path_text) == ("GET", "/v1/responses"):
        return Refusal(Reason.UPGRADE_NOT_SERVED, "WebSocket is not served here yet. Send the same call with POST over HTTP.")
    if "*" not in path_text and path_text in _METHODS:
        # A literal path is never somebody's object: `/v1/responses/compact` is not the response named `compact`.
        return _unserved(method, _METHODS[path_text])
    parts = path_text.split("/")
    known: frozenset[str] = frozenset()
    for slots, pattern in _SLOTTED:
        found = _slot(slots, parts)
        if found is None:
            continue
        route = _SERVED.get((method, pattern.replace("*", "{id}")))
        if route is not None:
            return Matched(route, found)
        known |= _METHODS[pattern]
    return _unserved(method, known)


def _slot(pattern: list[str], parts: list[str]) -> str | None:
    """The last object id of a path that fits the pattern, or None when it does not fit."""
    if len(pattern) != len(parts):
        return None
    found: str | None = None
    for wanted, part in zip(pattern, parts, strict=True):
        if wanted == "*" and _ID.fullmatch(part) is not None:
            found = part
        elif wanted != part:
            return None
    return found


def _unserved(method: str, known: frozenset[str]) -> Refusal:
    if not known:
        return Refusal(Reason.UNKNOWN_ROUTE, "No such route. Use POST /v1/responses, POST /v1/chat/completions or GET /v1/models.")
    if method in known:
        return Refusal(
            Reason.ROUTE_NOT_SERVED, "This operation of the OpenAI API cannot be metered yet, so it is closed. Ask your platform team."
        )
    return Refusal(Reason.METHOD_NOT_ALLOWED, f"This route does not take the method {method[:16]}. It takes {', '.join(sorted(known))}.")
