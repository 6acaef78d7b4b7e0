"""How a command reaches the book: over the socket of a running gate, or offline under the data lock."""

from __future__ import annotations

import getpass
import os
import socket
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from headgate.assembly import SYSTEM_CLOCK, open_ledger
from headgate.cli.ending import Exit, fail
from headgate.config.load import load
from headgate.config.problem import ConfigError
from headgate.config.settings import Settings
from headgate.control.carry import Situation, carry_out
from headgate.control.command import Change, Drain, Reload, Status, Wrong, encoder
from headgate.gateway.socket import fits
from headgate.store.folder import LEDGER_FILE, SOCKET_FILE
from headgate.store.lock import DataLock
from headgate.store.sqlite import Database, StoreError, explaining, open_reader

config_option = click.option(
    "--config", "config_file", type=click.Path(path_type=Path), default=Path("headgate.toml"), show_default=True, help="The configuration."
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")


def read_settings(file: Path) -> Settings:
    """The settings, or the end of the command with everything that is wrong with them."""
    try:
        return load(file, os.environ)
    except ConfigError as error:
        refuse(file, error)


def refuse(file: Path, error: ConfigError) -> NoReturn:
    """End the command with everything that is wrong with the configuration."""
    fail(Exit.CONFIG, f"{len(error.problems)} problem(s) in {file}:\n" + "\n".join(f"  {problem}" for problem in error.problems))


def actor() -> str:
    """Who gives the command, for the record."""
    return os.environ.get("HEADGATE_ACTOR") or getpass.getuser()


def command(settings: Settings, asked: Change) -> Any:  # Any: JSON that the caller converts to the answer it knows
    """Carry out a change: by the running gate when there is one, else offline under the data lock."""
    answer = _by_socket(settings, asked)
    return answer if answer is not None else _offline(settings, asked)


def ask_gate(settings: Settings, asked: Reload | Status | Drain) -> Any:  # Any: see above
    answer = _by_socket(settings, asked)
    if answer is None:
        fail(Exit.FAILED, f"no gate runs on {settings.gate.data}; start it with `headgate serve`")
    return answer


def _by_socket(settings: Settings, asked: msgspec.Struct) -> Any | None:
    file = settings.gate.data / SOCKET_FILE
    if not fits(file):
        return None  # no gate can serve from there either, and it says so
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(60)
            connection.connect(str(file))
            connection.sendall(encoder.encode(asked) + b"\n")
            with connection.makefile("rb") as lines:
                line = lines.readline()
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        return None
    except PermissionError:
        fail(Exit.STORE, f"{file}: not yours; the socket is for the user that the gate runs as, so run this command as that user")
    except OSError as error:
        fail(Exit.FAILED, f"the gate does not answer on {file} ({error}); look at its log")
    if not line:
        fail(Exit.FAILED, "the gate closed the connection without an answer; look at its log")
    answer = msgspec.json.decode(line)
    if "error" in answer:
        fail(Exit.FAILED, answer["error"])
    return answer["ok"]


def _offline(settings: Settings, asked: Change) -> Any:  # Any: see above
    lock = DataLock(settings.gate.data)
    try:
        lock.take()
        with explaining(settings.gate.data / LEDGER_FILE):
            ledger = open_ledger(settings, SYSTEM_CLOCK)
            with closing(ledger.database):
                ledger.begin()
                answer = carry_out(ledger, asked, Situation(tuple(settings.workspaces), settings.rules))
                ledger.commit()
    except Wrong as error:
        fail(Exit.FAILED, str(error))
    except StoreError as error:
        fail(Exit.STORE, str(error))
    finally:
        lock.release()
    return msgspec.json.decode(msgspec.json.encode(answer))


def read_book(settings: Settings) -> Database:
    """The book, read only; of a running gate too."""
    try:
        return open_reader(settings.gate.data / LEDGER_FILE)
    except StoreError as error:
        fail(Exit.STORE, str(error))
