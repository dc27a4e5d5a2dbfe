"""Incidents of the tenant."""

from typing import Any

from django import forms

from ircase.forms.cases import playbook_choices
from ircase.forms.fields import LongTextField, ScopedForm, with_blank
from ircase.models import Tlp

SHOWS = [("waiting", "Waiting"), ("dismissed", "Dismissed"), ("ended", "Resolved or merged"), ("all", "All")]
_SEVERITIES = [(s, s.capitalize()) for s in ("high", "medium", "low", "informational", "unknown")]


class IntakeFilterForm(ScopedForm):
    show = forms.ChoiceField(choices=SHOWS, required=False, label="Show")
    severity = forms.ChoiceField(choices=with_blank(_SEVERITIES, "Every severity"), required=False)
    q = forms.CharField(max_length=200, required=False, label="Text", widget=forms.TextInput(attrs={"type": "search"}))


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


class DismissForm(ScopedForm):
    reason = LongTextField(rows=2, max_length=2000, label="Why no case is needed")
