"""A POST that is sent twice with one Idempotency-Key is done once, also when both come at once."""

import json
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections
from django.test import Client, TransactionTestCase
from django.utils import timezone

from ircase.models import ApiToken, Case, KeptReply, User
from ircase.services import cases, replies
from ircase.services.casework import opening
from ircase.services.identity import people
from tests.cast import make_user
from tests.ircase.test_api import ApiTestCase

BODY = {"title": "Odd logons", "severity": "high"}


class OnceTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.token = people.create_token(user=self.bob, name="once")[1]

    def post(self, path: str, body: Any, key: str, token: str = "") -> Any:
        headers = {"Authorization": f"Bearer {token or self.token}", "Idempotency-Key": key}
        return self.client.post(f"/api/v1{path}", json.dumps(body), content_type="application/json", headers=headers)

    def test_the_same_again_gets_the_same_answer(self) -> None:
        before = Case.objects.count()
        first, again = self.post("/cases", BODY, "a-1"), self.post("/cases", BODY, "a-1")
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.content == again.content
        assert (again.headers["Idempotency-Replayed"], Case.objects.count()) == ("true", before + 1)
        assert "Idempotency-Replayed" not in first.headers

    def test_another_body_or_address_is_refused(self) -> None:
        self.post("/cases", BODY, "a-1")
        assert self.post("/cases", {**BODY, "title": "Other"}, "a-1").status_code == 422
        assert self.post(self.case_path("/notes"), BODY, "a-1").status_code == 422

    def test_another_token_has_keys_of_its_own(self) -> None:
        other = people.create_token(user=self.bob, name="other")[1]
        made = {self.post("/cases", BODY, "a-1", token).json()["reference"] for token in (self.token, other)}
        assert len(made) == 2

    def test_what_failed_may_be_sent_again(self) -> None:
        assert self.post("/cases", {**BODY, "playbook": "nothing"}, "a-1").status_code == 422
        assert self.post("/cases", BODY, "a-1").status_code == 201
        with mock.patch("ircase.services.casework.opening.open_by_hand", side_effect=RuntimeError):
            assert self.post("/cases", BODY, "a-2").status_code == 500
        assert self.post("/cases", BODY, "a-2").status_code == 201

    def test_an_answer_that_is_kept_is_not_readable_in_the_database(self) -> None:
        self.post("/cases", {**BODY, "title": "A word of ours"}, "a-1")
        assert "A word of ours" not in KeptReply.objects.get().body

    def test_who_may_see_the_case_no_more_gets_no_old_answer(self) -> None:
        path = self.case_path("/notes")
        assert self.post(path, {"title": "N"}, "a-1").status_code == 201
        cases.set_confidential(case=self.case, actor=self.alice, confidential=True, reason="Quiet")
        cases.remove_member(case=self.case, actor=self.alice, user=self.bob)
        assert self.post(path, {"title": "N"}, "a-1").status_code == 404

    def test_a_key_is_printable_and_not_long(self) -> None:
        for key in (" ", "ä", "x" * 300):
            assert self.post("/cases", BODY, key).status_code == 400

    def test_a_day_later_it_is_a_new_request(self) -> None:
        first = self.post("/cases", BODY, "a-1").json()["reference"]
        KeptReply.objects.update(created_at=timezone.now() - replies.KEPT - timedelta(seconds=1))
        assert self.post("/cases", BODY, "a-1").json()["reference"] != first
        KeptReply.objects.update(created_at=timezone.now() - replies.KEPT - timedelta(seconds=1))
        assert (replies.tidy(), KeptReply.objects.count()) == (1, 0)

    def test_one_that_never_ended_says_so(self) -> None:
        self.post("/cases", BODY, "a-1")
        KeptReply.objects.update(status=None, created_at=timezone.now() - replies.DEAD - timedelta(seconds=1))
        reply = self.post("/cases", BODY, "a-1")
        assert (reply.status_code, "never ended" in reply.json()["detail"]) == (409, True)

    def test_an_upload_too(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": "up-1"}
        path = f"/api/v1{self.case_path('/evidence')}"
        sent = [self.client.post(path, {"file": SimpleUploadedFile("a.bin", b"abc")}, headers=headers) for _ in "12"]
        assert [one.status_code for one in sent] == [201, 201]
        assert self.case.evidence.count() == 1


@contextmanager
def database_of_its_own() -> Iterator[None]:
    """Threads need a database that two can write to: SQLite's in memory is copied into a file for as long."""
    if connection.vendor != "sqlite":
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "copy.sqlite3")
        copy = sqlite3.connect(path)
        connection.ensure_connection()
        connection.connection.backup(copy)
        copy.close()
        with mock.patch.dict(connections.databases["default"], {"NAME": path}):
            yield


class AtOnceTests(TransactionTestCase):
    """Real threads, each with a connection of its own."""

    def setUp(self) -> None:
        self.bob = make_user("bob", User.SiteRole.ANALYST)
        self.text = people.create_token(user=self.bob, name="once")[1]
        ApiToken.objects.update(last_used_at=timezone.now())

    def post(self, said: list[Any], key: str) -> None:
        headers = {"Authorization": f"Bearer {self.text}", "Idempotency-Key": key}
        try:
            said.append(
                Client(raise_request_exception=False).post(
                    "/api/v1/cases", json.dumps(BODY), content_type="application/json", headers=headers
                )
            )
        finally:
            connections.close_all()

    def count(self, said: list[int]) -> None:
        said.append(Case.objects.count())
        connections.close_all()

    def run_all(self, *threads: threading.Thread) -> None:
        for one in threads:
            one.start()
        for one in threads:
            one.join(60)

    def cases_there_are(self) -> int:
        said: list[int] = []
        self.run_all(threading.Thread(target=self.count, args=(said,)))
        return said[0]

    def test_the_second_is_told_that_the_first_is_under_way(self) -> None:
        begun, goes_on, real = threading.Event(), threading.Event(), opening.open_by_hand

        def slow(**values: Any) -> Any:
            begun.set()
            assert goes_on.wait(60)
            return real(**values)

        said: list[Any] = []
        with database_of_its_own(), mock.patch("ircase.services.casework.opening.open_by_hand", slow):
            first = threading.Thread(target=self.post, args=(said, "k"))
            first.start()
            assert begun.wait(60)
            self.run_all(threading.Thread(target=self.post, args=(said, "k")))
            assert (said[0].status_code, said[0].headers["Retry-After"]) == (409, "2")
            goes_on.set()
            first.join(60)
            self.run_all(threading.Thread(target=self.post, args=(said, "k")))
            assert [one.status_code for one in said] == [409, 201, 201]
            assert said[1].content == said[2].content
            assert self.cases_there_are() == 1

    def test_of_many_at_once_one_is_done(self) -> None:
        said: list[Any] = []
        with database_of_its_own():
            self.run_all(*(threading.Thread(target=self.post, args=(said, "k")) for _ in range(6)))
            assert sorted({one.status_code for one in said}) in ([201], [201, 409])
            assert sum("Idempotency-Replayed" not in one.headers for one in said if one.status_code == 201) == 1
            assert self.cases_there_are() == 1
