"""Which period an instant falls in: every calendar, every zone, and both nights on which the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.ledger.period import Span, datetime_of, instant_of, span_at
from headgate.names import Instant
from headgate.terms.budget import Calendar, Period

HOUR_US = 3_600_000_000


def at(text: str, zone: str = "UTC") -> Instant:
    return instant_of(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC))


def span(period: Period, text: str, zone: str = "UTC", calendar: Calendar | None = None) -> Span:
    found = span_at(period, calendar or Calendar(zone=zone), ZoneInfo(zone), at(text, zone))
    assert found is not None
    return found


def shown(found: Span, zone: str = "UTC") -> tuple[str, str]:
    starts, ends = (f"{datetime_of(i, ZoneInfo(zone)):%Y-%m-%dT%H:%M}" for i in (found.starts_us, found.ends_us))
    return starts, ends


@pytest.mark.parametrize(
    ("period", "starts", "ends"),
    [
        (Period.HOUR, "2026-05-13T15:00", "2026-05-13T16:00"),
        (Period.DAY, "2026-05-13T00:00", "2026-05-14T00:00"),
        (Period.WEEK, "2026-05-11T00:00", "2026-05-18T00:00"),
        (Period.MONTH, "2026-05-01T00:00", "2026-06-01T00:00"),
        (Period.QUARTER, "2026-04-01T00:00", "2026-07-01T00:00"),
        (Period.YEAR, "2026-01-01T00:00", "2027-01-01T00:00"),
    ],
)
def test_a_period_begins_and_ends_where_people_say_it_does(period: Period, starts: str, ends: str) -> None:
    assert shown(span(period, "2026-05-13T15:42:07")) == (starts, ends)


def test_the_first_instant_is_inside_and_the_last_is_outside() -> None:
    found = span(Period.DAY, "2026-05-13T00:00")
    assert found.starts_us == at("2026-05-13T00:00")
    assert span_at(Period.DAY, Calendar(), UTC, Instant(found.ends_us - 1)) == found
    assert span_at(Period.DAY, Calendar(), UTC, found.ends_us) == Span(found.ends_us, Instant(found.ends_us + 24 * HOUR_US))


def test_a_day_in_spring_has_twenty_three_hours_and_one_in_autumn_twenty_five() -> None:
    spring, autumn = span(Period.DAY, "2026-03-29T12:00", "Europe/Berlin"), span(Period.DAY, "2026-10-25T12:00", "Europe/Berlin")
    assert (spring.ends_us - spring.starts_us, autumn.ends_us - autumn.starts_us) == (23 * HOUR_US, 25 * HOUR_US)
    assert shown(spring, "Europe/Berlin") == ("2026-03-29T00:00", "2026-03-30T00:00")
    assert shown(autumn, "Europe/Berlin") == ("2026-10-25T00:00", "2026-10-26T00:00")


def test_the_hour_that_comes_twice_is_two_hours() -> None:
    first, second = at("2026-10-25T00:30"), at("2026-10-25T01:30")  # both 02:30 in Berlin
    spans = [span_at(Period.HOUR, Calendar(), ZoneInfo("Europe/Berlin"), instant) for instant in (first, second)]
    assert [found.ends_us - found.starts_us for found in spans if found] == [HOUR_US, HOUR_US]
    assert spans[0] is not None and spans[1] is not None and spans[0].ends_us == spans[1].starts_us


def test_an_hour_in_a_zone_with_half_an_hour_begins_on_the_local_hour() -> None:
    assert shown(span(Period.HOUR, "2026-05-13T15:42", "Asia/Kolkata")) == ("2026-05-13T09:30", "2026-05-13T10:30")
    assert shown(span(Period.HOUR, "2026-05-13T15:42", "Asia/Kathmandu"), "Asia/Kathmandu") == ("2026-05-13T15:00", "2026-05-13T16:00")


def test_a_day_in_a_zone_with_half_an_hour_begins_at_its_own_midnight() -> None:
    assert shown(span(Period.DAY, "2026-05-13T00:10", "Asia/Kolkata")) == ("2026-05-12T18:30", "2026-05-13T18:30")


def test_where_midnight_does_not_exist_the_day_begins_with_its_first_instant() -> None:
    found = span(Period.DAY, "2026-09-06T12:00", "America/Santiago")  # the clock goes from 24:00 to 01:00
    assert shown(found, "America/Santiago") == ("2026-09-06T01:00", "2026-09-07T00:00")
    assert found.ends_us - found.starts_us == 23 * HOUR_US


def test_a_week_may_start_on_friday() -> None:
    friday = Calendar(week_start=4)
    assert shown(span(Period.WEEK, "2026-05-14T23:59", calendar=friday)) == ("2026-05-08T00:00", "2026-05-15T00:00")
    assert shown(span(Period.WEEK, "2026-05-15T00:00", calendar=friday)) == ("2026-05-15T00:00", "2026-05-22T00:00")


def test_a_week_over_the_change_of_the_clocks_is_an_hour_short() -> None:
    found = span(Period.WEEK, "2026-03-25T12:00", "Europe/Berlin")
    assert found.ends_us - found.starts_us == (7 * 24 - 1) * HOUR_US


@pytest.mark.parametrize(
    ("month", "day", "quarter", "year"),
    [
        (10, "2026-05-13", ("2026-04-01", "2026-07-01"), ("2025-10-01", "2026-10-01")),
        (2, "2026-05-13", ("2026-05-01", "2026-08-01"), ("2026-02-01", "2027-02-01")),
        (2, "2026-01-31", ("2025-11-01", "2026-02-01"), ("2025-02-01", "2026-02-01")),
        (7, "2026-12-31", ("2026-10-01", "2027-01-01"), ("2026-07-01", "2027-07-01")),
    ],
)
def test_fiscal_years_and_quarters_begin_in_the_month_that_is_set(
    month: int, day: str, quarter: tuple[str, str], year: tuple[str, str]
) -> None:
    fiscal = Calendar(fiscal_month=month)
    for period, expected in ((Period.QUARTER, quarter), (Period.YEAR, year)):
        assert tuple(text[:10] for text in shown(span(period, f"{day}T12:00", calendar=fiscal))) == expected


def test_a_month_is_not_moved_by_the_fiscal_year() -> None:
    assert shown(span(Period.MONTH, "2026-01-31T12:00", calendar=Calendar(fiscal_month=10))) == ("2026-01-01T00:00", "2026-02-01T00:00")


def test_a_leap_day_belongs_to_february() -> None:
    assert shown(span(Period.MONTH, "2028-02-29T23:59")) == ("2028-02-01T00:00", "2028-03-01T00:00")


def test_a_term_has_its_first_and_its_last_day_inside_and_nothing_else() -> None:
    term = Calendar(zone="Europe/Berlin", term=("2026-04-01", "2027-03-31"))
    zone = ZoneInfo("Europe/Berlin")
    found = span_at(Period.TERM, term, zone, at("2027-03-31T23:59:59", "Europe/Berlin"))
    assert found is not None and shown(found, "Europe/Berlin") == ("2026-04-01T00:00", "2027-04-01T00:00")
    assert span_at(Period.TERM, term, zone, at("2026-03-31T23:59:59", "Europe/Berlin")) is None
    assert span_at(Period.TERM, term, zone, at("2027-04-01T00:00", "Europe/Berlin")) is None


def test_a_term_without_days_is_a_bug_of_the_caller() -> None:
    with pytest.raises(AssertionError, match="first and a last day"):
        span_at(Period.TERM, Calendar(), UTC, at("2026-01-01T00:00"))


def test_an_instant_survives_the_way_to_a_date_and_back_to_the_microsecond() -> None:
    assert instant_of(datetime_of(Instant(1_790_000_000_123_457))) == 1_790_000_000_123_457


ZONES = ("UTC", "Europe/Berlin", "America/New_York", "America/Santiago", "Asia/Kolkata", "Asia/Kathmandu", "Africa/Cairo",
         "Australia/Lord_Howe", "Pacific/Apia", "America/Havana", "America/St_Johns")  # fmt: skip


@given(
    st.sampled_from([period for period in Period if period not in (Period.TERM, Period.HOUR)]),
    st.sampled_from(ZONES), st.integers(0, 6), st.integers(1, 12),
    st.integers(1_735_689_600_000_000, 2_051_222_400_000_000),
)  # fmt: skip
def test_periods_follow_each_other_without_a_gap_or_an_overlap(period: Period, zone: str, week: int, month: int, instant: int) -> None:
    calendar = Calendar(zone, week, month)
    found = span_at(period, calendar, ZoneInfo(zone), Instant(instant))
    assert found is not None and found.starts_us <= instant < found.ends_us
    assert span_at(period, calendar, ZoneInfo(zone), found.starts_us) == found
    following = span_at(period, calendar, ZoneInfo(zone), found.ends_us)
    assert following is not None and following.starts_us == found.ends_us


@given(st.sampled_from(ZONES), st.integers(1_735_689_600_000_000, 2_051_222_400_000_000))
def test_an_instant_lies_in_its_hour(zone: str, instant: int) -> None:
    found = span_at(Period.HOUR, Calendar(zone), ZoneInfo(zone), Instant(instant))
    assert found is not None and found.starts_us <= instant < found.ends_us == found.starts_us + HOUR_US
