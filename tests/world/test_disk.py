"""Disks that are full, read-only, damaged or not ours, under the real gate: a clear message, the documented exit code, nothing lost.

A full disk is a small tmpfs, and a read-only one a mount that is: both need the right to mount, which root on a CI machine has.
A disk that fails is a limit on the size of files (setrlimit), which makes writes fail with EFBIG.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest
from tests.world.served import LONG, Served, Stage, configuration, staged
from tests.world.worldhouse import Rehearsal, until

pytestmark = pytest.mark.slow

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def one_rehearsal(root: Path) -> Iterator[Rehearsal]:
    rehearsal = Rehearsal(root / "src")
    yield rehearsal
    assert rehearsal.stop() == 0


@pytest.fixture
def stage(root: Path, tmp_path: Path, one_rehearsal: Rehearsal) -> Iterator[Stage]:
    one_rehearsal.ask("POST", "reset")
    yield from staged(root / "src", tmp_path, one_rehearsal)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts a small disk of so many MiB."""
    mounted: list[Path] = []

    def mount(size_mib: int) -> Path:
        place = tmp_path / f"disk-{len(mounted)}"
        place.mkdir()
        told = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(place)], capture_output=True, text=True)
        if told.returncode:
            pytest.skip(f"this user may not mount a disk: {told.stderr.strip()}; run the tests as root")
        mounted.append(place)
        return place

    yield mount
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)


def remount(place: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)


def fill(place: Path, leave: int) -> Path:
    """Take all the room but so many bytes."""
    space = os.statvfs(place)
    free = space.f_bavail * space.f_frsize
    ballast = place / "ballast"
    with ballast.open("ab") as out, contextlib.suppress(OSError):
        out.write(bytes(max(free - leave, 0)))
    return ballast


def whole(served: Served) -> None:
    assert json.loads(served.done("ledger", "verify", "--json"))["findings"] == []


# -- full -------------------------------------------------------------------------------------------------------------------


def test_a_disk_that_is_nearly_full_lets_nobody_in_and_settles_what_is_open(stage: Stage, disk: Callable[[int], Path]) -> None:
    place = disk(80)
    served = stage.gate(configuration(stage.rehearsal.base_url, data=str(place))).start()
    key = served.key()["key"]
    stage.rehearsal.set(delta_events=60, event_ms=50)
    stream = served.stream(key).begun()
    ballast = fill(place, 8 * MIB)
    until(lambda: served.ask("GET", "/readyz").json == {"status": "disk_low"}, "the gate is not ready")
    assert served.house("/readyz").json["why"] == "disk_low"
    heard = served.respond(key)
    assert (heard.status, heard.code) == (503, "disk_low") and "Free some space, nothing was lost" in heard.json["error"]["message"]
    assert stream.last()["type"] == "response.completed"
    until(lambda: served.event("exchange")["charge"] == "actual", "the open call has settled")
    ballast.unlink()
    until(lambda: served.ask("GET", "/readyz").status == 200, "it goes on by itself")
    assert served.respond(key).status == 200
    assert served.stop() == 0
    whole(served)


def test_a_disk_that_is_full_keeps_settlements_until_there_is_room(stage: Stage, disk: Callable[[int], Path]) -> None:
    place = disk(80)
    served = stage.gate(configuration(stage.rehearsal.base_url, data=str(place))).start()
    key = served.key()["key"]
    stage.rehearsal.set(delta_events=60, event_ms=50)
    stream = served.stream(key).begun()
    ballast = fill(place, 0)
    until(lambda: served.respond(key).code == "disk_low", "nobody is let in")
    # What cannot be written down is told to the operator too, as soon as the log's last pages are used up.
    issue = ("key", "issue", "--workspace", "development", "--label", "x" * 200)
    until(lambda: "disk is full" in served.headgate(*issue).stderr, "it is told")
    assert stream.last()["type"] == "response.completed"
    ballast.unlink()
    until(lambda: served.event("exchange")["charged_nano"] > 0, "the settlement was written")
    until(lambda: served.ask("GET", "/readyz").status == 200, "it goes on by itself")
    assert served.stop() == 0
    whole(served)
    assert json.loads(served.done("budget", "show", "--json"))["doubts"] == []


def test_nothing_is_begun_on_a_disk_without_room(stage: Stage, disk: Callable[[int], Path]) -> None:
    place = disk(1)
    fill(place, 0)
    served = stage.gate(configuration(stage.rehearsal.base_url, data=str(place)))
    code, said = served.fails()
    assert code == 4 and "free some space, nothing was lost" in said and "Traceback" not in said
    told = served.headgate("key", "issue", "--workspace", "development", "--label", "x")
    assert told.returncode == 4 and "free some space" in told.stderr
    (place / "ballast").unlink()
    assert not (place / "gate.sock").exists()


def test_a_disk_that_fails_ends_the_process_with_its_own_code_and_open_calls_are_in_doubt(stage: Stage) -> None:
    served = stage.gate().start()
    key = served.key()["key"]
    stage.rehearsal.set(**LONG)
    stream = served.stream(key).begun()
    gate = served.child("gate")
    log = max(file.stat().st_size for file in (served.folder / "data").iterdir())
    resource.prlimit(gate, resource.RLIMIT_FSIZE, (log, log))
    with contextlib.suppress(OSError):
        for _ in range(200):
            served.respond(key)
    assert served.ended() == 70
    fatal = [line for line in served.lines() if line["event"] == "fatal"]
    assert len(fatal) == 1 and "docs/operating.md" in fatal[0]["what"]
    stream.rest()
    stage.rehearsal.set(delta_events=0, event_ms=0)
    served.start()
    assert stream.request in [doubt["hold"] for doubt in json.loads(served.done("budget", "show", "--json"))["doubts"]]
    assert served.respond(key).status == 200
    assert served.stop() == 0
    whole(served)


# -- read-only --------------------------------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_made_is_told(stage: Stage) -> None:
    (stage.folder / "file").write_text("")
    for data in (str(stage.folder / "file/data"), "/proc/headgate"):
        served = stage.gate(configuration(stage.rehearsal.base_url, data=data))
        code, said = served.fails()
        assert code == 4 and f"{data}: cannot be written" in said and "change `gate.data`" in said and "Traceback" not in said
        told = served.headgate("key", "issue", "--workspace", "development", "--label", "x")
        assert told.returncode == 4 and f"{data}: cannot be written" in told.stderr


def test_a_folder_that_became_read_only_is_told_and_may_still_be_looked_at(stage: Stage, disk: Callable[[int], Path]) -> None:
    place = disk(80)
    served = stage.gate(configuration(stage.rehearsal.base_url, data=str(place))).start()
    key = served.key()["key"]
    assert served.respond(key).status == 200 and served.stop() == 0
    remount(place, "ro")
    code, said = served.fails()
    assert code == 4 and f"{place}: cannot be written (Read-only file system)" in said and "Traceback" not in said
    told = served.headgate("key", "issue", "--workspace", "development", "--label", "x")
    assert told.returncode == 4 and "Read-only file system" in told.stderr
    remount(place, "rw")
    assert served.start().respond(key).status == 200 and served.stop() == 0
    whole(served)


# -- not a ledger, or not this one ------------------------------------------------------------------------------------------


@pytest.fixture
def used(stage: Stage) -> Served:
    """A gate that served a few calls and stopped; its book is one file."""
    served = stage.gate().start()
    key = served.key()["key"]
    for _ in range(20):
        assert served.respond(key).status == 200
    assert served.stop() == 0
    return served


def book_of(served: Served) -> Path:
    return served.folder / "data/headgate.db"


def overwritten(file: Path, at: int, data: bytes) -> None:
    with file.open("r+b") as out:
        out.seek(at)
        out.write(data)


def _newer(file: Path) -> None:
    book = apsw.Connection(str(file))
    book.pragma("user_version", 99)
    book.close()


def _foreign(file: Path) -> None:
    file.unlink()
    book = apsw.Connection(str(file))
    book.execute("CREATE TABLE somebody_elses (x)")
    book.close()


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "random bytes": (lambda file: file.write_bytes(random.Random(1).randbytes(100_000)), "damaged, or not a Headgate ledger"),
    "a text": (lambda file: file.write_text("Dear diary"), "damaged, or not a Headgate ledger"),
    "its header is gone": (lambda file: overwritten(file, 0, bytes(100)), "damaged, or not a Headgate ledger"),
    "cut in half": (lambda file: os.truncate(file, file.stat().st_size // 2 // 4096 * 4096), "damaged, or not a Headgate ledger"),
    "cut within a page": (lambda file: os.truncate(file, 5_000), "damaged, or not a Headgate ledger"),
    "its first pages are gone": (lambda file: overwritten(file, 4096, random.Random(2).randbytes(8 * 4096)), "damaged"),
    "of a newer version": (_newer, "written by a newer Headgate (schema 99, this one knows"),
    "of another program": (_foreign, "a SQLite file, but not a Headgate ledger; point `gate.data` at the right folder"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_book_that_cannot_be_used_stops_the_start_and_every_command(used: Served, damage: str) -> None:
    spoil, told = DAMAGES[damage]
    file = book_of(used)
    spoil(file)
    before = file.read_bytes()
    code, said = used.fails()
    assert code == 4 and told in said and "headgate.db" in said and "Traceback" not in said, said
    for command in (("key", "list"), ("budget", "show"), ("price", "list"), ("ledger", "verify"), ("check",)):
        ended = used.headgate(*command)
        # Where the part that a command reads is whole, it may still be told.
        assert ended.returncode in (0, 4) and "Traceback" not in ended.stderr, (command, ended.stderr)
    assert used.headgate("ledger", "verify").returncode == 4
    ended = used.headgate("key", "issue", "--workspace", "development", "--label", "x")
    assert ended.returncode == 4 and told in ended.stderr
    assert file.read_bytes() == before, "nobody tries to mend what is not understood"


def test_a_page_that_was_changed_in_place_is_found_by_verify(used: Served) -> None:
    file = book_of(used)
    file.write_bytes(file.read_bytes().replace(b'"kind":"ending"', b'"kind":"endinG"'))
    ended = used.headgate("ledger", "verify")
    assert ended.returncode == 6 and "Traceback" not in ended.stderr


def test_an_empty_file_is_the_beginning_of_a_book(stage: Stage) -> None:
    served = stage.gate()
    book_of(served).parent.mkdir()
    book_of(served).write_bytes(b"")
    told = served.headgate("key", "list")
    assert told.returncode == 4 and "empty, or written by an older Headgate" in told.stderr
    assert served.start().respond(served.key()["key"]).status == 200 and served.stop() == 0


def test_rehearsed_and_real_calls_never_share_a_ledger(used: Served) -> None:
    used.write(used.text.replace("rehearsal = true", "rehearsal = false"))
    code, said = used.fails()
    assert code == 4 and "this ledger is a rehearsal one and the paths of headgate.toml are real" in said
    told = used.headgate("key", "issue", "--workspace", "development", "--label", "x")
    assert told.returncode == 4 and "Point `gate.data` at another folder" in told.stderr


def test_a_backup_that_was_put_back_is_whole_and_served_from(used: Served, stage: Stage) -> None:
    copy = stage.folder / "copy.db"
    shutil.copy(book_of(used), copy)
    key = used.start().key()["key"]
    assert used.respond(key).status == 200 and used.stop() == 0
    shutil.copy(copy, book_of(used))
    assert used.start().respond(key).code == "invalid_key", "the key is younger than the backup"
    assert used.process is not None and used.process.poll() is None
    assert used.stop() == 0
    whole(used)
