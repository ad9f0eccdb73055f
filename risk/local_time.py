"""Instants as whole milliseconds since 1970 UTC; the calendar of Asia/Shanghai (UTC+8, no summer time since 1991)."""

from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
OFFSET_MS = 8 * HOUR_MS

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_HERE = _EPOCH.astimezone(SHANGHAI)
_EPOCH_DAY = date(1970, 1, 1).toordinal()


def to_ms(instant: datetime) -> int:
    """Whole milliseconds since the epoch, rounded down; `instant` must carry its offset."""
    since = instant - _EPOCH
    return since.days * DAY_MS + since.seconds * SECOND_MS + since.microseconds // 1_000


def to_datetime(instant_ms: int) -> datetime:
    """The instant on Shanghai's clock."""
    return _EPOCH_HERE + timedelta(milliseconds=instant_ms)


def rfc3339(instant_ms: int) -> str:
    """The instant as every wire carries it: `2026-01-02T03:04:05.678+08:00`."""
    seconds, ms = divmod(instant_ms, SECOND_MS)
    return f"{_to_the_second(seconds)}.{ms:03}+08:00"


@lru_cache(maxsize=1_024)  # a busy second's instants are of few seconds: its own, and those at which its holds end
def _to_the_second(seconds: int) -> str:
    return to_datetime(seconds * SECOND_MS).replace(tzinfo=None).isoformat()


def local_day(instant_ms: int) -> int:
    """Days since 1970-01-01 on Shanghai's calendar."""
    return (instant_ms + OFFSET_MS) // DAY_MS


def day_start_ms(day: int) -> int:
    """The local midnight that begins `day`."""
    return day * DAY_MS - OFFSET_MS


def to_date(day: int) -> date:
    """`day` as a calendar date."""
    return date.fromordinal(_EPOCH_DAY + day)


def day_of(calendar_date: date) -> int:
    """A calendar date as days since 1970-01-01."""
    return calendar_date.toordinal() - _EPOCH_DAY
