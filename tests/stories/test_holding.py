from __future__ import annotations

from tests.stories.conftest import Open
from tests.stories.gatehouse import workspace
from tests.stories.provider import Rehearsal


def test_a_call_is_held_sent_and_posted_to_the_nano_dollar(gate: Open, rehearsal: Rehearsal) -> None:
    house = gate(workspace())
    heard = house.caller().respond()
    assert heard.status == 200
    entry = house.settled(heard.request)
    call = rehearsal.call(heard.request)
    assert (entry.state, entry.ending) == ("POSTED", "completed")
    assert entry.posted_nano == int(call["billed_nano_ceiling"]) > 0
    assert call["asked_max_output"] == entry.output and call["asked_service_tier"] == "default"
    house.at_rest()
