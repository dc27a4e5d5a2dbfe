"""What the API learned of the browser: destruction, joining, connecting, views, notices, and stopping what runs."""

from ircase.models import (
    Approval,
    Case,
    CaseExport,
    CaseRole,
    Destruction,
    Notice,
    NoticeCode,
    ReportBuild,
)
from ircase.services import cases, notices
from ircase.services.casework import improvements
from tests.cast import make_case, make_evidence
from tests.ircase.test_api import ApiTestCase


class DestructionTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.item = make_evidence(self.case, self.alice, b"x", name="x.txt")
        self.path = self.case_path("/destructions")

    def test_one_lead_asks_and_another_decides(self) -> None:
        cases.set_member(case=self.case, actor=self.alice, user=self.bob, role=CaseRole.LEAD)
        body = {"exhibits": ["E001"], "reason": "The customer asked"}
        asked = self.call("post", self.path, body)
        assert asked.status_code == 202, asked.content
        said = asked.json()
        assert (said["state"], said["exhibits"], said["certificate"]) == ("requested", ["E001"], {})
        assert self.call("post", self.path, body).status_code == 422, "asked for already"
        decision = f"/approvals/{said['approval']}/decision"
        assert self.call("post", decision, {"approve": True}).status_code == 403, "never one's own"
        assert self.call("get", f"{self.path}/{said['uuid']}").json()["approval"] == said["approval"]
        assert self.call("get", self.path).json()["total"] == 1
        assert Approval.objects.get().state == "requested" and not Destruction.objects.get().is_final

    def test_only_a_lead_asks_and_only_for_exhibits_of_the_case(self) -> None:
        assert self.call("post", self.path, {"exhibits": ["E009"], "reason": "x"}).status_code == 422
        self.user = self.bob
        assert self.call("post", self.path, {"exhibits": ["E001"], "reason": "x"}).status_code == 403
        assert Destruction.objects.count() == 0

    def test_what_is_due_across_cases_is_of_those_one_sees(self) -> None:
        assert self.call("get", "/retention").json()["items"] == []
        Case.objects.filter(pk__in=[self.case.pk, self.secret_case.pk]).update(closed_at="2020-01-01T00:00:00Z")
        make_evidence(self.secret_case, self.alice, b"y", name="y.txt")
        self.user = self.mallory
        assert self.call("get", "/retention").json()["items"] == []


class CaseTests(ApiTestCase):
    def test_an_administrator_joins_for_a_reason(self) -> None:
        path = f"/cases/{self.secret_case.reference}"
        assert self.call("post", f"{path}/join", {"reason": "x"}).status_code == 403
        self.user = self.ada
        assert self.call("get", path).status_code == 404
        assert self.call("post", f"{path}/join", {"reason": ""}).status_code == 422
        assert self.call("post", f"{path}/join", {"reason": "The lead is ill"}).json()["role"] == "viewer"
        assert self.call("get", path).status_code == 200
        assert self.call("post", "/cases/IR-2000-0001/join", {"reason": "x"}).status_code == 404

    def test_a_case_is_connected_once(self) -> None:
        case = make_case(self.alice)
        path = f"/cases/{case.reference}/connection"
        assert self.call("put", path, {"connection": "Nobody"}).status_code == 422
        assert self.call("put", path, {"connection": "Contoso"}).status_code == 200
        assert self.call("put", path, {"connection": "Contoso"}).status_code == 422
        case.refresh_from_db()
        assert case.connection == self.connection


class SmallTests(ApiTestCase):
    def test_a_view_is_pinned_by_its_person(self) -> None:
        made = self.call("post", "/views", {"page": "cases", "name": "High", "asked": "severity=high"}).json()
        path = f"/views/{made['uuid']}"
        assert self.call("patch", path, {"pinned": True}).json()["pinned"] is True
        self.user = self.bob
        assert self.call("patch", path, {"pinned": False}).status_code == 404

    def test_all_notices_are_read_and_only_ones_own(self) -> None:
        for person in (self.alice, self.bob):
            notices.tell(
                code=NoticeCode.MENTION, people=[person], case=self.case, subject=self.case.uuid, title="Look", path="/"
            )
        assert self.call("post", "/notices/read").status_code == 204
        unread = Notice.objects.filter(read_at=None)
        assert set(unread.values_list("person__username", flat=True)) == {"bob"}

    def test_a_report_that_waits_is_stopped(self) -> None:
        made = self.call("post", self.case_path("/reports"), {}).json()
        path = self.case_path(f"/reports/{made['uuid']}/cancel")
        assert self.call("post", path).json()["state"] == "cancelled"
        assert ReportBuild.objects.get().state == "cancelled"

    def test_reading_that_waits_is_stopped(self) -> None:
        item = make_evidence(self.case, self.alice, b"a,b\n1,2\n", name="a.csv")
        path = self.case_path(f"/evidence/{item.uuid}")
        self.call("post", f"{path}/read")
        assert self.call("post", f"{path}/import/cancel").json()["state"] == "cancelled"

    def test_an_export_that_is_not_done_has_no_file_to_take_away(self) -> None:
        make_evidence(self.case, self.alice)
        made = self.call("post", self.case_path("/exports"), {"purpose": "Counsel", "receiver": "Them"}).json()
        assert self.call("post", self.case_path(f"/exports/{made['uuid']}/removal")).status_code == 200
        assert CaseExport.objects.get().removed_at is None

    def test_an_improvement_is_read_by_who_sees_its_case(self) -> None:
        item = improvements.add(case=self.secret_case, actor=self.alice, title="Better logs")
        assert self.call("get", f"/improvements/{item.uuid}").json()["title"] == "Better logs"
        self.user = self.bob
        assert self.call("get", f"/improvements/{item.uuid}").status_code == 404

    def test_the_super_timeline_is_built_again(self) -> None:
        assert self.call("post", self.case_path("/super-timeline/build")).status_code == 202
        assert self.call("get", self.case_path("/super-timeline/exports")).json()["total"] == 0
        self.user = self.carol
        assert self.call("post", self.case_path("/super-timeline/build")).status_code == 403
