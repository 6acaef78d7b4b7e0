from __future__ import annotations

from typing import get_args

from tests.control.office import Office

from headgate.control.command import Change, Resolve, RevokeKey, RotateKey, SetCap, Thaw


def test_every_change_is_carried_out_by_someone(office: Office) -> None:
    office.imports()
    issued = office.issues()
    for asked in (
        RotateKey(actor="a", key=issued.id),
        RevokeKey(actor="a", key=issued.id, reason="r"),
        SetCap(actor="a", rule="workspace:ci/month/money", scope="workspace:ci", cap=1, reason="r", hours=1),
    ):
        assert office.does(asked) is not None
    assert office.refuses(Thaw(actor="a", what="x", reason="r")) and office.refuses(Resolve(actor="a", hold="x", charge="void", reason="r"))
    assert len(get_args(Change)) == 8


def test_every_change_names_its_actor_on_the_record(office: Office) -> None:
    office.imports()
    issued = office.issues()
    office.does(RotateKey(actor="bob", key=issued.id))
    office.does(RevokeKey(actor="carol", key=issued.id, reason="r"))
    told = [leaf["actor"] for kind in ("prices", "key") for leaf in office.leaves(kind)]
    # A rotation is two leaves: the successor's issue, and what became of the old one.
    assert told == ["alice", "alice", "bob", "bob", "carol"]
