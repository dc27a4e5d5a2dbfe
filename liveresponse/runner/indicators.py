"""Blocks: an indicator of the tenant, looked up before anything is written, and never another's."""

from datetime import timedelta
from typing import Final

from django.utils import timezone

from liveresponse.models import ActionKind, ActionState, Effect
from liveresponse.runner.acting import Act, moment, words
from liveresponse.runner.polling import Refused
from msapi.errors import NotFound
from msapi.indicators import TenantIndicator

State = ActionState
CONFIRM_FOR: Final = timedelta(minutes=10)


def refuse_foreign(work: Act) -> bool:
    """Whether the tenant has an indicator of this value that is not ours: then the row has ended. The service would
    replace it without a question."""
    found = work.tenant.find_indicator(work.row.target)
    if found is None or work.row.marker in found.description:
        return False
    about = (
        f"indicator {found.id} “{found.title[:120]}”, action {found.action}, by {found.created_by or 'somebody'}"
        + (f", until {words(moment(found.expires))}" if found.expires else "")
    )
    if found.is_blocking and work.row.parameters["action"] in ("Block", "BlockAndRemediate"):
        work.end(
            State.DONE,
            f"Nothing was sent: the tenant blocks this already ({about}). It was not made here, so it is not removed "
            "from here.",
            effect=Effect.CONFIRMED,
            effect_text=f"The tenant lists {about}.",
            effect_at=moment(found.created),
            looked_at=timezone.now(),
        )
    else:
        raise Refused(
            f"The tenant has an indicator of this value already: {about}. It is not ours, and a second one would "
            "replace it; change it in the Defender portal."
        )
    return True


def put_block(work: Act) -> None:
    row = work.row
    found = work.tenant.put_indicator(
        row.target,
        row.parameters["type"],
        row.parameters["action"],
        title=f"IRCase {row.case.reference}: {row.target}"[:200],
        description=row.comment,
        expires=row.parameters["expires"],
    )
    _is_there(work, found, "submitted")


def delete_block(work: Act) -> None:
    """Remove our block. Looked up first: what somebody has put in its place meanwhile is not ours to remove."""
    found = work.tenant.find_indicator(work.row.target)
    if found is None:
        _gone(work, "The tenant had no such indicator any more; nothing was removed")
        return
    if found.id != work.row.parameters["indicator"] or f"IRCase {work.row.parameters['of']}" not in found.description:
        raise Refused(
            f"The tenant's indicator {found.id} “{found.title[:120]}” is not the one that was made here "
            f"({work.row.parameters['indicator']}): it was replaced. Change it in the Defender portal."
        )
    try:
        work.tenant.delete_indicator(found.id)
    except NotFound:
        _gone(work, f"Indicator {found.id} was gone already")
    else:
        _gone(work, f"Indicator {found.id} was removed")


def look_for_block(work: Act) -> bool:
    """After a doubtful answer: whether what was asked is so. True moves the row on."""
    found = work.tenant.find_indicator(work.row.target)
    if work.row.kind == ActionKind.BLOCK and found is not None and work.row.marker in found.description:
        _is_there(work, found, "found")
        return True
    if work.row.kind == ActionKind.UNBLOCK and found is None:
        _gone(work, f"Indicator {work.row.parameters['indicator']} is gone")
        return True
    return False


def _is_there(work: Act, found: TenantIndicator, what: str) -> None:
    work.write(
        what,
        f"The tenant's indicator {found.id}: {found.action} {found.value}",
        state=State.CONFIRMING,
        action_id=found.id,
        effect_at=moment(found.created) or timezone.now(),
        confirm_until=timezone.now() + CONFIRM_FOR,
        status_text="Reading it back",
        detail={"answer": dict(found.raw)},
    )


def _gone(work: Act, text: str) -> None:
    work.write(
        "removed",
        text,
        state=State.CONFIRMING,
        action_id=work.row.parameters["indicator"],
        effect_at=timezone.now(),
        confirm_until=timezone.now() + CONFIRM_FOR,
        status_text="Reading it back",
    )
