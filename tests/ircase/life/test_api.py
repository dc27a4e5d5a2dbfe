"""The same by the API: clocks, decisions, closing, hand-overs, improvements, links."""

from ircase.models import Case, HandOver
from ircase.services import cases
from ircase.services.casework import linking
from tests.cast import make_case, make_evidence
from tests.ircase.test_api import ApiTestCase


class LifeApiTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = f"/cases/{self.case.reference}"

    def test_a_clock_from_start_to_delivery(self) -> None:
        rules = self.call("get", "/deadline-rules").json()["items"]
        assert {rule["regime"] for rule in rules} == {"nis2", "gdpr", "sec", "dora"}
        assert self.call("post", f"{self.path}/clocks", {"rule": "none", "reason": "x"}).status_code == 422
        made = self.call("post", f"{self.path}/clocks", {"rule": "nis2-notification", "reason": "Significant"})
        assert made.status_code == 201
        clock = made.json()
        assert clock["law"] == "Directive (EU) 2022/2555 (NIS2)"
        assert [one["uuid"] for one in self.call("get", "/deadlines").json()["items"]] == [clock["uuid"]]
        proof = make_evidence(self.case, self.alice)
        ended = self.call("post", f"{self.path}/clocks/{clock['uuid']}/delivery", {"evidence": str(proof.uuid)})
        assert (ended.json()["state"], ended.json()["evidence"]) == ("delivered", str(proof.uuid))
        rules_now = [one["rule"] for one in self.call("get", f"{self.path}/clocks").json()["items"]]
        assert rules_now == ["nis2-notification", "nis2-final-report"]
        assert [one["key"] for one in self.call("get", f"{self.path}/windows").json()["items"]] == ["defender-data"]
        foreign = make_evidence(self.secret_case, self.alice)
        body = {"evidence": str(foreign.uuid)}
        final = self.call("get", f"{self.path}/clocks").json()["items"][1]["uuid"]
        assert self.call("post", f"{self.path}/clocks/{final}/delivery", body).status_code == 404

    def test_rules_are_the_administrators(self) -> None:
        assert self.call("put", "/deadline-rules/nis2", {"automatic": True}).status_code == 403
        self.user = self.ada
        assert self.call("put", "/deadline-rules/nis2", {"automatic": True}).json() == {"automatic": True}
        body = {"name": "Contain", "amount": 4, "deliver": "Contain it", "severity": "high", "met_by": "contained"}
        made = self.call("post", "/service-levels", body)
        assert made.status_code == 201
        changed = self.call("put", f"/service-levels/{made.json()['pk']}", body | {"amount": 8})
        assert changed.json()["amount"] == 8
        assert self.call("post", "/service-levels", body | {"name": "x", "severity": "dreadful"}).status_code == 422

    def test_decisions_and_improvements(self) -> None:
        first = self.call("post", f"{self.path}/decisions", {"what": "Wait", "why": "Unclear"}).json()
        later = {"what": "Isolate", "why": "It spreads", "supersedes": first["uuid"]}
        assert self.call("post", f"{self.path}/decisions", later).status_code == 201
        seen = self.call("get", f"{self.path}/decisions/{first['uuid']}").json()
        assert (seen["label"], seen["superseded_by"] is not None) == ("D01", True)
        made = self.call("post", f"{self.path}/improvements", {"title": "Patch", "owner": "bob"}).json()
        self.user = self.bob
        done = self.call("post", f"/improvements/{made['uuid']}/state", {"state": "done", "result": "Patched"})
        assert done.json()["state"] == "done"
        self.user = self.mallory
        assert self.call("get", "/improvements").json()["total"] == 0

    def test_closing_asks_a_second_lead(self) -> None:
        seen = self.call("get", f"{self.path}/closing").json()
        assert [one["code"] for one in seen["findings"] if one["holds"]] == ["classification"]
        assert self.call("post", f"{self.path}/close", {"reason": "x"}).status_code == 422
        cases.edit_case(case=self.case, actor=self.alice, classification="truePositive")
        cases.set_member(case=self.case, actor=self.alice, user=self.bob, role="lead")
        asked = self.call("post", f"{self.path}/close", {"reason": "It is over"})
        assert (asked.status_code, asked.json()["closed_at"]) == (202, None)
        assert self.call("get", f"{self.path}/closing").json()["asked"] is not None

    def test_a_hand_over(self) -> None:
        body = {"receiver": "bob", "situation": "Two hosts beacon", "next_steps": "Isolate"}
        made = self.call("post", f"{self.path}/hand-overs", body).json()
        answer = f"{self.path}/hand-overs/{made['uuid']}/answer"
        assert self.call("post", answer, {"act": "confirm"}).status_code == 403
        self.user = self.bob
        assert self.call("post", answer, {"act": "confirm"}).json()["state"] == "confirmed"
        assert HandOver.objects.get().evidence is not None
        detail = self.call("get", f"{self.path}/hand-overs/{made['uuid']}").json()
        assert detail["snapshot"]["case"]["reference"] == self.case.reference

    def test_links_tell_nobody_of_a_hidden_case(self) -> None:
        body = {"other": self.secret_case.reference, "kind": "related", "reason": "The insider"}
        made = self.call("post", f"{self.path}/links", body)
        assert made.status_code == 201
        self.user = self.bob
        assert self.call("get", f"{self.path}/links").json()["items"] == []
        assert self.call("delete", f"{self.path}/links/{made.json()['uuid']}").status_code == 404
        unknown = self.call("post", f"{self.path}/links", body | {"other": "IR-2020-9999"}).json()
        hidden = self.call("post", f"{self.path}/links", body).json()
        assert unknown["detail"] == hidden["detail"]

    def test_merge_undo_and_pattern(self) -> None:
        other = make_case(self.alice, title="The whole thing")
        cases.edit_case(case=other, actor=self.alice, classification="truePositive")
        plan = self.call("get", f"{self.path}/merge?into={other.reference}").json()
        assert plan["hold"] == []
        made = self.call("post", f"{self.path}/merge", {"into": other.reference, "reason": "Same"})
        assert made.status_code == 201
        assert not Case.objects.get(pk=self.case.pk).is_open
        undo = f"/cases/{other.reference}/links/{made.json()['uuid']}/undo"
        assert self.call("post", undo, {"reason": "Two after all"}).json() == {
            "assets": 0,
            "indicators": 0,
            "events": 0,
        }
        assert linking.seen_by(self.case, self.alice) == []
        like = self.call("post", f"{self.path}/like", {"title": "The next one"})
        assert (like.status_code, like.json()["severity"]) == (201, "high")
