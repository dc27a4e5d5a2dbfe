"""What a file and what a device is: asking Defender question by question, analyses, snapshots compared, the pages."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from artifacts import load
from ircase.models import Asset, CaseTable, Connection, Evidence, Indicator, JobState, LogEntry
from ircase.runner import spool_folder
from ircase.services import cases
from ircase.services.analysis import findings, tables
from liveresponse import runner
from liveresponse.models import FileAnalysis, Lookup, LookupState
from liveresponse.services import analyses, comparisons, devices, files, lookups, occurrences
from msapi.errors import ApiError, Forbidden, NotFound, Throttled, Unavailable
from msapi.files import FileProfile, FileStats
from msapi.machines import LogonUser, Machine, MachineAlert, read_logon_user, read_machine, read_machine_alert
from tests.cast import CastTestCase, make_evidence
from tests.liveresponse.tenant import FakeGovernor
from tests.world import make_table

SHA256, SHA1, MD5 = "a" * 64, "b" * 40, "c" * 32
MACHINE_ID = "d" * 40
NAME = "ws-07.contoso.com"


class Oracle:
    """Defender as it is told: `faults` are raised by the named call, once each or, as a single one, always."""

    def __init__(self) -> None:
        self.faults: dict[str, list[ApiError] | ApiError] = {}
        self.asked: list[str] = []

    @contextmanager
    def __call__(self, connection: Connection) -> Iterator[Any]:
        yield self

    def _ask(self, call: str) -> None:
        self.asked.append(call)
        fault = self.faults.get(call)
        if isinstance(fault, list):
            if fault:
                raise fault.pop(0)
        elif fault is not None:
            raise fault

    def file(self, sha: str) -> FileProfile:
        self._ask(f"file {sha[:1]}")
        return FileProfile(SHA1, SHA256, MD5, 12, 7, "2026-01-01T00:00:00Z", "", "", "", "", "", "", None, True,
                           "Malware", "Backdoor:Win64/X")  # fmt: skip

    def file_stats(self, sha: str) -> FileStats:
        self._ask("stats")
        return FileStats(SHA1, 3, "", "", 7, "", "", ("a.exe",))

    def file_alerts(self, sha: str) -> Iterator[MachineAlert]:
        self._ask("file_alerts")
        return iter([read_machine_alert({"id": "1", "title": "Implant <b>", "severity": "High"})])

    def file_machines(self, sha1: str) -> Iterator[Machine]:
        self._ask(f"machines {sha1[:1]}")
        return iter([read_machine({"id": MACHINE_ID, "computerDnsName": NAME}) for _ in range(205)])

    def machine(self, id_or_name: str) -> Machine:
        self._ask("machine")
        return read_machine({"id": MACHINE_ID, "computerDnsName": NAME, "ipAddresses": [{"ipAddress": "10.0.0.7"}, 3]})

    def logon_users(self, machine_id: str) -> Iterator[LogonUser]:
        self._ask("users")
        return iter([read_logon_user({"accountName": "eve"})])

    def alerts(self, machine_id: str) -> Iterator[MachineAlert]:
        self._ask("alerts")
        return iter([])


class AskingTestCase(CastTestCase):
    def setUp(self) -> None:
        self.oracle, self.governor = Oracle(), FakeGovernor()
        patcher = patch("ircase.quota.governor", lambda: self.governor)
        patcher.start()
        self.addCleanup(patcher.stop)

    def asked(self, key: str = SHA256, kind: str = "file") -> Lookup:
        row = lookups.ask(case=self.case, actor=self.bob, kind=kind, key=key)
        return self.move(row)

    def move(self, row: Lookup) -> Lookup:
        Lookup.objects.filter(pk=row.pk).update(next_poll_at=timezone.now(), lease_owner="", lease_until=None)
        runner.look_up(row.pk, "worker", self.oracle)
        return Lookup.objects.get(pk=row.pk)

    def states(self, row: Lookup) -> dict[str, str]:
        return {name: answer["state"] for name, answer in row.answers.items()}


class AskingTests(AskingTestCase):
    def test_every_question_has_its_answer_and_its_time(self) -> None:
        row = self.asked()
        assert row.state == LookupState.DONE and row.pending == []
        assert self.states(row) == dict.fromkeys(("file", "stats", "machines", "alerts"), "answered")
        assert row.answers["file"]["data"]["threat"] == "Backdoor:Win64/X" and row.answers["file"]["as_of"]
        assert len(row.answers["machines"]["data"]) == 200 and row.answers["machines"]["cut"]
        # By the SHA-1 that the first answer gave.
        assert "machines b" in self.oracle.asked and self.governor.reads == 4

    def test_a_refusal_of_one_leaves_the_others(self) -> None:
        self.oracle.faults = {
            "stats": Forbidden("The app lacks File.Read.All.", permanent=True, needed=("File.Read.All",)),
            "file_alerts": NotFound("Defender does not know it.", permanent=True),
        }
        row = self.asked()
        assert row.state == LookupState.PARTIAL
        assert (self.states(row)["stats"], self.states(row)["alerts"]) == ("refused", "unknown")
        assert "File.Read.All" in row.answers["stats"]["said"]

    def test_a_file_that_defender_does_not_know(self) -> None:
        self.oracle.faults = {"file a": NotFound("No such file.", permanent=True)}
        row = self.asked()
        assert (self.states(row)["file"], self.states(row)["machines"]) == ("unknown", "not_asked")
        assert "SHA-1" in row.answers["machines"]["said"] and row.state == LookupState.DONE

    def test_an_md5_is_asked_by_the_hash_beside_it_in_a_table(self) -> None:
        assert self.states(self.asked(MD5)) == dict.fromkeys(("file", "stats", "machines", "alerts"), "not_asked")
        item = make_evidence(self.case, self.alice)
        load_rows(item, [{"MD5": MD5.upper(), "SHA1": SHA1, "SHA256": "e" * 64}], "DeviceFileEvents")
        assert occurrences.other_hashes(self.case, MD5) == {"sha1": SHA1, "sha256": "e" * 64}
        row = self.asked(MD5)
        assert self.oracle.asked[0] == "file e" and row.state == LookupState.DONE

    def test_a_quota_and_a_throttle_wait_and_go_on_where_they_stopped(self) -> None:
        self.governor.reads_allowed = 0
        row = self.asked()
        assert not row.is_final and "place 1" in row.status_text and row.next_poll_at > timezone.now()
        self.governor.reads_allowed = 1_000_000
        self.oracle.faults = {"stats": [Throttled("Slow down.", retry_after=9.0)]}
        row = self.move(row)
        assert row.pending == ["stats", "machines", "alerts"] and self.governor.penalties == [9.0]
        row = self.move(row)
        assert row.state == LookupState.DONE and self.oracle.asked.count("file a") == 1

    def test_an_outage_is_tried_again_until_the_deadline(self) -> None:
        self.oracle.faults = {"file a": Unavailable("Defender does not answer.")}
        row = self.asked()
        assert not row.is_final and row.trouble == 1 and row.next_poll_at > timezone.now()
        Lookup.objects.filter(pk=row.pk).update(deadline=timezone.now() - timedelta(seconds=1))
        row = self.move(row)
        assert row.state == LookupState.FAILED and "does not answer" in row.failure

    def test_who_may_no_longer_act_is_refused(self) -> None:
        row = lookups.ask(case=self.case, actor=self.bob, kind="file", key=SHA256)
        cases.remove_member(case=self.case, actor=self.alice, user=self.bob)
        row = self.move(row)
        assert row.state == LookupState.REFUSED and self.oracle.asked == []

    def test_asked_again_the_old_answers_stay_until_the_new_come(self) -> None:
        first = self.asked()
        again = lookups.ask(case=self.case, actor=self.alice, kind="file", key=SHA256)
        assert (again.pk, again.state, again.answers) == (first.pk, LookupState.QUEUED, first.answers)
        assert lookups.ask(case=self.case, actor=self.alice, kind="file", key=SHA256).pk == first.pk
        assert LogEntry.objects.filter(case=self.case, action="lookup.asked").count() == 2
        assert self.move(again).answers["file"]["as_of"] > first.answers["file"]["as_of"]

    def test_the_answers_are_sealed_once(self) -> None:
        row = self.asked()
        sealed = lookups.seal(lookup=row, actor=self.alice)
        assert lookups.seal(lookup=Lookup.objects.get(pk=row.pk), actor=self.bob) == sealed
        assert json.loads(sealed.path.read_bytes())["answers"]["file"]["data"]["sha1"] == SHA1
        assert sealed.manifest["calls"]["stats"]["state"] == "answered" and sealed.kind == Evidence.Kind.ANSWER
        assert self.asked().evidence is None  # new answers are not those that were sealed

    def test_a_device_is_known_by_all_its_names(self) -> None:
        findings.add_asset(case=self.case, actor=self.bob, kind="device", name=NAME)
        row = self.asked(NAME, "device")
        assert row.answers["machine"]["data"]["ips"] == ["10.0.0.7"] and row.answers["alerts"]["data"] == []
        for name in (NAME, MACHINE_ID):
            known = devices.known(self.case, name)
            assert (known.title, known.machine_id, known.lookup) == (NAME, MACHINE_ID, row)
            assert known.asset == Asset.objects.get(name=NAME)
        assert known.is_called("WS-07") and known.is_called(NAME) and not known.is_called("ws-07.other.com")


def test_hashes_and_names_are_checked() -> None:
    for text in ("", "xyz", "a" * 63, "../" + "a" * 64):
        with pytest.raises(ValidationError):
            lookups.clean_hash(text)
    for text in ("", "a/b", "a..b", "-x", "a b"):
        with pytest.raises(ValidationError):
            lookups.clean_device(text)


def load_rows(item: Evidence, rows: list[dict[str, Any]], name: str) -> CaseTable:
    """A table of these rows, as a reading of the exhibit would make it."""
    folder = spool_folder("test")
    path = folder / f"{name}.ndjson"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (table,) = load([path], folder / "out").tables
    new = tables.NewTable(name, table.path, table.columns, table.rows, None, None, "test")
    return tables.keep(evidence=item, tables=[new])[0]


ANALYSIS = {
    "scan_status": "Completed", "threat_type": "Malware",
    "behavior": {"networkTcpIps": ["203.0.113.7:443"], "files": {"Created": ["C:\\a.exe"], "Modified": None},
                 "registry": ["HKLM\\Software\\Run\\x"], "urls": ["http://evil.example/x"]},
    "reports": [{"status": "Malicious", "source": "Cloud"}],
}  # fmt: skip


class AnalysisTests(CastTestCase):
    def read(self, text: str = "") -> FileAnalysis:
        row = analyses.seal_text(case=self.case, actor=self.bob, text=text or json.dumps(ANALYSIS), file_hash=SHA256)
        return self.work(row)

    def work(self, row: FileAnalysis) -> FileAnalysis:
        claimed = FileAnalysis.objects.claim(row.pk, "worker")
        assert claimed is not None
        runner.read_analysis(claimed)
        return FileAnalysis.objects.select_related("case", "evidence", "activity").get(pk=row.pk)

    def test_pasted_text_is_evidence_first_and_then_read(self) -> None:
        row = self.read()
        assert row.state == JobState.DONE and row.activity.outcome == "Completed; 4 things named"
        assert json.loads(row.evidence.path.read_bytes()) == ANALYSIS
        assert [analyses.indicator_of(one) for one in analyses.entities_of(row)] == [
            ("ip", "203.0.113.7"), ("file_path", "C:\\a.exe"), ("registry", "HKLM\\Software\\Run\\x"),
            ("url", "http://evil.example/x"),
        ]  # fmt: skip
        assert files.known(self.case, SHA256).analyses == (row,)

    def test_what_is_no_analysis_says_so_and_is_read_again_later(self) -> None:
        item = make_evidence(self.case, self.bob, b"no json", name="a.json")
        row = self.work(analyses.queue(evidence=item, actor=self.bob))
        assert row.state == JobState.FAILED and "No file analysis" in row.reason
        assert analyses.queue(evidence=item, actor=self.bob).pk == row.pk
        assert FileAnalysis.objects.get(pk=row.pk).state == JobState.QUEUED

    def test_uploads_that_look_like_one_are_offered_first(self) -> None:
        alike = make_evidence(self.case, self.bob, json.dumps(ANALYSIS).encode(), name="b.json")
        other = make_evidence(self.case, self.bob, b"{}", name="c.json")
        make_evidence(self.case, self.bob, b"MZ", name="d.exe")
        assert [(one.exhibit, one.alike) for one in analyses.candidates(self.case)] == [(alike, True), (other, False)]
        self.sign_in(self.bob)
        assert "looks like one" in self.client.get(f"/cases/{self.case.reference}/files/").content.decode()
        url = reverse("liveresponse:analysis_new", args=[self.case.reference])
        self.client.post(url, {"evidence": str(alike.uuid)})
        assert FileAnalysis.objects.get().evidence == alike
        assert self.client.post(url, {"text": "", "file_hash": "x"}).status_code == 422

    def test_ticked_lines_become_indicators_once(self) -> None:
        row = self.read()
        findings.add_indicator(case=self.case, actor=self.bob, kind="ip", value="203.0.113.7")
        taken = analyses.take(row=row, actor=self.bob, numbers=[0, 1, 1, 99], tlp="green", verdict="malicious")
        assert (taken.new, taken.known, taken.refused) == (1, 1, ())
        made = Indicator.objects.get(case=self.case, kind="file_path")
        assert (made.tlp, made.verdict) == ("green", "malicious")
        assert made.provenance == {"evidence": str(row.evidence.uuid), "exhibit": row.evidence.exhibit}
        with pytest.raises(ValidationError):
            analyses.take(row=row, actor=self.bob, numbers=[99], tlp="green")

    def test_the_page_shows_it_defanged_and_takes_the_ticked(self) -> None:
        row = self.read()
        self.sign_in(self.bob)
        url = reverse("liveresponse:analysis", args=[self.case.reference, row.uuid])
        page = self.client.get(url).content.decode()
        assert "203[.]0[.]113[.]7" in page and "hxxp://evil[.]example/x" in page
        self.client.post(f"{url}take/", {"number": ["0", "2"], "tlp": "amber", "verdict": "suspicious"})
        assert set(self.case.indicators.values_list("kind", flat=True)) == {"ip", "registry"}
        assert "Suspicious" in self.client.get(f"{url}?section=Registry").content.decode()
        self.sign_in(self.carol)
        assert self.client.post(f"{url}take/", {"number": ["1"]}).status_code == 403
        assert 'name="number"' not in self.client.get(url).content.decode()


def snapshot(time: str, autoruns: dict[str, str], device: str = NAME) -> list[dict[str, Any]]:
    return [
        {"SnapshotTime": time, "DeviceName": device, "Kind": "RunKey", "Location": "HKLM\\Run", "Name": name,
         "Command": command}
        for name, command in autoruns.items()
    ]  # fmt: skip


class SnapshotTests(CastTestCase):
    def setUp(self) -> None:
        self.exhibits = []
        for time, autoruns in (
            ("2026-11-20T10:00:00Z", {"a": "a.exe", "b": "b.exe"}),
            ("2026-11-20T15:00:00Z", {"a": "a.exe", "b": "evil.exe", "c": "C:\\ProgramData\\c.exe"}),
        ):
            item = make_evidence(self.case, self.alice, time.encode(), name=f"{time}.json")
            load_rows(item, snapshot(time, autoruns), "DeviceAutorunSnapshot")
            self.exhibits.append(item)
        other = make_evidence(self.case, self.alice, b"other")
        load_rows(other, snapshot("2026-11-20T16:00:00Z", {"z": "z"}, "dc-01"), "DeviceAutorunSnapshot")
        self.url = reverse("liveresponse:device_snapshots", args=[self.case.reference, NAME])

    def pair(self, before: str = "", after: str = "") -> comparisons.Pair:
        known = devices.known(self.case, NAME)
        return comparisons.pair(comparisons.snapshots_of(self.case, known), "autoruns", before, after)

    def test_the_last_two_of_this_device_are_compared(self) -> None:
        found = self.pair()
        assert [one.table.evidence for one in found.choices] == self.exhibits
        compared = comparisons.compared(found, devices.known(self.case, NAME), self.bob)
        assert compared is not None
        assert [(one.what, one.thing.title) for one in compared.all] == [
            ("new", "HKLM\\Run: c"), ("changed", "HKLM\\Run: b"),
        ]  # fmt: skip
        for item in self.exhibits:
            assert item.custody.filter(action="viewed").count() == 1

    def test_any_two_can_be_chosen(self) -> None:
        old, new = (str(item.uuid) for item in self.exhibits)
        found = self.pair(before=new, after=old)
        assert found.before is not None and found.before.key == new
        assert found.after is not None and found.after.key == old

    def test_a_difference_is_pinned_with_its_row(self) -> None:
        self.sign_in(self.bob)
        page = self.client.get(self.url).content.decode()
        assert "C:\\ProgramData\\c.exe" in page and "<ins>evil.exe</ins>" in page
        known = devices.known(self.case, NAME)
        compared = comparisons.compared(self.pair(), known, self.bob)
        assert compared is not None
        form = {"category": "autoruns", "thing": comparisons.digest_of(compared.new[0].thing)}
        self.client.post(self.url, {**form, "as": "event"})
        self.client.post(self.url, {**form, "as": "indicator"})
        event = self.case.events.get()
        assert event.row["Name"] == "c" and event.at.isoformat() == "2026-11-20T15:00:00+00:00"
        assert event.provenance["exhibit"] == self.exhibits[1].exhibit and event.provenance["row"] == 3
        indicator = self.case.indicators.get()
        assert (indicator.kind, indicator.value) == ("registry", "HKLM\\Run\\c")
        self.client.post(self.url, {**form, "thing": "0" * 64, "as": "event"})
        assert self.case.events.count() == 1

    def test_a_device_without_snapshots_says_how_to_make_one(self) -> None:
        self.sign_in(self.carol)
        url = reverse("liveresponse:device_snapshots", args=[self.case.reference, "unknown-01"])
        assert "No snapshot of this device" in self.client.get(url).content.decode()
        assert self.client.post(self.url, {"as": "event"}).status_code == 403


class PageTests(AskingTestCase):
    def test_a_file_from_asking_to_the_verdict(self) -> None:
        self.sign_in(self.bob)
        url = reverse("liveresponse:file", args=[self.case.reference, SHA256])
        assert "Defender was not asked yet" in self.client.get(url).content.decode()
        self.client.post(f"{url}ask/")
        row = Lookup.objects.get(key=SHA256)
        assert "every 2s" in self.client.get(f"{url}?part=answers").content.decode()
        self.move(row)
        page = self.client.get(url).content.decode()
        assert "Backdoor:Win64/X" in page and "Implant &lt;b&gt;" in page and SHA1 in page
        assert "every 2s" not in page
        self.client.post(f"{url}seal/")
        assert Evidence.objects.filter(case=self.case, kind=Evidence.Kind.ANSWER).count() == 1
        assert self.client.post(f"{url}verdict/", {"verdict": "malicious"}).status_code == 422
        self.client.post(f"{url}verdict/", {"verdict": "malicious", "reason": "It beacons."})
        page = self.client.get(url).content.decode()
        assert "It beacons." in page and "by Bob" in page
        by_sha1 = files.known(self.case, SHA1)
        judged = by_sha1.indicator
        assert judged is not None
        assert (judged.verdict_reason, judged.verdict_by, judged.description) == ("It beacons.", self.bob, "")
        # Defender's answer says that it is the same file.
        assert by_sha1.indicator is not None and by_sha1.indicator.value == SHA256

    def test_where_a_file_stands_in_the_tables(self) -> None:
        item = make_evidence(self.case, self.alice)
        load_rows(item, [{"SHA256": SHA256, "FileName": "a.exe"}, {"SHA256": SHA256}], "DeviceFileEvents")
        self.sign_in(self.bob)
        url = reverse("liveresponse:file", args=[self.case.reference, SHA256.upper()])
        page = self.client.get(f"{url}?part=tables").content.decode()
        assert "DeviceFileEvents" in page and ">2<" in page

    def test_a_device_with_what_came_from_it(self) -> None:
        findings.add_asset(case=self.case, actor=self.bob, kind="device", name=NAME)
        item = make_evidence(self.case, self.alice)
        make_table(item, [{"Timestamp": "2026-11-20T10:00:00Z", "DeviceName": NAME}])
        self.sign_in(self.bob)
        url = reverse("liveresponse:device", args=[self.case.reference, NAME])
        self.client.post(f"{url}ask/")
        self.move(Lookup.objects.get(key=NAME))
        page = self.client.get(url).content.decode()
        assert MACHINE_ID in page and "10.0.0.7" in page and "eve" in page and "DFIR triage" in page
        assert "DeviceEvents" in self.client.get(f"{url}?part=tables").content.decode()
        self.client.post(f"{url}seal/")
        assert "Defender on device" in self.client.get(url).content.decode()

    def test_files_are_found_by_their_hash_only(self) -> None:
        self.sign_in(self.bob)
        url = reverse("liveresponse:files", args=[self.case.reference])
        assert self.client.get(url, {"hash": SHA256}).status_code == 302
        assert self.client.get(url, {"hash": "nonsense"}).status_code == 422
        assert self.client.get(f"{url}nonsense/").status_code == 404
        self.sign_in(self.mallory)
        assert self.client.get(url).status_code == 404

    def test_an_indicator_in_one_click(self) -> None:
        self.sign_in(self.bob)
        self.client.post(reverse("liveresponse:file_indicator", args=[self.case.reference, SHA256]))
        assert self.case.indicators.get().value == SHA256
