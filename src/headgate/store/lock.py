"""The lock on the data folder: one process writes the book, whoever else wants to is told which one."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from headgate.store.fault import StoreError


class DataLock:
    """Held from `take` until the process ends or `release`; a killed process releases it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "lock"
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises StoreError when the folder cannot be written or another process holds it."""
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"{self._file.parent}: cannot be written ({error.strerror}); create it for this user or change `gate.data`"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise StoreError(
                f"{self._file.parent}: in use by process {holder}; a running gate takes commands over its socket, "
                "or stop it before you work offline"
            ) from error
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        except OSError as error:
            os.close(descriptor)
            raise StoreError(f"{self._file.parent}: cannot be written ({error.strerror}); free some space, nothing was lost") from error
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def holder(folder: Path) -> bool:
    """Whether a process holds the folder now."""
    lock = DataLock(folder)
    try:
        lock.take()
    except StoreError:
        return True
    lock.release()
    return False
