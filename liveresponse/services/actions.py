"""Asking for response actions, deciding, stopping and reviewing them."""

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from ircase import access, jobs
from ircase.models import Activity, Approval, Asset, Case, Indicator, NoticeCode, User
from ircase.services import activity, approvals, log, notices
from ircase.services.analysis.devices import Device, note_devices
from liveresponse.kinds import INDICATOR_TYPES, KINDS, Kind
from liveresponse.models import (
    FINAL_ACTION_STATES,
    OPEN_STATES,
    UNSENT_STATES,
    ActionKind,
    ActionState,
    Effect,
    ResponseAction,
)
from liveresponse.services import exchange
from liveresponse.services.exchange import note
from liveresponse.services.wanted import GLASS_REASON, Glass, indicator_kind, parameters_of, targets_of, typed

APPROVAL_KIND: Final = "liveresponse.action"
approvals.acts_on_devices(APPROVAL_KIND)
ASKED_ALREADY: Final = "The same was already asked for and has not ended. Look for it in the list of response actions."
DEADLINE: Final = timedelta(hours=72)
"""As long as Defender itself keeps an action for a device that is offline."""
_DEVICE_ID: Final = re.compile(r"[0-9a-fA-F]{40}")


@dataclass(frozen=True)
class _Asked:
    """A request that was checked."""

    case: Case
    actor: User
    kind: Kind
    targets: tuple[str, ...]
    parameters: dict[str, Any]
    reason: str
    glass: Glass | None
    undoes: ResponseAction | None
    blocks: Mapping[str, ResponseAction]


def request_actions(
    *,
    case: Case,
    actor: User,
    kind: str,
    targets: Sequence[str],
    parameters: Mapping[str, Any],
    reason: str,
    glass: Glass | None = None,
    undoes: ResponseAction | None = None,
) -> list[ResponseAction]:
    """One row for each target, all of them waiting for one approval; with `glass` they start without. Raises
    ValidationError with what to mend, PermissionDenied where the person may not ask."""
    plan = KINDS.get(kind)
    if plan is None:
        raise ValidationError(f"There is no response action called {kind!r}.")
    if not access.still_may(actor, case, access.ANALYST):
        raise PermissionDenied("Only an analyst or a lead of the case can ask for a response action.")
    _check_case(case)
    if not reason.strip():
        raise ValidationError("Say why: who approves it reads it, and so does the report.")
    wanted = targets_of(plan, targets)
    values = parameters_of(plan, parameters, wanted)
    blocks = _blocks(case, wanted) if plan.id == ActionKind.UNBLOCK else {}
    asked = _Asked(case, actor, plan, wanted, values, reason.strip()[:2000], typed(glass, wanted), undoes, blocks)
    try:
        with transaction.atomic():
            if plan.id == ActionKind.QUARANTINE:
                _require_another_file(asked)
            return _write(asked)
    except IntegrityError:
        raise ValidationError(ASKED_ALREADY) from None


def _require_another_file(asked: _Asked) -> None:
    """Two files on one device are two acts, the same file twice is one. The case's row is the lock."""
    Case.objects.select_for_update().get(pk=asked.case.pk)
    rows = ResponseAction.objects.for_case(asked.case).filter(
        kind=ActionKind.QUARANTINE, target__in=asked.targets, state__in=OPEN_STATES
    )
    if asked.parameters["sha1"] in {row.parameters.get("sha1") for row in rows}:
        raise ValidationError(ASKED_ALREADY)


def _check_case(case: Case) -> None:
    if case.connection is None:
        raise ValidationError("This case has no connection: choose the tenant on the case's overview first.")
    if not case.connection.enabled or case.connection.read_only:
        raise ValidationError(f"The connection {case.connection.name} is read-only: nothing may be changed through it.")
    if not case.is_open:
        raise ValidationError("The case is closed. Reopen it first.")


def blocks_of(case: Case) -> dict[str, ResponseAction]:
    """The blocks that IRCase made for this case and that were not removed since, by value."""
    rows = ResponseAction.objects.for_case(case).filter(
        kind__in=(ActionKind.BLOCK, ActionKind.UNBLOCK), state__in=(ActionState.CONFIRMING, ActionState.DONE)
    )
    found: dict[str, ResponseAction] = {}
    for row in rows.order_by("submitted_at", "pk"):
        found.pop(row.target, None)
        if row.kind == ActionKind.BLOCK and row.action_id:
            found[row.target] = row
    return found


def _blocks(case: Case, targets: Sequence[str]) -> dict[str, ResponseAction]:
    """Our standing blocks. Raises ValidationError where one of the targets has none."""
    ours = blocks_of(case)
    foreign = [target for target in targets if target not in ours]
    if foreign:
        raise ValidationError(
            f"IRCase has no block of {foreign[0][:80]} in this case; what somebody else made is removed in the portal."
        )
    return ours


def _write(asked: _Asked) -> list[ResponseAction]:
    batch = uuid.uuid4()
    ids = _device_ids(asked)
    rows = [_row(asked, batch, target, ids.get(target, "")) for target in asked.targets]
    if asked.kind.is_for_devices:
        meant = [Device(row.target, row.device_id, {"action": str(row.uuid)}) for row in rows]
        note_devices(case=asked.case, actor=asked.actor, devices=meant)
    if asked.glass is None:
        _ask(asked, rows)
    else:
        _break(asked, rows)
    return rows


def _device_ids(asked: _Asked) -> dict[str, str]:
    """Defender's ids that the case knows of the targets."""
    if not asked.kind.is_for_devices:
        return {}
    devices = Asset.objects.filter(case=asked.case, kind=Asset.Kind.DEVICE).exclude(identifier="")
    return {
        name.lower(): identifier.lower()
        for name, identifier in devices.values_list("name", "identifier")
        if _DEVICE_ID.fullmatch(identifier)
    }


def title_of(kind: Kind, target: str) -> str:
    return f"{kind.verb} {target}"[:300]


def _row(asked: _Asked, batch: uuid.UUID, target: str, device_id: str) -> ResponseAction:
    undoes = asked.undoes if asked.undoes and asked.undoes.target == target else None
    row = ResponseAction(
        uuid=uuid.uuid4(),
        batch=batch,
        case=asked.case,
        connection=asked.case.connection,
        kind=asked.kind.id,
        target=target,
        device_id=device_id,
        parameters=_own_parameters(asked, target),
        reason=asked.reason,
        requested_by=asked.actor,
        undoes=undoes,
        break_glass=asked.glass is not None,
        glass_reason=asked.glass.reason if asked.glass else "",
        deadline=timezone.now() + _time_limit(asked.case),
    )
    row.activity = activity.begin(
        case=asked.case,
        kind=Activity.Kind.ACTION,
        title=("Break-glass: " if row.break_glass else "") + title_of(asked.kind, target),
        subject=row.uuid,
        url_name="liveresponse:action",
        actor=asked.actor,
        state=ActionState.REQUESTED,
        detail=_detail(row, asked.kind),
    )
    row.save()
    return row


def _own_parameters(asked: _Asked, target: str) -> dict[str, Any]:
    if asked.kind.id == ActionKind.BLOCK:
        return {**asked.parameters, "type": INDICATOR_TYPES[indicator_kind(target)]}
    if asked.kind.id == ActionKind.UNBLOCK:
        return {"indicator": asked.blocks[target].action_id, "of": str(asked.blocks[target].uuid)}
    return dict(asked.parameters)


def _detail(row: ResponseAction, kind: Kind) -> dict[str, Any]:
    """What report and API read of it. `batch` leads to the approval."""
    glass = {"break_glass": f"BREAK-GLASS, without approval: {row.glass_reason}"} if row.break_glass else {}
    return {
        **glass,
        "device": row.target,
        "action": kind.title,
        "parameters": row.parameters,
        "reason": row.reason,
        "batch": str(row.batch),
        **({"unreviewed": True} if row.break_glass else {}),
    }


def _time_limit(case: Case) -> timedelta:
    hours = case.connection.limits.get("live_response_queue_hours") if case.connection else None
    return timedelta(hours=float(hours)) if hours else DEADLINE


def binding_of(rows: Sequence[ResponseAction]) -> str:
    """What the yes is bound to: the act, each target with its id and parameters, the connection."""
    return approvals.binding(
        acts=sorted(
            [str(row.uuid), row.kind, row.target, row.device_id, json.dumps(row.parameters, sort_keys=True)]
            for row in rows
        ),
        connections=sorted({row.connection_id for row in rows}),
        glass=sorted({row.glass_reason for row in rows}),
    )


def _ask(asked: _Asked, rows: list[ResponseAction]) -> None:
    kind = asked.kind
    many = f"{len(rows)} {'devices' if kind.is_for_devices else 'indicators'}"
    shown = {
        "Action": kind.title,
        "Devices" if kind.is_for_devices else "Indicators": ", ".join(row.target for row in rows),
        **{name.capitalize(): str(value) for name, value in asked.parameters.items()},
        "What it does": kind.does,
        "What people notice": kind.notices,
        "How to undo it": kind.undo,
        "Tenant": rows[0].connection.name,
    }
    approvals.request(
        case=asked.case,
        actor=asked.actor,
        kind=APPROVAL_KIND,
        subject=rows[0].batch,
        title=title_of(kind, rows[0].target if len(rows) == 1 else many),
        detail=shown,
        digest=binding_of(rows),
        task="liveresponse.action_decided",
        reason=asked.reason,
    )


def _break(asked: _Asked, rows: list[ResponseAction]) -> None:
    """Act without approval: told to every lead and manager who may see the case, and marked for a review."""
    assert asked.glass is not None
    ResponseAction.objects.filter(batch=rows[0].batch).update(binding=binding_of(rows))
    for row in rows:
        log.record(
            "action.break_glass",
            case=asked.case,
            actor=asked.actor,
            title=row.activity.title,
            subject=str(row.uuid),
            reason=asked.glass.reason,
        )
        note(row, "break_glass", f"{asked.actor.name} acts without approval: {asked.glass.reason}")
        _start(row, approved_by=f"Nobody: break-glass by {asked.actor.name}")
        managers = User.objects.filter(site_role=User.SiteRole.MANAGER, is_active=True)
        notices.tell(
            code=NoticeCode.ALARM,
            people=[*notices.leads_of(asked.case), *managers],
            case=asked.case,
            subject=row.uuid,
            title=f"Break-glass by {asked.actor.name}: {title_of(asked.kind, row.target)}",
            path=reverse("liveresponse:action", args=[asked.case.reference, row.uuid]),
            lines=[asked.glass.reason],
        )


def _start(row: ResponseAction, *, approved_by: str) -> None:
    changed = ResponseAction.objects.filter(pk=row.pk, state=ActionState.REQUESTED).update(
        state=ActionState.APPROVED,
        approved_by=approved_by,
        next_poll_at=timezone.now(),
        status_text="Approved; about to start",
    )
    if changed:
        activity.progress(row.activity, ActionState.APPROVED)
        jobs.enqueue("liveresponse.act", row.pk)


@transaction.atomic
def decided(batch: uuid.UUID) -> None:
    """The request was approved, rejected, withdrawn or has expired: go on, or refuse with the reason."""
    rows = list(ResponseAction.objects.filter(batch=batch).select_related("case", "activity", "connection"))
    approval = Approval.objects.filter(subject=batch).select_related("decided_by").order_by("-pk").first()
    if not rows or approval is None or approval.state == Approval.State.REQUESTED:
        return
    good = approval.state == Approval.State.APPROVED and approvals.find_valid(batch, binding_of(rows)) is not None
    for row in rows:
        if row.state != ActionState.REQUESTED:
            continue
        if good:
            note(
                row,
                "approved",
                f"Approved by {_name(approval)}" + (f": {approval.comment}" if approval.comment else ""),
            )
            _start(row, approved_by=_name(approval))
        else:
            end(row, ActionState.REFUSED, _why_not(approval))


def _name(approval: Approval) -> str:
    return approval.decided_by.name if approval.decided_by else "a lead"


def _why_not(approval: Approval) -> str:
    return {
        Approval.State.REJECTED: f"Rejected by {_name(approval)}: {approval.comment or 'no reason given'}",
        Approval.State.EXPIRED: "Nobody decided in time. Ask again.",
        Approval.State.WITHDRAWN: "The request was withdrawn.",
    }.get(Approval.State(approval.state), "The approval does not cover this act any more. Ask again.")


def end(
    row: ResponseAction,
    state: ActionState,
    outcome: str,
    *,
    actor: User | None = None,
    owner: str | None = None,
    only: Sequence[str] = (),
    **more: Any,
) -> bool:
    """Any unfinished state -> a final one, with its sentence and, where something was sent, the sealed exchange.

    Nothing happens, and False is given, where it ended before, where `owner` no longer holds the lease, or where its
    state is none of `only`. `more` are further fields of the row.
    """
    note_detail = {"effect": more["effect_text"]} if more.get("effect_text") else {}
    stored = exchange.keep(row, state, outcome, more) if row.submitted_at else None
    with transaction.atomic():
        rows = ResponseAction.objects.filter(pk=row.pk).exclude(state__in=FINAL_ACTION_STATES)
        rows = rows.filter(lease_owner=owner) if owner is not None else rows
        rows = rows.filter(state__in=only) if only else rows
        ended = rows.update(
            state=state,
            failure="" if state == ActionState.DONE else outcome,
            status_text="",
            ended_at=timezone.now(),
            lease_owner="",
            lease_until=None,
            **more,
        )
        if not ended:
            return False
        note(row, state.value, outcome, **note_detail)
        exchange.remember(row, more)
        sealed = exchange.seal(row, stored) if stored else None
        activity.end(
            row.activity,
            state=state,
            outcome=outcome,
            actor=actor,
            evidence=sealed,
            partial=more.get("effect") == Effect.UNCONFIRMED,
        )
        if sealed:
            ResponseAction.objects.filter(pk=row.pk).update(record=sealed)
    return True


@transaction.atomic
def cancel(*, row: ResponseAction, actor: User) -> None:
    """Stop. One that was not sent ends at once; one that was is cancelled in Defender by the worker."""
    if not access.still_may(actor, row.case, access.ANALYST):
        raise PermissionDenied("Only an analyst or a lead of the case can stop it.")
    log.record("action.cancel_requested", case=row.case, actor=actor, title=row.activity.title, subject=str(row.uuid))
    text = f"Cancelled by {actor.name}; nothing was sent"
    if end(row, ActionState.CANCELLED, text, actor=actor, only=UNSENT_STATES):
        _withdraw(row, actor)
        return
    asked = ResponseAction.objects.filter(pk=row.pk, state__in=(ActionState.SUBMITTED, ActionState.RUNNING))
    if asked.update(cancel_requested=True, next_poll_at=timezone.now()):
        jobs.enqueue("liveresponse.act", row.pk)


def _withdraw(row: ResponseAction, actor: User) -> None:
    """Take the question back once nothing of its batch waits for the answer."""
    if ResponseAction.objects.filter(batch=row.batch, state=ActionState.REQUESTED).exists():
        return
    for approval in Approval.objects.filter(subject=row.batch, state=Approval.State.REQUESTED):
        approvals.withdraw(approval=approval, actor=actor)


@transaction.atomic
def review(*, row: ResponseAction, actor: User, sentence: str) -> None:
    """A lead who did not act looks at a break-glass act afterwards, and says what they think of it."""
    if row.requested_by_id == actor.pk:
        raise PermissionDenied("You acted yourself: another lead of the case has to review it.")
    if not access.still_may(actor, row.case, access.LEAD):
        raise PermissionDenied("Only a lead of the case can review this.")
    if len(sentence.strip()) < GLASS_REASON:
        raise ValidationError(f"Write a sentence of at least {GLASS_REASON} characters.")
    reviewed = ResponseAction.objects.filter(pk=row.pk, break_glass=True, reviewed_at=None).update(
        reviewed_by=actor, reviewed_at=timezone.now(), review=sentence.strip()[:2000]
    )
    if not reviewed:
        raise ValidationError("There is nothing to review here, or somebody has reviewed it meanwhile.")
    kept = Activity.objects.get(pk=row.activity_id)
    words = f"Reviewed by {actor.name}: {sentence.strip()[:500]}"
    kept.detail = {key: value for key, value in kept.detail.items() if key != "unreviewed"} | {"review": words}
    kept.save(update_fields=["detail"])
    note(row, "reviewed", words)
    log.record(
        "action.reviewed",
        case=row.case,
        actor=actor,
        title=row.activity.title,
        subject=str(row.uuid),
        sentence=sentence.strip()[:500],
    )


def suggested_indicators(case: Case) -> list[Indicator]:
    """Those of the case that Defender can block."""
    return list(Indicator.objects.filter(case=case, kind__in=INDICATOR_TYPES).order_by("kind", "value")[:200])
