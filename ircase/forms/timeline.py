"""What happened and when: one event, many at once, and a file of them."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from ircase import attack
from ircase.curated import times
from ircase.forms.fields import LongTextField, MomentField, ScopedForm, with_blank
from ircase.models import Asset, Case, Event, Indicator, User
from ircase.services.analysis import findings, tagging

MOST_OFFERED = 300
TIME = ("at", "until", "precision", "zone")


class EventForm(ScopedForm):
    """Something that happened. A technique may be typed by number or by name; further ones stand one a line, each with
    the tactic that it served behind it, if that matters."""

    at = forms.CharField(
        max_length=40, label="Time", widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"})
    )
    precision = forms.ChoiceField(choices=Event.Precision.choices, required=False, label="How exactly it is known")
    until = forms.CharField(
        max_length=40,
        required=False,
        label="Until",
        help_text="Only for “between two times”.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}),
    )
    zone = forms.CharField(
        max_length=64,
        required=False,
        label="Time zone",
        help_text="That the time was read in, as in Europe/Copenhagen. It is kept with the event.",
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
    )
    title = forms.CharField(max_length=300, label="What happened")
    lane = forms.ChoiceField(choices=Event.Lane.choices, initial=Event.Lane.ATTACKER, label="Who did it")
    technique = forms.CharField(
        max_length=200,
        required=False,
        label="ATT&CK technique",
        help_text="As in T1547.001, or its name.",
        widget=forms.TextInput(attrs={"list": "techniques", "autocomplete": "off"}),
    )
    techniques = LongTextField(
        rows=2, max_length=2000, required=False, label="Techniques", help_text="One a line: T1078 Persistence."
    )
    assets = forms.MultipleChoiceField(required=False, label="Assets", widget=forms.SelectMultiple(attrs={"size": 5}))
    indicators = forms.MultipleChoiceField(
        required=False, label="Indicators", widget=forms.SelectMultiple(attrs={"size": 5})
    )
    tags = forms.CharField(max_length=400, required=False, help_text="Set apart by blanks: staging, vpn.")
    description = LongTextField(required=False, rows=3)
    source = forms.CharField(max_length=64, required=False, help_text="The table, log or person it was learnt from.")
    discovered_at = MomentField(
        required=False, label="Discovered", help_text="When the team learnt of it; empty: when it was added."
    )

    def __init__(self, *args: Any, case: Case, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.case, self.person = case, person
        self.fields["zone"].initial = person.time_zone
        chosen = {str(one) for name in ("assets", "indicators") for one in self._said(name)}
        self.fields["assets"].choices = _offered(case.assets.all(), "name", chosen)  # type: ignore[attr-defined]
        self.fields["indicators"].choices = _offered(case.indicators.all(), "value", chosen)  # type: ignore[attr-defined]

    def _said(self, name: str) -> list[str]:
        if isinstance(self.data, QueryDict):
            return list(self.data.getlist(name))
        return list(self.initial.get(name) or [])

    def clean_precision(self) -> str:
        return self.cleaned_data["precision"] or Event.Precision.EXACT

    def clean_tags(self) -> list[str]:
        return tagging.read_tags(self.cleaned_data["tags"])

    def clean_assets(self) -> list[Asset]:
        return list(self.case.assets.filter(uuid__in=self.cleaned_data["assets"]))

    def clean_indicators(self) -> list[Indicator]:
        return list(self.case.indicators.filter(uuid__in=self.cleaned_data["indicators"]))

    def clean_technique(self) -> str:
        return _technique(text).id if (text := self.cleaned_data["technique"].strip()) else ""

    def clean_techniques(self) -> list[findings.Use]:
        lines = [line.strip() for line in self.cleaned_data["techniques"].splitlines() if line.strip()]
        return [_use(line) for line in lines]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        uses = [*values.get("techniques", []), findings.Use(values.get("technique", ""))]
        values["techniques"] = findings.uses_of([use for use in uses if use.technique])
        if "at" in values and "precision" in values:
            self._read_time(values)
        return values

    def _read_time(self, values: dict[str, Any]) -> None:
        zone = values.get("zone") or self.person.time_zone
        try:
            self.when = times.read(
                values["at"], zone=zone, precision=values["precision"], until=values.get("until", "")
            )
        except ValidationError as error:
            self.add_error(None, error)

    def event_values(self) -> dict[str, Any]:
        """What `findings.add_event` takes."""
        when = {name: getattr(self.when, name) for name in ("at", "until", "precision", "zone", "given")}
        left = {*TIME, "technique"}
        return {name: value for name, value in self.cleaned_data.items() if name not in left} | when


def _offered(found: Any, field: str, chosen: set[str]) -> list[tuple[str, str]]:
    """Those that are chosen, and as many others as a list can hold."""
    rows = [
        (str(uuid), f"{value[:90]} ({kind})") for uuid, value, kind in found.values_list("uuid", field, "kind")[:5000]
    ]
    return [row for row in rows if row[0] in chosen] + [row for row in rows if row[0] not in chosen][:MOST_OFFERED]


def _technique(text: str) -> attack.Technique:
    found = attack.find(text)
    if found is None:
        raise ValidationError("ATT&CK for Enterprise has no such technique. Write T1547, T1547.001 or its name.")
    return found


def _use(line: str) -> findings.Use:
    """A line of several techniques: an id and its tactic, or what `find` takes."""
    number, _, tactic = line.partition(" ")
    named = next((name for name in attack.release().tactics if name.lower() == tactic.strip().lower()), "")
    if named and attack.ID.fullmatch(number.upper()):
        found = _technique(number)
        if named not in found.tactics:
            raise ValidationError(f"{found.id} belongs to {', '.join(found.tactics)}, not to {named}.")
        return findings.Use(found.id, named)
    return findings.Use(_technique(line).id)


class EditEventForm(EventForm):
    """The same without the source, which stays as it was; and whether the report shows the event."""

    source = None  # type: ignore[assignment]
    in_report = forms.BooleanField(required=False, initial=True, label="Show it in the report")

    def changes(self, event: Event) -> dict[str, Any]:
        """What a person changed, as `findings.edit_event` takes it. What is finer than a second of a time that nobody
        touched stays."""
        values = self.event_values()
        plain = ("title", "lane", "description", "in_report", "discovered_at")
        own: set[str] = set(plain) & set(self.changed_data)
        if set(TIME) & set(self.changed_data):
            own |= {"at", "until", "precision", "zone", "given"}
        there = {
            "techniques": [findings.Use(one.technique, one.tactic) for one in event.techniques.all()],
            "assets": sorted(one.pk for one in event.assets.all()),
            "indicators": sorted(one.pk for one in event.indicators.all()),
            "tags": sorted(tag.name for tag in event.tags.all()),
        }
        now = {
            "techniques": values["techniques"],
            "assets": sorted(one.pk for one in values["assets"]),
            "indicators": sorted(one.pk for one in values["indicators"]),
            "tags": sorted(values["tags"]),
        }
        own |= {name for name in there if there[name] != now[name]}
        return {name: values[name] for name in sorted(own)}


class ManyEventsForm(ScopedForm):
    """What is to become of the chosen events."""

    lane = forms.ChoiceField(choices=with_blank(Event.Lane.choices, "Leave"), required=False, label="Who did it")
    in_report = forms.ChoiceField(
        choices=[("", "Leave"), ("yes", "Show"), ("no", "Leave out")], required=False, label="In the report"
    )
    add_technique = forms.CharField(
        max_length=200,
        required=False,
        label="Add a technique",
        widget=forms.TextInput(attrs={"list": "techniques", "autocomplete": "off"}),
    )
    add_tags = forms.CharField(max_length=400, required=False, label="Add tags")
    remove_tags = forms.CharField(max_length=400, required=False, label="Take tags away")

    def clean_in_report(self) -> bool | None:
        return {"yes": True, "no": False}.get(self.cleaned_data["in_report"])

    def clean_add_technique(self) -> str:
        return _technique(text).id if (text := self.cleaned_data["add_technique"].strip()) else ""

    def clean_add_tags(self) -> list[str]:
        return tagging.read_tags(self.cleaned_data["add_tags"])

    def clean_remove_tags(self) -> list[str]:
        return tagging.read_tags(self.cleaned_data["remove_tags"])


class BringInForm(ScopedForm):
    """A timeline of another tool, or one that was exported here."""

    file = forms.FileField(label="File", help_text="Timesketch JSONL or CSV, up to 5,000 events and 20 MB.")
    zone = forms.CharField(
        max_length=64,
        required=False,
        label="Zone of times without one",
        help_text="Empty: a file with such times is refused. As in Europe/Copenhagen or UTC.",
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
    )

    def clean_zone(self) -> str:
        zone = str(self.cleaned_data["zone"]).strip()
        if zone:
            times.zone_of(zone)
        return zone
