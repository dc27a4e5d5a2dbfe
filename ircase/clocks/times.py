"""Counting time as laws do: hours, calendar days and months, business days of a calendar in its zone.

Hours, days and months are counted from the moment itself and end at the same time of day. Regulation (EEC, Euratom) No
1182/71, https://eur-lex.europa.eu/eli/reg/1971/1182/oj, would often give some hours more; whoever keeps our time keeps
that one too.
"""

import calendar as months
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Calendar:
    """Which days are business days: not a Saturday, Sunday or one of `holidays`. A day ends at `closes` in `zone`."""

    id: str
    title: str
    zone: str
    closes: time
    source: str
    known_until: date
    holidays: dict[date, str]

    def is_business_day(self, day: date) -> bool:
        return day.weekday() < 5 and day not in self.holidays

    def next_business_day(self, day: date) -> date:
        """`day` itself where it is one."""
        while not self.is_business_day(day):
            day += timedelta(days=1)
        return day


@dataclass(frozen=True)
class Span:
    """`amount` of hours, days, months or business_days; `calendar` is given for business days alone."""

    amount: int
    unit: str
    calendar: Calendar | None = None

    @property
    def words(self) -> str:
        """`4 business days (…, America/New_York, until 17:30)`, `1 month`."""
        name = {"hours": "hour", "days": "calendar day", "months": "month", "business_days": "business day"}[self.unit]
        said = f"{self.amount} {name}{'' if self.amount == 1 else 's'}"
        if self.calendar is None:
            return said
        return f"{said} ({self.calendar.title}; {self.calendar.zone}, the last one until {self.calendar.closes:%H:%M})"

    def after(self, start: datetime) -> datetime:
        """The moment when the span that begins at `start` (aware) is over, in UTC."""
        # A time that a person typed carries their zone, and Python adds to what the wall's clock shows there: where
        # summer time ends in between, 72 hours would be 73.
        begin = start.astimezone(UTC)
        if self.unit == "hours":
            return begin + timedelta(hours=self.amount)
        if self.unit == "days":
            return begin + timedelta(days=self.amount)
        if self.unit == "months":
            return _months_after(begin, self.amount)
        assert self.calendar is not None, "business days need a calendar"
        return _business_days_after(begin, self.amount, self.calendar)


def _months_after(start: datetime, amount: int) -> datetime:
    """The same day `amount` months on, the month's last where it has no such day."""
    year, month = divmod(start.year * 12 + start.month - 1 + amount, 12)
    day = min(start.day, months.monthrange(year, month + 1)[1])
    return start.replace(year=year, month=month + 1, day=day)


def _business_days_after(start: datetime, amount: int, among: Calendar) -> datetime:
    """The close of the last day. The first day is the business day after the event; where the event fell on no business
    day, it is the next one (Form 8-K, General Instruction B.1, https://www.sec.gov/files/form8-k.pdf)."""
    zone = ZoneInfo(among.zone)
    happened = start.astimezone(zone).date()
    day = among.next_business_day(happened + timedelta(days=1))
    for _ in range(amount - 1):
        day = among.next_business_day(day + timedelta(days=1))
    return datetime.combine(day, among.closes, zone).astimezone(UTC)
