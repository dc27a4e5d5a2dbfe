"""IRCase's own scripts on devices of the story, and what Defender says of files there."""

import json
from pathlib import Path
from typing import Any

import pytest

from artifacts import comparing, load, printed
from simulator.story import images
from tests.simulator.conftest import ROOT, Tenant

SCRIPTS = ("IRCase-Snapshot-Processes.ps1", "IRCase-Snapshot-Connections.ps1", "IRCase-Snapshot-Persistence.ps1")


def uploaded(tenant: Tenant, name: str) -> None:
    file = (ROOT / "liveresponse" / "scripts" / name).open("rb")
    form = {"file": (file, name), "Description": "", "HasParameters": "false", "OverrideIfExists": "true"}
    assert tenant.defender("POST", "/libraryfiles", data=form).status_code == 200


def snapshot(tenant: Tenant, host: str, script: str) -> dict[str, Any]:
    uploaded(tenant, script)
    device = next(one for one in tenant.simulator.story.world.devices if one.host == host)
    body = {
        "Commands": [{"type": "RunScript", "params": [{"key": "ScriptName", "value": script}]}], "Comment": "snapshot"
    }  # fmt: skip
    key = tenant.defender("POST", f"/machines/{device.id}/runliveresponse", json=body).json["id"]
    tenant.advance(600)
    link = tenant.defender("GET", f"/machineactions/{key}/GetLiveResponseResultDownloadLink(index=0)").json["value"]
    raw = tenant.client.get(link[link.index("/blob/") :]).data
    result = json.loads(raw.decode("utf-8-sig"), strict=False)
    found = printed.read(result["script_output"])
    assert found.faults == () and isinstance(found.value, dict)
    return found.value


def things(document: dict[str, Any], category: str) -> dict[tuple[str, ...], comparing.Thing]:
    kind = comparing.BY_NAME[category]
    table = next(name for name in kind.readers if name in document["tables"])
    return comparing.things(kind, table, document["tables"][table])


def test_the_intruder_stands_among_what_starts_by_itself(tenant: Tenant) -> None:
    document = snapshot(tenant, "jump01", SCRIPTS[2])
    clean = snapshot(tenant, "ws-ops-01", SCRIPTS[2])
    for category, title in (
        ("autoruns", "EdgeHelper"), ("services", "EdgeHelperSvc"), ("tasks", r"\Microsoft\EdgeHelper\UpdateCheck"),
        ("users", "svc-edgesync"),
    ):  # fmt: skip
        new = comparing.compare(things(clean, category), things(document, category)).new
        assert any(title in one.thing.title for one in new), category
        assert not any(title in one.title for one in things(clean, category).values())


@pytest.mark.parametrize("script", SCRIPTS)
def test_twice_in_a_row_on_a_clean_device_is_the_same(tenant: Tenant, script: str) -> None:
    first, second = snapshot(tenant, "ws-ops-01", script), snapshot(tenant, "ws-ops-01", script)
    assert first["snapshot_time"] < second["snapshot_time"]
    for table in first["tables"]:
        for kind in comparing.CATEGORIES:
            if table in kind.readers and kind.name != "addresses":
                assert comparing.compare(things(first, kind.name), things(second, kind.name)).all == ()


def test_a_transcript_is_read_into_the_tables(tenant: Tenant, tmp_path: Path) -> None:
    document = snapshot(tenant, "jump01", SCRIPTS[0])
    path = tmp_path / "transcript.txt"
    path.write_text(f"Transcript\n{printed.BEGIN}\n{json.dumps(document)}\n{printed.END}\n", encoding="utf-8")
    report = load([path], tmp_path / "out")
    assert report.table("DeviceProcessSnapshot").rows == len(document["tables"]["DeviceProcessSnapshot"]) > 5
    assert report.problems == ()


def test_devices_and_alerts_of_a_file(tenant: Tenant) -> None:
    path = f"/files/{images.IMPLANT.sha1}"
    names = {
        one["computerDnsName"].partition(".")[0] for one in tenant.defender("GET", f"{path}/machines").json["value"]
    }
    assert names == {"jump01", "ws-fin-02", "srv-file01"}
    assert tenant.defender("GET", f"{path}/alerts").json["value"]
    assert tenant.defender("GET", f"/files/{'ab' * 20}/machines").json["value"] == []
    assert tenant.defender("GET", f"/files/{images.IMPLANT.sha256}/machines").status_code == 400
