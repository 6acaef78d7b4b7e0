from __future__ import annotations

import pytest
from tests.stories.callers import Caller
from tests.stories.conftest import Open
from tests.stories.gatehouse import Gatehouse, configuration, workspace
from tests.stories.provider import Rehearsal

from headgate.control.command import IssueKey, Thaw
from headgate.store.sqlite import StoreError


def second(rehearsal: Rehearsal, **lines: str) -> str:
    given = {"base_url": f'"{rehearsal.base_url}"', "credential": '"env:PROVIDER_KEY"', "rehearsal": "true", **lines}
    return "[paths.second]\n" + "".join(f"{key} = {value}\n" for key, value in given.items())


def test_a_provider_that_refuses_our_credential_does_not_blame_the_callers_key(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace(paths='["second"]'), second(rehearsal, credential='"env:WRONG_KEY"'))
    caller = house.caller()
    heards = [caller.respond(), caller.chat(), caller.as_codex().respond(), caller.stream().rest()]
    for heard in heards:
        assert (heard.status, heard.error["policy_code"]) == (503, "path_credential")
        assert house.settled(heard.request).state == "VOIDED"
    counted = caller.ask("POST", "/v1/responses/input_tokens", {"model": "gpt-5.5", "input": "How long?"})
    assert (counted.status, counted.error["policy_code"]) == (503, "path_credential")
    for heard in (*heards, counted):
        assert b"sk-" not in heard.body
    house.at_rest()


def test_a_rehearsal_that_answers_a_real_path_enters_nothing_and_stops_the_path(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace(), rehearsal=False)
    caller = house.caller()
    heard = caller.respond()
    assert (heard.status, heard.error["policy_code"]) == (502, "rehearsal_answer")
    entry = house.settled(heard.request)
    assert (entry.state, entry.ending, entry.posted_nano) == ("VOIDED", "rehearsed", 0)
    assert [(balance.posted, balance.held) for balance in house.book.budgets()] == [(0, 0)]
    billed = rehearsal.requests()
    for again in (caller.respond(), caller.stream().rest(), caller.chat()):
        assert (again.status, again.error["policy_code"]) == (503, "no_path")
    # A command that builds the world anew does not open the path, and neither does a restart.
    house.command(IssueKey(actor="story", workspace="one", label="another"))
    assert caller.respond().error["policy_code"] == "no_path"
    house.stop()
    again = Gatehouse(house.folder, house.text)
    back = Caller(again.port, caller.key)
    assert back.respond().error["policy_code"] == "no_path"
    assert rehearsal.requests() == billed
    again.command(Thaw(actor="story", what="path:openai", reason="the address was mended"))
    assert back.respond().error["policy_code"] == "rehearsal_answer"
    again.stop()
    again.book.proves()


def test_a_rehearsal_is_not_believed_when_it_counts_or_reads_on_a_real_path(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace(), rehearsal=False)
    caller = house.caller()
    heard = caller.ask("POST", "/v1/responses/input_tokens", {"model": "gpt-5.5", "input": "How long?"})
    assert (heard.status, heard.error["policy_code"]) == (502, "rehearsal_answer")
    assert caller.respond().error["policy_code"] == "no_path"
    house.at_rest()


def test_rehearsed_and_real_calls_never_share_a_ledger(gate: Open, rehearsal: Rehearsal) -> None:
    for real in (True, False):
        house = gate(workspace(), rehearsal=not real)
        house.stop()
        with pytest.raises(StoreError, match="never share"):
            Gatehouse(house.folder, configuration(rehearsal.base_url, workspace(), rehearsal=real))


def test_a_path_that_is_down_is_told_as_such_and_serves_again_when_it_is_back(gate: Open, rehearsal: Rehearsal, tmp_path_factory) -> None:
    house = gate(workspace())
    caller = house.caller()
    assert caller.respond().status == 200
    rehearsal.fault("status_503", times=2)
    rehearsal.fault("reset_before_headers", times=1)
    assert [caller.respond().status for _ in range(4)] == [503, 503, 502, 200]
    house.at_rest()
