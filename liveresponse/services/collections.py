"""Asking for collections, approving them, stopping them, and asking again."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import jobs
from ircase.models import Activity, Approval, Case, StandingApproval, User
from ircase.services import activity, approvals, log
from ircase.services.analysis.devices import Device, note_devices
from liveresponse import shelf
from liveresponse.catalogue import Definition, ParameterError
from liveresponse.models import FINAL_COLLECTION_STATES, Batch, Collection, CollectionState, CommandLog, LibraryScript
from liveresponse.services import line

APPROVAL_KIND = "liveresponse.script"
NOT_SUBMITTED = (CollectionState.REQUESTED, CollectionState.APPROVED, CollectionState.QUEUED)
"""Nothing of the step has been sent for a row in one of these."""
approvals.acts_on_devices(APPROVAL_KIND)


@transaction.atomic
def request_collection(
    *,
    case: Case,
    actor: User,
    definition: str,
    device: str,
    parameters: dict[str, Any],
    reason: str = "",
    machine_id: str = "",
    retry_of: Collection | None = None,
) -> Collection:
    """One job on one device. It starts at once where no approval is needed or a standing one covers the script's hash;
    otherwise it waits for a lead. Raises ValidationError with what to mend."""
    plan = shelf.definition(definition)
    if plan is None:
        raise ValidationError(f"There is no collection called {definition!r} that can be used.")
    check_case(case)
    try:
        values = plan.clean(parameters)
    except ParameterError as error:
        raise ValidationError(str(error)) from error
    if not device.strip():
        raise ValidationError("Choose a device.")
    files = library_files(case, plan)
    collection = Collection(
        uuid=uuid.uuid4(),
        case=case,
        connection=case.connection,
        definition=plan.id,
        version=plan.version,
        plan=dict(plan.content),
        parameters=values,
        files=files,
        device=device.strip().lower(),
        machine_id=machine_id,
        script_name=plan.script,
        script_sha256=script_hash(plan, files),
        reason=reason,
        requested_by=actor,
        deadline=timezone.now() + time_limit(case, plan),
        retry_of=retry_of,
    )
    collection.activity = activity.begin(
        case=case,
        kind=Activity.Kind.COLLECTION,
        title=f"{plan.title} on {collection.device}",
        subject=collection.uuid,
        url_name="liveresponse:collection",
        actor=actor,
        state=CollectionState.REQUESTED,
        detail={
            "device": collection.device,
            "collection": plan.id,
            "version": plan.version,
            "parameters": values,
            "script": plan.script,
            "script_sha256": collection.script_sha256,
            "files": files,
            "reason": reason,
        },
    )
    collection.save()
    asked = Device(collection.device, machine_id, {"collection": str(collection.uuid)})
    note_devices(case=case, actor=actor, devices=[asked])
    _ask_or_start(collection, plan, actor)
    return collection


def check_case(case: Case) -> None:
    """Raises ValidationError where nothing may touch a device of this case."""
    if case.connection is None:
        raise ValidationError("This case has no connection: choose the tenant on the case's overview first.")
    if not case.connection.enabled or case.connection.read_only:
        raise ValidationError(
            f"The connection {case.connection.name} is for hunting only: nothing may touch a device through it."
        )
    if not case.is_open:
        raise ValidationError("The case is closed. Reopen it first.")


def library_files(case: Case, plan: Definition) -> list[dict[str, str]]:
    """The library files the job will use: an approval binds to their hashes, so they have to be known now."""
    if not plan.files:
        return []
    there = {row.name.lower(): row for row in LibraryScript.objects.filter(connection=case.connection)}
    lacking = [name for name in plan.files if name.lower() not in there or not there[name.lower()].sha256]
    if lacking:
        raise ValidationError(
            f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} not in the tenant's Live Response "
            f"library. Upload it{f' (from {plan.source})' if plan.source else ''} on the library's page or in the "
            "Defender portal, then read the library again."
        )
    return [{"name": there[name.lower()].name, "sha256": there[name.lower()].sha256} for name in plan.files]


def files_of(collection: Collection) -> list[dict[str, str]]:
    """Every library file that the job uses, {name, sha256} as approved."""
    return [dict(file) for file in collection.files]


def script_hash(plan: Definition, files: list[dict[str, str]]) -> str:
    """The hash of the script that the definition runs, "" where it runs none."""
    return next((file["sha256"] for file in files if file["name"].lower() == plan.script.lower()), "")


def standing_of(asked: Collection | Batch, plan: Definition, asker: User | None = None) -> list[StandingApproval]:
    """The standing approvals that together cover every file of the job; none where one file lacks its own, or where the
    definition asks for a person each time. What the person who asks has granted covers nothing of theirs."""
    if not plan.takes_standing or not asked.files:
        return []
    who = asker or asked.requested_by
    found = [approvals.find_standing(asked.connection, file["sha256"], who) for file in asked.files]
    return [] if None in found else [standing for standing in found if standing is not None]


def time_limit(case: Case, plan: Definition) -> timedelta:
    """How long an offline device is waited for: the connection's setting, else the definition's."""
    hours = case.connection.limits.get("live_response_queue_hours") if case.connection else None
    return timedelta(hours=float(hours)) if hours else plan.time_limit


def binding_of(collection: Collection) -> str:
    """What an approval is bound to: the definition whole, device, every library file with its hash, parameters."""
    return approvals.binding(
        action=collection.definition,
        version=collection.version,
        connection=collection.connection_id,
        device=collection.device,
        plan=collection.plan,
        files=collection.files,
        parameters=collection.parameters,
    )


def _ask_or_start(collection: Collection, plan: Definition, actor: User) -> None:
    standing = standing_of(collection, plan)
    if not plan.needs_approval or standing:
        start(collection, approved_by=standing_text(standing) if standing else "No approval needed")
        return
    approvals.request(
        case=collection.case,
        actor=actor,
        kind=APPROVAL_KIND,
        subject=collection.uuid,
        title=f"{plan.title} on {collection.device}",
        detail=_question(collection, plan),
        digest=binding_of(collection),
        task="liveresponse.approval_decided",
        reason=collection.reason,
        # It has to hold for as long as an offline device is waited for.
        lifetime=max(approvals.LIFETIME, time_limit(collection.case, plan)),
    )


def _question(collection: Collection, plan: Definition) -> dict[str, str]:
    """What the person who decides is told."""
    named = {"Device": collection.device}
    return question(collection, plan, named, machine=collection.machine_id or collection.device)


def question(asked: Collection | Batch, plan: Definition, devices: dict[str, str], *, machine: str) -> dict[str, str]:
    """What the person who decides is told; `devices` says on which, `machine` stands for one in what is sent."""
    sent = plan.preview(asked.parameters, machine=machine)
    return {
        "Collection": f"{plan.title}, version {plan.version}",
        **devices,
        **{f"SHA-256 of {file['name']}": file["sha256"] for file in asked.files},
        "Parameters": ", ".join(f"{k} = {v}" for k, v in asked.parameters.items()) or "none",
        "What is sent": "; ".join(f"{number}. {step.words}" for number, step in enumerate(sent, 1)),
        "Changes on the device": plan.changes,
    }


def standing_text(standing: list[StandingApproval]) -> str:
    first = min(standing, key=lambda row: row.expires_at)
    names = " and ".join(dict.fromkeys(row.granted_by.name for row in standing))
    return f"Standing approval of {names} until {first.expires_at:%Y-%m-%d}"


def waited_for(deadline: datetime, since: datetime, approval: Approval) -> datetime:
    """Until when a device is waited for once the yes is given: as long as from the asking on (`since`), so that a
    limit shorter than the lead's answer took ends nothing that has not begun; never longer than the yes holds."""
    return max(deadline, min(timezone.now() + (deadline - since), approval.expires_at))


def start(collection: Collection, *, approved_by: str, deadline: datetime | None = None) -> None:
    """REQUESTED -> APPROVED; a worker takes it from there."""
    changed = Collection.objects.filter(pk=collection.pk, state=CollectionState.REQUESTED).update(
        state=CollectionState.APPROVED,
        deadline=deadline or collection.deadline,
        approved_by=approved_by,
        next_poll_at=timezone.now(),
        changed_at=timezone.now(),
        status_text="Approved; about to start",
    )
    if changed:
        collection.state, collection.approved_by = CollectionState.APPROVED, approved_by
        activity.progress(collection.activity, CollectionState.APPROVED)
        jobs.enqueue("liveresponse.step", collection.pk)


@transaction.atomic
def approval_decided(subject: uuid.UUID) -> None:
    """The request for `subject` was approved, rejected, withdrawn or has expired: go on, or refuse with the reason."""
    collection = Collection.objects.select_related("case", "activity", "connection").filter(uuid=subject).first()
    if collection is None or collection.state != CollectionState.REQUESTED:
        return
    approval = Approval.objects.filter(subject=subject).select_related("decided_by").order_by("-pk").first()
    if approval is None or approval.state == Approval.State.REQUESTED:
        return
    if approval.state == Approval.State.APPROVED and approvals.find_valid(subject, binding_of(collection)):
        until = waited_for(collection.deadline, collection.requested_at, approval)
        start(collection, approved_by=approval.decided_by.name if approval.decided_by else "", deadline=until)
        return
    end(collection, CollectionState.REFUSED, why_not(approval))


def why_not(approval: Approval) -> str:
    decider = approval.decided_by.name if approval.decided_by else "a lead"
    return {
        Approval.State.REJECTED: f"Rejected by {decider}: {approval.comment or 'no reason given'}",
        Approval.State.EXPIRED: "Nobody decided in time. Ask again.",
        Approval.State.WITHDRAWN: "The request was withdrawn.",
    }.get(Approval.State(approval.state), "The approval does not cover this act any more. Ask again.")


def end(
    collection: Collection,
    state: CollectionState,
    reason: str,
    *,
    actor: User | None = None,
    only: Sequence[CollectionState] = (),
) -> bool:
    """Any unfinished state -> a final one without a result, with its reason in a sentence. With `only` nothing happens
    to one that is in none of these states, or that Defender has."""
    rows = Collection.objects.filter(pk=collection.pk).exclude(state__in=FINAL_COLLECTION_STATES)
    rows = rows.filter(state__in=only, action_id="") if only else rows
    ended = rows.update(
        state=state,
        failure=reason,
        status_text="",
        ended_at=timezone.now(),
        changed_at=timezone.now(),
        lease_owner="",
        lease_until=None,
    )
    if ended:
        activity.end(collection.activity, state=state, outcome=reason, actor=actor)
        remember(collection)
    return bool(ended)


@transaction.atomic
def cancel(*, collection: Collection, actor: User) -> None:
    """Stop. One that has not reached the device ends at once; one that has is cancelled in Defender by the worker."""
    log.record(
        "collection.cancel_requested",
        case=collection.case,
        actor=actor,
        device=collection.device,
        subject=str(collection.uuid),
    )
    # A worker that prepares it at this moment has lost it by this, before its intent is written.
    if end(collection, CollectionState.CANCELLED, f"Cancelled by {actor.name}", actor=actor, only=NOT_SUBMITTED):
        for approval in Approval.objects.filter(subject=collection.uuid, state=Approval.State.REQUESTED):
            approvals.withdraw(approval=approval, actor=actor)
        line.leave(collection.connection, [collection.pk])
        return
    Collection.objects.filter(pk=collection.pk).unfinished().update(
        cancel_requested=True, next_poll_at=timezone.now(), changed_at=timezone.now()
    )
    jobs.enqueue("liveresponse.step", collection.pk)


def retry(*, collection: Collection, actor: User) -> Collection:
    """Ask for the same again: a new request, with an approval of its own."""
    if not collection.is_final:
        raise ValidationError("This collection is still going on.")
    return request_collection(
        case=collection.case,
        actor=actor,
        definition=collection.definition,
        device=collection.device,
        parameters=collection.parameters,
        reason=collection.reason,
        machine_id=collection.machine_id,
        retry_of=collection,
    )


STEP_WORDS = ("device", "submitting", "submitted", "found", "busy", "step", "fetched", "printed", "cancelled")


def remember(collection: Collection) -> None:
    """Put what was done on the device into the activity, for the report: written once, when the collection ends."""
    steps = [
        f"{entry.at:%Y-%m-%d %H:%M:%S} {entry.text}"
        for entry in collection.commands.filter(what__in=STEP_WORDS).order_by("pk")[:100]
    ]
    row = Activity.objects.get(pk=collection.activity_id)
    row.detail = {
        **row.detail,
        "device_id": collection.machine_id,
        "steps": steps,
        "approved_by": collection.approved_by,
    }
    row.save(update_fields=["detail"])


def note(collection: Collection, what: str, text: str = "", **detail: Any) -> None:
    """Add to the device's command log."""
    CommandLog.objects.create(collection=collection, step=collection.step, what=what, text=text, detail=detail)
