"""What a person types to ask for a response action."""

from typing import Any

from django import forms

from ircase.models import Asset, Case
from liveresponse.kinds import Kind
from liveresponse.models import ActionKind
from liveresponse.services import actions
from liveresponse.services.wanted import Glass

OFFERED = 100


class ActionForm(forms.Form):
    """One kind of action on one or several targets. They come from the case, or are typed."""

    targets = forms.MultipleChoiceField(label="Devices", required=False, widget=forms.CheckboxSelectMultiple)
    other = forms.CharField(label="Another one", max_length=2048, required=False)
    reason = forms.CharField(
        label="Why", max_length=2000, widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Who approves it reads this, and so does the report.",
    )  # fmt: skip
    without = forms.BooleanField(
        label="Break glass: act now, without approval", required=False,
        help_text="For one target only. Every lead of the case and the managers who may see it are told at once; a "
        "banner stands on the case until a lead who did not act has reviewed it; log, evidence and report say so.",
    )  # fmt: skip
    glass_reason = forms.CharField(
        label="Why this cannot wait for a second person", max_length=2000, required=False,
        widget=forms.Textarea(attrs={"rows": 2}), help_text="At least 20 characters. Only with break glass.",
    )  # fmt: skip
    glass_name = forms.CharField(
        label="Type the target's name once more", max_length=2048, required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Only with break glass.",
    )  # fmt: skip

    def __init__(self, case: Case, kind: Kind, *args: Any, chosen: list[str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        offered = self._known(case)
        targets = self.fields["targets"]
        assert isinstance(targets, forms.MultipleChoiceField)
        targets.choices = [(name, name) for name in offered]
        targets.label = "Devices of the case" if kind.is_for_devices else "Indicators of the case"
        if not offered:
            del self.fields["targets"]
        self.initial.setdefault("targets", [one for one in chosen or [] if one in offered])
        self.initial.setdefault("other", next((one for one in chosen or [] if one not in offered), ""))
        if kind.id == ActionKind.UNBLOCK:
            del self.fields["other"]
        else:
            self.fields["other"].label = "Another device" if kind.is_for_devices else "Another value"
            self.fields["other"].help_text = (
                "Its DNS name as Defender knows it." if kind.is_for_devices else "A hash, one address, a domain, a URL."
            )
        self.fields |= self._parameters()
        self.order_fields(["targets", "other", *self._parameters(), "reason"])

    def _known(self, case: Case) -> list[str]:
        if self.kind.is_for_devices:
            devices = case.assets.filter(kind=Asset.Kind.DEVICE).values_list("name", flat=True)
            return list(devices[:OFFERED])
        if self.kind.id == ActionKind.UNBLOCK:
            return list(actions.blocks_of(case))[:OFFERED]
        return [one.value for one in actions.suggested_indicators(case)[:OFFERED]]

    def _parameters(self) -> dict[str, forms.Field]:
        match self.kind.id:
            case ActionKind.ISOLATE:
                choices = [("Full", "Full: nothing but Defender"), ("Selective", "Selective: Outlook and Teams stay")]
                return {"isolation": forms.ChoiceField(label="Isolation", choices=choices)}
            case ActionKind.SCAN:
                return {"scan": forms.ChoiceField(label="Scan", choices=[("Quick", "Quick"), ("Full", "Full")])}
            case ActionKind.QUARANTINE:
                return {"sha1": forms.CharField(label="SHA-1 of the file", min_length=40, max_length=40)}
            case ActionKind.BLOCK:
                choices = [
                    ("Block", "Block"), ("BlockAndRemediate", "Block and remediate (files)"),
                    ("Warn", "Warn (addresses, domains, URLs)"), ("Audit", "Audit: only an alert"),
                ]  # fmt: skip
                return {
                    "action": forms.ChoiceField(label="What devices do", choices=choices),
                    "days": forms.IntegerField(label="Days until it expires", min_value=1, max_value=365, initial=90),
                }
        return {}

    @property
    def wanted(self) -> list[str]:
        """The targets, chosen and typed."""
        chosen = self.cleaned_data.get("targets") or []
        return [*chosen, self.cleaned_data.get("other") or ""]

    @property
    def values(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self._parameters()}

    @property
    def glass(self) -> Glass | None:
        if not self.cleaned_data.get("without"):
            return None
        return Glass(self.cleaned_data.get("glass_reason") or "", self.cleaned_data.get("glass_name") or "")
