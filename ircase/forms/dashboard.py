"""The dashboard's filters, which are its URL; and what administrators set for it."""

from datetime import date, timedelta
from typing import Any, Final

from django import forms

from ircase.dashboard.scope import COMPARE, Choices, Filters
from ircase.forms.fields import ScopedForm, with_blank
from ircase.metrics import Period
from ircase.models import Severity, Target

USUAL_DAYS: Final = 90
EARLIEST, LATEST = date(2000, 1, 1), date(2100, 1, 1)
_EVERY: Final = {
    "playbook": "Every playbook", "connection": "Every tenant", "team": "Every team", "owner": "Every lead",
}  # fmt: skip


class DashboardForm(ScopedForm):
    """What makes no sense falls back to the last 90 days, never to an error page; a name that is none finds nothing."""

    first = forms.DateField(required=False, label="From", widget=forms.DateInput({"type": "date"}))
    last = forms.DateField(required=False, label="To", widget=forms.DateInput({"type": "date"}))
    compare = forms.ChoiceField(choices=COMPARE, required=False, label="Compare")
    severity = forms.ChoiceField(choices=with_blank(Severity.choices, "Every severity"), required=False)
    playbook = forms.CharField(max_length=64, required=False, widget=forms.Select)
    connection = forms.CharField(max_length=100, required=False, label="Tenant", widget=forms.Select)
    team = forms.CharField(max_length=80, required=False, widget=forms.Select)
    owner = forms.CharField(max_length=150, required=False, label="Lead", widget=forms.Select)

    def offer(self, choices: Choices) -> None:
        """What there is to choose; a value of the address that is not among it stays as it is."""
        for name, first in _EVERY.items():
            known = choices[name]
            given = str(self.data.get(name, ""))[:150]
            more = [(given, given)] if given and given not in {value for value, _ in known} else []
            widget = self.fields[name].widget
            assert isinstance(widget, forms.Select)
            widget.choices = [("", first), *known, *more]

    def filters(self, today: date) -> Filters:
        self.is_valid()
        given = {name: value for name, value in self.cleaned_data.items() if value}
        days = {name: given.pop(name) for name in ("first", "last") if name in given}
        known = {name: day for name, day in days.items() if EARLIEST <= day <= LATEST}
        last = known.get("last", today)
        period = Period(min(known.get("first", last - timedelta(days=USUAL_DAYS - 1)), last), last)
        return Filters(period, **given)


class TargetsForm(ScopedForm):
    """Hours by measure and severity, empty where there is no target. The field of a pair is `field_of`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for measure in Target.Measure:
            for severity in ("", *Severity.values):
                label = f"{measure.label}, {Severity(severity).label if severity else 'every severity'}"
                widget = forms.NumberInput({"step": "any", "min": "0.01", "class": "input", "aria-label": label})
                self.fields[field_of(measure, severity)] = forms.FloatField(
                    min_value=0.01, max_value=87_600, required=False, label=label, widget=widget
                )

    def rows(self) -> list[tuple[str, list[Any]]]:
        """By measure: the fields of every severity, then of each."""
        return [
            (str(measure.label), [self[field_of(measure, severity)] for severity in ("", *Severity.values)])
            for measure in Target.Measure
        ]

    def hours(self) -> dict[tuple[str, str], float | None]:
        return {
            (measure.value, severity): self.cleaned_data[field_of(measure, severity)]
            for measure in Target.Measure
            for severity in ("", *Severity.values)
        }


def field_of(measure: str, severity: str) -> str:
    return f"hours-{measure}-{severity or 'every'}"


class AssumptionForm(ScopedForm):
    minutes = forms.IntegerField(
        required=False, min_value=1, max_value=10_000, label="Minutes saved by a finished hunt",
        help_text="Empty: hours saved are not counted.",
    )  # fmt: skip
    reason = forms.CharField(
        required=False, max_length=300, label="Where the figure is from", help_text="It stands beside every sum."
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("minutes") and not given.get("reason", "").strip():
            self.add_error("reason", "Say where the figure is from: readers have to judge it.")
        return given
