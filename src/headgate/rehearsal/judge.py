"""The judge's side of the rehearsal: the meter, the calls, the settings and the faults, under /rehearsal/ and without a key."""

from __future__ import annotations

from headgate.rehearsal.generate import read_body
from headgate.rehearsal.http import Request
from headgate.rehearsal.meter import call_shown, sum_shown
from headgate.rehearsal.problems import Problem, invalid, not_found
from headgate.rehearsal.settings import changed, shown
from headgate.rehearsal.shapes import Table
from headgate.rehearsal.world import World

_USUAL_CALLS = 1_000


def judge(world: World, request: Request) -> Table | Problem:
    """Answers one request under /rehearsal/."""
    match request.method, request.location.removeprefix("/rehearsal/"):
        case "GET", "meter":
            return _meter(world)
        case "GET", "calls":
            return _calls(world, request)
        case "GET", "last":
            return _last(world)
        case "GET", "settings":
            return shown(world.settings)
        case "POST", "settings":
            return _change(world, request)
        case "GET", "faults":
            return world.faults.shown()
        case "POST", "faults":
            return _order(world, request)
        case "DELETE", "faults":
            world.faults.clear()
            return world.faults.shown()
        case "POST", "reset":
            world.reset()
            return _meter(world)
        case _:
            return not_found("This page of the rehearsal")


def _meter(world: World) -> Table:
    meter = world.meter
    return {
        **sum_shown(meter.total),
        "by_key": {key: sum_shown(total) for key, total in meter.by_key.items()},
        "by_project": {project: sum_shown(total) for project, total in meter.by_project.items()},
    }


def _calls(world: World, request: Request) -> Table | Problem:
    after, limit = request.query.get("after", ["0"])[0], request.query.get("limit", [str(_USUAL_CALLS)])[0]
    if not (after.isdigit() and limit.isdigit()):
        return invalid("after and limit are whole numbers.", "after")
    return {"calls": [call_shown(call) for call in world.meter.since(int(after), int(limit))]}


def _last(world: World) -> Table | Problem:
    """The last request under /v1, byte for byte as far as JSON can show it."""
    last = world.last_request
    if last is None:
        return not_found("A request")
    return {
        "method": last.method,
        "target": last.target,
        "head": last.raw_head.decode("latin-1"),
        "headers": last.headers,
        "body": last.body.decode("utf-8", "replace"),
    }


def _change(world: World, request: Request) -> Table | Problem:
    body = read_body(request)
    if isinstance(body, Problem):
        return body
    settings = changed(world.settings, body)
    if isinstance(settings, str):
        return invalid(settings)
    world.settings = settings
    return shown(settings)


def _order(world: World, request: Request) -> Table | Problem:
    body = read_body(request)
    if isinstance(body, Problem):
        return body
    return world.faults.enqueue(body) or world.faults.shown()
