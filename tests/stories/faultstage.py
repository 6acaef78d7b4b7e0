"""How the faults are staged that no provider can be asked for: callers who leave, a pool without room, a process that dies."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec
from tests.stories.callers import Caller, Heard, Line
from tests.stories.faultplay import TROUBLE, Fault, Variant, request
from tests.stories.gatehouse import Gatehouse, eventually
from tests.stories.provider import Rehearsal

from headgate.store.ledger import Ledger

TARGETS = {"chat": "/v1/chat/completions", "responses": "/v1/responses"}


@dataclass(frozen=True)
class Scene:
    """One variant of one fault, and who calls."""

    house: Gatehouse
    rehearsal: Rehearsal
    caller: Caller
    fault: Fault
    variant: Variant

    def open(self, marked: bool = False) -> Line:
        return self.caller.open("POST", TARGETS[self.variant.api], request(self.fault, self.variant, marked))

    def arrived(self) -> bool:
        """Whether the call of this caller is under way at the provider."""
        newest = self.house.book.newest(self.caller.key_id)
        return newest is not None and self.rehearsal.call(newest) is not None


Heards = list[Heard | None]


def each(play: Callable[[Scene], Heard | None], scenes: list[Scene]) -> Heards:
    """All variants at once."""
    with ThreadPoolExecutor(len(scenes)) as threads:
        return list(threads.map(play, scenes))


def marked(scenes: list[Scene]) -> Heards:
    """The rehearsal plays the fault."""
    return each(lambda scene: scene.open(marked=True).rest(), scenes)


def plain(scenes: list[Scene]) -> Heards:
    """The way of the workspace leads to the fault, or there is none."""
    return each(lambda scene: scene.open().rest(), scenes)


def without_room(scenes: list[Scene]) -> Heards:
    """The only connection of the path is taken by a call that gets no answer for a while."""
    scene = scenes[0]
    upstream = scene.house.running.gate.world.ways["pool-exhausted"].upstream
    upstream.origin = msgspec.structs.replace(upstream.origin, pool_s=0.1)
    scene.rehearsal.fault("stall_before_headers")
    taken = scene.open()
    eventually(lambda: upstream.in_use == 1)
    heard = plain(scenes)
    assert taken.rest().status == 503
    return heard


@contextlib.contextmanager
def writer_held(house: Gatehouse) -> Iterator[Callable[[], None]]:
    """The ledger's writer is busy with something else until the block ends: nothing is durable in between. Yields what ends it early."""
    busy, go = threading.Event(), threading.Event()

    def wait(_ledger: Ledger) -> None:
        busy.set()
        assert go.wait(30)

    house.spawn(house.running.gate.desk.change(wait))
    assert busy.wait(30)
    try:
        yield go.set
    finally:
        go.set()


def gone_before_the_hold(scenes: list[Scene]) -> Heards:
    house = scenes[0].house
    with writer_held(house):
        lines = [scene.open() for scene in scenes]
        eventually(lambda: len(house.running.gate.open_exchanges) == len(scenes))
        for line in lines:
            line.hang_up()
        eventually(lambda: house.service.listeners.connections == 0)
    return [None] * len(scenes)


def gone_at_the_start(scenes: list[Scene]) -> Heards:
    """They hang up when the call has arrived at the provider, which has not said a word yet."""
    scenes[0].rehearsal.set(first_token_ms=400)
    lines = [scene.open() for scene in scenes]
    eventually(lambda: all(scene.arrived() for scene in scenes))
    for line in lines:
        line.hang_up()
    eventually(lambda: scenes[0].house.service.listeners.connections == 0)
    return [None] * len(scenes)


def gone_after(percent: int) -> Callable[[list[Scene]], Heards]:
    """They hang up once they have heard this part of the stream, while the rest is still on its way."""

    def play(scenes: list[Scene]) -> Heards:
        scenes[0].rehearsal.set(event_ms=5)

        def leave(scene: Scene) -> None:
            whole = len(scene.open().rest().body)  # the same question gets the same answer, but for its ids
            line = scene.open()
            line.past(whole * percent // 100)
            line.hang_up()

        return each(leave, scenes)

    return play


SCRIPTS: dict[str, Callable[[list[Scene]], Heards]] = {
    **dict.fromkeys(TROUBLE, plain),
    "pool_exhausted": without_room,
    "nothing": plain,
    "client_gone_before_the_hold_was_durable": gone_before_the_hold,
    "client_gone_at_the_start": gone_at_the_start,
    "client_gone_half_way": gone_after(50),
    "client_gone_near_the_end": gone_after(97),
}
