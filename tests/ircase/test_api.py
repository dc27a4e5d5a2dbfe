"""The API: tokens, problems, pages, and the main job through it."""

import hashlib
import json
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import timezone

from config.api import api
from ircase.models import ApiToken, Approval, Asset, Case, Evidence, Indicator, Milestone, ParseJob
from ircase.services import approvals, cases
from ircase.services.identity import people
from tests.cast import CastTestCase, make_case, make_evidence
from tests.world import make_table

SCHEMA = api.get_openapi_schema()


class ApiTestCase(CastTestCase):
    def setUp(self) -> None:
        cache.clear()
        self.user = self.alice

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        token = people.create_token(user=self.user, name="test")[1]
        content = {"data": json.dumps(body), "content_type": "application/json"} if body is not None else {}
        headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
        return getattr(self.client, method)(f"/api/v1{path}", **content, headers=headers, **more)

    def case_path(self, rest: str = "") -> str:
        return f"/cases/{self.case.reference}{rest}"


class TokenTests(ApiTestCase):
    def get(self, header: str) -> Any:
        return self.client.get("/api/v1/me", headers={"Authorization": header, "X-Request-ID": "same"})

    def test_a_token_acts_for_its_person(self) -> None:
        token, text = people.create_token(user=self.bob, name="script")
        assert self.get(f"Bearer {text}").json()["username"] == "bob"
        token.refresh_from_db()
        assert token.last_used_at is not None
        assert text not in str(ApiToken.objects.values_list("digest", flat=True))

    def test_using_it_often_writes_once(self) -> None:
        token, text = people.create_token(user=self.bob, name="script")
        self.get(f"Bearer {text}")
        token.refresh_from_db()
        first = token.last_used_at
        self.get(f"Bearer {text}")
        token.refresh_from_db()
        assert token.last_used_at == first

    def test_refused_without_saying_why(self) -> None:
        token, text = people.create_token(user=self.bob, name="script")
        _, late = people.create_token(user=self.bob, name="late", expires_at=timezone.now() + timedelta(days=1))
        ApiToken.objects.filter(name="late").update(expires_at=timezone.now() - timedelta(seconds=1))
        people.revoke_token(token=token, actor=self.bob)
        _, gone = people.create_token(user=self.carol, name="gone")
        self.carol.is_active = False
        self.carol.save(update_fields=["is_active"])
        headers = ("", "Bearer", "Bearer x", f"Bearer {text}", f"Bearer {late}", f"Bearer {gone}", f"Token {text}")
        assert len({self.get(header).content for header in headers}) == 1
        reply = self.get("Bearer x")
        assert (reply.status_code, reply.headers["Content-Type"]) == (401, "application/problem+json")
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")

    def test_a_browser_session_is_no_token(self) -> None:
        self.sign_in(self.alice)
        assert self.client.get("/api/v1/me").status_code == 401

    def test_the_command_prints_a_token_that_works(self) -> None:
        out = StringIO()
        call_command("create_api_token", "bob", "--days", "1", stdout=out)
        assert self.get(f"Bearer {out.getvalue().strip()}").json()["username"] == "bob"
        with pytest.raises(CommandError, match="no user 'nobody'"):
            call_command("create_api_token", "nobody")


class ProblemTests(ApiTestCase):
    def test_unknown_and_invisible_are_the_same_answer(self) -> None:
        self.user = self.mallory
        same = {"X-Request-ID": "same"}
        unknown = self.call("get", "/cases/IR-2026-9999", headers=same)
        for path in (self.case_path(), f"/cases/{self.secret_case.reference}"):
            hidden = self.call("get", path, headers=same)
            assert (hidden.status_code, hidden.content) == (404, unknown.content)

    def test_the_reason_of_a_refusal_is_told(self) -> None:
        self.user = self.carol
        reply = self.call("post", self.case_path("/notes"), {"title": "x"})
        assert reply.status_code == 403
        assert "needs the role Analyst" in reply.json()["detail"]

    def test_what_does_not_fit_names_its_field(self) -> None:
        reply = self.call("post", self.case_path("/assets"), {"kind": "spaceship", "name": ""})
        fields = {error["field"] for error in reply.json()["errors"]}
        assert reply.status_code == 422
        assert fields == {"body.body.kind", "body.body.name"}

    def test_a_time_without_a_zone_is_refused(self) -> None:
        body = {"at": "2026-11-20T10:00:00", "title": "It began"}
        assert self.call("post", self.case_path("/events"), body).status_code == 422

    def test_a_service_that_says_no_is_heard(self) -> None:
        body = {"at": (timezone.now() + timedelta(days=1)).isoformat()}
        reply = self.call("put", self.case_path("/milestones/contained"), body)
        assert (reply.status_code, reply.json()["detail"]) == (422, "A milestone cannot lie in the future.")

    def test_an_error_of_ours_tells_nothing_inside(self) -> None:
        with mock.patch("ircase.services.writing.notes.create_note", side_effect=RuntimeError("secret detail")):
            reply = self.call("post", self.case_path("/notes"), {"title": "x"})
        assert reply.status_code == 500
        assert "secret detail" not in reply.content.decode()

    def test_a_closed_case_is_not_written(self) -> None:
        cases.edit_case(case=self.case, actor=self.alice, classification="truePositive")
        cases.close_case(case=self.case, actor=self.alice, reason="over")
        assert self.call("post", self.case_path("/notes"), {"title": "x"}).status_code == 403
        assert self.call("post", self.case_path("/reopen"), {"reason": "Again"}).status_code == 200


class CaseApiTests(ApiTestCase):
    def test_the_list_has_what_may_be_seen_in_pages(self) -> None:
        for number in range(3):
            make_case(self.alice, title=f"Another {number}")
        self.user = self.carol
        page = self.call("get", "/cases?limit=2&offset=1").json()
        assert (page["total"], len(page["items"]), page["limit"], page["offset"]) == (4, 2, 2, 1)
        assert self.secret_case.reference not in str(self.call("get", "/cases").json())
        assert self.call("get", "/cases?q=another").json()["total"] == 3
        self.user = self.mallory
        assert self.call("get", "/cases").json()["total"] == 0

    def test_a_case_from_opening_to_closing(self) -> None:
        self.user = self.bob
        body = {"title": "RDP from outside", "severity": "high", "device": "WS-07", "account": "eve@example.com"}
        made = self.call("post", "/cases", body)
        assert made.status_code == 201
        path = f"/cases/{made.json()['reference']}"
        assert made.json()["role"] == "lead"
        assert {a["name"] for a in self.call("get", f"{path}/assets").json()["items"]} == {"ws-07", "eve@example.com"}
        self.call("patch", path, {"summary": "It was bad.", "classification": "falsePositive"})
        moved = self.call("post", f"{path}/phase", {"phase": "containment", "reason": "It spreads"})
        assert moved.json()["phase"] == "containment"
        at = timezone.now().isoformat()
        assert self.call("put", f"{path}/milestones/contained", {"at": at}).status_code == 200
        assert "contained" in {m["kind"] for m in self.call("get", f"{path}/milestones").json()["items"]}
        assert self.call("put", f"{path}/members/alice", {"role": "lead"}).json()["name"] == "Alice"
        assert self.call("delete", f"{path}/members/alice").status_code == 204
        closed = self.call("post", f"{path}/close", {"reason": "Done"})
        assert closed.json()["closed_at"] is not None
        log = self.call("get", f"{path}/log").json()["items"]
        assert [entry["action"] for entry in log][0] == "case.opened"
        assert all(later["previous"] == earlier["digest"] for earlier, later in zip(log, log[1:], strict=False))

    def test_an_unknown_playbook_names_those_there_are(self) -> None:
        reply = self.call("post", "/cases", {"title": "x", "playbook": "nothing"})
        assert reply.status_code == 422
        assert "There are:" in reply.json()["detail"]

    def test_fields_that_are_not_offered_cannot_be_set(self) -> None:
        self.call("patch", self.case_path(), {"reference": "IR-1", "opened_by": 5, "title": "New title"})
        case = Case.objects.get(pk=self.case.pk)
        assert (case.title, case.reference) == ("New title", self.case.reference)

    def test_a_checklist_item_is_proven_and_done(self) -> None:
        item = self.call("post", self.case_path("/checklist"), {"title": "Look", "phase": "detection"}).json()
        path = self.case_path(f"/checklist/{item['key']}")
        exhibit = make_evidence(self.case, self.alice)
        other = make_evidence(self.secret_case, self.alice)
        assert self.call("post", f"{path}/proofs", {"evidence": str(other.uuid)}).status_code == 404
        assert self.call("post", f"{path}/proofs", {"evidence": str(exhibit.uuid)}).status_code == 201
        assert self.call("post", f"{path}/plan", {"owner": "mallory"}).status_code == 422
        assert self.call("post", f"{path}/plan", {"owner": "bob"}).json()["owner"] == "bob"
        done = self.call("post", f"{path}/finish", {"result": "Seen"}).json()
        assert (done["state"], done["proofs"][0]["evidence"]) == ("done", str(exhibit.uuid))

    def test_a_note_that_moved_on_is_a_conflict_with_both_texts(self) -> None:
        note = self.call("post", self.case_path("/notes"), {"title": "N", "body": "one"}).json()
        path = self.case_path(f"/notes/{note['uuid']}")
        self.call("put", path, {"title": "N", "body": "two", "version": 1})
        late = self.call("put", path, {"title": "N", "body": "three", "version": 1})
        assert (late.status_code, late.json()["version"], late.json()["body"]) == (409, 2, "two")

    def test_findings_are_added_once(self) -> None:
        body = {"kind": "domain", "value": "evil[.]example"}
        assert self.call("post", self.case_path("/indicators"), body).status_code == 201
        again = self.call("post", self.case_path("/indicators"), body)
        assert (again.status_code, again.json()["value"]) == (200, "evil.example")

    def test_an_approval_is_decided_by_a_second_person(self) -> None:
        asked = approvals.request(
            case=self.case, actor=self.bob, kind="liveresponse.script", subject=self.case.uuid, title="Run",
            detail={}, digest="d" * 64, task="",
        )  # fmt: skip
        path = f"/approvals/{asked.uuid}/decision"
        self.user = self.bob
        assert self.call("post", path, {"approve": True}).status_code == 403
        self.user = self.alice
        assert self.call("get", "/approvals").json()["items"][0]["uuid"] == str(asked.uuid)
        assert self.call("post", path, {"approve": True, "comment": "Fine"}).json()["state"] == "approved"
        assert self.call("get", "/approvals?box=decided").json()["total"] == 1

    def test_a_yes_that_reaches_devices_needs_their_scope_too(self) -> None:
        common = {"case": self.case, "actor": self.bob, "title": "Run", "detail": {}, "digest": "d" * 64, "task": ""}
        writes = people.create_token(user=self.alice, name="writes", scopes=["read", "write"])[1]

        def decide(asked: Approval, **body: Any) -> Any:
            return self.client.post(
                f"/api/v1/approvals/{asked.uuid}/decision", json.dumps(body), content_type="application/json",
                headers={"Authorization": f"Bearer {writes}"},
            )  # fmt: skip

        for kind in ("liveresponse.script", "liveresponse.action"):
            asked = approvals.request(kind=kind, subject=uuid4(), **common)
            refused = decide(asked, approve=True)
            assert (refused.status_code, "lacks the scope respond" in refused.json()["detail"]) == (403, True)
            asked.refresh_from_db()
            assert asked.state == "requested"
            assert decide(asked, approve=False, comment="Not now").json()["state"] == "rejected"
        other = approvals.request(kind="evidence.lift_hold", subject=uuid4(), **common)
        assert decide(other, approve=True).json()["state"] == "approved"


class EvidenceApiTests(ApiTestCase):
    def upload(self, *files: SimpleUploadedFile, **more: str) -> Any:
        token = people.create_token(user=self.user, name="up")[1]
        headers = {"Authorization": f"Bearer {token}"}
        return self.client.post(f"/api/v1{self.case_path('/evidence')}", {"file": list(files), **more}, headers=headers)

    def test_upload_read_download_verify(self) -> None:
        reply = self.upload(SimpleUploadedFile("a.csv", b"a,b\n1,2\n"), description="By hand")
        assert reply.status_code == 201
        item = reply.json()["sealed"][0]
        assert item["sha256"] == hashlib.sha256(b"a,b\n1,2\n").hexdigest()
        assert ParseJob.objects.get().evidence.uuid.hex == item["uuid"].replace("-", "")
        path = self.case_path(f"/evidence/{item['uuid']}")
        assert self.call("get", path).json()["manifest"]["origin"] == "upload"
        saved = self.call("get", f"{path}/download")
        assert b"".join(saved.streaming_content) == b"a,b\n1,2\n"
        assert saved.headers["Content-Disposition"].startswith("attachment")
        assert self.call("post", f"{path}/verify").json()["integrity"] == "verified"
        custody = self.call("get", f"{path}/custody").json()["items"]
        assert [entry["action"] for entry in custody] == ["sealed", "downloaded", "verified"]
        assert custody[1]["detail"] == {"by": "api", "form": "plain"}
        assert self.call("get", f"{path}/import").json()["state"] == "queued"

    def test_the_script_of_the_docs_verifies_a_chain_and_finds_a_change(self) -> None:
        item = make_evidence(self.case, self.alice, name="Ünïcode \u2400.bin")
        text = (Path(__file__).resolve().parents[2] / "docs" / "evidence.md").read_text(encoding="utf-8")
        script = text.split("```python\n")[1].split("```")[0]
        path = self.case_path(f"/evidence/{item.uuid}/custody?limit=1000")
        answer = self.call("get", path).content.decode()

        def run(given: str, chain: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-c", script, chain]
            return subprocess.run(command, input=given, capture_output=True, text=True, check=False)

        good = run(answer, f"evidence:{item.uuid}")
        assert good.stdout.startswith("1 entries hold"), good.stderr
        changed = run(answer.replace('"Alice"', '"Malice"'), f"evidence:{item.uuid}")
        assert "entry 1 does not hold" in changed.stderr
        log = self.call("get", self.case_path("/log?limit=1000")).content.decode()
        assert "entries hold" in run(log, f"case:{self.case.uuid}").stdout

    def test_a_reader_is_refused_before_a_byte_is_read(self) -> None:
        self.user = self.carol
        with mock.patch("ircase.services.transfer.uploads.receive") as receive:
            assert self.upload(SimpleUploadedFile("a.csv", b"x")).status_code == 403
        receive.assert_not_called()

    def test_no_file_and_too_much(self) -> None:
        assert self.upload().status_code == 422
        with override_settings(UPLOAD_MAX_BYTES=10):
            reply = self.upload(SimpleUploadedFile("a.bin", b"x" * (2**20 + 100)))
        assert (reply.status_code, reply.headers["Content-Type"]) == (413, "application/problem+json")
        assert not Evidence.objects.exists()

    def test_a_file_that_is_gone(self) -> None:
        item = make_evidence(self.case, self.alice, b"soon gone, by the api")
        item.path.unlink()
        assert self.call("get", self.case_path(f"/evidence/{item.uuid}/download")).status_code == 410

    def test_rows_of_a_table(self) -> None:
        item = make_evidence(self.case, self.alice)
        rows = [{"Timestamp": "2026-11-20T10:00:00Z", "DeviceName": f"ws-{n}"} for n in range(5)]
        table = make_table(item, rows)
        assert self.call("get", self.case_path("/tables")).json()["items"][0]["row_count"] == 5
        path = self.case_path(f"/tables/{table.uuid}/rows")
        page = self.call("get", f"{path}?sort=-DeviceName&limit=2").json()
        assert [row["DeviceName"] for row in page["rows"]] == ["ws-4", "ws-3"]
        assert (page["numbers"], page["total"]) == ([5, 4], 5)
        one = self.call("get", f"{path}?column=DeviceName&operator=equals&value=ws-2").json()
        assert (one["matched"], one["rows"][0]["Timestamp"]) == (1, "2026-11-20T10:00:00.0000000Z")
        facts = self.call("get", self.case_path(f"/tables/{table.uuid}/statistics?name=DeviceName")).json()
        assert (facts["rows"], facts["distinct"], facts["least"], facts["most"]) == (5, 5, "ws-0", "ws-4")
        assert facts["top"][0]["count"] == 1
        assert self.call("get", self.case_path(f"/tables/{table.uuid}/statistics?name=Nothing")).status_code == 422
        assert self.call("get", f"{path}?sort=Nothing").status_code == 422
        assert self.call("get", f"{path}?column=DeviceName").status_code == 422


class DescriptionTests(ApiTestCase):
    def test_the_description_is_served_and_names_every_operation(self) -> None:
        served = self.client.get("/api/v1/openapi.json").json()
        assert served["info"] == {**served["info"], "title": "IRCase", "version": "1"}
        summaries = [op.get("summary") for methods in served["paths"].values() for op in methods.values()]
        assert len(summaries) > 50 and all(summaries)

    def test_choices_are_described_as_they_are(self) -> None:
        """Several of our choices are called `Kind`: none may stand for another in the description."""
        parts = SCHEMA["components"]["schemas"]
        assert parts["AssetNew"]["properties"]["kind"]["enum"] == Asset.Kind.values
        assert parts["IndicatorNew"]["properties"]["kind"]["enum"] == Indicator.Kind.values
        milestone = SCHEMA["paths"]["/api/v1/cases/{reference}/milestones/{kind}"]["put"]["parameters"]
        kind = next(parameter for parameter in milestone if parameter["name"] == "kind")
        assert kind["schema"]["enum"] == Milestone.Kind.values

    def test_connections_are_names(self) -> None:
        self.user = self.mallory
        assert self.call("get", "/connections").json()["items"] == [
            {"id": self.connection.pk, "name": "Contoso", "enabled": True, "read_only": False}
        ]
