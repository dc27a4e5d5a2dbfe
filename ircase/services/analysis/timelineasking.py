"""The address of a super-timeline's page as a question. Every key is optional: `source`, `device`, `account`,
`technique` (each as often as wanted), `q` (all words), `since`, `until`, `only`, `tag`."""

from datetime import UTC, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.utils.dateparse import parse_date, parse_datetime

from ircase.models import Case, User
from ircase.services.analysis import findings, supertimeline
from ircase.supertimeline.model import Asked, TimelineError

LISTS: Final = ("source", "device", "account", "technique")
KEYS: Final = (*LISTS, "q", "since", "until", "only", "tag")


def asked_of(case: Case, here: supertimeline.Shown, query: QueryDict, person: User) -> Asked:
    """The filter that an address asks for. Raises TimelineError."""
    lists = {name: _several(query, name) for name in LISTS}
    only, tag = query.get("only", ""), query.get("tag", "").strip().lower()
    if only and only not in supertimeline.ONLY:
        raise TimelineError(f"Rows are shown alone that are {', '.join(supertimeline.ONLY)}.")
    return Asked(
        sources=lists["source"],
        devices=lists["device"],
        accounts=lists["account"],
        techniques=tuple(one.upper() for one in lists["technique"]),
        words=supertimeline.words_of(query.get("q", "")),
        since=moment(query.get("since", ""), person),
        until=moment(query.get("until", ""), person),
        rows=supertimeline.marked(case, here, only, tag) if only or tag else None,
    )


def _several(query: QueryDict, name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for said in query.getlist(name) if (one := findings.clean(said).strip())))


def moment(text: str, person: User) -> datetime | None:
    """A time as ISO 8601; without a zone it is the person's. A date is its beginning. Raises TimelineError."""
    text = text.strip()
    if not text:
        return None
    try:
        found = parse_datetime(text)
        if found is None and (day := parse_date(text)):
            found = datetime.combine(day, time.min)
        if found is not None:
            found = found if found.tzinfo else found.replace(tzinfo=ZoneInfo(person.time_zone))
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise TimelineError(f"{text[:40]!r} is no time: write it as 2026-11-20 14:30, with a zone or in your own.")


def kept(query: QueryDict, *without: str) -> QueryDict:
    """A copy of the filter's part of an address, less some keys."""
    copy = QueryDict(mutable=True)
    for key in KEYS:
        if key not in without and any(query.getlist(key)):
            copy.setlist(key, [one for one in query.getlist(key) if one])
    return copy
