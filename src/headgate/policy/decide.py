"""May this caller make this request? A list of rules in order of precedence; what no rule refuses is permitted, and written out.

Rule 1  Every rule is asked in the order of `Reason`, so that two gates tell the same refusal for the same request.
Rule 2  A list that does not name a thing closes it: models, tiers, hosted tools. The only open list is the one written as "*".
Rule 3  A permit says what is written into the request, never less than what was checked: tier, dropped tools, most tool calls.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from headgate.policy.attribution import HEADERS, Attribution
from headgate.policy.shape import frozen_shape, frozen_workspace, shape_of
from headgate.policy.tools import SEARCH_FIELD, WEB_SEARCH, hosted
from headgate.policy.workspace import HostedTools, Workspace
from headgate.refusal import Reason, Refusal
from headgate.terms.caller import Caller
from headgate.terms.tariff import Tier
from headgate.wire.client import Client
from headgate.wire.request import ModelRequest


class Permit(msgspec.Struct, frozen=True):
    """What may be sent, and what is written into it."""

    path: str
    tiers: frozenset[Tier]  # any of these may be billed
    service_tier: str  # written into the request
    drop_tools: frozenset[str]  # tool types taken out of the request
    max_tool_calls: int | None  # written when a hosted tool stays
    protected: bool  # production: draws on the reserved share
    shape: str


class Question(msgspec.Struct, frozen=True):
    """Everything that a rule may look at. `model` is the price book's name of `request.model`, when it has one."""

    caller: Caller
    request: ModelRequest
    workspace: Workspace
    model: str
    attribution: Attribution
    frozen: frozenset[str]
    hosted: tuple[str, ...]  # the hosted tools that stay in the request
    shape: str


class Written(msgspec.Struct, frozen=True):
    """One service tier: what is written for it, what a workspace must allow, and every tier that the provider may then bill."""

    text: str
    needs: Tier
    billed: frozenset[Tier]


# `auto` lets the provider's project settings choose, so it is never sent: "default" is. A faster or cheaper tier may be served as standard.
_STANDARD = Written("default", Tier.STANDARD, frozenset({Tier.STANDARD}))
_PRIORITY = Written("priority", Tier.PRIORITY, frozenset({Tier.PRIORITY, Tier.STANDARD}))
TIERS: dict[str | None, Written] = {
    None: _STANDARD,
    "auto": _STANDARD,
    "default": _STANDARD,
    "flex": Written("flex", Tier.FLEX, frozenset({Tier.FLEX, Tier.STANDARD})),
    "priority": _PRIORITY,
    "fast": _PRIORITY,  # reported and billed as priority
    "ultrafast": Written("ultrafast", Tier.ULTRAFAST, frozenset({Tier.ULTRAFAST, Tier.PRIORITY, Tier.STANDARD})),
}


def decide(
    caller: Caller,
    request: ModelRequest,
    workspace: Workspace,
    client: Client,
    attribution: Attribution,
    model: str | None = None,
    frozen: frozenset[str] = frozenset(),
) -> Permit | Refusal:
    """The permit, or the first rule that says no. `model` is the price book's name of the model; None: it has none."""
    drop = _dropped(request, workspace, client)
    kept = hosted(request, drop)
    question = Question(caller, request, workspace, model or request.model, attribution, frozen, kept, shape_of(request, bool(kept)))
    for rule in RULES:
        refusal = rule(question)
        if refusal is not None:
            return refusal
    path = _open_path(question)
    assert path is not None, "the last rule found a path"
    tier = TIERS[request.service_tier]
    return Permit(
        path=path,
        tiers=tier.billed,
        service_tier=tier.text,
        drop_tools=drop,
        max_tool_calls=_most_calls(question) if kept else None,
        protected=workspace.protected,
        shape=question.shape,
    )


def _workspace_is_open(question: Question) -> Refusal | None:
    name = question.workspace.name
    if frozen_workspace(name) not in question.frozen:
        return None
    return Refusal(
        Reason.WORKSPACE_FROZEN,
        f"Workspace {name} is frozen: the provider billed more than its room. Its operator can thaw it once that is understood.",
    )


def _tags_are_there(question: Question) -> Refusal | None:
    have = {dimension for dimension, _ in question.attribution.proven + question.attribution.claimed}
    for dimension in question.workspace.require:
        if dimension not in have:
            header = HEADERS.get(dimension)
            how = f"send it as the header {header.decode()}" if header else "use a key that is bound to one"
            return Refusal(
                Reason.ATTRIBUTION_REQUIRED,
                f"Workspace {question.workspace.name} requires the tag {dimension.value}, and this call has none: {how}.",
                param=header.decode() if header else None,
            )
    return None


def _model_is_allowed(question: Question) -> Refusal | None:
    names = {question.request.model, question.model}
    for allowed, whose in ((question.workspace.models, f"Workspace {question.workspace.name}"), (question.caller.models, "This key")):
        if allowed is not None and names.isdisjoint(allowed):
            may = ", ".join(sorted(allowed)) or "none"
            return Refusal(Reason.MODEL_NOT_ALLOWED, f"{whose} may not use {question.request.model!r}. It may use: {may}.", param="model")
    return None


def _tier_is_allowed(question: Question) -> Refusal | None:
    asked = question.request.service_tier
    tier = TIERS.get(asked)
    name = question.workspace.name
    if tier is not None and tier.needs in question.workspace.tiers:
        return None
    may = ", ".join(sorted(known.text for known in set(TIERS.values()) if known.needs in question.workspace.tiers)) or "none"
    if tier is None:
        text = f"The service tier {asked!r} has no price that this gate knows. Workspace {name} may use: {may}."
    else:
        text = f"Workspace {name} may not use the service tier {tier.text!r}. It may use: {may}."
    return Refusal(Reason.TIER_NOT_ALLOWED, text, param="service_tier")


def _tools_are_allowed(question: Question) -> Refusal | None:
    workspace = question.workspace
    for tool in question.hosted:
        param = SEARCH_FIELD if tool == SEARCH_FIELD else "tools"
        if workspace.hosted_tools is not HostedTools.ALLOW:
            text = f"Workspace {workspace.name} may not use {tool}: the provider runs and bills it. Leave it out of the request."
        elif tool == SEARCH_FIELD:
            text = (
                f"{tool} sets no limit on how often it searches, so nobody knows what it costs. Use the tool web_search of /v1/responses."
            )
        elif _most_calls(question) == 0:
            text = f"Neither the request nor workspace {workspace.name} leaves {tool} a single call. Leave it out of the request."
        else:
            continue
        return Refusal(Reason.TOOL_NOT_ALLOWED, text, param=param)
    return None


def _shape_is_open(question: Question) -> Refusal | None:
    if _open_path(question) is not None:
        return None
    return Refusal(
        Reason.SHAPE_FROZEN,
        f"Requests of the kind {question.shape} to {question.model!r} are closed: one of them cost more than its bound. "
        "An operator opens them once that is understood.",
    )


RULES: tuple[Callable[[Question], Refusal | None], ...] = (
    _workspace_is_open,
    _tags_are_there,
    _model_is_allowed,
    _tier_is_allowed,
    _tools_are_allowed,
    _shape_is_open,
)


def _open_path(question: Question) -> str | None:
    for path in question.workspace.paths:
        if frozen_shape(path, question.model, question.shape) not in question.frozen:
            return path
    return None


def _dropped(request: ModelRequest, workspace: Workspace, client: Client) -> frozenset[str]:
    """Codex offers web search without being asked to; taking it out serves the developer, refusing would stop every turn."""
    if workspace.hosted_tools is not HostedTools.DROP_FOR_CODEX or client is Client.SDK:
        return frozenset()
    return frozenset(tool.type for tool in request.tools if tool.type in WEB_SEARCH)


def _most_calls(question: Question) -> int:
    limit = question.workspace.web_search_calls
    own = question.request.max_tool_calls
    return limit if own is None else min(limit, own)
