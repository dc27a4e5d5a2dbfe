"""Exports, and the acts of custody."""

import base64
from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from ircase.forms.fields import ScopedForm, with_blank
from ircase.models import Case, CaseMember, User
from ircase.services.transfer import caseexports
from ircase.services.vault import packing
from ircase.services.vault.custody import What


class ExportForm(forms.Form):
    """What leaves the house, for whom and why."""

    exhibits = forms.CharField(
        max_length=2000,
        required=False,
        help_text="Such as E001, E004-E007. Empty: the whole case with its log and content.",
    )
    receiver = forms.CharField(max_length=200, help_text="Person and organisation.")
    purpose = forms.CharField(max_length=500, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, *args: Any, case: Case, **more: Any) -> None:
        super().__init__(*args, **more)
        self.case = case

    def clean_exhibits(self) -> list[int]:
        return caseexports.numbers_of(self.case, self.cleaned_data["exhibits"])


class ImportForm(forms.Form):
    """What stands beside an export that is handed in; the file is taken by `services.uploads.receive`."""

    confidential = forms.BooleanField(
        required=False,
        initial=True,
        label="Confidential",
        help_text="Only members of the case will know of it. A lead may lift it later.",
    )
    expected_key = forms.CharField(
        max_length=64,
        required=False,
        label="Public key",
        help_text="As the sender told you by another way: 64 hexadecimal digits. The signature must be by it.",
    )
    password = forms.CharField(
        max_length=packing.LONGEST,
        required=False,
        strip=False,
        label="Password of the zip around it",
        help_text=f"Only where it came in an encrypted zip, and the word is not {packing.PASSWORD}.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class ActForm(forms.Form):
    """What every act of custody says: why, where, when, and the number of the seal."""

    purpose = forms.CharField(max_length=500)
    place = forms.CharField(max_length=200)
    happened_at = forms.DateTimeField(
        label="When it happened",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="Empty: now.",
    )
    seal = forms.CharField(max_length=100, required=False, label="Seal number")

    def clean_happened_at(self) -> Any:
        at = self.cleaned_data["happened_at"]
        if at is not None and at > timezone.now() + timedelta(minutes=5):
            raise ValidationError("It cannot have happened in the future.")
        return at


class SealForm(ActForm):
    seal = forms.CharField(max_length=100, label="New seal number")


class ReturnForm(ActForm):
    field_order = ("holder", "purpose", "place", "happened_at", "seal")
    holder = forms.CharField(max_length=200, label="Who has it now", help_text="The owner, or the store it is back in.")


class PhysicalForm(ActForm):
    """A thing that is no file, as it is taken into custody."""

    field_order = (
        "name", "what", "description", "serial", "sha256", "source", "acquired_by", "place", "purpose", "happened_at",
        "seal",
    )  # fmt: skip
    name = forms.CharField(max_length=255, label="What it is", help_text="Such as Laptop, Samsung 980 Pro SSD.")
    what = forms.ChoiceField(choices=with_blank(What.choices, "Not said"), required=False, label="Kind of thing")
    description = forms.CharField(max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))
    serial = forms.CharField(max_length=200, required=False, label="Serial number or IMEI")
    sha256 = forms.CharField(
        max_length=64,
        required=False,
        label="Stated SHA-256",
        help_text="Of a file or an image kept elsewhere. It is shown as stated: it cannot be verified here.",
    )
    source = forms.CharField(max_length=200, required=False, label="Where it came from")
    acquired_by = forms.CharField(max_length=200, required=False, label="Acquired by", help_text="Empty: you.")
    purpose = forms.CharField(max_length=500, label="Why it was taken")
    place = forms.CharField(max_length=200, label="Where it was taken")


class RegisterForm(ScopedForm):
    """A CSV of things that lie elsewhere."""

    file = forms.FileField(label="File", help_text="CSV with a header, up to 300 lines and 1 MiB.")
    zone = forms.CharField(
        max_length=64,
        required=False,
        label="Zone of times without one",
        help_text="Empty: a line with such a time is refused. As in Europe/Copenhagen or UTC.",
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off"}),
    )
    purpose = forms.CharField(
        max_length=500, required=False, label="Why they were acquired", help_text="Of lines that do not say it."
    )


class RegisterAgainForm(RegisterForm):
    """The same as the preview sends it back, with the file as it came in Base64."""

    file = None  # type: ignore[assignment]
    content = forms.CharField(widget=forms.HiddenInput)
    name = forms.CharField(max_length=255, required=False, widget=forms.HiddenInput)

    def clean_content(self) -> bytes:
        try:
            return base64.b64decode(self.cleaned_data["content"], validate=True)
        except ValueError:
            raise ValidationError("Choose the file again.") from None


class TransferForm(ActForm):
    """To a member of the case, who confirms; or to somebody outside, which the giver acknowledges."""

    field_order = ("receiver", "outsider", "acknowledged", "purpose", "place", "happened_at", "seal")
    receiver = forms.ModelChoiceField(
        User.objects.none(),
        required=False,
        to_field_name="username",
        empty_label="Somebody outside",
        help_text="A member of the case confirms by signing in.",
    )
    outsider = forms.CharField(
        max_length=200, required=False, label="Receiver outside", help_text="Name and organisation."
    )
    acknowledged = forms.CharField(
        max_length=200,
        required=False,
        label="Your acknowledgement",
        help_text="For a receiver outside: type your own name. You state that they took it and signed the form.",
    )

    def __init__(self, *args: Any, case: Case, giver: User, **more: Any) -> None:
        super().__init__(*args, **more)
        self.giver = giver
        members = CaseMember.objects.filter(case=case).values("user")
        people = User.objects.filter(pk__in=members, is_active=True).exclude(pk=giver.pk).order_by("username")
        self.fields["receiver"].queryset = people  # type: ignore[attr-defined]
        self.fields["receiver"].label_from_instance = lambda user: f"{user.name} ({user.username})"  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        inside, outside = data.get("receiver"), (data.get("outsider") or "").strip()
        if bool(inside) == bool(outside):
            raise ValidationError("Choose a member of the case, or name one receiver outside; not both.")
        if outside and " ".join((data.get("acknowledged") or "").split()).casefold() != self.giver.name.casefold():
            self.add_error("acknowledged", f"Type your name as it stands here: {self.giver.name}.")
        return data
