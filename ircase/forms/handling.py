"""How an exhibit leaves, and what is asked of the looks at it."""

import re
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from ircase.models import Handling, Indicator
from ircase.services.vault import packing
from ircase.services.vault.looking import EventsAsked, StringsAsked

LEVELS = ((0, "Always (0)"), (1, "Critical (1)"), (2, "Error (2)"), (3, "Warning (3)"), (4, "Information (4)"),
          (5, "Verbose (5)"))  # fmt: skip
_MOMENT = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d(:\d\d(:\d\d)?)?)?)?)?")


class PasswordForm(forms.Form):
    """The password of the zip. Empty: the usual one."""

    password = forms.CharField(
        required=False,
        strip=False,
        max_length=packing.LONGEST,
        label="Password of the zip",
        help_text=f"Empty: {packing.PASSWORD}, the word that those who exchange samples agree on.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_password(self) -> str:
        return packing.password_of(self.cleaned_data["password"])


class MarkForm(forms.Form):
    mark = forms.ChoiceField(
        required=False,
        choices=(
            (Handling.Mark.MALICIOUS, "Malicious: only in a zip"),
            (Handling.Mark.SAFE, "Safe: may leave as it is"),
            (Handling.Mark.NONE, "No mark: by what it is"),
        ),
    )
    reason = forms.CharField(max_length=500, widget=forms.Textarea(attrs={"rows": 2}))


class StringsForm(forms.Form):
    q = forms.CharField(required=False, max_length=200, label="Holds", strip=False)
    least = forms.IntegerField(required=False, min_value=4, max_value=1000, label="At least so many letters")
    kind = forms.ChoiceField(
        required=False, choices=(("", "ASCII and UTF-16"), ("a", "ASCII"), ("w", "UTF-16LE")), label="Encoding"
    )

    def asked(self) -> StringsAsked:
        """What was asked, as far as it is valid."""
        self.full_clean()
        data = getattr(self, "cleaned_data", {})
        return StringsAsked((data.get("q") or "").lower(), data.get("least") or 4, data.get("kind") or "")


class EventsForm(forms.Form):
    ids = forms.CharField(required=False, max_length=200, label="Event ids", help_text="Such as 4624, 4625.")
    level = forms.TypedChoiceField(
        required=False, choices=(("", "Any level"), *LEVELS), coerce=int, empty_value=None, label="Level"
    )
    provider = forms.CharField(required=False, max_length=200, label="Provider holds")
    since = forms.CharField(
        required=False, max_length=19, label="From, UTC", help_text="2026-11-20 or 2026-11-20 14:05"
    )
    until = forms.CharField(required=False, max_length=19, label="Until, UTC")

    def clean_ids(self) -> tuple[int, ...]:
        parts = re.split(r"[,;\s]+", self.cleaned_data["ids"].strip())
        if not all(part.isascii() and part.isdecimal() and len(part) < 10 for part in parts if part):
            raise ValidationError("Event ids are numbers, such as 4624, 4625.")
        return tuple(int(part) for part in parts if part)

    def clean_since(self) -> str:
        return _moment(self.cleaned_data["since"])

    def clean_until(self) -> str:
        return _moment(self.cleaned_data["until"])

    def asked(self) -> EventsAsked:
        """What was asked, as far as it is valid."""
        self.full_clean()
        data: dict[str, Any] = getattr(self, "cleaned_data", {})
        return EventsAsked(
            tuple(data.get("ids") or ()),
            data.get("level"),
            (data.get("provider") or "").lower(),
            data.get("since") or "",
            data.get("until") or "",
        )


def _moment(text: str) -> str:
    """A time, or the beginning of one, as the records write theirs."""
    text = text.strip().removesuffix("Z").replace(" ", "T")
    try:
        if text:
            datetime.fromisoformat((text + "2000-01-01"[len(text) :]) if len(text) < 10 else text)
        valid = not text or _MOMENT.fullmatch(text) is not None
    except ValueError:
        valid = False
    if not valid:
        raise ValidationError("Write a time as in 2026-11-20 or 2026-11-20 14:05.")
    return text


class TakeForm(forms.Form):
    """The recognised indicators that a person ticked, by their number."""

    number = forms.TypedMultipleChoiceField(coerce=int, choices=[(str(n), str(n)) for n in range(1_000)])
    verdict = forms.ChoiceField(choices=Indicator.Verdict.choices)
