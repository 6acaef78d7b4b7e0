"""The headgate.toml of a trial: one rehearsal behind every path, whatever workspaces and caps the trial is about."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from headgate.config.load import load
from headgate.config.settings import Settings
from headgate.trials.stage import CREDENTIAL_FILE, LOCAL

_HEAD = """\
[gate]
listen = "{local}:{port}"
data = "data"
drain_seconds = {drain_seconds}

[house]
listen = "{local}:{house_port}"

[organisation]
name = "Trial"
"""

_PATH = """
[paths.{name}]
base_url = "http://{local}:{port}/v1"
credential = "file:{file}"
rehearsal = true
"""

_WORKSPACE = """
[workspaces.{name}]
environment = "{environment}"
models = ["*"]
"""


def head(port: int, house_port: int = 1, drain_seconds: int = 60) -> str:
    """[gate], [house] and, last, [organisation], so that its caps may follow."""
    return _HEAD.format(local=LOCAL, port=port, house_port=house_port, drain_seconds=drain_seconds)


def path(name: str, rehearsal_port: int, settings: Mapping[str, str] | None = None) -> str:
    """One path to the rehearsal; `settings` are right sides of equals signs, in TOML."""
    return _PATH.format(name=name, local=LOCAL, port=rehearsal_port, file=CREDENTIAL_FILE) + _lines(settings)


def workspace(name: str, environment: str, settings: Mapping[str, str]) -> str:
    return _WORKSPACE.format(name=name, environment=environment) + _lines({"paths": '["openai"]', **settings})


def budget(settings: Mapping[str, str]) -> str:
    return "\n[[budget]]\n" + _lines(settings)


def read(file: Path) -> Settings:
    return load(file, os.environ)


def _lines(settings: Mapping[str, str] | None) -> str:
    return "".join(f"{name} = {value}\n" for name, value in (settings or {}).items())
