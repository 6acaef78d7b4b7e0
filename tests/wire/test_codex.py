"""What Codex tells of its turn leaves without credentials."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.wire.codex import Claimed, Dropped, clean_text, clean_turn_metadata, repository_of, turn_facts

TURN = {
    "session_id": "s-1",
    "turn_id": "t-1",
    "request_kind": "turn",
    "thread_source": "user",
    "workspaces": {
        "/home/dev/app": {
            "associated_remote_urls": {"origin": "https://github.com/Acme/App.git", "upstream": "git@github.com:acme/other.git"},
            "latest_git_commit_hash": "0bcb68",
            "has_changes": False,
        },
        "/home/dev/two": {"associated_remote_urls": {"origin": "ssh://git@gitlab.example.test:2222/group/sub/two"}},
    },
    "turn_started_at_unix_ms": 1795227589529,
}

SECRET = "SECRETSECRET"
DIRTY = [
    f"https://oauth2:{SECRET}@git.example.test/acme/app.git",
    f"https://{SECRET}@git.example.test/acme/app.git",
    f"https://user:{SECRET}@x@git.example.test/acme/app.git",
    f"https://user:a%40{SECRET}@git.example.test/acme/app.git",
    f"https://git:{SECRET}@git.example.test/acme/app.git",
    f"ssh://user:{SECRET}@git.example.test/acme/app.git",
    f"git+https://user:{SECRET}@git.example.test:8443/acme/app.git",
    f"user:{SECRET}@git.example.test:acme/app.git",
    f"https://git.example.test/acme/app.git?access_token={SECRET}",
    f"https://git.example.test/acme/app.git?ref=main&private_token={SECRET}&depth=1",
    f"https://git.example.test/acme/app.git?token={SECRET}#x",
    f"https://git.example.test/acme/app.git#access_token={SECRET}",
    f"https://git.example.test/acme/app.git?PRIVATE-TOKEN={SECRET}",
    f"https://git.example.test/acme/app.git?X-Amz-Signature={SECRET}",
    f"https://git.example.test/acme/app.git?api_key={SECRET}",
    f"clone of https://oauth2:{SECRET}@git.example.test/acme/app.git here",
]
CLEAN = [
    "https://github.com/acme/app.git",
    "git@github.com:acme/app.git",
    "ssh://git@github.com/acme/app",
    "https://github.com/acme/app?ref=main&depth=1",
    "/home/alice@work/token/app",
    "ada@example.test",
    "",
]


@pytest.mark.parametrize("address", DIRTY)
def test_no_credential_leaves_by_any_way_it_can_stand_in_an_address(address):
    turn = {**TURN, "workspaces": {"/x": {"associated_remote_urls": {"origin": address}}}}
    inside = {"x-codex-turn-metadata": json.dumps(turn), "session_id": "s-1", address: 1}
    for value in (turn, inside, [address], json.dumps(json.dumps(address))):
        cleaned = clean_turn_metadata(json.dumps(value).encode())
        assert cleaned and SECRET.encode() not in cleaned
    assert "git.example.test" in clean_text(address) and "acme/app" in clean_text(address)


@pytest.mark.parametrize("address", CLEAN)
def test_what_holds_no_credential_passes_byte_for_byte(address):
    raw = json.dumps({**TURN, "origin": address}, indent=2).encode()
    assert clean_turn_metadata(raw) == raw


def test_only_the_credential_goes():
    assert clean_text(f"https://h.test/a?ref=main&private_token={SECRET}&depth=1") == "https://h.test/a?ref=main&depth=1"
    assert clean_text(f"https://git:{SECRET}@h.test/a") == "https://git@h.test/a"
    assert clean_text(f"https://h.test/a?token={SECRET}") == "https://h.test/a"
    assert clean_text(f"https://ada:{SECRET}@h.test/a") == "https://h.test/a"


def test_the_order_and_every_other_value_are_kept():
    dirty = json.dumps({"z": 1, "o": DIRTY[0], "a": {"deep": [1.5, None, True]}}).encode()
    assert next(iter(json.loads(clean_turn_metadata(dirty)).items())) == ("z", 1)
    assert json.loads(clean_turn_metadata(dirty))["a"] == {"deep": [1.5, None, True]}


@given(
    st.recursive(
        st.sampled_from(DIRTY + CLEAN) | st.text(max_size=6),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    )
)
def test_cleaning_is_steady_and_twice_is_once(value):
    raw = json.dumps(value).encode()
    once = clean_turn_metadata(raw)
    assert clean_turn_metadata(raw) == once and SECRET.encode() not in once
    assert clean_turn_metadata(once) == once


@pytest.mark.parametrize(
    "header", [b"", b"{", b"not json", b'{"a":1} x', b'{"a":"\xff"}', b"[" * 5000, b'{"a":' + b"[" * 80 + b"1" + b"]" * 80 + b"}"]
)
def test_what_cannot_be_read_is_dropped(header):
    assert clean_turn_metadata(header) == b""
    if not header.startswith(b'{"a":['):
        assert turn_facts(header) is Dropped.UNREADABLE


def test_a_turn_claims_its_session_and_each_repository_once():
    claimed = turn_facts(json.dumps(TURN).encode())
    assert claimed == Claimed(
        "s-1", "t-1", ("github.com/acme/app", "github.com/acme/other", "gitlab.example.test/group/sub/two"), "user", "turn"
    )
    assert turn_facts(b"{}") == Claimed()
    assert turn_facts(json.dumps({"session_id": "a\nb"}).encode()) == Claimed()


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://github.com/Acme/App.git", "github.com/acme/app"),
        ("https://user:x@github.com/acme/app/", "github.com/acme/app"),
        ("https://github.com/acme/app?token=x", "github.com/acme/app"),
        ("git@github.com:acme/app.git", "github.com/acme/app"),
        ("ssh://git@github.com:22/acme/app.git", "github.com/acme/app"),
        ("https://git.example.test:8443/acme/app", "git.example.test/acme/app"),
        ("/srv/git/app.git", None),
        ("file:///srv/git/app.git", None),
        ("https://github.com/acme", None),
        ("", None),
    ],
)
def test_a_repository_has_one_name_however_it_is_reached(address, name):
    assert repository_of(address) == name
