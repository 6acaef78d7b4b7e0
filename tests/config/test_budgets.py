from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from tests.config.written import GOOD, changed, loaded

from headgate.config.budgets import with_share, workspace_rules
from headgate.config.kinds import Share
from headgate.config.settings import Cap, Draw, Organisation
from headgate.ledger.period import span_at
from headgate.money import MAX_CAP, NANO_PER_DOLLAR
from headgate.names import Instant
from headgate.terms.budget import BudgetRule, Calendar, Measure, Period
from headgate.terms.caller import Dimension

DOLLAR = NANO_PER_DOLLAR
HOUR_US = 3_600_000_000
FRIDAY_1800 = 1_795_195_800_000_000 - 1_800_000_000  # 2026-11-20T17:00:00Z, 18:00 in Berlin
MONTH = BudgetRule(Dimension.ORGANISATION, "all", Period.MONTH, Measure.MONEY, 100)


def caps_of(folder: Path, text: str) -> dict[str, int]:
    return {rule.name: rule.cap for rule in loaded(folder, text).rules}


def test_a_cap_a_month_brings_its_two_brakes(tmp_path: Path) -> None:
    assert caps_of(tmp_path, GOOD) == {
        "workspace:ci/month/money": 1000 * DOLLAR,
        "workspace:ci/day/money": 150 * DOLLAR,
        "workspace:ci/week/money": 300 * DOLLAR,
        "workspace:development/month/money": 500 * DOLLAR,
        "workspace:development/day/money": 75 * DOLLAR,
        "workspace:development/week/money": 150 * DOLLAR,
        "workspace:production/month/money": 5000 * DOLLAR,
        "workspace:production/day/money": 750 * DOLLAR,
        "workspace:production/week/money": 1500 * DOLLAR,
    }


def test_a_cap_that_was_written_stands_instead_of_the_brake(tmp_path: Path) -> None:
    text = changed('"500"', '"500"\ncaps.day = "400"\nweek_brake = "off"\ntoken_caps.hour = 9')
    caps = {name: cap for name, cap in caps_of(tmp_path, text).items() if "development" in name}
    assert caps == {
        "workspace:development/month/money": 500 * DOLLAR,
        "workspace:development/day/money": 400 * DOLLAR,
        "workspace:development/hour/tokens": 9,
    }


def test_weeks_begin_on_friday_unless_it_is_written_otherwise(tmp_path: Path) -> None:
    rules = {rule.name: rule for rule in loaded(tmp_path, changed('"500"', '"500"\nweek_starts = "monday"')).rules}
    assert rules["workspace:ci/week/money"].calendar == Calendar("Europe/Berlin", 4, 1)
    assert rules["workspace:development/week/money"].calendar == Calendar("Europe/Berlin", 0, 1)


def test_a_runaway_from_friday_evening_to_monday_morning_eats_at_most_three_tenths_of_the_month() -> None:
    """What all periods that the weekend touches allow together, by the ledger's own calendar."""
    rules = list(workspace_rules("ci", Draw((Cap(Period.MONTH, Measure.MONEY, 1000),), 15, 30, 4), Organisation("A", "Europe/Berlin", 1)))
    week = next(rule for rule in rules if rule.period is Period.WEEK)
    hours = [Instant(FRIDAY_1800 + hour * HOUR_US) for hour in range(62)]
    weeks = {span_at(Period.WEEK, week.calendar, ZoneInfo("Europe/Berlin"), hour) for hour in hours}
    assert len(weeks) * week.cap <= 300


def test_a_budget_at_any_level_becomes_a_rule_with_its_own_calendar(tmp_path: Path) -> None:
    budget = """
[[budget]]
scope = "team:payments"
period = "quarter"
token_cap = 5_000_000
workspace = "ci"
time_zone = "UTC"
fiscal_month = 4
week_starts = "sunday"

[[budget]]
scope = "commitment:annual"
period = "term"
cap = "1000000"
first_day = 2026-06-10
last_day = 2027-06-09
reserve_production = "25%"
"""
    rules = {rule.name: rule for rule in loaded(tmp_path, GOOD + budget).rules}
    assert rules["team:payments@ci/quarter/tokens"] == BudgetRule(
        Dimension.TEAM, "payments", Period.QUARTER, Measure.TOKENS, 5_000_000, Calendar("UTC", 6, 4), "ci"
    )
    assert rules["commitment:annual/term/money"].calendar.term == ("2026-06-10", "2027-06-09")
    assert rules["commitment:annual-production/term/money"].cap == 750_000 * DOLLAR


def test_the_organisations_caps_keep_productions_share(tmp_path: Path) -> None:
    text = changed('name = "Acme"', 'name = "Acme"\ncaps.month = "6000"\ntoken_caps.day = 1_000\nreserve_production = "60%"')
    rules = {rule.name: rule for rule in loaded(tmp_path, text).rules}
    assert rules["organisation:all/month/money"].cap == 6000 * DOLLAR
    assert rules["organisation:all-production/month/money"].cap == 2400 * DOLLAR
    assert rules["organisation:all-production/month/money"].except_environment == "production"
    assert rules["organisation:all-production/day/tokens"].cap == 400


def test_rules_come_from_the_widest_to_the_narrowest(tmp_path: Path) -> None:
    budgets = "".join(f'\n[[budget]]\nscope = "{scope}:*"\nperiod = "day"\ncap = "1"\n' for scope in ("session", "user", "key"))
    places = [list(Dimension).index(rule.dimension) for rule in loaded(tmp_path, GOOD + budgets).rules]
    assert places == sorted(places)


@given(st.integers(2, MAX_CAP), st.integers(1, 99))
def test_the_share_of_production_is_never_rounded_away(cap: int, percent: int) -> None:
    whole, others = with_share(BudgetRule(Dimension.ORGANISATION, "all", Period.MONTH, Measure.MONEY, cap), Share(percent=percent))
    assert (whole.cap - others.cap) * 100 >= cap * percent
    assert 0 <= others.cap < whole.cap
    assert whole.except_environment is None


def test_a_cap_without_a_share_has_no_twin() -> None:
    assert list(with_share(MONTH, None)) == [MONTH]


@given(st.integers(1, MAX_CAP), st.integers(1, 100), st.integers(1, 100))
def test_a_brake_is_never_more_than_its_part_and_never_nothing(month: int, day: int, week: int) -> None:
    draw = Draw((Cap(Period.MONTH, Measure.MONEY, month),), day, week, 4)
    rules = {rule.period: rule.cap for rule in workspace_rules("ci", draw, Organisation("A", "UTC", 1))}
    for period, percent in ((Period.DAY, day), (Period.WEEK, week)):
        assert 1 <= rules[period] <= max(month * percent // 100, 1)
