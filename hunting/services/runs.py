"""Queueing, stopping, repeating and judging hunt runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID, uuid4

from django.core.exceptions import ValidationError
from django.db import transaction

from hunting import shelf
from hunting.binding import Frozen, Window
from hunting.models import HuntRun, Source, Sweep
from hunting.retention import too_old
from hunting.services import pushes, schemas, steps
from ircase import jobs
from ircase.models import Activity, Case, ChecklistItem, Connection, JobState, Severity, User
from ircase.services import activity, connections, log
from ircase.services.phases import checklist
from kql import Limits

TASK: Final = "hunting.run_hunt"
RECORD_BYTES: Final = 2 * 2**30
UNATTENDED: Final = len(Severity.values)
"""What nobody waits for comes after what somebody does, among itself by severity."""


@dataclass(frozen=True)
class SourceChoice:
    """A place to run KQL, as a case can or cannot use it. `why_not` is empty where it can; `is_set_up`: whether the
    case's connection knows the place at all, so that it is worth a word."""

    source: Source
    where: str
    why_not: str = ""
    is_set_up: bool = True


def sources_of(case: Case) -> list[SourceChoice]:
    """Every source, with what keeps the case from using it."""
    connection = case.connection
    why_not = "" if connection else "The case has no connection to a tenant. A lead can set one on the case."
    if connection and not connection.enabled:
        why_not = f"The connection {connection.name} is switched off."
    name = connection.name if connection else ""
    no_workspace = "" if connection and connection.workspace_id else "The connection names no workspace."
    many = len(schemas.places_of(connection, Source.LOG_ANALYTICS)) if connection else 0
    database = connection.kusto_database if connection else ""
    return [
        SourceChoice(Source.DEFENDER, name, why_not),
        SourceChoice(Source.LOG_ANALYTICS, f"{name}, {many} workspaces" if many > 1 else name, why_not or no_workspace),
        SourceChoice(
            Source.KUSTO,
            f"{name}, {database}",
            why_not or ("" if database else "The connection names no database."),
            bool(database),
        ),
        SourceChoice(Source.CASE, case.reference),
        _copies(case, name, why_not),
    ]


def _copies(case: Case, name: str, why_not: str) -> SourceChoice:
    place = pushes.place(case)
    copied = bool(place) and bool(pushes.pushed(case))
    none = "" if copied else "No table of the case was copied to a cluster."
    return SourceChoice(Source.KUSTO_CASE, f"{name}, {place}", why_not or none, copied)


def as_asked(case: Case, frozen: Frozen, source: Source) -> Frozen:
    """The question as this source is asked it: the copies of the case's tables go by other names."""
    if source != Source.KUSTO_CASE:
        return frozen
    tables = frozen.hunt.tables if frozen.hunt else ()
    return replace(frozen, prelude=pushes.prelude(case, frozen.final_kql, tables) + frozen.prelude)


def best_source(case: Case) -> Source:
    """What is offered first: the tenant where there is one."""
    return next(choice.source for choice in sources_of(case) if not choice.why_not)


@transaction.atomic
def queue_run(
    *,
    case: Case,
    actor: User,
    frozen: Frozen,
    source: Source,
    pack: str = "",
    retry_of: HuntRun | None = None,
    sweep: Sweep | None = None,
    subjects: Sequence[str] = (),
    batch: UUID | None = None,
    watch: UUID | None = None,
) -> HuntRun:
    """Write the run and wake a worker. The question is frozen from here on. `watch` is whose it is where nobody waits
    for it. Raises ValidationError."""
    _check_source(case, frozen, source)
    if retry_of is None:
        if frozen.hunt and frozen.hunt.retired:
            raise ValidationError("This hunt is retired. Bring it back in the library before it runs again.")
        frozen = as_asked(case, frozen, source)
    hunt, tenant = frozen.hunt, source.is_tenant
    run = HuntRun(
        case=case,
        hunt_id=hunt.id if hunt else "",
        hunt_version=hunt.version if hunt else 0,
        hunt_review=hunt.review if hunt else "",
        pack=pack,
        title=frozen.title,
        kql=frozen.kql,
        prelude=frozen.prelude,
        final_kql=frozen.final_kql,
        kql_sha256=frozen.sha256,
        parameters=dict(frozen.parameters),
        window_start=frozen.window.start,
        window_end=frozen.window.end,
        source=source,
        connection=case.connection if tenant else None,
        requested_by=actor,
        priority=priority_of(case) + (0 if watch is None else UNATTENDED),
        identity=case.connection.client_id if tenant and case.connection else "IRCase",
        retry_of=retry_of,
        sweep=sweep,
        subjects=list(subjects),
        batch=batch,
        limits=_limits(source, case.connection if tenant else None),
    )
    run.activity = activity.begin(
        case=case,
        kind=Activity.Kind.HUNT,
        title=run.title,
        subject=run.uuid,
        url_name="hunting:run",
        actor=actor,
        detail=_detail(run)
        | ({"watch": str(watch)} if watch else {})
        | ({"techniques": list(frozen.hunt.techniques)} if frozen.hunt else {}),
    )
    run.full_clean(exclude=["case", "activity", "requested_by", "connection", "retry_of", "sweep"])
    run.save()
    jobs.enqueue(TASK, run.pk)
    return run


@transaction.atomic
def queue_runs(*, case: Case, actor: User, frozen: Frozen, sources: Sequence[Source]) -> list[HuntRun]:
    """One question to each of these sources; their runs share a batch where there are several. Raises ValidationError,
    and then nothing was queued."""
    wanted = tuple(dict.fromkeys(sources))
    if not wanted:
        raise ValidationError({"source": "Choose at least one source."})
    batch = uuid4() if len(wanted) > 1 else None
    return [queue_run(case=case, actor=actor, frozen=frozen, source=source, batch=batch) for source in wanted]


def _check_source(case: Case, frozen: Frozen, source: Source) -> None:
    if not case.is_open:
        raise ValidationError("The case is closed. Reopen it before you hunt.")
    if frozen.hunt and source not in frozen.hunt.sources:
        raise ValidationError({"source": f"{frozen.hunt.title} does not run on {source.label}."})
    choice = next(c for c in sources_of(case) if c.source == source)
    if choice.why_not:
        raise ValidationError({"source": choice.why_not})
    if why := pushes.beyond(case, frozen.kql, source):
        raise ValidationError({"kql" if frozen.hunt is None else "source": why})
    if why := too_old(source, case.connection, frozen.window, frozen.at):
        raise ValidationError({"span" if frozen.hunt is None else "SearchWindow": why})


def priority_of(case: Case) -> int:
    """0 for a critical case, 4 for an informational one: who goes first where a quota makes runs wait."""
    return len(Severity.values) - 1 - Severity.values.index(case.severity)


def _limits(source: Source, connection: Connection | None) -> dict[str, Any]:
    """What one result may hold. A tenant's own caps come first; ours on its bytes only guards the disk."""
    limits = Limits()
    if connection is None:
        return {"rows": limits.rows, "bytes": RECORD_BYTES, "seconds": limits.seconds}
    api = connections.limits(connection)
    rows = api.hunting_rows if source == Source.DEFENDER else api.loganalytics_rows
    if source.on_cluster:
        rows = connections.cluster(connection).kusto.rows
    return {"rows": rows, "bytes": RECORD_BYTES}


def _detail(run: HuntRun) -> dict[str, Any]:
    """What the report prints of a hunt without knowing this app."""
    return {
        "hunt": run.hunt_id,
        "review": run.hunt_review,
        "pack": run.pack,
        "query": run.final_kql,
        "query_sha256": run.kql_sha256,
        "parameters": run.parameters,
        "source": Source(run.source).label,
        "tenant": run.connection.tenant_id if run.connection else "",
        "window": [run.window_start.isoformat(), run.window_end.isoformat()],
    }


@transaction.atomic
def cancel(*, run: HuntRun, actor: User) -> None:
    """Stop a run: a queued one ends here, a running one within about a second in its worker."""
    asked = HuntRun.objects.filter(pk=run.pk).unfinished().update(cancel_requested=True)
    if not asked:
        return
    log.record("hunt.cancel_requested", case=run.case, actor=actor, title=run.title, subject=str(run.uuid))
    reason = f"Cancelled by {actor.name}"
    # Through RUNNING, so that the one way to end a row is also taken here and a worker that claims meanwhile loses.
    queued = HuntRun.objects.filter(pk=run.pk, state=JobState.QUEUED)
    if queued.update(state=JobState.RUNNING, owner=f"cancel:{actor.pk}"):
        HuntRun.objects.end(run.pk, f"cancel:{actor.pk}", JobState.CANCELLED, reason=reason)
        activity.end(run.activity, state=JobState.CANCELLED, outcome=reason, actor=actor)
        steps.ended(run)


@transaction.atomic
def retry(*, run: HuntRun, actor: User) -> HuntRun:
    """The same frozen question once more, as a run of its own. Raises ValidationError while the first is under way."""
    if not run.may_be_retried:
        raise ValidationError("This run has not ended yet. Cancel it first, or wait.")
    again = queue_run(
        case=run.case,
        actor=actor,
        frozen=frozen_of(run),
        source=Source(run.source),
        pack=run.pack,
        retry_of=run,
        sweep=run.sweep,
        subjects=run.subjects,
        batch=run.batch,
    )
    steps.follow(run, again)
    return again


@transaction.atomic
def conclude(
    *, run: HuntRun, actor: User, verdict: str, sentence: str, proves: ChecklistItem | None = None
) -> Activity:
    """What the result means for the case, in a person's words, and the step of the checklist that it proves. Raises
    ValidationError."""
    if not run.is_final:
        raise ValidationError("Wait for the run to end before you judge it.")
    if verdict not in Activity.Verdict.values or not verdict:
        raise ValidationError({"verdict": "Choose what the result means."})
    if verdict != Activity.Verdict.NO_DATA and not sentence.strip():
        raise ValidationError({"sentence": "Say in a sentence what it means; the report prints it."})
    judged = activity.judge(activity=run.activity, actor=actor, verdict=verdict, sentence=sentence.strip())
    if proves is not None and not proves.proofs.filter(activity=judged).exists():
        checklist.add_proof(item=proves, actor=actor, activity=judged)
    return judged


def frozen_of(run: HuntRun) -> Frozen:
    """The question as the run has it, whatever the library says today."""
    hunt = shelf.hunt_version(run.hunt_id, run.hunt_version) if run.hunt_id else None
    return Frozen(
        title=run.title,
        kql=run.kql,
        window=Window(run.window_start, run.window_end),
        hunt=hunt if hunt and hunt.kql == run.kql else None,
        prelude=run.prelude,
        parameters=run.parameters,
    )
