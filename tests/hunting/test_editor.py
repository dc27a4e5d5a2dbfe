"""What the KQL editor is told: schemas, findings, constants with their places, values as literals; and who is told."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

import kql
from hunting import catalogue
from hunting.models import Source
from hunting.services import sourcetables
from hunting.values import ParameterError, parse_type
from hunting.views import editing
from ircase.models import Case
from ircase.services.analysis import findings
from kql.catalogue import INFO, TABLES
from kql.syntax import parser
from tests.cast import CastTestCase
from tests.hunting.stage import make_table

ROWS = [{"Timestamp": "2026-11-20T10:00:00Z", "DeviceName": "ws-07", "Zorbulator": "1"}]


class EditorTestCase(CastTestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        make_table(cls.case, cls.alice, "DeviceEvents", ROWS)
        make_table(cls.case, cls.alice, "Amcache", [{"Path": "C:\\x.exe"}])

    def url(self, name: str, case: Case | None = None) -> str:
        return reverse(f"hunting:{name}", args=[(case or self.case).reference])


def _call(hunt: dict[str, Any]) -> str:
    return f"{hunt['name']}({', '.join(value for _, value in hunt['arguments'])})"


class SchemaTests(EditorTestCase):
    def schema(self, source: str) -> dict[str, Any]:
        self.sign_in(self.bob)
        found: dict[str, Any] = self.client.get(self.url("schema"), {"source": source}).json()
        return found

    def columns(self, source: str, table: str) -> dict[str, str]:
        return dict(next(t["columns"] for t in self.schema(source)["tables"] if t["name"] == table))

    def test_a_cases_own_tables_have_the_columns_a_query_sees(self) -> None:
        assert [t["name"] for t in self.schema("case")["tables"]] == ["Amcache", "DeviceEvents"]
        columns = self.columns("case", "DeviceEvents")
        assert columns["Zorbulator"] == "string"
        assert columns["ActionType"] == "string", "Microsoft's columns that no row filled are there, empty"
        assert columns["Timestamp"] == columns["TimeGenerated"] == "datetime"
        assert list(self.columns("case", "Amcache")) == ["Path"]

    def test_a_tenant_has_the_tables_of_its_service(self) -> None:
        for source, families in (("defender", {"defender", "both"}), ("loganalytics", {"sentinel", "both"})):
            schema = self.schema(source)
            assert {t["name"] for t in schema["tables"]} == {n for n, i in INFO.items() if i.family in families}
            assert not schema["complete"]
        assert self.columns("defender", "DeviceProcessEvents")["ProcessId"] == "long"

    def test_hunts_are_functions_that_the_reader_of_kql_accepts(self) -> None:
        for source in (Source.DEFENDER, Source.LOG_ANALYTICS):
            hunts = self.schema(source)["hunts"]
            assert len(hunts) == sum(source in hunt.sources for hunt in catalogue.hunts().values())
            for hunt in hunts:
                query = parser.parse(f"{hunt['definition']}\n{_call(hunt)}\n| take 1")
                assert [let.name for let in query.lets] == [hunt["name"]]

    def test_a_case_is_offered_no_function_that_its_engine_would_refuse(self) -> None:
        for hunt in self.schema("case")["hunts"]:
            assert kql.validate(f"{hunt['definition']}\n{_call(hunt)}", TABLES) == (), hunt["name"]

    def test_the_browser_keeps_it_until_it_changes(self) -> None:
        self.sign_in(self.bob)
        first = self.client.get(self.url("schema"), {"source": "case"})
        assert "private" in first["Cache-Control"]
        again = self.client.get(self.url("schema"), {"source": "case"}, headers={"If-None-Match": first["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        make_table(self.case, self.alice, "DeviceInfo", ROWS)
        changed = self.client.get(self.url("schema"), {"source": "case"}, headers={"If-None-Match": first["ETag"]})
        assert changed.status_code == 200

    def test_an_unknown_source_is_refused(self) -> None:
        self.sign_in(self.bob)
        assert self.client.get(self.url("schema"), {"source": "elsewhere"}).status_code == 400

    def test_outsiders_learn_nothing(self) -> None:
        for person, case in ((self.mallory, self.case), (self.carol, self.secret_case), (self.bob, self.secret_case)):
            self.sign_in(person)
            assert self.client.get(self.url("schema", case), {"source": "case"}).status_code == 404
            for name in ("check", "value"):
                assert self.client.post(self.url(name, case), {"source": "case", "kql": "x"}).status_code == 404

    def test_a_reader_may_see_the_schema_and_not_use_the_engine(self) -> None:
        self.sign_in(self.carol)
        assert self.client.get(self.url("schema"), {"source": "case"}).status_code == 200
        assert self.client.post(self.url("check"), {"source": "case", "kql": "x"}).status_code == 403


class CheckTests(EditorTestCase):
    def check(self, text: str, source: str = "case") -> dict[str, Any]:
        self.sign_in(self.bob)
        found: dict[str, Any] = self.client.post(self.url("check"), {"source": source, "kql": text}).json()
        return found

    def test_what_the_engine_cannot_run_is_said_at_its_place(self) -> None:
        (found,) = self.check("DeviceEvents\n| evaluate autocluster()")["findings"]
        assert found["line"] == 2
        assert found["message"]

    def test_columns_count_as_browsers_count(self) -> None:
        (found,) = self.check('DeviceEvents | where DeviceName == "😀" and Frobnicator == 1')["findings"]
        assert "Frobnicator" in found["message"]
        assert found["column"] == len('DeviceEvents | where DeviceName == "xx" and ') + 1

    def test_a_good_query_a_tenants_query_and_none_have_no_findings(self) -> None:
        assert self.check("DeviceEvents | take 1")["findings"] == []
        assert self.check("NoSuchTable | frobnicate", "defender")["findings"] == []
        assert self.check("")["findings"] == []

    def test_what_is_no_query_is_refused(self) -> None:
        self.sign_in(self.bob)
        for text, source in (("x" * 100_001, "case"), ("a\x00", "case"), ("x", "elsewhere")):
            assert self.client.post(self.url("check"), {"source": source, "kql": text}).status_code == 422

    def constants(self, text: str) -> dict[str, Any]:
        """By name, each with the texts at its places."""
        units = text.encode("utf-16-le")
        return {
            c["name"]: c | {"texts": [units[2 * start : 2 * end].decode("utf-16-le") for start, end in c["places"]]}
            for c in self.check(text)["constants"]
        }

    def test_lets_placeholders_and_compared_texts_are_found_where_they_stand(self) -> None:
        findings.add_asset(case=self.case, actor=self.alice, kind="device", name="ws-07")
        found = self.constants(
            'let device = "ws-😀"; // who\nlet Span = 3d;\nDeviceEvents\n| where DeviceName in (device, "{HostName}")\n'
            f'| where Timestamp > ago(Span) and SHA256 == "{"a" * 64}" and DeviceId == "{{DeviceId}}"'
        )
        texts = {name: constant["texts"] for name, constant in found.items()}
        assert ['"ws-😀"'] in texts.values()
        assert ["3d"] in texts.values()
        assert ['"{HostName}"'] in texts.values()
        assert ['"{DeviceId}"'] in texts.values()
        assert [f'"{"a" * 64}"'] in texts.values()
        hosts = [c for c in found.values() if c["texts"] == ['"{HostName}"']]
        assert [(c["kind"], c["known"]) for c in hosts] == [("device_name", ["ws-07"])]

    def test_half_a_query_says_nothing_of_constants(self) -> None:
        assert self.check('let device = "ws01"; DeviceEvents | where ')["constants"] is None
        assert self.check("DeviceEvents | take 1")["constants"] == []


class ValueTests(EditorTestCase):
    def test_a_value_becomes_one_literal_in_one_spelling(self) -> None:
        self.sign_in(self.bob)
        for kind, value, wanted in (
            ("device_name", "WS-07", '"ws-07"'),
            ("string", 'a"; drop', '"a\\"; drop"'),
            ("list[ip]", "203[.]0.113.7\n192.0.2.1", 'dynamic(["203.0.113.7", "192.0.2.1"])'),
            ("datetime", "now", "now()"),
        ):
            answer = self.client.post(self.url("value"), {"kind": kind, "value": value})
            assert answer.json() == {"literal": wanted}

    def test_a_value_that_does_not_fit_is_refused_in_words(self) -> None:
        self.sign_in(self.bob)
        for kind, value in (("sha256", "abc"), ("sha256", ""), ("frob", "x")):
            answer = self.client.post(self.url("value"), {"kind": kind, "value": value})
            assert answer.status_code == 422
            assert answer.json()["error"]


@given(st.text(max_size=200))
@pytest.mark.parametrize("kind", ["string", "timespan", "list[string]"])
def test_no_value_becomes_more_than_one_literal(kind: str, text: str) -> None:
    try:
        written = editing.written(parse_type(kind), text)
    except ParameterError:
        return
    assert len(parser.parse(f"let x = {written};\nT").lets) == 1


def test_the_schemas_stay_small() -> None:
    known = sourcetables.seen(None, Source.DEFENDER).tables
    assert len(json.dumps([asdict(one) for one in known])) < 200_000
