"""Text of people and machines is text: on no page of a case does any of it become markup."""

import re
import uuid

from django.urls import reverse
from django.utils import timezone

from ircase.models import Activity, ChecklistItem, Evidence
from ircase.services import activity, approvals, cases
from ircase.services.analysis import findings
from ircase.services.incidents import incidentkeeping
from ircase.services.phases import checklist
from ircase.services.writing import notes
from msapi.incidents import read_incident
from tests.cast import CastTestCase, make_case, make_evidence

MARK = "<script>alert(7)</script>"
ATTRIBUTE = '"><img src=x onerror=alert(7)>'


class XssTests(CastTestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        nasty = MARK + ATTRIBUTE
        cls.bob.first_name = nasty
        cls.bob.save()
        case = make_case(cls.alice, title=nasty, description=nasty, playbook="phishing", analysts=(cls.bob,))
        cases.edit_case(case=case, actor=cls.bob, summary=nasty, lessons=nasty)
        cases.set_member(case=case, actor=cls.alice, user=cls.bob, role="analyst", duty=nasty[:64])
        cases.set_milestone(case=case, actor=cls.bob, kind="contained", at=timezone.now(), note=nasty)
        cls.asset, _ = findings.add_asset(
            case=case, actor=cls.bob, kind="device", name=nasty, identifier=nasty, description=nasty,
            details={nasty: nasty},
        )  # fmt: skip
        cls.indicator, _ = findings.add_indicator(
            case=case, actor=cls.bob, kind="other", value=nasty, description=nasty, provenance={"incident": nasty}
        )
        cls.event = findings.add_event(
            case=case, actor=cls.bob, at=timezone.now(), title=nasty, description=nasty, source=nasty[:64],
            row={nasty: nasty}, provenance={"run": nasty, "row": nasty}, assets=[cls.asset],
        )  # fmt: skip
        cls.note = notes.create_note(case=case, actor=cls.bob, title=nasty, body=nasty)
        cls.item = checklist.add_item(case=case, actor=cls.bob, title=nasty, phase="detection", owner=cls.bob)
        ChecklistItem.objects.filter(pk=cls.item.pk).update(guidance=nasty, result=nasty)
        exhibit = make_evidence(case, cls.bob, name=nasty)
        Evidence.objects.filter(pk=exhibit.pk).update(integrity="altered")
        work = activity.begin(
            case=case, kind=Activity.Kind.HUNT, title=nasty, subject=uuid.uuid4(), url_name=nasty[:60], actor=cls.bob
        )
        for proof in ({"evidence": exhibit}, {"activity": work}, {"event": cls.event}, {"decision": nasty}):
            checklist.add_proof(item=cls.item, actor=cls.bob, **proof)
        approvals.request(
            case=case, actor=cls.bob, kind="x", subject=uuid.uuid4(), title=nasty, detail={nasty: nasty}, digest="d",
            task="", reason=nasty,
        )  # fmt: skip
        alert = {"id": nasty, "title": nasty, "description": nasty, "mitreTechniques": [nasty], "evidence": []}
        raw = {"id": "9", "displayName": nasty, "severity": nasty, "status": nasty, "alerts": [alert], nasty: nasty}
        cls.incident = incidentkeeping.keep_incident(connection=cls.connection, incident=read_incident(raw))
        cls.nasty_case = case

    def check(self, url: str) -> None:
        page = self.client.get(url, follow=True).content.decode()
        assert "alert(7)" in page, f"{url} shows nothing of it: the test proves nothing"
        assert MARK not in page, url
        assert "<img" not in page, url
        # What is left stands in text or in a quoted attribute.
        assert not re.search(r"<[a-z][^>\"']*alert\(7\)", page), url

    def test_every_page_of_the_case(self) -> None:
        self.sign_in(self.alice)
        of_case = [self.nasty_case.reference]
        pages = [
            ("case", ()), ("case_edit", ()), ("case_summary", ()), ("checklist", ()), ("timeline", ()),
            ("entities", ()), ("notes", ()), ("log", ()), ("checklist_item", (self.item.pk,)),
            ("event", (self.event.uuid,)), ("event_new", ()), ("asset", (self.asset.uuid,)),
            ("indicator", (self.indicator.uuid,)), ("note", (self.note.uuid,)), ("note_edit", (self.note.uuid,)),
            ("note_revision", (self.note.uuid, self.note.revisions.get().pk)),
        ]  # fmt: skip
        for name, more in pages:
            with self.subTest(name):
                self.check(reverse(f"ircase:{name}", args=[*of_case, *more]))

    def test_every_page_beside_the_case(self) -> None:
        self.sign_in(self.alice)
        urls = ["/", reverse("ircase:case_list"), reverse("ircase:search") + "?q=alert(7)", reverse("ircase:intake")]
        for url in [*urls, reverse("ircase:intake_item", args=[self.incident.pk])]:
            with self.subTest(url):
                self.check(url)

    def test_what_a_form_gives_back(self) -> None:
        self.sign_in(self.alice)
        url = reverse("ircase:note_edit", args=[self.nasty_case.reference, self.note.uuid])
        late = self.client.post(url, {"title": MARK, "body": "</textarea>" + MARK, "version": "9"})
        assert late.status_code == 409
        assert MARK not in late.content.decode()
        assert self.client.post("/cases/new/", {"title": "", "description": "</textarea>" + MARK}).status_code == 422
