"""Search over cases, notes, assets, indicators and events. Every query begins at what the person may see."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse

from ircase.models import Asset, Case, Event, Indicator, Note, User
from ircase.services.findings import clean, normalise

SHORTEST = 2
MOST_OF_EACH = 20
_AROUND = 60


@dataclass(frozen=True)
class Hit:
    """One thing found. `snippet` is the text around the first match, cut from where it was found."""

    case: Case
    title: str
    url: str
    kind: str
    snippet: str


@dataclass(frozen=True)
class HitGroup:
    """Hits of one kind; `more` says that there are others than those shown."""

    title: str
    hits: tuple[Hit, ...]
    more: bool

    @property
    def shown(self) -> int:
        return len(self.hits)


def cleaned(text: str) -> str:
    return clean(text).strip()[:200]


def search(user: User, text: str) -> list[HitGroup]:
    """What holds `text`, in any letter case, defanged or not; at most `MOST_OF_EACH` of each kind, newest first."""
    visible = Case.objects.visible_to(user)
    ids = visible.values("pk")
    forms = {text, normalise(Indicator.Kind.URL, text)}
    found = [
        _group("Cases", visible.filter(_any(forms, "reference", "title", "description", "summary", "lessons")),
               "-opened_at", forms, _case),
        _group("Assets", _in(Asset, ids).filter(_any(forms, "name", "identifier", "description")),
               "-added_at", forms, _asset),
        _group("Indicators", _in(Indicator, ids).filter(_any(forms, "value", "description")),
               "-added_at", forms, _indicator),
        _group("Timeline", _in(Event, ids).filter(_any(forms, "title", "description")).defer("row"),
               "-at", forms, _event),
        _group("Notes", _in(Note, ids).filter(_any(forms, "title", "body")), "-updated_at", forms, _note),
    ]  # fmt: skip
    return [group for group in found if group.hits]


def _in(model: Any, ids: QuerySet[Any, Any]) -> QuerySet[Any]:
    rows: QuerySet[Any] = model.objects.filter(case__in=ids).select_related("case")
    return rows


def _any(forms: Iterable[str], *names: str) -> Q:
    wanted = Q()
    for form in forms:
        for name in names:
            wanted |= Q(**{f"{name}__icontains": form})
    return wanted


def _group(title: str, rows: QuerySet[Any], order: str, forms: Iterable[str], hit: Any) -> HitGroup:
    found = list(rows.order_by(order, "-pk")[: MOST_OF_EACH + 1])
    return HitGroup(title, tuple(hit(row, forms) for row in found[:MOST_OF_EACH]), len(found) > MOST_OF_EACH)


def _snippet(forms: Iterable[str], texts: Sequence[str]) -> str:
    for text in texts:
        low = text.lower()
        for form in forms:
            at = low.find(form.lower())
            if at >= 0:
                start, end = max(0, at - _AROUND), at + len(form) + _AROUND
                return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
    return ""


def _case(case: Case, forms: Iterable[str]) -> Hit:
    url = reverse("ircase:case", args=[case.reference])
    return Hit(case, case.title, url, case.get_phase_display(), _snippet(forms, [case.description, case.summary]))


def _asset(asset: Asset, forms: Iterable[str]) -> Hit:
    url = reverse("ircase:asset", args=[asset.case.reference, asset.uuid])
    return Hit(
        asset.case, asset.name, url, asset.get_kind_display(), _snippet(forms, [asset.identifier, asset.description])
    )


def _indicator(indicator: Indicator, forms: Iterable[str]) -> Hit:
    url = reverse("ircase:indicator", args=[indicator.case.reference, indicator.uuid])
    snippet = _snippet(forms, [indicator.description])
    return Hit(indicator.case, indicator.value, url, indicator.get_kind_display(), snippet)


def _event(event: Event, forms: Iterable[str]) -> Hit:
    url = reverse("ircase:event", args=[event.case.reference, event.uuid])
    return Hit(event.case, event.title, url, f"{event.at:%Y-%m-%d %H:%M} UTC", _snippet(forms, [event.description]))


def _note(note: Note, forms: Iterable[str]) -> Hit:
    url = reverse("ircase:note", args=[note.case.reference, note.uuid])
    return Hit(note.case, note.title, url, "Note", _snippet(forms, [note.body]))
