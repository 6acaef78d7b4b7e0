"""A chain of leaves: whatever is lost, added, changed or put elsewhere shows, and shows where."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.audit.chain import Chain
from headgate.audit.leaf import NO_LEAF, Place, leaf_bytes, leaf_hash


def leaves(number: int, node: int = 0, epoch: int = 1) -> list[bytes]:
    made: list[bytes] = []
    previous = NO_LEAF
    for sequence in range(1, number + 1):
        made.append(leaf_bytes("note", Place(node, epoch, sequence, previous), 5, {"text": f"decision {sequence}"}))
        previous = leaf_hash(made[-1])
    return made


def broken(some: list[bytes]) -> list[int]:
    """The places, counted from 1, at which something is wrong."""
    chain = Chain()
    return [place for place, leaf in enumerate(some, 1) if list(chain.feed(leaf))]


def sentences(some: list[bytes]) -> list[str]:
    chain = Chain()
    return [sentence for leaf in some for sentence in chain.feed(leaf)]


def test_a_whole_chain_has_nothing_wrong() -> None:
    assert broken(leaves(20)) == []


def test_each_node_has_a_chain_of_its_own() -> None:
    both = [leaf for pair in zip(leaves(5), leaves(5, node=1), strict=True) for leaf in pair]
    assert broken(both) == []


def test_a_changed_leaf_shows_at_the_next_one_and_only_there() -> None:
    some = leaves(9)
    some[3] = some[3].replace(b"decision 4", b"decision 5")
    assert broken(some) == [5]


def test_a_lost_leaf_shows_where_it_is_missing_and_only_there() -> None:
    some = leaves(9)
    assert broken(some[:3] + some[4:]) == [4]
    assert broken(some[1:]) == [1]
    assert sentences(some[1:])[0] == "Node 0 goes from leaf 0 to leaf 2; leaves were lost or added"


def test_a_leaf_that_stands_twice_shows() -> None:
    some = leaves(5)
    assert broken([*some, some[4]]) == [6]


def test_an_epoch_that_falls_shows_and_one_that_rises_does_not() -> None:
    first = leaf_bytes("start", Place(0, 2, 1, NO_LEAF), 5, {})
    for epoch, expected in ((1, ["Node 0 falls from epoch 2 back to epoch 1"]), (2, []), (3, [])):
        assert sentences([first, leaf_bytes("start", Place(0, epoch, 2, leaf_hash(first)), 5, {})]) == expected


def test_a_leaf_of_another_version_shows() -> None:
    assert sentences([leaves(1)[0].replace(b'"v":1', b'"v":2')]) == ["The leaf is of version 2, which this Headgate does not know"]


def test_a_leaf_that_cannot_be_read_shows_and_the_rest_is_still_read() -> None:
    some = leaves(3)
    assert broken([b"\xff", *some, b'{"v":1}', b""]) == [1, 5, 6]


@given(st.integers(2, 12), st.data())
def test_any_edit_of_any_leaf_but_the_last_is_found(number: int, data: st.DataObject) -> None:
    some = leaves(number)
    place = data.draw(st.integers(0, number - 2))
    position = data.draw(st.integers(0, len(some[place]) - 1))
    edited = bytearray(some[place])
    edited[position] ^= data.draw(st.integers(1, 255))
    some[place] = bytes(edited)
    assert broken(some) != []


@given(st.integers(2, 12), st.data())
def test_any_two_leaves_that_changed_places_are_found(number: int, data: st.DataObject) -> None:
    some = leaves(number)
    one, two = data.draw(st.lists(st.integers(0, number - 1), min_size=2, max_size=2, unique=True))
    some[one], some[two] = some[two], some[one]
    assert broken(some) != []
