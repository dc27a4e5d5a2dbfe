"""Steps of every kind, on a tenant that answers as it is told."""

import json
from typing import Any
from unittest.mock import patch

import pytest
from django.core.exceptions import ValidationError

from artifacts.printed import BEGIN, END
from ircase.models import Approval, ParseJob
from ircase.services import approvals
from liveresponse.models import Collection, CollectionState, LibraryScript
from liveresponse.services import collections, definitions
from msapi.errors import NotFound, Throttled
from tests.liveresponse.tenant import transcript
from tests.liveresponse.test_collections import CollectionTestCase

OWN_SHA, TOOL_SHA = "7" * 64, "8" * 64


def own(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "title": "Own", "description": "", "platforms": ["Windows"], "parameters": [], "steps": list(steps),
        "changes": "Nothing.", "approval": "script", "time_limit": "72h", "parser": "artifacts", **changes,
    }  # fmt: skip


PUT = {"key": "put", "title": "Put", "put_file": "tool.exe"}
PRINT = {"key": "run", "title": "Run", "run_script": "Own.ps1", "output": "printed", "table": "OwnRows"}


class StepTests(CollectionTestCase):
    def setUp(self) -> None:
        super().setUp()
        for name, sha256 in (("Own.ps1", OWN_SHA), ("tool.exe", TOOL_SHA)):
            LibraryScript.objects.create(connection=self.connection, name=name, sha256=sha256)
            self.tenant.scripts[name] = sha256

    def saved(self, *steps: dict[str, Any], **changes: Any) -> str:
        version = definitions.save_collection(actor=self.bob, slug="own", content=own(*steps, **changes))
        if version.needs_review:
            definitions.approve(version=version, actor=self.alice)
        return "own"

    def standing(self, name: str, sha256: str) -> None:
        approvals.grant_standing(
            case=self.case, actor=self.alice, connection=self.connection, script_name=name, script_sha256=sha256,
            reason="read", days=1,
        )  # fmt: skip

    def yes(self, row: Collection) -> Collection:
        approvals.decide(approval=Approval.objects.get(subject=row.uuid), actor=self.alice, approve=True)
        collections.approval_decided(row.uuid)
        return self.fresh(row)

    def test_a_file_is_put_then_a_script_prints_rows(self) -> None:
        row = self.yes(self.ask(self.saved(PUT, PRINT)))
        text = f"x\n{BEGIN}\n" + json.dumps([{"Name": "a"}, {"Name": "b"}]) + f"\n{END}\n"
        self.tenant.results = [transcript(text)]
        row = self.finish(row)
        assert row.state == CollectionState.DONE, row.failure
        assert [type(command).__name__ for command, _ in self.tenant.submitted] == ["PutFile", "RunScript"]
        sealed_transcript, rows = row.evidence.order_by("number")
        assert rows == row.output and rows.name == "OwnRows.ndjson"
        assert rows.path.read_text().splitlines() == ['{"Name": "a"}', '{"Name": "b"}']
        assert rows.manifest["derived_from"] == sealed_transcript.exhibit
        assert rows.manifest["files"] == [
            {"name": "tool.exe", "sha256": TOOL_SHA},
            {"name": "Own.ps1", "sha256": OWN_SHA},
        ]
        assert ParseJob.objects.filter(evidence=rows).exists()

    def test_what_the_script_says_went_wrong_makes_it_partial(self) -> None:
        document = {"tables": {"One": [{"a": 1}], "Two": [{"b": 2}]}, "errors": ["WMI does not answer"]}
        self.tenant.results = [transcript(f"{BEGIN}\n{json.dumps(document)}\n{END}")]
        row = self.finish(self.yes(self.ask(self.saved(PRINT))))
        assert row.state == CollectionState.PARTIAL
        assert "WMI does not answer" in row.failure
        assert row.output is not None and row.output.name.endswith(".zip")

    def test_no_json_keeps_the_transcript(self) -> None:
        self.tenant.results = [transcript("nothing to see")]
        row = self.finish(self.yes(self.ask(self.saved(PRINT))))
        assert row.state == CollectionState.FAILED
        assert "BEGIN IRCASE JSON" in row.failure and row.evidence.count() == 1

    def test_a_transcript_too_large_is_kept_and_said(self) -> None:
        self.tenant.results = [transcript("x" * 5000)]
        row = self.yes(self.ask(self.saved(PRINT)))
        with patch("liveresponse.runner.results.parse_script_result", side_effect=TimeoutError("Too long.")):
            row = self.finish(row)
        assert row.state == CollectionState.FAILED
        assert "Too long. The transcript is kept" in row.failure
        assert row.evidence.get().partial

    def test_every_file_needs_its_own_standing_approval(self) -> None:
        name = self.saved(PUT, PRINT)
        self.standing("Own.ps1", OWN_SHA)
        assert self.ask(name).state == CollectionState.REQUESTED
        assert Approval.objects.filter(state="requested").count() == 1
        self.standing("tool.exe", TOOL_SHA)
        assert self.fresh(self.ask(name)).state == CollectionState.APPROVED

    def test_a_person_each_time_takes_no_standing_approval(self) -> None:
        name = self.saved(PRINT, approval="person")
        self.standing("Own.ps1", OWN_SHA)
        assert self.fresh(self.ask(name)).state == CollectionState.REQUESTED

    def test_a_tool_that_changed_is_refused_before_the_script_runs(self) -> None:
        row = self.yes(self.ask(self.saved(PUT, PRINT)))
        self.tenant.scripts["tool.exe"] = "0" * 64
        row = self.finish(row)
        assert row.state == CollectionState.REFUSED
        assert "tool.exe in the tenant's library is not the file" in row.failure
        assert self.tenant.submitted == []

    def test_the_platform_is_held_against_the_devices(self) -> None:
        self.tenant.platform = "Ubuntu"
        row = self.finish(self.yes(self.ask(self.saved(PRINT))))
        assert row.state == CollectionState.REFUSED
        assert "is Ubuntu; Own is for Windows" in row.failure
        assert self.tenant.submitted == []

    def test_a_job_keeps_the_definition_it_was_asked_with(self) -> None:
        row = self.yes(self.ask(self.saved(PUT, PRINT)))
        edited = own({**PRINT, "run_script": "DFIR-Script.ps1"})
        version = definitions.save_collection(actor=self.bob, slug="own", content=edited, edited_from=1)
        definitions.approve(version=version, actor=self.alice)
        self.tenant.results = [transcript(f"{BEGIN}\n[]\n{END}")]
        row = self.finish(row)
        assert row.state == CollectionState.DONE, row.failure
        assert (row.version, row.plan["steps"][1]["run_script"]) == (1, "Own.ps1")

    def test_a_lacking_file_is_named_when_asked(self) -> None:
        name = self.saved(PUT, PRINT)
        LibraryScript.objects.filter(name="tool.exe").delete()
        with pytest.raises(ValidationError, match=r"tool\.exe is not in the tenant's Live Response library"):
            self.ask(name)

    def test_files_of_earlier_steps_are_evidence_too(self) -> None:
        first, last = ({"key": k, "title": k, "get_file": f"C:\\{k}.txt"} for k in ("a", "b"))
        name = self.saved(first, {**last, "output": True}, approval="none")
        row = self.finish(self.ask(name))
        assert row.state == CollectionState.DONE, row.failure
        assert [item.name for item in row.evidence.order_by("number")] == ["a.txt", "b.txt"]
        assert row.output is not None and row.output.name == "b.txt"


class PackageTests(CollectionTestCase):
    def test_a_package_comes_home(self) -> None:
        row = self.finish(self.ask("investigation-package"))
        assert row.state == CollectionState.DONE, row.failure
        assert row.output is not None
        assert row.output.name == "Investigation package of ws-07.contoso.com.zip"
        assert row.output.path.read_bytes().startswith(b"PK")
        assert self.tenant.packages == ["action-1"]

    def test_its_link_waits_for_a_turn_and_for_defender(self) -> None:
        row = self.ask("investigation-package")
        while row.state != CollectionState.FETCHING:
            row = self.move(row)
        self.governor.waits = 1
        row = self.move(row)
        assert row.status_text.startswith("In line for the package's link: place 3")
        self.tenant.faults["package_link"] = [
            NotFound("Not ready.", status=404, permanent=True), Throttled("Slow.", status=429, retry_after=30)
        ]  # fmt: skip
        row = self.move(row)
        assert "not ready" in row.status_text
        row = self.move(row)
        assert self.governor.penalties == [30]
        assert self.finish(row).state == CollectionState.DONE
        assert len(self.tenant.packages) == 1

    def test_a_package_that_never_is_ready_fails(self) -> None:
        self.tenant.faults["package_link"] = [NotFound("No package.", status=404, permanent=True) for _ in range(20)]
        row = self.finish(self.ask("investigation-package"))
        assert row.state == CollectionState.FAILED and "No package" in row.failure
