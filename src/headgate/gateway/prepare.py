"""Everything that can fail for free, before anything is held: read, attribute, decide, price, bound."""

from __future__ import annotations

import msgspec

from headgate.gateway.gate import Call, Gate, Way, World
from headgate.names import AttemptId, show_id
from headgate.paths.direct import Sending, sending
from headgate.policy.attribution import Attribution, attribute, write_facts
from headgate.policy.decide import Permit, decide
from headgate.policy.legs import legs
from headgate.policy.workspace import StalePrices, Workspace
from headgate.pricing.book import Freshness, age_days, freshness
from headgate.pricing.bound import OutputPolicy, bound
from headgate.pricing.rates import RatedTariff
from headgate.refusal import Reason, Refusal
from headgate.terms.bound import Bound
from headgate.terms.budget import Leg
from headgate.terms.caller import Caller, Dimension
from headgate.terms.order import Grant, Order
from headgate.wire.api import Api
from headgate.wire.codex import Claimed, clean_turn_metadata, turn_facts
from headgate.wire.headers import request_headers
from headgate.wire.references import files_named
from headgate.wire.request import Edits, ModelRequest, read_request, write_request


class Prepared(msgspec.Struct, frozen=True):
    """A request that may be sent as soon as its order is held."""

    asked: ModelRequest
    workspace: Workspace
    permit: Permit
    tariff: RatedTariff
    order: Order
    way: Way
    context: int | None  # tokens of the response that this one goes on from


def prepare(gate: Gate, call: Call, body: bytes) -> Prepared | Refusal:
    """The request as an order for the ledger, or the first rule that says no."""
    world, caller, api = call.world, call.caller, call.matched.route.api
    assert api is not None, "only model calls are prepared"
    asked = read_request(api, body)
    if isinstance(asked, Refusal):
        return asked
    workspace = world.workspaces[caller.workspace]
    attribution = attribute(caller, call.head.headers, _offered(call))
    if isinstance(attribution, Refusal):
        return attribution
    known = world.book.tariff(workspace.paths[0], asked.model, call.arrived_us)
    permit = decide(caller, asked, workspace, call.client, attribution, known.model if known else None, world.frozen)
    if isinstance(permit, Refusal):
        return permit
    way = world.ways.get(permit.path)
    if way is None or f"path:{permit.path}" in world.frozen:
        return Refusal(Reason.NO_PATH, f"Path {permit.path} is closed. An operator finds the reason with `headgate check`")
    tariff = world.book.tariff(permit.path, asked.model, call.arrived_us)
    if tariff is None:
        return _unpriced(gate, call, asked, permit.path)
    stale = _stale(gate, call, tariff, workspace)
    if stale is not None:
        return stale
    context = context_of(gate, asked, workspace.name)
    if isinstance(context, Refusal):
        return context
    limit = bound(asked, tariff, permit.tiers, _output_policy(workspace), context, None, permit.drop_tools, permit.max_tool_calls)
    if isinstance(limit, Refusal):
        return limit
    order = Order(
        attempt=AttemptId(call.request),
        # What a client sends again is another attempt at the same request.
        request=gate.resends.first(call.request, caller.key, call.head.headers, asked, call.arrived_us),
        workspace=workspace.name,
        key=caller.key,
        path=permit.path,
        model=tariff.model,
        route=api.value,
        shape=permit.shape,
        tariff=tariff.row,
        bound=limit,
        legs=_legs(world, caller, way, tariff.model, attribution),
        wait_us=workspace.wait_ms * 1000,
        facts=write_facts(attribution) if attribution.proven or attribution.claimed else "",
    )
    return Prepared(asked, workspace, permit, tariff, order, way, context)


class _Named(msgspec.Struct):
    id: str


_CONVERSATION = msgspec.json.Decoder(str | _Named)


def context_of(gate: Gate, asked: ModelRequest, workspace: str) -> int | Refusal | None:
    """The tokens of what the request goes on from; None: not known. What it names and is not the workspace's own is absent."""
    if asked.conversation:
        try:
            named = _CONVERSATION.decode(asked.fields["conversation"])
        except msgspec.DecodeError:
            return Refusal(Reason.INVALID_FIELD, "conversation: it is not the id of one.", param="conversation")
        owned = gate.objects.owned(named if isinstance(named, str) else named.id, workspace)
        if isinstance(owned, Refusal):
            return owned
    for file in files_named(asked):
        owned = gate.objects.owned(file, workspace)
        if isinstance(owned, Refusal):
            return owned
    if asked.previous_response_id is None:
        return None
    owned = gate.objects.owned(asked.previous_response_id, workspace)
    return owned if isinstance(owned, Refusal) else owned.context or None


def counted(prepared: Prepared, tokens: int) -> Prepared:
    """The same request, bounded by the provider's own count of its input."""
    limit = bound(
        prepared.asked,
        prepared.tariff,
        prepared.permit.tiers,
        _output_policy(prepared.workspace),
        prepared.context,
        tokens,
        prepared.permit.drop_tools,
        prepared.permit.max_tool_calls,
    )
    assert isinstance(limit, Bound), "what could be bounded without a count can be bounded with one"
    return msgspec.structs.replace(prepared, order=msgspec.structs.replace(prepared.order, bound=limit))


def written(call: Call, prepared: Prepared, grant: Grant) -> Sending:
    """What goes out: the limits of the grant are in it, or the bound would be no bound."""
    asked, permit = prepared.asked, prepared.permit
    metadata = asked.fields.get("client_metadata")
    edits = Edits(
        max_output=grant.output,
        service_tier=permit.service_tier,
        include_usage=asked.api is Api.CHAT and asked.stream,
        drop_tools=permit.drop_tools,
        max_tool_calls=permit.max_tool_calls,
        client_metadata=None if metadata is None else clean_turn_metadata(metadata),
    )
    return sending(
        prepared.way.sender,
        "POST",
        call.head.target,
        request_headers(call.head.headers),
        write_request(asked, edits),
        show_id(grant.attempt),
    )


def _legs(world: World, caller: Caller, way: Way, model: str, attribution: Attribution) -> tuple[Leg, ...]:
    path = way.sender.path
    if attribution.claimed:
        return legs(world.rulebook, caller, path.name, model, attribution, path.commitment)
    known = world.known_legs.get((caller.key, path.name, model))
    if known is None:
        known = world.known_legs[caller.key, path.name, model] = legs(
            world.rulebook, caller, path.name, model, attribution, path.commitment
        )
    return known


def _offered(call: Call) -> list[tuple[Dimension, str]]:
    """What Codex tells of itself: its session and the repositories of its folders. Claims, never proof."""
    header = call.head.headers.get(b"x-codex-turn-metadata")
    if header is None:
        return []
    claimed = turn_facts(header)
    if not isinstance(claimed, Claimed):
        return []
    facts = [(Dimension.REPOSITORY, repository) for repository in claimed.repositories]
    return [*facts, (Dimension.SESSION, claimed.session)] if claimed.session else facts


def _output_policy(workspace: Workspace) -> OutputPolicy:
    return OutputPolicy(
        workspace.output_tokens, workspace.most_output_tokens, workspace.least_output_tokens, workspace.least_reasoning_tokens
    )


def _unpriced(gate: Gate, call: Call, asked: ModelRequest, path: str) -> Refusal:
    models = [tariff.model for tariff in call.world.book.models(path, call.arrived_us)]
    near = ", ".join(models[:20]) + (", …" if len(models) > 20 else "")
    if not models:
        text = f"Path {path} has no price sheet, so no model may be called on it; an operator runs `headgate price import`"
        return Refusal(Reason.UNPRICED, text, param="model")
    return Refusal(Reason.MODEL_NOT_FOUND, f"The model {asked.model[:80]!r} is not on path {path}. It has: {near}", param="model")


def _stale(gate: Gate, call: Call, tariff: RatedTariff, workspace: Workspace) -> Refusal | None:
    age = freshness(tariff, call.arrived_us)
    if age is Freshness.FRESH:
        return None
    gate.tally.add("stale_price_calls_total", "workspace", workspace.name, "age", age.value)
    if age is Freshness.STALE and workspace.stale_prices is StalePrices.STOP:
        days = age_days(tariff, call.arrived_us)
        return Refusal(
            Reason.PRICE_STALE,
            f"The price of {tariff.model} was last verified {days} days ago, and workspace {workspace.name} stops at 90; "
            "an operator verifies the sheet and runs `headgate price import`",
        )
    return None
