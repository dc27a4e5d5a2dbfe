"""The simulator in this process, spoken to by the product's own Graph client, and a case that holds an incident."""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest
from werkzeug.test import Client

from ircase.intake import polling, sending
from ircase.models import Case, CaseIncident, Connection, IncidentFeed, IncomingIncident, User
from ircase.services.incidents import incidentsync, merging
from msapi.endpoint import ApiLimits
from msapi.errors import ApiError, BadRequest, Forbidden, NotFound
from msapi.graph import GraphSecurity
from msapi.transport import Call
from simulator.app import Application
from simulator.core import Simulator, build
from simulator.options import Options
from tests.cast import make_case, make_connection, make_user
from tests.simulator.conftest import GRAPH, Tenant


@dataclass
class SimulatorTransport:
    """`msapi.transport.Transport` as far as Graph's calls for incidents need it, over the simulator's WSGI."""

    tenant: Tenant
    app: str = "ircase"
    before: Callable[[Call], None] = lambda call: None
    calls: list[Call] = field(default_factory=list)

    @property
    def endpoint(self) -> Any:
        return mock.Mock(limits=ApiLimits())

    def json(self, call: Call) -> Any:
        self.calls.append(call)
        self.before(call)
        path = call.path.split("//", 1)[-1]
        path = call.path if call.path.startswith("/") else "/" + path.split("/", 1)[1]
        headers = {**self.tenant.token(GRAPH, self.app), **call.headers}
        body = {"json": dict(call.body)} if call.body is not None else {}
        reply = self.tenant.client.open(
            path, method=call.method, query_string=dict(call.params), headers=headers, **body
        )
        if reply.status_code >= 400:
            kind = {403: Forbidden, 404: NotFound}.get(reply.status_code, BadRequest)
            error: ApiError = kind(reply.get_data(as_text=True)[:200], status=reply.status_code, service="Graph")
            raise error
        return json.loads(reply.data)


@dataclass
class Desk:
    """Bob's case, with an incident of the simulator in it, and the doors of poll and worker."""

    tenant: Tenant
    transport: SimulatorTransport
    connection: Connection
    alice: User
    bob: User
    case: Case

    @property
    def graph(self) -> GraphSecurity:
        return GraphSecurity(self.transport)  # type: ignore[arg-type]

    def put(self, number: str, **more: Any) -> None:
        reply = self.tenant.client.post("/_sim/incidents", json={"incidents": [{"id": number, **more}]})
        assert reply.status_code == 201, reply.text

    def patch(self, number: str, **fields: Any) -> None:
        """What an analyst does in Defender's portal."""
        self.tenant.advance(1)
        assert self.tenant.graph("PATCH", f"/incidents/{number}", json=fields).status_code == 200

    def there(self, number: str) -> dict[str, Any]:
        return dict(self.tenant.graph("GET", f"/incidents/{number}").json)

    def poll(self) -> IncidentFeed:
        feed = polling.claim(self.connection.pk)
        assert feed is not None
        with mock.patch.object(polling, "_graph", self.open):
            polling.sync(feed)
        return IncidentFeed.objects.get(pk=feed.pk)

    @contextmanager
    def open(self, _: Any) -> Iterator[GraphSecurity]:
        yield self.graph

    def hold(self, number: str) -> CaseIncident:
        incident = IncomingIncident.objects.get(connection=self.connection, incident_id=number)
        return merging.merge(case=self.case, incident=incident, actor=self.bob)

    def sync(self, *fields: str, comments: bool = False) -> None:
        incidentsync.set_sync(
            connection=self.connection, actor=self.alice, enabled=True, fields=fields, comments=comments
        )

    def settle(self) -> None:
        """Poll, compare, and let the worker send everything that waits; twice, so that nothing swings."""
        for _ in range(2):
            self.poll()
            self.tick()

    def tick(self) -> None:
        from ircase.tasks import send_incident_change, send_incident_comment

        tasks = {
            "ircase.send_incident_change": send_incident_change,
            "ircase.send_incident_comment": send_incident_comment,
        }
        with (
            mock.patch.object(sending, "graph_of", self.open),
            mock.patch("ircase.jobs.send", lambda name, pk: tasks[name](pk)),
        ):
            sending.tick()


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A small tenant whose story ends now: the product asks for the last thirty days."""
    made = build(Options(state=tmp_path_factory.mktemp("incidents"), devices=10, days=2, connections=5))
    yield made
    made.state.close()


@pytest.fixture
def tenant(simulator: Simulator) -> Iterator[Tenant]:
    yield Tenant(simulator, Client(Application(simulator)))
    simulator.requests.clear()
    simulator.quotas.reset()


@pytest.fixture
def desk(db: None, tenant: Tenant) -> Iterator[Desk]:
    alice, bob = make_user("alice", "analyst", email="alice@contoso.com"), make_user("bob", "analyst")
    connection = make_connection()
    case = make_case(alice, analysts=(bob,), connection=connection)
    yield Desk(tenant, SimulatorTransport(tenant), connection, alice, bob, case)
    for document in list(tenant.simulator.state.all("incident")):
        tenant.simulator.state.delete("incident", document["incident"]["id"])
        tenant.simulator.state.delete("incident-edits", document["incident"]["id"])


@pytest.fixture
def number() -> str:
    """An incident of this test alone."""
    return str(uuid.uuid4().int)[:9]
