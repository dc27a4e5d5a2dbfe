"""What people fill in to run something: a hunt's parameters, a pack's subject, a sweep, their own KQL."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.http import QueryDict
from django.utils import timezone

from hunting import shelf
from hunting.binding import AS_OF, MAX_KQL, SPAN, fill
from hunting.catalogue import Hunt, Pack, Parameter, Review
from hunting.models import Source
from hunting.services.runs import SourceChoice
from hunting.values import NOW
from ircase.models import Asset, Case

_SPANS: Final = (
    ("", "As each hunt has it"), ("24h", "24 hours"), ("48h", "48 hours"), ("7d", "7 days"), ("14d", "14 days"),
    ("30d", "30 days"), ("90d", "90 days"), ("365d", "1 year"),
)  # fmt: skip
MOST_OFFERED: Final = 300
KNOWN: Final = 200
AS_OF_HELP: Final = "now, or a moment in your time zone such as 2026-11-20 17:30. The window ends here."
SPAN_HELP: Final = "48h, 7d, 90m. How far back from “As of”."


def as_of(text: str) -> str:
    """A moment that a person typed in their own zone, as the binding reads it."""
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text or NOW
    return (moment if moment.tzinfo else timezone.make_aware(moment)).isoformat()


def label_of(name: str) -> str:
    """`TargetDevice` as `Target device`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return words[0] + words[1:].lower()


class SourceForm(forms.Form):
    source = forms.ChoiceField(label="Run on")

    def set_sources(self, choices: Sequence[SourceChoice], allowed: Sequence[Source] = tuple(Source)) -> None:
        """Only sources that can be used now are offered."""
        usable = [c for c in choices if not c.why_not and c.source in allowed]
        field = self.fields["source"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(c.source.value, f"{c.source.label} ({c.where})") for c in usable]
        why = (f"{c.source.label}: {c.why_not}" for c in choices if c.why_not and c.is_set_up)
        field.help_text = " ".join(filter(None, (str(field.help_text), *why)))

    @property
    def wanted_source(self) -> Source:
        return Source(self.cleaned_data["source"])

    def take_errors(self, error: ValidationError) -> None:
        """A service's errors, at the fields they are about."""
        for name, found in (error.message_dict if hasattr(error, "error_dict") else {"": error.messages}).items():
            for message in found:
                self.add_error(name if name in self.fields else None, message)


class _SourcesForm(SourceForm):
    """Several sources may be ticked: the question is asked of each."""

    source = forms.MultipleChoiceField(
        label="Run on",
        widget=forms.CheckboxSelectMultiple,
        help_text="Tick several to see their rows together.",
        error_messages={"required": "Tick at least one source."},
    )

    @property
    def wanted_sources(self) -> list[Source]:
        return [Source(one) for one in self.cleaned_data["source"]]

    @property
    def wanted_source(self) -> Source:
        """The first."""
        return self.wanted_sources[0]


class HuntForm(_SourcesForm):
    """A hunt's own parameters. Values are checked by the binding, which every door shares."""

    def __init__(self, *args: Any, hunt: Hunt, sources: Sequence[SourceChoice], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.hunt = hunt
        self.set_sources(sources, hunt.sources)
        for parameter in hunt.parameters:
            self.fields[parameter.name] = _field(parameter)

    @property
    def given(self) -> dict[str, Any]:
        values = {p.name: self.cleaned_data.get(p.name, "") for p in self.hunt.parameters}
        return values | ({AS_OF: as_of(values[AS_OF])} if AS_OF in values else {})


def _field(parameter: Parameter) -> forms.Field:
    """A text field: the form says what is missing, the binding what does not fit."""
    default, many = parameter.default, parameter.kind.many
    widget: forms.Widget = forms.Textarea(attrs={"rows": 3, "class": "mono"}) if many else forms.TextInput()
    helps = {AS_OF: AS_OF_HELP, SPAN: SPAN_HELP}
    if not many:
        widget.attrs |= {"autocomplete": "off", "spellcheck": "false", "list": f"known-{parameter.name}"}
    return forms.CharField(
        label=label_of(parameter.name),
        required=parameter.required,
        initial="\n".join(map(str, default)) if isinstance(default, list) else default,
        help_text=" ".join(filter(None, (helps.get(parameter.name, f"{parameter.kind.label}."), parameter.help))),
        max_length=100_000,
        widget=widget,
    )


def _subjects(pack: Pack) -> set[str]:
    """The parameters that the subject of a pack fills."""
    return {p.name for hunt in pack.hunts if (p := hunt.fills(f"asset.{pack.entity}"))}


def _asked(pack: Pack, case: Case) -> list[Parameter]:
    """What a hunt of the pack needs that neither its subject nor the case nor a default gives."""
    subjects = _subjects(pack)
    found: dict[str, Parameter] = {}
    for hunt in pack.hunts:
        needed = [p for p in hunt.parameters if p.required and p.default is None and p.name not in subjects]
        known = fill(hunt, case) if needed else {}
        found |= {p.name: p for p in needed if p.name not in known}
    return list(found.values())


def offered(case: Case, packs: Iterable[Pack]) -> dict[str, list[str]]:
    """The names that a form offers as subjects, by kind of asset: the first KNOWN of each, one query for all packs."""
    place = Window(RowNumber(), partition_by=F("kind"), order_by="name")
    rows = case.assets.filter(kind__in={pack.entity for pack in packs}).annotate(place=place)
    found: dict[str, list[str]] = {}
    for kind, name in rows.filter(place__lte=KNOWN).order_by("kind", "name").values_list("kind", "name"):
        found.setdefault(kind, []).append(name)
    return found


class PackForm(SourceForm):
    """One subject for every hunt of a pack; `known` as `offered` says."""

    subject = forms.CharField(max_length=255)
    span = forms.ChoiceField(label="Window", choices=_SPANS, required=False)
    as_of = forms.CharField(label="As of", required=False, initial=NOW, max_length=40, help_text=AS_OF_HELP)

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        pack: Pack,
        case: Case,
        sources: Sequence[SourceChoice],
        known: Mapping[str, list[str]],
    ) -> None:
        super().__init__(data, prefix=pack.id)
        self.pack = pack
        self.case = case
        self.known = known.get(pack.entity, [])
        self.set_sources(sources)
        self.asked = _asked(pack, case)
        for parameter in self.asked:
            self.fields[parameter.name] = _field(parameter)
        if not _subjects(pack):
            del self.fields["subject"]
            return
        subject = self.fields["subject"]
        subject.label = Asset.Kind(pack.entity).label if pack.entity in Asset.Kind.values else "About"
        subject.initial = self.known[0] if self.known else ""
        subject.widget.attrs |= {"list": f"known-{pack.id}", "autocomplete": "off", "spellcheck": "false"}

    @property
    def asked_fields(self) -> list[forms.BoundField]:
        """The fields beside the subject."""
        return [self[p.name] for p in self.asked]

    @property
    def given(self) -> dict[str, Any]:
        """The values by parameter, for those that hunts of the pack take."""
        values: dict[str, Any] = {AS_OF: as_of(self.cleaned_data["as_of"])}
        if self.cleaned_data["span"]:
            values[SPAN] = self.cleaned_data["span"]
        taken = {p.name for hunt in self.pack.hunts for p in hunt.parameters}
        values |= {p.name: self.cleaned_data[p.name] for p in self.asked}
        values |= dict.fromkeys(_subjects(self.pack), self.cleaned_data.get("subject", ""))
        return {name: value for name, value in values.items() if name in taken}

    @property
    def asset(self) -> Asset | None:
        wanted = self.cleaned_data.get("subject", "").strip().lower()
        return self.case.assets.filter(kind=self.pack.entity, name=wanted).first()


class SweepForm(SourceForm):
    """One hunt over many entities."""

    hunt = forms.ChoiceField(label="Hunt")
    values = forms.CharField(
        label="Over",
        required=False,
        max_length=500_000,
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false"}),
        help_text="Devices, accounts or indicators, one per line. Empty: all that the case knows.",
    )
    span = forms.ChoiceField(label="Window", choices=_SPANS, required=False)

    def __init__(self, *args: Any, sources: Sequence[SourceChoice], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_sources(sources)
        able = [h for h in shelf.hunts().values() if any(p.fill for p in h.parameters)]
        able.sort(key=lambda hunt: hunt.review is Review.DRAFT)
        field = self.fields["hunt"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(h.id, f"{h.title} (draft)" if h.review is Review.DRAFT else h.title) for h in able]
        # Of thousands of imported drafts, the list shows the first; any may be named.
        field.widget.choices = field.choices[:MOST_OFFERED]

    @property
    def values_given(self) -> list[str]:
        """What was typed, line by line."""
        return [line.strip() for line in self.cleaned_data["values"].splitlines() if line.strip()]

    def given(self, hunt: Hunt) -> dict[str, Any]:
        """The hunt's other parameters that the form asks for."""
        span = self.cleaned_data["span"]
        return {SPAN: span} if span and any(p.name == SPAN for p in hunt.parameters) else {}


class KqlForm(_SourcesForm):
    """A person's own query."""

    title = forms.CharField(max_length=200, required=False, help_text="What you look for. Empty: the first line.")
    kql = forms.CharField(
        label="KQL",
        max_length=MAX_KQL,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 10, "data-code": "", "spellcheck": "false"}),
        help_text="Tab indents; Esc then Tab leaves; Ctrl+Enter runs.",
    )
    span = forms.CharField(label="Window", initial="7d", max_length=30, help_text=SPAN_HELP)
    as_of = forms.CharField(label="As of", required=False, initial=NOW, max_length=40, help_text=AS_OF_HELP)

    def __init__(self, *args: Any, sources: Sequence[SourceChoice], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_sources(sources)
