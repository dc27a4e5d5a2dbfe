"""Doors for the worker: claim, call the runner, map errors."""

import logging
import uuid
from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutdown

from ircase import access, destroyer, looker, runner, sharer, taker, timeliner
from ircase.dashboard import paper
from ircase.dossier import bringin
from ircase.dossier import build as dossier
from ircase.finder import cells
from ircase.indicators import elsewhere
from ircase.intake import polling
from ircase.intake import sending as syncing
from ircase.models import (
    AttackRelease,
    CaseExport,
    CaseImport,
    CaseShare,
    Connection,
    DashboardFile,
    Destruction,
    Evidence,
    IncidentComment,
    IncidentFile,
    IndicatorLook,
    ParseJob,
    Passkey,
    Preview,
    ReportBuild,
    RowTake,
    StoreSurvey,
    SyncChange,
    TableIndexing,
    TimelineBuild,
    TimelineExport,
    Upload,
    User,
)
from ircase.report import build
from ircase.services import approvals, evidence, health, preflights, replies, sweep
from ircase.services.analysis import attackdata, supertimeline, tablesearch
from ircase.services.casework import closing
from ircase.services.exercises import playing
from ircase.services.incidents import incidentfiles
from ircase.services.managing import monthly, papers
from ircase.services.phases import reminders, reminding
from ircase.services.readiness import reminding as readiness
from ircase.services.telling import confirming, doubted, sending, trying
from ircase.services.transfer import caseexports, caseimports, resumable, sharing
from ircase.services.vault import destruction, holds, looking, posting, removal, stamping, statements, storehealth
from ircase.work import new_owner

logger = logging.getLogger(__name__)
pulse = health.Pulse()


@worker_ready.connect
def start_pulse(sender: Any, **_: Any) -> None:
    pulse.start(queue.name for queue in sender.task_consumer.queues)


@worker_shutdown.connect
def stop_pulse(**_: Any) -> None:
    pulse.stop()


@shared_task(name="ircase.parse_evidence")
def parse_evidence(pk: int) -> None:
    job = ParseJob.objects.claim(pk, new_owner())
    if job is not None:
        runner.parse_evidence(job)


@shared_task(name="ircase.seal_upload")
def seal_upload(pk: int) -> None:
    upload = Upload.objects.claim(pk, new_owner())
    if upload is not None:
        runner.seal_upload(upload)


@shared_task(name="ircase.build_report")
def build_report(pk: int) -> None:
    job = ReportBuild.objects.claim(pk, new_owner())
    if job is not None:
        build.build(job)


@shared_task(name="ircase.make_dashboard_file")
def make_dashboard_file(pk: int) -> None:
    row = DashboardFile.objects.select_related("requested_by").claim(pk, new_owner())
    if row is not None:
        paper.make(row)


@shared_task(name="ircase.export_case")
def export_case(pk: int) -> None:
    job = CaseExport.objects.select_related("case", "requested_by", "activity").claim(pk, new_owner())
    if job is not None:
        dossier.build(job)


@shared_task(name="ircase.import_case")
def import_case(pk: int) -> None:
    job = CaseImport.objects.select_related("requested_by").claim(pk, new_owner())
    if job is not None:
        bringin.bring_in(job)


@shared_task(name="ircase.share_case")
def share_case(pk: int) -> None:
    job = CaseShare.objects.select_related("case", "requested_by", "activity").claim(pk, new_owner())
    if job is not None:
        sharer.share(job)


@shared_task(name="ircase.post_statements")
def post_statements() -> None:
    """Statements that wait to be sent outside; the tick below sends it again where this message is lost."""
    posting.send_due()


@shared_task(name="ircase.stamp_statements")
def stamp_statements() -> None:
    """Statements that wait for their time stamp; the tick below sends it again where this message is lost."""
    stamping.stamp_due()


@shared_task(name="ircase.send_deliveries")
def send_deliveries() -> None:
    """News on its way outside; the tick below sends this again where it is lost."""
    sending.send_due()


@shared_task(name="ircase.try_channel")
def try_channel(person_id: int, channel: str) -> None:
    """A message that a person asked for, to see whether a channel reaches them."""
    person = User.objects.filter(pk=person_id, is_active=True).first()
    if person is not None:
        trying.send(person, channel)


@shared_task(name="ircase.confirm_address")
def confirm_address(person_id: int) -> None:
    """The link to an address that a person typed."""
    person = User.objects.filter(pk=person_id, is_active=True).first()
    if person is not None:
        confirming.send(person)


@shared_task(name="ircase.tell_of_passkey")
def tell_of_passkey(pk: int) -> None:
    """Its counter went back: the owner is told by mail."""
    passkey = Passkey.objects.select_related("user").filter(pk=pk, user__is_active=True).first()
    if passkey is not None:
        doubted.send(passkey)


@shared_task(name="ircase.take_rows")
def take_rows(pk: int) -> None:
    job = RowTake.objects.select_related("case", "evidence", "requested_by", "activity").claim(pk, new_owner())
    if job is not None:
        taker.take_rows(job)


@shared_task(name="ircase.build_timeline")
def build_timeline(pk: int) -> None:
    job = TimelineBuild.objects.select_related("case").claim(pk, new_owner())
    if job is not None:
        timeliner.build_timeline(job)


@shared_task(name="ircase.index_table")
def index_table(pk: int) -> None:
    job = TableIndexing.objects.select_related("table__evidence").claim(pk, new_owner())
    if job is not None:
        cells.index_table(job)


@shared_task(name="ircase.export_timeline")
def export_timeline(pk: int) -> None:
    job = TimelineExport.objects.select_related("case", "requested_by").claim(pk, new_owner())
    if job is not None:
        timeliner.export_timeline(job)


@shared_task(name="ircase.load_attack")
def load_attack(pk: int) -> None:
    row = AttackRelease.objects.select_related("uploaded_by").claim(pk, new_owner())
    if row is not None:
        attackdata.load(row)


@shared_task(name="ircase.look_for_indicators")
def look_for_indicators(pk: int) -> None:
    row = IndicatorLook.objects.select_related("case", "requested_by").claim(pk, new_owner())
    if row is not None:
        elsewhere.look(row)


@shared_task(name="ircase.verify_evidence")
def verify_evidence(pk: int, user_id: int) -> None:
    """Hash one exhibit again, for a person who may still write on its case."""
    item = Evidence.objects.select_related("case").filter(pk=pk).first()
    person = User.objects.filter(pk=user_id).first()
    if item is not None and person is not None and access.still_may(person, item.case, access.ANALYST):
        try:
            evidence.verify(item, actor=person)
        except evidence.StoreError as error:
            logger.warning("evidence.not_verified", extra={"exhibit": str(item.uuid), "error": str(error)})


@shared_task(name="ircase.make_preview")
def make_preview(pk: int) -> None:
    job = Preview.objects.select_related("evidence__case").claim(pk, new_owner())
    if job is not None:
        looker.make_preview(job)


@shared_task(name="ircase.hold_decided")
def hold_decided(subject: str) -> None:
    holds.decided(uuid.UUID(subject))


@shared_task(name="ircase.close_decided")
def close_decided(subject: str) -> None:
    closing.decided(uuid.UUID(subject))


@shared_task(name="ircase.destruction_decided")
def destruction_decided(subject: str) -> None:
    destruction.decided(uuid.UUID(subject))


@shared_task(name="ircase.destroy")
def destroy(pk: int) -> None:
    row = Destruction.objects.select_related("case", "requested_by").claim(pk, new_owner())
    if row is not None:
        destroyer.destroy(row)


@shared_task(name="ircase.survey_store")
def survey_store(pk: int, remove: bool = False) -> None:
    row = StoreSurvey.objects.filter(pk=pk, at=None).first()
    if row is not None:
        storehealth.survey(row, remove=remove)


@shared_task(name="ircase.rehash")
def rehash() -> None:
    """Beat's tick: hash again what was not looked at for long; what is to go from the store goes."""
    removal.tidy()
    storehealth.rehash()


@shared_task(name="ircase.preflight")
def preflight(pk: int) -> None:
    connection = Connection.objects.filter(pk=pk).first()
    if connection is not None:
        preflights.run(connection)


@shared_task(name="ircase.sweep")
def sweep_all() -> None:
    """Beat's tick: lost imports, uploads and reports go on, old questions end, incidents are read."""
    sweep.sweep(ParseJob.objects.all(), "ircase.parse_evidence")
    sweep.sweep(ReportBuild.objects.all(), "ircase.build_report")
    resumable.tidy()
    sweep.sweep(RowTake.objects.all(), "ircase.take_rows")
    sweep.sweep(CaseExport.objects.all(), "ircase.export_case")
    caseimports.sweep()
    dossier.clear_parts()
    caseexports.tidy()
    sweep.sweep(CaseShare.objects.all(), "ircase.share_case")
    sharing.tidy()
    statements.make_if_due()
    posting.remind()
    stamping.remind()
    sending.remind()
    supertimeline.tidy()
    sweep.take_up(AttackRelease.objects.all(), attackdata.TASK)
    sweep.take_up(IndicatorLook.objects.all(), elsewhere.TASK)
    tablesearch.tidy()
    looking.tidy()
    approvals.expire_old()
    reminders.remind()
    destruction.tidy()
    incidentfiles.sweep()
    papers.tick()
    monthly.tick()
    polling.nudge()
    syncing.tick()
    replies.tidy()
    health.note_sweep()


@shared_task(name="ircase.send_incident_change")
def send_incident_change(pk: int) -> None:
    rows = SyncChange.objects.select_related("link__case", "link__incoming__connection")
    job = rows.claim(pk, new_owner())
    if job is not None:
        syncing.send_change(job)


@shared_task(name="ircase.send_incident_comment")
def send_incident_comment(pk: int) -> None:
    rows = IncidentComment.objects.filter(from_defender=False)
    job = rows.select_related("link__case", "link__incoming__connection").claim(pk, new_owner())
    if job is not None:
        syncing.send_comment(job)


@shared_task(name="ircase.read_incident_file")
def read_incident_file(pk: int) -> None:
    job = (
        IncidentFile.objects.filter(asked_at__isnull=False)
        .select_related("source", "uploaded_by")
        .claim(pk, new_owner())
    )
    if job is not None:
        incidentfiles.read(job)


@shared_task(name="ircase.remind")
def remind() -> None:
    """Beat's tick: deadlines that come near or have passed, connections that are not ready, injects of exercises."""
    reminding.remind()
    readiness.remind()
    playing.tick()


@shared_task(name="ircase.sync_incidents")
def sync_incidents(pk: int) -> None:
    """Read one connection's incidents into the inbox, unless another worker is at it."""
    feed = polling.claim(pk)
    if feed is not None:
        polling.sync(feed)
