"""How far back a source's rows reach: a window beyond that is refused before it is asked.

An answer that silently begins later than the window would read as "nothing happened before".
"""

from datetime import datetime, timedelta
from typing import Final

from hunting.binding import Window
from hunting.models import Source
from ircase.models import Connection

DEFENDER_DAYS: Final = 30
"""https://learn.microsoft.com/defender-xdr/advanced-hunting-limits; longer only where tables also go to a workspace."""

_LIMITS: Final = {
    Source.DEFENDER: "hunting_retention_days",
    Source.LOG_ANALYTICS: "loganalytics_retention_days",
    Source.KUSTO: "kusto_retention_days",
}

SLACK: Final = timedelta(hours=1)
"""A window as long as the retention itself begins a moment too early by the time it is asked."""


def days_kept(source: Source, connection: Connection | None) -> float | None:
    """For how many days the source keeps its rows, by the connection's limits; None where nobody said."""
    if connection is None or not source.is_tenant:
        return None
    name = _LIMITS.get(source, "")
    found = connection.limits.get(name, DEFENDER_DAYS if source == Source.DEFENDER else None)
    return None if found is None else float(found)


def too_old(source: Source, connection: Connection | None, window: Window, at: datetime) -> str:
    """Why the window cannot be answered whole, and what to do; "" where it can."""
    days = days_kept(source, connection)
    if days is None or window.start >= at - timedelta(days=days) - SLACK:
        return ""
    oldest = (at - timedelta(days=days)).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"{source.label} keeps {days:g} days: nothing before {oldest} is there, and this window begins "
        f"{window.start.strftime('%Y-%m-%d %H:%M UTC')}. Shorten it, or run the hunt where older rows are kept."
    )
