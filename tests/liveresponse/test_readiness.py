"""Readiness as Live Response knows it: the try on the one test device, and the library's files at their hashes."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from ircase.models import Approval, CaseRole, LogEntry
from ircase.readiness import board
from ircase.readiness.board import State
from ircase.services import approvals, cases
from ircase.services.readiness import plans
from liveresponse.models import Collection, LibraryChange, LibraryScript
from liveresponse.ownscripts import own_scripts
from liveresponse.services import collections, probes
from tests.cast import CastTestCase, make_evidence

DEVICE = "lab-01.contoso.com"
OWN = "IRCase-Snapshot-Connections.ps1"


class ReadyCase(CastTestCase):
    def plan(self, **values: Any) -> None:
        given = {"owner": self.alice, "probe_device": DEVICE, **values}
        self.case_of_plan = plans.save(connection=self.connection, actor=self.ada, **given).case

    def part(self, key: str, reader: Any = None) -> dict[str, board.Check]:
        parts = board.of([self.connection], reader)[self.connection.pk]
        return {check.key: check for check in next(part for part in parts if part.key == key).checks}

    def library(self, name: str, sha256: str) -> LibraryScript:
        row, _ = LibraryScript.objects.update_or_create(
            connection=self.connection, name=name, defaults={"sha256": sha256}
        )
        return row


class ProbeTests(ReadyCase):
    def start(self) -> Collection:
        return probes.start(connection=self.connection, actor=self.alice)

    def end(self, row: Collection, state: str, **more: Any) -> None:
        if state == "done":
            assert self.case_of_plan is not None
            more["output"] = make_evidence(self.case_of_plan, self.alice, b"127.0.0.1 localhost")
        Collection.objects.filter(pk=row.pk).update(state=state, ended_at=timezone.now(), **more)

    def test_it_is_a_real_collection_in_the_exercise_case_on_the_chosen_device(self) -> None:
        self.plan()
        row = self.start()
        assert (row.definition, row.device, row.case) == ("get-file", DEVICE, self.case_of_plan)
        assert row.case.exercise
        assert row.parameters == {"Path": probes.FILE}
        assert row.state == "approved"  # a file needs no approval
        with pytest.raises(ValidationError, match="under way"):
            self.start()
        assert LogEntry.objects.filter(case=row.case, action="collection.queued").exists()

    def test_a_script_waits_for_a_second_person(self) -> None:
        self.plan(probe="snapshot-connections")
        with pytest.raises(ValidationError, match="not in the tenant's Live Response library"):
            self.start()
        self.library(OWN, own_scripts()[OWN.lower()].sha256)
        row = self.start()
        approval = Approval.objects.get(subject=row.uuid)
        assert row.state == "requested"
        with pytest.raises((PermissionDenied, ValidationError)):
            approvals.decide(approval=approval, actor=self.alice, approve=True)
        cases.set_member(case=row.case, actor=self.alice, user=self.bob, role=CaseRole.LEAD)
        approvals.decide(approval=approval, actor=self.bob, approve=True)
        collections.approval_decided(row.uuid)
        row.refresh_from_db()
        assert row.state == "approved"

    def test_nobody_else_tries_and_nothing_without_a_device(self) -> None:
        with pytest.raises(PermissionDenied, match="names an owner first"):
            self.start()
        self.plan(probe_device="")
        with pytest.raises(ValidationError, match="No test device"):
            self.start()
        for person in (self.bob, self.ada, self.carol, self.mallory):
            with pytest.raises(PermissionDenied):
                probes.start(connection=self.connection, actor=person)
        self.connection.read_only = True
        self.connection.save()
        self.plan()
        with pytest.raises(ValidationError, match="hunting only"):
            self.start()
        assert not Collection.objects.filter(definition="get-file").exists()

    def test_result_and_time_are_on_the_board(self) -> None:
        assert self.part("probe")["probe"].text == "No test device is chosen."
        self.plan()
        assert self.part("probe")["probe"].text == "Never tried."
        row = self.start()
        assert self.part("probe")["probe"].text == "Under way: approved."
        self.end(row, "done", submitted_at=timezone.now() - timedelta(seconds=42))
        assert self.part("probe")["probe"].text == "It worked, and took 42 s."
        assert self.part("probe", self.alice)["probe"].url.endswith(f"{row.uuid}/")
        assert self.part("probe", self.ada)["probe"].url == ""
        Collection.objects.filter(pk=row.pk).update(ended_at=timezone.now() - timedelta(days=31))
        assert self.part("probe")["probe"].state == State.AMBER
        self.end(self.start(), "failed", failure="Live Response is off in this tenant.")
        failed = self.part("probe")["probe"]
        assert failed.state == State.RED
        assert failed.text.startswith("Failed: Live Response is off in this tenant. It worked on ")


class LibraryTests(ReadyCase):
    def test_missing_same_and_drifted(self) -> None:
        assert self.part("library")[OWN.lower()].state == State.UNKNOWN
        self.library("Other.ps1", "0" * 64)
        assert self.part("library")[OWN.lower()].state == State.RED
        self.library(OWN, own_scripts()[OWN.lower()].sha256)
        assert self.part("library")[OWN.lower()].state == State.OK
        self.library(OWN, "f" * 64)
        drifted = self.part("library")[OWN.lower()]
        assert (drifted.state, drifted.text[:22]) == (State.RED, "Drifted: ffffffffffff…")

    def test_somebody_elses_script_is_pinned_by_the_upload_or_a_standing_approval(self) -> None:
        script = self.library("DFIR-Script.ps1", "a" * 64)
        assert self.part("library")["dfir-script.ps1"].state == State.AMBER
        approvals.grant_standing(
            script_name=script.name, script_sha256=script.sha256, connection=self.connection, actor=self.alice,
            reason="Read line by line", days=90, case=self.case,
        )  # fmt: skip
        assert self.part("library")["dfir-script.ps1"].state == State.OK
        LibraryChange.objects.create(
            connection=self.connection, name="DFIR-Script.ps1", kind="uploaded", state="done", after_sha256="b" * 64
        )
        assert self.part("library")["dfir-script.ps1"].state == State.RED
