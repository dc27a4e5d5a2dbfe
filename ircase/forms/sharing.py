"""What of a case leaves in another system's format, masked how, for whom and why."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from ircase.exchange.formats import FORMATS
from ircase.models import Case, CaseShare, Pap, Tlp
from ircase.redaction import Level, Redaction, RedactionError
from ircase.services.transfer.shareddata import Wish

_LEVELS = [(level.value, level.label) for level in Level if level != Level.OWN]


class ShareForm(forms.Form):
    """Raises nothing: what cannot be kept is an error of its field."""

    format = forms.ChoiceField(choices=[(one.key, f"{one.label} ({one.words})") for one in FORMATS.values()])
    tlp = forms.ChoiceField(
        choices=Tlp.choices, label="TLP at most", help_text="What is marked more closed stays here."
    )
    pap = forms.ChoiceField(
        choices=Pap.choices,
        label="PAP at most",
        help_text="Of indicators: what their receiver may do with them.",
    )
    level = forms.ChoiceField(
        choices=_LEVELS, label="What is masked", help_text="The same name becomes the same word in every file."
    )
    words = forms.CharField(
        max_length=2000,
        required=False,
        label="Words to mask",
        help_text="Such as your organisation's name and domain. Set apart by commas.",
    )
    parts = forms.MultipleChoiceField(
        choices=CaseShare.Part.choices, label="What is in it", widget=forms.CheckboxSelectMultiple
    )
    sender = forms.CharField(max_length=120, label="Sender", help_text="In whose name it leaves; it is in the file.")
    receiver = forms.CharField(max_length=200, help_text="Person and organisation. Not in the file.")
    purpose = forms.CharField(max_length=500, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, data: Any = None, *, case: Case, kind: str = "") -> None:
        super().__init__(data, initial=_initial(case) | ({"format": kind} if kind else {}))

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        try:
            words = said.get("words", "").split(",")
            said["redaction"] = Redaction.of(said.get("level", "full"), tlp=said.get("tlp", "red"), words=words)
        except RedactionError as error:
            raise ValidationError(str(error)) from None
        return said

    def wish(self) -> Wish:
        said = self.cleaned_data
        return Wish(said["redaction"], said["pap"], tuple(said["parts"]), said["sender"])


def _initial(case: Case) -> dict[str, Any]:
    """Nothing more closed than the case, and nothing that nobody judged."""
    parts = [part.value for part in CaseShare.Part if part != CaseShare.Part.UNJUDGED]
    tlp = case.tlp if case.tlp != Tlp.RED else Tlp.AMBER_STRICT
    sender = case.connection.name if case.connection else ""
    return {"tlp": tlp, "pap": Pap.AMBER, "level": Level.NAMES.value, "parts": parts, "sender": sender}
