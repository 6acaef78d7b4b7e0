from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.names import KeyId
from headgate.policy.attribution import CLAIMABLE, TAGS, Attribution, attribute, is_fact
from headgate.policy.legs import legs, rulebook
from headgate.terms.budget import BudgetRule, Leg, Measure, Period
from headgate.terms.caller import Caller, Dimension, Environment, Facts

NAMES = st.sampled_from(["a", "b", "ci", "a@ci", "a%40ci", "prod"])
RULES = st.lists(
    st.builds(
        BudgetRule,
        dimension=st.sampled_from(list(Dimension)),
        value=NAMES | st.just("*"),
        period=st.sampled_from([Period.DAY, Period.MONTH]),
        measure=st.sampled_from(list(Measure)),
        cap=st.just(1),
        workspace=st.sampled_from([None, None, "ci", "prod"]),
        except_environment=st.sampled_from([None, None, "production"]),
    ),
    max_size=12,
    unique_by=lambda rule: rule.name,
)
PROVEN = st.lists(st.tuples(st.sampled_from(TAGS), NAMES), max_size=4).map(tuple)
CLAIMS = st.lists(st.tuples(st.sampled_from(sorted(CLAIMABLE, key=lambda one: one.value)), NAMES), max_size=6)
PLACES = st.sampled_from([("ci", Environment.CI), ("prod", Environment.PRODUCTION)])


def rule(dimension: Dimension, value: str, workspace: str | None = None, without: str | None = None) -> BudgetRule:
    return BudgetRule(dimension, value, Period.MONTH, Measure.MONEY, 1, workspace=workspace, except_environment=without)


def who(*facts: tuple[Dimension, str], workspace: str = "ci", environment: Environment = Environment.CI) -> Caller:
    return Caller(KeyId("k1"), workspace, environment, facts)


def attributed(caller: Caller, claims: list[tuple[Dimension, str]]) -> Attribution:
    found = attribute(caller, {}, claims)
    assert isinstance(found, Attribution)
    return found


def scopes(rules: list[BudgetRule], caller: Caller, claims: list[tuple[Dimension, str]] | None = None) -> list[str]:
    return [leg.scope for leg in legs(rulebook(rules), caller, "openai", "gpt-5.5", attributed(caller, claims or []), "annual")]


def key_of(leg: Leg) -> tuple[str, str]:
    return leg.rule.name, leg.scope


PROVABLE = {
    Dimension.ORGANISATION: "acme",
    Dimension.COMMITMENT: "annual",
    Dimension.PATH: "openai",
    Dimension.MODEL: "gpt-5.5",
    Dimension.WORKSPACE: "ci",
    Dimension.KEY: "k1",
    **dict.fromkeys(TAGS, "alice"),
}


def test_every_dimension_can_be_proven_and_capped() -> None:
    assert set(PROVABLE) == set(Dimension)
    caller = who(*((dimension, "alice") for dimension in TAGS))
    rules = [rule(dimension, value) for dimension, value in PROVABLE.items()]
    assert scopes(rules, caller) == [f"{dimension.value}:{PROVABLE[dimension]}" for dimension in Dimension]


def test_a_star_gives_each_value_a_budget_of_its_own() -> None:
    each = [rule(dimension, "*") for dimension in Dimension]
    assert scopes(each, who()) == ["organisation:*", "commitment:annual", "path:openai", "model:gpt-5.5", "workspace:ci", "key:k1"]


def test_a_rule_of_another_value_or_another_workspace_is_no_leg() -> None:
    others = [
        rule(Dimension.USER, "bob"),
        rule(Dimension.WORKSPACE, "prod"),
        rule(Dimension.USER, "alice", "prod"),
        rule(Dimension.PATH, "oci"),
    ]
    assert scopes(others, who((Dimension.USER, "alice"))) == []


def test_a_rule_inside_a_workspace_names_it_in_the_scope() -> None:
    assert scopes([rule(Dimension.USER, "*", "ci")], who((Dimension.USER, "alice"))) == ["user:alice@ci"]


def test_production_does_not_count_toward_the_share_of_the_others() -> None:
    rules = [rule(Dimension.ORGANISATION, "acme"), rule(Dimension.ORGANISATION, "acme", without="production")]
    assert scopes(rules, who()) == ["organisation:acme", "organisation:acme"]
    assert scopes(rules, who(workspace="prod", environment=Environment.PRODUCTION)) == ["organisation:acme"]


def test_a_workspace_that_changed_its_environment_is_judged_by_the_new_one() -> None:
    book = rulebook([rule(Dimension.ORGANISATION, "acme", without="production")], [("ci", Environment.CI)])
    moved = who(environment=Environment.PRODUCTION)
    assert legs(book, moved, "openai", "gpt-5.5", Attribution()) == ()
    assert len(legs(book, who(), "openai", "gpt-5.5", Attribution())) == 1


def test_a_claim_falls_on_a_scope_of_its_own_workspace() -> None:
    rules = [rule(Dimension.REPOSITORY, "shop"), rule(Dimension.SESSION, "*")]
    claims = [(Dimension.REPOSITORY, "shop"), (Dimension.SESSION, "s1")]
    assert scopes(rules, who(), claims) == ["repository:shop@ci", "session:s1@ci"]
    assert scopes(rules, who((Dimension.REPOSITORY, "shop")), claims) == ["repository:shop", "session:s1@ci"]


def test_a_claimed_value_cannot_spell_the_scope_of_a_proven_one() -> None:
    rules = [rule(Dimension.REPOSITORY, "*")]
    proven = scopes(rules, who((Dimension.REPOSITORY, "shop@ci")))
    claimed = scopes(rules, who(), [(Dimension.REPOSITORY, "shop")])
    assert proven == ["repository:shop%40ci"]
    assert claimed == ["repository:shop@ci"]


def test_two_rules_of_one_name_are_never_accepted() -> None:
    with pytest.raises(AssertionError):
        rulebook([rule(Dimension.USER, "*"), rule(Dimension.USER, "*")])


@given(RULES, PLACES, PROVEN, CLAIMS)
def test_no_claim_ever_removes_a_leg_of_the_proven_facts(
    rules: list[BudgetRule], place: tuple[str, Environment], facts: Facts, claims: list[tuple[Dimension, str]]
) -> None:
    caller = who(*facts, workspace=place[0], environment=place[1])
    book = rulebook(rules)
    without = legs(book, caller, "a", "b", attributed(caller, []))
    with_claims = legs(book, caller, "a", "b", attributed(caller, claims))
    assert set(map(key_of, without)) <= set(map(key_of, with_claims))


@given(RULES, PROVEN, PROVEN, CLAIMS)
def test_no_claim_ever_fills_a_budget_that_another_workspace_counts_on(
    rules: list[BudgetRule], facts: Facts, others: Facts, claims: list[tuple[Dimension, str]]
) -> None:
    caller, other = who(*facts), who(*others, workspace="prod", environment=Environment.PRODUCTION)
    book = rulebook(rules)
    mine = {key_of(leg) for leg in legs(book, caller, "a", "b", attributed(caller, []))}
    added = {key_of(leg) for leg in legs(book, caller, "a", "b", attributed(caller, claims))} - mine
    theirs = {key_of(leg) for leg in legs(book, other, "a", "b", attributed(other, claims))}
    assert not added & theirs


@given(RULES.flatmap(lambda rules: st.tuples(st.just(rules), st.permutations(rules))), PLACES, PROVEN, CLAIMS)
def test_the_order_in_which_rules_are_written_changes_nothing(
    both: tuple[list[BudgetRule], list[BudgetRule]], place: tuple[str, Environment], facts: Facts, claims: list[tuple[Dimension, str]]
) -> None:
    caller = who(*facts, workspace=place[0], environment=place[1])
    known = attributed(caller, claims)
    one, other = (legs(rulebook(rules, places), caller, "a", "b", known) for rules, places in zip(both, ([], [place]), strict=True))
    assert one == other
    assert len({key_of(leg) for leg in one}) == len(one)


def test_the_values_of_these_tests_are_facts() -> None:
    assert all(is_fact(value) for value in ("a", "a@ci", "a%40ci"))
