"""One world for all tests of a worker; its gate must end in order and its ledger must prove itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.world.worldhouse import World


@pytest.fixture(scope="session")
def one_world(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(root / "src", tmp_path_factory.mktemp("world"))
    yield world
    world.headgate("ledger", "verify")
    assert world.stop() == (0, 0)
    assert [line for line in world.log_lines() if line["event"] in ("fault", "fatal", "breach")] == []


@pytest.fixture
def world(one_world: World) -> Iterator[World]:
    """The world with a provider in its usual mood."""
    yield one_world
    one_world.rehearsal.ask("DELETE", "faults")
    one_world.rehearsal.set(text_tokens=0, delta_events=0, first_token_ms=0, event_ms=0, caching=True)
