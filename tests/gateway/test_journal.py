from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Callable
from typing import Any

from headgate.gateway import journal as journal_file
from headgate.gateway.journal import MOST_BUFFERED, WHOLE_BYTES, Journal


def written(say: Callable[[Journal], None]) -> tuple[list[Any], list[bytes]]:
    """The lines, and the pieces that they were written in."""
    pieces: list[bytes] = []

    async def live() -> None:
        journal = Journal(lambda: 7, pieces.append)
        say(journal)
        journal.close()

    asyncio.run(live())
    return [json.loads(line) for line in b"".join(pieces).splitlines()], pieces


def test_a_line_says_when_and_what() -> None:
    lines, _ = written(lambda journal: journal.say("exchange", workspace="ci", ms=3))
    assert lines == [{"at": 7, "event": "exchange", "workspace": "ci", "ms": 3}]


def test_nothing_in_a_line_can_speak_to_a_terminal_or_begin_another_line() -> None:
    hostile = '\x1b]0;owned\x07\r\n{"event":"fatal"}\x00\x7f'
    lines, pieces = written(lambda journal: journal.say("reload_refused", why=hostile))
    assert lines[0]["why"] == hostile and len(lines) == 1
    assert not any(byte < 0x20 and byte != 0x0A for byte in b"".join(pieces))


def test_lines_are_whole_in_every_write_and_short_enough_for_a_pipe() -> None:
    def say(journal: Journal) -> None:
        for number in range(500):
            journal.say("exchange", number=number, filler="x" * (number % 400))

    lines, pieces = written(say)
    assert [line["number"] for line in lines] == list(range(500))
    assert all(piece.endswith(b"\n") and len(piece) <= WHOLE_BYTES for piece in pieces)


def test_a_line_longer_than_a_pipe_takes_at_once_is_still_written() -> None:
    lines, _ = written(lambda journal: journal.say("reload_refused", why="x" * 3 * WHOLE_BYTES))
    assert len(lines[0]["why"]) == 3 * WHOLE_BYTES


def test_a_reader_that_is_stuck_holds_nobody_up_and_what_it_missed_is_counted() -> None:
    stuck, pieces = threading.Event(), list[bytes]()

    def write(piece: bytes) -> None:
        stuck.wait()
        pieces.append(piece)

    async def live() -> None:
        journal = Journal(lambda: 7, write)
        for number in range(MOST_BUFFERED + 25):
            journal.say("exchange", number=number)
        journal.flush()
        for _ in range(5):
            journal.say("exchange", number=-1)
        stuck.set()
        journal.close()

    asyncio.run(live())
    lines = [json.loads(line) for line in b"".join(pieces).splitlines()]
    assert [line["number"] for line in lines if line["event"] == "exchange"] == list(range(MOST_BUFFERED))
    assert sum(line["count"] for line in lines if line["event"] == "log_lines_dropped") == 30


def test_a_reader_that_has_gone_ends_nothing() -> None:
    tries: list[bytes] = []

    def write(piece: bytes) -> None:
        tries.append(piece)
        raise BrokenPipeError

    async def live() -> None:
        journal = Journal(lambda: 7, write)
        journal.say("one")
        journal.flush()
        journal.say("two")
        journal.close()

    asyncio.run(live())
    assert len(tries) == 2


def test_lines_go_out_by_themselves() -> None:
    out: list[bytes] = []

    async def live() -> None:
        journal = Journal(lambda: 7, out.append)
        journal.say("one")
        while not out:
            await asyncio.sleep(0.01)
        journal.close()

    asyncio.run(live())
    assert json.loads(out[0])["event"] == "one"


def test_a_write_that_the_system_takes_in_parts_is_whole() -> None:
    read_end, write_end = os.pipe()
    kept = os.dup(2)
    os.dup2(write_end, 2)
    try:
        journal_file.write_error(b"a line\n")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(write_end)
    assert os.read(read_end, 100) == b"a line\n"
    os.close(read_end)
