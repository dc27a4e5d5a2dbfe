"""Incidents that wait: how they are found, and what becomes of them."""

from typing import Any

from django import forms

from ircase.forms.cases import playbook_choices
from ircase.forms.fields import LongTextField, ScopedForm, with_blank
from ircase.models import Case, Connection, IncidentSource, Tlp, User

SHOWS = [
    ("waiting", "Waiting"), ("case", "In a case"), ("dismissed", "Dismissed"), ("ended", "Resolved or merged"),
    ("all", "All"),
]  # fmt: skip
_SEVERITIES = [(s, s.capitalize()) for s in ("critical", "high", "medium", "low", "informational", "unknown")]
_STATUSES = [
    ("active", "Active"), ("inProgress", "In progress"), ("awaitingAction", "Awaiting action"),
    ("resolved", "Resolved"), ("redirected", "Merged"),
]  # fmt: skip
_AGES = [("day", "Of the last day"), ("week", "Of the last week"), ("month", "Of the last 30 days")]


def origins() -> list[tuple[str, str]]:
    """Connections and sources by name, as the address writes them."""
    tenants = [(f"c{pk}", name) for pk, name in Connection.objects.values_list("pk", "name")]
    return [*tenants, *((f"s{pk}", name) for pk, name in IncidentSource.objects.values_list("pk", "name"))]


class IntakeFilterForm(ScopedForm):
    q = forms.CharField(max_length=200, required=False, label="Text", widget=forms.TextInput(attrs={"type": "search"}))
    show = forms.ChoiceField(choices=SHOWS, required=False, label="Show")
    severity = forms.ChoiceField(choices=with_blank(_SEVERITIES, "Every severity"), required=False)
    status = forms.ChoiceField(choices=with_blank(_STATUSES, "Every status"), required=False)
    origin = forms.ChoiceField(required=False, label="From")
    age = forms.ChoiceField(choices=with_blank(_AGES, "Of any age"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["origin"] = forms.ChoiceField(
            choices=with_blank(origins(), "Everywhere"), required=False, label="From"
        )
        self.order_fields(["q", "show", "severity", "status", "origin", "age"])


class MergeForm(ScopedForm):
    """Into which case: one that the person may write in, by its reference."""

    case = forms.CharField(
        max_length=20,
        label="Case",
        widget=forms.TextInput(attrs={"placeholder": "IR-2026-0001", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user = user

    def clean_case(self) -> Case:
        reference = self.cleaned_data["case"].strip().upper()
        found = Case.objects.visible_to(self._user).select_related("connection").filter(reference=reference).first()
        if found is None:
            raise forms.ValidationError("There is no such case, or it is not yours to see.")
        return found


class AcceptForm(ScopedForm):
    """How the case is opened."""

    title = forms.CharField(max_length=200)
    playbook = forms.ChoiceField(required=False)
    tlp = forms.ChoiceField(choices=Tlp.choices, initial=Tlp.AMBER, label="TLP")
    confidential = forms.BooleanField(required=False, help_text="Only its members will know that it exists.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["playbook"] = forms.ChoiceField(choices=playbook_choices(), required=False)
        self.order_fields(["title", "playbook", "tlp", "confidential"])


class UnmergeForm(ScopedForm):
    reason = LongTextField(rows=2, max_length=2000, label="Why it does not belong here")


class DismissForm(ScopedForm):
    reason = LongTextField(rows=2, max_length=2000, label="Why no case is needed")
