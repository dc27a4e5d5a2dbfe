"""Legal holds and the review of what is due, over the API."""

from ircase.models import LegalHold, LogEntry
from tests.cast import make_evidence
from tests.ircase.test_api import ApiTestCase


class RetentionApiTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.item = make_evidence(self.case, self.alice, b"x", name="x.txt")
        self.path = self.case_path("/holds")

    def test_a_hold_is_placed_listed_and_asked_to_be_lifted(self) -> None:
        placed = self.call("post", self.path, {"reason": "A court asked", "evidence": str(self.item.uuid)})
        assert placed.status_code == 201, placed.content
        assert placed.json()["subject"] == "E001"
        assert [one["reason"] for one in self.call("get", self.path).json()["items"]] == ["A court asked"]
        again = self.call("post", self.path, {"reason": "Once more", "evidence": str(self.item.uuid)})
        assert again.status_code == 422 and "already" in again.content.decode()
        lift = self.call("post", f"{self.path}/{placed.json()['uuid']}/lift", {"reason": "It is over"})
        assert lift.status_code == 202 and lift.json()["approval"]
        assert LegalHold.objects.get().lifted_at is None
        assert LogEntry.objects.filter(case=self.case, action="hold.placed").count() == 1

    def test_an_analyst_reads_holds_and_places_none(self) -> None:
        self.user = self.bob
        assert self.call("get", self.path).status_code == 200
        assert self.call("post", self.path, {"reason": "Because"}).status_code == 403
        assert self.call("post", self.case_path("/retention"), self.keep()).status_code == 403

    def keep(self, *exhibits: str) -> dict[str, object]:
        return {"exhibits": list(exhibits) or ["E001"], "days": 30, "reason": "It is needed for longer"}

    def test_exhibits_are_kept_for_longer(self) -> None:
        path = self.case_path("/retention")
        assert self.call("get", path).json()["items"] == []
        assert self.call("post", path, self.keep()).status_code == 204
        assert self.item.reviews.get().reason == "It is needed for longer"
        unknown = self.call("post", path, self.keep("E077"))
        assert unknown.status_code == 422 and "no exhibit" in unknown.content.decode()
