"""Three small tables that every language test can read."""

from __future__ import annotations

import pytest

from kql import Table
from tests.kql.support import at, table


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[Table, ...]:
    """``Events`` (a row with everything, one with nothing), ``Devices`` and ``Logs`` (with ``TimeGenerated``)."""
    folder = tmp_path_factory.mktemp("tables")
    events = table(
        folder,
        "Events",
        {
            "Timestamp": "datetime",
            "Id": "long",
            "Name": "string",
            "AdditionalFields": "dynamic",
            "Ok": "bool",
            "Took": "timespan",
        },
        [
            (at(1), 1, "Alpha Beta", {"Description": "Hello World", "n": 3, "tags": ["x", "y"]}, True, None),
            (None, 2, "", None, False, None),
            (at(2), 3, "powershell.exe", "just text", None, at(2) - at(1)),
            (at(3, 6), 4, "alpha", {"Description": "zzz", "n": "7"}, True, at(1, 1) - at(1)),
        ],
    )
    devices = table(
        folder,
        "Devices",
        {"Id": "long", "Name": "string", "Site": "string"},
        [(1, "one", "Berlin"), (3, "three", ""), (9, "nine", "Oslo")],
    )
    logs = table(
        folder,
        "Logs",
        {"TimeGenerated": "datetime", "Computer": "string"},
        [(at(4), "ws01"), (at(9), "ws02")],
    )
    return events, devices, logs
