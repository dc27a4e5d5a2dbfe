"""The curated timeline: precision and zone, lanes, what stands beside events, bulk, files that come back, ATT&CK,
the graph."""

import csv
import io
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings
from django.urls import reverse

from ircase import attack, attackmatrix, entitygraph, tasks
from ircase.curated import bringin
from ircase.curated.asking import Filter
from ircase.models import Activity, AttackRelease, CaseShare, ChecklistItem, Event, EventTechnique, LogEntry
from ircase.redaction import Redaction
from ircase.services import activity
from ircase.services.analysis import findings
from ircase.services.analysis.findings import Use
from ircase.services.identity import people
from ircase.services.phases import checklist
from ircase.services.transfer import shareddata, sharing
from tests.cast import CastTestCase, make_case
from tests.ircase.queries import at_most
from tests.ircase.test_attack_data import bundle

AT = datetime(2026, 2, 1, 23, 30, tzinfo=UTC)


class CuratedTests(CastTestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        cls.device, _ = findings.add_asset(case=cls.case, actor=cls.bob, kind="device", name="ws-07")
        cls.account, _ = findings.add_asset(case=cls.case, actor=cls.bob, kind="account", name="ann@example.com")
        cls.address, _ = findings.add_indicator(case=cls.case, actor=cls.bob, kind="ip", value="203.0.113.7")
        cls.logon = findings.add_event(
            case=cls.case, actor=cls.bob, at=AT, title="Logon from abroad", source="DeviceLogonEvents",
            techniques=[Use("T1078", "Persistence"), Use("T1021.001")], tags=["vpn"],
            assets=[cls.device, cls.account], indicators=[cls.address], provenance={"alert": "a1", "incident": "7"},
        )  # fmt: skip
        cls.call = findings.add_event(
            case=cls.case, actor=cls.bob, at=AT + timedelta(hours=9), title="Called the user", lane="defender",
            in_report=False, discovered_at=AT - timedelta(days=1),
        )  # fmt: skip

    def setUp(self) -> None:
        self.sign_in(self.bob)

    def url(self, name: str = "timeline", *more: object) -> str:
        return reverse(f"ircase:{name}", args=[self.case.reference, *more])

    def shown(self, query: str) -> list[str]:
        page = self.client.get(self.url() + query).context["page"]
        return [row.event.title if row.event else row.title for row in page]

    def test_filters_stand_in_the_address(self) -> None:
        for query, titles in (
            ("?tactic=Persistence", ["Logon from abroad"]), ("?tactic=Lateral+movement", ["Logon from abroad"]),
            ("?tactic=Initial+access", []), ("?technique=T1021", ["Logon from abroad"]),
            ("?tag=vpn", ["Logon from abroad"]),
            (f"?asset={self.device.uuid}", ["Logon from abroad"]),
            (f"?indicator={self.address.uuid}", ["Logon from abroad"]),
            ("?report=no", ["Called the user"]), ("?since=2026-02-02", ["Called the user"]),
            ("?until=2026-02-02", ["Logon from abroad"]), ("?q=203.0.113", ["Logon from abroad"]),
            ("?by=discovery", ["Called the user", "Logon from abroad"]),
        ):  # fmt: skip
            assert self.shown(query) == titles, query
        for wrong in ("?asset=x", "?since=soon", "?lane=devil"):
            assert self.client.get(self.url() + wrong).status_code == 422, wrong

    def test_milestones_phases_and_work_stand_beside_events_and_are_no_events(self) -> None:
        activity.begin(
            case=self.case, kind=Activity.Kind.ACTION, title="Isolate ws-07", subject=self.device.uuid,
            url_name="ircase:asset", actor=self.bob,
        )  # fmt: skip
        shown = self.shown("?with=milestones&with=phases&with=work&lane=defender")
        assert "Called the user" in shown and "Isolate ws-07" in shown
        assert "Milestone: Detected" in shown and any(title.startswith("Phase: ") for title in shown)
        assert self.shown("?with=work&tag=vpn") == ["Logon from abroad"]
        assert Event.objects.filter(case=self.case).count() == 2

    def test_what_was_done_on_the_checklist_stands_there_with_who_and_why(self) -> None:
        item = ChecklistItem.objects.filter(case=self.case, state="open", depends_on=None).order_by("position")[0]
        checklist.start_item(item=item, actor=self.bob)
        checklist.wait_item(item=item, actor=self.bob, waiting_for="The provider")
        rows = [row for row in self.client.get(self.url() + "?with=checklist").context["page"] if not row.event]
        assert [row.title for row in rows] == [f"In work: {item.title}", f"Waiting: {item.title}"]
        assert self.bob.name in rows[0].detail and rows[0].url == self.url("checklist_item", item.pk)
        assert self.shown(f"?with=checklist&q={item.title.split()[0]}") == [row.title for row in rows]
        assert self.shown("?with=checklist&lane=attacker") == ["Logon from abroad"]

    def test_the_page_has_lanes_and_a_picture_whose_dots_lead_to_events(self) -> None:
        page = self.client.get(self.url() + "?view=lanes")
        self.assertContains(page, 'class="timeline lanes"')
        drawn = page.context["picture"]
        assert [row[1:] for row in drawn.rows] == [("Attacker", "1"), ("Defender", "1")]
        assert "<script" not in drawn.svg and "style=" not in drawn.svg
        dot = drawn.svg.split('href="')[1].split('"')[0].replace("&amp;", "&")
        assert [row.event.title for row in self.client.get(dot).context["page"]] == ["Logon from abroad"]

    def test_a_time_is_kept_with_its_zone_precision_and_words(self) -> None:
        values = {
            "at": "2026-02-01T10:00",
            "zone": "Asia/Tokyo",
            "precision": "hour",
            "title": "Told by phone",
            "lane": "system",
        }
        assert self.client.post(self.url("event_new"), values).status_code == 302
        made = Event.objects.get(title="Told by phone")
        assert (made.at, made.precision, made.zone) == (datetime(2026, 2, 1, 1, tzinfo=UTC), "hour", "Asia/Tokyo")
        assert made.given == "2026-02-01T10:00"
        page = self.client.get(self.url("event", made.uuid)).content.decode()
        assert "Given as “2026-02-01T10:00”, Asia/Tokyo" in page and 'value="2026-02-01T10:00:00"' in page
        bad = self.client.post(self.url("event_new"), values | {"zone": "Mars/Olympus"})
        self.assertContains(bad, "is no time zone", status_code=422)
        assert self.client.post(self.url("event_new"), values | {"precision": "between"}).status_code == 422

    def test_adding_an_asset_an_indicator_a_technique_inside_the_form_loses_no_text(self) -> None:
        typed = {
            "at": "2026-02-01T10:00",
            "title": "Half typed",
            "lane": "attacker",
            "description": "Long words",
            "zone": "UTC",
        }
        page = self.client.post(
            self.url("event_new"), typed | {"add": "asset", "new_asset_kind": "device", "new_asset": "WS-08"}
        )
        asset = self.case.assets.get(name="ws-08")
        self.assertContains(page, "Half typed")
        self.assertContains(page, "Long words")
        self.assertContains(page, f'<option value="{asset.uuid}" selected>')
        typed["assets"] = str(asset.uuid)
        page = self.client.post(
            self.url("event_new"), typed | {"add": "indicator", "new_indicator": "evil[.]example.com"}
        )
        found = self.case.indicators.get(value="evil.example.com")
        self.assertContains(page, f'<option value="{found.uuid}" selected>')
        self.assertContains(page, f'<option value="{asset.uuid}" selected>')
        page = self.client.post(self.url("event_new"), typed | {"add": "technique", "technique": "PowerShell"})
        self.assertContains(page, "T1059.001</textarea>")
        assert not Event.objects.filter(title="Half typed").exists()
        done = typed | {
            "indicators": str(found.uuid),
            "techniques": "T1059.001\nT1078 privilege escalation",
            "tags": "one, two",
        }
        assert self.client.post(self.url("event_new"), done).status_code == 302
        made = Event.objects.get(title="Half typed")
        assert [str(one) for one in made.techniques.all()] == ["T1059.001", "T1078 Privilege escalation"]
        assert made.technique == "T1059.001" and set(made.techniques.values_list("version", flat=True)) == {
            attack.release().version
        }
        assert {tag.name for tag in made.tags.all()} == {"one", "two"}
        wrong = self.client.post(self.url("event_new"), done | {"techniques": "T1059.001 Impact"})
        self.assertContains(wrong, "belongs to Execution", status_code=422)

    def test_an_id_that_was_given_up_becomes_its_successor(self) -> None:
        values = {"at": "2026-02-01T10:00", "title": "Old id", "lane": "attacker", "technique": "T1060"}
        self.client.post(self.url("event_new"), values)
        assert Event.objects.get(title="Old id").technique == "T1547.001"

    def test_many_events_are_changed_at_once_with_one_entry_in_the_log(self) -> None:
        chosen = [str(self.logon.uuid), str(self.call.uuid)]
        values = {"event": chosen, "lane": "system", "in_report": "yes", "add_technique": "T1078", "add_tags": "seen",
                  "remove_tags": "vpn", "kept": "q=x"}  # fmt: skip
        reply = self.client.post(self.url("events_change"), values)
        assert reply.headers["Location"].endswith("?q=x")
        for event in Event.objects.filter(case=self.case):
            assert (event.lane, event.in_report) == ("system", True)
            assert [tag.name for tag in event.tags.all()] == ["seen"]
        assert [str(one) for one in self.call.techniques.all()] == ["T1078"]
        assert self.logon.techniques.count() == 2
        assert LogEntry.objects.get(case=self.case, action="event.changed_many").detail["count"] == 2
        other = findings.add_event(case=self.secret_case, actor=self.alice, at=AT, title="Elsewhere")
        self.client.post(self.url("events_change"), {"event": [str(other.uuid)], "lane": "other"})
        other.refresh_from_db()
        assert other.lane == "attacker"

    def file(self, kind: str) -> bytes:
        wish = shareddata.Wish(Redaction.of("full", tlp="amber"), "red", tuple(CaseShare.Part.values), "Contoso")
        return sharing.produce(self.case, kind, wish)[1].data

    def test_what_was_shared_comes_back_and_only_once(self) -> None:
        findings.edit_event(event=self.call, actor=self.bob, title="=cmd|' /C calc'!A0", precision="between",
                            until=self.call.at + timedelta(hours=1), in_report=True)  # fmt: skip
        for kind in ("timesketch-jsonl", "timesketch-csv"):
            data = self.file(kind)
            assert bringin.bring_in(case=self.case, actor=self.bob, data=data, name="t") == bringin.Outcome(0, 2), kind
            new = make_case(self.alice, title=f"Copy by {kind}")
            assert bringin.bring_in(case=new, actor=self.alice, data=data, name="t") == bringin.Outcome(2, 0), kind
            assert bringin.bring_in(case=new, actor=self.alice, data=data, name="t") == bringin.Outcome(0, 2), kind
            there = [self._facts(event) for event in Event.objects.filter(case=self.case)]
            assert [self._facts(event) for event in Event.objects.filter(case=new)] == there, kind

    def _facts(self, event: Event) -> tuple[Any, ...]:
        return (
            event.at, event.until, event.precision, event.title, event.lane, event.source,
            [str(one) for one in event.techniques.all()], [tag.name for tag in event.tags.all()],
            sorted(str(one) for one in event.assets.all()), [str(one) for one in event.indicators.all()],
        )  # fmt: skip

    def test_the_ways_out_are_those_for_other_systems(self) -> None:
        shares = reverse("ircase:shares", args=[self.case.reference])
        for page, kinds in (("timeline", ("timesketch-jsonl", "timesketch-csv")), ("attack_matrix", ("navigator",))):
            shown = self.client.get(self.url(page))
            for kind in kinds:
                self.assertContains(shown, f'href="{shares}?format={kind}#share-new"')
                self.assertContains(self.client.get(f"{shares}?format={kind}"), f'<option value="{kind}" selected>')
        self.sign_in(self.carol)
        self.assertContains(self.client.get(f"{shares}?format=navigator"), "An analyst of the case makes it")

    def test_a_csv_for_spreadsheets_has_the_persons_times_and_no_formula(self) -> None:
        findings.add_event(
            case=self.case, actor=self.bob, at=AT - timedelta(days=200), title="=HYPERLINK(1)", description="@sum",
            precision="day", zone="Asia/Tokyo", given="2025-07-16",
        )  # fmt: skip
        self.bob.time_zone = "Europe/Copenhagen"
        self.bob.save()
        assert f'href="{self.url("timeline_csv")}?tag=vpn"' in self.client.get(self.url() + "?tag=vpn").content.decode()
        reply = self.client.get(self.url("timeline_csv"))
        assert reply.headers["Content-Disposition"] == f'attachment; filename="{self.case.reference}_timeline.csv"'
        lines = list(csv.DictReader(io.StringIO(reply.getvalue().decode("utf-8-sig"), newline="")))
        assert [line["Time (Europe/Copenhagen)"] for line in lines] == [
            "2025-07-17 01:30:00", "2026-02-02 00:30:00", "2026-02-02 09:30:00"
        ]  # fmt: skip
        assert [line["Offset"] for line in lines] == ["UTC+02:00", "UTC+01:00", "UTC+01:00"]
        first, logon, call = lines
        assert (first["What happened"], first["Description"]) == ("'=HYPERLINK(1)", "'@sum")
        assert (first["As exactly as it is known"], first["As it was written"]) == (
            "17 Jul 2025, that day (Asia/Tokyo)", "2025-07-16 (Asia/Tokyo)"
        )  # fmt: skip
        assert (logon["Techniques"], logon["Tags"]) == ("T1078 Persistence, T1021.001", "vpn")
        assert logon["Indicators"] == "203.0.113.7"
        assert logon["Devices and accounts"] == "ws-07, ann@example.com"
        assert (call["In the report"], call["Discovered (Europe/Copenhagen)"]) == ("no", "2026-02-01 00:30:00")
        assert LogEntry.objects.get(case=self.case, action="event.exported").detail["count"] == 3
        only = self.client.get(self.url("timeline_csv") + "?tag=vpn").getvalue().decode()
        assert only.count("\r\n") == 2
        assert self.client.get(self.url("timeline_csv") + "?since=soon").status_code == 302
        self.sign_in(self.mallory)
        assert self.client.get(self.url("timeline_csv")).status_code == 404

    def test_the_same_by_token_in_any_zone(self) -> None:
        token = people.create_token(user=self.bob, name="test")[1]

        def get(query: str) -> Any:
            address = f"/api/v1/cases/{self.case.reference}/events.csv{query}"
            return self.client.get(address, headers={"Authorization": f"Bearer {token}"})

        text = get("?zone=Asia/Tokyo&tag=vpn").getvalue().decode("utf-8-sig")
        assert text.startswith("Time (Asia/Tokyo),Offset,")
        assert "2026-02-02 08:30:00,UTC+09:00," in text
        assert get("").getvalue().decode("utf-8-sig").startswith("Time (UTC),")
        assert get("?zone=Mars/Olympus").status_code == 422

    def test_a_file_with_times_of_no_zone_is_refused_unless_one_is_chosen(self) -> None:
        data = b"datetime,message\n2026-02-01T10:00:00Z,Fine\n2026-02-01 11:00,No zone\n"
        before = Event.objects.count()
        upload = {"file": SimpleUploadedFile("t.csv", data)}
        self.assertContains(self.client.post(self.url("timeline_import"), upload), "Line 3:", status_code=422)
        assert Event.objects.count() == before
        upload = {"file": SimpleUploadedFile("t.csv", data), "zone": "Asia/Tokyo"}
        assert self.client.post(self.url("timeline_import"), upload).status_code == 302
        made = Event.objects.get(title="No zone")
        assert (made.at, made.zone) == (datetime(2026, 2, 1, 2, tzinfo=UTC), "Asia/Tokyo")
        assert made.provenance["file"] == "t.csv" and made.provenance["row"] == 3

    def test_what_is_no_timeline_is_refused_in_words(self) -> None:
        for data, says in (
            (b"", "empty"), (b"\xff\xfe\x00", "UTF-8"), (b"a,b\n1,2\n", "no words"),
            (b'{"message": ', "no JSON object"),
            (b"datetime,message\n", "no event"), (b'{"message": "x"}\n', "no time"),
        ):  # fmt: skip
            with self.assertRaisesMessage(ValidationError, says):
                bringin.bring_in(case=self.case, actor=self.bob, data=data, name="x", zone="UTC")

    def test_the_matrix_counts_events_alerts_and_hunts_and_names_what_was_not_hunted(self) -> None:
        EventTechnique.objects.create(event=self.call, technique="T1060")
        EventTechnique.objects.create(event=self.call, technique="T9999")
        ran = activity.begin(
            case=self.case, kind=Activity.Kind.HUNT, title="Hunt", subject=self.device.uuid, url_name="hunting:run",
            actor=self.bob, detail={"techniques": ["T1021", "T1003"]},
        )  # fmt: skip
        activity.end(ran, state="done", outcome="3 rows", row_count=3)
        matrix = attackmatrix.matrix(self.case)
        cells = {(column.tactic, cell.technique.id): cell for column in matrix.columns for cell in column.cells}
        valid = cells["Persistence", "T1078"]
        assert (valid.seen.events, valid.seen.alerts, valid.events, valid.seen.state) == (1, 1, 1, "seen")
        assert cells["Initial access", "T1078"].events == 0, "somebody said that it served persistence"
        (rdp,) = cells["Lateral movement", "T1021"].subs
        assert (rdp.technique.id, rdp.seen.events) == ("T1021.001", 1)
        assert (cells["Lateral movement", "T1021"].seen.state, cells["Credential access", "T1003"].seen.hits) == (
            "found",
            1,
        )
        assert [one.id for one in matrix.gaps] == ["T1078", "T1547.001"], "a hunt for T1021 looked for T1021.001, too"
        assert [(old, now.id) for old, now in matrix.moved] == [("T1060", "T1547.001")]
        assert matrix.unknown == ("T9999",)
        page = self.client.get(self.url("attack_matrix"))
        self.assertContains(page, "was given up; it is counted as")
        self.assertContains(page, attack.release().version)
        with at_most(17):
            self.client.get(self.url("attack_matrix") + "?all=1")

    def test_the_graph_ties_what_an_event_names_by_what_its_table_says(self) -> None:
        findings.add_event(
            case=self.case, actor=self.bob, at=AT, title="Again", source="DeviceLogonEvents",
            assets=[self.device, self.account],
        )  # fmt: skip
        made = entitygraph.graph(self.case, Filter())
        names = {one.id: one.label for one in made.nodes}
        ties = {(names[e.source], names[e.target], e.kind): e.count for e in made.edges}
        assert ties == {
            ("ann@example.com", "ws-07", "logged on"): 1, ("ann@example.com", "ws-07", "alert"): 1,
            ("ann@example.com", "203.0.113.7", "alert"): 1, ("ws-07", "203.0.113.7", "alert"): 1,
        }  # fmt: skip
        assert {one.degree for one in made.nodes} == {2}
        only = entitygraph.graph(self.case, Filter(), ["asset:device"])
        assert [one.label for one in only.nodes] == ["ws-07"] and only.edges == ()
        self.assertContains(self.client.get(self.url("graph")), "logged on")
        data = self.client.get(self.url("graph_data")).json()
        assert {node["url"] for node in data["nodes"]} >= {self.url("asset", self.device.uuid)}
        with at_most(18):
            self.client.get(self.url("graph"))

    def test_a_graph_of_many_keeps_the_best_tied(self) -> None:
        many = [
            findings.add_indicator(case=self.case, actor=self.bob, kind="ip", value=f"198.51.100.{n}")[0]
            for n in range(6)
        ]
        for one in many:
            findings.add_event(
                case=self.case, actor=self.bob, at=AT, title="Met", assets=[self.device], indicators=[one]
            )
        with mock.patch.object(entitygraph, "MOST_NODES", 4):
            made = entitygraph.graph(self.case, Filter())
        assert (made.nodes[0].label, len(made.nodes), made.left_out) == ("ws-07", 4, 5)

    def test_an_administrator_brings_newer_attack_data_and_takes_it_back(self) -> None:
        self.sign_in(self.ada)
        address, before = reverse("ircase:attack_data"), attack.release().version
        with tempfile.TemporaryDirectory() as folder, override_settings(ATTACK_DIR=Path(folder)):
            for data, version in ((bundle(), "v99.1"), (b"{}", "v99.1")):
                self.client.post(address, {"file": SimpleUploadedFile("enterprise-attack.json", data)})
                row = AttackRelease.objects.order_by("-pk")[0]
                tasks.load_attack(row.pk)
                assert attack.release().version == version
            row.refresh_from_db()
            assert row.state == "failed" and "0 techniques" in row.reason
            self.assertContains(self.client.get(address), "v99.1")
            first = AttackRelease.objects.get(state="done")
            self.client.post(reverse("ircase:attack_withdraw", args=[first.uuid]))
            assert attack.release().version == before
        actions = set(LogEntry.objects.filter(chain="site").values_list("action", flat=True))
        assert {"attack.brought", "attack.used", "attack.withdrawn"} <= actions

    def test_the_page_costs_no_more_queries_with_more_events(self) -> None:
        for number in range(20):
            findings.add_event(
                case=self.case, actor=self.bob, at=AT + timedelta(minutes=number), title=f"E{number}",
                techniques=[Use("T1059")], assets=[self.device], indicators=[self.address], tags=["a"],
            )  # fmt: skip
        with at_most(17):
            self.client.get(self.url())
