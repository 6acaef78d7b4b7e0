"""The sample company speaks to a real gate as its people do, and tells what it heard."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from headgate.trials import configuration
from headgate.trials.company import STAFF, Company, Event
from headgate.trials.stage import Stage, free_port

WANTED = {"agent", "chat", "job"}


def test_every_way_of_working_has_someone() -> None:
    assert {person.way for person in STAFF} == WANTED
    assert {person.workspace for person in STAFF} == {"development", "ci", "production"}


@pytest.mark.slow
def test_everybody_gets_an_answer_and_the_job_that_nobody_watches_is_stopped() -> None:
    events: list[Event] = []

    async def watch(company: Company) -> None:
        work = asyncio.create_task(company.work())
        for _ in range(1200):
            answered = {event.who for event in events if event.kind in ("answered", "shortened")}
            if answered == {person.name for person in STAFF} and any(event.code == "budget_exhausted" for event in events):
                break
            await asyncio.sleep(0.05)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        assert company.lines == {} and any(line.text for line in company.finished)

    with Stage() as stage:
        judge = stage.rehearse()
        port = free_port()
        caps = {"production": "25", "development": "15", "ci": "0.05"}
        text = configuration.head(port) + configuration.path("openai", judge.port)
        for name, cap in caps.items():
            settings = {"caps.month": f'"{cap}"', "day_brake": '"off"', "week_brake": '"off"', "wait_ms": "100"}
            text += configuration.workspace(name, name, settings)
        stage.write(text)
        gate = stage.gate(port)
        keys = {(person.name, person.workspace): gate.issue_to(person.workspace, person.name, person.facts).key for person in STAFF}
        uvloop.run(watch(Company(port, keys, events.append)))
    assert {event.workspace for event in events if event.code == "budget_exhausted"} == {"ci"}
    assert "Budget used up" in next(event.message for event in events if event.code == "budget_exhausted")
