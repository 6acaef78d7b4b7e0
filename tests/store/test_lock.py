"""One process writes the book; whoever else wants to is told which one does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from headgate.store.lock import DataLock, holder
from headgate.store.sqlite import StoreError

TAKE = """
import sys, pathlib
from headgate.store.lock import DataLock
DataLock(pathlib.Path(sys.argv[1])).take()
print("taken", flush=True)
input()
"""


def test_the_folder_is_made_for_this_user_alone(tmp_path: Path) -> None:
    DataLock(tmp_path / "data").take()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data/lock").stat().st_mode & 0o777 == 0o600


def test_a_second_process_is_told_who_holds_the_folder_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", TAKE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None and other.stdout.readline() == b"taken\n"
    with pytest.raises(StoreError, match=f"in use by process {other.pid}; a running gate takes commands over its socket"):
        DataLock(tmp_path).take()
    assert holder(tmp_path)
    other.send_signal(signal.SIGKILL)
    other.communicate()
    assert not holder(tmp_path)
    DataLock(tmp_path).take()


def test_a_lock_that_was_released_can_be_taken_again(tmp_path: Path) -> None:
    lock = DataLock(tmp_path)
    lock.release()
    for _ in range(2):
        lock.take()
        assert (tmp_path / "lock").read_text("ascii") == str(os.getpid())
        lock.release()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file, not a folder")
    with pytest.raises(StoreError, match=r"cannot be written .*create it for this user or change `gate\.data`"):
        DataLock(tmp_path / "file" / "data").take()
