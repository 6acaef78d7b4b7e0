"""One rehearsal for all stories of a worker, and gates that end with their test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from tests.stories.gatehouse import SYSTEM_CLOCK, Gatehouse, configuration
from tests.stories.provider import Rehearsal

from headgate.store.ledger import Clock


@pytest.fixture(scope="session")
def one_rehearsal(root: Path) -> Iterator[Rehearsal]:
    running = Rehearsal(root / "src")
    yield running
    assert running.stop() == 0, "a rehearsal that finds something unexpected ends at once"


@pytest.fixture
def rehearsal(one_rehearsal: Rehearsal) -> Rehearsal:
    """A rehearsal that has billed nothing and remembers nothing."""
    one_rehearsal.ask("POST", "reset")
    return one_rehearsal


ROOT = Path(__file__).resolve().parent.parent.parent


class Open(Protocol):
    def __call__(self, workspaces: str, paths: str = "", clock: Clock = ..., rehearsal: bool = True) -> Gatehouse: ...


@pytest.fixture
def gate(rehearsal: Rehearsal, tmp_path: Path) -> Iterator[Open]:
    """Opens gates over these workspaces (TOML); each has nothing left open at the end, and its book proves itself."""
    opened: list[Gatehouse] = []

    def begin(workspaces: str, paths: str = "", clock: Clock = SYSTEM_CLOCK, rehearsal: bool = True) -> Gatehouse:
        text = configuration(base_url, workspaces, paths, rehearsal=rehearsal)
        opened.append(Gatehouse(tmp_path / f"gate-{len(opened)}", text, clock))
        return opened[-1]

    base_url = rehearsal.base_url
    yield begin
    for house in opened:
        house.stop()
        house.book.proves()
