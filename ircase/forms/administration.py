"""What administrators fill in: connections and people."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ImproperlyConfigured, ValidationError

from ircase import secrets
from ircase.forms.fields import LongTextField, MomentField, PersonField, ScopedForm, with_blank
from ircase.forms.people import zone_choices
from ircase.models import Connection, User
from ircase.nist import frameworks
from ircase.services import connections
from msapi.endpoint import ApiLimits, Endpoint, is_guid
from msapi.errors import InvalidParameter
from msapi.kusto import cluster_problem, quoted_name
from msapi.loganalytics import WORKSPACES

if TYPE_CHECKING:
    _ConnectionForm = forms.ModelForm[Connection]
    _PersonForm = forms.ModelForm[User]
else:
    _ConnectionForm = _PersonForm = forms.ModelForm


class HostsField(forms.CharField):
    """One host a line; a list in the row."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, widget=forms.Textarea(attrs={"rows": 2}), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip().lower() for line in (super().to_python(value) or "").splitlines() if line.strip()]

    def validate(self, value: Any) -> None:
        if any("/" in host or " " in host for host in value):
            raise ValidationError("Host names only, one a line, as in files.example.com.")


class WorkspacesField(forms.CharField):
    """One workspace id a line; a list in the row."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, widget=forms.Textarea(attrs={"rows": 2}), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        lines = [line.strip().lower() for line in (super().to_python(value) or "").splitlines()]
        return list(dict.fromkeys(line for line in lines if line))

    def validate(self, value: Any) -> None:
        if not all(is_guid(one) for one in value):
            raise ValidationError("Workspace ids only, one a line: GUIDs, not names.")
        if len(value) >= WORKSPACES:
            raise ValidationError(f"One query reads at most {WORKSPACES} workspaces.")


class ConnectionForm(_ConnectionForm):
    """A tenant. The secret is written, never read back."""

    secret = forms.CharField(
        required=False,
        strip=True,
        max_length=500,
        label="Client secret",
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"}),
        help_text="The secret's value, not its id. Leave it empty to keep the one there is.",
    )
    blob_hosts = HostsField(
        label="Download hosts", help_text="Hosts that result links may point to beside *.blob.core.windows.net."
    )

    workspaces = WorkspacesField(
        label="Further workspaces", help_text="One id a line. A hunt over Log Analytics reads them all in one query."
    )

    class Meta:
        model = Connection
        fields = (
            "name", "enabled", "read_only", "tenant_id", "client_id", "secret", "workspace_id", "workspaces",
            "kusto_cluster", "kusto_database", "kusto_push_database", "login_url", "graph_url", "defender_url",
            "loganalytics_url", "portal_url", "blob_hosts", "ca_pem", "limits",
        )  # fmt: skip
        labels = {
            "read_only": "Hunts only",
            "tenant_id": "Tenant id",
            "client_id": "Application (client) id",
            "workspace_id": "Log Analytics workspace id",
            "kusto_cluster": "Azure Data Explorer cluster",
            "kusto_database": "Database that hunts read",
            "kusto_push_database": "Database for tables of cases",
            "login_url": "Sign-in URL",
            "graph_url": "Graph URL",
            "defender_url": "Defender URL",
            "loganalytics_url": "Log Analytics URL",
            "portal_url": "Portal URL",
            "ca_pem": "Certificate authority",
        }
        help_texts = {
            "read_only": "Nothing that touches a device.",
            "workspace_id": "Empty: hunts do not run over Log Analytics.",
            "kusto_cluster": "As https://name.region.kusto.windows.net. Empty: no cluster.",
            "kusto_database": "The app needs the role Viewer on it.",
            "kusto_push_database": "The app needs the role Admin on it. Empty: nothing of a case is copied there.",
        }
        widgets = {
            "ca_pem": forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
            "limits": forms.Textarea(attrs={"rows": 3, "data-code": "", "spellcheck": "false"}),
        }

    def clean_limits(self) -> dict[str, float]:
        """Known names, and numbers that are more than nothing."""
        limits = self.cleaned_data.get("limits") or {}
        known = {field.name for field in fields(ApiLimits)} | EXTRA_LIMITS
        if not isinstance(limits, dict):
            raise ValidationError('Limits are a JSON object, as in {"hunting_rows": 30000}.')
        for name, value in limits.items():
            if name not in known:
                raise ValidationError(f"There is no limit {name!r}. There are: {', '.join(sorted(known))}.")
            if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
                raise ValidationError(f"{name} must be a number above zero.")
        return limits

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if not self.instance.secret_encrypted and not values.get("secret") and "secret" not in self.errors:
            self.add_error("secret", "A new connection needs the secret's value.")
        return values

    def _post_clean(self) -> None:
        """After the row has the values: what `msapi` itself would refuse, said on the form."""
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        try:
            endpoint = connections.endpoint(self._probe())
        except ImproperlyConfigured as error:
            self.add_error("secret", str(error))
            return
        for problem in endpoint.problems():
            self.add_error(None, problem)
        self._check_cluster(endpoint)

    def _check_cluster(self, endpoint: Endpoint) -> None:
        cluster, named = self.instance.kusto_cluster, ("kusto_database", "kusto_push_database")
        if cluster and (problem := cluster_problem(cluster, endpoint)):
            self.add_error("kusto_cluster", problem)
        for field in named:
            name = getattr(self.instance, field)
            if name and not cluster:
                self.add_error("kusto_cluster", "Name the cluster that the database is on.")
            try:
                quoted_name(name or "none")
            except InvalidParameter as error:
                self.add_error(field, error.message)
        if cluster and not any(getattr(self.instance, field) for field in named):
            self.add_error("kusto_database", "Name at least one database of the cluster.")

    def _probe(self) -> Connection:
        """The connection as it would be, with the new secret in place and nothing saved."""
        names = [field.attname for field in Connection._meta.concrete_fields]
        probe = Connection(**{name: getattr(self.instance, name) for name in names})
        if self.cleaned_data.get("secret"):
            probe.secret_encrypted = secrets.encrypt(self.cleaned_data["secret"])
        return probe


# Poll times and deadlines that apps above read from the same place; docs/connecting-a-tenant.md lists them.
EXTRA_LIMITS = frozenset(
    {
        "action_confirm_hours",
        "action_confirm_seconds",
        "hunting_concurrency",
        "hunting_cpu_seconds",
        "hunting_retention_days",
        "kusto_concurrency",
        "kusto_per_minute",
        "kusto_retention_days",
        "kusto_rows",
        "kusto_seconds",
        "live_response_busy_seconds",
        "live_response_offline_seconds",
        "live_response_patience_seconds",
        "live_response_poll_seconds",
        "live_response_queue_hours",
        "machine_actions_seconds",
        "loganalytics_retention_days",
    }
)


class PersonForm(_PersonForm):
    class Meta:
        model = User
        fields = ("first_name", "last_name", "email", "site_role", "time_zone")
        labels = {"email": "E-mail"}

    time_zone = forms.ChoiceField(choices=zone_choices, initial="UTC")
    site_role = forms.ChoiceField(
        choices=User.SiteRole.choices,
        label="Site role",
        help_text="Guest: only cases they are a member of. Analyst: reads ordinary cases, opens cases. Manager: reads "
        "ordinary cases and dashboards. Administrator: people and connections, no case content.",
    )


class NewPersonForm(PersonForm):
    class Meta(PersonForm.Meta):
        fields = ("username", *PersonForm.Meta.fields)  # type: ignore[assignment]
        help_texts = {"username": "How they sign in. It cannot be changed later: logs name them by it."}


class PreparationForm(ScopedForm):
    """An item of the organisation's preparation: what it is, who sees to it, and how far it is."""

    title = forms.CharField(max_length=300, min_length=4, label="What is prepared")
    csf_outcome = forms.ChoiceField(required=False, label="Outcome of CSF 2.0")
    owner = PersonField(required=False, empty_label="Nobody yet")
    due_at = MomentField(required=False, label="Due")
    done_at = MomentField(required=False, label="Done", help_text="Empty while it is open, or open again.")
    review_days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=3650,
        label="Look at it again after",
        help_text="Days after it was done. Empty: it is done for good.",
    )
    result = LongTextField(required=False, rows=3, help_text="Where it is kept or what was tested. Cases show it.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["csf_outcome"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = outcome_choices()


class NewPreparationForm(ScopedForm):
    title = forms.CharField(max_length=300, min_length=4, label="What is to be prepared")
    csf_outcome = forms.ChoiceField(required=False, label="Outcome of CSF 2.0")
    review_days = forms.IntegerField(required=False, min_value=1, max_value=3650, label="Look at it again after (days)")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["csf_outcome"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = outcome_choices()


def outcome_choices() -> list[tuple[str, str]]:
    return with_blank([(number, f"{number} {text}") for number, text in frameworks().outcomes.items()], "None")
