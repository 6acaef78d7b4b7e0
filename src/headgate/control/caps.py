"""Overrides of caps: bounded, expiring, with an actor and a reason. The file stays the source; an override lies over it for a time."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from headgate.control.command import SetCap, Wrong
from headgate.money import MAX_CAP
from headgate.names import MICROSECONDS
from headgate.policy.attribution import CLAIMABLE
from headgate.store.ledger import Ledger
from headgate.terms.budget import BudgetRule
from headgate.terms.caller import Dimension

MOST_HOURS = 24 * 93  # a quarter; what should last longer belongs into headgate.toml


class Override(msgspec.Struct, frozen=True):
    """A cap that lies over the file's. Instants are microseconds UTC."""

    rule: str
    scope: str
    cap: int
    actor: str
    reason: str
    set_us: int
    expires_us: int


def only_scope(rule: BudgetRule) -> str | None:
    """The scope of a rule that has one budget; None when it has one for each value, or for each workspace that claims the value."""
    if rule.dimension is Dimension.ORGANISATION:
        return f"{rule.dimension.value}:{rule.value}" + (f"@{rule.workspace}" if rule.workspace else "")
    if rule.value == "*":
        return None
    if rule.workspace is not None and rule.dimension is not Dimension.WORKSPACE:
        return f"{rule.dimension.value}:{_escaped(rule)}@{rule.workspace}"
    return None if rule.dimension in CLAIMABLE else f"{rule.dimension.value}:{rule.value}"


def covers(rule: BudgetRule, scope: str) -> bool:
    """Whether a call could ever count toward this scope by this rule. An override of any other would change nothing, silently."""
    only = only_scope(rule)
    if only is not None:
        return scope == only
    dimension, colon, value = scope.partition(":")
    if dimension != rule.dimension.value or not colon or not value:
        return False
    if rule.workspace is not None and rule.dimension is not Dimension.WORKSPACE and not value.endswith(f"@{rule.workspace}"):
        return False
    return rule.value == "*" or value == _escaped(rule) or value.startswith(f"{_escaped(rule)}@")


def _escaped(rule: BudgetRule) -> str:
    """As `policy/legs.py` writes the value in a scope."""
    return rule.value.replace("%", "%25").replace("@", "%40") if rule.dimension in CLAIMABLE else rule.value


def set_cap(ledger: Ledger, command: SetCap, rules: Sequence[BudgetRule]) -> Override:
    """In force from the commit on, also for the calls that wait; it ends by itself."""
    rule = next((rule for rule in rules if rule.name == command.rule), None)
    if rule is None:
        raise Wrong(f"there is no budget rule {command.rule!r}; `headgate budget show` lists them")
    if not covers(rule, command.scope):
        raise Wrong(f"no call counts toward {command.scope!r} by rule {rule.name}; `headgate budget show` prints the scopes")
    if not 0 <= command.cap <= MAX_CAP:
        raise Wrong("a cap is between 0 and 4,000,000,000 dollars (or 4·10^18 tokens)")
    if not 1 <= command.hours <= MOST_HOURS:
        raise Wrong(f"an override lasts 1 to {MOST_HOURS} hours; a lasting cap belongs into headgate.toml")
    if not command.reason.strip():
        raise Wrong("say why with --reason; it is kept on the record")
    made = Override(
        rule.name, command.scope, command.cap, command.actor, command.reason, ledger.now, ledger.now + command.hours * 3600 * MICROSECONDS
    )
    ledger.database.run("add_override", (made.rule, made.scope, made.cap, made.actor, made.reason, made.set_us, made.expires_us))
    ledger.record(
        "override",
        {"rule": made.rule, "cap": made.cap, "actor": made.actor, "reason": made.reason, "ends": made.expires_us},
    )
    ledger.load_overrides()
    ledger.apply_caps(rules)
    return made
