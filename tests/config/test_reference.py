from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.config.written import loaded

from headgate.config.reference import default_file, settings_page
from headgate.config.table import SECTIONS
from headgate.money import NANO_PER_DOLLAR
from headgate.terms.caller import Environment


def test_the_first_file_has_three_workspaces_one_path_and_only_known_cautions(tmp_path: Path) -> None:
    settings = loaded(tmp_path, default_file())
    assert {name: one.environment for name, one in settings.workspaces.items()} == {one.value: one for one in Environment}
    caps = {rule.name: rule.cap // NANO_PER_DOLLAR for rule in settings.rules if "/month/" in rule.name}
    assert caps == {
        "workspace:development/month/money": 500,
        "workspace:ci/month/money": 1000,
        "workspace:production/month/money": 5000,
    }
    assert [str(path.credential) for path in settings.paths.values()] == ["Secret(env:OPENAI_API_KEY)"]
    assert [caution.key for caution in settings.cautions] == ["paths.openai"]
    assert settings.paths["openai"].reserved_production == 64


def test_the_first_file_can_lead_to_a_rehearsal(tmp_path: Path) -> None:
    text = default_file(
        "Acme", "Europe/Berlin", path="rehearsal", base_url="http://127.0.0.1:9000/v1", rehearsal=True, listen="127.0.0.1:0"
    )
    settings = loaded(tmp_path, text)
    assert settings.rehearsal
    assert settings.cautions == ()
    assert settings.gate.listen.port == 0


def test_what_stands_behind_a_hash_in_the_first_file_is_right_as_well(tmp_path: Path) -> None:
    text = re.sub(r"^# (?=\[\[|scope|period|cap|reserve)", "", default_file(), flags=re.MULTILINE)
    settings = loaded(tmp_path, text)
    names = {rule.name for rule in settings.rules}
    assert {"organisation:all/month/money", "organisation:all-production/month/money", "user:*/day/money"} <= names


@given(st.text(min_size=1, max_size=100).filter(lambda text: text.isprintable() and text == text.strip()))
def test_any_printable_name_survives_being_written(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    assert loaded(tmp_path_factory.mktemp("config"), default_file(name)).organisation.name == name


def test_the_page_has_a_row_for_every_setting() -> None:
    page = settings_page()
    for section in SECTIONS.values():
        part = page.partition(f"## `{section.header}`")[2].partition("\n## ")[0]
        assert [line.split("`")[1] for line in part.split("\n") if line.startswith("| `")] == [setting.key for setting in section.settings]


def test_the_examples_of_the_page_are_a_file_that_loads(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "\n".join(re.findall(r"```toml\n(.*?)```", settings_page(), re.DOTALL)))
    assert list(settings.workspaces) == ["development"]
    assert len(settings.budgets) == 1
