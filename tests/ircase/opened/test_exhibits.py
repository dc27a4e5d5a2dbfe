"""The picture of an exhibit, and how a file of rows is read, by the API."""

import io
from typing import Any

from django.test import override_settings
from PIL import Image

from ircase import tasks
from ircase.models import CaseTable, LogEntry, ParseJob, Preview
from ircase.services.analysis import tables
from tests.cast import make_evidence
from tests.ircase.test_api import ApiTestCase

ROWS = b"When;Host;Count\n2026-07-15 12:00:00;ws-1;5\n2026-07-15 12:00:01;ws-2;n/a\n"


class PictureTests(ApiTestCase):
    def test_a_picture_is_drawn_anew_and_fetched(self) -> None:
        source = io.BytesIO()
        Image.new("RGB", (30, 20), "blue").save(source, "GIF")
        item = make_evidence(self.case, self.alice, source.getvalue() + b"<script>", name="x.gif")
        path = self.case_path(f"/evidence/{item.uuid}/picture")
        assert self.call("get", path).status_code == 409, "nobody had it drawn"
        self.call("get", self.case_path(f"/evidence/{item.uuid}/looks/image"))
        tasks.make_preview(Preview.objects.get().pk)
        reply = self.call("get", path)
        assert (reply.status_code, reply["Content-Type"]) == (200, "image/png")
        assert reply.content.startswith(b"\x89PNG") and b"<script>" not in reply.content
        assert "no-store" in reply["Cache-Control"]
        self.user = self.mallory
        assert self.call("get", path).status_code == 404
        assert self.call("get", f"/cases/IR-2000-0001/evidence/{item.uuid}/picture").status_code == 404


# On PostgreSQL the pulse of a job cannot see what the test's transaction holds: it must not come before the job ends.
@override_settings(FIRST_BEAT_SECONDS=60.0)
class FileTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        item = make_evidence(self.case, self.alice, ROWS, name="fw.csv")
        self.job = tables.queue_parse(evidence=item, actor=self.alice)
        self.path = self.case_path(f"/evidence/{item.uuid}/import/files")
        self.read()

    def read(self) -> None:
        tasks.parse_evidence(self.job.pk)
        assert ParseJob.objects.get().state == "done", ParseJob.objects.get().reason

    def file(self) -> dict[str, Any]:
        (found,) = self.call("get", self.path).json()["items"]
        return dict(found)

    def test_it_is_shown_as_it_was_found(self) -> None:
        found = self.file()
        assert (found["number"], found["kind"], found["rows"], found["asks_zone"]) == (1, "csv", 2, True)
        assert (found["layout"]["delimiter"], found["chosen"], found["zone"]) == (";", False, "")
        assert [one["source"] for one in found["columns"]] == ["When", "Host", "Count"]
        assert found["columns"][0]["naive"] is True and found["sample"][0] == ["2026-07-15 12:00:00", "ws-1", "5"]

    def test_a_zone_and_a_name_are_chosen_and_it_is_read_again(self) -> None:
        wish = {"zone": "Europe/Berlin", "columns": [{"source": "Host", "name": "DeviceName"}], "table": "Firewall log"}
        asked = self.call("put", f"{self.path}/1/types", wish)
        assert (asked.status_code, asked.json()["state"]) == (202, "queued")
        self.read()
        made = CaseTable.objects.get(case=self.case)
        assert made.name == "Firewall_log"
        assert {"When": "datetime", "DeviceName": "string"}.items() <= dict(made.columns).items()
        found = self.file()
        assert (found["chosen"], found["zone"], found["asks_zone"]) == (True, "Europe/Berlin", False)
        assert found["columns"][1]["name"] == "DeviceName"
        assert LogEntry.objects.filter(action="evidence.typed", case=self.case).count() == 1
        again = {"columns": [{"source": "Count", "keep": False}]}
        assert self.call("put", f"{self.path}/1/types", again).status_code == 202
        self.read()
        kept = dict(CaseTable.objects.get(case=self.case).columns)
        assert "Count" not in kept and "DeviceName" in kept, "what was not said stayed"

    def test_a_layout_is_chosen(self) -> None:
        assert self.call("put", f"{self.path}/1/layout", {"header": False, "skip": 1}).status_code == 202
        self.read()
        found = self.file()
        assert (found["layout"]["header"], found["layout"]["skip"], found["rows"]) == (False, 1, 2)

    def test_what_does_not_fit_is_refused_by_field(self) -> None:
        for wish, field in (
            ({"columns": [{"source": "When", "type": "datetime"}]}, "zone"),
            ({"zone": "Mars/Olympus"}, "zone"),
            ({"zone": "UTC", "columns": [{"source": "Nothing", "name": "x"}]}, "columns"),
            ({"zone": "UTC", "columns": [{"source": "Host", "name": "When"}]}, "columns"),
        ):
            reply = self.call("put", f"{self.path}/1/types", wish)
            assert reply.status_code == 422 and field in reply.json()["errors"], reply.content
        assert (
            self.call("put", f"{self.path}/1/types", {"columns": [{"source": "Host", "type": "ship"}]}).status_code
            == 422
        )
        assert self.call("put", f"{self.path}/1/layout", {"encoding": "klingon"}).status_code == 422
        for number in (0, 2, 10**20):
            assert self.call("put", f"{self.path}/{number}/types", {"zone": "UTC"}).status_code == 404
        assert ParseJob.objects.get().choices == {}

    def test_readers_look_and_strangers_do_not(self) -> None:
        self.user = self.carol
        assert self.file()["number"] == 1
        assert self.call("put", f"{self.path}/1/types", {"zone": "UTC"}).status_code == 403
        assert self.call("put", f"{self.path}/1/layout", {"skip": 1}).status_code == 403
        self.user = self.mallory
        assert self.call("get", self.path).status_code == 404
        assert self.call("put", f"{self.path}/1/types", {"zone": "UTC"}).status_code == 404
