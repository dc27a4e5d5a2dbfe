"""What people say of a result: what it means, and whether to watch it."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from hunting.models import MOST_HOURS
from ircase.forms.fields import LongTextField, MomentField
from ircase.models import Activity, Case, ChecklistItem


class WatchForm(forms.Form):
    """How often a watch asks, and how long."""

    every_hours = forms.IntegerField(
        min_value=1, max_value=MOST_HOURS, initial=24, label="Every … hours", help_text="From 1 to 168 (a week)."
    )
    until = MomentField(
        required=False,
        label="Until",
        help_text="In your time zone. Empty: until the case closes, or somebody stops it.",
    )


class ConclusionForm(forms.Form):
    verdict = forms.ChoiceField(
        label="What it means", choices=[("", "Choose…"), *(c for c in Activity.Verdict.choices if c[0])]
    )
    sentence = LongTextField(
        rows=2,
        max_length=2000,
        required=False,
        label="In a sentence",
        help_text="The report prints it beside the hunt. Only where there is no data it may be empty.",
    )
    item = forms.ModelChoiceField(
        queryset=ChecklistItem.objects.none(),
        required=False,
        label="Proves the step",
        empty_label="No step of the checklist",
        help_text="The run is linked to it as a proof; the report prints both.",
    )

    def __init__(self, *args: Any, case: Case, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["item"]
        assert isinstance(field, forms.ModelChoiceField)
        items = ChecklistItem.objects.filter(case=case).exclude(state=ChecklistItem.State.SKIPPED)
        field.queryset = items.order_by("position", "pk")

    def take_errors(self, error: ValidationError) -> None:
        """What the service refused, at the fields that it is about."""
        for name, found in (error.message_dict if hasattr(error, "error_dict") else {"": error.messages}).items():
            for message in found:
                self.add_error(name if name in self.fields else None, message)
