"""The main job of a hunt without a browser, and who may not."""

import json
from typing import Any

from django.urls import path
from ninja import NinjaAPI

from hunting.api import copies, library, packs, runs
from hunting.models import HuntRun
from ircase.api import problems
from ircase.api.auth import TokenAuth
from ircase.models import Event, User
from ircase.services.analysis import findings
from ircase.services.identity import people
from tests.cast import CastTestCase
from tests.hunting.stage import done_run, make_table, work

api = NinjaAPI(urls_namespace="hunting-test", auth=TokenAuth())
for _area in (library, runs, packs, copies):
    api.add_router("", _area.router)
problems.install(api)
urlpatterns = [path("api/v1/", api.urls)]

ROWS = [{"Timestamp": f"2026-11-20T17:00:0{n}Z", "DeviceName": "ws01", "FileName": f"tool{n}.exe"} for n in range(5)]


class ApiTests(CastTestCase):
    def setUp(self) -> None:
        settings = self.settings(ROOT_URLCONF=__name__)
        settings.enable()
        self.addCleanup(settings.disable)
        self.base = f"/api/v1/cases/{self.case.reference}/hunts"
        self.act_as(self.bob)

    def act_as(self, user: User) -> None:
        _, text = people.create_token(user=user, name="test")
        self.headers = {"Authorization": f"Bearer {text}"}

    def get(self, path_: str, **query: Any) -> Any:
        return self.client.get(path_, query, headers=self.headers)

    def post(self, path_: str, body: Any = None) -> Any:
        return self.client.post(path_, json.dumps(body or {}), content_type="application/json", headers=self.headers)

    def test_the_library(self) -> None:
        hunts = self.get("/api/v1/hunts").json()["items"]
        assert "registry-run-keys" in [hunt["id"] for hunt in hunts]
        one = self.get("/api/v1/hunts/file-activity").json()
        assert one["parameters"][0] == {
            "name": "Sha256Values", "type": "list[sha256]", "required": False, "default": [],
            "fill": "indicator.sha256", "help": "",
        }  # fmt: skip
        assert self.get("/api/v1/hunts/nope").status_code == 404
        packs = {pack["id"]: pack["hunts"] for pack in self.get("/api/v1/packs").json()["items"]}
        assert "device-alerts" in packs["device-triage"]

    def test_the_whole_way_from_question_to_timeline(self) -> None:
        make_table(self.case, self.bob, "DeviceProcessEvents", ROWS)
        body = {
            "source": "case",
            "kql": "DeviceProcessEvents | where FileName has 'tool3'",
            "as_of": "2026-11-20T18:00:00Z",
        }
        answer = self.post(f"{self.base}/runs", body)
        assert answer.status_code == 202
        uuid = answer.json()["uuid"]
        work(HuntRun.objects.get(uuid=uuid))
        run = self.get(f"{self.base}/runs/{uuid}").json()
        assert (run["state"], run["row_count"], run["truncated"], run["outcome"]) == ("done", 1, False, "1 row")
        rows = self.get(f"{self.base}/runs/{uuid}/rows", limit=10).json()
        assert rows["rows"][0]["FileName"] == "tool3.exe" and rows["numbers"] == [1]
        assert self.get(f"{self.base}/runs/{uuid}/rows/1").json()["FileName"] == "tool3.exe"
        event = self.post(f"{self.base}/runs/{uuid}/rows/1/timeline", {"title": "A tool"})
        assert event.status_code == 201
        assert Event.objects.get().provenance["row"] == 1
        asset = {"kind": "device", "name": "ws01"}
        assert self.post(f"{self.base}/runs/{uuid}/rows/1/assets", asset).status_code == 201
        assert self.post(f"{self.base}/runs/{uuid}/rows/1/assets", asset).status_code == 200
        indicator = {"kind": "file_name", "value": "tool3.exe"}
        assert self.post(f"{self.base}/runs/{uuid}/rows/1/indicators", indicator).status_code == 201
        judged = self.post(f"{self.base}/runs/{uuid}/conclusion", {"verdict": "confirmed", "sentence": "It ran."})
        assert judged.json()["verdict"] == "confirmed"
        assert self.get(f"{self.base}/runs").json()["total"] == 1

    def test_a_hunt_is_filled_from_the_case_previewed_and_queued(self) -> None:
        findings.add_asset(case=self.case, actor=self.bob, kind="device", name="ws01")
        body = {"source": "case", "hunt": "device-logons", "span": "3d", "as_of": "2026-11-20T18:00:00Z"}
        frame = self.post(f"{self.base}/preview", body).json()
        assert 'let TargetDevice = "ws01";' in frame["final_kql"]
        assert frame["tables_missing"] == ["DeviceLogonEvents"]
        assert not HuntRun.objects.exists()
        self.connection.limits = {"hunting_retention_days": 36_500}
        self.connection.save(update_fields=["limits"])
        run = self.post(f"{self.base}/runs", body | {"source": "defender"}).json()
        assert run["final_kql"] == frame["final_kql"] and run["window_start"].startswith("2026-11-17T18:00:00")
        cancelled = self.post(f"{self.base}/runs/{run['uuid']}/cancel").json()
        assert cancelled["state"] == "cancelled"
        again = self.post(f"{self.base}/runs/{run['uuid']}/retry")
        assert again.status_code == 202 and again.json()["retry_of"] == run["uuid"]

    def test_a_pack(self) -> None:
        body = {"source": "defender", "parameters": {"TargetDevice": "ws01"}}
        queued = self.post(f"{self.base}/packs/device-triage", body)
        assert queued.status_code == 202 and len(queued.json()["runs"]) == 13
        assert self.post(f"{self.base}/packs/nope", body).status_code == 404

    def test_what_does_not_fit_is_422_with_the_field(self) -> None:
        for body, field in (
            ({"source": "case", "hunt": "device-logons", "parameters": {"TargetDevice": "a b"}}, "TargetDevice"),
            ({"source": "case", "hunt": "device-logons", "kql": "x"}, "hunt"),
            ({"source": "case"}, "hunt"),
            ({"source": "case", "kql": "x", "span": "soon"}, "span"),
        ):
            answer = self.post(f"{self.base}/runs", body)
            assert answer.status_code == 422, body
            assert field in answer.json()["errors"], answer.json()
        run = done_run(self.case, self.bob, ROWS)
        assert self.get(f"{self.base}/runs/{run.uuid}/rows", sort="nope").status_code == 422
        assert self.post(f"{self.base}/runs/{run.uuid}/rows/99/timeline").status_code == 422

    def test_outsiders_get_404_and_readers_403_on_writes(self) -> None:
        run = done_run(self.case, self.bob, ROWS)
        one = f"{self.base}/runs/{run.uuid}"
        reads = [f"{self.base}/runs", one, f"{one}/rows", f"{one}/rows/1"]
        ask = {"source": "case", "kql": "x"}
        writes = [
            (f"{self.base}/runs", ask), (f"{self.base}/preview", ask), (f"{one}/cancel", None), (f"{one}/retry", None),
            (f"{self.base}/packs/device-triage", {"source": "case"}),
            (f"{one}/conclusion", {"verdict": "benign", "sentence": "x"}),
            (f"{one}/rows/1/timeline", None), (f"{one}/rows/1/assets", {"kind": "device", "name": "x"}),
            (f"{one}/rows/1/indicators", {"kind": "ip", "value": "1.2.3.4"}),
        ]  # fmt: skip
        self.act_as(self.mallory)
        assert {self.get(url).status_code for url in reads} == {404}
        assert {self.post(url, body).status_code for url, body in writes} == {404}
        self.act_as(self.carol)
        assert {self.get(url).status_code for url in reads} == {200}
        assert {self.post(url, body).status_code for url, body in writes} == {403}
        self.headers = {}
        assert {self.get(url).status_code for url in reads} == {401}
