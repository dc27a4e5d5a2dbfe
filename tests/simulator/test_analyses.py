"""File analyses as a device prints them: whatever is missing, what is there is read."""

from __future__ import annotations

import gzip

import pytest

from artifacts import analysis
from simulator.dfir.analysis import ANALYSES, analysis_at
from simulator.story.intrusion import CONTROL_IP
from tests.simulator.conftest import Tenant


@pytest.mark.parametrize("name", ANALYSES)
def test_a_device_has_it_and_it_is_read(tenant: Tenant, name: str) -> None:
    path = f"C:\\Temp\\analysis-{name}.json"
    key = tenant.live_response("ws-ops-01", ("GetFile", "Path", path)).json["id"]
    tenant.advance(600)
    text = gzip.decompress(tenant.download(key)).decode()
    found = analysis.read(text)
    addresses = [entity.value for entity in found.entities if entity.kind == "network"]
    assert addresses == ([CONTROL_IP] if CONTROL_IP in text else [])
    assert (len(found.scans) > 0) == ('"reports": [' in text)
    assert bool(found.scan_status) == ("scan_status" in text)


@pytest.mark.parametrize("path", ["C:\\analysis-nothing.json", "C:\\analysis-whole.txt", "analysis-.json", ""])
def test_other_files_are_others(path: str) -> None:
    assert analysis_at(path) is None
