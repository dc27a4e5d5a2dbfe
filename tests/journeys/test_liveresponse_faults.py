"""Everything that can go wrong with a device or with Defender, all at once, each on a device of its own: how each
collection ends, what the person reads, that nothing was submitted twice, and what is kept."""

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from config import demo
from config.stack import Stack
from tests.journeys.client import Api, Tenant, ended, listed
from tests.journeys.conftest import make_stack

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]
PATIENCE = 240.0
START, LINK, BLOB, PACKAGE = "/runliveresponse", "GetLiveResponseResultDownloadLink", "/blob/results/", "getPackageUri"
FILE, TRIAGE, BUNDLE = "get-file", "dfir-triage", "investigation-package"
NO_MARK = "may or may not have carried this out"


@dataclass(frozen=True)
class Trouble:
    """What goes wrong on one device and what must come of it.

    `faults` are (where, which, its figures). `says` stands in the collection's reason; `log` are (kind, words) of its
    command log, in order. `sessions` are those that Defender took, `calls` the calls that asked for one. `kept` is how
    many exhibits there are in the end, `problems` what the reading of the last one names."""

    state: str
    says: str = ""
    faults: tuple[tuple[str, str, dict[str, Any]], ...] = ()
    definition: str = FILE
    path: str = r"C:\Temp\notes.txt"
    host: str = ""
    log: tuple[tuple[str, str], ...] = ()
    sessions: int = 1
    calls: int = 0
    kept: int = 1
    problems: tuple[str, ...] | None = None


def at(where: str, fault: str, **figures: Any) -> tuple[tuple[str, str, dict[str, Any]], ...]:
    return ((where, fault, figures),)


TROUBLES: dict[str, Trouble] = {
    # --- the device
    "offline for three days": Trouble(
        "expired", "did not come online in the time that Defender keeps a request", host="ws-offline-01", kept=0),
    "script ends with 1": Trouble(
        "failed", "The script ended with exit code 1. It says: DFIR-Script.ps1 : Access to the path is denied.",
        at(START, "script_fails"), TRIAGE, log=(("transcript", "Transcript started"),)),
    "script over ten minutes": Trouble(
        "failed", "Command timed out: the script ran for more than 10 minutes.", at(START, "script_timeout"), TRIAGE,
        kept=0),
    "no such file": Trouble(
        "failed", r"The system cannot find the file specified. (C:\missing\loader.exe)", path=r"C:\missing\loader.exe",
        kept=0),
    "command fails": Trouble("failed", "failed on the device (0x80004005)", at(START, "command_fails"), kept=0),
    "stopped in the portal": Trouble(
        "cancelled", "Cancelled in Defender by t.lindqvist@northwharf.example: Stopped from the device's page",
        at(START, "cancelled_in_portal", seconds=20), kept=0),
    # --- its result
    "link has expired": Trouble(
        "done", "", at(BLOB, "expired_link"), log=(("link_expired", "The download link has expired"), ("fetched", ""))),
    "no link yet": Trouble("done", "", at(LINK, "vanished"), log=(("not_ready", "does not know"), ("fetched", ""))),
    "download breaks off": Trouble(
        "done", "", at(BLOB, "truncated_blob"), log=(("trouble", "The download broke off"), ("fetched", ""))),
    "download halts": Trouble("done", "", at(BLOB, "stalled_blob", seconds=3)),
    "file cut in the store": Trouble("partial", "is kept as it was downloaded: ", at(BLOB, "cut_blob")),
    "file changed on the way": Trouble(
        "done", "", at(BLOB, "flipped_blob"), log=(("trouble", "not those that the store keeps"), ("fetched", ""))),
    "file neither gzip nor zip": Trouble(
        "done", "", at(BLOB, "not_gzip"), path=r"C:\Temp\notes.zip", problems=("notes.zip",)),
    "transcript no JSON": Trouble(
        "failed", "The script's transcript does not say where its zip is.", at(BLOB, "not_gzip"), TRIAGE,
        log=(("transcript", "This is neither gzip nor zip."),)),
    "hostile zip": Trouble(
        "done", "", at(BLOB, "hostile_zip", times=2), TRIAGE, sessions=2, kept=2,
        problems=("evil.csv", "bomb.csv", "link.csv", "ipinfo.txt")),
    "German device": Trouble(
        "done", "", at(BLOB, "german_device", times=2), TRIAGE, sessions=2, kept=2,
        problems=("Local time of the device",)),
    "package not there yet": Trouble(
        "done", "", at(PACKAGE, "vanished", times=2), BUNDLE, log=(("not_ready", ""), ("not_ready", ""))),
    # --- Defender
    "429 with Retry-After": Trouble(
        "done", "", at(START, "429", times=3, retry_after=1), log=(("throttled", "asks to wait: too many calls"),),
        calls=4),
    "429 without Retry-After": Trouble("done", "", at(START, "429", times=2, retry_after=None), calls=3),
    "500 at the start": Trouble(
        "done", "", at(START, "500"), log=(("doubtful", NO_MARK), ("not_taken", ""), ("submitted", "")), calls=2),
    "503 burst at the link": Trouble(
        "done", "", at(LINK, "503", times=4), log=(("trouble", "is not available now (status 503)"), ("fetched", ""))),
    "connection reset at the start": Trouble(
        "done", "", at(START, "reset"), log=(("doubtful", NO_MARK), ("not_taken", ""), ("submitted", "")), calls=2),
    "connection reset after the work": Trouble(
        "done", "", at(START, "reset_after"), log=(("doubtful", NO_MARK), ("found", "Machine action")), calls=1),
    "answer no JSON": Trouble(
        "done", "", at(START, "not_json"), log=(("doubtful", "not JSON"), ("found", "Machine action")), calls=1),
    "answer empty": Trouble(
        "done", "", at(START, "empty"), log=(("doubtful", "something else"), ("found", "Machine action")), calls=1),
    "answer without content": Trouble(
        "done", "", at(START, "no_content"), log=(("doubtful", "something else"), ("found", "Machine action")),
        calls=1),
    "answer cut": Trouble(
        "done", "", at(START, "truncated_reply"), log=(("doubtful", NO_MARK), ("found", "Machine action")), calls=1),
    "token refused once": Trouble("done", "", at(LINK, "401")),
    "token refused for good": Trouble(
        "failed", "refused a fresh token. Check that the app registration belongs to this tenant",
        at(LINK, "401", times=2), kept=0),
    "action vanishes": Trouble(
        "failed", "Defender no longer knows machine action", at(START, "vanishes", seconds=10), kept=0),
    "another session is open": Trouble(
        "done", "", at(START, "400", code="ActiveRequestAlreadyExists"),
        log=(("busy", "Another session is open on the device"), ("submitted", "")), calls=2),
    "Live Response is off": Trouble(
        "failed", "The tenant has switched this feature off", at(START, "disabled_feature"), sessions=0, calls=1,
        kept=0),
    "no remediation level": Trouble(
        "failed", "its device group may lack a remediation level", at(START, "disallowed_operation"), sessions=0,
        calls=1, kept=0),
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How all of them ended, by the name of the trouble, and the simulator's record of the sessions."""

    reference: str
    rows: dict[str, dict[str, Any]]
    imports: dict[str, dict[str, Any]]
    taken: Counter[str]
    calls: Counter[str]
    pages: int
    bearers: int

    def sessions(self, row: dict[str, Any]) -> dict[str, int]:
        """The sessions of one collection that Defender took, by their comments."""
        return {comment: count for comment, count in self.taken.items() if row["uuid"] in comment}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One of its own: its clock goes on by three days, which would age what other journeys made."""
    root = Path(tempfile.mkdtemp(prefix="ircase-faults-"))
    stack = make_stack(root, "--devices", "40", "--days", "2")
    try:
        demo.start(stack)
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def analyst(stack: Stack) -> Api:
    return Api(stack, "bob")


@pytest.fixture(scope="module")
def lead(stack: Stack) -> Api:
    return Api(stack, "alice")


@pytest.fixture(scope="module")
def outcome(stack: Stack, analyst: Api, lead: Api) -> Outcome:
    """Every trouble at once; then three days pass for the device that is offline."""
    tenant = Tenant(stack)
    case = analyst.post("/cases", {"title": "All faults at once", "connection": "Simulated tenant"})
    reference = str(case["reference"])
    analyst.call("PUT", f"/cases/{reference}/members/alice", json={"role": "lead"})
    analyst.until(f"/cases/{reference}/library-scripts", listed)
    tenant.fault("GET /api/machineactions", "small_pages", times=100_000, size=20)
    paths = ask(analyst, lead, tenant, reference)
    offline = [name for name, trouble in TROUBLES.items() if trouble.host]
    rows = {name: wait(analyst, path) for name, path in paths.items() if name not in offline}
    tenant.advance(timedelta(days=3, minutes=1).total_seconds())
    rows |= {name: wait(analyst, paths[name]) for name in offline}
    imports = {
        name: analyst.until(f"/cases/{reference}/evidence/{rows[name]['output']}/import", ended)
        for name, trouble in TROUBLES.items()
        if trouble.problems is not None
    }
    tenant.clear_faults()
    taken = Counter(str(one["comment"]) for one in tenant.actions())
    seen = tenant.requests()
    asked = [str(entry["body"]["Comment"]) for entry in seen if entry["path"].endswith(START)]
    calls = Counter(uuid for uuid in (row["uuid"] for row in rows.values()) for text in asked if uuid in text)
    pages = sum("skip=" in entry["query"] for entry in seen if entry["path"].lower() == "/api/machineactions")
    bearers = sum(entry["authorization"] for entry in seen if entry["path"].startswith("/blob/"))
    return Outcome(reference, rows, imports, taken, calls, pages, bearers)


def ask(analyst: Api, lead: Api, tenant: Tenant, reference: str) -> dict[str, str]:
    """Every collection asked for and approved; the paths they are watched by."""
    free = iter([d["name"] for d in tenant.devices() if not re.search("offline|failing", d["name"])][::-1])
    paths, subjects = {}, set()
    for name, trouble in TROUBLES.items():
        device = f"{trouble.host}.northwharf.example" if trouble.host else next(free)
        for where, fault, figures in trouble.faults:
            tenant.fault(where, fault, device=device, **figures)
        values = {FILE: {"Path": trouble.path}, TRIAGE: {"Days": 1}, BUNDLE: {}}[trouble.definition]
        body = {"definition": trouble.definition, "device": device, "parameters": values, "reason": name}
        asked = analyst.post(f"/cases/{reference}/collections", body)
        paths[name] = f"/cases/{reference}/collections/{asked['uuid']}"
        subjects |= {asked["uuid"]} if asked["state"] == "requested" else set()
    for approval in lead.get("/approvals", params={"limit": 200})["items"]:
        if approval["subject"] in subjects:
            lead.post(f"/approvals/{approval['uuid']}/decision", {"approve": True, "comment": "go"})
    return paths


def wait(analyst: Api, path: str) -> dict[str, Any]:
    row: dict[str, Any] = analyst.until(path, lambda row: row["ended_at"], timeout=PATIENCE)
    return row


@pytest.mark.parametrize("name", TROUBLES)
class TestEach:
    def test_it_ends_as_it_must_and_says_why(self, outcome: Outcome, name: str) -> None:
        row, trouble = outcome.rows[name], TROUBLES[name]
        assert (row["state"], trouble.says in row["failure"]) == (trouble.state, True), row
        assert bool(row["failure"]) == (trouble.state != "done")
        assert bool(row["output"]) == (trouble.state in ("done", "partial"))

    def test_what_happened_on_the_way_stands_in_its_log(self, outcome: Outcome, name: str) -> None:
        entries = iter([(entry["what"], entry["text"]) for entry in outcome.rows[name]["log"]])
        for what, words in TROUBLES[name].log:
            assert any(kind == what and words in text for kind, text in entries), outcome.rows[name]["log"]

    def test_defender_took_every_step_once(self, outcome: Outcome, name: str) -> None:
        row, trouble = outcome.rows[name], TROUBLES[name]
        found = outcome.sessions(row)
        assert (len(found), set(found.values()) <= {1}) == (trouble.sessions, True), found
        if trouble.calls:
            assert outcome.calls[row["uuid"]] == trouble.calls

    def test_what_came_home_is_kept(self, analyst: Api, outcome: Outcome, name: str) -> None:
        row, trouble = outcome.rows[name], TROUBLES[name]
        assert len(row["evidence"]) == trouble.kept
        items = [analyst.get(f"/cases/{outcome.reference}/evidence/{uuid}") for uuid in row["evidence"]]
        assert {item["manifest"]["collection"] for item in items} <= {row["uuid"]}
        assert any(item["manifest"]["fault"] for item in items) == (trouble.state == "partial")


@pytest.mark.parametrize("name", [name for name, trouble in TROUBLES.items() if trouble.problems is not None])
def test_what_cannot_be_read_is_named(outcome: Outcome, name: str) -> None:
    job, trouble = outcome.imports[name], TROUBLES[name]
    assert job["state"] in ("done", "failed")
    said = " ".join([job["reason"], *(f"{p['member']} {p['message']}" for p in job["problems"])])
    assert [part for part in trouble.problems or () if part not in said] == [], job
    assert bool(job["problems"] or job["reason"]) == bool(trouble.problems), job


def test_the_file_cut_in_the_store_is_kept_as_it_came(analyst: Api, outcome: Outcome) -> None:
    row = outcome.rows["file cut in the store"]
    item = analyst.get(f"/cases/{outcome.reference}/evidence/{row['output']}")
    assert item["name"] == "notes.txt.gz"
    content = analyst.get(f"/cases/{outcome.reference}/evidence/{row['output']}/download")
    assert content.startswith(b"\x1f\x8b") and len(content) == item["manifest"]["download"]["bytes"]


def test_the_list_of_actions_came_in_pages(outcome: Outcome) -> None:
    assert outcome.pages > 0


def test_no_bearer_goes_to_the_store(outcome: Outcome) -> None:
    assert outcome.bearers == 0


def test_no_signed_link_is_kept_anywhere(stack: Stack, outcome: Outcome) -> None:
    assert "sig=" not in str(outcome.rows)
    lines = [line for path in stack.logs.iterdir() for line in path.read_text("utf-8", "replace").splitlines()]
    assert [line for line in lines if "sig=" in line and "sig=***" not in line] == []


def test_every_chain_holds(stack: Stack, outcome: Outcome) -> None:
    assert "every chain holds" in stack.manage("verify_evidence", outcome.reference)
