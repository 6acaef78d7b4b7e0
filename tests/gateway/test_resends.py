from __future__ import annotations

import pytest

from headgate.gateway.resends import MOST_REMEMBERED, TAIL_BYTES, WITHIN_US, Resends
from headgate.names import Instant, RequestId
from headgate.wire.codex import TURN_HEADER

TURN = {TURN_HEADER: b'{"turn_id":"t1"}'}
BODY = b'{"input":"' + b"x" * 2 * TAIL_BYTES + b'"}'
NOW = Instant(1_800_000_000_000_000)


def test_the_same_bytes_of_one_turn_are_one_request_for_as_long_as_they_keep_coming() -> None:
    resends = Resends()
    ids = [resends.first(RequestId(number), "key_a", TURN, BODY, Instant(NOW + number * WITHIN_US)) for number in (1, 2, 3)]
    assert ids == [1, 1, 1]
    assert resends.first(RequestId(9), "key_a", TURN, BODY, Instant(NOW + 4 * WITHIN_US + 1)) == 9, "more than a minute later it is meant"


@pytest.mark.parametrize(
    ("key", "turn", "body"),
    [
        ("key_b", TURN, BODY),
        ("key_a", {TURN_HEADER: b'{"turn_id":"t2"}'}, BODY),
        ("key_a", TURN, BODY[:10] + b"y" + BODY[10:]),
        ("key_a", TURN, BODY[:-3] + b'y"}'),
    ],
    ids=["another key", "another turn", "a longer body", "another end"],
)
def test_what_differs_is_another_request(key: str, turn: dict[bytes, bytes], body: bytes) -> None:
    resends = Resends()
    assert resends.first(RequestId(1), "key_a", TURN, BODY, NOW) == 1
    assert resends.first(RequestId(2), key, turn, body, NOW) == 2


def test_a_client_that_names_no_turn_is_never_joined() -> None:
    resends = Resends()
    assert [resends.first(RequestId(number), "key_a", {}, BODY, NOW) for number in (1, 2)] == [1, 2]


def test_an_attempt_is_remembered_for_a_minute_and_no_flood_fills_the_memory() -> None:
    resends = Resends()
    for number in range(MOST_REMEMBERED + 1):
        resends.first(RequestId(number), "key_a", TURN, b"%d" % number, NOW)
    assert resends.first(RequestId(-1), "key_a", TURN, b"0", NOW) == -1, "the oldest made room"
    assert resends.first(RequestId(-2), "key_a", TURN, b"%d" % MOST_REMEMBERED, NOW) == MOST_REMEMBERED
    resends.first(RequestId(-3), "key_a", TURN, b"later", Instant(NOW + 2 * WITHIN_US))
    assert len(resends._seen) == 1
