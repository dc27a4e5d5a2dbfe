"""Indicators: found in a text, changed one by one or together, and the list of what is harmless."""

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from ircase.forms.fields import LongTextField, MomentField, ScopedForm, with_blank
from ircase.indicators.extract import MOST_LETTERS
from ircase.models import FalsePositive, Indicator, Pap, Tlp
from ircase.services.analysis import tagging


class PasteForm(ScopedForm):
    """Any text; what of it is an indicator is shown before anything is kept."""

    text = LongTextField(
        rows=8,
        max_length=MOST_LETTERS,
        label="Text",
        help_text="A report, an e-mail, a chat. hxxp, [.] and (dot) are understood. You choose what is added.",
    )


class ChosenForm(ScopedForm):
    """What all the chosen ones get."""

    verdict = forms.ChoiceField(choices=Indicator.Verdict.choices, initial=Indicator.Verdict.UNKNOWN)
    tlp = forms.ChoiceField(choices=Tlp.choices, initial=Tlp.AMBER, label="TLP")
    pap = forms.ChoiceField(choices=Pap.choices, initial=Pap.AMBER, label="PAP")
    tags = forms.CharField(max_length=400, required=False, help_text="Set apart by blanks.")
    description = forms.CharField(max_length=1000, required=False, help_text="Where they come from.")

    def clean_tags(self) -> list[str]:
        return tagging.read_tags(self.cleaned_data["tags"])


class IndicatorForm(ScopedForm):
    """One indicator: the verdict with its reason, and what else is known of it."""

    verdict = forms.ChoiceField(choices=Indicator.Verdict.choices)
    verdict_reason = LongTextField(required=False, rows=2, label="Why")
    description = LongTextField(required=False, rows=3)
    tlp = forms.ChoiceField(choices=Tlp.choices, label="TLP", required=False)
    pap = forms.ChoiceField(choices=Pap.choices, label="PAP", required=False)
    first_seen = MomentField(required=False)
    last_seen = MomentField(required=False)
    expires_at = MomentField(required=False, label="Expires", help_text="It is then handed out no more.")
    tags = forms.CharField(max_length=400, required=False, help_text="Set apart by blanks.")

    def clean_tags(self) -> list[str]:
        return tagging.read_tags(self.cleaned_data["tags"])

    def details(self) -> dict[str, Any]:
        """What changed besides the verdict, as `findings.edit_indicator` takes it."""
        names = ("tlp", "pap", "first_seen", "last_seen", "expires_at", "tags")
        changed = {name: self.cleaned_data[name] for name in names if name in self.changed_data}
        return {name: value for name, value in changed.items() if value or name not in ("tlp", "pap")}


class ManyIndicatorsForm(ScopedForm):
    """What is to become of the chosen indicators."""

    verdict = forms.ChoiceField(choices=with_blank(Indicator.Verdict.choices, "Leave"), required=False)
    reason = forms.CharField(max_length=2000, required=False, label="Why", help_text="Kept with the verdict.")
    tlp = forms.ChoiceField(choices=with_blank(Tlp.choices, "Leave"), required=False, label="TLP")
    pap = forms.ChoiceField(choices=with_blank(Pap.choices, "Leave"), required=False, label="PAP")
    expires_at = MomentField(required=False, label="Expires")
    add_tags = forms.CharField(max_length=400, required=False, label="Add tags")
    remove_tags = forms.CharField(max_length=400, required=False, label="Take tags away")

    def clean_add_tags(self) -> list[str]:
        return tagging.read_tags(self.cleaned_data["add_tags"])

    def clean_remove_tags(self) -> list[str]:
        return tagging.read_tags(self.cleaned_data["remove_tags"])


class HarmlessForm(ScopedForm):
    """An entry of the organisation's list."""

    match = forms.ChoiceField(choices=FalsePositive.Match.choices, label="What it marks")
    value = forms.CharField(max_length=2048, help_text="203.0.113.0/24, example.com, or exactly one value.")
    reason = forms.CharField(max_length=500, label="Why it is harmless")
    expires_at = MomentField(required=False, label="Until", help_text="Empty: until somebody withdraws it.")

    def clean_expires_at(self) -> datetime | None:
        until: datetime | None = self.cleaned_data["expires_at"]
        if until and until <= timezone.now():
            raise ValidationError("It would be over already.")
        return until
