"""Faults that are another answer altogether: complete, without any output, and free."""

from __future__ import annotations

from collections.abc import Callable

from headgate.rehearsal.moves import Answer
from headgate.rehearsal.problems import Problem
from headgate.rehearsal.shapes import encode

HTML = b"<!DOCTYPE html><html><head><title>Rehearsal</title></head><body><h1>502 Bad Gateway</h1><hr>cloud edge</body></html>\n"


def problem_answer(problem: Problem) -> Answer:
    return Answer(problem.status, [encode(problem.body())], headers=list(problem.headers.items()))


def _status(problem: Problem) -> Callable[[int | None], Answer]:
    return lambda at: problem_answer(problem)


def _retry_after(at: int | None) -> Answer:
    """`at` is the seconds to wait; 1 unless told."""
    seconds = 1 if at is None else at
    problem = Problem(429, f"Rate limit reached. Please try again in {seconds}s.", "rate_limit_exceeded", type="requests")
    answer = problem_answer(problem)
    answer.headers += [("retry-after", str(seconds)), ("retry-after-ms", str(seconds * 1_000))]
    return answer


def _html(at: int | None) -> Answer:
    """`at` is the status; 502 unless told."""
    return Answer(502 if at is None else at, [HTML], content_type="text/html; charset=utf-8")


def _redirect(at: int | None) -> Answer:
    return Answer(302, [b""], content_type="text/plain", headers=[("location", "http://127.0.0.1:9/rehearsal-elsewhere")])


# Messages and codes as facts of the public API; the 429 without Retry-After is a spent quota only where it says so.
INSTEAD: dict[str, Callable[[int | None], Answer]] = {
    "status_400": _status(Problem(400, "The rehearsal was told to refuse this request.", "invalid_value", "input")),
    "status_401": _status(Problem(401, "Incorrect API key provided.", "invalid_api_key")),
    "status_403": _status(
        Problem(403, "Country, region, or territory not supported.", "unsupported_country_region_territory", type="request_forbidden")
    ),
    "status_404": _status(Problem(404, "The model does not exist or you do not have access to it.", "model_not_found", "model")),
    "status_409": _status(Problem(409, "Another operation is in progress.", "conflict")),
    "status_413": _status(Problem(413, "The request is too large.", "request_too_large")),
    "status_422": _status(Problem(422, "The request could not be processed.", "unprocessable_entity")),
    "status_429": _status(Problem(429, "Rate limit reached for requests.", "rate_limit_exceeded", type="requests")),
    "status_429_retry_after": _retry_after,
    "status_429_quota": _status(
        Problem(
            429,
            "You exceeded your current quota, please check your plan and billing details.",
            "project_spend_limit_exceeded",
            type="insufficient_quota",
        )
    ),
    "status_500": _status(Problem(500, "The server had an error while processing your request.", None, type="server_error")),
    "status_502": _status(Problem(502, "Bad gateway.", None, type="server_error")),
    "status_503": _status(
        Problem(503, "That model is currently overloaded with other requests.", "server_is_overloaded", type="server_error")
    ),
    "status_529": _status(Problem(529, "The service is overloaded.", "overloaded", type="server_error")),
    "error_html": _html,
    "redirect_302": _redirect,
}
