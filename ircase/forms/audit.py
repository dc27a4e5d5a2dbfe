"""What is asked of the audit viewer."""

from typing import Any

from django import forms

from ircase.audit import AREAS, SOURCES
from ircase.forms.fields import MomentField, ScopedForm, with_blank


class AuditForm(ScopedForm):
    """Every field may be empty."""

    person = forms.CharField(required=False, max_length=200, label="Person", help_text="Name or user name.")
    case = forms.CharField(required=False, max_length=20, label="Case")
    action = forms.ChoiceField(required=False, choices=with_blank(list(AREAS.items()), "Everything"), label="What")
    source = forms.ChoiceField(required=False, choices=with_blank(list(SOURCES.items()), "Everywhere"), label="Where")
    since = MomentField(required=False, label="From")
    until = MomentField(required=False, label="Until")

    def clean_case(self) -> str:
        return str(self.cleaned_data["case"]).strip().upper()

    def clean_person(self) -> str:
        return str(self.cleaned_data["person"]).strip()

    def clean_action(self) -> str:
        area = str(self.cleaned_data["action"])
        return f"{area}." if area else ""

    def clean(self) -> dict[str, Any]:
        # Read from the address of a page: what is not asked there is not there.
        found = super().clean() or {}
        return {name: found.get(name) or ("" if name not in ("since", "until") else None) for name in self.fields}
