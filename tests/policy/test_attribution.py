from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.names import KeyId
from headgate.policy.attribution import CLAIMABLE, HEADERS, MOST_CLAIMS_EACH, TAGS, Attribution, attribute, is_fact, write_facts
from headgate.refusal import Reason, Refusal
from headgate.terms.caller import Caller, Dimension, Environment, Facts

VALUES = st.text(st.sampled_from("ab1-/@%:. "), min_size=1, max_size=8).filter(is_fact)
PROVEN = st.lists(st.tuples(st.sampled_from(TAGS), VALUES), max_size=5).map(tuple)
OFFERED = st.lists(st.tuples(st.sampled_from(list(Dimension)), st.text(max_size=8)), max_size=12)


def caller(*facts: tuple[Dimension, str]) -> Caller:
    return Caller(KeyId("k1"), "ci", Environment.CI, facts)


def known(who: Caller, headers: dict[bytes, bytes], offered: list[tuple[Dimension, str]] | None = None) -> Attribution:
    found = attribute(who, headers, offered or [])
    assert isinstance(found, Attribution)
    return found


def test_what_the_key_proves_and_what_a_header_claims_are_kept_apart() -> None:
    found = known(caller((Dimension.USER, "alice")), {b"x-headgate-session": b"s-1", b"x-other": b"ignored"})
    assert found.proven == ((Dimension.USER, "alice"),)
    assert found.claimed == ((Dimension.SESSION, "s-1"),)


def test_a_claim_about_a_proven_dimension_is_dropped() -> None:
    found = known(
        caller((Dimension.REPOSITORY, "acme/shop")), {b"x-headgate-repository": b"acme/other"}, [(Dimension.REPOSITORY, "acme/third")]
    )
    assert found == Attribution(((Dimension.REPOSITORY, "acme/shop"),), ())


def test_nobody_claims_to_be_somebody() -> None:
    who = (Dimension.USER, Dimension.TEAM, Dimension.SERVICE, Dimension.KEY, Dimension.WORKSPACE, Dimension.ORGANISATION, Dimension.MODEL)
    assert not CLAIMABLE.intersection(who)
    assert known(caller(), {}, [(dimension, "alice") for dimension in who]) == Attribution()


def test_a_header_wins_over_what_the_client_adds_by_itself() -> None:
    found = known(
        caller(), {b"x-headgate-session": b"mine"}, [(Dimension.SESSION, "codex"), (Dimension.REPOSITORY, "github.com/acme/shop")]
    )
    assert found.claimed == ((Dimension.REPOSITORY, "github.com/acme/shop"), (Dimension.SESSION, "mine"))


def test_what_a_client_adds_by_itself_is_bounded_in_number() -> None:
    found = known(caller(), {}, [(Dimension.REPOSITORY, f"acme/{number}") for number in range(50)])
    assert len(found.claimed) == MOST_CLAIMS_EACH


@pytest.mark.parametrize("value", [b"", b" ", b"a" * 201, b"one, two", b"caf\xc3\xa9", b"a\tb", b"*", b'"', b"a\x00", b" a", b"a "])
def test_a_header_that_cannot_be_a_fact_is_told_to_the_caller(value: bytes) -> None:
    refusal = attribute(caller(), {b"x-headgate-use": value})
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.INVALID_FIELD
    assert refusal.param == "x-headgate-use"


@given(st.text(max_size=210))
def test_a_fact_holds_nothing_that_could_end_a_line_or_a_list(text: str) -> None:
    if is_fact(text):
        assert text.isascii()
        assert text.isprintable()
        assert not set(text) & set(",\"'\\<>`\r\n")
        assert text == text.strip()


@given(PROVEN, st.dictionaries(st.sampled_from(list(HEADERS.values())), VALUES.map(str.encode)), OFFERED)
def test_no_claim_changes_what_is_proven(facts: Facts, headers: dict[bytes, bytes], offered: list[tuple[Dimension, str]]) -> None:
    who = caller(*facts)
    found = known(who, headers, offered)
    assert found.proven == known(who, {}).proven
    assert set(found.proven) == set(facts)
    assert not {dimension for dimension, _ in found.proven} & {dimension for dimension, _ in found.claimed}
    assert all(dimension in CLAIMABLE and is_fact(value) for dimension, value in found.claimed)


@given(st.permutations([(Dimension.USER, "alice"), (Dimension.TEAM, "shop"), (Dimension.REPOSITORY, "b"), (Dimension.REPOSITORY, "a")]))
def test_one_call_has_one_text_on_the_record(facts: list[tuple[Dimension, str]]) -> None:
    found = known(caller(*facts), {b"x-headgate-session": b"s-1"})
    expected = '{"claimed":{"session":["s-1"]},"proven":{"repository":["a","b"],"team":["shop"],"user":["alice"]}}'
    assert write_facts(found) == expected
