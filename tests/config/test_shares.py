from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.config.written import GOOD, changed, loaded, problems

from headgate.config.shares import SPANNING, most_within
from headgate.ledger.period import span_at
from headgate.names import Instant
from headgate.terms.budget import BudgetRule, Calendar, Measure, Period
from headgate.terms.caller import Dimension

SHARED = changed('paths = ["protected"]', 'paths = ["openai", "protected"]')


def budget(scope: str, cap: str, more: str = "") -> str:
    return f'\n[[budget]]\nscope = "{scope}"\nperiod = "month"\ncap = "{cap}"\n{more}\n'


@pytest.mark.parametrize(
    "scope", ["organisation", "path:openai", "path:*", "model:gpt-5.5", "model:*", "team:payments", "customer:*", "use:search"]
)
def test_a_shared_cap_that_others_could_use_up_is_refused_where_it_stands(tmp_path: Path, scope: str) -> None:
    told = problems(tmp_path, SHARED + budget(scope, "6499"))
    assert [problem.key for problem in told] == ["budget[1].scope"]
    assert told[0].line == SHARED.count("\n") + 3
    assert "ci, development" in told[0].found
    assert "reserve_production" in told[0].expected


def test_a_shared_cap_that_is_a_nano_dollar_too_small_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, SHARED + budget("organisation", "6499.999999999"))


@pytest.mark.parametrize("scope", ["organisation", "path:openai", "model:*", "team:payments"])
def test_a_share_or_a_cap_that_all_together_cannot_fill_makes_it_safe(tmp_path: Path, scope: str) -> None:
    assert loaded(tmp_path, SHARED + budget(scope, "6500"))
    assert loaded(tmp_path, SHARED + budget(scope, "100", 'reserve_production = "10%"'))


def test_the_organisations_own_cap_is_looked_at_in_the_same_way(tmp_path: Path) -> None:
    told = problems(tmp_path, changed('name = "Acme"', 'name = "Acme"\ncaps.month = "6499"'))
    assert [(problem.key, problem.line) for problem in told] == [("organisation.caps.month", 3)]
    assert loaded(tmp_path, changed('name = "Acme"', 'name = "Acme"\ncaps.month = "6500"'))


@pytest.mark.parametrize(
    ("scope", "more"),
    [
        ("path:openai", ""),  # production uses another path
        ("path:*", ""),
        ("user:*", ""),  # a person's own cap
        ("key:*", ""),
        ("workspace:*", ""),
        ("organisation", 'workspace = "ci"'),
        ("commitment:*", ""),  # no path draws on one
        ("model:gpt-5.4", ""),  # only development may use it
    ],
)
def test_a_cap_that_production_does_not_share_needs_no_share(tmp_path: Path, scope: str, more: str) -> None:
    assert loaded(tmp_path, GOOD + budget(scope, "1", more))


def test_a_commitment_is_shared_by_the_paths_that_draw_on_it(tmp_path: Path) -> None:
    text = GOOD.replace('base_url = "https://api.openai.com/v1"', 'base_url = "https://api.openai.com/v1"\ncommitment = "annual"')
    assert "could use up" in problems(tmp_path, text + budget("commitment:annual", "10"))[0].found
    assert "could use up" in problems(tmp_path, text + budget("commitment:*", "10"))[0].found
    assert loaded(tmp_path, text + budget("commitment:other", "10"))


def test_tokens_are_not_limited_by_caps_in_money(tmp_path: Path) -> None:
    text = GOOD + budget("organisation", "1").replace('cap = "1"', "token_cap = 4_000_000_000_000")
    assert "could use up" in problems(tmp_path, text)[0].found


def test_every_dimension_is_either_one_callers_own_or_looked_at() -> None:
    own = {Dimension.WORKSPACE, Dimension.USER, Dimension.KEY, Dimension.SESSION, Dimension.PULL_REQUEST}
    assert SPANNING.isdisjoint(own)
    assert SPANNING | own == set(Dimension)


PERIODS = st.sampled_from([period for period in Period if period is not Period.TERM])
CALENDARS = st.builds(Calendar, st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]), st.integers(0, 6), st.integers(1, 12))
INSTANTS = st.integers(1_700_000_000, 1_900_000_000).map(lambda second: Instant(second * 1_000_000))


def rule(period: Period, calendar: Calendar, cap: int = 1) -> BudgetRule:
    return BudgetRule(Dimension.WORKSPACE, "ci", period, Measure.MONEY, cap, calendar)


@given(PERIODS, CALENDARS, PERIODS, CALENDARS, INSTANTS)
def test_no_period_of_a_cap_ever_holds_more_than_was_reckoned(
    outer: Period, outer_calendar: Calendar, inner: Period, inner_calendar: Calendar, instant: Instant
) -> None:
    """Walk through one period of the cap by the ledger's own calendar and count the periods of the workspace's cap that it touches."""
    span = span_at(outer, outer_calendar, ZoneInfo(outer_calendar.zone), instant)
    assert span is not None
    touched, at = 0, span.starts_us
    while at < span.ends_us and touched < 400:
        within = span_at(inner, inner_calendar, ZoneInfo(inner_calendar.zone), at)
        assert within is not None
        touched, at = touched + 1, within.ends_us
    most = most_within(rule(outer, outer_calendar), [rule(inner, inner_calendar)])
    assert most is not None
    assert touched <= most or touched == 400


def test_the_tightest_cap_counts_and_one_in_another_unit_does_not() -> None:
    calendar = Calendar()
    caps = [rule(Period.MONTH, calendar, 100), rule(Period.DAY, calendar, 2), rule(Period.YEAR, calendar, 90)]
    assert most_within(rule(Period.MONTH, calendar), caps) == 68  # 2 a day, at most 34 days reckoned
    assert most_within(rule(Period.MONTH, calendar), []) is None


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.integers(1, 10_000), st.integers(1, 20_000), st.sampled_from(["", "20%", "90%"]))
def test_in_every_accepted_file_something_is_left_for_production_whatever_the_others_do(
    tmp_path_factory: pytest.TempPathFactory, development: int, ci: int, production: int, cap: int, share: str
) -> None:
    folder = tmp_path_factory.mktemp("config")
    text = GOOD.replace('"500"', f'"{development}"').replace('"1000"', f'"{ci}"').replace('"5000"', f'"{production}"')
    text += budget("organisation", str(cap), f'reserve_production = "{share}"' if share else "")
    safe = bool(share) or development + ci + production <= cap
    if not safe:
        assert problems(folder, text)
        return
    caps = {one.name: one.cap for one in loaded(folder, text).rules}
    whole = caps["organisation:all/month/money"]
    others = caps["workspace:development/month/money"] + caps["workspace:ci/month/money"]
    others = min(others, caps.get("organisation:all-production/month/money", whole))
    assert whole - others >= min(caps["workspace:production/month/money"], whole // 5)
