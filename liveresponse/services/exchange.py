"""What was said about a response action: its log while it goes on, one sealed file at its end."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ircase.models import Activity, Approval, Evidence
from ircase.services import evidence
from ircase.store import Stored
from liveresponse.models import ActionLog, ResponseAction


def note(row: ResponseAction, what: str, text: str = "", **detail: Any) -> None:
    """Add to the row's log of what was said."""
    ActionLog.objects.create(action=row, what=what, text=text, detail=detail)


def keep(row: ResponseAction, state: str, outcome: str, more: Mapping[str, Any]) -> Stored:
    """Everything said about the act as one JSON file: who asked and why, who approved, each call and answer."""
    approval = Approval.objects.filter(subject=row.batch).select_related("requested_by", "decided_by").first()
    record = {
        "format": "ircase-action/1",
        "action": {
            "uuid": str(row.uuid),
            "kind": row.kind,
            "target": row.target,
            "device_id": row.machine_id or row.device_id,
            "parameters": row.parameters,
            "reason": row.reason,
            "requested_by": row.requested_by.name,
            "requested_at": row.requested_at.isoformat(),
            "defender_id": more.get("action_id") or row.action_id,
            "submitted_at": row.submitted_at.isoformat() if row.submitted_at else None,
            "state": str(state),
            "outcome": outcome,
        },
        "approval": _approval_record(approval),
        "break_glass": {"reason": row.glass_reason, "by": row.requested_by.name} if row.break_glass else None,
        "effect": {
            "state": str(more.get("effect", row.effect)),
            "text": more.get("effect_text", row.effect_text),
            "since": _iso(more.get("effect_at", row.effect_at)),
            "looked_at": _iso(more.get("looked_at", row.looked_at)),
        },
        "exchange": [
            {"at": entry.at.isoformat(), "what": entry.what, "text": entry.text, **entry.detail}
            for entry in row.log.all()
        ],
    }
    text = json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True, default=str)
    return evidence.put(iter([text.encode("utf-8", "surrogatepass")]))


def _approval_record(approval: Approval | None) -> dict[str, Any] | None:
    if approval is None:
        return None
    return {
        "state": approval.state,
        "asked_by": approval.requested_by.name,
        "asked_at": approval.requested_at.isoformat(),
        "decided_by": approval.decided_by.name if approval.decided_by else None,
        "decided_at": _iso(approval.decided_at),
        "comment": approval.comment,
        "binding": approval.binding,
        "expires_at": approval.expires_at.isoformat(),
        "shown": approval.detail,
    }


def _iso(at: Any) -> str | None:
    return at.isoformat() if isinstance(at, datetime) else None


def seal(row: ResponseAction, stored: Stored) -> Evidence:
    glass = {"break_glass": row.glass_reason} if row.break_glass else {}
    return evidence.seal(
        case=row.case,
        stored=stored,
        kind=Evidence.Kind.ACTION,
        name=f"{row.kind} {row.target[:120]}.json",
        media_type="application/json",
        manifest={
            "action": str(row.uuid),
            "kind": row.kind,
            "target": row.target,
            "device_id": row.machine_id,
            "tenant": row.connection.tenant_id,
            "app": row.connection.client_id,
            "requested_by": row.requested_by.name,
            "approved_by": row.approved_by,
            **glass,
        },
        actor=row.requested_by,
    )


def remember(row: ResponseAction, more: Mapping[str, Any]) -> None:
    """Put what was done into the activity, for the report: written once, when the action ends."""
    steps = [f"{entry.at:%Y-%m-%d %H:%M:%S} {entry.text}" for entry in row.log.order_by("pk")[:60] if entry.text]
    kept = Activity.objects.get(pk=row.activity_id)
    kept.detail = {
        **kept.detail,
        "approved_by": row.approved_by,
        "device_id": row.machine_id,
        "effect": more.get("effect_text", ""),
        "steps": steps,
    }
    kept.save(update_fields=["detail"])
