"""Two runs compared, many rows as indicators, and the hunts for a value, over the API."""

from typing import Any

from hunting.models import HuntRun
from ircase.models import CaseRole, Indicator
from ircase.services import cases
from tests.hunting.stage import done_run
from tests.ircase.test_api import ApiTestCase

ROWS: list[dict[str, Any]] = [
    {"Timestamp": f"2026-11-20T17:0{n}:00Z", "DeviceName": f"ws{n}", "RemoteIP": f"203.0.113.{n}", "ProcessId": n}
    for n in range(4)
]


class CompareApiTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = self.bob
        self.was = done_run(self.case, self.bob, ROWS)

    def path(self, run: HuntRun, rest: str = "") -> str:
        return self.case_path(f"/hunts/runs/{run.uuid}{rest}")

    def compare(self, run: HuntRun, **asked: str) -> Any:
        token_path = self.path(run, "/comparison")
        return self.call("get", token_path + "?" + "&".join(f"{name}={value}" for name, value in asked.items()))

    def later(self) -> HuntRun:
        rows = [{**ROWS[0], "ProcessId": 99}, *ROWS[1:3], {**ROWS[3], "DeviceName": "=ws9"}]
        return done_run(self.case, self.bob, rows)

    def test_new_gone_and_changed_whichever_is_asked(self) -> None:
        alone = self.compare(self.was)
        assert (alone.status_code, alone.json()["type"]) == (409, "urn:ircase:problem:conflict")
        now = self.later()
        for start in (self.was, now):
            found = self.compare(start, key="DeviceName").json()
            assert (found["before"], found["after"]) == (str(self.was.uuid), str(now.uuid))
            counts = [found[name] for name in ("new", "gone", "changed", "same", "total")]
            assert counts == [1, 1, 1, 2, 3]
        (gone,) = self.compare(now, key="DeviceName", kind="gone").json()["items"]
        assert (gone["key"], gone["before"], gone["after"], gone["rows_before"]) == (["ws3"], 4, None, 1)
        changed = next(one for one in found["items"] if one["kind"] == "changed")
        assert changed["cells"] == [{"column": "ProcessId", "before": "0", "after": "99"}]
        page = self.compare(now, key="DeviceName", limit="1", offset="1").json()
        assert (len(page["items"]), page["total"]) == (1, 3)
        for run in (self.was, now):
            assert run.evidence is not None and run.evidence.custody.filter(action="viewed", actor=self.bob).exists()
        assert self.compare(now, kind="odd").status_code == 422

    def test_only_runs_of_the_same_hunt_and_case(self) -> None:
        now, other = self.later(), done_run(self.case, self.bob, ROWS, "DeviceEvents")
        self.secret_case.connection = self.connection
        self.secret_case.save(update_fields=["connection"])
        foreign = done_run(self.secret_case, self.alice, ROWS)
        listed = self.call("get", self.path(now, "/comparison/runs")).json()
        assert [one["uuid"] for one in listed["items"]] == [str(self.was.uuid)]
        for wrong in (other.uuid, foreign.uuid, now.uuid, "00000000-0000-4000-8000-000000000000"):
            assert self.compare(now, against=str(wrong)).status_code == 404
        assert self.compare(now, against=str(self.was.uuid)).status_code == 200
        assert self.compare(foreign).status_code == 404

    def test_all_changes_as_a_file(self) -> None:
        now = self.later()
        reply = self.call("get", self.path(now, "/comparison/file?key=DeviceName&kind=new"))
        lines = b"".join(reply.streaming_content).decode("utf-8-sig").split("\r\n")
        assert lines[:2] == ["Change,DeviceName,Row before,Row after,Columns,Before,After", "new,'=ws9,,4,,,"]
        assert now.evidence is not None and now.evidence.custody.filter(action="exported", actor=self.bob).exists()

    def test_one_column_of_many_rows_as_indicators(self) -> None:
        body = {"rows": [1, 2, 2, 99], "column": "RemoteIP"}
        taken = self.call("post", self.path(self.was, "/indicators"), body)
        assert taken.json() == {"new": 2, "known": 0, "empty": 0, "refused": []}
        one = Indicator.objects.get(case=self.case, value="203.0.113.1")
        assert (one.kind, one.provenance["run"], one.provenance["row"]) == ("ip", str(self.was.uuid), 2)
        again = self.call("post", self.path(self.was, "/indicators"), {**body, "kind": "md5", "rows": [1, 3]})
        assert again.json()["new"] == 0 and len(again.json()["refused"]) == 2
        for wrong in ({"column": "Nope"}, {"rows": []}, {"kind": "odd"}, {"rows": [1] * 2001}):
            assert self.call("post", self.path(self.was, "/indicators"), body | wrong).status_code == 422

    def test_hunts_that_take_a_value(self) -> None:
        found = self.call("get", self.case_path(f"/hunts/suiting?kind=sha256&value={'ab' * 32}")).json()["items"]
        assert [(one["hunt"], bool(one["parameter"])) for one in found] == [("file-activity", True)]
        by = self.call("get", self.case_path("/hunts/suiting?kind=technique&value=T1547.001")).json()["items"]
        assert ("registry-run-keys", "") in {(one["hunt"], one["parameter"]) for one in by}
        assert self.call("get", self.case_path("/hunts/suiting?kind=odd&value=x")).status_code == 422
        assert self.call("get", self.case_path("/hunts/suiting?kind=device")).status_code == 422

    def test_who_may(self) -> None:
        now = self.later()
        doors = [
            ("get", self.path(now, "/comparison"), None, 200),
            ("get", self.path(now, "/comparison/runs"), None, 200),
            ("get", self.path(now, "/comparison/file"), None, 200),
            ("get", self.case_path("/hunts/suiting?kind=device&value=ws1"), None, 403),
            ("post", self.path(now, "/indicators"), {"rows": [1], "column": "RemoteIP"}, 403),
        ]
        self.user = self.mallory
        for method, path, body, _ in doors:
            assert self.call(method, path, body).status_code == 404, path
            unknown = path.replace(self.case.reference, "IR-2000-0001")
            assert self.call(method, unknown, body).status_code == 404, path
        cases.set_member(case=self.case, actor=self.alice, user=self.mallory, role=CaseRole.VIEWER)
        for method, path, body, status in doors:
            assert self.call(method, path, body).status_code == status, path
        assert not Indicator.objects.filter(case=self.case).exists()
