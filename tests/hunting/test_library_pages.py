"""The library in the browser without script: saved from a query, edited, compared, approved; and what it costs."""

import re
from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from hunting import catalogue, shelf
from hunting.binding import attach
from hunting.importing import fingerprint
from hunting.models import HuntRun, HuntVersion, SavedHunt, Source
from hunting.services import library, runs
from ircase.models import CaseRole, JobState
from ircase.services import cases
from tests.cast import CastTestCase
from tests.hunting.stage import make_table, queue_kql, work
from tests.hunting.test_library import TEXT, content

LET = 'let Host = "ws-07.contoso.com";\nDeviceProcessEvents\n| where DeviceName == Host\n| project Timestamp, FileName'


class PageTestCase(CastTestCase):
    def setUp(self) -> None:
        self.sign_in(self.bob)

    def save(self, slug: str = "ours", **more: Any) -> HuntVersion:
        return library.save_hunt(actor=self.bob, slug=slug, content=content(**more))

    def page(self, name: str, *args: Any, **query: Any) -> HttpResponse:
        return self.client.get(reverse(f"hunting:{name}", args=args), query)

    def send(self, name: str, *args: Any, data: dict[str, Any] | None = None) -> HttpResponse:
        return self.client.post(reverse(f"hunting:{name}", args=args), data or {})

    def fields(self, page: HttpResponse, **more: Any) -> dict[str, Any]:
        """What a browser would send of the form as it stands, with `more` instead."""
        form, rows = page.context["form"], page.context["rows"]
        sent: dict[str, Any] = {}
        for one in (rows.management_form, form, *rows):
            for field in one:
                value = field.value()
                if value is not None and value is not False and value != "":
                    sent[field.html_name] = "on" if value is True else value
        # Browsers send line ends as CR LF.
        sent["kql"] = sent.get("kql", "").replace("\n", "\r\n")
        return sent | more

    def errors(self, page: HttpResponse) -> dict[str, Any]:
        found: dict[str, Any] = page.context["form"].errors
        return found


class SaveAsHuntTests(PageTestCase):
    def test_own_kql_carries_its_text_over_and_nothing_is_written_yet(self) -> None:
        offer = self.client.get(reverse("hunting:own_kql", args=[self.case.reference]))
        self.assertContains(offer, f'formaction="{reverse("hunting:hunt_new")}"')
        carried = {"action": "begin", "kql": LET.replace("\n", "\r\n"), "title": "T", "source": "case"}
        page = self.send("hunt_new", data=carried)
        form = page.context["form"]
        assert (form["kql"].value(), form["title"].value(), form["source"].value()) == (LET, "T", "case")
        assert form["time_column"].value() == "Timestamp"
        self.assertContains(page, "let Host = ")
        assert not SavedHunt.objects.exists()

    def test_a_found_constant_becomes_a_parameter(self) -> None:
        page = self.send("hunt_new", data={"action": "begin", "kql": LET, "title": "On one host"})
        (offer, _) = page.context["rows"]
        assert not offer["keep"].value()
        saved = self.send("hunt_new", data=self.fields(page, **{"p-0-keep": "on", "entity": "device"}))
        self.assertRedirects(saved, reverse("hunting:hunt", args=["on-one-host"]))
        hunt = shelf.hunts()["on-one-host"]
        assert hunt.kql == LET.split("\n", 1)[1], "the let of the parameter's own name is gone, the rest as it was"
        (parameter,) = hunt.parameters
        assert (parameter.name, str(parameter.kind), parameter.default) == ("Host", "device_name", "ws-07.contoso.com")

    def test_a_constant_under_another_name_stays_a_let(self) -> None:
        page = self.send("hunt_new", data={"action": "begin", "kql": LET, "title": "T2"})
        row = {"p-0-keep": "on", "p-0-name": "TargetDevice"}
        self.send("hunt_new", data=self.fields(page, entity="device", **row))
        assert shelf.hunts()["t2"].kql.startswith("let Host = TargetDevice;\nDeviceProcessEvents")

    def test_what_nobody_ticked_stays_in_the_text(self) -> None:
        page = self.send("hunt_new", data={"action": "begin", "kql": LET, "title": "T3"})
        self.send("hunt_new", data=self.fields(page, entity="device"))
        hunt = shelf.hunts()["t3"]
        assert (hunt.kql, hunt.parameters) == (LET, ())

    def test_a_parameter_may_be_named_by_hand(self) -> None:
        page = self.send("hunt_new", data={"action": "begin", "kql": TEXT, "title": "By hand"})
        row = {"p-0-name": "TargetDevice", "p-0-type": "device_name", "p-0-fill": "asset.device.name"}
        row["p-0-required"] = "on"
        self.send("hunt_new", data=self.fields(page, entity="device", **row))
        (parameter,) = shelf.hunts()["by-hand"].parameters
        assert (parameter.required, parameter.fill) == (True, "asset.device.name")

    def test_a_check_writes_nothing_and_says_what_it_reads(self) -> None:
        page = self.send("hunt_new", data={"action": "begin", "kql": LET, "title": "To check"})
        checked = self.send("hunt_new", data=self.fields(page, action="check", entity="device", **{"p-0-keep": "on"}))
        self.assertContains(checked, "It reads DeviceProcessEvents.")
        assert checked.context["form"]["kql"].value() == LET.split("\n", 1)[1]
        assert [row["name"].value() for row in checked.context["rows"]] == ["Host", None]
        assert not SavedHunt.objects.exists()

    def test_broken_kql_is_said_with_its_place_and_kept(self) -> None:
        broken = "DeviceEvents\n| where (((\n"
        rows = {"p-TOTAL_FORMS": 0, "p-INITIAL_FORMS": 0}
        sent = {"title": "Broken", "kql": broken, "entity": "device", "sources": ["defender"], **rows}
        page = self.send("hunt_new", data=sent)
        assert page.status_code == 422
        assert re.match(r"Line \d+, column \d+: ", self.errors(page)["kql"][0])
        self.assertContains(page, "| where (((", status_code=422)
        self.assertContains(page, "Save it although", status_code=422)
        self.send("hunt_new", data=sent | {"accept": "on"})
        assert shelf.hunts()["broken"].kql == broken

    def test_a_run_of_own_kql_and_a_copy(self) -> None:
        make_table(self.case, self.alice, "DeviceProcessEvents", [{"Timestamp": "2026-11-20T17:00:00Z"}])
        run = work(queue_kql(self.case, self.bob, LET))
        shown = self.client.get(reverse("hunting:run", args=[self.case.reference, run.uuid]))
        address = f"{reverse('hunting:hunt_new')}?case={self.case.reference}&amp;run={run.uuid}"
        self.assertContains(shown, address)
        page = self.page("hunt_new", case=self.case.reference, run=run.uuid)
        assert page.context["form"]["kql"].value() == LET
        copied = self.page("hunt_new", copy="device-logons")
        self.send("hunt_new", data=self.fields(copied))
        one = catalogue.hunts()["device-logons"]
        (two,) = (hunt for hunt in shelf.hunts().values() if hunt.saved)
        assert fingerprint(one.kql, one.parameters) == fingerprint(two.kql, two.parameters)
        assert (one.kql, one.meaning, one.references) == (two.kql, two.meaning, two.references)
        assert (one.techniques, one.false_positives) == (two.techniques, two.false_positives)

    def test_a_run_of_a_case_that_i_may_not_see_is_not_there(self) -> None:
        secret = queue_kql(self.secret_case, self.alice, LET)
        assert self.page("hunt_new", case=self.secret_case.reference, run=secret.uuid).status_code == 404
        assert self.page("hunt_new", case=self.case.reference, run=secret.uuid).status_code == 404

    def test_the_same_question_is_named(self) -> None:
        self.save()
        page = self.page("hunt_new", copy="ours")
        page = self.client.post(reverse("hunting:hunt_new"), self.fields(page), follow=True)
        self.assertContains(page, "asks the same")


class EditTests(PageTestCase):
    def test_an_untouched_form_changes_nothing(self) -> None:
        text = "\n  " + TEXT + "  \r\n| take 3\n\n"
        parameters = [{"name": "TargetDevice", "type": "device_name", "default": ""}]
        self.save(kql=text, parameters=parameters, meaning="a\nb", false_positives=["x", "y"], techniques=["T1059"])
        page = self.page("hunt_edit", "ours")
        sent = self.send("hunt_edit", "ours", data=self.fields(page))
        self.assertRedirects(sent, reverse("hunting:hunt", args=["ours"]))
        (only,) = HuntVersion.objects.all()
        assert only.content["kql"] == text

    def test_an_edit_is_a_new_version_with_its_sentence(self) -> None:
        self.save()
        page = self.page("hunt_edit", "ours")
        self.send("hunt_edit", "ours", data=self.fields(page, title="Better", change="A better name"))
        newest = HuntVersion.objects.first()
        assert newest is not None
        assert (newest.number, newest.change, newest.content["title"]) == (2, "A better name", "Better")
        assert newest.content["kql"] == TEXT

    def test_who_was_slower_sees_what_differs_and_keeps_the_text(self) -> None:
        self.save()
        mine = self.fields(self.page("hunt_edit", "ours"), title="Mine", kql=TEXT + "\n| take 7")
        library.save_hunt(actor=self.alice, slug="ours", content=content(title="Theirs"), edited_from=1)
        page = self.send("hunt_edit", "ours", data=mine)
        assert page.status_code == 409
        self.assertContains(page, "Alice saved version 2", status_code=409)
        self.assertContains(page, "| take 7", status_code=409)
        assert [one["key"] for one in page.context["fields"]] == ["title", "kql"]
        self.send("hunt_edit", "ours", data=self.fields(page))
        assert [v.content["title"] for v in HuntVersion.objects.all()] == ["Mine", "Theirs", "Ours"]

    def test_wrong_input_is_said_where_it_stands(self) -> None:
        self.save()
        page = self.page("hunt_edit", "ours")
        wrong = {"techniques": "T1, X", "references": "http://x", "sources": []}
        back = self.send("hunt_edit", "ours", data=self.fields(page, **wrong))
        assert set(self.errors(back)) == {"techniques", "references", "sources"}
        row = self.send("hunt_edit", "ours", data=self.fields(page, **{"p-0-default": "not a device!"}))
        assert row.status_code == 422
        assert "default" in row.context["rows"].forms[0].errors
        assert HuntVersion.objects.count() == 1

    def test_an_old_version_comes_back_as_a_new_one(self) -> None:
        self.save()
        library.save_hunt(actor=self.alice, slug="ours", content=content(title="Worse"), edited_from=1)
        self.assertContains(self.page("hunt_version", "ours", 1), "Make it the newest again")
        self.send("version_restore", "ours", 1)
        assert [v.content["title"] for v in HuntVersion.objects.all()] == ["Ours", "Worse", "Ours"]


class HuntPageTests(PageTestCase):
    def test_two_versions_side_by_side(self) -> None:
        self.save(false_positives=["<b>admins</b>"])
        second = content(kql=TEXT.replace("FileName", "SHA256"), false_positives=["<i>nobody</i>"])
        library.save_hunt(actor=self.alice, slug="ours", content=second, edited_from=1)
        page = self.page("hunt_compare", "ours")
        self.assertContains(page, "<del>FileName</del>", html=True)
        self.assertContains(page, "<ins>SHA256</ins>", html=True)
        self.assertContains(page, "&lt;")
        self.assertNotContains(page, "<b>admins")
        assert [one["key"] for one in page.context["fields"]] == ["false_positives", "kql"]
        same = self.page("hunt_compare", "ours", before=2, after=2)
        self.assertContains(same, "Nothing differs")
        assert self.page("hunt_compare", "device-logons").status_code == 404
        assert self.page("hunt_compare", "ours", before="x" * 50, after="²").status_code == 200

    def test_approve_and_retire_are_offered_to_whom_they_are(self) -> None:
        self.save()
        self.assertNotContains(self.page("hunt", "ours"), "Approve version")
        self.sign_in(self.alice)
        self.assertContains(self.page("hunt", "ours"), "Approve version 1")
        self.send("hunt_approve", "ours", data={"version": "1"})
        self.assertContains(self.page("hunt", "ours"), "was approved by Alice")
        self.send("hunt_retire", "ours", data={"reason": "noise"})
        retired = self.page("hunt", "ours")
        self.assertContains(retired, "This hunt is retired")
        self.assertNotContains(retired, "Run it in a case")
        self.assertNotContains(self.page("library"), "/hunts/ours/")
        self.assertContains(self.page("library", review="retired"), "/hunts/ours/")
        attach = self.client.get(reverse("hunting:attach", args=[self.case.reference, "ours"]))
        self.assertRedirects(attach, reverse("hunting:hunt", args=["ours"]))
        self.send("hunt_restore", "ours")
        self.assertContains(self.page("library"), "/hunts/ours/")
        self.sign_in(self.carol)
        self.assertNotContains(self.page("hunt", "ours"), "Edit</a>")

    def test_the_hit_rate_counts_what_the_viewer_may_see(self) -> None:
        self.save(kql="DeviceProcessEvents | take 5", parameters=[])
        cases.set_member(case=self.secret_case, actor=self.alice, user=self.alice, role=CaseRole.LEAD)
        make_table(self.case, self.alice, "DeviceProcessEvents", [{"Timestamp": "2026-11-20T17:00:00Z"}])
        hit, other, failed, secret = (
            queue_hunt_ours(case, by) for case, by in
            ((self.case, self.bob), (self.case, self.alice), (self.case, self.bob), (self.secret_case, self.alice))
        )  # fmt: skip
        work(hit)
        work(other)
        HuntRun.objects.filter(pk=other.pk).update(row_count=0)
        HuntRun.objects.filter(pk=failed.pk).update(state=JobState.FAILED)
        for who, count, people, of in ((self.bob, 3, 2, 1), (self.alice, 4, 2, 2)):
            self.sign_in(who)
            usage = self.page("hunt", "ours").context["usage"]
            assert (usage.runs, usage.people, usage.cases) == (count, people, of)
            assert (usage.done, usage.hits, usage.rate) == (2, 1, 50)
            (row,) = [r for r in self.page("library", origin="-").context["rows"] if r["hunt"].id == "ours"]
            assert row["usage"] == usage
        self.sign_in(self.mallory)
        assert self.page("hunt", "ours").context["usage"].runs == 0
        assert secret.case == self.secret_case

    def test_a_run_names_its_version_when_there_is_a_newer_one(self) -> None:
        self.save(kql="DeviceProcessEvents | take 5", parameters=[])
        run = queue_hunt_ours(self.case, self.bob)
        page = self.client.get(reverse("hunting:run", args=[self.case.reference, run.uuid]))
        self.assertContains(page, reverse("hunting:hunt_version", args=["ours", 1]))
        self.assertContains(page, "Draft hunt")
        self.assertNotContains(page, "has a newer version")
        library.save_hunt(actor=self.bob, slug="ours", content=content(title="Later"), edited_from=1)
        page = self.client.get(reverse("hunting:run", args=[self.case.reference, run.uuid]))
        self.assertContains(page, "has a newer version")
        self.assertContains(page, reverse("hunting:hunt_compare", args=["ours"]))

    def test_the_library_asks_the_same_number_of_times_for_one_hunt_and_for_thirty(self) -> None:
        self.save(slug="first")
        self.page("library")
        with CaptureQueriesContext(connection) as few:
            self.page("library")
        for number in range(30):
            self.save(slug=f"ours-{number}", title=f"Ours {number}")
        self.page("library")
        with CaptureQueriesContext(connection) as many:
            self.page("library")
        assert len(many) == len(few)

    def test_filters(self) -> None:
        self.save(techniques=["T1547.001"], title="Persistence of ours")
        library.save_hunt(actor=self.bob, slug="theirs", content=content(title="Theirs"), origin={"source": "repo"})
        for query, expected in (
            ({"review": "draft"}, {"ours", "theirs"}), ({"origin": "-"}, {"ours"}), ({"origin": "repo"}, {"theirs"}),
            ({"review": "draft", "technique": "T1547"}, {"ours"}), ({"q": "persistence OURS"}, {"ours"}),
            ({"review": "approved"}, set()), ({"review": "shipped", "entity": "file"}, {"file-activity"}),
        ):  # fmt: skip
            found = {row["hunt"].id for row in self.page("library", **query).context["rows"]}
            assert found == expected, query

    def test_the_editor_offers_saved_hunts_and_reads_the_text(self) -> None:
        self.save(slug="4-ours")
        schema = self.page("library_schema", source="defender").json()
        (ours,) = [hunt for hunt in schema["hunts"] if hunt["name"] == "hunt_4_ours"]
        assert ours["arguments"] == [["TargetDevice", '""']]
        of_case = self.client.get(reverse("hunting:schema", args=[self.case.reference]), {"source": "defender"}).json()
        assert ours in of_case["hunts"]
        (finding,) = self.send("library_check", data={"kql": "T\n| where ((", "source": "case"}).json()["findings"]
        assert finding["line"] == 2
        assert self.send("library_check", data={"kql": "T | where X == TargetDevice"}).json()["findings"] == []


def queue_hunt_ours(case: Any, actor: Any) -> HuntRun:
    hunt = shelf.hunt("ours")
    assert hunt is not None
    return runs.queue_run(case=case, actor=actor, frozen=attach(hunt=hunt, given={}), source=Source.CASE)
