"""Dates as a device's culture writes them: read only where day and month cannot be mistaken."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

Order = Literal["ymd", "mdy", "dmy"]

_DATE = re.compile(
    r"\s*(\d{1,4})([./-])\s?(\d{1,2})\2\s?(\d{1,4})\.?,?\s+(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?(?:\s*([AaPp])\.?[Mm]\.?)?\s*\Z"
)
_SETTLED_WITHIN = timedelta(days=3)


@dataclass(frozen=True)
class Judgement:
    """The order of day, month and year in some dates, or None; and why it is that, or why it is open."""

    order: Order | None
    why: str


def judged(texts: Iterable[str], *, collected: date | None = None) -> Judgement:
    """The order of day, month and year in which all these dates make sense, or None where more than one does.

    ``collected`` is the day on which the file was made: no date may lie after it, and where two orders remain, the one
    whose newest date is within three days of it wins if the other's is not.
    """
    samples = [text for text in texts if text and text.strip()]
    fits: dict[Order, datetime] = {}
    for order in ("ymd", "mdy", "dmy"):
        moments = _all_read(samples, order)
        if moments and (collected is None or max(moments).date() <= collected + timedelta(days=1)):
            fits[order] = max(moments)
    if len(fits) == 1:
        return Judgement(next(iter(fits)), "no other order makes dates of all values up to the day of collection")
    if len(fits) > 1 and collected is not None:
        near = [o for o, newest in fits.items() if abs(newest.date() - collected) <= _SETTLED_WITHIN]
        if len(near) == 1:
            return Judgement(near[0], "only so is the newest date within three days of the collection")
    return Judgement(None, "more than one order makes sense" if fits else "no order makes dates of all values")


def _all_read(samples: Sequence[str], order: Order) -> list[datetime]:
    moments = []
    for text in samples:
        moment = read_local(text, order)
        if moment is None:
            return []
        moments.append(moment)
    return moments


def read_local(text: str, order: Order) -> datetime | None:
    """A date and time without zone in the given order, or None."""
    match = _DATE.match(text)
    if match is None:
        return None
    first, _, second, third, hour, minute, second_of_minute, half = match.groups()
    parts = dict(zip(order, (first, second, third), strict=True))
    if len(parts["y"]) != 4 or len(parts["m"]) > 2 or len(parts["d"]) > 2:
        return None
    hours = int(hour)
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half in "Pp" else 0)
    try:
        return datetime(
            int(parts["y"]), int(parts["m"]), int(parts["d"]), hours, int(minute), int(second_of_minute or 0)
        )
    except ValueError:
        return None


def local_text(moment: datetime) -> str:
    """A local time in the form of the other times; what zone it is in nobody knows."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.0000000Z"
