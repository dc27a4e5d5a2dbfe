"""A simulated tenant over real sockets, with its cluster, for the tests of sources."""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from ircase import secrets
from ircase.models import Connection
from ircase.services import connections
from msapi.kusto import Kusto
from msapi.tokens import TokenProvider
from tests.cast import CastTestCase
from tests.simulator.conftest import Running, start, stop


@cache
def simulator() -> Running:
    """One for all tests of this process."""
    state = Path(tempfile.mkdtemp(prefix="ircase-sources-"))
    running = start(state, "--devices", "10", "--days", "1", "--connections", "10", "--speed", "1000")

    def end() -> None:
        stop(running)
        shutil.rmtree(state, ignore_errors=True)

    atexit.register(end)
    return running


def connect(connection: Connection, **more: Any) -> Connection:
    """Point a connection at the simulator."""
    known = simulator()
    app = known.ready["apps"]["ircase"]
    urls = dict.fromkeys(("login_url", "graph_url", "defender_url", "loganalytics_url", "kusto_cluster"), known.url)
    values = {
        **urls,
        "tenant_id": known.ready["tenant_id"],
        "client_id": app["client_id"],
        "secret_encrypted": secrets.encrypt(app["client_secret"]),
        "workspace_id": known.ready["workspace_id"],
        "kusto_database": known.ready["kusto_database"],
        "kusto_push_database": known.ready["kusto_push_database"],
        "ca_pem": Path(known.ready["ca"]).read_text(encoding="ascii"),
        **more,
    }
    for name, value in values.items():
        setattr(connection, name, value)
    connection.full_clean()
    connection.save()
    return connection


@contextmanager
def no_line() -> Iterator[None]:
    """Nobody waits for a turn: the quota book is another test's."""
    with (
        mock.patch("hunting.quota.turn", lambda *_: nullcontext()),
        mock.patch("hunting.quota.first", lambda *_: []),
        mock.patch("hunting.quota.leave", lambda *_: None),
    ):
        yield


class SourcesTestCase(CastTestCase):
    """The case's connection leads to the simulator."""

    def setUp(self) -> None:
        super().setUp()
        assert self.case.connection is not None
        self.connection = connect(self.case.connection)
        self.enterContext(no_line())

    def client_of_cluster(self) -> Kusto:
        endpoint = connections.cluster(self.connection)
        client = Kusto(endpoint, TokenProvider(endpoint))
        self.addCleanup(client.close)
        return client

    def rows_on_cluster(self, database: str, query: str) -> list[list[Any]]:
        with self.client_of_cluster().query(database, query) as result:
            return [list(row) for row in result.rows]
