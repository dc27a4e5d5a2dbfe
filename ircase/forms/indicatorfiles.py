"""A file of indicators, and what all the chosen ones get."""

from django import forms

from ircase.forms.fields import ScopedForm
from ircase.models import Indicator, Pap, Tlp
from ircase.services.analysis import tagging


class IndicatorFileForm(ScopedForm):
    file = forms.FileField(
        label="File",
        help_text="A STIX 2.0 or 2.1 bundle, or a MISP event: JSON, 10 MB at most. You choose what is added.",
    )


class ChosenItemsForm(ScopedForm):
    """What all the chosen ones get."""

    verdict = forms.ChoiceField(choices=Indicator.Verdict.choices, initial=Indicator.Verdict.UNKNOWN)
    tlp = forms.ChoiceField(
        choices=Tlp.choices,
        initial=Tlp.AMBER,
        label="TLP at least",
        help_text="A more closed marking of the file stays.",
    )
    pap = forms.ChoiceField(choices=Pap.choices, initial=Pap.AMBER, label="PAP at least")
    tags = forms.CharField(max_length=400, required=False, help_text="Set apart by blanks.")
    sender = forms.CharField(max_length=120, required=False, widget=forms.HiddenInput)
    name = forms.CharField(max_length=200, required=False, widget=forms.HiddenInput)

    def clean_tags(self) -> list[str]:
        return tagging.read_tags(self.cleaned_data["tags"])
