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
from headgate.terms.caller import Caller, Dimension, Environment

_PLACE = {dimension: place for place, dimension in enumerate(Dimension)}


class Rulebook(msgspec.Struct, frozen=True):
    """All rules, sorted, and for each known workspace the ones that could ever apply to it."""

    rules: tuple[BudgetRule, ...]
    of: dict[tuple[str, Environment], tuple[BudgetRule, ...]]


def rulebook(rules: Iterable[BudgetRule], workspaces: Iterable[tuple[str, Environment]] = ()) -> Rulebook:
    """Sort the rules from the widest to the narrowest. Two rules of one name would share a budget row and quarrel about its cap."""
    ordered = tuple(sorted(rules, key=lambda rule: (_PLACE[rule.dimension], rule.name)))
    names = [rule.name for rule in ordered]
    assert len(names) == len(set(names)), "every rule has a name of its own"
    return Rulebook(ordered, {place: _applying(ordered, *place) for place in workspaces})


def legs(book: Rulebook, caller: Caller, path: str, model: str, attribution: Attribution, commitment: str | None = None) -> tuple[Leg, ...]:
    """Every budget that this attempt counts toward. `model` is the price book's name, so that an alias is no way around a cap."""
    rules = book.of.get((caller.workspace, caller.environment))
    if rules is None:
        rules = _applying(book.rules, caller.workspace, caller.environment)
    known: dict[Dimension, str | None] = {
        Dimension.PATH: path,
        Dimension.MODEL: model,
        Dimension.WORKSPACE: caller.workspace,
        Dimension.KEY: caller.key,
        Dimension.COMMITMENT: commitment,
    }
    found: list[Leg] = []
    for rule in rules:
        dimension = rule.dimension
        if dimension is Dimension.ORGANISATION:  # there is one, and every call is its
            found.append(Leg(rule, _scope(rule, rule.value, rule.workspace)))
        elif dimension in known:
            value = known[dimension]
            if value is not None and rule.value in ("*", value):
                found.append(Leg(rule, _scope(rule, value, rule.workspace)))
        else:
            for fact, value in attribution.proven:
                if fact is dimension and rule.value in ("*", value):
                    found.append(Leg(rule, _scope(rule, value, rule.workspace)))
            for fact, value in attribution.claimed:
                if fact is dimension and rule.value in ("*", value):
                    found.append(Leg(rule, _scope(rule, value, caller.workspace)))
    return tuple(found)


def _applying(rules: tuple[BudgetRule, ...], workspace: str, environment: Environment) -> tuple[BudgetRule, ...]:
    return tuple(
        rule
        for rule in rules
        if rule.workspace in (None, workspace)
        and rule.except_environment != environment.value
        and (rule.dimension is not Dimension.WORKSPACE or rule.value in ("*", workspace))
    )


def _scope(rule: BudgetRule, value: str, workspace: str | None) -> str:
    # A claimable value is escaped: a key bound to repository `shop@ci` and a caller in ci who claims `shop` are two scopes.
    if rule.dimension in CLAIMABLE:
        value = value.replace("%", "%25").replace("@", "%40")
    if workspace is None or rule.dimension is Dimension.WORKSPACE:
        return f"{rule.dimension.value}:{value}"
    return f"{rule.dimension.value}:{value}@{workspace}"
