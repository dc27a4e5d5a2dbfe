"""The super-timeline of a case: built by the worker, seen by those who may, marked, filtered, kept and handed out."""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.test import override_settings
from django.urls import reverse

from ircase.models import (
    Case,
    CaseTable,
    CustodyEntry,
    JobState,
    LogEntry,
    RowTag,
    TimelineBuild,
    TimelineExport,
    TimelineView,
    User,
)
from ircase.models.supertimeline import store_folder
from ircase.services import cases, waking
from ircase.services.analysis import stars, supertimeline, tables, timelineasking
from ircase.services.identity import people
from ircase.supertimeline import reading, store
from ircase.supertimeline.model import Asked, TimelineError
from ircase.tasks import build_timeline, export_timeline, parse_evidence, sweep_all
from ircase.work import Stopped
from kql.parquet import write_parquet
from kql.types import Column
from tests.cast import CastTestCase, make_case, make_evidence
from tests.hunting.stage import quiet_heart

ROWS: list[dict[str, Any]] = [
    {"Timestamp": "2026-11-20T17:00:01Z", "DeviceName": "WS-01", "ActionType": "ProcessCreated",
     "FileName": "powershell.exe", "ProcessCommandLine": "powershell -enc AAAA", "AccountName": "Bob"},
    {"Timestamp": "2026-11-20T17:00:02Z", "DeviceName": "ws-02", "ActionType": "ProcessCreated",
     "FileName": "calc.exe", "AccountName": "eve"},
    {"Timestamp": None, "DeviceName": "ws-03", "ActionType": "ProcessCreated", "FileName": "never.exe"},
]  # fmt: skip
FILES = [{"LastWriteTime": "2026-11-20T16:00:00Z", "CreationTime": "2026-11-01T08:00:00Z", "Name": "loot.zip"}]


def make_table(case: Case, actor: User, name: str, rows: list[dict[str, Any]]) -> CaseTable:
    """A table whose columns are moments where their names say so, else texts."""
    names = dict.fromkeys(key for row in rows for key in row)
    columns = [
        Column(key, "datetime" if key.startswith("Timestamp") or key.endswith("Time") else "string") for key in names
    ]
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "rows.ndjson", Path(folder) / "rows.parquet"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        info = write_parquet(source, columns, out)
        item = make_evidence(case, actor, source.read_bytes(), f"{name}.ndjson")
        new = tables.NewTable(name, out, info.columns, info.rows, info.first_time, info.last_time, "hand")
        return tables.keep(evidence=item, tables=[new])[0]


def built(case: Case) -> TimelineBuild:
    """The case's store as the worker leaves it."""
    waking.wake(case.pk)
    job = TimelineBuild.objects.get(case=case)
    with quiet_heart():
        build_timeline(job.pk)
    job.refresh_from_db()
    return job


def messages(case: Case, query: str = "", person: User | None = None) -> list[str]:
    here = supertimeline.shown(case)
    asked = timelineasking.asked_of(case, here, QueryDict(query), person or User(time_zone="UTC"))
    return [event.message for event in reading.page(here.view, asked)]


class SuperTimelineTests(CastTestCase):
    processes: CaseTable
    files: CaseTable

    def setUp(self) -> None:
        self.processes = make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        self.files = make_table(self.case, self.bob, "Files", FILES)
        for table in (self.processes, self.files):
            table.case = table.evidence.case = self.case
        self.job = built(self.case)
        self.page = reverse("ircase:super_timeline", args=[self.case.reference])
        self.sign_in(self.bob)
        self.addCleanup(reading.forget)

    def export(self, kind: str, asked: str = "") -> TimelineExport:
        job = supertimeline.request_export(case=self.case, actor=self.bob, kind=kind, asked=asked)
        with quiet_heart():
            export_timeline(job.pk)
        job.refresh_from_db()
        assert job.state == JobState.DONE, job.reason
        return job

    def test_events_stand_in_the_order_of_time(self) -> None:
        assert self.job.state == JobState.DONE and self.job.problems == []
        assert messages(self.case) == [
            "loot.zip",
            "loot.zip",
            "ProcessCreated powershell.exe with powershell -enc AAAA as Bob",
            "ProcessCreated calc.exe as eve",
        ]
        found = reading.page(supertimeline.shown(self.case).view, Asked())
        assert [one.what_time for one in found] == ["Creation time", "Last write time", "Event time", "Event time"]
        assert found[2].device == "ws-01" and found[2].account == "bob" and found[2].techniques == ("T1059.001",)
        assert found[2].row == 1 and found[2].at == datetime(2026, 11, 20, 17, 0, 1, tzinfo=UTC)

    def test_filters(self) -> None:
        assert messages(self.case, "device=WS-01")[0].startswith("ProcessCreated powershell")
        assert len(messages(self.case, "technique=T1059")) == 1
        assert len(messages(self.case, "source=Files")) == 2
        assert messages(self.case, "q=CALC+eve") == ["ProcessCreated calc.exe as eve"]
        assert messages(self.case, 'q="calc.exe as"') == ["ProcessCreated calc.exe as eve"]
        assert messages(self.case, 'q="eve calc"') == []
        assert len(messages(self.case, "since=2026-11-20T17:00:01Z&until=2026-11-20T17:00:02Z")) == 1
        self.bob.time_zone = "Europe/Copenhagen"
        assert len(messages(self.case, "since=2026-11-20+18:00:02", self.bob)) == 1
        with pytest.raises(TimelineError):
            messages(self.case, "since=yesterday")
        with pytest.raises(TimelineError):
            messages(self.case, "technique=T1' OR 1=1 --")

    def test_a_table_read_again_replaces_its_part_alone(self) -> None:
        before = {part.table: part.file for part in store.read(store_folder(self.case.pk)).parts}
        again = make_table(self.case, self.bob, "More", [{"Timestamp": "2026-11-21T00:00:00Z", "Name": "more"}])
        built(self.case)
        after = {part.table: part.file for part in store.read(store_folder(self.case.pk)).parts}
        assert before.items() < after.items() and str(again.uuid) in after
        CaseTable.objects.filter(pk=again.pk).delete()
        assert "more" not in messages(self.case), "a table that is gone is not shown, built or not"
        built(self.case)
        assert {part.table: part.file for part in store.read(store_folder(self.case.pk)).parts} == before

    def test_second_views_are_not_counted_twice(self) -> None:
        CaseTable.objects.filter(pk=self.files.pk).update(wildcard=False)
        assert all("loot" not in message for message in messages(self.case))

    def test_keeping_tables_wakes_the_builder_and_a_change_meanwhile_is_seen(self) -> None:
        TimelineBuild.objects.all().delete()
        tables.keep(evidence=self.files.evidence, tables=[])
        job = TimelineBuild.objects.get(case=self.case)
        assert job.state == JobState.QUEUED
        TimelineBuild.objects.filter(pk=job.pk).update(state=JobState.RUNNING)
        waking.wake(self.case.pk)
        job.refresh_from_db()
        assert job.again and job.state == JobState.RUNNING

    def test_a_builder_that_lost_its_row_says_nothing(self) -> None:
        more = make_table(self.case, self.bob, "More", [{"Timestamp": "2026-11-21T00:00:00Z", "Name": "more"}])
        before = store.read(store_folder(self.case.pk))
        waking.wake(self.case.pk)
        with quiet_heart(), mock.patch("ircase.work.Hold.check", side_effect=Stopped):
            build_timeline(self.job.pk)
        self.job.refresh_from_db()
        assert self.job.state == JobState.RUNNING, "the sweep hands it back"
        assert store.read(store_folder(self.case.pk)) == before
        with override_settings(STALE_SECONDS=0), mock.patch("ircase.jobs.send") as sent:
            sweep_all()
        self.job.refresh_from_db()
        assert self.job.state == JobState.QUEUED
        assert mock.call("ircase.build_timeline", self.job.pk) in sent.call_args_list
        with quiet_heart():
            build_timeline(self.job.pk)
        assert "more" in messages(self.case) and more.row_count == 1

    def test_a_lost_store_is_made_anew(self) -> None:
        (store_folder(self.case.pk) / "store.json").write_text('{"format": 1, "parts": [{"file": "../../etc/passwd"}]}')
        assert messages(self.case) == []
        built(self.case)
        assert len(messages(self.case)) == 4

    def test_the_page_shows_the_events_and_custody_knows(self) -> None:
        page = self.client.get(self.page)
        self.assertContains(page, "powershell -enc AAAA")
        self.assertContains(page, "4 of 4 events pass")
        viewed = CustodyEntry.objects.filter(evidence=self.processes.evidence, actor=self.bob, action="viewed")
        assert [entry.detail["what"] for entry in viewed] == ["super-timeline"]
        self.assertContains(self.client.get(self.page, {"q": "nothing at all"}), "No event passes")
        refused = self.client.get(self.page, {"since": "soon"})
        assert refused.status_code == 422
        self.assertContains(refused, "is no time", status_code=422)
        self.assertContains(self.client.get(self.page, {"after": "1.x"}), "not whole", status_code=422)

    def test_what_rows_say_is_never_markup(self) -> None:
        evil = "<script>alert(1)</script>"
        table = make_table(
            self.case, self.bob, "Evil", [{"Timestamp": "2026-11-20T00:00:00Z", "Name": evil, "user": evil}]
        )
        built(self.case)
        page = self.client.get(self.page, {"q": evil, "device": evil, "account": evil})
        assert evil not in page.content.decode()
        shown = self.client.get(self.page, {"source": table.name}).content.decode()
        assert evil not in shown and "&lt;script&gt;alert(1)" in shown

    def test_pages_lead_on_and_back(self) -> None:
        with mock.patch("ircase.views.supertimeline.PER_PAGE", 2):
            first = self.client.get(self.page)
            second = self.client.get(self.page + first.context["after"])
            assert [row.message for row in second.context["rows"]] == messages(self.case)[2:]
            back = self.client.get(self.page + second.context["earlier"])
            assert [row.message for row in back.context["rows"]] == messages(self.case)[:2]
            more = self.client.get(
                self.page + first.context["after"], headers={"hx-request": "true", "hx-target": "more-events"}
            )
        self.assertTemplateUsed(more, "supertimeline/_rows.html")
        self.assertTemplateNotUsed(more, "case/shell.html")

    def test_what_is_counted_is_what_is_listed_whichever_is_asked_first(self) -> None:
        view = supertimeline.shown(self.case).view
        for asked in (Asked(words=("powershell",)), Asked(words=("nothing at all",)), Asked(devices=("ws-01",))):
            for limit in (1, 2, 100):
                reading.forget()
                first = reading.page(view, asked, limit=limit)
                total = reading.counts(view, asked).total
                every = reading.page(view, asked, limit=100)
                assert (len(every), every[:limit]) == (total, first)

    def test_a_page_out_of_near_row_groups_is_the_page_out_of_all(self) -> None:
        for number in range(4):
            rows = [
                {"Timestamp": f"2026-11-{20 + number // 2}T{hour:02d}:00:00Z", "Name": f"at {hour} {hour % 3}"}
                for hour in range(number, 24, 2 + number % 2)
            ]
            make_table(self.case, self.bob, f"Near{number}", rows)
        built(self.case)
        view = supertimeline.shown(self.case).view
        for asked in (Asked(), Asked(words=("at", "2")), Asked(since=datetime(2026, 11, 20, 21, tzinfo=UTC))):
            every = reading.page(view, asked, limit=1000)
            assert len(every) > 12
            for groups in ((1, 2), (2, 4)):
                with mock.patch.object(reading, "_GROUPS", groups):
                    reading.forget()
                    walked = reading.page(view, asked, limit=5)
                    while more := reading.page(view, asked, after=walked[-1].place, limit=5):
                        walked += more
                    assert walked == every
                    back = [every[-1]]
                    while more := reading.page(view, asked, before=back[0].place, limit=5):
                        back = more + back
                    assert back == every

    def test_a_filter_is_answered_with_what_it_found_alone(self) -> None:
        asked = {"hx-request": "true", "hx-target": "super-found"}
        found = self.client.get(self.page, {"q": "powershell"}, headers=asked)
        self.assertTemplateNotUsed(found, "supertimeline/_filters.html")
        self.assertContains(found, "Take off: contains powershell")
        # The list need not wait for the counting: it fetches its chart.
        self.assertNotContains(found, "events pass")
        self.assertContains(found, f'hx-get="{self.page}?q=powershell" hx-trigger="load delay:100ms"')
        asked = {"hx-request": "true", "hx-target": "super-chart"}
        for _ in range(2):
            chart = self.client.get(self.page, {"q": "powershell"}, headers=asked)
            self.assertContains(chart, 'data-announce="1 of 4 events pass"')
            self.assertContains(chart, "1 of 4 events pass. Follow a bar")
            self.assertTemplateNotUsed(chart, "supertimeline/_rows.html")
        none = self.client.get(self.page, {"q": "nothing at all"}, headers=asked)
        self.assertContains(none, 'data-announce="0 of 4 events pass"')
        asked = {"hx-request": "true", "hx-target": "super-found"}
        assert set(found["Vary"].split(", ")) >= {"HX-Request", "HX-Target"}
        refused = self.client.get(self.page, {"since": "soon"}, headers=asked)
        self.assertContains(refused, "is no time", status_code=422)

    def test_an_empty_case_says_so(self) -> None:
        self.sign_in(self.alice)
        page = self.client.get(reverse("ircase:super_timeline", args=[self.secret_case.reference]))
        self.assertContains(page, "No events yet")

    def test_nothing_leaks_between_cases(self) -> None:
        make_table(self.secret_case, self.alice, "Secrets", [{"Timestamp": "2026-11-20T17:00:01Z", "Name": "hush"}])
        built(self.secret_case)
        assert "hush" not in " ".join(messages(self.case))
        secret = supertimeline.tables(self.secret_case)[0]
        for name in ("super_timeline_star", "super_timeline_tags"):
            url = reverse(f"ircase:{name}", args=[self.case.reference, secret.uuid, 1])
            assert self.client.post(url, {"on": "1", "tags": "mine"}).status_code == 404
        assert self.client.get(reverse("ircase:super_timeline", args=[self.secret_case.reference])).status_code == 404

    def test_stars_and_tags(self) -> None:
        star = reverse("ircase:super_timeline_star", args=[self.case.reference, self.processes.uuid, 2])
        reply = self.client.post(star, {"on": "1"}, headers={"hx-request": "true"})
        self.assertContains(reply, 'aria-pressed="true"')
        assert messages(self.case, "only=starred") == ["ProcessCreated calc.exe as eve"]
        tags = reverse("ircase:super_timeline_tags", args=[self.case.reference, self.processes.uuid, 1])
        self.client.post(tags, {"tags": "Beacon, c2"}, headers={"hx-request": "true"})
        assert set(RowTag.objects.values_list("name", flat=True)) == {"beacon", "c2"}
        assert messages(self.case, "tag=c2") == messages(self.case, "only=tagged") == messages(self.case)[2:3]
        assert len(messages(self.case, "only=marked")) == 2
        self.assertContains(self.client.get(self.page), "beacon")
        self.client.post(tags, {"tags": "c2"})
        entry = LogEntry.objects.filter(action="row.tagged").latest("pk")
        assert entry.detail["removed"] == ["beacon"] and entry.actor == self.bob
        assert self.client.post(tags, {"tags": "<b>"}, headers={"hx-request": "true"}).status_code == 422
        assert self.client.post(tags, {"tags": "x" * 41}, headers={"hx-request": "true"}).status_code == 422
        with pytest.raises(ValidationError):
            supertimeline.set_tags(table=self.processes, actor=self.bob, number=99, names=["c2"])

    def test_views_are_kept_for_the_case(self) -> None:
        url = reverse("ircase:super_timeline_views", args=[self.case.reference])
        self.client.post(url, {"name": "Shells", "asked": "technique=T1059.001&evil=1"})
        view = TimelineView.objects.get(case=self.case)
        assert view.asked == "technique=T1059.001" and view.saved_by == self.bob
        self.assertContains(self.client.get(self.page), "Shells")
        self.client.post(url, {"name": "Shells", "asked": "q=calc"})
        assert TimelineView.objects.get(case=self.case).asked == "q=calc"
        self.client.post(reverse("ircase:super_timeline_view_remove", args=[self.case.reference, view.uuid]))
        assert not TimelineView.objects.exists()

    def test_an_export_says_where_every_line_is_from(self) -> None:
        supertimeline.set_tags(table=self.processes, actor=self.bob, number=1, names=["c2"])
        job = self.export("jsonl", "device=ws-01")
        (line,) = [json.loads(text) for text in job.path.read_text().splitlines()]
        item = self.processes.evidence
        assert line == {
            "message": "ProcessCreated powershell.exe with powershell -enc AAAA as Bob",
            "datetime": "2026-11-20T17:00:01.000000+00:00", "timestamp": 1795194001000000,
            "timestamp_desc": "Event time", "device": "ws-01", "account": "bob", "techniques": ["T1059.001"],
            "tag": ["c2"], "case": self.case.reference, "evidence": item.exhibit, "evidence_sha256": item.sha256,
            "table": "DeviceProcessEvents", "row": 1,
        }  # fmt: skip
        entry = CustodyEntry.objects.filter(evidence=item, action="exported").get()
        assert entry.actor == self.bob and entry.detail["sha256"] == job.manifest["sha256"]
        assert not CustodyEntry.objects.filter(evidence=self.files.evidence, action="exported").exists()
        assert job.manifest["events"] == 1 and job.manifest["tables"][0]["mapping"] == "DeviceProcessEvents"
        file = self.client.get(reverse("ircase:super_timeline_export_file", args=[self.case.reference, job.uuid]))
        assert b"".join(file.streaming_content) == job.path.read_bytes()  # type: ignore[attr-defined]
        assert LogEntry.objects.filter(case=self.case, action="timeline.downloaded").exists()
        said = self.client.get(reverse("ircase:super_timeline_export_manifest", args=[self.case.reference, job.uuid]))
        assert json.loads(b"".join(said.streaming_content)) == job.manifest  # type: ignore[attr-defined]

    def test_the_raw_csv_is_raw_and_the_other_is_safe(self) -> None:
        make_table(self.case, self.bob, "Odd", [{"Timestamp": "2026-11-19T00:00:00Z", "Name": "=HYPERLINK(1)"}])
        built(self.case)
        raw, safe = (self.export(kind, "q=hyperlink").path.read_text() for kind in ("csv", "csv-safe"))
        assert raw.splitlines()[0].startswith("message,datetime,timestamp,timestamp_desc,")
        assert raw.splitlines()[1].startswith("=HYPERLINK(1),2026-11-19T00:00:00.000000+00:00,")
        assert safe.splitlines()[1].startswith("'=HYPERLINK(1),")

    def test_an_export_asks_again_whether_the_person_may(self) -> None:
        job = supertimeline.request_export(case=self.case, actor=self.bob, kind="jsonl", asked="")
        cases.remove_member(case=self.case, actor=self.alice, user=self.bob)
        User.objects.filter(pk=self.bob.pk).update(site_role=User.SiteRole.GUEST)
        with quiet_heart():
            export_timeline(job.pk)
        job.refresh_from_db()
        assert job.state == JobState.FAILED and "may no longer" in job.reason and not job.path.exists()

    def test_an_export_expires(self) -> None:
        job = self.export("jsonl")
        TimelineExport.objects.update(expires_at=datetime(2026, 1, 1, tzinfo=UTC))
        supertimeline.tidy()
        assert not job.path.exists()
        page = self.client.get(
            reverse("ircase:super_timeline_export_file", args=[self.case.reference, job.uuid]), follow=True
        )
        self.assertContains(page, "time is over")

    def test_an_unknown_thing_is_not_there(self) -> None:
        for name in ("super_timeline_export", "super_timeline_export_file", "super_timeline_export_manifest"):
            assert self.client.get(reverse(f"ircase:{name}", args=[self.case.reference, uuid4()])).status_code == 404

    def test_the_mappings_are_shown(self) -> None:
        page = self.client.get(reverse("ircase:super_timeline_mappings", args=[self.case.reference]))
        self.assertContains(page, "by the columns' names")
        self.assertContains(page, "Event logged")

    def test_a_page_asks_as_much_however_many_rows(self) -> None:
        self.client.get(self.page)
        with self.assertNumQueries(14):
            self.client.get(self.page)
        stars.star_rows(table=self.processes, actor=self.bob, numbers=[1, 2])
        with self.assertNumQueries(14):
            self.client.get(self.page)

    def test_what_was_exported_is_read_in_again(self) -> None:
        make_table(self.case, self.bob, "Odd", [
            {"Timestamp": "2026-11-19T00:00:00.000001Z", "Name": '=cmd|"x", \'y\'; naïve\t“q”', "LastRunTime": None},
            {"Timestamp": "2026-11-19T00:00:00Z", "Name": "00012345", "LastRunTime": "2026-11-18T23:59:59.999999Z"},
        ])  # fmt: skip
        built(self.case)
        told = self.told(self.case)
        for kind in ("jsonl", "csv"):
            other = make_case(self.bob, title=f"Again from {kind}")
            item = make_evidence(other, self.bob, self.export(kind).path.read_bytes(), f"events.{kind}")
            job = tables.queue_parse(evidence=item, actor=self.bob)
            with quiet_heart():
                parse_evidence(job.pk)
            built(other)
            assert self.told(other) == told

    @staticmethod
    def told(case: Case) -> list[tuple[Any, ...]]:
        found = reading.stream(supertimeline.shown(case).view, Asked())
        return sorted((e.at, e.message, e.what_time, e.device, e.account, e.techniques) for e in found)

    def test_the_api_walks_tags_and_exports(self) -> None:
        token, secret = people.create_token(user=self.bob, name="script")
        assert token.user == self.bob
        headers = {"Authorization": f"Bearer {secret}"}
        base = f"/api/v1/cases/{self.case.reference}/super-timeline"
        first = self.client.get(base, {"limit": 3}, headers=headers).json()
        assert first["total"] == 4 and len(first["items"]) == 3
        rest = self.client.get(base, {"limit": 3, "after": first["next"]}, headers=headers).json()
        assert [one["message"] for one in rest["items"]] == ["ProcessCreated calc.exe as eve"] and rest["next"] == ""
        (found,) = self.client.get(base, {"device": "ws-01", "q": "enc"}, headers=headers).json()["items"]
        assert found["evidence_sha256"] == self.processes.evidence.sha256 and found["row"] == 1
        tags = f"{base}/rows/{found['table']}/1/tags"
        said = self.client.put(tags, {"tags": ["C2"]}, content_type="application/json", headers=headers)
        assert said.json() == {"tags": ["c2"]}
        assert self.client.get(base, {"tag": "c2"}, headers=headers).json()["items"][0]["tags"] == ["c2"]
        assert self.client.get(base, {"since": "soon"}, headers=headers).status_code == 422
        body = {"format": "jsonl", "tag": "c2"}
        asked = self.client.post(f"{base}/exports", body, content_type="application/json", headers=headers).json()
        with quiet_heart():
            export_timeline(TimelineExport.objects.get(uuid=asked["uuid"]).pk)
        done = self.client.get(f"{base}/exports/{asked['uuid']}", headers=headers).json()
        assert done["state"] == "done" and done["manifest"]["events"] == 1
        file = self.client.get(f"{base}/exports/{asked['uuid']}/file", headers=headers)
        assert json.loads(b"".join(file.streaming_content))["tag"] == ["c2"]  # type: ignore[attr-defined]
