"""Files put on a device, the folder script, all Windows events, and what an investigation package holds."""

import gzip
import io
import json
import zipfile

from tests.simulator.conftest import Tenant
from tests.simulator.test_defender import upload

DOWNLOADS = r"C:\ProgramData\Microsoft\Windows Defender Advanced Threat Protection\Downloads"


def _run(tenant: Tenant, *commands: tuple[str, str, str], args: str = "") -> str:
    listed = [
        {"type": kind, "params": [{"key": key, "value": value}, *([{"key": "Args", "value": args}] if args else [])]}
        for kind, key, value in commands
    ]
    made = tenant.defender("POST", "/machines/jump01/runliveresponse", json={"Commands": listed, "Comment": "test"})
    assert made.status_code == 201, made.text
    tenant.advance(600)
    return str(made.json["id"])


def test_a_file_that_was_put_can_be_fetched(tenant: Tenant) -> None:
    upload(tenant, "tool.exe", b"MZ tool")
    put = _run(tenant, ("PutFile", "FileName", "tool.exe"))
    assert tenant.action(put)["commands"][0]["commandStatus"] == "Completed"
    assert (
        tenant.defender("GET", f"/machineactions/{put}/GetLiveResponseResultDownloadLink(index=0)").status_code == 404
    )
    fetched = _run(tenant, ("GetFile", "Path", rf"{DOWNLOADS}\tool.exe"))
    assert gzip.decompress(tenant.download(fetched)) == b"MZ tool"


def test_the_folder_script_packs_a_folder(tenant: Tenant) -> None:
    upload(tenant, "IRCase-Get-Folder.ps1", b"param()")
    run = ("RunScript", "ScriptName", "IRCase-Get-Folder.ps1")
    key = _run(tenant, run, args=r'-Path "C:\Users\Public" -MaxMegabytes 10 -MaxFiles 50 -Recurse')
    result = json.loads(tenant.download(key).decode("utf-8-sig"), strict=False)
    path = result["script_output"].split("IRCase zip: ")[1].strip()
    assert result["exit_code"] == 0
    content = gzip.decompress(tenant.download(_run(tenant, ("GetFile", "Path", path))))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        rows = [json.loads(line) for line in archive.read("IRCaseFolderFiles.ndjson").splitlines()]
        assert {row["Name"] for row in rows} | {"IRCaseFolderFiles.ndjson"} == set(archive.namelist())
        assert rows[0]["FullPath"] == r"C:\Users\Public\notes.txt"


def test_the_folder_script_says_what_it_cannot_do(tenant: Tenant) -> None:
    upload(tenant, "IRCase-Get-Folder.ps1", b"param()")
    run = ("RunScript", "ScriptName", "IRCase-Get-Folder.ps1")
    missing = json.loads(
        tenant.download(_run(tenant, run, args=r'-Path "C:\missing"')).decode("utf-8-sig"), strict=False
    )
    assert (missing["exit_code"], "IRCase zip" in missing["script_output"]) == (1, False)
    capped = _run(tenant, run, args=r'-Path "C:\x" -MaxFiles 1')
    assert json.loads(tenant.download(capped).decode("utf-8-sig"), strict=False)["exit_code"] == 3


def test_all_windows_events_come_as_one_csv(tenant: Tenant) -> None:
    key = _run(tenant, ("RunScript", "ScriptName", "CollectWindowsEvents.ps1"))
    result = json.loads(tenant.download(key).decode("utf-8-sig"), strict=False)
    path = result["script_output"].split("Output File Location: ")[1].strip()
    assert path.startswith(rf"{DOWNLOADS}\WindowsEvents-")
    assert gzip.decompress(tenant.download(_run(tenant, ("GetFile", "Path", path)))).startswith(b'"EventID"')


def test_a_package_has_the_folders_that_microsoft_names(tenant: Tenant) -> None:
    made = tenant.defender("POST", "/machines/jump01/collectInvestigationPackage", json={"Comment": "test"}).json
    assert tenant.defender("GET", f"/machineactions/{made['id']}/getPackageUri").status_code == 404
    tenant.advance(600)
    link = tenant.defender("GET", f"/machineactions/{made['id']}/getPackageUri").json["value"]
    assert link.startswith('"https://') and link.endswith('"')
    reply = tenant.client.get("/" + link.strip('"').split("/", 3)[3])
    with zipfile.ZipFile(io.BytesIO(reply.data)) as archive:
        names = archive.namelist()
        assert b"#Fields: date time action" in archive.read("Network connections/pfirewall.log")
    folders = {name.partition("/")[0] for name in names}
    assert {"Autoruns", "Installed programs", "Network connections", "Prefetch files", "Processes", "Scheduled tasks",
            "Services", "SMB sessions", "System Information", "Temp Directories", "Users and Groups",
            "WdSupportLogs"} <= folders  # fmt: skip
    assert "CollectionSummaryReport.xls" in names
