"""Objects as slices: names once, values untouched, no bomb goes off."""

from __future__ import annotations

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from headgate.refusal import Reason, Refusal
from headgate.wire.objects import MOST_DEPTH, check_document, deep, read_object, read_objects, write_object

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.text(alphabet='ab"\\é\n :,{}', max_size=4)


def reason(value: object) -> Reason | None:
    return value.reason if isinstance(value, Refusal) else None


@given(st.dictionaries(NAMES, JSON, max_size=5), st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:  ")]), st.booleans())
def test_an_object_whose_names_stand_once_is_read_whatever_its_spaces(fields, separators, ascii_only):
    raw = json.dumps(fields, separators=separators, ensure_ascii=ascii_only).encode()
    read = read_object(raw, "the body")
    assert not isinstance(read, Refusal)
    assert {name: json.loads(bytes(value)) for name, value in read.items()} == fields
    assert list(read) == list(fields)


@given(
    st.lists(st.tuples(NAMES, JSON), min_size=1, max_size=5),
    st.integers(0, 4),
    JSON,
    st.integers(0, 5),
    st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]),
    st.booleans(),
)
def test_a_name_that_stands_twice_is_found_wherever_it_stands_and_however_it_is_written(fields, which, value, place, between, escaped):
    name = fields[which % len(fields)][0]
    pairs = [(json.dumps(key), json.dumps(one)) for key, one in fields]
    twin = '"' + "".join(f"\\u{ord(letter):04x}" for letter in name) + '"' if escaped else json.dumps(name)
    pairs.insert(place % (len(pairs) + 1), (twin, json.dumps(value)))
    comma, colon = between
    raw = ("{" + comma.join(key + colon + one for key, one in pairs) + "}").encode()
    assert reason(read_object(raw, "the body")) is Reason.DUPLICATE_FIELD


def test_a_number_that_begins_like_the_kept_one_is_still_a_second_value():
    assert reason(read_object(b'{"a":12, "a":1}', "x")) is Reason.DUPLICATE_FIELD
    assert reason(read_object(b'{"a":1, "a":12}', "x")) is Reason.DUPLICATE_FIELD


def test_a_name_twice_in_one_of_many_objects_is_found_and_placed():
    refusal = read_objects(msgspec.Raw(b'[{"a":1},{"b":1,"b":1}]'), "tools")
    assert isinstance(refusal, Refusal) and refusal.reason is Reason.DUPLICATE_FIELD and "tools[1]" in refusal.message


def test_what_is_written_again_is_the_same_bytes_value_by_value():
    raw = b'{ "a" : 1.50e3 , "b":"\\u0041" ,"c" : [ 1,2 ] }'
    read = read_object(raw, "x")
    assert not isinstance(read, Refusal)
    assert write_object(read) == b'{"a":1.50e3,"b":"\\u0041","c":[ 1,2 ]}'
    assert write_object({}) == b"{}"


def test_depth_is_counted_exactly():
    def nested(levels: int) -> bytes:
        return b"[" * levels + b"1" + b"]" * levels

    assert not deep(nested(MOST_DEPTH), 0) and deep(nested(MOST_DEPTH + 1), 0)
    assert not deep(nested(MOST_DEPTH - 1), 1) and deep(nested(MOST_DEPTH), 1)
    assert not deep(b'"' + b"[" * 500 + b'"', 0)
    assert deep(b"[" * 100_000 + b"]" * 100_000, 0)


def test_every_bomb_is_a_refusal():
    bombs = {
        b"": Reason.INVALID_JSON,
        b"[]": Reason.INVALID_FIELD,
        b"null": Reason.INVALID_FIELD,
        b'{"a":NaN}': Reason.INVALID_JSON,
        b'{"a":1} x': Reason.INVALID_JSON,
        b"\xef\xbb\xbf{}": Reason.INVALID_JSON,
        b'{"\xff":1}': Reason.INVALID_JSON,
        b'{"a":"\\ud800"}': Reason.INVALID_JSON,
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}": Reason.TOO_DEEP,
        b"{" + b",".join(b'"%d":1' % n for n in range(600)) + b"}": Reason.INVALID_FIELD,
    }
    for bomb, expected in bombs.items():
        assert reason(read_object(bomb, "x")) is expected, bomb[:30]


def test_a_document_is_utf8_and_not_absurdly_dense():
    assert check_document('{"a":"é"}'.encode()) is None
    assert reason(check_document(b'{"a":"\xff"}')) is Reason.INVALID_JSON
    assert reason(check_document(b"{" + b",".join(b'"%d":1' % n for n in range(1_000_000)) + b"}")) is Reason.INVALID_JSON
    assert reason(check_document(b"[" + b"[]," * 1_000_000 + b"1]")) is Reason.INVALID_JSON
    assert check_document(b'{"image":"' + b"A" * 3_000_000 + b'"}') is None
