"""Which period an instant falls in, per calendar: nothing resets, a new period is simply another row.

Days and longer begin at local midnight of the calendar's zone, so a day in March may have 23 hours and one in October 25.
The zone itself is an argument; reading it from disk is not for a dry room.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo

import msgspec

from headgate.names import MICROSECONDS, Instant
from headgate.terms.budget import Calendar, Period

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_HOUR_US = 3600 * MICROSECONDS


class Span(msgspec.Struct, frozen=True, gc=False):
    """From `starts_us` (inside) to `ends_us` (outside), microseconds UTC."""

    starts_us: Instant
    ends_us: Instant


def instant_of(moment: datetime) -> Instant:
    """An aware datetime as microseconds UTC, without passing through a float."""
    return Instant((moment - _EPOCH) // _MICROSECOND)


def datetime_of(instant: Instant, zone: tzinfo = UTC) -> datetime:
    return (_EPOCH + timedelta(microseconds=instant)).astimezone(zone)


def _midnight(day: date, zone: tzinfo) -> Instant:
    return instant_of(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC))


def _month_later(day: date, months: int) -> date:
    month = day.month - 1 + months
    return date(day.year + month // 12, month % 12 + 1, 1)


def _first_day(period: Period, calendar: Calendar, day: date) -> tuple[date, date]:
    """The first day of the period that holds `day`, and of the next one."""
    if period is Period.DAY:
        return day, day + timedelta(days=1)
    if period is Period.WEEK:
        first = day - timedelta(days=(day.weekday() - calendar.week_start) % 7)
        return first, first + timedelta(days=7)
    months = {Period.MONTH: 1, Period.QUARTER: 3, Period.YEAR: 12}[period]
    since = (day.month - calendar.fiscal_month) % months
    first = _month_later(date(day.year, day.month, 1), -since)
    return first, _month_later(first, months)


def span_at(period: Period, calendar: Calendar, zone: tzinfo, instant: Instant) -> Span | None:
    """The period that holds `instant`; None when the calendar's term has not begun or is over."""
    if period is Period.TERM:
        assert calendar.term is not None, "a term has a first and a last day"
        first, last = (date.fromisoformat(text) for text in calendar.term)
        span = Span(_midnight(first, zone), _midnight(last + timedelta(days=1), zone))
        return span if span.starts_us <= instant < span.ends_us else None
    local = datetime_of(instant, zone)
    if period is Period.HOUR:
        offset = local.utcoffset() or timedelta()
        starts = instant - (instant + offset // _MICROSECOND) % _HOUR_US
        return Span(Instant(starts), Instant(starts + _HOUR_US))
    first, following = _first_day(period, calendar, local.date())
    return Span(_midnight(first, zone), _midnight(following, zone))
