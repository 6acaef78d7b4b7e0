"""What is known of a call besides its key: facts the key proves, and facts the caller only claims, never mixed.

Rule 1  A fact of the key wins: a claim about the same dimension is dropped, so it can neither replace nor join the proven value.
Rule 2  A claim can add a cap, never take one away or fill another workspace's: `legs.py` qualifies its scope by the workspace.
Rule 3  A header that was written for Headgate and cannot be read is told to the caller; what a client adds by itself is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from headgate.refusal import Reason, Refusal
from headgate.terms.caller import Caller, Dimension, Facts

# The dimensions that a caller may speak about, and the header for each. Who asks (user, team, service, key, workspace) is never claimed.
HEADERS: dict[Dimension, bytes] = {
    Dimension.COST_CENTRE: b"x-headgate-cost-centre",
    Dimension.CUSTOMER: b"x-headgate-customer",
    Dimension.USE: b"x-headgate-use",
    Dimension.WORKFLOW: b"x-headgate-workflow",
    Dimension.REPOSITORY: b"x-headgate-repository",
    Dimension.PULL_REQUEST: b"x-headgate-pull-request",
    Dimension.SESSION: b"x-headgate-session",
}
CLAIMABLE = frozenset(HEADERS)

# What a key may be bound to, and a workspace may require: everything that is not already said by the key, the path and the model.
TAGS = (
    *(Dimension.COST_CENTRE, Dimension.CUSTOMER, Dimension.TEAM, Dimension.USE, Dimension.WORKFLOW, Dimension.REPOSITORY),
    *(Dimension.SERVICE, Dimension.USER, Dimension.PULL_REQUEST, Dimension.SESSION),
)

MOST_CHARACTERS = 200
MOST_CLAIMS_EACH = 4  # a Codex folder may have several remotes; more would let one request open budgets without end

# Visible ASCII without comma, quote, backslash and angle bracket: a header sent twice arrives joined by a comma, and must not pass.
_VALUE = re.compile(
    r"[A-Za-z0-9!#$%&()*+./:;=?@\[\]^_{|}~-](?:[A-Za-z0-9 !#$%&()*+./:;=?@\[\]^_{|}~-]*[A-Za-z0-9!#$%&()*+./:;=?@\[\]^_{|}~-])?"
)

_NOTHING: Facts = ()


class Attribution(msgspec.Struct, frozen=True):
    """Sorted, without repeats. No dimension stands in both."""

    proven: Facts = ()
    claimed: Facts = ()


def is_fact(text: str) -> bool:
    """Whether a text can be the value of a fact: 1 to 200 visible ASCII characters, spaces inside only."""
    return len(text) <= MOST_CHARACTERS and _VALUE.fullmatch(text) is not None and text != "*"


def attribute(caller: Caller, headers: Mapping[bytes, bytes], offered: Iterable[tuple[Dimension, str]] = _NOTHING) -> Attribution | Refusal:
    """What is proven and what is claimed of this call. `offered` is what the client tells by itself (Codex turn metadata)."""
    claims: dict[Dimension, set[str]] = {}
    for dimension, header in HEADERS.items():
        value = headers.get(header)
        if value is None:
            continue
        text = value.decode("latin-1")
        if not is_fact(text):
            name = header.decode()
            return Refusal(
                Reason.INVALID_FIELD,
                f"The header {name} must be sent once and hold 1 to {MOST_CHARACTERS} plain ASCII characters, without comma or quotes.",
                param=name,
            )
        claims[dimension] = {text}
    spoken = frozenset(claims)  # what a person wrote wins over what the client adds by itself
    for dimension, text in offered:
        if dimension in CLAIMABLE and dimension not in spoken and is_fact(text):
            values = claims.setdefault(dimension, set())
            if len(values) < MOST_CLAIMS_EACH:
                values.add(text)
    if not claims and len(caller.facts) < 2:
        return Attribution(caller.facts)
    proven = frozenset(dimension for dimension, _ in caller.facts)
    return Attribution(
        _in_order(caller.facts),
        _in_order((dimension, text) for dimension, values in claims.items() if dimension not in proven for text in values),
    )


def write_facts(attribution: Attribution) -> str:
    """The facts as canonical JSON for the record: names and values in order, so that one call has one text."""
    return msgspec.json.encode({"claimed": _by_name(attribution.claimed), "proven": _by_name(attribution.proven)}, order="sorted").decode()


def _by_name(facts: Facts) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for dimension, value in facts:
        names.setdefault(dimension.value, []).append(value)
    return names


def _in_order(facts: Iterable[tuple[Dimension, str]]) -> Facts:
    return tuple(sorted(set(facts), key=lambda fact: (_PLACE[fact[0]], fact[1])))


_PLACE = {dimension: place for place, dimension in enumerate(Dimension)}
