"""A hunt and its values made into one frozen question: the prelude, the text, the window, the hash."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils import timezone

from hunting.catalogue import Hunt, Parameter
from hunting.values import NOW, Kind, ParameterError, parse, span_of, typed
from ircase.models import Asset, Case
from kql.engine import join_prelude
from kql.literals import prelude
from kql.types import datetime_text, parse_datetime

SPAN: Final = "SearchWindow"
AS_OF: Final = "AsOf"
"""The two parameters that make a hunt's window: it looks at the SearchWindow before AsOf."""

DEFAULT_SPAN: Final = timedelta(days=30)
MAX_KQL: Final = 100_000


@dataclass(frozen=True)
class Window:
    """From `start` to `end`, both aware."""

    start: datetime
    end: datetime

    @classmethod
    def before(cls, end: datetime, span: timedelta) -> "Window":
        try:
            return cls(end - span, end)
        except OverflowError:
            raise ValidationError("The window reaches back beyond the calendar. Shorten it.") from None


@dataclass(frozen=True)
class Frozen:
    """What will run, word for word. `hunt` is None for a person's own KQL. `at`: when the window was pinned."""

    title: str
    kql: str
    window: Window
    hunt: Hunt | None = None
    prelude: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    at: datetime = field(default_factory=timezone.now)

    @property
    def final_kql(self) -> str:
        return join_prelude(self.prelude, self.kql)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.final_kql.encode("utf-8", "surrogatepass")).hexdigest()


def attach(*, hunt: Hunt, given: Mapping[str, Any], now: datetime | None = None) -> Frozen:
    """The hunt with these values bound. What is not given takes the library's default.

    Raises ValidationError by parameter name: a value that does not fit, a required one that is missing, an unknown one.
    """
    now = now or timezone.now()
    values = _parsed(hunt, given, now)
    lines = prelude({p.name: typed(p.kind, values[p.name]) for p in hunt.parameters})
    return Frozen(
        title=_title(hunt, values),
        kql=hunt.kql,
        window=_window(values, now),
        hunt=hunt,
        prelude=lines,
        parameters=values,
        at=now,
    )


def attach_kql(*, kql: str, span: str = "", as_of: str = NOW, title: str = "", now: datetime | None = None) -> Frozen:
    """A person's own KQL over a window. Raises ValidationError."""
    now = now or timezone.now()
    if not kql.strip():
        raise ValidationError({"kql": "Write a query first."})
    if len(kql) > MAX_KQL or "\x00" in kql:
        raise ValidationError({"kql": f"A query is text of at most {MAX_KQL:,} characters, without NUL."})
    errors: dict[str, str] = {}
    parsed: dict[str, Any] = {}
    for name, kind, value in (("span", "timespan", span or "30d"), ("as_of", "datetime", as_of or NOW)):
        try:
            parsed[name] = parse(Kind(kind), value)
        except ParameterError as error:
            errors[name] = str(error)
    if errors:
        raise ValidationError(errors)
    window = Window.before(_moment(parsed["as_of"], now), span_of(parsed["span"]))
    return Frozen(title=(title.strip() or _first_line(kql))[:300], kql=kql, window=window, at=now)


def fill(hunt: Hunt, case: Case, *, asset: Asset | None = None) -> dict[str, Any]:
    """What the case knows of the hunt's parameters. Where it knows several and the hunt takes one, the person is asked,
    unless `asset` says which."""
    found: dict[str, Any] = {}
    for parameter in hunt.parameters:
        known = _known(parameter, case, asset)
        if known and (parameter.kind.many or len(known) == 1):
            found[parameter.name] = known if parameter.kind.many else known[0]
    return found


def known_values(parameter: Parameter, case: Case) -> list[str]:
    """Every value that the case knows for a parameter and that fits it."""
    return _known(parameter, case, None)


def _known(parameter: Parameter, case: Case, asset: Asset | None) -> list[str]:
    origin, _, detail = parameter.fill.partition(".")
    if origin == "indicator":
        values = list(case.indicators.filter(kind=detail).values_list("value", flat=True)[:1000])
    elif origin == "asset":
        kind, _, attribute = detail.partition(".")
        matches = asset is not None and asset.kind == kind
        assets = [asset] if asset is not None and matches else list(case.assets.filter(kind=kind)[:1000])
        values = [str(getattr(a, attribute)) for a in assets]
    else:
        values = []
    return list(dict.fromkeys(value for value in values if _fits(parameter, value)))


def _fits(parameter: Parameter, value: str) -> bool:
    try:
        return bool(parse(parameter.kind, [value] if parameter.kind.many else value))
    except ParameterError:
        return False


def _parsed(hunt: Hunt, given: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    errors: dict[str, str] = {}
    values: dict[str, Any] = {}
    for parameter in hunt.parameters:
        try:
            values[parameter.name] = _one(parameter, given.get(parameter.name), now)
        except ParameterError as error:
            errors[parameter.name] = str(error)
    for name in set(given) - {p.name for p in hunt.parameters}:
        errors[name] = "This hunt has no such parameter."
    if hunt.require_any and not errors and not any(values[name] for name in hunt.require_any):
        errors[hunt.require_any[0]] = f"Give at least one of {', '.join(hunt.require_any)}."
    if errors:
        raise ValidationError(errors)
    return values


def _one(parameter: Parameter, given: Any, now: datetime) -> Any:
    value = parse(parameter.kind, given)
    if not value and parameter.default is not None:
        value = parse(parameter.kind, parameter.default)
    if not value and parameter.required:
        raise ParameterError("This hunt needs a value here.")
    return datetime_text(now) if value == NOW and parameter.kind == Kind("datetime") else value


def _window(values: Mapping[str, Any], now: datetime) -> Window:
    span = span_of(values[SPAN]) if values.get(SPAN) else DEFAULT_SPAN
    return Window.before(_moment(values.get(AS_OF) or NOW, now), span)


def _moment(text: str, now: datetime) -> datetime:
    return now if text == NOW else parse_datetime(text)


def _title(hunt: Hunt, values: Mapping[str, Any]) -> str:
    """The hunt's title and the thing it asks about."""
    about = [v for p in hunt.parameters if p.fill and (v := values[p.name])]
    words = about[0] if about else ""
    if isinstance(words, list):
        words = words[0] if len(words) == 1 else f"{words[0]} and {len(words) - 1} more"
    return f"{hunt.title}: {words}"[:300] if words else hunt.title


def _first_line(kql: str) -> str:
    """The first line that says something, for a query without a title."""
    lines = (line.strip() for line in kql.splitlines())
    return next((line for line in lines if line and not line.startswith("//")), "KQL")


def moved(frozen: Frozen, *, end: datetime, since: datetime | None = None) -> Frozen:
    """The same question with a window that ends at `end`, as long as before, or longer where it has to reach back to
    `since`. The two parameters that make a window are bound anew; nothing else changes. Raises ValidationError."""
    span, changed = frozen.window.end - frozen.window.start, {AS_OF: datetime_text(end)}
    if since is not None and end - since > span:
        minutes = -((since - end) // timedelta(minutes=1))
        span, changed[SPAN] = timedelta(minutes=minutes), f"{minutes}m"
    changed = {name: text for name, text in changed.items() if name in frozen.parameters}
    lines = frozen.prelude.split("\n")
    for name, text in changed.items():
        kind = Kind("datetime" if name == AS_OF else "timespan")
        # Every parameter is one line: what would break it is escaped.
        lines = [_bound(name, kind, text) if line.startswith(f"let {name} = ") else line for line in lines]
    return replace(
        frozen,
        prelude="\n".join(lines),
        parameters={**frozen.parameters, **changed},
        window=Window.before(end, span),
        at=end,
    )


def _bound(name: str, kind: Kind, text: str) -> str:
    return prelude({name: typed(kind, text)}).rstrip("\n")
