from __future__ import annotations

import tomllib

import pytest

from headgate.config.budgets import workspace_rules
from headgate.config.settings import Cap, Draw, Organisation
from headgate.config.table import SECTIONS, Section, Setting
from headgate.money import NANO_PER_DOLLAR
from headgate.terms.budget import Measure, Period

ALL = [(section, setting) for section in SECTIONS.values() for setting in section.settings]


@pytest.mark.parametrize(("section", "setting"), ALL, ids=[f"{section.header} {setting.key}" for section, setting in ALL])
def test_every_default_and_every_example_is_what_its_setting_expects(section: Section, setting: Setting[object]) -> None:
    assert setting.kind.read(tomllib.loads(f"value = {setting.example}")["value"]) is not None
    assert setting.needed or setting.default is None or setting.fallback() is not None
    assert setting.means.endswith(".")
    assert not (setting.needed and setting.default)


@pytest.mark.parametrize("section", SECTIONS.values(), ids=list(SECTIONS))
def test_a_setting_stands_once_in_its_table(section: Section) -> None:
    keys = [setting.key for setting in section.settings]
    assert len(keys) == len(set(keys))


def test_the_default_brakes_leave_most_of_the_month_after_a_weekend_that_nobody_watched() -> None:
    organisation = Organisation("Acme", "Europe/Berlin", 1)
    draw = Draw((Cap(Period.MONTH, Measure.MONEY, 1000 * NANO_PER_DOLLAR),), 15, 30, 4)
    rules = {rule.period: rule for rule in workspace_rules("ci", draw, organisation)}
    assert rules[Period.DAY].cap == 150 * NANO_PER_DOLLAR
    assert rules[Period.WEEK].cap == 300 * NANO_PER_DOLLAR
    assert rules[Period.WEEK].calendar.week_start == 4  # Friday to Monday lies in one week
