"""One case with one of everything, so that every address of it can be tried."""

import hashlib
import io
import json
import tempfile
import uuid
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from PIL import Image

from artifacts.choices import Dialect
from artifacts.shapes import Shape, ShapeColumn
from hunting import catalogue
from hunting.binding import attach_kql
from hunting.models import (
    Feed,
    HuntImport,
    HuntRun,
    HuntVersion,
    PackRun,
    PackVersion,
    PlacesFile,
    ProfilesFile,
    SavedPack,
    Source,
    Sweep,
    TablePush,
)
from hunting.services import library, runs, watching
from hunting.services.notebooks import editing
from ircase import secrets
from ircase.indicators import harmless
from ircase.models import (
    Activity,
    AttackRelease,
    Case,
    CaseImport,
    CaseIncident,
    CaseRole,
    CaseTable,
    DashboardFile,
    Delivery,
    Destruction,
    Evidence,
    Hook,
    IncidentFile,
    IncidentSource,
    IncomingIncident,
    JobState,
    MonthlyMail,
    Notice,
    NoticeCode,
    ParseJob,
    Passkey,
    PlaybookVersion,
    PreparationItem,
    RecordBefore,
    ReportLook,
    RetentionPolicy,
    ServiceLevel,
    SessionRecord,
    Statement,
    StatementPost,
    StatementStamp,
    SyncConflict,
    Team,
    TeamMember,
    User,
)
from ircase.redaction import Redaction
from ircase.services import activity, approvals, cases, notices, reports, savedviews
from ircase.services.analysis import findings, mapping, stars, supertimeline, tables
from ircase.services.casework import decisions, handovers, improvements, linking
from ircase.services.identity import people, teams
from ircase.services.managing import papers
from ircase.services.phases import checklist, clocks, playbooks, servicelevels
from ircase.services.reporting import looks
from ircase.services.transfer import caseexports, caseimports, resumable, shareddata, sharing
from ircase.services.vault import custody, holds, stamps, statements
from ircase.services.writing import comments, notes
from kql.parquet import write_parquet
from kql.types import Column
from liveresponse.models import CollectionVersion, Freeze, LibraryScript, Lookup
from liveresponse.services import actions, analyses, batches, collections, lookups
from liveresponse.services import definitions as collection_definitions
from simulator.stamping import Authority
from tests import hunts_world, readyworld
from tests.cast import make_evidence

ROW = {"Timestamp": "2026-11-20T10:00:00Z", "DeviceName": "ws-07"}
TABLE_COLUMNS = (Column("Timestamp", "datetime"), Column("DeviceName", "string"))


@dataclass(frozen=True)
class World:
    """`things` finds a value by the longest part of an address's name that it knows, then by the argument alone."""

    case: Case
    things: dict[str, Any]
    bodies: dict[str, Any]

    def value(self, name: str, argument: str) -> Any:
        for key in (f"{name}.{argument}", *_shorter(name, argument), argument):
            if key in self.things:
                return self.things[key]
        raise LookupError(f"tests/world.py has no value for {argument!r} of {name}")

    def form(self, name: str) -> str:
        """What a page's form sends where an empty one would be about something else than access."""
        return FORMS.get(name, "")

    def body(self, operation: str) -> Any:
        return self.bodies.get(operation)


def _shorter(name: str, argument: str) -> list[str]:
    """`ircase:evidence_download` is about `ircase:evidence`."""
    words = name.split("_")
    return [f"{'_'.join(words[:end])}.{argument}" for end in range(len(words) - 1, 0, -1)]


def make_table(evidence: Evidence, rows: list[dict[str, Any]], name: str = "DeviceEvents") -> CaseTable:
    """A case table of two columns, with its Parquet."""
    with tempfile.TemporaryDirectory() as folder:
        source, parquet = Path(folder) / "rows.ndjson", Path(folder) / "rows.parquet"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        info = write_parquet(source, TABLE_COLUMNS, parquet)
        new = tables.NewTable(name, parquet, TABLE_COLUMNS, info.rows, info.first_time, info.last_time, "test")
        return tables.keep(evidence=evidence, tables=[new])[0]


def make_saved_pack(author: User) -> SavedPack:
    """A pack of the team's own, the same for every case."""
    saved, new = SavedPack.objects.get_or_create(slug="team-pack", defaults={"created_by": author})
    if new:
        content = {"title": "Team pack", "description": "", "entity": "device", "hunts": ["device-logons"]}
        PackVersion.objects.create(saved=saved, number=1, content=content, author=author)
    return saved


def make_import(author: User) -> HuntImport:
    """An import that was read, with one find."""
    made, new = HuntImport.objects.get_or_create(
        source="hunts.zip", defaults={"requested_by": author, "state": JobState.DONE, "kind": "zip"}
    )
    if new:
        made.items.create(
            number=1, kind="hunt", member="a.kql", format="KQL file", outcome="kept", slug="a-hunt", title="A hunt",
            content={"kql": "DeviceEvents", "parameters": []}, origin={"slug": "a-hunt"}, becomes="new",
        )  # fmt: skip
    return made


def make_saved_hunt(author: User) -> HuntVersion:
    """The hunt `team-hunt` that the author has written, once however many cases there are."""
    content = {"title": "Ours", "entity": "device", "sources": ["case"], "kql": "DeviceEvents | take 10"}
    known = HuntVersion.objects.filter(saved__slug="team-hunt").first()
    return known or library.save_hunt(actor=author, slug="team-hunt", content=content)


def make_saved_collection(author: User) -> CollectionVersion:
    """A collection of the team's own that runs a script, so that it waits for review."""
    found = CollectionVersion.objects.filter(saved__slug="team-collection").first()
    content = {
        "title": "Team collection", "description": "", "platforms": ["Windows"], "parameters": [],
        "steps": [{"key": "run", "title": "Run", "run_script": "Own.ps1", "output": "printed", "table": "Own"}],
        "changes": "Nothing.", "approval": "script", "time_limit": "72h",
    }  # fmt: skip
    return found or collection_definitions.save_collection(actor=author, slug="team-collection", content=content)


def make_playbook(author: User) -> PlaybookVersion:
    """A playbook of the team's own, a draft."""
    found = PlaybookVersion.objects.filter(saved__slug="team-playbook").first()
    item = {"key": "validate", "phase": "detection", "title": "Look at it", "r2": "1.1", "csf": "RS.MA-02"}
    content = {"title": "Team playbook", "description": "", "roles": ["Lead"], "items": [item]}
    return found or playbooks.save_playbook(actor=author, slug="team-playbook", content=content)


def make_run(case: Case, actor: User, evidence: Evidence, table: CaseTable) -> HuntRun:
    """A finished run whose rows are those of `table`."""
    run = runs.queue_run(case=case, actor=actor, frozen=attach_kql(kql="DeviceEvents"), source=Source.CASE)
    HuntRun.objects.filter(pk=run.pk).update(state=JobState.DONE, evidence=evidence, table=table, row_count=1,
                                                batch=run.uuid)  # fmt: skip
    return HuntRun.objects.get(pk=run.pk)


def make_paper(lead: User) -> dict[str, Any]:
    """A dashboard that was made into a file for the lead."""
    row = DashboardFile.objects.create(
        requested_by=lead, state=JobState.DONE, size=4, sha256=hashlib.sha256(b"%PDF").hexdigest()
    )
    papers.folder_of(row).mkdir(parents=True)
    (papers.folder_of(row) / "dashboard.pdf").write_bytes(b"%PDF")
    return {
        "ircase:dashboard_file.uuid": row.uuid,
        "api:GET /dashboard/files/{uuid}.uuid": row.uuid,
        "api:GET /dashboard/files/{uuid}/content.uuid": row.uuid,
        "panel": "standing",
        "table": "phase",
    }


def make_monthly() -> dict[str, Any]:
    """A dashboard that the manager gets each month."""
    manager, _ = User.objects.get_or_create(username="manager", defaults={"site_role": User.SiteRole.MANAGER})
    row, _ = MonthlyMail.objects.get_or_create(person=manager, defaults={"month": date(2026, 1, 1)})
    return {
        "ircase:dashboard_monthly_stop.uuid": row.uuid,
        "ircase:dashboard_monthly_send.uuid": row.uuid,
        "api:DELETE /dashboard/monthly/{uuid}.uuid": row.uuid,
        "api:POST /dashboard/monthly/{uuid}/letters.uuid": row.uuid,
    }


def make_life(case: Case, lead: User, asker: User) -> dict[str, Any]:
    """A clock, a decision, a hand-over, an improvement and a link of the case."""
    administrator = User.objects.get(username="administrator")
    level = ServiceLevel.objects.first() or servicelevels.save(
        actor=administrator, name="Of a test", severity="critical", amount=4, unit="hours", deliver="Do it"
    )
    clock = clocks.start(case=case, actor=lead, rule="gdpr-notification", reason="A test")
    decision = decisions.record(case=case, actor=lead, what="A test", why="A test")
    handover = handovers.offer(case=case, actor=lead, receiver=asker, situation="A test", next_steps="None")
    item = improvements.add(case=case, actor=lead, title="A test")
    other = cases.open_case(actor=lead, title="Beside it")
    link = linking.link(case=case, actor=lead, other=other, kind="related", reason="A test")
    of_case = "/cases/{reference}"
    return {
        "ircase:service_level.pk": level.pk,
        "ircase:clock.uuid": clock.uuid,
        "ircase:decision.uuid": decision.uuid,
        "ircase:handover.uuid": handover.uuid,
        "ircase:improvement.uuid": item.uuid,
        "ircase:link_remove.uuid": link.uuid,
        "ircase:merge_undo.uuid": link.uuid,
        "regime": "nis2",
        "api:PUT /service-levels/{pk}.pk": level.pk,
        **{f"api:POST {of_case}/clocks/{{uuid}}/{end}.uuid": clock.uuid for end in ("delivery", "dismissal")},
        f"api:GET {of_case}/decisions/{{uuid}}.uuid": decision.uuid,
        f"api:GET {of_case}/hand-overs/{{uuid}}.uuid": handover.uuid,
        f"api:POST {of_case}/hand-overs/{{uuid}}/answer.uuid": handover.uuid,
        "api:GET /improvements/{uuid}.uuid": item.uuid,
        "api:PUT /improvements/{uuid}.uuid": item.uuid,
        "api:POST /improvements/{uuid}/state.uuid": item.uuid,
        f"api:DELETE {of_case}/links/{{uuid}}.uuid": link.uuid,
        f"api:POST {of_case}/links/{{uuid}}/undo.uuid": link.uuid,
    }


def make_telling(case: Case, lead: User) -> dict[str, Any]:
    """A hook of the case, one of the site, and a dead letter."""
    fields = {"codes": ["phase"], "created_by": lead, "url_encrypted": secrets.encrypt("https://hooks.example.com/x")}
    own = Hook.objects.create(case=case, name="A hook", **fields)
    sites, _ = Hook.objects.get_or_create(case=None, name="A hook of the site", defaults=fields)
    dead = Delivery.objects.create(
        channel="webhook",
        hook=own,
        case=case,
        code="phase",
        subject=uuid.uuid4(),
        title="Moved",
        path="/",
        state="dead",
    )
    of_case, of_site = "/cases/{reference}/hooks/{uuid}", "/hooks/{uuid}"
    return {
        "ircase:case_hook.uuid": own.uuid,
        "ircase:hook.uuid": sites.uuid,
        "ircase:delivery_again.uuid": dead.uuid,
        **{f"api:{m} {of_case}.uuid": own.uuid for m in ("PUT", "DELETE")},
        f"api:POST {of_case}/secret.uuid": own.uuid,
        **{f"api:{m} {of_site}.uuid": sites.uuid for m in ("PUT", "DELETE")},
        f"api:POST {of_site}/secret.uuid": sites.uuid,
        "api:POST /deliveries/{uuid}/again.uuid": dead.uuid,
    }


def make_look(administrator: User) -> dict[str, Any]:
    """The reports' look, with a logo."""
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), "navy").save(picture, "PNG")
    logo = SimpleUploadedFile("logo.png", picture.getvalue())
    looks.save_look(look=ReportLook(organisation="Contoso"), actor=administrator, logo=logo)
    return {}


def make_stamp(statement: Statement) -> None:
    """A time stamp of the simulator's authority, once for each statement."""
    if StatementStamp.objects.filter(statement=statement).exists():
        return
    with tempfile.TemporaryDirectory(prefix="tsa-") as folder:
        query = stamps.question(stamps.digest_of(statement.body), policy="", now=timezone.now()).query
        answer = Authority(Path(folder)).answer(query)
    StatementStamp.objects.create(statement=statement, answer=answer, at=statement.at)


def make_world(case: Case, asker: User) -> World:
    """`asker` has asked for an approval on `case`, which somebody else leads."""
    lead = case.members.get(role=CaseRole.LEAD).user
    item = make_evidence(case, lead, f"evidence of {case.reference}".encode())
    table = make_table(item, [ROW])
    job = tables.queue_parse(evidence=item, actor=lead)
    shape = Shape("a.csv", "csv", "a", 1, Dialect(","), (ShapeColumn("a", "string"),), (("1",),))
    ParseJob.objects.filter(pk=job.pk).update(shapes=[shape.to_json()])
    note = notes.create_note(case=case, actor=lead, title="A note", body="text")
    try:
        notes.save_note(note=note, actor=lead, title="A note", body="too late", version=0)
    except notes.NoteConflict as conflict:
        late = conflict.revision
    said = comments.write(case=case, actor=lead, kind="note", subject=str(note.uuid), body="Is it?")
    step = checklist.add_item(case=case, actor=lead, title="A step", phase="detection")
    asset, _ = findings.add_asset(case=case, actor=lead, kind="device", name="ws-07")
    indicator, _ = findings.add_indicator(case=case, actor=lead, kind="ip", value="192.0.2.7")
    event = findings.add_event(case=case, actor=lead, at=case.opened_at, title="It began")
    known, _ = harmless.add(actor=lead, match="cidr", value="198.51.100.0/24", reason="Ours")
    release, _ = AttackRelease.objects.get_or_create(name="a.json", defaults={"size": 1, "uploaded_by": lead})
    approval = approvals.request(
        case=case, actor=asker, kind="liveresponse.script", subject=uuid.uuid4(), title="Run a script",
        detail={"script": "x.ps1"}, digest="d" * 64, task="",
    )  # fmt: skip
    assert case.connection is not None
    incident, _ = IncomingIncident.objects.get_or_create(
        connection=case.connection, incident_id="7", defaults={"title": "An incident", "severity": "high",
        "status": "active", "raw": {"id": "7", "displayName": "An incident", "severity": "high", "alerts": []}},
    )  # fmt: skip
    link = CaseIncident.objects.create(
        case=case, incoming=incident, number="7", title="An incident", origin=case.connection.name, via="merged",
        added_by=lead,
    )  # fmt: skip
    conflict = SyncConflict.objects.create(link=link, field="severity", ours="high", theirs="low")
    source, _ = IncidentSource.objects.get_or_create(
        name="SIEM", defaults={"kind": "webhook", "created_by": lead, "mapping": {"fields": {"title": "title"}}}
    )
    incident_file = IncidentFile.objects.create(
        source=source, name="incidents.csv", sha256="a" * 64, content=b"title\nOne\n", uploaded_by=lead
    )
    token, _ = people.create_token(user=lead, name=f"of {case.reference}")
    person = User.objects.get(username="outsider")
    team, _ = Team.objects.get_or_create(name="Night shift")
    member = User.objects.get(username="viewer")
    TeamMember.objects.get_or_create(team=team, user=member)
    teams.set_on_case(case=case, team=team, role=CaseRole.VIEWER, actor=lead)
    session = SessionRecord.objects.create(user=lead, session_key=f"of {case.pk}", expires_at=case.opened_at)
    passkey = Passkey.objects.create(
        user=lead, name=f"of {case.reference}", credential=f"{case.pk:08d}", handle="QQ", public_key="QQ"
    )
    prepared, _ = PreparationItem.objects.get_or_create(key="contacts", defaults={"title": "Contact lists are current"})
    rows = make_evidence(case, lead, json.dumps(ROW).encode() + b"\n", name="rows.ndjson")
    run = make_run(case, lead, rows, table)
    sweep = Sweep.objects.create(
        case=case, hunt_id="device-logons", title="Swept", requested_by=lead, entities=["ws-07"]
    )
    notebook = editing.create_notebook(case=case, actor=lead, title="A notebook")
    cell = editing.add_cell(notebook=notebook, actor=lead, kind="kql", draft=editing.Draft("DeviceEvents"))
    pack_run = PackRun.objects.create(
        case=case, pack_id="device-triage", pack_version=1, title="At work", source=Source.CASE, requested_by=lead
    )
    push = TablePush(case=case, connection=case.connection, requested_by=lead, name=table.name,
                     cluster="https://c.kusto.windows.net", database="Cases", target="Case_x")  # fmt: skip
    push.activity = activity.begin(
        case=case, kind=Activity.Kind.PUSH, title="A copy", subject=push.uuid, url_name="hunting:push", actor=lead
    )
    push.save()
    collection = collections.request_collection(
        case=case, actor=lead, definition="get-file", device="ws-07", parameters={"Path": "C:\\x.log"}
    )
    file_analysis = analyses.queue(evidence=rows, actor=lead)
    for kind, key in (("file", "a" * 64), ("device", "ws-07")):
        Lookup.objects.filter(pk=lookups.ask(case=case, actor=lead, kind=kind, key=key).pk).update(
            state="done", answers={"file": {"state": "unknown"}}
        )
    many = batches.request_batch(
        case=case, actor=lead, definition="get-file", origin="names", names=["ws-07"], parameters={"Path": "C:\\x.log"}
    )
    script, _ = LibraryScript.objects.get_or_create(
        connection=case.connection, name="DFIR-Script.ps1", defaults={"sha256": "a" * 64}
    )
    standing = approvals.grant_standing(
        case=case, actor=lead, connection=case.connection, script_name=script.name, script_sha256=script.sha256,
        reason="read by us", days=30,
    )  # fmt: skip
    row_take = mapping.request(table=table, actor=lead, numbers=[1], plan=mapping.Plan({"DeviceName": "asset:device"}))
    (star,) = stars.star_rows(table=table, actor=lead, numbers=[1])
    watch = watching.watch_run(run=run, actor=lead)
    notices.tell(code=NoticeCode.ROWS, people=[lead], case=case, subject=watch.uuid, title="New rows", path="/")
    telling = make_telling(case, lead)
    build = reports.request_report(case=case, actor=lead)
    export = caseexports.request_export(case=case, actor=lead, purpose="A test", receiver="A test")
    wish = shareddata.Wish(Redaction(tlp="amber"), "amber", ("indicators",), "A test")
    share = sharing.request_share(
        case=Case.objects.visible_to(lead).get(pk=case.pk), actor=lead, kind="stix", wish=wish, receiver="A test",
        purpose="A test",
    )  # fmt: skip
    held = make_evidence(case, asker, b"held", name="held.txt")
    transfer = custody.hand_over(item=held, actor=asker, receiver=lead, said=custody.Said("A test", "Here"))
    coming = CaseImport.objects.create(requested_by=lead, name="export.zip")
    record = RecordBefore.objects.create(case=case, area="hunt_runs", sequence=1, key=uuid4(), line="{}")
    statement = Statement.objects.first() or statements.make()
    make_stamp(statement)
    post, _ = StatementPost.objects.get_or_create(statement=statement, url="https://example.com/")
    hold = holds.place(case=case, actor=lead, evidence=held, reason="A court asked for it")
    gone = Destruction.objects.create(case=case, why="Its time is over", requested_by=lead, certificate={"a": 1})
    policy, _ = RetentionPolicy.objects.get_or_create(name="A year", defaults={"days": 365, "changed_by": lead})
    events = supertimeline.request_export(case=case, actor=lead, kind="jsonl", asked="")
    timeline_view = supertimeline.save_view(case=case, actor=lead, name="A view", asked="q=x")
    view = savedviews.save(person=lead, page="search", name=f"A view of {case.reference}", asked="q=x")
    upload = resumable.begin(case=case, actor=lead, new=resumable.NewUpload("a.csv", 100))
    arriving = caseimports.begin_upload(actor=lead, wish=caseimports.Wish("b.zip"), size=100, fingerprint="")
    feed, _ = Feed.objects.get_or_create(address="https://feeds.example.com/list.csv", defaults={"allowed_by": lead})
    file = {"name": "a file", "sha256": "a" * 64, "size": 1, "uploaded_by": lead}
    places = PlacesFile.objects.create(
        kind="GeoLite2-City", built_at=case.opened_at, withdrawn_at=case.opened_at, **file
    )
    profiles = ProfilesFile.objects.create(withdrawn_at=case.opened_at, **file)
    (act,) = actions.request_actions(
        case=case, actor=asker, kind="isolate", targets=["ws-07"], parameters={}, reason="It spreads"
    )
    Freeze.objects.get_or_create(scope="site", defaults={"reason": "Wrong devices", "frozen_by": lead})
    life = make_life(case, lead, asker)
    things = {
        **life,
        **telling,
        **make_look(User.objects.get(username="administrator")),
        **readyworld.make_ready(case, lead, User.objects.get(username="administrator")),
        "liveresponse:action.uuid": act.uuid,
        "liveresponse:action_ask.kind": "isolate",
        "liveresponse:action_prove.item": step.pk,
        "liveresponse:thaw.pk": Freeze.objects.get().pk,
        "api:POST /freezes/{pk}/thaw.pk": Freeze.objects.get().pk,
        "reference": case.reference,
        "ircase:evidence.uuid": item.uuid,
        "ircase:evidence_preview.kind": "hex",
        "ircase:import.uuid": job.uuid,
        "ircase:import_types.number": 1,
        "ircase:hold_lift.uuid": hold.uuid,
        "ircase:destruction.uuid": gone.uuid,
        "ircase:certificate.uuid": gone.uuid,
        "ircase:retention_policy.pk": policy.pk,
        "ircase:table.uuid": table.uuid,
        "ircase:upload.uuid": upload.uuid,
        "ircase:view_change.uuid": view.uuid,
        "api:PATCH /views/{uuid}.uuid": view.uuid,
        **make_paper(lead),
        **make_monthly(),
        "api:DELETE /views/{uuid}.uuid": view.uuid,
        "api:GET /cases/{reference}/destructions/{uuid}.uuid": gone.uuid,
        **{f"api:{m} /cases/{{reference}}/evidence/{{uuid}}/looks/{{kind}}.kind": "strings" for m in ("GET", "POST")},
        "ircase:table_row.number": 1,
        "ircase:custody.uuid": item.uuid,
        "ircase:custody_act.name": "view",
        "ircase:transfer.uuid": transfer.uuid,
        "ircase:before_item.uuid": record.key,
        "ircase:case_export.uuid": export.uuid,
        "ircase:share.uuid": share.uuid,
        **{
            f"api:{way} /cases/{{reference}}/shares/{{uuid}}{tail}.uuid": share.uuid
            for way, tail in (("GET", ""), ("GET", "/file"), ("POST", "/cancel"), ("DELETE", ""))
        },
        "ircase:case_import.uuid": coming.uuid,
        "ircase:import_upload.uuid": arriving.uuid,
        "ircase:import_upload_discard.uuid": arriving.uuid,
        **{f"api:{m} /cases/{{reference}}/uploads/{{uuid}}.uuid": upload.uuid for m in ("GET", "PATCH", "DELETE")},
        **{f"api:{m} /case-import-uploads/{{uuid}}.uuid": arriving.uuid for m in ("GET", "PATCH", "DELETE")},
        "api:GET /case-imports/{uuid}.uuid": coming.uuid,
        **{f"api:POST /case-imports/{{uuid}}/{act}.uuid": coming.uuid for act in ("password", "acceptance")},
        "api:GET /cases/{reference}/row-takes/{uuid}.uuid": row_take.uuid,
        "api:DELETE /cases/{reference}/super-timeline/views/{uuid}.uuid": timeline_view.uuid,
        "api:POST /attack-data/files/{uuid}/withdrawal.uuid": release.uuid,
        "api:PUT /retention-policies/{pk}.pk": policy.pk,
        "ircase:statement.number": statement.number,
        "ircase:statement_again.post": post.pk,
        "ircase:statement_stamp.number": statement.number,
        "ircase:statement_stamp_again.number": statement.number,
        "api:GET /statements/{number}/stamp.number": statement.number,
        "api:POST /statements/{number}/stamp.number": statement.number,
        "api:POST /cases/{reference}/transfers/{uuid}.uuid": transfer.uuid,
        "api:POST /cases/{reference}/holds/{uuid}/lift.uuid": hold.uuid,
        "api:POST /cases/{reference}/exports/{uuid}/cancel.uuid": export.uuid,
        "api:GET /statements/{number}.number": statement.number,
        "ircase:note.uuid": str(note.uuid),
        "ircase:note_revision.revision": note.revisions.get(rejected=False).pk,
        "ircase:note_restore.revision": note.revisions.get(rejected=False).pk,
        "ircase:note_merge.revision": late.pk,
        "ircase:comments.kind": "note",
        "ircase:comments.subject": note.uuid,
        "ircase:comment.uuid": said.uuid,
        "ircase:draft.place": f"note.{note.uuid}",
        **{
            f"api:{way} /cases/{{reference}}/comments/{{uuid}}{tail}.uuid": said.uuid
            for way in ("GET", "PUT", "POST")
            for tail in ("", "/resolve", "/revisions")
        },
        **{
            f"api:{way} /cases/{{reference}}/notes/{{uuid}}{tail}.uuid": note.uuid
            for way in ("GET", "POST")
            for tail in ("/restore", "/revisions")
        },
        **{
            f"api:{way}.{name}": value
            for way in (
                "POST /cases/{reference}/notes/{uuid}/revisions/{pk}/restore",
                "GET /cases/{reference}/notes/{uuid}/revisions/{pk}/merge",
            )
            for name, value in (("uuid", note.uuid), ("pk", late.pk))
        },
        "ircase:event.uuid": str(event.uuid),
        "ircase:attack_withdraw.uuid": release.uuid,
        "ircase:address_confirm.token": "nobody-s",
        "ircase:harmless_withdraw.uuid": known.uuid,
        "ircase:asset.uuid": str(asset.uuid),
        "ircase:indicator.uuid": str(indicator.uuid),
        "ircase:checklist.item": step.pk,
        "ircase:playbook.slug": make_playbook(lead).saved.slug,
        "ircase:playbook_item.key": "validate",
        "api:PUT /preparation/{key}.key": prepared.key,
        "api:POST /preparation/{key}/removal.key": prepared.key,
        "slug": "team-playbook",
        "ircase:case_member.username": asker.username,
        "ircase:intake.incident": incident.pk,
        "ircase:case_incident.uuid": link.uuid,
        "ircase:case_sync_choice.uuid": conflict.uuid,
        "ircase:connection_sync.pk": case.connection.pk,
        "ircase:incident_file.uuid": incident_file.uuid,
        "ircase:incident_hook.uuid": source.uuid,
        "ircase:incident_source.pk": source.pk,
        "ircase:profile_token.token": token.pk,
        "ircase:person_token.pk": lead.pk,
        "ircase:person_token.token": token.pk,
        "ircase:session_end.uuid": session.uuid,
        "ircase:passkey_remove.uuid": passkey.uuid,
        "ircase:person_passkey.pk": lead.pk,
        "ircase:person_passkey.uuid": passkey.uuid,
        "ircase:set_password.uidb64": "MQ",
        "ircase:set_password.token": "no-such-link",
        **dict.fromkeys(("ircase:team.pk", "ircase:case_team_remove.pk"), team.pk),
        "ircase:team_remove.person": member.pk,
        **{f"api:{m} /cases/{{reference}}/teams/{{pk}}.pk": team.pk for m in ("PUT", "DELETE")},
        **{f"api:{m} /teams/{{pk}}/members/{{username}}.pk": team.pk for m in ("PUT", "DELETE")},
        "api:GET /teams/{pk}/members.pk": team.pk,
        "api:DELETE /teams/{pk}/members/{username}.username": member.username,
        "ircase:approval.uuid": approval.uuid,
        "ircase:connection.pk": case.connection.pk,
        "ircase:person.pk": person.pk,
        "ircase:preparation_item.pk": prepared.pk,
        "hunting:source_tables.source": "case",
        **hunts_world.things(
            imported=make_import(lead), pack=make_saved_pack(lead), feed=feed, places=places, profiles=profiles
        ),
        "kind": "detected",
        "key": step.key,
        "username": asker.username,
        "format": "json",
        "hunting:hunt.hunt_id": make_saved_hunt(lead).saved.slug,
        "hunting:version_restore.hunt_id": "team-hunt",
        **{
            f"api:{method} /hunts/{{hunt_id}}/{tail}.hunt_id": "team-hunt"
            for method in ("GET", "POST", "DELETE")
            for tail in ("versions", "approval", "retirement")
        },
        "hunt_id": run.hunt_id or next(iter(catalogue.hunts())),
        "pack_id": next(iter(catalogue.packs())),
        "number": 1,
        "definition": "get-file",
        "ircase:report+uuid.uuid": build.uuid,
        "ircase:report.uuid": build.uuid,
        "ircase:report_file.kind": "json",
        "ircase:report_changes.uuid": build.uuid,
        "ircase:report_review.uuid": build.uuid,
        "ircase:report_sign.uuid": build.uuid,
        "regime": "gdpr",
        "stage": "initial",
        "hunting:run.uuid": run.uuid,
        "hunting:push.uuid": push.uuid,
        "hunting:batch.uuid": run.uuid,
        "hunting:watch.uuid": watch.uuid,
        "hunting:watch_new.uuid": run.uuid,
        "ircase:star.uuid": star.uuid,
        "ircase:super_timeline_view_remove.uuid": timeline_view.uuid,
        **{f"ircase:super_timeline_{name}.uuid": table.uuid for name in ("star", "tags")},
        "ircase:super_timeline_export.uuid": events.uuid,
        "ircase:row_take.uuid": row_take.uuid,
        "ircase:notice.uuid": Notice.objects.get(person=lead, case=case, subject=watch.uuid).uuid,
        "hunting:compare.uuid": run.uuid,
        "hunting:sweep.uuid": sweep.uuid,
        "hunting:notebook.uuid": notebook.uuid,
        "hunting:cell.uuid": notebook.uuid,
        "cell": cell.uuid,
        "hunting:pack.pack_id": make_saved_pack(lead).slug,
        "hunting:pack_run.uuid": pack_run.uuid,
        **dict.fromkeys(("hunting:imported.uuid", "hunting:import.uuid"), make_import(lead).uuid),
        "hunting:feed.pk": feed.pk,
        "hunting:places.pk": places.pk,
        "hunting:profiles.pk": profiles.pk,
        "liveresponse:collection.uuid": collection.uuid,
        "liveresponse:analysis.uuid": file_analysis.uuid,
        "digest": "a" * 64,
        "device": "ws-07",
        "liveresponse:batch.uuid": many.uuid,
        "liveresponse:cancel.uuid": collection.uuid,
        "liveresponse:retry.uuid": collection.uuid,
        "liveresponse:go_on.uuid": collection.uuid,
        "liveresponse:grant_standing.pk": script.pk,
        "liveresponse:definition.collection_id": make_saved_collection(lead).saved.slug,
        "definition_id": "team-collection",
        "liveresponse:library.pk": case.connection.pk,
        "liveresponse:library_own.name": "IRCase-Get-Folder.ps1",
        "script": script.pk,
        "liveresponse:revoke_standing.pk": standing.pk,
        "api:DELETE /cases/{reference}/standing-approvals/{pk}.pk": standing.pk,
    }
    things |= _of_the_api(item=item, table=table, note=note, asset=asset, indicator=indicator, event=event,
                          build=build, run=run, export=export, sweep=sweep, pack_run=pack_run, collection=collection,
                          many=many, notebook=notebook, watch=watch, star=star, push=push, events=events,
                          file_analysis=file_analysis, act=act)  # fmt: skip
    things |= {f"api:{key}.uuid": approval.uuid for key in ("GET /approvals/{uuid}", "POST /approvals/{uuid}/decision")}
    things |= {
        "api:POST /notices/{uuid}/unread.uuid": Notice.objects.get(person=lead, case=case, subject=watch.uuid).uuid,
        "api:POST /notices/{uuid}/read.uuid": Notice.objects.get(person=lead, case=case, subject=watch.uuid).uuid,
    }
    things |= {f"api:{key}.pk": case.connection.pk for key in LIBRARY_OPERATIONS}
    things |= {f"api:{key}.name": "IRCase-Get-Folder.ps1" for key in LIBRARY_OPERATIONS}
    things |= {"api:POST /connections/{pk}/library-files/{name}/deletion.name": script.name}
    for operation in ("POST /incidents/{pk}/accept", "GET /incidents/{pk}", "POST /incidents/{pk}/merge",
                      "POST /incidents/{pk}/dismissal", "DELETE /incidents/{pk}/dismissal"):  # fmt: skip
        things[f"api:{operation}.pk"] = incident.pk
    for tail in ("version", "unmerge", "comments", "assignment"):
        things |= {
            f"api:{m} /cases/{{reference}}/incidents/{{uuid}}/{tail}.uuid": link.uuid for m in ("GET", "POST", "PUT")
        }
    things["api:POST /cases/{reference}/conflicts/{uuid}.uuid"] = conflict.uuid
    things |= {f"api:{m} /connections/{{pk}}/incident-sync.pk": case.connection.pk for m in ("GET", "PUT")}
    things |= {"api:PUT /incident-sources/{pk}.pk": source.pk, "api:POST /incident-sources/{pk}/secret.pk": source.pk}
    for operation in ("GET /incident-files/{uuid}", "PUT /incident-files/{uuid}/mapping",
                      "POST /incident-files/{uuid}/reading"):  # fmt: skip
        things[f"api:{operation}.uuid"] = incident_file.uuid
    things |= {"api:POST /incidents/{pk}/accept.pk": incident.pk}
    things |= {
        "api:DELETE /harmless/{uuid}.uuid": known.uuid,
    }
    things |= {f"api:{m} /connections/{{pk}}/preflight.pk": case.connection.pk for m in ("GET", "POST")}
    bodies = (
        BODIES
        | readyworld.BODIES
        | hunts_world.BODIES
        | {
            "POST /incidents/{pk}/merge": {"case": case.reference},
            "POST /cases/{reference}/stars": {"table": str(table.uuid), "number": 1},
            "POST /cases/{reference}/hunts/watches": {"run": str(run.uuid)},
            "POST /cases/{reference}/comments": {"kind": "note", "subject": str(note.uuid), "body": "Is it?"},
            "POST /cases/{reference}/events/changes": {"events": [str(event.uuid)], "lane": "system"},
            "POST /cases/{reference}/indicators/chosen": {"indicators": [{"kind": "ip", "value": "198.51.100.44"}]},
            "POST /cases/{reference}/indicators/changes": {"indicators": [str(indicator.uuid)], "verdict": "benign"},
            "POST /cases/{reference}/standing-approvals": {"script": script.name, "reason": "A test", "days": 3},
            "POST /cases/{reference}/reports/{uuid}/reviews": {"answer": "accepted"},
            "PUT /cases/{reference}/notifications/{regime}/{stage}": {"answers": {"subjects": "Staff, about 40"}},
            "PUT /report-look": {"organisation": "Contoso"},
            "POST /harmless": {"match": "cidr", "value": "192.0.2.0/24", "reason": "Ours"},
        }
    )
    return World(case, things, bodies)


def _of_the_api(**rows: Any) -> dict[str, Any]:
    """`api:METHOD /cases/{reference}/evidence/{uuid}….uuid` for each kind of thing."""
    folders = {"evidence": "item", "tables": "table", "notes": "note", "assets": "asset"}
    folders |= {"indicators": "indicator", "events": "event", "reports": "build", "exports": "export"}
    folders |= {"hunts/runs": "run", "hunts/batches": "run", "hunts/sweeps": "sweep", "hunts/pack-runs": "pack_run"}
    folders |= {"collections": "collection", "notebooks": "notebook", "hunts/watches": "watch", "stars": "star"}
    folders |= {"hunts/copies": "push", "collection-batches": "many", "file-analyses": "file_analysis"}
    folders |= {"super-timeline/exports": "events", "super-timeline/rows": "table", "actions": "act"}
    tails = ("", "/download", "/custody", "/acts", "/holding", "/handling", "/file", "/{number}/tags", "/review",
             "/indicators",
             "/statistics", "/import/cancel", "/looks", "/looks/{kind}", "/looks/strings/indicators",
             "/verify", "/read", "/import", "/rows", "/{format}", "/cancel", "/retry", "/go-on",
             "/conclusion", "/stop", "/removal", "/rows/{number}", "/rows/{number}/timeline", "/rows/{number}/assets",
             "/rows/{number}/indicators", "/start", "/collections", "/markdown", "/cells", "/cells/{cell}",
             "/cells/{cell}/move", "/cells/{cell}/restoration",
             "/cells/{cell}/run", "/cells/{cell}/results", "/run", "/act", "/turns", "/export", "/known",
             "/reviews", "/signature", "/comparison", "/comparison/runs", "/comparison/file",
             "/mapping", "/mapping/preview", "/changes",
             "/picture", "/import/files", "/import/files/{number}/types", "/import/files/{number}/layout")  # fmt: skip
    return {
        f"api:{method} /cases/{{reference}}/{folder}/{{uuid}}{tail}.uuid": rows[row].uuid
        for folder, row in folders.items()
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        for tail in tails
    }


LIBRARY_OPERATIONS = (
    "GET /connections/{pk}/library-files", "GET /connections/{pk}/library-changes",
    "POST /connections/{pk}/library-reading", "PUT /connections/{pk}/library-files/{name}",
    "POST /connections/{pk}/library-files/{name}/shipped", "POST /connections/{pk}/library-files/{name}/deletion",
)  # fmt: skip
# Where a body that merely fits its schema would be about something else than access.
BODIES: dict[str, Any] = {
    "POST /cases/{reference}/clocks": {"rule": "sec-8k-105", "reason": "A test"},
    "POST /cases/{reference}/hand-overs": {"receiver": "lead", "situation": "A test", "next_steps": "None"},
    "POST /cases/{reference}/hand-overs/{uuid}/answer": {"act": "confirm"},
    "POST /cases/{reference}/links": {"other": "IR-2000-0001", "kind": "related", "reason": "A test"},
    "POST /cases/{reference}/merge": {"into": "IR-2000-0001", "reason": "A test"},
    "POST /cases/{reference}/like": {"title": "Another"},
    "POST /improvements/{uuid}/state": {"state": "doing"},
    "PUT /dashboard/assumption": {"minutes": 5, "reason": "A test"},
    "POST /service-levels": {"name": "Another", "amount": 4, "deliver": "Do it"},
    "PUT /service-levels/{pk}": {"name": "Of a test", "amount": 4, "deliver": "Do it"},
    "POST /cases/{reference}/transfers/{uuid}": {"act": "confirm"},
    "POST /cases/{reference}/evidence/{uuid}/acts": {"act": "view", "purpose": "A test", "place": "Here"},
    "POST /cases/{reference}/evidence/{uuid}/handling": {"mark": "malicious", "reason": "It is a test of doors"},
    "POST /incidents/dismissal": {"incidents": [], "reason": "A test"},
    "POST /incident-files": {"source": "A file", "content": "title\nOne\n"},
    "PUT /incident-files/{uuid}/mapping": {"mapping": {"fields": {"title": "title"}}},
    "PUT /incident-sources/{pk}": {"name": "SIEM", "mapping": {"fields": {"title": "title"}}},
    "POST /incident-sources": {"name": "Another", "mapping": {"fields": {"title": "title"}}},
    "POST /cases/{reference}/destructions": {"exhibits": ["E001"], "reason": "It is no longer needed"},
    "POST /cases/{reference}/evidence/{uuid}/looks/strings/indicators": {"numbers": [1]},
    "POST /cases/{reference}/holds": {"reason": "A court asked for it"},
    "POST /cases/{reference}/retention": {"exhibits": ["E001"], "days": 30, "reason": "It is needed for longer"},
    "POST /cases/{reference}/phase": {"phase": "containment", "reason": "It spreads"},
    "POST /cases/{reference}/hunts/sweeps": {"hunt": "device-logons", "source": "case"},
    "POST /cases/{reference}/hunts/runs/{uuid}/conclusion": {"verdict": "benign", "sentence": "A test"},
    "POST /cases/{reference}/hunts/runs/{uuid}/rows/{number}/assets": {"kind": "device", "name": "ws-07"},
    "POST /cases/{reference}/hunts/runs/{uuid}/rows/{number}/indicators": {"kind": "ip", "value": "192.0.2.1"},
    "POST /cases/{reference}/tables/{uuid}/rows/{number}/assets": {"kind": "device", "name": "ws-07"},
    "POST /cases/{reference}/tables/{uuid}/rows/{number}/indicators": {"kind": "ip", "value": "192.0.2.1"},
    "POST /cases/{reference}/tables/{uuid}/indicators": {"numbers": [1], "column": "DeviceName"},
    "POST /retention-policies": {"name": "Another", "days": 30, "why": "A contract"},
    "PUT /retention-policies/{pk}": {"name": "A year", "days": 366, "why": "A contract"},
    "POST /cases": {"title": "A new case"},
    "POST /work/plan": {"items": [{"case": "IR-2026-0000", "key": "x"}]},
    "PUT /playbooks/{slug}": {"content": {}, "edited_from": 1},
    "POST /cases/{reference}/checklist/{key}/review": {},
    "POST /cases/{reference}/actions": {"kind": "scan", "targets": ["ws-07"], "reason": "It spreads"},
    "POST /cases/{reference}/notebooks/{uuid}/cells": {"kind": "kql", "text": "print 1"},
    "POST /cases/{reference}/super-timeline/exports": {"format": "jsonl"},
    "PUT /cases/{reference}/notes/{uuid}": {"title": "A note", "body": "more", "version": 1},
    "POST /cases/{reference}/notes/{uuid}/revisions/{pk}/restore": {"version": 1},
    "PUT /cases/{reference}/comments/{uuid}": {"body": "It is", "version": 1},
}
_TIMELINE = "add=timeline&title=It+began"
FORMS = {
    "ircase:clock": "act=dismiss",
    "ircase:handover": "act=confirm",
    "ircase:transfer": "act=confirm",
    "ircase:case_sync_choice": "choice=theirs",
    "hunting:hunt_approve": "version=1",
    "liveresponse:definition_approve": "version=1",
    "ircase:checklist_item": "action=reopen",
    "ircase:checklist_view": "view=r2",
    "ircase:playbook_review": "version=1",
    "ircase:playbook_approve": "version=1",
    "ircase:playbook_back": "version=1",
    "hunting:run_row": _TIMELINE,
    "ircase:table_row": _TIMELINE,
    "ircase:table_star": "on=1",
    "hunting:watch_act": "act=pause",
    "hunting:cell_add": "kind=kql",
}
