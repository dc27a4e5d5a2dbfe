"""Time stamps (RFC 3161) on signed statements: asked for, verified, refused by name, shown, exported."""

import hashlib
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import zipfile
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from ircase import checks, tasks
from ircase.dossier import verify
from ircase.models import LogEntry, StatementStamp
from ircase.services import health, log
from ircase.services.identity import people
from ircase.services.transfer import caseexports
from ircase.services.vault import stamping, stamps, statements, verification
from simulator.stamping import POLICY, Authority
from tests.cast import CastTestCase, make_evidence
from tests.ircase.test_exporting import bare, faults_of, resign

AUTHORITY = Authority(Path(tempfile.mkdtemp(prefix="tsa-")))
ROOT_PEM = AUTHORITY.folder / "tsa-ca.pem"
NAME = "IRCase simulator time stamps"


def tearDownModule() -> None:  # noqa: N802
    shutil.rmtree(AUTHORITY.folder, ignore_errors=True)


class Desk:
    """The authority on a plain http port of this machine, as most of them are asked; its fields say what goes wrong."""

    def __init__(self) -> None:
        self.faults: Collection[str] = ()
        self.status, self.body, self.pause, self.asked = 200, b"", 0.0, []  # type: ignore[var-annotated]
        desk = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                desk.asked.append((self.headers["Content-Type"], query))
                time.sleep(desk.pause)
                body = desk.body or AUTHORITY.answer(query, desk.faults)
                self.send_response(desk.status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Retry-After", "600")
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    return

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/tsa"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class StampingTestCase(CastTestCase):
    def setUp(self) -> None:
        self.desk = Desk()
        self.addCleanup(self.desk.close)
        own = override_settings(TSA_URL=self.desk.url, TSA_CA_FILE=str(ROOT_PEM), TSA_SECONDS=10.0)
        own.enable()
        self.addCleanup(own.disable)

    def again_due(self) -> None:
        StatementStamp.objects.update(next_at=timezone.now())


class AskingTests(StampingTestCase):
    def test_a_statement_gets_its_stamp_from_the_worker_and_it_is_verified(self) -> None:
        statement = statements.make()
        assert not StatementStamp.objects.get().is_stamped
        tasks.stamp_statements()
        row = StatementStamp.objects.get()
        assert row.at is not None and abs(row.at - timezone.now()) < timedelta(minutes=1)
        assert (row.authority, row.policy, row.problem) == (f"CN={NAME}", POLICY, "")
        assert verify.stamp_facts(bytes(row.answer or b""))[1].hex() == statement.digest
        ((kind, query),) = self.desk.asked
        assert kind == "application/timestamp-query" and bytes.fromhex(statement.digest) in query
        # Once is enough.
        self.again_due()
        assert stamping.stamp_due() == 0 and len(self.desk.asked) == 1
        assert list(verification.verify_everything()) == []

    def test_openssl_says_the_same(self) -> None:
        if shutil.which("openssl") is None:
            if os.environ.get("CI"):
                pytest.fail("openssl is missing.")
            pytest.skip("openssl is not installed")
        statement = statements.make()
        stamping.stamp_due()
        with tempfile.NamedTemporaryFile(suffix=".tsr") as file:
            file.write(bytes(StatementStamp.objects.get().answer or b""))
            file.flush()
            for digest, code in ((statement.digest, 0), ("ab" * 32, 1)):
                command = ["openssl", "ts", "-verify", "-digest", digest, "-in", file.name, "-CAfile", str(ROOT_PEM)]
                assert subprocess.run(command, capture_output=True, check=False).returncode == code

    def test_where_no_authority_is_named_nothing_waits(self) -> None:
        with override_settings(TSA_URL=""):
            statements.make()
            assert not StatementStamp.objects.exists() and stamping.stamp_due() == 0
            assert [part.name for part in health._stamps()] == []

    def test_the_policy_that_is_asked_for(self) -> None:
        statements.make()
        with override_settings(TSA_POLICY="1.2.3.4"):
            assert stamping.stamp_due() == 0
        assert StatementStamp.objects.get().problem == "It refused: rejection: There is no such policy here."
        self.again_due()
        with override_settings(TSA_POLICY=POLICY):
            assert stamping.stamp_due() == 1

    def refused(self) -> str:
        """What a try says that gives no stamp; and that it is tried again."""
        if not StatementStamp.objects.exists():
            statements.make()
        self.again_due()
        with self.assertLogs("ircase.services.vault.stamping", "WARNING") as logs:
            assert stamping.stamp_due() == 0
        assert "statement.not_stamped" in logs.output[0]
        row = StatementStamp.objects.get()
        assert (row.at, row.answer, row.authority) == (None, None, "")
        assert row.next_at > timezone.now() and row.given_up_at is None
        return row.problem

    def test_every_wrong_answer_has_a_name_and_the_statement_stays_without_a_stamp(self) -> None:
        statements.make()
        for fault, words in (
            ("stamp_rejected", "It refused: rejection: Not today."),
            ("stamp_other_hash", "It stamped other bytes"),
            ("stamp_other_nonce", "another nonce"),
            ("stamp_old", "is not now"),
            ("stamp_expired", "had expired"),
            ("stamp_unknown", "no authority that is trusted here"),
            ("stamp_forged", "what was signed was changed"),
        ):
            self.desk.faults = {fault}
            assert words in self.refused(), fault
        self.desk.faults = ()
        self.again_due()
        assert stamping.stamp_due() == 1
        assert StatementStamp.objects.get().problem == ""

    def test_what_is_no_answer_at_all(self) -> None:
        self.desk.body = b"<!doctype html><p>Sign in</p>"
        assert "a page of text" in self.refused()
        self.desk.body = b"\x30\x03nothing"
        assert "cannot be read as a time stamp" in self.refused()
        self.desk.body = b"x" * 70_000
        assert "longer than 64 KiB" in self.refused()
        self.desk.body, self.desk.status = b"", 503
        assert "status 503" in self.refused()
        assert StatementStamp.objects.get().next_at > timezone.now() + timedelta(minutes=9)  # as it asked
        self.desk.status, self.desk.pause = 200, 3.0
        with override_settings(TSA_SECONDS=0.3):
            assert "longer than 0.3 seconds" in self.refused()
        with override_settings(TSA_URL="http://127.0.0.1:9/tsa"):
            assert "connection failed" in self.refused()
        with override_settings(TSA_CA_FILE="/nowhere.pem"):
            assert "IRCASE_TSA_CA_FILE cannot be read" in self.refused()

    def test_a_cloud_s_own_addresses_are_never_asked(self) -> None:
        with override_settings(TSA_URL="http://169.254.169.254/metadata"):
            assert "such addresses are never asked" in self.refused()

    def test_it_is_given_up_aloud_and_asked_again_by_a_person(self) -> None:
        statements.make()
        self.desk.status = 503
        for _ in range(12):
            self.again_due()
            stamping.stamp_due()
        row = StatementStamp.objects.get()
        assert (row.attempts, row.given_up_at is not None) == (12, True)
        assert health._stamps()[0].state == "degraded"
        self.sign_in(self.ada)
        page = self.client.get(reverse("ircase:statements")).content.decode()
        assert "Could not be stamped" in page and "status 503" in page and "Given up" in page
        self.desk.status = 200
        self.client.post(reverse("ircase:statement_stamp_again", args=[1]))
        assert LogEntry.objects.filter(action="statement.stamp_asked_again", detail__number=1).exists()
        assert stamping.stamp_due() == 1
        assert health._stamps()[0].state == "healthy"
        StatementStamp.objects.update(at=None, answer=None, given_up_at=timezone.now())
        token = people.create_token(user=self.ada, name="test")[1]
        bearer = {"Authorization": f"Bearer {token}"}
        reply = self.client.post("/api/v1/statements/1/stamp", headers=bearer)
        assert (reply.status_code, reply.json()["attempts"]) == (202, 0)
        assert self.client.post("/api/v1/statements/1/stamp", headers=bearer).status_code == 422
        with pytest.raises(ValidationError, match="not given up"):
            stamping.again(stamp=StatementStamp.objects.get(), actor=self.ada)

    def test_a_stamp_that_waits_too_long_is_said_by_health(self) -> None:
        statements.make()
        assert health._stamps()[0].text == "None yet."
        with connection.cursor() as cursor:
            cursor.execute("UPDATE ircase_statement SET at = %s", [timezone.now() - timedelta(hours=2)])
        assert "more than an hour" in health._stamps()[0].text


class ShowingTests(StampingTestCase):
    def api(self, path: str) -> Any:
        return self.client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {self.token}"})

    def test_page_file_and_api(self) -> None:
        statements.make()
        self.token = people.create_token(user=self.ada, name="test")[1]
        self.sign_in(self.ada)
        page = self.client.get(reverse("ircase:statements")).content.decode()
        assert "Waits" in page and "stamped by 127.0.0.1" in page
        assert self.client.get(reverse("ircase:statement_stamp", args=[1])).status_code == 404
        assert self.api("/statements").json()["items"][0]["stamp"] is None
        stamping.stamp_due()
        page = self.client.get(reverse("ircase:statements")).content.decode()
        assert NAME in page
        reply = self.client.get(reverse("ircase:statement_stamp", args=[1]))
        kept = bytes(StatementStamp.objects.get().answer or b"")
        assert reply.content == kept and reply.headers["Content-Disposition"].endswith('"statement-000001.tsr"')
        item = self.api("/statements").json()["items"][0]
        assert item["stamp"]["authority"] == f"CN={NAME}" and item["stamp"]["policy"] == POLICY
        assert self.api("/statements/1/stamp").content == kept
        assert self.api("/statements/2/stamp").status_code == 404

    def test_custody_says_how_far_an_authority_vouches_for_it(self) -> None:
        item = make_evidence(self.case, self.alice)
        url = reverse("ircase:custody", args=[self.case.reference, item.uuid])
        self.sign_in(self.alice)
        statements.make()
        assert "Time-stamped" not in self.client.get(url).content.decode()
        stamping.stamp_due()
        log.record_custody(item, "viewed", actor=self.bob)
        statements.make()  # knows entry 2, and has no stamp yet
        page = self.client.get(url).content.decode()
        assert "Entries up to 1 were so on" in page and "(statement 1)" in page
        stamping.stamp_due()
        assert "Entries up to 2 were so on" in self.client.get(url).content.decode()
        # Later statements change nothing for this chain: the oldest stamp on it says the most.
        log.record("test.more", case=self.case, actor=self.bob)
        statements.make()
        stamping.stamp_due()
        assert "(statement 2)" in self.client.get(url).content.decode()

    def test_a_stamp_that_was_swapped_or_spoilt_later_is_found(self) -> None:
        statements.make()
        stamping.stamp_due()
        log.record("test.more", case=self.case, actor=self.bob)
        statements.make()
        stamping.stamp_due()
        one, two = StatementStamp.objects.order_by("pk")
        StatementStamp.objects.filter(pk=two.pk).update(answer=one.answer)
        (fault,) = verification.verify_everything()
        assert fault.code == "statement" and "It stamped other bytes" in fault.message
        StatementStamp.objects.filter(pk=two.pk).update(answer=b"\0")
        (fault,) = verification.verify_everything()
        assert "cannot be read" in fault.message


class ExportingTests(StampingTestCase):
    def setUp(self) -> None:
        super().setUp()
        make_evidence(self.case, self.alice, b"first")
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def export(self) -> Path:
        made = caseexports.request_export(case=self.case, actor=self.alice, purpose="Court", receiver="P", numbers=())
        tasks.export_case(made.pk)
        made.refresh_from_db()
        assert (made.state, made.problems) == ("done", [])
        return caseexports.path_of(made)

    def test_it_goes_with_the_export_and_the_verifier_says_what_it_did_not_check(self) -> None:
        statement = statements.make()
        stamping.stamp_due()
        path = self.export()
        done = bare(path)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert f"carries a time stamp of {timezone.now():%Y-%m-%d}" in done.stdout
        assert "Who signed that stamp was not checked here." in done.stdout
        command = f"openssl ts -verify -digest {statement.digest} -in statements/000001.tsr -CAfile AUTHORITY.pem"
        assert command in done.stdout
        if shutil.which("openssl"):
            with zipfile.ZipFile(path) as archive:
                archive.extractall(self.folder)
            said = command.replace("AUTHORITY.pem", str(ROOT_PEM)).split()
            assert subprocess.run(said, cwd=self.folder, capture_output=True, check=False).returncode == 0

    def test_where_the_newest_waits_the_newest_that_is_stamped_comes_along(self) -> None:
        statements.make()
        stamping.stamp_due()
        log.record("test.more", case=self.case, actor=self.bob)
        statements.make()
        path = self.export()
        with zipfile.ZipFile(path) as archive:
            register = json.loads(archive.read("export.json"))
            names = set(archive.namelist())
        assert register["statements"] == ["statements/000002.json", "statements/000001.json"]
        assert "statements/000001.tsr" in names and "statements/000002.tsr" not in names
        assert bare(path).returncode == 0

    def test_a_stamp_of_something_else_is_a_fault_even_where_all_hashes_were_made_anew(self) -> None:
        statements.make()
        stamping.stamp_due()
        with zipfile.ZipFile(self.export()) as archive:
            archive.extractall(self.folder)
        place = self.folder / "statements" / "000001.tsr"
        now = datetime.now(UTC)
        other = stamps.question(hashlib.sha256(b"other").digest(), policy="", now=now)
        for content, words in (
            (AUTHORITY.answer(other.query), "it is a stamp of other bytes"),
            (AUTHORITY.answer(b"?"), "cannot be read as a time stamp"),
            (b"0\x80", "cannot be read as a time stamp"),
            (b"", "cannot be read as a time stamp"),
        ):
            place.write_bytes(content)
            resign(self.folder)
            assert any(words in fault for fault in faults_of(self.folder)), faults_of(self.folder)


class CheckTests(CastTestCase):
    def ids(self, **values: Any) -> list[str]:
        with override_settings(**{"TSA_URL": "http://tsa.example/", "TSA_CA_FILE": str(ROOT_PEM), **values}):
            return [str(one.id) for one in checks.stamps_can_be_verified()]

    def test_settings_that_would_verify_nothing_are_refused(self) -> None:
        assert self.ids() == self.ids(TSA_CA_FILE="") == self.ids(TSA_URL="", TSA_CA_FILE="/nowhere") == []
        assert self.ids(TSA_CA_FILE="/nowhere") == ["ircase.E015"]
        assert self.ids(TSA_POLICY="gold") == ["ircase.E015"]
        assert self.ids(TSA_URL="ftp://tsa.example/") == ["ircase.E016"]
        with tempfile.NamedTemporaryFile() as file:
            signer = AUTHORITY.signer().certificate
            from cryptography.hazmat.primitives.serialization import Encoding

            file.write(signer.public_bytes(Encoding.PEM))
            file.flush()
            assert self.ids(TSA_CA_FILE=file.name) == ["ircase.E015"]


ASKED = stamps.question(hashlib.sha256(b"x").digest(), policy="", now=datetime.now(UTC))
ANSWER = AUTHORITY.answer(ASKED.query)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(ANSWER) - 1), st.integers(1, 255))
def test_one_changed_byte_is_refused_or_changes_nothing_that_counts(place: int, change: int) -> None:
    spoilt = ANSWER[:place] + bytes([ANSWER[place] ^ change]) + ANSWER[place + 1 :]
    true = stamps.checked(ANSWER, ASKED, [AUTHORITY.root], ASKED.asked_at)
    try:
        found = stamps.checked(spoilt, ASKED, [AUTHORITY.root], ASKED.asked_at)
    except stamps.BadStamp:
        return
    assert (found.at, found.policy, found.serial) == (true.at, true.policy, true.serial)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_that_is_refused(data: bytes) -> None:
    with pytest.raises(stamps.BadStamp):
        stamps.checked(data, ASKED, [AUTHORITY.root], ASKED.asked_at)
    try:
        verify.stamp_facts(data)
    except (ValueError, IndexError):
        return
