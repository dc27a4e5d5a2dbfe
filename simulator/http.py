"""What the services share: a request as handlers see it, an error as they raise it, an answer as they give it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from simulator.tenant import Service
from simulator.tokens import Grant

if TYPE_CHECKING:
    from simulator.core import Simulator

BODY_CAP = 64 * 2**20


class ApiFault(Exception):
    """An error answer. `inner` is the further nest of a Log Analytics error; `raw` replaces the body."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        inner: dict[str, Any] | None = None,
        raw: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message
        self.headers = dict(headers or {})
        self.inner, self.raw = inner, raw


@dataclass(frozen=True)
class Call:
    """One request on its way to a handler."""

    simulator: Simulator
    request: Request
    params: Mapping[str, str]
    grant: Grant | None
    request_id: str
    faults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; ApiFault 400 otherwise."""
        try:
            body = json.loads(self.request.get_data(cache=True))
        except (ValueError, UnicodeDecodeError) as error:
            raise ApiFault(400, "InvalidRequestBody", "Request body is incorrect: it is not valid JSON") from error
        if not isinstance(body, dict):
            raise ApiFault(400, "InvalidRequestBody", "Request body is incorrect: a JSON object is expected")
        return body

    def integer(self, name: str, default: int) -> int:
        """A whole-number query option such as $top; ApiFault 400 if it is none."""
        text = self.request.args.get(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit():
            raise ApiFault(400, "BadRequest", f"Invalid value '{text[:40]}' for query option '{name}'")
        return int(text[:9])

    @property
    def app_name(self) -> str:
        """Who asks, for `requestor` and the like."""
        return self.grant.app_name if self.grant else "unknown"


Handler = Callable[[Call], Response]


@dataclass(frozen=True)
class Route:
    """A handler at a path. `roles`: any one of them is enough; empty for endpoints without a bearer token."""

    method: str
    path: str
    handler: Handler
    service: Service
    roles: tuple[str, ...] = ()


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return Response(data, status, headers=dict(headers or {}), content_type="application/json; charset=utf-8")


def error_response(service: Service, fault: ApiFault, request_id: str) -> Response:
    """The error in the words of its service."""
    if fault.raw is not None:
        return Response(fault.raw[1], fault.status, headers=fault.headers, content_type=fault.raw[0])
    if service is Service.KUSTO and fault.status == 401:
        return Response(b"", 401, headers={**fault.headers, "WWW-Authenticate": "Bearer"})
    if service is Service.BLOB:
        return _blob_error(fault, request_id)
    shapes = {Service.GRAPH: _graph_error, Service.DEFENDER: _defender_error, Service.LOG_ANALYTICS: _analytics_error,
              Service.KUSTO: _cluster_error}  # fmt: skip
    shape = shapes.get(service, _plain_error)
    response = json_response(shape(fault, request_id), fault.status, fault.headers)
    if fault.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return response


def _graph_error(fault: ApiFault, request_id: str) -> dict[str, Any]:
    """https://learn.microsoft.com/graph/errors"""
    inner = {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "request-id": request_id,
        "client-request-id": request_id,
    }
    return {"error": {"code": fault.code, "message": fault.message, "innerError": inner}}


def _defender_error(fault: ApiFault, request_id: str) -> dict[str, Any]:
    """https://learn.microsoft.com/defender-endpoint/api/common-errors"""
    return {"error": {"code": fault.code, "message": fault.message, "target": request_id}}


def _analytics_error(fault: ApiFault, request_id: str) -> dict[str, Any]:
    """https://learn.microsoft.com/azure/azure-monitor/logs/api/errors"""
    error: dict[str, Any] = {"message": fault.message, "code": fault.code, "correlationId": request_id}
    if fault.inner is not None:
        error["innererror"] = fault.inner
    return {"error": error}


def _cluster_error(fault: ApiFault, request_id: str) -> dict[str, Any]:
    """An error that the cluster itself did not raise.
    https://learn.microsoft.com/azure/data-explorer/kusto/api/rest/response-http-codes"""
    error = {"code": fault.code, "message": "Request cannot be executed.", "@message": fault.message,
             "@type": "Kusto.Data.Exceptions.KustoServiceException", "@permanent": fault.status < 429}  # fmt: skip
    return {"error": error}


def _plain_error(fault: ApiFault, request_id: str) -> dict[str, Any]:
    return {"error": {"code": fault.code, "message": fault.message}}


def _blob_error(fault: ApiFault, request_id: str) -> Response:
    """https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2"""
    text = (
        '<?xml version="1.0" encoding="utf-8"?>'
        f"<Error><Code>{fault.code}</Code><Message>{fault.message}\nRequestId:{request_id}</Message></Error>"
    )
    return Response("\ufeff" + text, fault.status, headers=fault.headers, content_type="application/xml")


def new_request_id() -> str:
    """An id for one request."""
    return str(uuid.uuid4())
