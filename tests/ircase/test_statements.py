"""Signed statements: what they prove, what they do not tell, how they leave the house, and the keys."""

import hashlib
import json
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path
from unittest import mock

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from ircase import outgoing
from ircase.dossier import verify
from ircase.models import AppendOnlyError, ChainHead, LogEntry, SigningKey, StatedHead, Statement, StatementPost
from ircase.outgoing import NotReached
from ircase.services import log
from ircase.services.vault import looks, posting, signing, statements, verification
from simulator.certificates import server_context
from tests.cast import CastTestCase, make_evidence


def beneath(sql: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


class StatementTests(CastTestCase):
    def codes(self) -> list[str]:
        return [fault.code for fault in verification.verify_everything()]

    def cut_the_log(self) -> None:
        """As somebody with a database client would: the newest entry of the case's log and the head with it."""
        rows = list(LogEntry.objects.filter(case=self.case).order_by("-sequence")[:2])
        beneath("DELETE FROM ircase_logentry WHERE id = %s", rows[0].pk)
        beneath(
            "UPDATE ircase_chainhead SET sequence = %s, digest = %s WHERE key = %s",
            rows[1].sequence,
            rows[1].digest,
            rows[1].chain,
        )

    def test_all_is_well_from_statement_to_statement(self) -> None:
        make_evidence(self.case, self.alice)
        statements.make()
        log.record("test.more", case=self.case, actor=self.bob)
        second = statements.make()
        assert json.loads(second.body)["previous"] == Statement.objects.get(number=1).digest
        # Only what moved is kept again.
        assert [head.chain for head in second.heads.all()] == [f"case:{self.case.uuid}"]
        assert self.codes() == []

    def test_a_chain_cut_with_its_head_is_found(self) -> None:
        self.cut_the_log()
        assert self.codes() == []  # nobody could know yet: the chain and its head agree
        log.record("test.again", case=self.case, actor=self.bob)
        statements.make()
        self.cut_the_log()
        assert self.codes() == ["stated_gone"]
        assert [fault.code for fault in verification.verify_case(self.case)] == ["stated_gone"]
        assert list(verification.verify_case(self.secret_case)) == []
        # A later statement does not heal it.
        statements.make()
        assert "stated_back" in self.codes()

    def test_a_chain_and_its_head_taken_away_whole(self) -> None:
        statements.make()
        beneath("DELETE FROM ircase_logentry WHERE case_id = %s", self.secret_case.pk)
        ChainHead.objects.filter(key=f"case:{self.secret_case.uuid}").delete()
        assert "stated_gone" in self.codes()

    def test_an_end_written_anew(self) -> None:
        statements.make()
        self.cut_the_log()
        log.record("test.other", case=self.case, actor=self.bob)
        assert self.codes() == ["stated_other"]

    def test_who_looked_at_cases_is_held_against_statements_too(self) -> None:
        cache.clear()  # what this process noted in another test stands in no row
        assert looks.note(reference=self.case.reference, user=self.bob)
        statements.make()
        assert self.codes() == []
        beneath("DELETE FROM ircase_caselook")
        ChainHead.objects.filter(key=looks.CHAIN).delete()
        assert self.codes() == ["stated_gone"]

    def test_statements_cannot_be_changed_cut_or_forged_unseen(self) -> None:
        statements.make()
        log.record("test.more", case=self.case, actor=self.bob)
        statements.make()
        kept = Statement.objects.get(number=1)
        beneath("UPDATE ircase_statement SET body = replace(body, '\"number\":1', '\"number\":1 ') WHERE number = 1")
        assert "statement" in self.codes()
        beneath("UPDATE ircase_statement SET body = %s WHERE number = 1", kept.body)
        assert self.codes() == []
        beneath("UPDATE ircase_statedhead SET sequence = sequence - 1 WHERE statement_id = %s", kept.pk)
        assert "statement" in self.codes()

    def test_a_copy_kept_outside_finds_statements_that_were_replaced(self) -> None:
        statement = statements.make()
        copy = Path(self.enterContext(tempfile.TemporaryDirectory())) / "1.json"
        copy.write_bytes(signing.canonical(statements.as_json(statement)))
        out = StringIO()
        call_command("verify_evidence", statement=[copy], stdout=out)
        assert "verified" in out.getvalue()
        beneath("DELETE FROM ircase_statedhead")
        beneath("DELETE FROM ircase_statement")
        statements.make()
        with pytest.raises(CommandError):
            call_command("verify_evidence", statement=[copy], stdout=out)
        assert "another statement" in out.getvalue()
        copy.write_text("[]")
        with pytest.raises(CommandError, match="not a statement"):
            call_command("verify_evidence", statement=[copy], stdout=out)

    def test_rows_are_append_only(self) -> None:
        statement = statements.make()
        for act in (statement.save, statement.delete, Statement.objects.all().delete, StatedHead.objects.all().delete):
            with pytest.raises(AppendOnlyError):
                act()

    def test_it_tells_nothing_of_any_case(self) -> None:
        make_evidence(self.secret_case, self.alice)
        statement = statements.make()
        body = json.loads(statement.body)
        assert set(body) == {"format", "number", "at", "root", "previous", "key"}
        assert str(self.secret_case.uuid) not in json.dumps(statements.as_json(statement))
        # One case more or less changes neither the length nor the shape of what leaves.
        before = len(statement.body)
        make_evidence(self.case, self.alice)
        assert len(statements.make().body) == before

    def test_one_a_day(self) -> None:
        assert statements.make_if_due() is not None
        assert statements.make_if_due() is None
        with override_settings(STATEMENT_HOURS=0):
            assert statements.make_if_due() is not None

    # --- keys --------------------------------------------------------------------------------------------------------
    def test_the_key_is_kept_encrypted_and_rotation_keeps_the_old(self) -> None:
        first = statements.make()
        seed = signing._private(first.key).private_bytes_raw().hex()
        assert seed not in first.key.private_encrypted
        signing.rotate(actor=self.ada)
        log.record("test.more", case=self.case, actor=self.bob)
        second = statements.make()
        assert second.key != first.key
        assert SigningKey.objects.get(pk=first.key.pk).retired_at is not None
        assert self.codes() == []

    def test_a_key_of_the_settings(self) -> None:
        seed = "07" * 32
        public = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)).public_key().public_bytes_raw().hex()
        with override_settings(SIGNING_KEY=seed):
            statement = statements.make()
            assert (statement.key.public_key, statement.key.private_encrypted) == (public, "")
            with pytest.raises(ValidationError, match="IRCASE_SIGNING_KEY"):
                signing.rotate(actor=self.ada)
        with override_settings(SIGNING_KEY="short"), pytest.raises(ImproperlyConfigured):
            signing.active_key()
        assert self.codes() == []

    # --- sending -----------------------------------------------------------------------------------------------------
    @override_settings(STATEMENT_URLS=["https://out.example/statements"])
    def test_what_cannot_be_sent_is_tried_again_given_up_aloud_and_sent_again(self) -> None:
        statements.make()
        post = StatementPost.objects.get()
        with mock.patch.object(posting, "post_to", side_effect=NotReached("It answered with status 503.")):
            assert posting.send_due() == 0
            post.refresh_from_db()
            assert (post.attempts, post.problem, post.given_up_at) == (1, "It answered with status 503.", None)
            assert posting.send_due() == 0
            post.refresh_from_db()
            assert post.attempts == 1  # not due yet
            for _ in range(11):
                StatementPost.objects.update(next_at=post.statement.at)
                posting.send_due()
        post.refresh_from_db()
        assert (post.attempts, post.given_up_at is not None) == (12, True)
        self.sign_in(self.ada)
        page = self.client.get(reverse("ircase:statements")).content.decode()
        assert "Could not be sent" in page
        self.client.post(reverse("ircase:statement_again", args=[post.pk]))
        with mock.patch.object(posting, "post_to") as sent:
            assert posting.send_due() == 1
        body = json.loads(sent.call_args.args[1])
        assert verify.signature_holds(
            bytes.fromhex(body["public_key"]), verify.canonical(body["body"]), bytes.fromhex(body["signature"])
        )

    def test_addresses_that_are_refused(self) -> None:
        for url in ("http://example.com/", "https://user:x@example.com/", "ftp://x", "https://[", "nothing"):
            with pytest.raises(NotReached):
                posting.post_to(url, b"{}")
        for address in (
            "10.0.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "fe80::1",
        ):
            found = [(0, 0, 0, "", (address, 443))]
            with (
                mock.patch("socket.getaddrinfo", return_value=found),
                pytest.raises(NotReached, match="not on the public internet"),
            ):
                posting.post_to("https://in.example/", b"{}")

    def test_a_host_of_the_house_that_is_allowed_gets_the_body(self) -> None:
        received: list[bytes] = []
        with (
            _server(received) as (port, context),
            override_settings(STATEMENT_PRIVATE_HOSTS=["localhost"]),
            mock.patch.object(outgoing, "tls_context", return_value=context),
        ):
            posting.post_to(f"https://localhost:{port}/x", b'{"a":1}')
            with pytest.raises(NotReached, match="status 302"):
                posting.post_to(f"https://localhost:{port}/moved", b"{}")
        assert received == [b'{"a":1}', b"{}"]

    def test_the_page_and_the_file(self) -> None:
        statement = statements.make()
        self.sign_in(self.ada)
        assert statement.key.public_key in self.client.get(reverse("ircase:statements")).content.decode()
        reply = self.client.get(reverse("ircase:statement", args=[1]))
        assert json.loads(reply.content) == statements.as_json(statement)
        assert reply.headers["Content-Disposition"].startswith("attachment")
        self.client.post(reverse("ircase:signing_rotate"))
        assert SigningKey.objects.filter(retired_at=None).count() == 1


@contextmanager
def _server(received: list[bytes]) -> Iterator[tuple[int, ssl.SSLContext]]:
    """An https server on this machine, and a context that trusts it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(302 if self.path == "/moved" else 204)
            self.send_header("Location", "/x")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with tempfile.TemporaryDirectory() as folder:
        context = server_context(Path(folder))
        server = HTTPServer(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port, ssl.create_default_context(cafile=str(Path(folder) / "ca.pem"))
        finally:
            server.shutdown()
            server.server_close()


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.tuples(st.integers(1, 9), st.just("ab" * 32)), max_size=40))
def test_every_proof_leads_to_the_root(leaves: dict[str, tuple[int, str]]) -> None:
    tree = statements.Tree(leaves)
    for chain, end in leaves.items():
        node = statements.leaf_hash(chain, *end)
        for side, other in tree.path(chain):
            pair = bytes.fromhex(other) + node if side == "left" else node + bytes.fromhex(other)
            node = hashlib.sha256(b"\1" + pair).digest()
        assert node.hex() == tree.root
