from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from headgate.gateway.resends import MOST_REMEMBERED, TAIL_BYTES, WITHIN_US, Resends
from headgate.names import Instant, RequestId
from headgate.wire.api import Api
from headgate.wire.codex import TURN_HEADER
from headgate.wire.request import ModelRequest, read_request

TURN = {TURN_HEADER: b'{"turn_id":"t1"}'}
NOW = Instant(1_800_000_000_000_000)
LONG = "x" * 2 * TAIL_BYTES


def asked(said: str = LONG, **fields: Any) -> ModelRequest:
    read = read_request(Api.RESPONSES, json.dumps({"model": "gpt-5.5", "input": said, **fields}).encode())
    assert isinstance(read, ModelRequest)
    return read


def test_the_same_request_of_one_turn_is_one_for_as_long_as_it_keeps_coming() -> None:
    resends = Resends()
    ids = [resends.first(RequestId(number), "key_a", TURN, asked(), Instant(NOW + number * WITHIN_US)) for number in (1, 2, 3)]
    assert ids == [1, 1, 1]
    assert resends.first(RequestId(9), "key_a", TURN, asked(), Instant(NOW + 4 * WITHIN_US + 1)) == 9, (
        "more than a minute later it is meant"
    )


def test_codex_may_shuffle_what_it_tells_of_itself() -> None:
    resends = Resends()
    first = resends.first(RequestId(1), "key_a", TURN, asked(client_metadata={"session_id": "s", "turn_id": "t"}), NOW)
    assert resends.first(RequestId(2), "key_a", TURN, asked(client_metadata={"turn_id": "t", "session_id": "s"}), NOW) == first


@pytest.mark.parametrize(
    ("key", "turn", "request_"),
    [
        ("key_b", TURN, asked()),
        ("key_a", {TURN_HEADER: b'{"turn_id":"t2"}'}, asked()),
        ("key_a", TURN, asked("y" + LONG)),
        ("key_a", TURN, asked(LONG[1:] + "y")),
    ],
    ids=["another key", "another turn", "a longer body", "another end"],
)
def test_what_differs_is_another_request(key: str, turn: Mapping[bytes, bytes], request_: ModelRequest) -> None:
    resends = Resends()
    assert resends.first(RequestId(1), "key_a", TURN, asked(), NOW) == 1
    assert resends.first(RequestId(2), key, turn, request_, NOW) == 2


def test_a_client_that_names_no_turn_is_never_joined() -> None:
    resends = Resends()
    assert [resends.first(RequestId(number), "key_a", {}, asked(), NOW) for number in (1, 2)] == [1, 2]


def test_an_attempt_is_remembered_for_a_minute_and_no_flood_fills_the_memory() -> None:
    resends = Resends()
    for number in range(MOST_REMEMBERED + 1):
        resends.first(RequestId(number), f"key_{number}", TURN, asked("short"), NOW)
    assert resends.first(RequestId(-1), "key_0", TURN, asked("short"), NOW) == -1, "the oldest made room"
    assert resends.first(RequestId(-2), f"key_{MOST_REMEMBERED}", TURN, asked("short"), NOW) == MOST_REMEMBERED
    resends.first(RequestId(-3), "key_a", TURN, asked("later"), Instant(NOW + 2 * WITHIN_US))
    assert len(resends._seen) == 1
