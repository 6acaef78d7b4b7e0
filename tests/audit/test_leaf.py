"""One decision as exact bytes: the same content is the same bytes for ever, and any change is another hash."""

from __future__ import annotations

import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from headgate.audit.leaf import NO_LEAF, Place, commitment, leaf_bytes, leaf_hash

PLACE = Place(3, 2, 41, NO_LEAF)


def test_a_leaf_is_canonical_json_with_its_place() -> None:
    leaf = leaf_bytes("hold", PLACE, 17, {"zeta": 1, "alpha": "é", "legs": ((1, 2),)})
    assert (
        leaf
        == (
            '{"alpha":"é","at":17,"epoch":2,"kind":"hold","legs":[[1,2]],"node":3,"prev":"' + "0" * 64 + '","seq":41,"v":1,"zeta":1}'
        ).encode()
    )


def test_the_order_in_which_fields_are_given_does_not_change_a_byte() -> None:
    assert leaf_bytes("a", PLACE, 1, {"x": {"b": 1, "a": 2}, "y": 1}) == leaf_bytes("a", PLACE, 1, {"y": 1, "x": {"a": 2, "b": 1}})


def test_the_largest_amount_is_written_to_its_last_digit() -> None:
    assert b"4000000000000000000" in leaf_bytes("cap", PLACE, 1, {"cap": 4_000_000_000_000_000_000})


def test_the_hash_of_a_leaf_is_that_of_rfc_9162() -> None:
    assert leaf_hash(b"") == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"  # the empty leaf of the test vectors
    assert leaf_hash(b"x") == hashlib.sha256(b"\x00x").hexdigest()


@given(
    st.dictionaries(st.text(max_size=5), st.integers(-(2**63), 2**63 - 1) | st.text(), max_size=5), st.integers(0, 40), st.integers(1, 255)
)
def test_any_edit_of_a_leaf_is_found(content: dict[str, int | str], position: int, change: int) -> None:
    leaf = bytearray(leaf_bytes("note", PLACE, 1, {f"x{name}": value for name, value in content.items()}))
    before = leaf_hash(bytes(leaf))
    leaf[position % len(leaf)] ^= change
    assert leaf_hash(bytes(leaf)) != before


@given(st.dictionaries(st.from_regex(r"x[a-z]{0,5}", fullmatch=True), st.integers(-(2**63), 2**63 - 1) | st.text(), max_size=5))
def test_a_leaf_reads_back_as_it_was_written_and_writes_again_the_same(content: dict[str, int | str]) -> None:
    leaf = leaf_bytes("note", PLACE, 1, content)
    read = json.loads(leaf)
    assert {name: read[name] for name in content} == content
    assert leaf_bytes("note", PLACE, 1, {name: read[name] for name in content}) == leaf


def test_a_personal_value_stands_in_a_leaf_only_as_a_commitment() -> None:
    salt = bytes(range(32))
    told = commitment("scope", salt, "user:alice@ci")
    assert told == hashlib.sha256(b"v1scope\x00" + salt + b"user:alice@ci").hexdigest()
    assert told != commitment("scope", salt[::-1], "user:alice@ci")
    assert told != commitment("key", salt, "user:alice@ci")
