"""A tenant and how to reach it."""

from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

GUID = RegexValidator(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", "A GUID, as in Entra's overview page.")


class Connection(models.Model):
    """Base URLs, the app registration and its secret (encrypted), limits, and what the last preflight found.

    The URLs are fields because clouds differ and a simulated tenant can stand in for one; administrators write them.
    """

    name = models.CharField(max_length=100, unique=True)
    enabled = models.BooleanField(default=True)
    read_only = models.BooleanField(default=False, help_text="Hunts only: nothing that touches a device.")
    tenant_id = models.CharField(max_length=36, validators=[GUID])
    client_id = models.CharField(max_length=36, validators=[GUID])
    secret_encrypted = models.TextField(blank=True, editable=False)
    login_url = models.URLField(default="https://login.microsoftonline.com")
    graph_url = models.URLField(default="https://graph.microsoft.com")
    defender_url = models.URLField(default="https://api.security.microsoft.com")
    loganalytics_url = models.URLField(default="https://api.loganalytics.io")
    workspace_id = models.CharField(max_length=36, blank=True, validators=[GUID], help_text="Log Analytics workspace.")
    workspaces = models.JSONField(
        default=list, blank=True, help_text="Further workspaces whose tables every query over Log Analytics also reads."
    )
    kusto_cluster = models.URLField(blank=True, help_text="As https://name.region.kusto.windows.net.")
    kusto_database = models.CharField(max_length=260, blank=True, help_text="Which hunts read.")
    kusto_push_database = models.CharField(
        max_length=260, blank=True, help_text="To which a case's lead may copy its tables."
    )
    portal_url = models.URLField(default="https://security.microsoft.com")
    blob_hosts = models.JSONField(
        default=list, blank=True, help_text="Hosts that result links may point to, beside *.blob.core.windows.net."
    )
    ca_pem = models.TextField(blank=True, help_text="A certificate authority of the connection's own, in PEM.")
    limits = models.JSONField(
        default=dict,
        blank=True,
        help_text="Overrides of the API limits and poll times; docs/connecting-a-tenant.md names them.",
    )
    preflight = models.JSONField(default=dict, blank=True, editable=False)
    preflight_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
