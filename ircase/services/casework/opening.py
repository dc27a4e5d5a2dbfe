"""Opening a case by hand, with the first device and account that are known."""

from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.db import transaction

from ircase.models import Asset, Case, Connection, User
from ircase.services import cases
from ircase.services.analysis import findings


def require_opener(user: User) -> None:
    """Raise PermissionDenied unless `user` opens cases."""
    if not user.opens_cases:
        raise PermissionDenied("Cases are opened by analysts. Ask one, or your administrator for that role.")


@transaction.atomic
def open_by_hand(
    *,
    actor: User,
    title: str,
    playbook: str = "",
    severity: str = "medium",
    tlp: str = "amber",
    description: str = "",
    confidential: bool = False,
    exercise: bool = False,
    connection: Connection | None = None,
    detected: datetime | None = None,
    device: str = "",
    account: str = "",
) -> Case:
    """A new case led by `actor`; `device` and `account` become assets. Raises PermissionDenied, ValidationError."""
    require_opener(actor)
    case = cases.open_case(
        actor=actor,
        title=title,
        playbook=playbook,
        severity=severity,
        tlp=tlp,
        description=findings.clean(description),
        confidential=confidential,
        exercise=exercise,
        connection=connection,
        detected=detected,
    )
    if device.strip():
        findings.add_asset(case=case, actor=actor, kind=Asset.Kind.DEVICE, name=device)
    if account.strip():
        findings.add_asset(case=case, actor=actor, kind=Asset.Kind.ACCOUNT, name=account)
    return case
