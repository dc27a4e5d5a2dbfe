"""Indicators of a tenant: what Defender blocks or lets through on every device.

https://learn.microsoft.com/defender-endpoint/api/ti-indicator
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from msapi.endpoint import Audience
from msapi.errors import BadReply, InvalidParameter
from msapi.reading import objects, text
from msapi.transport import Call, Transport

TYPES: Final = ("FileSha1", "FileSha256", "FileMd5", "CertificateThumbprint", "IpAddress", "DomainName", "Url")
ACTIONS: Final = ("Allowed", "Audit", "Block", "BlockAndRemediate", "Warn")
BLOCKING: Final = frozenset({"Block", "BlockAndRemediate", "AlertAndBlock"})
_NEEDS: Final = ("Ti.ReadWrite.All", "Ti.ReadWrite")
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_SERVICE: Final = Audience.DEFENDER.title


@dataclass(frozen=True, slots=True)
class TenantIndicator:
    """An indicator as the tenant has it. Times are UTC text as sent."""

    id: str
    value: str
    type: str
    action: str
    title: str
    description: str
    created_by: str
    created: str
    expires: str
    raw: Mapping[str, Any]

    @property
    def is_blocking(self) -> bool:
        return self.action in BLOCKING


class Indicators:
    """The tenant's indicators. Methods raise an `ApiError`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def find(self, value: str) -> TenantIndicator | None:
        """The indicator of exactly this value; None where the tenant has none."""
        quoted = value.replace("'", "''")
        params: dict[str, str | int] = {"$filter": f"indicatorValue eq '{quoted}'"}
        reply = self._transport.json(Call(Audience.DEFENDER, "GET", "/api/indicators", params=params, needs=_NEEDS))
        found = (read_indicator(raw) for raw in objects(reply, "value"))
        # Looked at again here: a service that ignored the filter must not pass another's indicator off as this one.
        return next((one for one in found if one.value.lower() == value.lower()), None)

    def put(
        self, value: str, type: str, action: str, *, title: str, description: str, expires: str = ""
    ) -> TenantIndicator:
        """Add an indicator, or replace the one of this value (the service's own rule). Never repeated by itself."""
        if type not in TYPES or action not in ACTIONS:
            raise InvalidParameter("Defender knows no such type or action of an indicator.", service=_SERVICE)
        body: dict[str, Any] = {
            "indicatorValue": value,
            "indicatorType": type,
            "action": action,
            "title": title,
            "description": description,
            "severity": "High",
            # The service demands an alert with Audit.
            "generateAlert": True,
        }
        body |= {"expirationTime": expires} if expires else {}
        call = Call(Audience.DEFENDER, "POST", "/api/indicators", body=body, needs=_NEEDS, idempotent=False)
        reply = self._transport.json(call)
        if not isinstance(reply, Mapping):
            raise BadReply("Defender sent something else than the indicator.", service=_SERVICE)
        return read_indicator(reply)

    def delete(self, indicator_id: str) -> None:
        """Remove an indicator. NotFound where it is gone already."""
        if not _ID.fullmatch(indicator_id):
            raise InvalidParameter("That is no id of an indicator.", service=_SERVICE)
        path = f"/api/indicators/{indicator_id}"
        self._transport.json(Call(Audience.DEFENDER, "DELETE", path, needs=_NEEDS, idempotent=False))


def read_indicator(raw: Mapping[str, Any]) -> TenantIndicator:
    """An indicator. Never raises."""
    return TenantIndicator(
        id=text(raw, "id"),
        value=text(raw, "indicatorValue"),
        type=text(raw, "indicatorType"),
        action=text(raw, "action"),
        title=text(raw, "title"),
        description=text(raw, "description"),
        created_by=text(raw, "createdByDisplayName", "createdBy", "source"),
        created=text(raw, "creationTimeDateTimeUtc"),
        expires=text(raw, "expirationTime"),
        raw=raw,
    )
