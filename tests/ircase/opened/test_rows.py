"""Rows of a table into findings by the API, and where a value stands."""

import json
from typing import Any
from unittest import mock

from ircase import tasks
from ircase.models import Asset, Event, Indicator, RowTake
from ircase.services.analysis import mapping
from tests.cast import make_evidence
from tests.ircase.test_api import ApiTestCase
from tests.world import make_table

ROWS = [{"Timestamp": f"2026-11-20T10:00:0{n}Z", "DeviceName": f"ws-0{n}"} for n in range(1, 4)]


class RowsTestCase(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        item = make_evidence(self.case, self.alice, json.dumps(ROWS).encode(), name="rows.ndjson")
        self.table = make_table(item, ROWS)
        self.path = self.case_path(f"/tables/{self.table.uuid}")


class OneRowTests(RowsTestCase):
    def test_one_row_in_full(self) -> None:
        said = self.call("get", f"{self.path}/rows/2").json()
        assert (said["number"], said["row"]["DeviceName"], said["star"]) == (2, "ws-02", None)
        assert said["at"] == "2026-11-20T10:00:02Z" and said["title"] == "DeviceEvents: Row on ws-02"
        for number in (0, 4, 10**30):
            assert self.call("get", f"{self.path}/rows/{number}").status_code == 404

    def test_a_row_becomes_an_event_an_asset_and_an_indicator(self) -> None:
        event = self.call("post", f"{self.path}/rows/1/timeline", {"technique": "T1059.001"})
        assert event.status_code == 201 and event.json()["at"] == "2026-11-20T10:00:01Z"
        assert Event.objects.get().provenance["row"] == 1
        for status in (201, 200):
            made = self.call("post", f"{self.path}/rows/1/assets", {"kind": "device", "name": "ws-01"})
            assert made.status_code == status
        found = self.call(
            "post", f"{self.path}/rows/1/indicators", {"kind": "domain", "value": "ws-01.contoso.example"}
        )
        assert found.status_code == 201 and Indicator.objects.get().provenance["table"] == "DeviceEvents"
        assert self.call("post", f"{self.path}/rows/9/timeline", {}).status_code == 422
        assert self.call("post", f"{self.path}/rows/1/timeline", {"technique": "all"}).status_code == 422

    def test_readers_take_nothing_and_strangers_see_nothing(self) -> None:
        wishes: dict[str, Any] = {
            "/rows/1/timeline": {}, "/rows/1/assets": {"kind": "device", "name": "x"},
            "/rows/1/indicators": {"kind": "ip", "value": "192.0.2.1"},
            "/indicators": {"numbers": [1], "column": "DeviceName"}, "/mapping": {}, "/mapping/preview": {},
        }  # fmt: skip
        for user, status in ((self.carol, 403), (self.mallory, 404)):
            self.user = user
            assert [self.call("post", f"{self.path}{end}", wish).status_code for end, wish in wishes.items()] == [
                status
            ] * len(wishes)
        self.user = self.alice
        for end, wish in wishes.items():
            assert self.call("post", f"/cases/IR-2000-0001/tables/{self.table.uuid}{end}", wish).status_code == 404
        assert not Event.objects.exists() and not Asset.objects.exists() and not Indicator.objects.exists()


class ManyRowsTests(RowsTestCase):
    def test_one_column_as_indicators(self) -> None:
        wish = {"numbers": [1, 2, 2], "column": "DeviceName", "kind": "other"}
        assert self.call("post", f"{self.path}/indicators", wish).json() == {
            "new": 2, "known": 0, "empty": 0, "refused": []
        }  # fmt: skip
        assert self.call("post", f"{self.path}/indicators", {"numbers": [1], "column": "Nothing"}).status_code == 422
        assert self.call("post", f"{self.path}/indicators", {"numbers": [], "column": "DeviceName"}).status_code == 422

    def test_a_mapping_is_offered_looked_at_and_taken(self) -> None:
        offer = self.call("get", f"{self.path}/mapping").json()
        assert offer["guesses"] == {"DeviceName": "asset:device"} and "indicator:ip" in offer["targets"]
        wish = {
            "columns": offer["guesses"], "time": "Timestamp", "title": "Seen on {DeviceName}",
            "conditions": [{"column": "DeviceName", "operator": "contains", "value": "ws-0"}],
        }  # fmt: skip
        seen = self.call("post", f"{self.path}/mapping/preview", wish).json()
        counts = {one["label"]: one["new"] for one in seen["counts"]}
        assert (seen["rows"], counts) == (3, {"Asset: Device": 3, "Events": 3})
        assert not Asset.objects.exists() and not Event.objects.exists()
        taken = self.call("post", f"{self.path}/mapping", wish)
        assert (taken.status_code, taken.json()["take"]) == (200, None)
        assert sorted(Event.objects.values_list("title", flat=True))[0] == "Seen on ws-01"
        again = self.call("post", f"{self.path}/mapping", {**wish, "numbers": [1]}).json()["counts"]
        assert {(one["new"], one["known"]) for one in again} == {(0, 1)}

    def test_many_rows_are_taken_by_a_worker(self) -> None:
        with mock.patch.object(mapping, "AT_ONCE", 2):
            asked = self.call("post", f"{self.path}/mapping", {"columns": {"DeviceName": "asset:device"}})
        assert (asked.status_code, asked.json()["rows"]) == (202, 3)
        path = self.case_path(f"/row-takes/{asked.json()['take']}")
        assert self.call("get", path).json()["state"] == "queued"
        tasks.take_rows(RowTake.objects.get().pk)
        said = self.call("get", path).json()
        assert (said["state"], said["rows"], said["counts"][0]["new"]) == ("done", 3, 3)
        self.user = self.mallory
        assert self.call("get", path).status_code == 404

    def test_a_mapping_of_nothing_or_of_what_is_not_there_is_refused(self) -> None:
        for wish in ({}, {"columns": {"Nothing": "asset:device"}}, {"columns": {"DeviceName": "asset:ship"}},
                     {"time": "DeviceName", "title": "x"}):  # fmt: skip
            assert self.call("post", f"{self.path}/mapping", wish).status_code == 422


class ValueTests(RowsTestCase):
    def test_where_a_value_stands(self) -> None:
        said = self.call("get", self.case_path("/table-search?q=WS-03")).json()
        (one,) = said["tables"]
        assert (said["searched"], one["table"], one["exhibit"]) == (1, str(self.table.uuid), "E001")
        assert one["places"] == [{"column": "DeviceName", "rows": 1, "operator": "contains"}]
        assert self.call("get", self.case_path("/table-search?q=nobody")).json()["tables"] == []
        assert self.call("get", self.case_path("/table-search?q=%20")).status_code == 422
        self.user = self.mallory
        assert self.call("get", self.case_path("/table-search?q=WS-03")).status_code == 404
        assert self.call("get", self.case_path("/table-search")).status_code == 404
