"""A rich case leaves, comes back and leaves again: the same but for what has to differ."""

import io
import json
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from ircase import tasks
from ircase.dossier import coverage, verify, write
from ircase.dossier.container import FolderWriter, ZipWriter
from ircase.dossier.recalling.recipes import recipes
from ircase.models import (
    Activity,
    Asset,
    Case,
    CaseImport,
    CaseLink,
    CaseRole,
    ChecklistItem,
    Clock,
    Comment,
    CommentRevision,
    CustodyEntry,
    Event,
    Handling,
    IncidentComment,
    LegalHold,
    LogEntry,
    Notice,
    PersonElsewhere,
    RecordBefore,
    RowTag,
    User,
)
from ircase.services import cases
from ircase.services.casework import decisions, handovers, tags
from ircase.services.phases import checklist
from ircase.services.transfer import caseimports
from ircase.services.vault import handling, statements, verification
from ircase.services.writing import comments
from tests.cast import make_case, make_connection, make_user
from tests.ircase.test_exporting import resign
from tests.world import World, make_world

# What an export says otherwise after an import, area by area: the rest is the same.
DIFFERS = {
    "timeline": {"provenance"},
    "assets": {"provenance"},
    "indicators": {"provenance"},
    "activities": {"url_name", "subject", "state", "outcome", "ended_at", "evidence"},
    "handovers": {"state", "answered_at", "answer"},
    "clocks": {"report"},
    "handling": {"form", "danger", "looks", "version", "covers"},
    "stars": {"provenance"},
    "incidents": {"incoming"},
    "links": {"made_by", "made_at", "outwards"},
}


# What was written down once, under a digest: the names in it stay those of then.
FROZEN = {"snapshot", "detail"}


def packed(folder: Path) -> bytes:
    out = io.BytesIO()
    writer = ZipWriter(out)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            writer.add(path.relative_to(folder).as_posix(), [path.read_bytes()])
    with mock.patch("os.fsync"), mock.patch.object(out, "fileno", return_value=0, create=True):
        writer.close()
    return out.getvalue()


def areas_of(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {path.stem: json.loads(path.read_text()) for path in (folder / "case").glob("*.json")}


def alike(areas: dict[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
    """Areas with every row's name replaced by its place, so that two exports of one content read the same."""
    named: dict[str, str] = {}
    for area, rows in sorted(areas.items()):
        for place, row in enumerate(rows):
            # What is named by a number of the database is named by nobody else, but for the checklist in comments.
            if not str(row["_id"]).isdecimal():
                named.setdefault(str(row["_id"]), f"<{area} {place}>")
    numbers = {row["_number"]: row["_id"] for row in areas["checklist"]}
    for row in areas["comments"]:
        row["subject"] = numbers[row["subject"]] if row["kind"] == "checklist" else row["subject"]
        if row["kind"] in ("run", "approval", "evidence"):
            row["subject"] = f"of the kind {row['kind']}"  # named by what is no row of the export; tested by itself

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {named.get(key, key): plain(one) for key, one in value.items()}
        if isinstance(value, list):
            return [plain(one) for one in value]
        return named.get(value, value) if isinstance(value, str) else value

    return {
        area: [
            json.dumps(
                {
                    key: value if key in FROZEN else plain(value)
                    for key, value in row.items()
                    if key not in DIFFERS.get(area, ()) and key not in ("_id", "_number", "uuid", "number")
                },
                sort_keys=True,
            )
            for row in rows
        ]
        for area, rows in areas.items()
    }


class RoundTripTests(TestCase):
    lead: User
    asker: User
    case: Case
    world: World

    @classmethod
    def setUpTestData(cls) -> None:
        cls.lead = make_user("lead", User.SiteRole.ANALYST)
        cls.asker = make_user("analyst", User.SiteRole.ANALYST)
        for name in ("outsider", "viewer"):
            make_user(name, User.SiteRole.GUEST)
        make_user("administrator", User.SiteRole.ADMINISTRATOR)
        connection = make_connection()
        case = make_case(cls.lead, connection=connection, detected=timezone.now(), playbook="ransomware")
        cases.set_member(case=case, actor=cls.lead, user=cls.asker, role=CaseRole.ANALYST)
        cls.case = Case.objects.visible_to(cls.lead).get(pk=case.pk)
        cls.world = make_world(cls.case, asker=cls.asker)
        cls._enrich()
        statements.make()
        cls.first = cls.export(cls.case)

    @classmethod
    def _enrich(cls) -> None:
        case, lead, asker = cls.case, cls.lead, cls.asker
        asset = Asset.objects.filter(case=case).first()
        assert asset is not None
        event, item = Event.objects.filter(case=case)[0], case.evidence.order_by("number")[0]
        step = ChecklistItem.objects.filter(case=case).last()
        assert step is not None
        event.assets.set([asset])
        checklist.start_item(item=step, actor=asker)
        decision = decisions.record(
            case=case, actor=lead, what="Take it off the network", why="It spreads", items=[step], evidence=[item]
        )
        decisions.record(case=case, actor=asker, what="Put it back", why="It is clean", supersedes=decision)
        checklist.add_proof(item=step, actor=asker, evidence=item)
        tags.set_tags(case=case, actor=lead, names=["ransomware", "west"])
        handling.mark(item=item, actor=lead, mark=Handling.Mark.MALICIOUS, reason="It is the loader")
        RowTag.objects.create(case=case, evidence=item, table_name="T", number=1, name="odd", tagged_by=lead)
        IncidentComment.objects.create(
            link=case.incidents.all()[0], author="SOC", text="Seen", key="k", state="done", from_defender=True
        )
        run = Activity.objects.filter(case=case, kind="hunt")[0]
        for kind, subject in (
            ("case", case.uuid), ("checklist", step.pk), ("evidence", item.uuid), ("event", event.uuid),
            ("asset", asset.uuid), ("device", "ws-07"), ("file", "a" * 64), ("run", run.subject),
        ):  # fmt: skip
            comments.write(case=case, actor=asker, kind=kind, subject=str(subject), body=f"About this {kind}")
        said = Comment.objects.get(case=case, kind="event")
        comments.edit(comment=said, actor=asker, body="About this event, and more", version=1)
        comments.resolve(comment=said, actor=lead, resolved=True)

    @classmethod
    def export(cls, case: Case) -> Path:
        folder = Path(tempfile.mkdtemp()) / "export"
        wanted = write.Wanted(case, cls.lead, "export", "Court", "Court")
        write.write(wanted, FolderWriter(folder), check=lambda: None)
        return folder

    def bring(self, folder: Path) -> Case:
        job = caseimports.receive(
            actor=self.lead, wish=caseimports.Wish("x.zip", confidential=False), chunks=[packed(folder)]
        )
        tasks.import_case(job.pk)
        job = CaseImport.objects.get(pk=job.pk)
        assert (job.state, job.reason, job.faults) == ("done", "", [])
        assert job.case is not None
        return job.case

    def test_what_comes_back_is_what_left(self) -> None:
        notices = Notice.objects.count()
        case = self.bring(self.first)
        again = self.export(case)
        assert verify.Verifier(str(self.first)).run() == []
        assert verify.Verifier(str(again)).run() == []
        assert list(verification.verify_case(case)) == []
        before, after = areas_of(self.first), areas_of(again)
        # What the import itself did is of the second case alone: it queued the reading of exhibits.
        after["activities"] = [row for row in after["activities"] if row["url_name"] == "ircase:before_item"]
        one, two = alike(before), alike(after)
        rich, wrong = set(), []
        for area in sorted({recipe.area for recipe in recipes()} | {"assets", "indicators", "timeline", "links"}):
            lost, new = set(one[area]) - set(two[area]), set(two[area]) - set(one[area])
            told = [
                {key: (value, b[key]) for key, value in a.items() if b[key] != value}
                for a, b in zip(map(json.loads, sorted(lost)), map(json.loads, sorted(new)), strict=False)
            ]
            if (len(one[area]), lost, new) != (len(two[area]), set(), set()):
                wrong.append(f"{area}: {len(one[area])} and {len(two[area])} rows {str(told[:2])[:600]}")
            rich |= {area} if before[area] else set()
        assert wrong == [], "\n".join(wrong)
        empty = {recipe.area for recipe in recipes()} - rich
        assert empty <= {"cell_revisions"}, f"the case has nothing of it to prove: {empty}"
        assert Notice.objects.count() == notices, "what happened long ago is not told again"

    def test_what_is_no_row_here_is_a_record(self) -> None:
        case = self.bring(self.first)
        before = areas_of(self.first)
        for area in {name for name in (*coverage.RECORDS, "activities") if before.get(name)}:
            kept = RecordBefore.objects.filter(case=case, area=area)
            assert [row.entry for row in kept][-len(before[area]) :] == before[area], area
        log = [json.loads(line) for line in (self.first / "log.ndjson").read_text().splitlines()]
        assert [row.entry for row in RecordBefore.objects.filter(case=case, area="log")] == log
        assert len(log) > 20
        # A second journey loses nothing of the first.
        third = self.bring(self.export(case))
        for area in ("log", "approvals", "hunt_runs"):
            old = list(RecordBefore.objects.filter(case=case, area=area).values_list("line", flat=True))
            new = list(RecordBefore.objects.filter(case=third, area=area).values_list("line", flat=True))
            assert new[: len(old)] == old or new[-len(old) :] == old, area
        run = Activity.objects.get(case=third, kind="hunt", url_name="ircase:before_item")
        assert RecordBefore.objects.filter(case=third, key=run.subject, area="hunt_runs").exists()

    def test_people_are_who_they_were_and_nobody_here(self) -> None:
        case = self.bring(self.first)
        said = Comment.objects.get(case=case, kind="event")
        assert (said.author.name, said.author.is_active) == ("Analyst (analyst), elsewhere", False)
        assert said.author != self.asker
        assert not said.author.has_usable_password()
        assert said.resolved_by is not None
        assert said.resolved_by.name == "Lead (lead), elsewhere"
        assert CommentRevision.objects.get(comment=said).body == "About this event"
        assert said.subject == str(Event.objects.filter(case=case)[0].uuid)
        about = Comment.objects.get(case=case, kind="evidence").subject
        assert case.evidence.get(uuid=about).sha256 == self.case.evidence.order_by("number")[0].sha256
        run = Activity.objects.get(case=case, kind="hunt", url_name="ircase:before_item")
        assert Comment.objects.get(case=case, kind="run").subject == str(run.subject)
        item = Comment.objects.get(case=case, kind="checklist")
        assert ChecklistItem.objects.get(pk=item.subject).case == case
        assert PersonElsewhere.objects.filter(brought_in__case=case).count() == 2
        self.client.force_login(User.objects.get(username="administrator"))
        assert "elsewhere" not in self.client.get(reverse("ircase:people")).content.decode()
        assert self.client.get(reverse("ircase:person", args=[said.author_id])).status_code == 404

    def test_what_was_under_way_is_over(self) -> None:
        case = self.bring(self.first)
        assert not Activity.objects.filter(case=case, url_name="ircase:before_item", ended_at=None).exists()
        handed = case.handovers.get()
        assert (handed.state, handed.giver.is_active) == ("withdrawn", False)
        # Nothing stands in the way of another one.
        cases.set_member(case=case, actor=self.lead, user=self.asker, role=CaseRole.ANALYST)
        handovers.offer(case=case, actor=self.lead, receiver=self.asker, situation="Come back", next_steps="Go on")
        assert set(Clock.objects.filter(case=case, state="running").values_list("rule", flat=True)) == set(
            Clock.objects.filter(case=self.case, state="running").values_list("rule", flat=True)
        )
        assert LegalHold.objects.filter(case=case, lifted_at=None).count() == 1
        assert CustodyEntry.objects.filter(evidence__case=case, action="imported").count() > 2

    def test_links_come_back_only_to_what_the_importer_sees(self) -> None:
        case = self.bring(self.first)
        (mine,) = CaseLink.objects.filter(case=case)
        assert mine.other == CaseLink.objects.get(case=self.case).other
        folder = self.export(self.case)
        rows = json.loads((folder / "case" / "links.json").read_text())
        secret = make_case(self.asker, title="Quiet", confidential=True)
        nobody = "7e57ab1e-0000-4000-8000-000000000000"
        rows = [{**rows[0], "_id": one, "other": one} for one in (str(secret.uuid), nobody, "x", str(self.case.uuid))]
        (folder / "case" / "links.json").write_text(json.dumps(rows))
        resign(folder)
        case = self.bring(folder)
        kept = RecordBefore.objects.filter(case=case, area="links")
        assert len({row.reason for row in kept}) == 1, "an invisible case reads as one that is not there"
        assert kept.count() == 3
        assert CaseLink.objects.get(case=case).other == self.case
        assert not CaseLink.objects.filter(other=secret).exists()

    def test_a_confidential_case_is_in_no_other_cases_export(self) -> None:
        secret = make_case(self.lead, title="Quiet", confidential=True)
        CaseLink.objects.create(case=self.case, other=secret, kind="related", reason="Hush", made_by=self.lead)
        for path in self.export(self.case).rglob("*"):
            if path.is_file() and path.name != "verify.py":
                said = path.read_bytes()
                assert b"Hush" not in said, path
                assert secret.reference.encode() not in said, path
                assert str(secret.uuid).encode() not in said, path

    def test_its_pages_are_there(self) -> None:
        case = self.bring(self.first)
        self.client.force_login(self.lead)
        page = self.client.get(reverse("ircase:log", args=[case.reference])).content.decode()
        address = reverse("ircase:before", args=[case.reference])
        assert address in page
        for area in RecordBefore.objects.filter(case=case).values_list("area", flat=True).distinct():
            assert self.client.get(address, {"area": area}).status_code == 200, area
        with CaptureQueriesContext(connection) as asked:
            self.client.get(address, {"area": "log"})
        assert len(asked) <= 15, "\n".join(one["sql"][:150] for one in asked)
        run = Activity.objects.get(case=case, kind="hunt", url_name="ircase:before_item")
        page = self.client.get(reverse("ircase:before_item", args=[case.reference, run.subject])).content.decode()
        assert "DeviceEvents" in page
        for name in ("case", "checklist", "timeline", "entities", "notes", "clocks", "decisions", "handovers", "links",
                     "case_improvements", "case_incidents", "stars", "graph", "report"):  # fmt: skip
            reply = self.client.get(reverse(f"ircase:{name}", args=[case.reference]))
            assert reply.status_code == 200, name
        for said in Comment.objects.filter(case=case):
            address = reverse("ircase:comments", args=[case.reference, said.kind, said.subject])
            assert said.body in self.client.get(address).content.decode(), said.kind
        found = LogEntry.objects.get(case=case, action="case.brought_in").detail
        assert found["records"] == RecordBefore.objects.filter(case=case).count()

    def test_a_record_that_was_changed_is_found(self) -> None:
        case = self.bring(self.first)
        row = RecordBefore.objects.filter(case=case, area="approvals")[0]
        RecordBefore._base_manager.filter(pk=row.pk).update(line=row.line.replace("requested", "approved"))
        assert [fault.code for fault in verification.verify_case(case)] == ["before_altered"]
