"""Assets and indicators."""

from django import forms
from django.core.exceptions import ValidationError

from ircase.forms.fields import LongTextField, ScopedForm, with_blank
from ircase.models import Asset, Indicator, Tlp

MOST_INDICATORS = 500


class AssetForm(ScopedForm):
    kind = forms.ChoiceField(choices=Asset.Kind.choices)
    name = forms.CharField(max_length=255, help_text="A device's DNS name, an account's user principal name.")
    identifier = forms.CharField(max_length=255, required=False, help_text="Defender's DeviceId, an object id, a SID.")
    compromise = forms.ChoiceField(choices=Asset.Compromise.choices, initial=Asset.Compromise.UNKNOWN)
    description = LongTextField(required=False, rows=2)


class JudgeAssetForm(ScopedForm):
    compromise = forms.ChoiceField(choices=Asset.Compromise.choices)
    description = LongTextField(required=False, rows=3)


class IndicatorsForm(ScopedForm):
    """Any number at once, one a line; what each is, is recognised unless said. Defanged text is accepted."""

    values = LongTextField(
        rows=5,
        max_length=200_000,
        label="Indicators",
        help_text="One a line: hashes, addresses, domains, URLs, e-mail addresses, paths. hxxp and [.] are understood.",
    )
    kind = forms.ChoiceField(choices=with_blank(Indicator.Kind.choices, "Recognise it"), required=False)
    verdict = forms.ChoiceField(choices=Indicator.Verdict.choices, initial=Indicator.Verdict.UNKNOWN)
    tlp = forms.ChoiceField(choices=Tlp.choices, initial=Tlp.AMBER, label="TLP")
    description = forms.CharField(max_length=1000, required=False, help_text="Where they come from.")

    def clean_values(self) -> list[str]:
        lines = list(dict.fromkeys(line.strip() for line in self.cleaned_data["values"].splitlines() if line.strip()))
        if len(lines) > MOST_INDICATORS:
            raise ValidationError(f"{len(lines)} are too many at once; {MOST_INDICATORS} fit.")
        too_long = next((line for line in lines if len(line) > 2048), None)
        if too_long:
            raise ValidationError(f"“{too_long[:60]}…” is longer than 2,048 characters.")
        return lines
