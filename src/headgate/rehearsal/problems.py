"""How OpenAI says no: one envelope, with the codes that clients branch on."""

from __future__ import annotations

from dataclasses import dataclass, field

from headgate.rehearsal.shapes import Table


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal of the rehearsal; nothing is billed for it."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    type: str = "invalid_request_error"
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def body(self) -> Table:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


def invalid(message: str, param: str | None = None, code: str | None = None) -> Problem:
    return Problem(400, message, code, param)


def invalid_type(param: str, expected: str) -> Problem:
    return Problem(400, f"Invalid type for '{param}': expected {expected}.", "invalid_type", param)


def missing(param: str) -> Problem:
    return Problem(400, f"Missing required parameter: '{param}'.", "missing_required_parameter", param)


def below(param: str, least: int) -> Problem:
    return Problem(400, f"Invalid '{param}': integer below minimum value. Expected a value >= {least}.", "integer_below_min_value", param)


def above(param: str, most: int) -> Problem:
    return Problem(400, f"Invalid '{param}': integer above maximum value. Expected a value <= {most}.", "integer_above_max_value", param)


def not_found(what: str, param: str | None = None) -> Problem:
    return Problem(404, f"{what} not found.", None, param)


NO_KEY = Problem(401, "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth.", None)
WRONG_KEY = Problem(401, "Incorrect API key provided.", "invalid_api_key")
