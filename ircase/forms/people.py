"""A person's own account."""

import zoneinfo
from datetime import datetime, timedelta

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import PasswordChangeForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from ircase import access
from ircase.forms.fields import ScopedForm
from ircase.models import Scope


def zone_choices() -> list[tuple[str, str]]:
    """IANA names by which people know their zone: regions with a city, and UTC."""
    names = sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/"))
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in names)]


class ProfileForm(ScopedForm):
    first_name = forms.CharField(max_length=150, required=False)
    last_name = forms.CharField(max_length=150, required=False)
    email = forms.EmailField(required=False, label="E-mail")
    time_zone = forms.ChoiceField(choices=zone_choices, help_text="Times on every page are shown in it.")


class OwnPasswordForm(PasswordChangeForm):
    """Django's, but a wrong old password counts for the throttle and stands in the log: whoever sits at somebody's open
    browser may not try until one fits."""

    def __init__(self, request: HttpRequest, data: QueryDict | None = None) -> None:
        self.request = request
        super().__init__(access.current_user(request), data)
        # One card among others: the page's first field has the focus.
        self.fields["old_password"].widget.attrs.pop("autofocus", None)

    def clean_old_password(self) -> str:
        given: str = self.cleaned_data["old_password"]
        if authenticate(self.request, username=self.user.get_username(), password=given) is None:
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return given


class PasskeyForm(ScopedForm):
    name = forms.CharField(max_length=100, help_text="What holds it, as in Security key in the drawer.")


class TokenForm(ScopedForm):
    """A name that says what uses it, what it may be used for, from where, and how long it lives."""

    LIVES = (("30", "30 days"), ("90", "90 days"), ("180", "180 days"), ("365", "A year"))

    name = forms.CharField(max_length=100, help_text="What will use it, as in nightly export.")
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        initial=[Scope.READ.value],
        widget=forms.CheckboxSelectMultiple,
        label="May be used to",
        help_text="And never for more than your own roles let you do.",
    )
    days = forms.ChoiceField(choices=LIVES, initial="90", label="Valid for")
    places = forms.CharField(
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="Only from these networks",
        help_text="One a line, as in 192.0.2.0/24. Empty: from anywhere.",
    )

    def expires_at(self) -> datetime:
        return timezone.now() + timedelta(days=int(self.cleaned_data["days"]))

    def networks(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["places"].splitlines() if line.strip()]
