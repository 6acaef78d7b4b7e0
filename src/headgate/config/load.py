"""From a file to settings, or to everything that is wrong with it."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import msgspec

from headgate.config.budgets import compile_rules
from headgate.config.build import build
from headgate.config.kinds import describe, nearest
from headgate.config.lines import locate
from headgate.config.problem import ConfigError, Problem
from headgate.config.reading import Reading
from headgate.config.settings import Settings
from headgate.config.table import SECTIONS

MOST_BYTES = 4 * 1024 * 1024
EXAMPLE = "headgate init (writes a file to start from)"

_AT_LINE = re.compile(r"(.*) \(at line ([0-9]+), column ([0-9]+)\)", re.DOTALL)


def load(file: Path, environment: Mapping[str, str]) -> Settings:
    """The settings of one file. Raises ConfigError with every problem that can be told apart."""
    text, digest = _text(file)
    table = _parse(file, text)
    reading = Reading(file.name, locate(text))
    for name in table:
        if name not in SECTIONS:
            homes = [section.header for section in SECTIONS.values() if any(setting.key == name for setting in section.settings)]
            hint = nearest(name, list(SECTIONS)) or (f"; it belongs to {' or '.join(homes)}" if homes else "")
            known = ", ".join(section.header for section in SECTIONS.values())
            reading.problem((name,), f"one of {known}", f"the unknown name {describe(name)}{hint}", "[workspaces.development]")
    settings = build(reading, table, file, digest, environment)
    if settings is None or reading.problems:
        raise ConfigError(reading.problems)
    return msgspec.structs.replace(settings, rules=compile_rules(settings), cautions=tuple(reading.cautions))


def _text(file: Path) -> tuple[str, str]:
    try:
        with file.open("rb") as opened:
            raw = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError([Problem(str(file), 0, "", "a file that can be read", error.strerror or "an error", EXAMPLE)]) from None
    if len(raw) > MOST_BYTES:
        raise ConfigError([Problem(str(file), 0, "", f"at most {MOST_BYTES:,} bytes", "more", EXAMPLE)])
    try:
        return raw.decode("utf-8"), hashlib.sha256(raw).hexdigest()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(file.name, line, "", "text in UTF-8", "a byte that is not", EXAMPLE)]) from None


def _parse(file: Path, text: str) -> dict[str, object]:
    try:
        return cast("dict[str, object]", tomllib.loads(text))
    except RecursionError:
        raise ConfigError(
            [Problem(file.name, 0, "", "lists and tables a few levels deep", "hundreds of levels", "[workspaces.ci]")]
        ) from None
    except ValueError as error:  # TOMLDecodeError, or a number with too many digits
        told = _AT_LINE.fullmatch(str(error))
        if told:
            line, found = int(told[2]), f"at column {told[3]}: {told[1]}"
        elif "end of document" in str(error):
            line, found = max(len(text.rstrip().splitlines()), 1), str(error)
        else:
            line, found = 0, str(error)
        raise ConfigError([Problem(file.name, line, "", "TOML (https://toml.io)", found, 'name = "value"')]) from None
