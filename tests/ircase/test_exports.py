"""Rows as files, pivots from a row, and a value across the case's tables, through the pages."""

import io
import json
import zipfile
from pathlib import Path
from unittest import mock

from django.urls import reverse

from ircase import grid, recognition
from ircase.models import Asset, CustodyEntry, Event, Indicator
from ircase.services.identity import people
from ircase.services.transfer import exports
from ircase.views.cells import kql_filter
from kql.types import Column
from tests.cast import CastTestCase, make_evidence
from tests.world import make_table

ROWS = [
    {"Timestamp": f"2026-11-20T10:00:0{number}Z", "DeviceName": name}
    for number, name in enumerate(("ws-07", "=cmd|'/c calc'!A1", "@x", "198.51.100.7", "", "T1059.001"))
]


class TableTestCase(CastTestCase):
    def setUp(self) -> None:
        self.item = make_evidence(self.case, self.alice)
        self.table = make_table(self.item, ROWS, name="../Odd:Name")
        self.sign_in(self.bob)

    def url(self, name: str, *args: object) -> str:
        return reverse(f"ircase:{name}", args=[self.case.reference, *args])

    def taken(self, query: str) -> tuple[str, bytes]:
        reply = self.client.get(f"{self.url('table_export', self.table.uuid)}?{query}")
        assert reply.status_code == 200, reply
        return reply["Content-Disposition"], b"".join(reply)


class ExportTests(TableTestCase):
    def test_csv_is_formula_safe_and_the_name_holds_no_path(self) -> None:
        name, content = self.taken("format=csv&c=DeviceName&o=present&v=&sort=-Timestamp")
        assert name == f'attachment; filename="{self.case.reference}_E001_.._Odd_Name.csv"'
        lines = content.decode("utf-8-sig").split("\r\n")
        assert lines[0] == "Timestamp,DeviceName"
        assert [line.split(",", 1)[1] for line in lines[1:-1]] == [
            "T1059.001", "198.51.100.7", "'@x", "'=cmd|'/c calc'!A1", "ws-07",
        ]  # fmt: skip

    def test_ndjson_and_parquet_are_the_record(self) -> None:
        _, content = self.taken("format=ndjson")
        assert [json.loads(line)["DeviceName"] for line in content.splitlines()] == [row["DeviceName"] for row in ROWS]
        _, whole = self.taken("format=parquet")
        assert whole == self.table.path.read_bytes()
        _, part = self.taken("format=parquet&c=DeviceName&o=contains&v=ws")
        out = Path(self.table.path).with_suffix(".part")
        out.write_bytes(part)
        assert [
            row.cells[1]
            for row in grid.page(out, (Column("Timestamp", "datetime"), Column("DeviceName", "string"))).rows
        ] == ["ws-07"]

    def test_excel_keeps_texts_as_texts(self) -> None:
        _, content = self.taken("format=xlsx")
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in sheet
        assert "=cmd|&#39;/c calc&#39;!A1" in sheet or "=cmd|'/c calc'!A1" in sheet
        assert sheet.count("<row ") == 7

    def test_what_a_sheet_cannot_hold_is_said_and_not_cut(self) -> None:
        with mock.patch.object(exports, "SHEET_ROWS", 6):
            reply = self.client.get(self.url("table_export", self.table.uuid) + "?format=xlsx", follow=True)
        self.assertContains(reply, "An Excel sheet holds 5 rows below its header; these are 6.")
        assert not CustodyEntry.objects.filter(action="exported").exists()

    def test_custody_knows_before_the_first_byte(self) -> None:
        reply = self.client.get(self.url("table_export", self.table.uuid) + "?format=csv")
        entry = CustodyEntry.objects.get(action="exported")
        assert entry.actor == self.bob
        assert entry.detail["format"] == "csv"
        assert b"".join(reply).count(b"\r\n") == len(ROWS) + 1
        reply = self.client.get(self.url("table_export", self.table.uuid) + "?format=exe", follow=True)
        self.assertContains(reply, "Rows are exported as CSV, Excel, NDJSON, Parquet.")

    def test_shown_columns_alone(self) -> None:
        self.client.post(self.url("table_look", self.table.uuid), {"show": "DeviceName", "next": "//evil.example"})
        _, content = self.taken("format=csv&columns=shown")
        assert content.startswith(b"\xef\xbb\xbfDeviceName\r\n")


class LookTests(TableTestCase):
    def test_a_look_is_kept_for_the_person_and_never_leads_elsewhere(self) -> None:
        address = self.url("table", self.table.uuid)
        for wanted, leads in (
            ("//evil.example/", address),
            ("https://evil.example/", address),
            (f"{address}?page=1", f"{address}?page=1"),
        ):
            reply = self.client.post(
                self.url("table_look", self.table.uuid), {"show": ["DeviceName", "Nope"], "next": wanted}
            )
            assert reply["Location"] == leads
        reply = self.client.get(address)
        assert [column["name"] for column in reply.context["columns"]] == ["DeviceName"]
        self.client.post(self.url("table_look", self.table.uuid), {"every": "1", "pin": "DeviceName"})
        assert [c["name"] for c in self.client.get(address).context["columns"]] == ["Timestamp", "DeviceName"]
        self.client.post(
            self.url("table_look", self.table.uuid), {"show": ["Timestamp", "DeviceName"], "pin": "DeviceName"}
        )
        assert [c["name"] for c in self.client.get(address).context["columns"]] == ["DeviceName", "Timestamp"]
        self.sign_in(self.carol)
        assert [c["name"] for c in self.client.get(address).context["columns"]] == ["Timestamp", "DeviceName"]

    def test_times_between_rows_where_a_time_is_sorted(self) -> None:
        reply = self.client.get(self.url("table", self.table.uuid), {"sort": "Timestamp"})
        rows = reply.context["rows"]
        assert [(row.since, row.until) for row in rows[:2]] == [("", "1 s"), ("1 s", "1 s")]
        assert rows[-1].until == ""
        assert not self.client.get(self.url("table", self.table.uuid), {"sort": "DeviceName"}).context["gaps"]

    def test_statistics_lead_to_their_rows(self) -> None:
        reply = self.client.get(self.url("table_statistics", self.table.uuid), {"column": "DeviceName"})
        for one in reply.context["top"]:
            assert self.client.get(one["url"]).context["grid"].matched == one["count"]
        reply = self.client.get(self.url("table_statistics", self.table.uuid), {"column": "Nope"})
        assert reply.status_code == 422


class PivotTests(TableTestCase):
    def test_a_row_becomes_findings_with_the_way_back(self) -> None:
        address = self.url("table_row", self.table.uuid, 4)
        self.client.post(address, {"add": "indicator", "kind": "ip", "value": "198.51.100.7"})
        self.client.post(address, {"add": "asset", "kind": "device", "name": "WS-07"})
        self.client.post(
            address, {"add": "timeline", "at": "2026-11-20T10:00:03Z", "title": "Seen", "lane": "attacker"}
        )
        origin = {"evidence": str(self.item.uuid), "exhibit": "E001", "table": "../Odd:Name", "row": 4}
        for model in (Indicator, Asset, Event):
            assert model.objects.get(case=self.case).provenance == origin
        assert Event.objects.get().row["DeviceName"] == "198.51.100.7"
        self.assertContains(self.client.get(address), "Taken into the case already")

    def test_chosen_rows_become_indicators_each_once(self) -> None:
        address = self.url("table_bulk", self.table.uuid)
        form = {"rows": ["4", "5", "1", "4"], "column": "DeviceName", "kind": "", "verdict": "malicious"}
        reply = self.client.post(address, form, follow=True)
        self.assertContains(reply, "2 indicators added, 1 row without a value.")
        found = {one.value: (one.kind, one.verdict, one.provenance["row"]) for one in Indicator.objects.all()}
        assert found == {"198.51.100.7": ("ip", "malicious", 4), "ws-07": ("other", "malicious", 1)}
        reply = self.client.post(address, {**form, "kind": "sha256"}, follow=True)
        self.assertContains(reply, "2 refused")
        for wrong in ({"rows": []}, {"rows": ["x"]}, {"rows": ["4"], "column": "Nope"}):
            self.client.post(address, {**form, **wrong})
        assert Indicator.objects.count() == 2

    def test_a_value_is_found_across_the_tables_of_this_case_alone(self) -> None:
        make_table(make_evidence(self.secret_case, self.alice, b"s"), [{"DeviceName": "198.51.100.7"}])
        make_table(make_evidence(self.case, self.alice, b"2"), [{"DeviceName": "to 198.51.100.7:443"}], name="Second")
        reply = self.client.get(self.url("find"), {"q": "198.51.100.7"})
        hits = {hit.table.name: hit.places for hit in reply.context["hits"]}
        assert set(hits) == {"../Odd:Name", "Second"}
        for places in hits.values():
            assert self.client.get(places[0].url).context["grid"].matched == places[0].rows == 1
        with mock.patch("ircase.services.analysis.valuesearch.SECONDS", 0.0):
            self.assertContains(
                self.client.get(self.url("find"), {"q": "x"}), "not searched: the time for one question was over"
            )

    def test_what_a_cell_is(self) -> None:
        said = [
            ("DeviceName", "WS-07.contoso.com", [("asset", "device", "ws-07.contoso.com")]),
            ("RemoteIP", "198.51.100.7", [("indicator", "ip", "198.51.100.7")]),
            ("LocalIP", "127.0.0.1", []),
            ("SHA256", "AB" * 32, [("indicator", "sha256", "ab" * 32)]),
            ("AccountUpn", "b@c.com", [("asset", "account", "b@c.com"), ("indicator", "email", "b@c.com")]),
            ("AccountName", "SYSTEM", []),
            ("Technique", "T1059.001", [("technique", "technique", "T1059.001")]),
            ("RegistryKey", r"HKLM\SOFTWARE\Run", [("indicator", "registry", r"HKLM\SOFTWARE\Run")]),
            ("RemoteUrl", "https://evil.example/x", [("indicator", "url", "https://evil.example/x")]),
            ("ProcessCommandLine", "cmd /c x", [("indicator", "process", "cmd /c x")]),
            ("Ports", [1, None, {}], []),
        ]  # fmt: skip
        for column, cell, wanted in said:
            found = [(one.role, one.kind, one.value) for one in recognition.entities(column, cell)]
            assert found == wanted, column

    def test_a_cell_as_a_kql_filter(self) -> None:
        said = [
            (Column("DeviceName", "string"), 'a"b\\', r'| where DeviceName == "a\"b\\"'),
            (Column("by", "string"), "x", '| where ["by"] == "x"'),
            (Column("odd name", "long"), 3, '| where ["odd name"] == long(3)'),
            (Column("Count", "long"), None, "| where isnull(Count)"),
            (Column("At", "datetime"), "2026-11-20T10:00:00Z", "| where At == datetime(2026-11-20T10:00:00.0000000Z)"),
            (Column("Fields", "dynamic"), {"a": 1}, '| where tostring(Fields) == "{\\"a\\":1}"'),
            (Column("Score", "real"), "NaN", "| where isnan(Score)"),
        ]  # fmt: skip
        for column, cell, wanted in said:
            assert kql_filter(column, cell) == wanted


def test_a_formula_becomes_text_and_a_number_stays_one() -> None:
    texts = ("=1", "+1", "-1.5", "-1+cmd", "@a", "\ta", "a=1", "")
    assert [exports.safe_cell(text) for text in texts] == ["'=1", "+1", "-1.5", "'-1+cmd", "'@a", "'\ta", "a=1", ""]


class ApiExportTests(CastTestCase):
    def test_every_format_over_the_api_and_custody_hears_of_it(self) -> None:
        item = make_evidence(self.case, self.bob)
        table = make_table(item, [{"Timestamp": f"2026-11-20T10:00:0{n}Z", "DeviceName": f"ws-{n}"} for n in range(4)])
        _, token = people.create_token(user=self.carol, name="export")
        path = f"/api/v1/cases/{self.case.reference}/tables/{table.uuid}/export"
        headers = {"Authorization": f"Bearer {token}"}
        starts = {"csv": b"\xef\xbb\xbfTimestamp", "ndjson": b'{"Timestamp"', "xlsx": b"PK", "parquet": b"PAR1"}
        for kind, start in starts.items():
            reply = self.client.get(path, {"format": kind}, headers=headers)
            assert b"".join(reply.streaming_content).startswith(start), kind
            assert reply["Content-Disposition"].endswith(f'.{kind}"')
        asked = {"format": "ndjson", "column": "DeviceName", "operator": "equals", "value": "ws-2"}
        asked["columns"] = "DeviceName"
        reply = self.client.get(path, asked, headers=headers)
        assert b"".join(reply.streaming_content) == b'{"DeviceName":"ws-2"}\n'
        assert item.custody.filter(action="exported").count() == 5
        assert self.client.get(path, {"format": "exe"}, headers=headers).status_code == 422
        _, stranger = people.create_token(user=self.mallory, name="export")
        assert self.client.get(path, headers={"Authorization": f"Bearer {stranger}"}).status_code == 404
