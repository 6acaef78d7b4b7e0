from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.names import KeyId
from headgate.policy.attribution import Attribution
from headgate.policy.decide import RULES, TIERS, Permit, decide
from headgate.policy.shape import frozen_shape, frozen_workspace, shape_of
from headgate.policy.tools import HOSTED, WEB_SEARCH
from headgate.policy.workspace import HostedTools, Workspace
from headgate.refusal import Reason, Refusal
from headgate.terms.caller import Caller, Dimension, Environment
from headgate.terms.tariff import Tier
from headgate.wire.api import Api
from headgate.wire.client import Client
from headgate.wire.request import ModelRequest, read_request

KEY = Caller(KeyId("k1"), "ci", Environment.CI)
CI = Workspace("ci", Environment.CI, ("openai", "spare"), models=frozenset({"gpt-5.5", "gpt-5.4-mini"}))
SEARCH = {"type": "web_search"}
FUNCTION = {"type": "function", "name": "f", "parameters": {}}


def request(api: Api = Api.RESPONSES, **fields: object) -> ModelRequest:
    talk = {"input": "hello"} if api is Api.RESPONSES else {"messages": [{"role": "user", "content": "hello"}]}
    read = read_request(api, json.dumps({"model": "gpt-5.5", **talk, **fields}).encode())
    assert isinstance(read, ModelRequest), read
    return read


def asked(
    wanted: ModelRequest | None = None,
    workspace: Workspace = CI,
    caller: Caller = KEY,
    client: Client = Client.SDK,
    known: Attribution | None = None,
    model: str | None = None,
    frozen: frozenset[str] = frozenset(),
) -> Permit | Refusal:
    return decide(caller, wanted or request(), workspace, client, known or Attribution(), model, frozen)


def permit(answer: Permit | Refusal) -> Permit:
    assert isinstance(answer, Permit), answer
    return answer


def refusal(answer: Permit | Refusal) -> Refusal:
    assert isinstance(answer, Refusal), answer
    return answer


def changed(**fields: object) -> Workspace:
    return msgspec.structs.replace(CI, **fields)


def test_a_plain_call_is_permitted_at_standard_prices_on_the_preferred_path() -> None:
    assert permit(asked()) == Permit("openai", frozenset({Tier.STANDARD}), "default", frozenset(), None, False, "responses")


def test_production_is_protected() -> None:
    assert permit(asked(workspace=changed(environment=Environment.PRODUCTION))).protected


@pytest.mark.parametrize(
    ("model", "known_as", "allowed", "fits"),
    [
        ("gpt-5.5", None, {"gpt-5.5"}, True),
        ("gpt-5.5-2026-04-23", "gpt-5.5", {"gpt-5.5"}, True),  # a snapshot is the model that was allowed
        ("gpt-5.5", "gpt-5.5", {"gpt-5.5-2026-04-23"}, False),  # a pin allows the pinned one only
        ("gpt-5.5-2026-04-23", "gpt-5.5", {"gpt-5.5-2026-04-23"}, True),
        ("gpt-5.5-pro", "gpt-5.5-pro", {"gpt-5.5"}, False),
        ("GPT-5.5", None, {"gpt-5.5"}, False),
        ("gpt-5.5", None, set[str](), False),
    ],
)
def test_a_model_is_allowed_by_its_own_or_its_price_books_name(model: str, known_as: str | None, allowed: set[str], fits: bool) -> None:
    both = [asked(request(model=model), workspace=changed(models=frozenset(allowed)), model=known_as)]
    key = msgspec.structs.replace(KEY, models=frozenset(allowed))
    both.append(asked(request(model=model), workspace=changed(models=None), caller=key, model=known_as))
    for answer in both:
        if fits:
            assert isinstance(answer, Permit)
        else:
            assert refusal(answer).reason is Reason.MODEL_NOT_ALLOWED
            assert refusal(answer).param == "model"


def test_a_key_narrows_what_its_workspace_allows_and_never_widens_it() -> None:
    key = msgspec.structs.replace(KEY, models=frozenset({"gpt-6-astra", "gpt-5.5"}))
    assert isinstance(asked(caller=key), Permit)
    answer = refusal(asked(request(model="gpt-6-astra"), caller=key))
    assert "Workspace ci" in answer.message
    assert "gpt-5.4-mini, gpt-5.5" in answer.message


def test_a_service_tier_nobody_knows_is_refused_even_where_all_known_ones_are_allowed() -> None:
    answer = refusal(asked(request(service_tier="scale"), workspace=changed(tiers=frozenset(Tier))))
    assert answer.reason is Reason.TIER_NOT_ALLOWED
    assert answer.param == "service_tier"


@pytest.mark.parametrize("tier", [tier for tier in TIERS if tier is not None])
def test_a_tier_is_served_only_where_it_is_allowed_and_bounded_by_all_that_may_be_billed(tier: str) -> None:
    only = TIERS[tier]
    if only.needs is not Tier.STANDARD:
        assert refusal(asked(request(service_tier=tier))).reason is Reason.TIER_NOT_ALLOWED
    given_leave = permit(asked(request(service_tier=tier), workspace=changed(tiers=frozenset({only.needs}))))
    assert given_leave.service_tier == only.text
    assert only.needs in given_leave.tiers
    assert Tier.STANDARD in given_leave.tiers


def test_auto_never_lets_the_provider_choose_the_price() -> None:
    assert permit(asked(request(service_tier="auto"), workspace=changed(tiers=frozenset(Tier)))).service_tier == "default"


def test_codex_loses_its_web_search_and_nothing_else() -> None:
    wanted = request(tools=[FUNCTION, SEARCH])
    for client in (Client.CODEX, Client.CODEX_OLD):
        answer = permit(asked(wanted, client=client))
        assert answer.drop_tools == {"web_search"}
        assert answer.max_tool_calls is None
        assert answer.shape == "responses"
    assert refusal(asked(wanted)).reason is Reason.TOOL_NOT_ALLOWED
    assert refusal(asked(request(tools=[{"type": "code_interpreter"}]), client=Client.CODEX)).reason is Reason.TOOL_NOT_ALLOWED


def test_a_workspace_that_refuses_hosted_tools_refuses_codex_too() -> None:
    assert refusal(asked(request(tools=[SEARCH]), changed(hosted_tools=HostedTools.REFUSE), client=Client.CODEX)).param == "tools"


@pytest.mark.parametrize(("own", "written"), [(None, 10), (3, 3), (50, 10)])
def test_allowed_hosted_tools_are_always_sent_with_a_limit(own: int | None, written: int) -> None:
    workspace = changed(hosted_tools=HostedTools.ALLOW, web_search_calls=10)
    fields: Mapping[str, object] = {} if own is None else {"max_tool_calls": own}
    assert permit(asked(request(tools=[SEARCH], **fields), workspace)).max_tool_calls == written
    assert permit(asked(request(tools=[FUNCTION], **fields), workspace)).max_tool_calls is None


def test_a_search_without_any_limit_is_refused_even_where_hosted_tools_are_allowed() -> None:
    workspace = changed(hosted_tools=HostedTools.ALLOW, web_search_calls=10)
    assert refusal(asked(request(Api.CHAT, web_search_options={}), workspace)).param == "web_search_options"
    assert isinstance(asked(request(Api.CHAT, web_search_options=None), workspace), Permit)


@pytest.mark.parametrize("claimed", [False, True])
def test_a_required_tag_may_be_proven_or_claimed(claimed: bool) -> None:
    workspace = changed(require=(Dimension.COST_CENTRE,))
    answer = refusal(asked(workspace=workspace))
    assert answer.reason is Reason.ATTRIBUTION_REQUIRED
    assert answer.param == "x-headgate-cost-centre"
    facts = ((Dimension.COST_CENTRE, "4711"),)
    assert isinstance(asked(workspace=workspace, known=Attribution((), facts) if claimed else Attribution(facts)), Permit)


def test_a_tag_that_nobody_can_claim_asks_for_another_key() -> None:
    answer = refusal(asked(workspace=changed(require=(Dimension.USER,))))
    assert answer.param is None
    assert "use a key that is bound to one" in answer.message


def test_a_frozen_workspace_is_closed_before_anything_else_is_looked_at() -> None:
    answer = refusal(asked(request(model="none", service_tier="scale"), frozen=frozenset({frozen_workspace("ci")})))
    assert answer.reason is Reason.WORKSPACE_FROZEN
    assert isinstance(asked(frozen=frozenset({frozen_workspace("production")})), Permit)


def test_a_frozen_shape_moves_to_the_next_path_and_is_refused_when_no_path_is_open() -> None:
    shut = frozen_shape("openai", "gpt-5.5", "responses")
    assert permit(asked(frozen=frozenset({shut}))).path == "spare"
    both = frozenset({shut, frozen_shape("spare", "gpt-5.5", "responses")})
    assert refusal(asked(frozen=both)).reason is Reason.SHAPE_FROZEN
    assert refusal(asked(request(model="gpt-5.5-2026-04-23"), model="gpt-5.5", frozen=both)).reason is Reason.SHAPE_FROZEN
    assert isinstance(asked(request(previous_response_id="resp_1"), frozen=both), Permit)


def test_a_caller_cannot_leave_a_frozen_shape_by_what_does_not_change_the_bound() -> None:
    plain = shape_of(request(), hosted=False)
    assert shape_of(request(stream=True, tools=[FUNCTION], max_output_tokens=99, reasoning={"effort": "high"}), hosted=False) == plain
    assert shape_of(request(tools=[SEARCH]), hosted=True) == "responses+hosted"


def test_every_tool_that_is_taken_out_for_codex_is_a_hosted_one() -> None:
    assert WEB_SEARCH <= HOSTED


def test_when_several_rules_refuse_the_first_of_the_reasons_is_told() -> None:
    """Mend one fault after the other: each refusal names a reason that comes later in the table of reasons."""
    shut = {frozen_shape(path, "none", "responses+hosted+tier") for path in CI.paths}
    scale, flex = (request(model="none", service_tier=tier, tools=[SEARCH]) for tier in ("scale", "flex"))
    tagged = Attribution((), ((Dimension.SESSION, "s"),))
    strict = changed(require=(Dimension.SESSION,))
    any_model = msgspec.structs.replace(strict, models=None)
    any_tier = msgspec.structs.replace(any_model, tiers=frozenset(Tier))
    any_tool = msgspec.structs.replace(any_tier, hosted_tools=HostedTools.ALLOW, web_search_calls=1)
    answers = [
        asked(scale, strict, frozen=frozenset({frozen_workspace("ci"), *shut})),
        asked(scale, strict, frozen=frozenset(shut)),
        asked(scale, strict, known=tagged, frozen=frozenset(shut)),
        asked(scale, any_model, known=tagged, frozen=frozenset(shut)),
        asked(flex, any_tier, known=tagged, frozen=frozenset(shut)),
        asked(flex, any_tool, known=tagged, frozen=frozenset(shut)),
    ]
    told = [refusal(answer).reason for answer in answers]
    places = [list(Reason).index(reason) for reason in told]
    assert places == sorted(places)
    assert len(set(told)) == len(RULES)


@given(
    st.sampled_from([None, "auto", "default", "flex", "priority", "fast", "ultrafast", "scale"]),
    st.frozensets(st.sampled_from(Tier), min_size=1),
    st.lists(st.sampled_from([FUNCTION, SEARCH, {"type": "mcp"}, {"type": "new_tool"}]), max_size=3),
    st.none() | st.integers(0, 20),
    st.sampled_from(HostedTools),
    st.integers(0, 20),
    st.sampled_from(Client),
)
def test_nothing_is_permitted_that_the_workspace_does_not_name(
    tier: str | None,
    tiers: frozenset[Tier],
    tools: list[dict[str, object]],
    own: int | None,
    hosted_tools: HostedTools,
    calls: int,
    client: Client,
) -> None:
    fields: dict[str, object] = {"tools": tools, "service_tier": tier, "max_tool_calls": own}
    wanted = request(**{name: value for name, value in fields.items() if value is not None})
    workspace = changed(tiers=tiers, hosted_tools=hosted_tools, web_search_calls=calls)
    answer = asked(wanted, workspace, client=client)
    if isinstance(answer, Refusal):
        assert answer.reason in (Reason.TIER_NOT_ALLOWED, Reason.TOOL_NOT_ALLOWED)
        return
    assert TIERS[tier].needs in tiers
    kept = {tool["type"] for tool in tools if tool["type"] in HOSTED} - answer.drop_tools
    if kept:
        assert hosted_tools is HostedTools.ALLOW
        assert answer.max_tool_calls is not None
        assert 0 < answer.max_tool_calls <= calls
