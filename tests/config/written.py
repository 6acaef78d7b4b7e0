"""A small configuration to change in tests, and the two ways to load it."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.config.load import load
from headgate.config.problem import ConfigError, Problem
from headgate.config.settings import Settings

ENVIRONMENT = {"OPENAI_API_KEY": "sk-shared", "PRODUCTION_KEY": "sk-production", "SAME_KEY": "sk-shared"}

GOOD = """\
[organisation]
name = "Acme"
time_zone = "Europe/Berlin"

[paths.openai]
base_url = "https://api.openai.com/v1"
credential = "env:OPENAI_API_KEY"

[paths.protected]
base_url = "https://api.openai.com/v1"
credential = "env:PRODUCTION_KEY"

[workspaces.development]
environment = "development"
paths = ["openai"]
models = ["*"]
caps.month = "500"

[workspaces.ci]
environment = "ci"
paths = ["openai"]
models = ["gpt-5.5"]
caps.month = "1000"

[workspaces.production]
environment = "production"
paths = ["protected"]
models = ["gpt-5.5"]
caps.month = "5000"
"""


def loaded(folder: Path, text: str) -> Settings:
    file = folder / "headgate.toml"
    file.write_text(text, encoding="utf-8", newline="")
    return load(file, ENVIRONMENT)


def problems(folder: Path, text: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text)
    return caught.value.problems


def changed(old: str, new: str, text: str = GOOD) -> str:
    assert text.count(old) == 1, f"{old!r} stands once in the text"
    return text.replace(old, new)
