"""Acts of custody: who holds an exhibit, who confirms, what the chain and the printed form say."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.urls import reverse

from ircase.dossier import form
from ircase.models import CustodyEntry, Evidence, LogEntry, Notice, Transfer
from ircase.sentences import sentence_of
from ircase.services import cases, log
from ircase.services.vault import custody, verification
from ircase.services.vault.custody import Said
from tests.cast import CastTestCase, make_evidence, make_user

SAID = Said("Examination", "Lab 2")


class CustodyTests(CastTestCase):
    def setUp(self) -> None:
        self.item = custody.take(
            case=self.case,
            actor=self.alice,
            name="Laptop",
            description="Grey",
            serial="SN-1",
            said=Said("Seized", "Desk 4", seal="S1"),
        )

    def address(self, name: str, *more: object) -> str:
        return reverse(f"ircase:{name}", args=[self.case.reference, self.item.uuid, *more])

    def actions(self) -> list[str]:
        return list(CustodyEntry.objects.filter(evidence=self.item).values_list("action", flat=True))

    def test_a_thing_is_an_exhibit_like_any_other(self) -> None:
        assert (self.item.kind, self.item.exhibit, self.actions()) == ("physical", "E001", ["taken"])
        assert self.item.manifest["serial"] == "SN-1"
        assert list(verification.verify_case(self.case)) == []
        held = custody.holding_of(self.item)
        assert (held.holder, held.place, held.seal, held.waiting) == ("Alice", "Desk 4", "S1", None)

    def test_a_transfer_is_the_receivers_once_they_confirm(self) -> None:
        transfer = custody.hand_over(item=self.item, actor=self.alice, receiver=self.bob, said=SAID)
        assert custody.holding_of(self.item).holder == "Alice"
        assert custody.waiting_for(self.bob) == [transfer]
        assert Notice.objects.get(person=self.bob).path == self.address("custody")
        with pytest.raises(ValidationError, match="waits for the receiver"):
            custody.seal_again(item=self.item, actor=self.alice, said=Said("x", "y", seal="S2"))
        with pytest.raises(PermissionDenied):
            custody.decide(transfer=transfer, actor=self.alice, act="confirm")
        custody.decide(transfer=transfer, actor=self.bob, act="confirm")
        held = custody.holding_of(self.item)
        assert (held.holder, held.place, held.seal, held.waiting) == ("Bob", "Lab 2", "S1", None)
        assert self.actions() == ["taken", "transfer_offered", "transferred"]
        with pytest.raises(ValidationError, match="is over"):
            custody.decide(transfer=transfer, actor=self.bob, act="refuse", comment="No")
        assert list(verification.verify_case(self.case)) == []

    def test_refused_with_a_reason_and_withdrawn(self) -> None:
        transfer = custody.hand_over(item=self.item, actor=self.alice, receiver=self.bob, said=SAID)
        with pytest.raises(ValidationError, match="Say why"):
            custody.decide(transfer=transfer, actor=self.bob, act="refuse")
        custody.decide(transfer=transfer, actor=self.bob, act="refuse", comment="The seal is broken")
        last = CustodyEntry.objects.filter(evidence=self.item).last()
        assert last is not None
        assert (last.action, last.detail["reason"]) == ("transfer_refused", "The seal is broken")
        second = custody.hand_over(item=self.item, actor=self.alice, receiver=self.bob, said=SAID)
        custody.decide(transfer=second, actor=self.alice, act="withdraw")
        assert custody.holding_of(self.item).holder == "Alice"
        assert self.actions()[-1] == "transfer_withdrawn"

    def test_who_cannot_see_the_case_receives_nothing(self) -> None:
        with pytest.raises(ValidationError, match="cannot see this case"):
            custody.hand_over(item=self.item, actor=self.alice, receiver=self.mallory, said=SAID)
        assert not Notice.objects.filter(person=self.mallory).exists()

    def test_outside_the_giver_acknowledges_by_name(self) -> None:
        with pytest.raises(ValidationError, match="Type your name"):
            custody.hand_outside(
                item=self.item, actor=self.alice, receiver="PC Plod, Police", acknowledged="x", said=SAID
            )
        custody.hand_outside(
            item=self.item, actor=self.alice, receiver="PC Plod, Police", acknowledged=" alice ", said=SAID
        )
        assert custody.holding_of(self.item).holder == "PC Plod, Police"
        custody.give_back(
            item=self.item, actor=self.bob, holder="Evidence room", said=Said("Done", "Room 1", seal="S9")
        )
        held = custody.holding_of(self.item)
        assert (held.holder, held.place, held.seal) == ("Evidence room", "Room 1", "S9")

    def test_a_new_seal_names_the_old(self) -> None:
        custody.seal_again(item=self.item, actor=self.bob, said=Said("Opened for imaging", "Lab", seal="S2"))
        last = CustodyEntry.objects.filter(evidence=self.item).last()
        assert last is not None
        assert (last.detail["seal_before"], last.detail["seal"]) == ("S1", "S2")
        assert custody.holding_of(self.item).seal == "S2"
        with pytest.raises(ValidationError, match="new seal"):
            custody.seal_again(item=self.item, actor=self.bob, said=SAID)
        with pytest.raises(ValidationError, match="why and where"):
            custody.look_at(item=self.item, actor=self.bob, said=Said(" ", "Lab"))

    def test_a_closed_case_takes_no_acts(self) -> None:
        cases.edit_case(case=self.case, actor=self.alice, classification="truePositive")
        cases.close_case(case=self.case, actor=self.alice, reason="Done")
        item = Evidence.objects.select_related("case").get(pk=self.item.pk)
        with pytest.raises(ValidationError, match="closed"):
            custody.look_at(item=item, actor=self.alice, said=SAID)

    def test_every_code_has_a_sentence(self) -> None:
        first = custody.hand_over(item=self.item, actor=self.alice, receiver=self.bob, said=SAID)
        custody.decide(transfer=first, actor=self.bob, act="confirm")
        custody.look_at(item=self.item, actor=self.alice, said=SAID)
        rows = LogEntry.objects.filter(case=self.case, action__startswith="custody.")
        assert rows.count() == 3
        assert all(row.action not in sentence_of(row).text for row in rows)

    # --- pages -------------------------------------------------------------------------------------------------------
    def test_taking_and_handing_over_in_the_browser(self) -> None:
        self.sign_in(self.alice)
        address = reverse("ircase:custody_take", args=[self.case.reference])
        assert self.client.post(address, {"name": "Phone"}).status_code == 422
        facts = {"name": "Phone", "description": "Black", "serial": "IMEI 1", "place": "Desk", "purpose": "Seized"}
        self.client.post(address, facts)
        self.item = Evidence.objects.get(name="Phone")
        data = {"transfer-receiver": "bob", "transfer-purpose": "Imaging", "transfer-place": "Lab"}
        assert self.client.post(self.address("custody_act", "transfer"), data).status_code == 302
        again = self.client.post(self.address("custody_act", "view"), {"view-purpose": "x", "view-place": "y"})
        assert "waits for the receiver" in again.content.decode()
        transfer = Transfer.objects.get()
        decide = reverse("ircase:transfer", args=[self.case.reference, transfer.uuid])
        assert self.client.post(decide, {"act": "confirm"}).status_code == 403
        self.sign_in(self.bob)
        assert "Handed to you" in self.client.get(reverse("ircase:my_work")).content.decode()
        assert "I have received it" in self.client.get(self.address("custody")).content.decode()
        self.client.post(decide, {"act": "confirm"})
        assert custody.holding_of(self.item).holder == "Bob"

    def test_the_outside_form_wants_one_receiver_and_the_name(self) -> None:
        self.sign_in(self.alice)
        data = {"transfer-purpose": "Court", "transfer-place": "Court", "transfer-outsider": "Clerk, Court"}
        page = self.client.post(self.address("custody_act", "transfer"), data)
        assert (page.status_code, "Type your name" in page.content.decode()) == (422, True)
        self.client.post(self.address("custody_act", "transfer"), {**data, "transfer-acknowledged": "Alice"})
        assert custody.holding_of(self.item).holder == "Clerk, Court"

    def test_pages_ask_the_database_as_often_for_a_long_chain(self) -> None:
        self.sign_in(self.alice)
        self.client.get(self.address("custody"))
        with self.assertNumQueries(self._queries()):
            self.client.get(self.address("custody"))

    def _queries(self) -> int:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as few:
            self.client.get(self.address("custody"))
        for number in range(30):
            log.record_custody(self.item, "viewed", actor=self.bob, what=f"table {number}")
        return len(few)

    # --- the form ----------------------------------------------------------------------------------------------------
    def test_the_form_is_a_pdf_whose_long_chain_breaks_over_pages(self) -> None:
        people = [make_user(f"person{number}", "analyst") for number in range(3)]
        for number in range(90):
            said = Said(f"Look {number} " + "at every file of it " * (number % 5), "Lab \u202e evil")
            custody.look_at(item=self.item, actor=people[number % 3], said=said)
        self.sign_in(self.bob)
        reply = self.client.get(self.address("custody_form"))
        content = b"".join(reply.streaming_content)  # type: ignore[attr-defined]
        assert content.startswith(b"%PDF-")
        assert reply.headers["Content-Disposition"].startswith("attachment")
        text = text_of(content)
        assert "SN-1" in text
        assert "Look 89" in text
        assert "Page 2 of" in text

    def test_the_forms_data_says_what_is_cut(self) -> None:
        for number in range(12):
            log.record_custody(self.item, "viewed", actor=self.bob, what=f"table {number}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(form, "MOST", 6)
            data = form.data_of(self.item, "Alice")
        assert [entry["number"] for entry in data["entries"]] == [1, 2, 3, 11, 12, 13]
        assert data["total"] == 13

    def test_a_files_form_says_its_hash(self) -> None:
        item = make_evidence(self.case, self.bob, b"x")
        data = form.data_of(item, "Bob")
        assert (data["sha256"], data["place"], data["holder"]) == (item.sha256, "Evidence store", "Bob")


def text_of(content: bytes) -> str:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed (Debian: apt install poppler-utils).")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.pdf"
        path.write_bytes(content)
        return subprocess.run(
            ["pdftotext", "-layout", str(path), "-"], capture_output=True, text=True, check=True
        ).stdout
