from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.policy.keys import PREFIX, SECRET_BYTES, digest, is_key, make_key, presented_key, show_key
from headgate.refusal import Reason, Refusal

SECRETS = st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES)
KEY = make_key(bytes(range(32)))


@given(SECRETS)
def test_every_secret_makes_a_key_of_one_length_that_is_recognised(secret: bytes) -> None:
    key = make_key(secret)
    assert len(key) == 53
    assert key.startswith("hgk_")
    assert is_key(key)


@given(SECRETS, SECRETS)
def test_two_secrets_make_two_keys(one: bytes, other: bytes) -> None:
    assert (make_key(one) == make_key(other)) == (one == other)


@given(SECRETS, st.integers(0, 52), st.characters())
def test_a_key_with_one_character_changed_is_not_a_key(secret: bytes, place: int, character: str) -> None:
    key = make_key(secret)
    changed = key[:place] + character + key[place + 1 :]
    assert is_key(changed) == (changed == key)


@given(st.text())
def test_any_text_is_judged_without_an_error(text: str) -> None:
    assert not is_key(text)
    assert not is_key(PREFIX + text)


def test_the_form_of_a_key_does_not_change_between_releases() -> None:
    assert KEY == "hgk_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf34rHEv"
    assert digest(KEY).hex() == "6365af478653e395b0280ac81664476646b88a20ceb5edc5ced5c690a1c3aea0"


def test_people_see_four_digits_of_a_key_and_no_more() -> None:
    assert show_key(KEY) == "hgk_003a…"


def test_the_key_is_read_from_the_authorization_header() -> None:
    assert presented_key({b"authorization": b"Bearer " + KEY.encode()}) == KEY
    assert presented_key({b"authorization": b"bearer  " + KEY.encode() + b" "}) == KEY


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, Reason.MISSING_KEY),
        (b"", Reason.INVALID_KEY),
        (b"Basic " + KEY.encode(), Reason.INVALID_KEY),
        (b"Bearer", Reason.INVALID_KEY),
        (b"Bearer sk-proj-abcdef", Reason.INVALID_KEY),
        (b"Bearer " + KEY[:-1].encode(), Reason.INVALID_KEY),
        (b"Bearer " + KEY.encode() + b", Bearer x", Reason.INVALID_KEY),
        (b"Bearer \xff\xfe", Reason.INVALID_KEY),
    ],
)
def test_a_credential_that_is_no_key_is_refused_without_being_repeated(header: bytes | None, reason: Reason) -> None:
    refusal = presented_key({} if header is None else {b"authorization": header})
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason
    if header:
        assert "sk-proj" not in refusal.message
        assert KEY[5:30] not in refusal.message
