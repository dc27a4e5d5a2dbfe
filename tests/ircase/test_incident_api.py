"""What a person does with incidents, a token does: found, merged, taken out, dismissed, kept the same."""

import json
from typing import Any

from ircase.models import CaseIncident, IncidentFile, IncidentSource, IncidentSync, SyncConflict
from ircase.services.identity import people
from ircase.tasks import read_incident_file
from tests.cast import CastTestCase
from tests.ircase.incidents import account, alert, device, keep


class IncidentApiTests(CastTestCase):
    def setUp(self) -> None:
        self.tokens = {
            user.username: people.create_token(user=user, name="t")[1]
            for user in (self.alice, self.bob, self.carol, self.ada)
        }

    def call(self, method: str, path: str, body: Any = None, *, by: str = "bob") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.tokens[by]}"}
        content = json.dumps(body) if body is not None else ""
        reply = self.client.generic(method, f"/api/v1{path}", content, "application/json", headers=headers)
        return reply.status_code, json.loads(reply.content)

    def test_from_the_queue_into_a_case_and_out_again(self) -> None:
        incident = keep(self.connection, "11", alert("1", device("ws-07.contoso.com"), account("ann@contoso.com")))
        keep(self.connection, "12", severity="low")
        status, listed = self.call("GET", "/incidents?severity=high&sort=-entities")
        assert (status, listed["total"], listed["items"][0]["entity_count"]) == (200, 1, 2)
        assert listed["items"][0]["connection"] == "Contoso"
        status, case = self.call("POST", f"/incidents/{incident.pk}/merge", {"case": self.case.reference})
        assert (status, case["reference"]) == (200, self.case.reference)
        status, detail = self.call("GET", f"/incidents/{incident.pk}")
        assert (detail["cases"], detail["similar"]) == ([self.case.reference], [])
        assert ["device", "ws-07.contoso.com"] in detail["entities"]
        assert self.call("POST", f"/incidents/{incident.pk}/merge", {"case": self.secret_case.reference})[0] == 404
        status, links = self.call("GET", f"/cases/{self.case.reference}/incidents")
        path = f"/cases/{self.case.reference}/incidents/{links['items'][0]['uuid']}"
        assert links["items"][0]["rows"] == 3
        assert self.call("POST", f"{path}/version")[0] == 422, "it is the newest already"
        assert self.call("POST", f"{path}/unmerge", {"reason": "x"}, by="carol")[0] == 403
        status, taken = self.call("POST", f"{path}/unmerge", {"reason": "Not ours"})
        assert (status, taken) == (200, {"left": 3, "stayed": []})

    def test_dismissing_one_and_many(self) -> None:
        rows = [keep(self.connection, str(number)) for number in range(3)]
        assert self.call("POST", f"/incidents/{rows[0].pk}/dismissal", {"reason": ""})[0] == 422
        assert self.call("POST", f"/incidents/{rows[0].pk}/dismissal", {"reason": "A drill"})[1]["dismissed_at"]
        assert self.call("GET", "/incidents")[1]["total"] == 2
        assert self.call("DELETE", f"/incidents/{rows[0].pk}/dismissal")[1]["dismissed_at"] is None
        body = {"incidents": [row.pk for row in rows], "reason": "A drill"}
        assert self.call("POST", "/incidents/dismissal", body)[1] == {"number": 3}
        assert self.call("GET", "/incidents?show=dismissed")[1]["total"] == 3

    def test_sources_and_files(self) -> None:
        mapping = {"fields": {"title": "t"}}
        status, made = self.call("POST", "/incident-sources", {"name": "SIEM", "mapping": mapping}, by="ada")
        assert status == 201 and len(made["secret"]) > 30
        assert self.call("GET", "/incident-sources", by="bob")[0] == 403
        listed = self.call("GET", "/incident-sources", by="ada")[1]["items"]
        assert "secret" not in listed[0]
        bad = self.call("PUT", f"/incident-sources/{made['id']}", {"name": "SIEM", "mapping": {"x": 1}}, by="ada")
        assert bad[0] == 422
        renewed = self.call("POST", f"/incident-sources/{made['id']}/secret", by="ada")[1]["secret"]
        assert renewed != made["secret"]
        assert IncidentSource.objects.get(pk=made["id"]).mapping == mapping
        status, file = self.call("POST", "/incident-files", {"source": "Export", "content": "name,x\nOne,\n,2\n"})
        assert (status, file["mapping"]["fields"]) == (201, {"title": "name"})
        assert self.call("POST", f"/incident-files/{file['uuid']}/reading")[0] == 202
        read_incident_file(IncidentFile.objects.get().pk)
        file = self.call("GET", f"/incident-files/{file['uuid']}")[1]
        assert (file["state"], file["taken"], file["problems"][0]["line"]) == ("done", 1, 3)
        assert self.call("PUT", f"/incident-files/{file['uuid']}/mapping", {"mapping": mapping})[0] == 422

    def test_what_is_kept_the_same(self) -> None:
        path = f"/connections/{self.connection.pk}/incident-sync"
        assert self.call("GET", path, by="ada")[1] == {"enabled": False, "fields": [], "comments": False}
        wanted = {"enabled": True, "fields": ["severity"], "comments": True}
        assert self.call("PUT", path, wanted, by="ada")[1] == wanted
        assert IncidentSync.objects.get().enabled
        incident = keep(self.connection, "11", severity="low")
        self.call("POST", f"/incidents/{incident.pk}/merge", {"case": self.case.reference})
        link = CaseIncident.objects.get(case=self.case)
        conflict = SyncConflict.objects.create(link=link, field="severity", base="high", ours="high", theirs="low")
        base = f"/cases/{self.case.reference}"
        assert self.call("GET", f"{base}/conflicts")[1]["items"][0]["theirs"] == "low"
        assert self.call("POST", f"{base}/conflicts/{conflict.uuid}", {"choice": "theirs"})[0] == 200
        self.case.refresh_from_db()
        assert self.case.severity == "low"
        assert self.call("POST", f"{base}/incidents/{link.uuid}/comments", {"text": "Hello"})[1]["state"] == "queued"
        assert self.call("GET", f"{base}/incidents/{link.uuid}/comments", by="carol")[1]["items"][0]["text"] == "Hello"
        assert self.call("PUT", f"{base}/incidents/{link.uuid}/assignment", {"to": "Dan@x"})[0] == 200
        assert self.call("PUT", f"{base}/telling", {"allowed": True})[0] == 403
        assert self.call("PUT", f"{base}/telling", {"allowed": True}, by="alice")[1] == {"allowed": True}
