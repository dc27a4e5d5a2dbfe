"""Teams, who sees a case, the sign-in provider and the rules of access, as people fill them in."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError

from ircase.forms.fields import PersonField, ScopedForm
from ircase.models import AccessPolicy, CaseRole, SignInProvider, Team, User
from ircase.services.identity import factors

if TYPE_CHECKING:
    _TeamForm = forms.ModelForm[Team]
    _ProviderForm = forms.ModelForm[SignInProvider]
    _PolicyForm = forms.ModelForm[AccessPolicy]
    _TeamChoice = forms.ModelChoiceField[Team]
else:
    _TeamForm = _ProviderForm = _PolicyForm = forms.ModelForm
    _TeamChoice = forms.ModelChoiceField


class TeamForm(_TeamForm):
    class Meta:
        model = Team
        fields = ("name", "description")


class TeamPersonForm(ScopedForm):
    person = PersonField(label="Person", empty_label="Choose a person")


class CaseTeamForm(ScopedForm):
    """A team, and what it may do on the case."""

    team = _TeamChoice(queryset=Team.objects.all(), empty_label="Choose a team")
    role = forms.ChoiceField(choices=CaseRole.choices, initial=CaseRole.ANALYST)


class LinesField(forms.CharField):
    """One value a line; a list in the row."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, widget=forms.Textarea(attrs={"rows": 3}), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in (super().to_python(value) or "").splitlines() if line.strip()]


class RoleMapField(LinesField):
    """`app role = site role`, one a line; a dictionary in the row."""

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(f"{app} = {site}" for app, site in value.items()) if isinstance(value, dict) else value

    def to_python(self, value: Any) -> Any:
        found = {}
        for line in super().to_python(value):
            app, equals, site = (part.strip() for part in line.partition("="))
            if not equals or not app or site not in User.SiteRole.values:
                roles = ", ".join(User.SiteRole.values)
                raise ValidationError(f"Write app role = site role, one a line; the site roles are {roles}.")
            found[app[:120]] = site
        return found


def _hidden(label: str, help_text: str, rows: int = 0) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": rows}) if rows else forms.PasswordInput(attrs={"autocomplete": "off"})
    return forms.CharField(required=False, label=label, help_text=help_text, widget=widget, max_length=20_000)


class ProviderForm(_ProviderForm):
    """The app registration people sign in by. Secrets are written, never read back."""

    secret = _hidden("Client secret", "The secret's value. Empty: as it is.")
    key = _hidden("Private key of the certificate", "PEM, instead of a client secret. Empty: as it is.", rows=3)
    allowed_tenants = LinesField(label="Tenants people may come from", help_text="Tenant ids, one a line.")
    role_map = RoleMapField(
        label="App roles",
        help_text="As in IRCase.Analyst = analyst, one a line. Whoever has none of these is not let in.",
    )

    class Meta:
        model = SignInProvider
        fields = (
            "enabled", "login_url", "tenant", "client_id", "secret", "certificate", "key", "allowed_tenants",
            "role_map", "guests", "ca_pem",
        )  # fmt: skip
        labels = {
            "enabled": "People sign in by Microsoft Entra ID",
            "login_url": "Sign-in URL",
            "tenant": "Tenant",
            "client_id": "Client id",
            "certificate": "Certificate",
            "guests": "Guests of the tenant",
            "ca_pem": "Certificate authority",
        }
        widgets = {"certificate": forms.Textarea(attrs={"rows": 3}), "ca_pem": forms.Textarea(attrs={"rows": 3})}


class PolicyForm(_PolicyForm):
    """The rules of access."""

    second_factor_for = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        choices=[*User.SiteRole.choices, (factors.LEADS, "Leads of a case")],
        label="A second factor is needed by",
        help_text="Of those who use a password here; Microsoft's own rules hold for those who come from there.",
    )

    class Meta:
        model = AccessPolicy
        fields = ("local_passwords", "password_length", "second_factor_for", "token_days", "review_days")
        labels = {
            "local_passwords": "Who may use a password here",
            "password_length": "Shortest password",
            "token_days": "Longest life of an API token, in days",
            "review_days": "Days between reviews of who sees a case",
        }
