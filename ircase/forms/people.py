"""A person's own account."""

import zoneinfo
from datetime import datetime, timedelta

from django import forms
from django.utils import timezone

from ircase.forms.fields import ScopedForm


def zone_choices() -> list[tuple[str, str]]:
    """IANA names by which people know their zone: regions with a city, and UTC."""
    names = sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/"))
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in names)]


class ProfileForm(ScopedForm):
    first_name = forms.CharField(max_length=150, required=False)
    last_name = forms.CharField(max_length=150, required=False)
    email = forms.EmailField(required=False, label="E-mail")
    time_zone = forms.ChoiceField(choices=zone_choices, help_text="Times on every page are shown in it.")


class TokenForm(ScopedForm):
    """A name that says what uses it, and how long it lives."""

    LIVES = (("30", "30 days"), ("90", "90 days"), ("365", "A year"), ("", "Until it is revoked"))

    name = forms.CharField(max_length=100, help_text="What will use it, as in nightly export.")
    days = forms.ChoiceField(choices=LIVES, required=False, initial="90", label="Valid for")

    def expires_at(self) -> datetime | None:
        days = self.cleaned_data.get("days")
        return timezone.now() + timedelta(days=int(days)) if days else None
