"""Every fault that tampering beneath IRCase can make, found and named; and silence where all is well."""

from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from ircase.models import ChainHead, CustodyEntry, Evidence, LogEntry
from ircase.services import evidence, log
from ircase.services.vault import verification
from tests.cast import CastTestCase, make_evidence


def beneath(sql: str, *values: object) -> None:
    """Change the database as somebody with a database client would."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


class VerificationTests(CastTestCase):
    def setUp(self) -> None:
        self.one = make_evidence(self.case, self.alice, b"first", name="one.txt")
        self.two = make_evidence(self.case, self.alice, b"second", name="two.txt")
        log.record("test.last", case=self.case, actor=self.bob)

    def faults(self) -> list[tuple[str, str]]:
        return [(fault.code, fault.subject) for fault in verification.verify_case(self.case)]

    def run_command(self, *arguments: str) -> str:
        out = StringIO()
        call_command("verify_evidence", *arguments, stdout=out, no_color=True)
        return out.getvalue()

    def test_all_is_well(self) -> None:
        evidence.verify(self.one, actor=self.bob)
        assert self.faults() == []
        assert list(verification.verify_everything()) == []
        assert "2 exhibits verified" in self.run_command(self.case.reference.lower())
        assert set(Evidence.objects.values_list("integrity", flat=True)) == {"verified"}

    def test_a_changed_byte(self) -> None:
        self.one.path.chmod(0o640)
        self.one.path.write_bytes(b"fIrst")
        assert self.faults() == [("altered", "E001 one.txt")]
        self.one.refresh_from_db()
        assert self.one.integrity == "altered"
        with pytest.raises(CommandError, match="1 fault") as ended:
            self.run_command()
        assert ended.value.returncode == 1

    def test_a_missing_file(self) -> None:
        self.two.path.unlink()
        assert self.faults() == [("missing", "E002 two.txt")]

    def test_a_changed_manifest(self) -> None:
        beneath("UPDATE ircase_evidence SET manifest = %s WHERE id = %s", '{"by": "me"}', self.one.pk)
        assert self.faults() == [("altered", "E001 one.txt")]

    def test_bytes_and_row_replaced_together(self) -> None:
        other = evidence.put(iter([b"forged"]))
        beneath("UPDATE ircase_evidence SET sha256 = %s, size = %s WHERE id = %s", other.sha256, 6, self.one.pk)
        assert self.faults() == [("hash_changed", "E001"), ("row_altered", "E001 one.txt")]

    def test_an_exhibit_taken_out_of_the_register(self) -> None:
        beneath("DELETE FROM ircase_custodyentry WHERE evidence_id = %s", self.two.pk)
        beneath("DELETE FROM ircase_evidence WHERE id = %s", self.two.pk)
        assert self.faults() == [("not_in_register", "E002")]

    def test_a_log_entry_with_other_words(self) -> None:
        middle = LogEntry.objects.filter(case=self.case).order_by("sequence")[3]
        beneath("UPDATE ircase_logentry SET detail = %s WHERE id = %s", '{"title": "other"}', middle.pk)
        assert self.faults() == [("entry_altered", f"log entry {middle.sequence}")]

    def test_an_entry_rewritten_with_a_digest_that_fits_breaks_the_next(self) -> None:
        middle = LogEntry.objects.filter(case=self.case).order_by("sequence")[3]
        middle.actor_name = "Somebody Else"
        beneath(
            "UPDATE ircase_logentry SET actor_name = %s, digest = %s WHERE id = %s",
            middle.actor_name,
            middle.compute_digest(),
            middle.pk,
        )
        assert self.faults() == [("chain_broken", f"log entry {middle.sequence + 1}")]

    def test_a_log_entry_taken_out(self) -> None:
        middle = LogEntry.objects.filter(case=self.case).order_by("sequence")[3]
        beneath("DELETE FROM ircase_logentry WHERE id = %s", middle.pk)
        assert self.faults() == [("chain_gap", f"log entry {middle.sequence + 1}")]

    def test_the_newest_entries_cut_off(self) -> None:
        newest = LogEntry.objects.filter(case=self.case).order_by("-sequence")[0]
        beneath("DELETE FROM ircase_logentry WHERE id = %s", newest.pk)
        assert self.faults() == [("chain_end", f"log entry {newest.sequence - 1}")]

    def test_the_whole_custody_and_its_head_taken_away(self) -> None:
        beneath("DELETE FROM ircase_custodyentry WHERE evidence_id = %s", self.one.pk)
        ChainHead.objects.filter(key=f"evidence:{self.one.uuid}").delete()
        assert self.faults() == [("no_custody", "E001 one.txt")]

    def test_an_entry_moved_to_another_case(self) -> None:
        entry = LogEntry.objects.filter(case=self.secret_case).order_by("-sequence")[0]
        beneath("UPDATE ircase_logentry SET case_id = %s WHERE id = %s", self.case.pk, entry.pk)
        assert "chain_name" in {code for code, _ in self.faults()}

    def test_custody_of_one_piece_is_walked_alone(self) -> None:
        entry = CustodyEntry.objects.get(evidence=self.one)
        beneath("UPDATE ircase_custodyentry SET action = 'viewed' WHERE id = %s", entry.pk)
        assert [fault.code for fault in verification.custody_of(self.one)] == ["entry_altered"]
        assert list(verification.custody_of(self.two)) == []

    def test_the_site_log(self) -> None:
        log.record("test.site", actor=self.ada)
        entry = LogEntry.objects.filter(chain="site").order_by("-sequence")[0]
        beneath("UPDATE ircase_logentry SET action = 'test.other' WHERE id = %s", entry.pk)
        assert [fault.code for fault in verification.verify_site()] == ["entry_altered"]

    def test_looking_without_marking_writes_nothing(self) -> None:
        self.one.path.unlink()
        count: Callable[[], int] = lambda: LogEntry.objects.count() + CustodyEntry.objects.count()  # noqa: E731
        before = count()
        assert [fault.code for fault in verification.verify_case(self.case, mark=False)] == ["missing"]
        self.one.refresh_from_db()
        assert (self.one.integrity, count()) == ("unchecked", before)

    def test_a_nightly_run_adds_nothing_while_nothing_changes(self) -> None:
        self.run_command()
        before = CustodyEntry.objects.count()
        self.run_command()
        assert CustodyEntry.objects.count() == before

    def test_an_unknown_case(self) -> None:
        with pytest.raises(CommandError, match="no case IR-1999-0001") as ended:
            self.run_command("IR-1999-0001")
        assert ended.value.returncode == 2
