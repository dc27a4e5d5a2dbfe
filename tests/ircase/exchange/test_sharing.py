"""Sharing a case: what may leave, who may let it, what is kept of it."""

import dataclasses
import hashlib
import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from ircase import tasks
from ircase.indicators import harmless
from ircase.models import Activity, Case, CaseShare, CustodyEntry, Event, EventTechnique, Indicator, LogEntry, Sighting
from ircase.redaction import Redaction
from ircase.services import activity, cases
from ircase.services.analysis import findings
from ircase.services.transfer import shareddata, sharing
from tests.cast import CastTestCase, make_evidence
from tests.world import make_table

ALL = tuple(part.value for part in CaseShare.Part)


def wish(tlp: str = "amber", pap: str = "amber", level: str = "full", parts: tuple[str, ...] = ALL) -> shareddata.Wish:
    return shareddata.Wish(Redaction.of(level, tlp=tlp), pap, parts, "Contoso CSIRT")


class SharingTestCase(CastTestCase):
    """A case with indicators of every fate, two events and two assets."""

    def setUp(self) -> None:
        add = self.add
        self.bad = add("ip", "203.0.113.7", verdict="malicious", tlp="green", pap="green")
        add("domain", "red.example", verdict="malicious", tlp="red")
        add("domain", "strict.example", verdict="malicious", pap="red")
        add("domain", "good.example", verdict="benign")
        add("domain", "open.example")
        add("domain", "ours.example", verdict="suspicious")
        add("url", "https://ws-07.corp.example/x", verdict="suspicious")
        harmless.add(actor=self.alice, match="suffix", value="ours.example", reason="Our own")
        self.host, _ = findings.add_asset(
            case=self.case, actor=self.alice, kind="device", name="ws-07.corp.example", compromise="confirmed"
        )
        findings.add_asset(case=self.case, actor=self.alice, kind="device", name="ws-08", compromise="clean")
        self.event = findings.add_event(
            case=self.case, actor=self.alice, at=timezone.now(), title="Run key on ws-07.corp.example",
            techniques=[findings.Use("T1547.001", "Persistence")], indicators=[self.bad], assets=[self.host],
            provenance={"evidence": "x", "exhibit": "E001", "row": 1},
        )  # fmt: skip
        hidden = findings.add_event(case=self.case, actor=self.alice, at=timezone.now(), title="Aside")
        findings.edit_event(event=hidden, actor=self.alice, in_report=False)

    def add(self, kind: str, value: str, **more: Any) -> Indicator:
        return findings.add_indicator(case=self.case, actor=self.alice, kind=kind, value=value, **more)[0]

    def seen(self) -> None:
        self.exhibit = make_evidence(self.case, self.alice, b'{"RemoteIP": "203.0.113.7"}')
        table = make_table(self.exhibit, [{"Timestamp": "2026-11-20T10:00:00Z", "DeviceName": "ws-07"}])
        Sighting.objects.create(indicator=self.bad, table=table, column="RemoteIP", operator="is", rows=5)
        Sighting.objects.create(indicator=self.bad, table=table, column="LocalIP", operator="is", rows=2)

    def share(self, kind: str = "stix", actor: Any = None, case: Case | None = None, **more: Any) -> CaseShare:
        actor = actor or self.alice
        case = case or Case.objects.visible_to(actor).get(pk=self.case.pk)
        made = sharing.request_share(
            case=case, actor=actor, kind=kind, wish=wish(**more), receiver="National CERT", purpose="Early warning"
        )
        tasks.share_case(made.pk)
        made.refresh_from_db()
        return made


class CollectTests(SharingTestCase):
    def collected(self, **more: Any) -> Any:
        return shareddata.collect(self.case, wish(**more))

    def reasons(self, data: Any) -> dict[str, str]:
        return {one.name: one.why for one in data.left_out}

    def test_each_indicator_leaves_or_is_named_with_its_reason(self) -> None:
        data = self.collected(parts=tuple(part for part in ALL if part != "unjudged"))
        assert [one.value for one in data.indicators] == ["203.0.113.7", "https://ws-07.corp.example/x"]
        assert self.reasons(data) == {
            "red.example": "it is TLP:RED",
            "strict.example": "it is PAP:RED",
            "good.example": "judged benign",
            "open.example": "nobody judged it yet",
            "ours.example": "known to be harmless: Our own",
            "ws-08": "found to be clean",
            "1 of them": "taken out of the report",
        }

    def test_above_the_ceiling_only_indicators_that_are_marked_lower_leave(self) -> None:
        data = self.collected(tlp="green")
        assert [one.value for one in data.indicators] == ["203.0.113.7"]
        assert (data.events, data.assets, data.techniques, data.case.title, data.case.summary) == ((), (), (), "", "")
        assert data.highest_tlp == "green" and data.indicators[0].sightings == ()
        assert self.reasons(data)["title and summary"] == "the case is TLP:AMBER"

    def test_a_mask_takes_names_out_of_words_and_keeps_back_what_names_them(self) -> None:
        data = self.collected(level="all")
        assert data.events[0].title == "Run key on host-01"
        assert [one.name for one in data.assets] == ["host-01"]
        assert self.reasons(data)["https://ws-07.corp.example/x"] == "it names what is masked"
        assert "ws-07" not in str(data.events) + str(data.assets) + str(data.indicators)

    def test_words_name_no_indicator_that_stays_and_no_half_of_a_masked_name(self) -> None:
        words = "x " * 2_492 + "red[.]example on ws-07.corp.example"
        cut = shareddata.LONGEST_WORDS - len("ws-07.corp.exa")
        findings.edit_event(event=self.event, actor=self.alice, title="Asked red.example", description=words)
        (event,) = self.collected(level="all").events
        assert event.title == "Asked [TLP:RED]"
        assert "red" not in event.words.lower().replace("[tlp:red]", "")
        findings.edit_event(event=self.event, actor=self.alice, description="x" * (cut - 1) + " ws-07.corp.example")
        (event,) = self.collected(level="all").events
        assert "ws-07" not in event.words

    def test_rows_of_one_table_are_counted_once(self) -> None:
        self.seen()
        data = self.collected()
        (one,) = [found for found in data.indicators if found.value == "203.0.113.7"]
        assert [sighting.rows for sighting in one.sightings] == [5]
        assert data.exhibits == (1,)

    def test_techniques_come_from_events_with_the_tactic_that_was_said(self) -> None:
        data = self.collected()
        assert [(use.technique, use.name, use.tactics) for use in data.techniques] == [
            ("T1547.001", "Registry Run Keys / Startup Folder", ("Persistence",))
        ]
        (one,) = [found for found in data.indicators if found.value == "203.0.113.7"]
        assert one.techniques == ("T1547.001",)

    def test_what_was_hunted_for_in_vain_goes_with_the_events_where_a_format_has_a_place_for_it(self) -> None:
        hidden = self.case.events.get(title="Aside")
        EventTechnique.objects.create(event=hidden, technique="T1110")
        for techniques, rows in (
            (["T1003", "T1547.001", "T1110"], 0), (["T1003"], 0), (["T1021"], 3), (["T1021"], 0), (["T9999"], 0),
        ):  # fmt: skip
            ran = activity.begin(
                case=self.case, kind=Activity.Kind.HUNT, title="Hunt", subject=uuid.uuid4(), url_name="hunting:run",
                actor=self.bob, detail={"techniques": techniques},
            )  # fmt: skip
            activity.end(ran, state="done", outcome="", row_count=rows)
        hunted = dataclasses.replace(wish(), hunted=True)
        found = shareddata.collect(self.case, hunted)
        assert [(one.technique, one.hunts) for one in found.hunted] == [("T1003", 2)]
        assert self.collected().hunted == ()
        assert shareddata.collect(self.case, dataclasses.replace(hunted, parts=("words",))).hunted == ()
        assert shareddata.collect(self.case, dataclasses.replace(wish("green"), hunted=True)).hunted == ()
        assert self.share("navigator").manifest["counts"]["hunted without a find"] == 1
        assert "T1003" not in self.share("stix").path.read_text(encoding="utf-8")

    def test_queries_do_not_grow_with_the_case(self) -> None:
        with self.assertNumQueries(FuzzyAtMost(24)):
            self.collected()
        for place in range(40):
            self.add("domain", f"d{place}.example", verdict="malicious")
            findings.add_event(
                case=self.case, actor=self.alice, at=timezone.now(), title=f"E {place}", indicators=[self.bad]
            )
        with self.assertNumQueries(FuzzyAtMost(24)):
            self.collected()


class FuzzyAtMost(int):
    """A number of queries that any smaller one equals."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int) and other <= int(self)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = int.__hash__


class RequestTests(SharingTestCase):
    def test_the_worker_makes_the_file_and_keeps_its_digest(self) -> None:
        self.seen()
        made = self.share()
        data = made.path.read_bytes()
        assert (made.state, made.size, made.sha256) == ("done", len(data), hashlib.sha256(data).hexdigest())
        assert made.name == f"{self.case.reference}_stix.json"
        assert made.manifest["counts"]["indicator"] == 3 and made.manifest["highest"] == "amber"
        assert made.manifest["left"] >= 4
        activity = Activity.objects.get(subject=made.uuid)
        assert (activity.kind, activity.state) == ("export", "done") and "National CERT" in activity.outcome

    def test_log_and_custody_hear_what_left_for_whom_and_why(self) -> None:
        self.seen()
        made = self.share()
        entry = LogEntry.objects.get(case=self.case, action="share.made")
        assert entry.detail["receiver"] == "National CERT" and entry.detail["sha256"] == made.sha256
        custody = CustodyEntry.objects.get(evidence=self.exhibit, action="exported")
        assert custody.detail["purpose"] == "Early warning" and custody.detail["share"] == str(made.uuid)

    def test_a_list_for_defender_touches_no_exhibit(self) -> None:
        self.seen()
        made = self.share("defender-audit")
        assert made.manifest["exhibits"] == [] and made.manifest["counts"] == {"rows": 2, "files": 1}
        assert not CustodyEntry.objects.filter(action="exported").exists()

    def test_a_format_takes_only_what_it_has_a_place_for(self) -> None:
        made = self.share("navigator", tlp="red")
        assert made.manifest["highest"] == "amber" and made.manifest["counts"] == {"techniques": 1, "events": 1}

    def test_the_same_case_makes_the_same_bundle(self) -> None:
        assert self.share().sha256 == self.share().sha256

    def test_no_value_that_stays_here_is_anywhere_in_any_file(self) -> None:
        for kind in ("stix", "misp", "defender-audit", "navigator", "timesketch-jsonl", "timesketch-csv", "veris"):
            text = self.share(kind, level="all").path.read_text(encoding="utf-8")
            for secret in ("red.example", "strict.example", "good.example", "ours.example", "ws-07", "ws-08", "Aside"):
                assert secret not in text, (kind, secret)

    def test_downloads_are_logged_and_an_altered_file_is_not_handed_out(self) -> None:
        made = self.share()
        assert b"".join(sharing.chunks(share=made, actor=self.bob)) == made.path.read_bytes()
        assert LogEntry.objects.filter(action="share.downloaded", actor=self.bob).count() == 1
        made.path.write_bytes(b"{}")
        with pytest.raises(sharing.ShareGone):
            sharing.chunks(share=made, actor=self.bob)

    def test_tlp_red_and_a_confidential_case_take_a_lead(self) -> None:
        with pytest.raises(PermissionDenied):
            self.share(actor=self.bob, tlp="red")
        assert self.share(tlp="red").grave
        cases.set_member(case=self.secret_case, actor=self.alice, user=self.bob, role="analyst")
        for_bob = Case.objects.visible_to(self.bob).get(pk=self.secret_case.pk)
        with pytest.raises(PermissionDenied):
            self.share(actor=self.bob, case=for_bob)
        with pytest.raises(PermissionDenied):
            sharing.preview(case=for_bob, kind="stix", wish=wish())

    def test_who_lost_the_right_meanwhile_gets_nothing(self) -> None:
        case = Case.objects.visible_to(self.bob).get(pk=self.case.pk)
        made = sharing.request_share(
            case=case, actor=self.bob, kind="stix", wish=wish(), receiver="CERT", purpose="Warning"
        )
        self.bob.is_active = False
        self.bob.save()
        tasks.share_case(made.pk)
        made.refresh_from_db()
        assert made.state == "failed" and "may no longer" in made.reason and not made.path.exists()

    def test_one_at_a_time_and_only_with_a_receiver(self) -> None:
        case = Case.objects.visible_to(self.alice).get(pk=self.case.pk)
        asked = {"case": case, "actor": self.alice, "kind": "stix", "wish": wish(), "purpose": "x"}
        with pytest.raises(ValidationError, match="Say who receives it"):
            sharing.request_share(receiver=" ", **asked)
        sharing.request_share(receiver="CERT", **asked)
        with pytest.raises(ValidationError, match="is being made"):
            sharing.request_share(receiver="CERT", **asked)

    def test_what_waits_is_cancelled_at_once(self) -> None:
        case = Case.objects.visible_to(self.alice).get(pk=self.case.pk)
        made = sharing.request_share(
            case=case, actor=self.alice, kind="misp", wish=wish(), receiver="CERT", purpose="Warning"
        )
        sharing.cancel(share=made, actor=self.alice)
        tasks.share_case(made.pk)
        made.refresh_from_db()
        assert made.state == "cancelled" and made.activity.__class__.objects.get(subject=made.uuid).state == "cancelled"

    def test_old_files_go_and_the_row_stays(self) -> None:
        made = self.share()
        CaseShare.objects.filter(pk=made.pk).update(finished_at=timezone.now() - timedelta(days=400))
        with self.captureOnCommitCallbacks(execute=True):
            sharing.tidy()
        made.refresh_from_db()
        assert made.removed_at and not made.path.exists()

    def test_a_preview_says_what_the_file_will_hold_and_keeps_nothing(self) -> None:
        case = Case.objects.visible_to(self.alice).get(pk=self.case.pk)
        seen = sharing.preview(case=case, kind="stix", wish=wish())
        assert dict(seen.counts) == self.share().manifest["counts"]
        assert ("indicator", "it is TLP:RED", 1) in seen.left and seen.highest == "amber" and not seen.grave

    def test_an_empty_case_makes_every_format(self) -> None:
        Indicator.objects.filter(case=self.case).delete()
        Event.objects.filter(case=self.case).delete()
        for kind in ("stix", "misp", "defender-block", "navigator", "timesketch-jsonl", "timesketch-csv", "veris"):
            assert self.share(kind).state == "done"


class PageTests(SharingTestCase):
    def url(self, tail: str = "") -> str:
        return f"/cases/{self.case.reference}/sharing/{tail}"

    def form(self, **more: Any) -> dict[str, Any]:
        return {
            "format": "stix", "tlp": "amber", "pap": "amber", "level": "all", "words": "", "sender": "Contoso CSIRT",
            "parts": ["indicators", "events", "assets", "words"], "receiver": "CERT", "purpose": "Warning", **more,
        }  # fmt: skip

    def test_the_page_shows_what_leaves_and_what_stays_before_anything_is_made(self) -> None:
        self.sign_in(self.bob)
        page = self.client.post(self.url(), self.form(preview="1"))
        self.assertContains(page, "What would leave: STIX 2.1 bundle")
        self.assertContains(page, "it names what is masked")
        assert not CaseShare.objects.exists()

    def test_a_file_is_asked_for_watched_and_fetched(self) -> None:
        self.sign_in(self.bob)
        reply = self.client.post(self.url(), self.form())
        made = CaseShare.objects.get()
        self.assertRedirects(reply, self.url(f"{made.uuid}/"))
        part = self.client.get(self.url(f"{made.uuid}/?part=1"), headers={"HX-Request": "true"})
        self.assertContains(part, "every 2s")
        tasks.share_case(made.pk)
        page = self.client.get(self.url(f"{made.uuid}/"))
        self.assertContains(page, "left out")
        file = self.client.get(self.url(f"{made.uuid}/file/"))
        assert json.loads(b"".join(file))["type"] == "bundle"  # type: ignore[arg-type]
        assert file["Content-Disposition"] == f'attachment; filename="{self.case.reference}_stix.json"'
        self.client.post(self.url(f"{made.uuid}/remove/"))
        self.assertContains(self.client.get(self.url(f"{made.uuid}/")), "The file was removed")

    def test_an_analyst_is_told_that_red_takes_a_lead(self) -> None:
        self.sign_in(self.bob)
        page = self.client.post(self.url(), self.form(tlp="red"))
        assert page.status_code == 422
        self.assertContains(page, "by a lead of the case only", status_code=422)

    def test_a_grave_file_is_taken_by_leads_only(self) -> None:
        made = self.share(tlp="red")
        self.sign_in(self.bob)
        assert self.client.get(self.url(f"{made.uuid}/file/")).status_code == 403
        self.assertNotContains(self.client.get(self.url()), "Download")
        self.sign_in(self.alice)
        assert self.client.get(self.url(f"{made.uuid}/file/")).status_code == 200

    def test_readers_see_that_it_left_and_cannot_take_it(self) -> None:
        made = self.share()
        self.sign_in(self.carol)
        self.assertContains(self.client.get(self.url()), "STIX 2.1 bundle")
        assert self.client.get(self.url(f"{made.uuid}/file/")).status_code == 403
        assert self.client.post(self.url(), self.form()).status_code == 403

    def test_nobody_learns_of_a_file_of_a_hidden_case(self) -> None:
        made = self.share()
        Case.objects.filter(pk=self.case.pk).update(confidential=True)
        self.sign_in(self.carol)
        for tail in ("", f"{made.uuid}/", f"{made.uuid}/file/"):
            assert self.client.get(self.url(tail)).status_code == 404

    def test_a_page_of_files_takes_few_queries(self) -> None:
        for _ in range(3):
            self.share()
        self.sign_in(self.bob)
        self.client.get(self.url())
        with self.assertNumQueries(FuzzyAtMost(18)):
            self.client.get(self.url())

    def test_the_empty_page_says_what_can_be_made(self) -> None:
        self.sign_in(self.bob)
        self.assertContains(self.client.get(self.url()), "Nothing was made yet")
