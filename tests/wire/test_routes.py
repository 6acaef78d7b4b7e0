"""Every route is known letter for letter, and what is known and not served says so."""

from __future__ import annotations

import pytest

from headgate.refusal import Reason, Refusal
from headgate.wire.operations import NOT_SERVED
from headgate.wire.routes import ROUTES, Action, Matched, match


def reason(method: str, path_text: str, upgrade: bool = False) -> Reason | None:
    found = match(method, path_text, upgrade)
    return found.reason if isinstance(found, Refusal) else None


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.action.value)
def test_every_served_route_is_found(route):
    found = match(route.method, route.pattern.replace("{id}", "resp_0a-b.c:d"))
    assert isinstance(found, Matched) and found.route is route
    assert found.object_id == ("resp_0a-b.c:d" if "{id}" in route.pattern else None)


def test_every_action_has_one_route():
    assert sorted(route.action.value for route in ROUTES) == sorted(action.value for action in Action)


@pytest.mark.parametrize(("pattern", "methods"), sorted(NOT_SERVED.items()))
def test_every_published_operation_that_is_not_served_says_closed(pattern, methods):
    for method in methods.split():
        assert reason(method, pattern.replace("*", "some_id")) is Reason.ROUTE_NOT_SERVED


def test_no_operation_is_both_served_and_closed():
    served = {(route.method, route.pattern.replace("{id}", "*")) for route in ROUTES}
    assert not served & {(method, pattern) for pattern, methods in NOT_SERVED.items() for method in methods.split()}


@pytest.mark.parametrize(
    "path_text",
    [
        "/v1//models", "//v1/models", "/v1/models/", "/v1/./models", "/v1/x/../models", "/V1/models", "/v1/Models", "/v1/models;x",
        "/v1/models%2f", "/v1/%6dodels", "/v1/models?x", "/v1/models#x", "/v1/responses/..", "/v1/responses/a%2fb", "/v1/responses/a b",
        "/v1/responses/", "/v1/responses//input_items", "/v1/responses/{id}", "/v1/files/*", "/v1", "/", "", "*", "/healthz/", "/models",
        "/v1/responses/" + "a" * 257, "/v1/responses/é", "/v1/responses/a\n", "\n/v1/models", "http://x/v1/models",
    ],
)  # fmt: skip
def test_nothing_is_normalised(path_text):
    assert reason("GET", path_text) is Reason.UNKNOWN_ROUTE


def test_a_literal_path_is_never_somebodys_object():
    assert reason("GET", "/v1/responses/compact") is Reason.METHOD_NOT_ALLOWED
    assert reason("DELETE", "/v1/responses/input_tokens") is Reason.METHOD_NOT_ALLOWED


def test_another_method_on_a_known_route_is_not_allowed_and_not_unknown():
    for method, path_text in [
        ("HEAD", "/v1/responses"),
        ("GET", "/v1/responses"),
        ("PUT", "/v1/models"),
        ("HEAD", "/v1/models"),
        ("POST", "/healthz"),
    ]:
        assert reason(method, path_text) is Reason.METHOD_NOT_ALLOWED


def test_a_websocket_is_not_served_and_only_that_route_says_so():
    assert reason("GET", "/v1/responses", upgrade=True) is Reason.UPGRADE_NOT_SERVED
    assert reason("GET", "/v1/nothing", upgrade=True) is Reason.UNKNOWN_ROUTE
