"""Incidents by a signed webhook and from CSV files: checked, mapped by data, and waiting with their source named."""

import json
import time
from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import SimpleTestCase
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from ircase.intake import csvfile, mapped
from ircase.models import Case, IncidentFile, IncidentSource, IncomingIncident, JobState, LogEntry
from ircase.services.incidents import incidentdoors, incidentfiles, intake
from ircase.tasks import read_incident_file
from tests.cast import CastTestCase

MAPPING = {
    "items": "records",
    "fields": {
        "id": "ref", "title": "alert.name", "severity": "alert.level", "created": "when", "status": "state",
        "devices": "hosts[].fqdn", "accounts": "users", "addresses": "net[].ip", "hashes": "files[].sha",
    },
    "severities": {"5": "high"},
}  # fmt: skip
RECORD = {
    "ref": "S-1", "alert": {"name": "Odd logon", "level": 5}, "when": "2026-11-20T17:30:00+01:00", "state": "new",
    "hosts": [{"fqdn": "WS-07.contoso.com"}, {"fqdn": "srv-1.contoso.com"}], "users": ["ann@contoso.com", "CORP\\bob"],
    "net": [{"ip": "192.0.2.1"}], "files": [{"sha": "a" * 64}], "more": {"kept": True},
}  # fmt: skip


class HookTests(CastTestCase):
    def setUp(self) -> None:
        made = IncidentSource(kind="webhook", name="SIEM", mapping=MAPPING, connection=self.connection)
        self.source = incidentdoors.save_source(source=made, actor=self.ada)
        self.secret = incidentdoors.new_secret(source=self.source, actor=self.ada)
        self.url = reverse("ircase:incident_hook", args=[self.source.uuid])

    def post(self, document: Any, *, secret: str = "", at: float = 0, body: bytes = b"", **more: str) -> Any:
        content = body or json.dumps(document).encode()
        stamp = more.pop("stamp", str(int(at or time.time())))
        signed = incidentdoors.signature_of(secret or self.secret, stamp, content)
        headers = {"X-IRCase-Timestamp": stamp, "X-IRCase-Signature": f"sha256={signed}", **more}
        return self.client.post(self.url, content, content_type="application/json", headers=headers)

    def test_a_signed_delivery_waits_in_the_same_queue_and_becomes_a_case(self) -> None:
        reply = self.post({"records": [RECORD]})
        assert (reply.status_code, reply.json()) == (202, {"taken": 1, "problems": []})
        row = IncomingIncident.objects.get(source=self.source)
        assert (row.incident_id, row.title, row.severity, row.status) == ("S-1", "Odd logon", "high", "active")
        assert row.raw["original"] == RECORD
        assert set(row.entities.values_list("kind", "value")) == {
            ("device", "ws-07.contoso.com"), ("device", "srv-1.contoso.com"), ("account", "ann@contoso.com"),
            ("account", "corp\\bob"), ("ip", "192.0.2.1"), ("sha256", "a" * 64)}  # fmt: skip
        self.sign_in(self.bob)
        self.assertContains(self.client.get(reverse("ircase:intake"), {"origin": f"s{self.source.pk}"}), "SIEM")
        case, _ = intake.accept(incident=row, actor=self.bob)
        assert (case.connection, case.assets.count(), case.indicators.count()) == (self.connection, 4, 2)
        assert case.evidence.get().manifest["source"] == "Signed webhook: SIEM"
        assert "SIEM" in self.client.get(reverse("ircase:intake_item", args=[row.pk])).content.decode()

    def test_what_is_not_signed_rightly_gets_one_answer(self) -> None:
        unknown = "/hooks/incidents/00000000-0000-4000-8000-000000000000/"
        answers = [self.post({"records": [RECORD]}, secret="guess"), self.post({}, secret="guess")]
        answers.append(self.client.post(unknown, "{}", content_type="application/json"))
        IncidentSource.objects.update(enabled=False)
        answers.append(self.post({"records": [RECORD]}))
        assert {(reply.status_code, reply.json()["title"]) for reply in answers} == {
            (401, "The signature is not right for this address.")}  # fmt: skip
        assert not IncomingIncident.objects.exists()

    def test_old_replayed_and_changed_deliveries_are_refused(self) -> None:
        assert self.post({"records": [RECORD]}, at=time.time() - 301).status_code == 401
        assert self.post({"records": [RECORD]}, at=time.time() + 302).status_code == 401
        assert self.post({"records": [RECORD]}, stamp="soon").status_code == 401
        now = time.time()
        assert self.post({"records": [RECORD]}, at=now).status_code == 202
        assert self.post({"records": [RECORD]}, at=now).status_code == 409
        stamp = str(int(now))
        signed = incidentdoors.signature_of(self.secret, stamp, b"{}")
        headers = {"X-IRCase-Timestamp": stamp, "X-IRCase-Signature": signed}
        assert self.client.post(self.url, b"{ }", content_type="application/json", headers=headers).status_code == 401

    def test_a_delivery_that_broke_off_can_be_sent_again_as_it_was(self) -> None:
        now = time.time()
        broken = mock.patch.object(incidentdoors.incidentkeeping, "keep_incident", side_effect=OperationalError)
        with broken, pytest.raises(OperationalError):
            self.post({"records": [RECORD]}, at=now)
        assert self.post({"records": [RECORD]}, at=now).status_code == 202
        assert self.post({"records": [RECORD]}, at=now).status_code == 409

    def test_too_much_is_refused_before_it_is_read(self) -> None:
        assert self.post(None, body=b"x" * (incidentdoors.MOST_BYTES + 1)).status_code == 413
        many = {"records": [RECORD] * (mapped.MOST_ITEMS + 1)}
        assert self.post(many).status_code == 422

    def test_a_delivery_that_cannot_be_read_says_why_and_its_page_too(self) -> None:
        assert self.post(None, body=b"{not json").status_code == 400
        reply = self.post({"records": [{"ref": "S-2"}]})
        assert reply.status_code == 422 and "no title" in reply.json()["title"]
        reply = self.post({"records": [{"ref": "S-2"}, RECORD]})
        assert reply.json()["taken"] == 1 and reply.json()["problems"][0].startswith("1: It has no title")
        self.sign_in(self.ada)
        self.assertContains(self.client.get(reverse("ircase:incident_sources")), "It has no title")

    def test_the_form_shows_the_mapping_as_it_is_kept_and_takes_it_back(self) -> None:
        self.sign_in(self.ada)
        page = reverse("ircase:incident_source", args=[self.source.pk])
        shown = self.client.get(page).context["form"]["mapping"].value()
        assert json.loads(shown) == MAPPING
        assert "\n" in shown, "a line for each field: it is for people"
        reply = self.client.post(page, {"name": "SIEM 2", "enabled": "on", "mapping": shown, "action": "save"})
        assert reply.status_code == 302, reply.context["form"].errors
        self.source.refresh_from_db()
        assert (self.source.name, self.source.mapping) == ("SIEM 2", MAPPING)
        new = self.client.get(reverse("ircase:incident_source_new")).context["form"]["mapping"].value()
        assert "title" in json.loads(new)["fields"]
        wrong = self.client.post(page, {"name": "SIEM", "mapping": "{not json", "action": "save"})
        self.assertContains(wrong, "{not json", status_code=422)

    def test_the_secret_is_shown_once_and_replaced(self) -> None:
        self.sign_in(self.ada)
        page = self.client.post(reverse("ircase:incident_source_secret", args=[self.source.pk])).content.decode()
        assert self.post({"records": [RECORD]}).status_code == 401, "the old one works no more"
        assert self.secret not in page
        self.source.refresh_from_db()
        assert self.secret not in self.source.secret_encrypted
        listed = self.client.get(reverse("ircase:incident_source", args=[self.source.pk])).content.decode()
        assert "shown this once" in page and "shown this once" not in listed
        assert LogEntry.objects.filter(action="incident.source_secret").count() == 2

    def test_an_administrator_makes_a_source_and_sees_what_a_sample_becomes(self) -> None:
        self.sign_in(self.ada)
        url = reverse("ircase:incident_source_new")
        form = {"name": "Tickets", "enabled": "on", "mapping": json.dumps(MAPPING), "action": "preview",
                "sample": json.dumps({"records": [RECORD, {}]})}  # fmt: skip
        page = self.client.post(url, form)
        self.assertContains(page, "Odd logon")
        self.assertContains(page, "Cannot be taken")
        assert not IncidentSource.objects.filter(name="Tickets").exists()
        page = self.client.post(url, {**form, "action": "save"})
        self.assertContains(page, "shown this once")
        bad = self.client.post(url, {**form, "name": "B", "mapping": '{"fields": {"colour": "x"}}', "action": "save"})
        self.assertContains(bad, "There is no field", status_code=422)


class MappedTests(SimpleTestCase):
    def read(self, item: Any, **mapping: Any) -> dict[str, Any]:
        fields = {"title": "t", "created": "at", "severity": "s"}
        return mapped.incident_of(item, {"fields": fields, **mapping}, mapped.Origin("x", timezone.now()))

    def test_times_need_a_zone(self) -> None:
        with self.assertRaisesMessage(mapped.Unmappable, "names no zone"):
            self.read({"t": "x", "at": "2026-01-01T10:00:00"})
        told = self.read({"t": "x", "at": "2026-01-01T10:00:00"}, zone="Europe/Copenhagen")
        assert told["createdDateTime"] == "2026-01-01T09:00:00+00:00"
        assert self.read({"t": "x", "at": 0})["createdDateTime"].startswith("1970-01-01")
        with self.assertRaisesMessage(mapped.Unmappable, "is no time"):
            self.read({"t": "x", "at": "yesterday"})

    def test_severities_are_mapped_or_unknown(self) -> None:
        assert self.read({"t": "x", "s": "P1"}, severities={"p1": "critical"})["severity"] == "critical"
        assert self.read({"t": "x", "s": "Info"})["severity"] == "informational"
        assert self.read({"t": "x", "s": "purple"})["severity"] == "unknown"

    def test_an_incident_without_an_id_is_known_by_its_content(self) -> None:
        assert self.read({"t": "x"})["id"] == self.read({"t": "x"})["id"] != self.read({"t": "y"})["id"]

    def test_a_mapping_that_cannot_be_used_says_why(self) -> None:
        for mapping, words in (
            ([], "JSON object"),
            ({}, '"fields"'),
            ({"fields": {}}, '"title"'),
            ({"fields": {"title": "t", "colour": "c"}}, "colour"),
            ({"fields": {"title": 5}}, "text"),
            ({"fields": {"title": "t"}, "severities": {"1": "worst"}}, "severities"),
            ({"fields": {"title": "t"}, "zone": "Mars"}, "Mars"),
        ):
            assert words in " ".join(mapped.problems_of(mapping)), mapping
        assert mapped.problems_of(MAPPING) == []

    @given(
        item=st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
            max_leaves=9,
        ),
        path=st.text(st.sampled_from("ab.[]"), max_size=8),
    )
    def test_any_json_and_any_path(self, item: Any, path: str) -> None:
        try:
            mapped.incident_of({"t": "x", "a": item}, {"fields": {"title": "t", "devices": path, "created": path}},
                               mapped.Origin("x", timezone.now()))  # fmt: skip
        except mapped.Unmappable as error:
            assert str(error)


CSV = (
    b"Incident name;Severity;Created;Hosts;IP\n"
    b'One;High;2026-11-20T10:00:00Z;"ws-1.contoso.com; ws-2.contoso.com";192.0.2.1\n'
    b"Two;low;2026-11-20T11:00:00Z;;\n"
    b";high;2026-11-20T12:00:00Z;;\n"
    b"Four;high;2026-11-20 13:00;;\n"
    b"Five;high;2026-11-20T13:00:00Z;;;extra\n"
)


class FileTests(CastTestCase):
    def file(self, content: bytes = CSV) -> IncidentFile:
        source = incidentdoors.csv_source(name="Export", actor=self.bob)
        return incidentfiles.keep_file(actor=self.bob, source=source, name="export.csv", content=content)

    def read(self, file: IncidentFile) -> IncidentFile:
        incidentfiles.ask(file=file, actor=self.bob)
        read_incident_file(file.pk)
        file.refresh_from_db()
        return file

    def test_rows_become_incidents_and_those_that_cannot_are_kept_with_their_reason(self) -> None:
        file = self.file()
        fields = file.source.mapping["fields"]
        assert (fields["title"], fields["severity"], fields["addresses"]) == ("Incident name", "Severity", "IP")
        incidentfiles.map_columns(
            file=file, actor=self.bob, mapping={"fields": {**fields, "devices": "Hosts", "created": "Created"}}
        )
        file = self.read(file)
        assert (file.state, file.taken, file.same) == (JobState.DONE, 2, 0)
        one = IncomingIncident.objects.get(title="One")
        assert (one.severity, one.origin, one.devices) == ("high", "Export", ["ws-1.contoso.com", "ws-2.contoso.com"])
        assert [(row["line"], row["cells"]["Created"][:13]) for row in file.problems] == [
            (4, "2026-11-20T12"), (5, "2026-11-20 13"), (6, "2026-11-20T13")]  # fmt: skip
        assert "no title" in file.problems[0]["problem"]
        assert "zone" in file.problems[1]["problem"]
        assert file.problems[2]["cells"]["…"] == "extra"
        again = self.read(self.file())
        assert (again.taken, again.same) == (0, 2), "the same rows are the same incidents"

    def test_no_worker_takes_it_before_a_person_has_seen_the_preview(self) -> None:
        file = self.file()
        read_incident_file(file.pk)
        incidentfiles.sweep()
        assert not IncomingIncident.objects.filter(source__isnull=False).exists()
        self.read(file)
        with self.assertRaises(ValidationError):
            incidentfiles.ask(file=file, actor=self.bob)
        with self.assertRaises(ValidationError):
            incidentfiles.map_columns(file=file, actor=self.bob, mapping=file.source.mapping)

    def test_files_that_are_none(self) -> None:
        for content, words in (
            (b"", "no header"),
            (b"a,a\n1,2\n", "same name"),
            (b"\x00\x01\x02", "no text file"),
            (b",".join(b"c%d" % n for n in range(300)), "columns"),
        ):
            with self.assertRaisesMessage(ValidationError, words):
                self.file(content)
        rows = b"title\n" + b"x\n" * (csvfile.MOST_ROWS + 1)
        with self.assertRaisesMessage(csvfile.BadFile, "more than"):
            list(csvfile.rows_of(rows, {"fields": {"title": "title"}}, name="x", at=timezone.now()))

    def test_encodings_of_excel(self) -> None:
        for encoding in ("utf-8-sig", "utf-16", "cp1252"):
            assert csvfile.columns_of("Überschrift,x\n1,2\n".encode(encoding)) == ["Überschrift", "x"]

    def test_from_the_page_to_the_queue(self) -> None:
        self.sign_in(self.bob)
        url = reverse("ircase:incident_files")
        assert self.client.post(url, {"source": "Export"}).status_code == 422
        reply = self.client.post(url, {"source": "Export", "file": SimpleUploadedFile("e.csv", CSV)})
        page_url = reply.headers["Location"]
        page = self.client.get(page_url)
        self.assertContains(page, "5 rows, 3 cannot be taken")
        self.assertContains(page, "Line 4: It has no title")
        form = {"title": "Incident name", "severity": "Severity", "created": "Created", "zone": "UTC"}
        self.assertContains(self.client.post(page_url, {**form, "action": "map"}, follow=True), "2 cannot be taken")
        with self.captureOnCommitCallbacks(execute=False) as sent:
            page = self.client.post(page_url, {**form, "action": "import"}, follow=True)
        assert len(sent) == 1
        self.assertContains(page, "every 2s")
        read_incident_file(IncidentFile.objects.get().pk)
        page = self.client.get(page_url)
        self.assertContains(page, "3 new, 0 there already, 2 not taken")
        self.assertNotContains(page, "every 2s")
        self.assertContains(self.client.get(reverse("ircase:intake")), "Four")
        assert Case.objects.count() == 2, "nothing became a case by itself"

    def test_a_webhooks_name_is_not_a_files(self) -> None:
        made = IncidentSource(kind="webhook", name="SIEM", mapping=MAPPING)
        incidentdoors.save_source(source=made, actor=self.ada)
        with self.assertRaisesMessage(ValidationError, "webhook has this name"):
            incidentdoors.csv_source(name="SIEM", actor=self.bob)
