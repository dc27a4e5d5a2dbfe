"""When a device that does not answer gives its session to others.

Defender keeps a request for an offline device for three days, and it counts among the tenant's 25 sessions all the
while: 25 laptops that are switched off would hold up every other device. So, while others wait and all sessions are
taken, one that has not been answered is cancelled in Defender and asked for again later, as a submission of its own.
https://learn.microsoft.com/defender-endpoint/api/run-live-response
"""

from datetime import timedelta
from typing import Final

from django.utils import timezone

from liveresponse.runner.work import Work
from msapi.errors import GovernorUnavailable
from msapi.machines import ActionStatus, MachineAction

PATIENCE: Final = 600.0
PAUSE: Final = 1800.0
WHY: Final = "its device does not answer and others wait; it is asked again later"


def should(work: Work, action: MachineAction) -> bool:
    """Whether this session is given up now."""
    since = work.row.submitted_at
    patience = work.pace("live_response_patience_seconds", PATIENCE)
    if action.status != ActionStatus.PENDING or since is None or timezone.now() - since < patience:
        return False
    try:
        load = work.governor.load(work.bucket)
    except GovernorUnavailable:
        return False
    return load.waiting > 0 and load.held >= work.bucket.concurrency


def did(work: Work, action: MachineAction) -> bool:
    """Whether the action was cancelled for this, by us."""
    ours = action.cancel_comment.startswith(work.row.marker) and WHY in action.cancel_comment
    return action.status == ActionStatus.CANCELLED and ours


def pause(work: Work) -> timedelta:
    """How long until it is asked for again."""
    return work.pace("live_response_patience_seconds", PATIENCE) * (PAUSE / PATIENCE)
