"""Which budgets a call counts toward: one loop over all rules, whatever their dimension.

Rule 1  A rule that names "*" gives each value a budget of its own; a rule that names a value holds for that value only.
Rule 2  A proven value falls on the rule's own scope, `user:alice`. A claimed one falls on `session:abc@ci`, inside the caller's workspace.
Rule 3  The order is that of the rulebook, so two calls lock the same budgets in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from headgate.policy.attribution import CLAIMABLE, Attribution
from headgate.terms.budget import BudgetRule, Leg
from headgate.terms.caller import Caller, Dimension, Environment, Facts

_PLACE = {dimension: place for place, dimension in enumerate(Dimension)}


class Rulebook(msgspec.Struct, frozen=True):
    """All rules, sorted; and for each known workspace the ones that can apply to it, with the leg where the workspace alone decides it."""

    rules: tuple[BudgetRule, ...]
    of: dict[str, tuple[Environment, Steps]]


Steps = tuple[tuple[BudgetRule, Leg | None], ...]


def rulebook(rules: Iterable[BudgetRule], workspaces: Iterable[tuple[str, Environment]] = ()) -> Rulebook:
    """Sort the rules from the widest to the narrowest. Two rules of one name would share a budget row and quarrel about its cap."""
    ordered = tuple(sorted(rules, key=lambda rule: (_PLACE[rule.dimension], rule.name)))
    names = [rule.name for rule in ordered]
    assert len(names) == len(set(names)), "every rule has a name of its own"
    return Rulebook(ordered, {name: (environment, _applying(ordered, name, environment)) for name, environment in workspaces})


def legs(book: Rulebook, caller: Caller, path: str, model: str, attribution: Attribution, commitment: str | None = None) -> tuple[Leg, ...]:
    """Every budget that this attempt counts toward. `model` is the price book's name, so that an alias is no way around a cap."""
    ready = book.of.get(caller.workspace)
    if ready is not None and ready[0] is caller.environment:
        steps = ready[1]
    else:
        steps = _applying(book.rules, caller.workspace, caller.environment)
    known: Facts = ((Dimension.PATH, path), (Dimension.MODEL, model), (Dimension.KEY, caller.key), *attribution.proven)
    if commitment is not None:
        known = (*known, (Dimension.COMMITMENT, commitment))
    found: list[Leg] = []
    for rule, leg in steps:
        if leg is not None:
            found.append(leg)
            continue
        dimension, wanted = rule.dimension, rule.value
        for fact, value in known:
            if fact is dimension and (wanted == value or wanted == "*"):
                found.append(Leg(rule, _scope(rule, value, rule.workspace)))
        for fact, value in attribution.claimed:
            if fact is dimension and (wanted == value or wanted == "*"):
                found.append(Leg(rule, _scope(rule, value, caller.workspace)))
    return tuple(found)


def _applying(rules: tuple[BudgetRule, ...], workspace: str, environment: Environment) -> Steps:
    steps: list[tuple[BudgetRule, Leg | None]] = []
    for rule in rules:
        if rule.workspace not in (None, workspace) or rule.except_environment == environment.value:
            continue
        if rule.dimension is Dimension.ORGANISATION:  # there is one, and every call is its
            steps.append((rule, Leg(rule, _scope(rule, rule.value, rule.workspace))))
        elif rule.dimension is not Dimension.WORKSPACE:
            steps.append((rule, None))
        elif rule.value in ("*", workspace):
            steps.append((rule, Leg(rule, _scope(rule, workspace, None))))
    return tuple(steps)


def _scope(rule: BudgetRule, value: str, workspace: str | None) -> str:
    # A claimable value is escaped: a key bound to repository `shop@ci` and a caller in ci who claims `shop` are two scopes.
    if rule.dimension in CLAIMABLE:
        value = value.replace("%", "%25").replace("@", "%40")
    if workspace is None:
        return f"{rule.dimension.value}:{value}"
    return f"{rule.dimension.value}:{value}@{workspace}"
