"""Assets, indicators and the timeline."""

from django import forms
from django.core.exceptions import ValidationError

from ircase import attack
from ircase.forms.fields import LongTextField, MomentField, ScopedForm, with_blank
from ircase.models import Asset, Event, Indicator, Tlp

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


class JudgeIndicatorForm(ScopedForm):
    verdict = forms.ChoiceField(choices=Indicator.Verdict.choices)
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


class EventForm(ScopedForm):
    """Something that happened. The technique may be typed by number or by name."""

    at = MomentField(label="Time")
    title = forms.CharField(max_length=300, label="What happened")
    lane = forms.ChoiceField(choices=Event.Lane.choices, initial=Event.Lane.ATTACKER, label="Who did it")
    technique = forms.CharField(
        max_length=200,
        required=False,
        label="ATT&CK technique",
        help_text="As in T1547.001, or its name.",
        widget=forms.TextInput(attrs={"list": "techniques", "autocomplete": "off"}),
    )
    description = LongTextField(required=False, rows=3)
    source = forms.CharField(max_length=64, required=False, help_text="The table, log or person it was learnt from.")

    def clean_technique(self) -> str:
        text = self.cleaned_data["technique"]
        if not text.strip():
            return ""
        found = attack.find(text)
        if found is None:
            raise ValidationError("ATT&CK for Enterprise has no such technique. Write T1547, T1547.001 or its name.")
        return found.id


class EditEventForm(EventForm):
    """The same without the source, which stays as it was; and whether the report shows the event."""

    source = None  # type: ignore[assignment]
    in_report = forms.BooleanField(required=False, initial=True, label="Show it in the report")
