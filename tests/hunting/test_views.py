"""The pages: the tab, setting up, a run and its rows, the library; and who may see and do what."""

from unittest import mock

from django.http import QueryDict
from django.urls import reverse

from hunting import shelf
from hunting.forms import running
from hunting.models import HuntRun, Source
from hunting.services import runs
from ircase.models import Asset, Connection, CustodyEntry, Event, Indicator
from ircase.services.analysis import findings
from ircase.services.writing import comments
from tests.cast import CastTestCase
from tests.hunting.stage import done_run, make_table, queue_hunt, queue_kql, work

ROWS = [
    {"Timestamp": f"2026-11-20T17:00:{second:02}Z", "DeviceName": "ws01.contoso.com", "FileName": f"tool{second}.exe",
     "AccountName": "bob", "ActionType": "ProcessCreated", "SHA256": "ab" * 32,
     "ProcessCommandLine": "<script>alert(1)</script>"}
    for second in range(12)
]  # fmt: skip


class PageTestCase(CastTestCase):
    def setUp(self) -> None:
        self.sign_in(self.bob)

    def url(self, name: str, *args: object) -> str:
        return reverse(f"hunting:{name}", args=[self.case.reference, *args])

    def done_run(self) -> HuntRun:
        return done_run(self.case, self.bob, ROWS)


class PanelTests(PageTestCase):
    def test_an_empty_tab_says_what_to_do_next(self) -> None:
        page = self.client.get(self.url("panel"))
        self.assertContains(page, "No hunts have run yet")
        self.assertContains(page, "Run device triage")
        self.assertContains(page, 'id="registry-run-keys"')
        self.assertNotContains(page, "every 2s")

    def test_a_pack_is_three_clicks_away(self) -> None:
        findings.add_asset(case=self.case, actor=self.bob, kind="device", name="ws01.contoso.com")
        page = self.client.get(self.url("panel"))
        self.assertContains(page, 'value="ws01.contoso.com"')
        answer = self.client.post(
            self.url("run_pack", "device-triage"),
            {
                "device-triage-subject": "WS01.contoso.com",
                "device-triage-source": "defender",
                "device-triage-span": "24h",
            },
        )
        self.assertRedirects(answer, self.url("panel"))
        runs = HuntRun.objects.for_case(self.case)
        assert runs.count() == 13
        assert {run.parameters["SearchWindow"] for run in runs} == {"24h"}
        assert {run.parameters["TargetDevice"] for run in runs} == {"ws01.contoso.com"}
        self.assertContains(self.client.get(self.url("panel")), "every 2s")

    def test_a_device_past_those_offered_is_the_runs_all_the_same(self) -> None:
        for number in (1, 2):
            findings.add_asset(case=self.case, actor=self.bob, kind="device", name=f"ws0{number}.contoso.com")
        pack = shelf.packs()["device-triage"]
        with mock.patch("hunting.forms.running.KNOWN", 1):
            known = running.offered(self.case, [pack])
        assert known == {"device": ["ws01.contoso.com"]}
        asked = QueryDict("device-triage-subject=WS02.contoso.com&device-triage-source=defender")
        form = running.PackForm(asked, pack=pack, case=self.case, sources=runs.sources_of(self.case), known=known)
        assert form.is_valid() and form.asset is not None and form.asset.name == "ws02.contoso.com"

    def test_a_wrong_subject_queues_nothing_and_says_why(self) -> None:
        answer = self.client.post(
            self.url("run_pack", "device-triage"),
            {"device-triage-subject": 'ws"; drop', "device-triage-source": "defender"},
        )
        self.assertContains(answer, "A device name is a DNS name", status_code=422)
        assert not HuntRun.objects.exists()

    def test_a_case_without_tenant_offers_its_own_tables(self) -> None:
        self.case.connection = None
        self.case.save(update_fields=["connection"])
        self.assertContains(self.client.get(self.url("attach", "registry-run-keys")), "own tables")

    def test_the_list_polls_only_while_something_runs(self) -> None:
        run = queue_kql(self.case, self.bob, "print 1")
        self.assertContains(self.client.get(self.url("run_list")), "every 2s")
        HuntRun.objects.filter(pk=run.pk).update(state="cancelled")
        self.assertNotContains(self.client.get(self.url("run_list")), "every 2s")

    def test_the_tab_takes_few_queries_however_many_runs(self) -> None:
        for _ in range(5):
            queue_kql(self.case, self.bob, "print 1")
        self.client.get(self.url("run_list"))
        with self.assertNumQueries(6):
            self.client.get(self.url("run_list"), headers={"HX-Request": "true"})

    def test_the_list_says_how_many_comments_a_run_has(self) -> None:
        run = queue_kql(self.case, self.bob, "print 1")
        there = reverse("ircase:comments", args=[self.case.reference, "run", run.uuid])
        self.assertNotContains(self.client.get(self.url("run_list")), there)
        comments.write(case=self.case, actor=self.bob, kind="run", subject=str(run.uuid), body="Is this wide enough?")
        self.assertContains(self.client.get(self.url("run_list")), f'href="{there}" title="1 comment"')


class AttachTests(PageTestCase):
    def test_the_final_kql_is_shown_before_it_runs(self) -> None:
        findings.add_asset(case=self.case, actor=self.bob, kind="device", name="ws01.contoso.com")
        page = self.client.get(self.url("attach", "device-logons"))
        self.assertContains(page, "let TargetDevice = &quot;ws01.contoso.com&quot;;")

    def test_preview_runs_nothing_and_run_redirects_to_the_run(self) -> None:
        form = {"source": "case", "TargetDevice": "ws01", "SearchWindow": "7d", "AsOf": "2026-11-20 18:00"}
        page = self.client.post(self.url("attach", "device-logons"), {**form, "action": "preview"})
        self.assertContains(page, "let AsOf = datetime(2026-11-20T18:00:00.0000000Z);")
        self.assertContains(page, "none of this hunt")
        assert not HuntRun.objects.exists()
        answer = self.client.post(self.url("attach", "device-logons"), {**form, "action": "run"})
        run = HuntRun.objects.get()
        self.assertRedirects(answer, self.url("run", run.uuid))
        assert run.window_end.isoformat() == "2026-11-20T18:00:00+00:00"

    def test_a_time_is_read_in_the_persons_zone(self) -> None:
        self.bob.time_zone = "Europe/Copenhagen"
        self.bob.save(update_fields=["time_zone"])
        form = {"source": "case", "TargetDevice": "ws01", "SearchWindow": "7d", "AsOf": "2026-11-20 18:00"}
        page = self.client.post(self.url("attach", "device-logons"), {**form, "action": "preview"})
        self.assertContains(page, "datetime(2026-11-20T17:00:00.0000000Z)")

    def test_a_value_that_does_not_fit_is_said_at_its_field(self) -> None:
        page = self.client.post(
            self.url("attach", "device-logons"), {"source": "case", "TargetDevice": "a b", "SearchWindow": "soon"}
        )
        self.assertContains(page, "A device name is a DNS name", status_code=422)
        self.assertContains(page, "A time span is written", status_code=422)

    def test_an_earlier_run_fills_the_form(self) -> None:
        run = queue_hunt(self.case, self.bob, "device-logons", TargetDevice="dc01", SearchWindow="3d")
        page = self.client.get(self.url("attach", "device-logons") + f"?from={run.uuid}")
        self.assertContains(page, 'value="dc01"')
        self.assertContains(page, 'value="3d"')

    def test_own_kql_is_checked_on_the_case_before_it_runs(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        form = {"source": "case", "span": "7d", "as_of": "now", "kql": "DeviceProcessEvents\n| where Nope == 1"}
        page = self.client.post(self.url("own_kql"), form)
        self.assertContains(page, "Line 2", status_code=422)
        assert not HuntRun.objects.exists()
        page = self.client.post(
            self.url("own_kql"), {**form, "kql": "DeviceProcessEvents | count", "action": "preview"}
        )
        self.assertContains(page, "Ready to run")
        answer = self.client.post(self.url("own_kql"), {**form, "kql": "DeviceProcessEvents | count"})
        self.assertRedirects(answer, self.url("run", HuntRun.objects.get().uuid))

    def test_a_switched_off_connection_is_not_offered(self) -> None:
        Connection.objects.update(enabled=False)
        page = self.client.get(self.url("own_kql"))
        self.assertContains(page, "is switched off")
        self.assertNotContains(page, 'value="defender"')


class RunPageTests(PageTestCase):
    def test_a_waiting_run_shows_its_place_and_polls(self) -> None:
        run = queue_kql(self.case, self.bob, "print 1")
        HuntRun.objects.filter(pk=run.pk).update(progress={"phase": "waiting", "place": 3, "eta": 20})
        for page in (self.client.get(self.url("run", run.uuid)), self.client.get(self.url("run_state", run.uuid))):
            self.assertContains(page, "Place 3 in the tenant")
            self.assertContains(page, "every 2s")
            self.assertContains(page, "Cancel the run")
        assert not CustodyEntry.objects.exists()

    def test_a_done_run_shows_rows_query_manifest_and_writes_custody_once(self) -> None:
        run = self.done_run()
        for _ in range(2):
            page = self.client.get(self.url("run", run.uuid))
        self.assertContains(page, "tool11.exe")
        self.assertContains(page, "&lt;script&gt;alert(1)")
        self.assertNotContains(page, "<script>alert(1)")
        self.assertContains(page, run.kql_sha256)
        self.assertNotContains(page, "every 2s")
        assert run.evidence is not None
        assert [c.action for c in run.evidence.custody.all()] == ["sealed", "viewed"]

    def test_sorting_and_conditions_answer_with_the_grid_alone(self) -> None:
        run = self.done_run()
        address = self.url("run", run.uuid)
        part = self.client.get(
            f"{address}?sort=-FileName&c=FileName&o=contains&v=tool1",
            headers={"HX-Request": "true", "HX-Target": "rows"},
        )
        self.assertTemplateUsed(part, "hunting/_grid.html")
        self.assertTemplateNotUsed(part, "hunting/run.html")
        text = part.content.decode()
        assert text.index("tool11.exe") < text.index("tool10.exe") < text.index("tool1.exe")
        assert "tool2.exe" not in text
        self.assertContains(self.client.get(f"{address}?sort=nope"), "There is no column")
        self.assertContains(self.client.get(f"{address}?c=FileName&o=contains&v=zzz"), "No row passes")

    def test_a_failed_run_says_why_and_may_be_repeated(self) -> None:
        run = work(queue_kql(self.case, self.bob, "NoSuchTable | take 1"))
        page = self.client.get(self.url("run", run.uuid))
        self.assertContains(page, "The run failed")
        answer = self.client.post(self.url("run_retry", run.uuid))
        again = HuntRun.objects.exclude(pk=run.pk).get()
        assert again.retry_of_id == run.pk
        self.assertRedirects(answer, self.url("run", again.uuid))

    def test_cancel_and_conclude(self) -> None:
        run = queue_kql(self.case, self.bob, "print 1")
        self.client.post(self.url("run_cancel", run.uuid))
        run.refresh_from_db()
        assert (run.state, run.reason) == ("cancelled", "Cancelled by Bob")
        done = self.done_run()
        self.client.post(self.url("run_conclude", done.uuid), {"verdict": "confirmed", "sentence": "Bob ran tools."})
        done.activity.refresh_from_db()
        assert (done.activity.verdict, done.activity.sentence) == ("confirmed", "Bob ran tools.")
        self.assertContains(self.client.get(self.url("run", done.uuid)), "Bob ran tools.")

    def test_a_truncated_result_says_so(self) -> None:
        run = self.done_run()
        HuntRun.objects.filter(pk=run.pk).update(truncated=True, truncated_by="rows")
        self.assertContains(self.client.get(self.url("run", run.uuid)), "TRUNCATED")

    def test_the_query_opens_in_the_portal(self) -> None:
        run = queue_kql(self.case, self.bob, "print 1", source=Source.DEFENDER)
        self.assertContains(
            self.client.get(self.url("run", run.uuid)), "https://security.microsoft.com/v2/advanced-hunting?query="
        )


class RowTests(PageTestCase):
    def test_a_row_becomes_an_event_an_asset_and_an_indicator_with_the_way_back(self) -> None:
        run = self.done_run()
        address = self.url("run_row", run.uuid, 3)
        page = self.client.get(address)
        self.assertContains(page, "tool2.exe")
        self.client.post(
            address,
            {
                "add": "timeline",
                "at": "2026-11-20T17:00:02",
                "title": "A tool ran",
                "technique": "T1059",
                "lane": "attacker",
            },
        )
        self.client.post(address, {"add": "asset", "kind": "device", "name": "ws01.contoso.com"})
        self.client.post(address, {"add": "indicator", "kind": "sha256", "value": "ab" * 32})
        event, asset, indicator = Event.objects.get(), Asset.objects.get(), Indicator.objects.get()
        for finding in (event, asset, indicator):
            assert finding.provenance["run"] == str(run.uuid)
            assert finding.provenance["row"] == 3
        assert event.row["FileName"] == "tool2.exe"
        assert indicator.first_seen is not None
        page = self.client.get(address)
        self.assertContains(page, "Taken into the case already")
        self.assertContains(page, "Event: A tool ran")

    def test_htmx_gets_the_row_again_and_errors_as_422(self) -> None:
        run = self.done_run()
        address = self.url("run_row", run.uuid, 1)
        good = self.client.post(
            address, {"add": "asset", "kind": "device", "name": "ws01"}, headers={"HX-Request": "true"}
        )
        self.assertContains(good, "ws01 is now an asset of the case.")
        bad = self.client.post(
            address, {"add": "indicator", "kind": "sha1", "value": "xyz"}, headers={"HX-Request": "true"}
        )
        self.assertContains(bad, "40 hexadecimal digits", status_code=422)

    def test_a_row_that_is_not_there(self) -> None:
        run = self.done_run()
        for number in (0, 13, 10**12):
            assert self.client.get(self.url("run_row", run.uuid, number)).status_code == 404
        assert self.client.post(self.url("run_row", run.uuid, 1), {"add": "nothing"}).status_code == 404

    def test_csv_is_formula_safe_filtered_and_known_to_custody(self) -> None:
        cells = [("=HYPERLINK(1)", "a,b"), ("-5", "+cmd"), ("x", "@x")]
        run = done_run(self.case, self.bob, [{"DeviceName": name, "ActionType": action} for name, action in cells])
        assert run.table is not None
        address = reverse("ircase:table_export", args=[self.case.reference, run.table.uuid])
        answer = self.client.get(address + "?c=DeviceName&o=not&v=x")
        assert b"".join(answer) == b"\xef\xbb\xbfDeviceName,ActionType\r\n'=HYPERLINK(1),\"a,b\"\r\n-5,'+cmd\r\n"
        assert answer["Content-Disposition"].startswith("attachment")
        assert run.evidence is not None
        assert [c.action for c in run.evidence.custody.all()] == ["sealed", "exported"]

    def test_rows_alone(self) -> None:
        run = self.done_run()
        self.assertContains(self.client.get(self.url("run_rows", run.uuid)), "tool11.exe")
        waiting = queue_kql(self.case, self.bob, "print 1")
        assert self.client.get(self.url("run_rows", waiting.uuid)).status_code == 404


class LibraryTests(PageTestCase):
    def test_the_library_is_searched_by_word_entity_and_technique(self) -> None:
        page = self.client.get(reverse("hunting:library"))
        self.assertContains(page, "Run and RunOnce keys")
        self.assertContains(page, "16 of 16")
        page = self.client.get(reverse("hunting:library") + "?technique=T1547")
        self.assertContains(page, "1 of 16")
        self.assertContains(self.client.get(reverse("hunting:library") + "?q=zzzz"), "No hunt matches")

    def test_every_hunt_has_a_page_with_its_text(self) -> None:
        page = self.client.get(reverse("hunting:hunt", args=["registry-run-keys"]))
        self.assertContains(page, "CurrentVersion")
        self.assertContains(page, self.case.reference)
        assert self.client.get(reverse("hunting:hunt", args=["nope"])).status_code == 404


class AccessTests(PageTestCase):
    def every_address(self) -> tuple[dict[str, str], dict[str, str]]:
        run = self.done_run()
        reads = {name: self.url(name) for name in ("panel", "run_list")}
        reads |= {name: self.url(name, run.uuid) for name in ("run", "run_state", "run_rows", "compare")}
        reads["run_row"] = self.url("run_row", run.uuid, 1)
        writes = {"run_pack": self.url("run_pack", "device-triage"), "own_kql": self.url("own_kql")}
        writes |= {"attach": self.url("attach", "device-logons"), "row": self.url("run_row", run.uuid, 1)}
        writes |= {name: self.url(name, run.uuid) for name in ("run_cancel", "run_retry", "run_conclude")}
        return reads, writes

    def test_an_outsider_gets_404_everywhere(self) -> None:
        reads, writes = self.every_address()
        for person in (self.mallory, self.ada):
            self.sign_in(person)
            assert {name: self.client.get(url).status_code for name, url in reads.items()} == dict.fromkeys(reads, 404)
            assert {name: self.client.post(url).status_code for name, url in writes.items()} == dict.fromkeys(
                writes, 404
            )

    def test_a_manager_reads_and_may_not_write(self) -> None:
        reads, writes = self.every_address()
        self.sign_in(self.carol)
        assert {name: self.client.get(url).status_code for name, url in reads.items()} == dict.fromkeys(reads, 200)
        assert {name: self.client.post(url).status_code for name, url in writes.items()} == dict.fromkeys(writes, 403)
        page = self.client.get(self.url("panel"))
        self.assertNotContains(page, "Run device triage")

    def test_a_run_is_found_only_below_its_own_case(self) -> None:
        run = self.done_run()
        self.sign_in(self.alice)
        other = reverse("hunting:run", args=[self.secret_case.reference, run.uuid])
        assert self.client.get(other).status_code == 404

    def test_strangers_sign_in_first(self) -> None:
        self.client.logout()
        for url in (self.url("panel"), reverse("hunting:library")):
            assert self.client.get(url).status_code == 302

    def test_a_closed_case_takes_no_runs(self) -> None:
        run = self.done_run()
        with mock.patch("ircase.models.Case.is_open", False):
            assert self.client.post(self.url("run_retry", run.uuid)).status_code == 403
            assert self.client.get(self.url("run", run.uuid)).status_code == 200
