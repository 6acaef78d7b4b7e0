from __future__ import annotations

from pathlib import Path

import pytest
from tests.control.office import Office
from tests.store.book import HOUR_US

from headgate.control.command import RevokeKey, RotateKey
from headgate.control.keys import DAY_US, MOST_DAYS, KeyRow, read_callers, read_key
from headgate.policy.keys import digest, is_key
from headgate.terms.caller import Dimension, Environment

ENVIRONMENTS = {"ci": Environment.CI, "production": Environment.PRODUCTION}


def rotate(key: str, overlap_hours: int = 24, days: int = 90) -> RotateKey:
    return RotateKey(actor="bob", key=key, overlap_hours=overlap_hours, days=days)


def row(office: Office, key: str) -> KeyRow:
    return next(found for found in map(read_key, office.book.database.run("keys")) if found.id == key)


def test_a_key_is_told_once_and_only_its_hash_is_kept(office: Office, tmp_path: Path) -> None:
    issued = office.issues()
    assert is_key(issued.key)
    office.book.database.checkpoint()
    for file in tmp_path.iterdir():
        kept = file.read_bytes()
        assert issued.key.encode() not in kept and issued.key[8:].encode() not in kept, f"{file.name} holds the key"
    assert [found[1] for found in office.book.database.run("keys")] == [digest(issued.key)]
    assert row(office, issued.id).shown == issued.key[:8] + "…"
    (leaf,) = office.leaves("key")
    assert (leaf["do"], leaf["key"], leaf["actor"]) == ("issue", issued.id, "alice")


def test_two_keys_are_never_alike(office: Office) -> None:
    issued = [office.issues() for _ in range(20)]
    assert len({one.key for one in issued}) == len({one.id for one in issued}) == 20


def test_no_key_is_issued_in_a_workspace_without_a_cap(office: Office) -> None:
    assert "there is no workspace 'other'; headgate.toml has: ci, production" in office.refuses_issue(workspace="other")


@pytest.mark.parametrize("days", [0, -1, MOST_DAYS + 1, 10**12])
def test_a_key_lives_a_day_to_ninety(office: Office, days: int) -> None:
    assert "1 to 90 days" in office.refuses_issue(days=days)
    issued = office.issues(days=MOST_DAYS)
    assert issued.expires_us == office.book.time.wall_us + MOST_DAYS * DAY_US
    assert "1 to 90 days" in office.refuses(rotate(issued.id, days=days))


@pytest.mark.parametrize("label", ["", " ", "a\nb", "\x1b[2J", "x" * 201, "a,b", "*"])
def test_a_label_cannot_speak_to_a_terminal(office: Office, label: str) -> None:
    assert "a label is 1 to 200 plain characters" in office.refuses_issue(label=label)


@pytest.mark.parametrize(
    "facts", [{"workspace": "production"}, {"key": "key_1"}, {"path": "openai"}, {"team": ""}, {"team": "*"}, {"team": "a\r\nb"}]
)
def test_a_key_proves_only_what_a_key_can_know(office: Office, facts: dict[str, str]) -> None:
    assert "is not a fact a key can prove" in office.refuses_issue(facts=facts)


def test_a_network_and_a_model_that_cannot_be_are_refused(office: Office) -> None:
    office.imports()
    assert "is not a network" in office.refuses_issue(networks=["10.0.0/8"])
    assert "the model 'gpt-5,5' has no price" in office.refuses_issue(models=["gpt-5.5", "gpt-5,5"])
    office.issues(models=["gpt-5.5", "gpt-5.5-2026-04-23"], networks=["10.0.0.0/8", "fd00::/8"])


def test_what_a_key_is_bound_to_reaches_the_gate(office: Office) -> None:
    office.imports()
    issued = office.issues(facts={"team": "payments", "user": "alice"}, models=["gpt-5.5"], networks=["10.0.0.0/8"])
    caller = read_callers(office.book.database.run("keys"), ENVIRONMENTS)[digest(issued.key)]
    assert (caller.key, caller.workspace, caller.environment) == (issued.id, "ci", Environment.CI)
    assert set(caller.facts) == {(Dimension.TEAM, "payments"), (Dimension.USER, "alice")}
    assert caller.models == {"gpt-5.5"} and [str(network) for network in caller.networks] == ["10.0.0.0/8"]
    assert caller.expires_us == issued.expires_us


def test_a_key_of_a_workspace_that_is_no_longer_configured_is_nobodys(office: Office) -> None:
    issued = office.issues()
    assert read_callers(office.book.database.run("keys"), {"production": Environment.PRODUCTION}) == {}
    assert digest(issued.key) in read_callers(office.book.database.run("keys"), ENVIRONMENTS)
    office.situation = type(office.situation)(("production",), ())
    assert "there is no workspace 'ci'" in office.refuses(rotate(issued.id))


def test_a_rotated_key_and_its_successor_work_side_by_side_for_the_overlap(office: Office) -> None:
    office.imports()
    old = office.issues(facts={"team": "payments"}, models=["gpt-5.5"], networks=["10.0.0.0/8"])
    new = office.does(rotate(old.id, overlap_hours=2))
    assert new.key != old.key
    callers = read_callers(office.book.database.run("keys"), ENVIRONMENTS)
    before, after = callers[digest(old.key)], callers[digest(new.key)]
    assert (after.facts, after.models, after.networks, after.workspace) == (before.facts, before.models, before.networks, before.workspace)
    assert before.expires_us == office.book.time.wall_us + 2 * HOUR_US
    assert row(office, old.id).rotated_to == new.id


def test_an_overlap_never_stretches_a_key(office: Office) -> None:
    old = office.issues(days=1)
    office.does(rotate(old.id, overlap_hours=24 * 14))
    assert row(office, old.id).expires_us == old.expires_us
    assert "0 to 336 hours" in office.refuses(rotate(office.issues().id, overlap_hours=24 * 14 + 1))


def test_a_key_is_rotated_once_and_not_after_its_end(office: Office) -> None:
    old = office.issues(days=2)
    new = office.does(rotate(old.id))
    assert f"was rotated to {new.id} before; rotate that one" in office.refuses(rotate(old.id))
    office.does(rotate(new.id))
    last = office.issues(days=1)
    office.book.time.passes(DAY_US)
    assert "has expired" in office.refuses(rotate(last.id))
    assert "there is no key 'key_0'" in office.refuses(rotate("key_0"))


def test_a_revoked_key_is_out_and_stays_out(office: Office) -> None:
    issued = office.issues()
    assert "say why" in office.refuses(RevokeKey(actor="bob", key=issued.id, reason=" "))
    office.does(RevokeKey(actor="bob", key=issued.id, reason="pasted into a ticket"))
    assert read_callers(office.book.database.run("keys"), ENVIRONMENTS) == {}
    assert "was revoked; issue a new one" in office.refuses(rotate(issued.id))
    again = office.does(RevokeKey(actor="carol", key=issued.id, reason="once more"))
    assert [leaf["reason"] for leaf in office.leaves("key") if leaf["do"] == "revoke"] == ["pasted into a ticket"]
    office.book.time.passes(HOUR_US)
    assert again.revoked_us == row(office, issued.id).revoked_us == office.book.time.wall_us - HOUR_US


def test_the_list_warns_two_weeks_before_a_key_ends(office: Office) -> None:
    issued = office.issues(days=15)
    now, found = office.book.time.wall_us, row(office, issued.id)
    assert [found.state(now + days * DAY_US) for days in (0, 1, 2, 14, 15)] == ["active", "active", "ends soon", "ends soon", "expired"]
    office.does(RevokeKey(actor="bob", key=issued.id, reason="leaked"))
    assert row(office, issued.id).state(now) == "revoked"
