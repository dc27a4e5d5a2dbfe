"""People, and the connection to a simulated tenant, for the embedded mode. Harmless to repeat."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand
from django.db import transaction

from ircase.models import Connection, ReadinessPlan, User
from ircase.services import connections
from ircase.services.readiness import plans

NAMES = {
    "alice": ("Alice", "Berg", User.SiteRole.ANALYST),
    "bob": ("Bob", "Carlsen", User.SiteRole.ANALYST),
    "carol": ("Carol", "Dietz", User.SiteRole.MANAGER),
    "ada": ("Ada", "Ekholm", User.SiteRole.ADMINISTRATOR),
}


class Command(BaseCommand):
    help = "Make the demo's people and its connection."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", type=Path, required=True, help="the simulator's ready.json")
        parser.add_argument("--people", type=Path, required=True, help="user names and passwords, as JSON")

        parser.add_argument("--limits", default="{}", help="the connection's limits and poll times, as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            for username, password in json.loads(options["people"].read_text(encoding="utf-8")).items():
                self._person(username, password)
            self._connection(json.loads(options["tenant"].read_text(encoding="utf-8")), json.loads(options["limits"]))

    def _person(self, username: str, password: str) -> None:
        first, last, role = NAMES[username]
        person, new = User.objects.get_or_create(
            username=username, defaults={"first_name": first, "last_name": last, "site_role": role}
        )
        if new or not person.check_password(password):
            person.set_password(password)
            person.save(update_fields=["password"])

    def _connection(self, tenant: dict[str, Any], limits: dict[str, Any]) -> None:
        url, app = tenant["base_url"], tenant["apps"]["ircase"]
        connection = Connection.objects.filter(name="Simulated tenant").first() or Connection(name="Simulated tenant")
        wanted = {
            "tenant_id": tenant["tenant_id"],
            "client_id": app["client_id"],
            "workspace_id": tenant["workspace_id"],
            "kusto_cluster": url,
            "kusto_database": tenant["kusto_database"],
            "kusto_push_database": tenant["kusto_push_database"],
            "login_url": url,
            "graph_url": url,
            "defender_url": url,
            "loganalytics_url": url,
            "blob_hosts": [urlsplit(url).hostname],
            "ca_pem": Path(tenant["ca"]).read_text(encoding="ascii"),
            "limits": limits,
        }
        if connection.pk and all(getattr(connection, name) == value for name, value in wanted.items()):
            return
        for name, value in wanted.items():
            setattr(connection, name, value)
        actor = User.objects.get(username="ada")
        connections.save_connection(connection=connection, actor=actor, secret=app["client_secret"])
        if not ReadinessPlan.objects.filter(connection=connection).exists():
            plans.save(connection=connection, actor=actor, is_test=True, probe_device="ws-ops-01.northwharf.example")
