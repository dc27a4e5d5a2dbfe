"""The WSGI application: finds the route, checks access and quota, applies faults, records the request."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from simulator import blob, control, entra, faults, kusto, loganalytics, stamping
from simulator.access import authorise
from simulator.core import Simulator
from simulator.defender import routes as defender
from simulator.graph import routes as graph
from simulator.http import BODY_CAP, ApiFault, Call, Route, error_response, new_request_id
from simulator.tenant import Service
from simulator.tokens import Grant

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

logger = logging.getLogger(__name__)

ROUTES: tuple[Route, ...] = (
    *control.ROUTES, *entra.ROUTES, *graph.ROUTES, *loganalytics.ROUTES, *defender.ROUTES, *blob.ROUTES,
    *kusto.ROUTES, *stamping.ROUTES,
)  # fmt: skip
_SECRET_QUERY = re.compile(r"(?i)\b(sig|code|client_secret|token)=[^&]*")
_SECRET_KEYS = frozenset({"client_secret", "client_assertion", "code", "refresh_token"})
_RECORDED_BODY = 20_000


class SimulatorRequest(Request):
    """A request with a cap on its body."""

    max_content_length = BODY_CAP
    max_form_memory_size = BODY_CAP


def _canonical(path: str) -> str:
    """Defender's paths in the spelling of the routes: Microsoft's documentation mixes `/API/` and `RunLiveResponse`."""
    if not path.lower().startswith("/api/"):
        return path
    return "/".join(defender.CANONICAL.get(part.lower(), _function(part)) for part in path.split("/"))


def _function(part: str) -> str:
    """An OData function call with its name in the spelling of the routes."""
    name, bracket, rest = part.partition("(")
    return defender.CANONICAL.get(name.lower(), name) + bracket + rest


@dataclass
class Application:
    """The application over one simulator."""

    simulator: Simulator
    _map: Map = field(init=False)

    def __post_init__(self) -> None:
        rules = [Rule(route.path, endpoint=route, methods=[route.method]) for route in ROUTES]
        self._map = Map(rules, strict_slashes=False, merge_slashes=False)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = SimulatorRequest(environ)
        return self.handle(request)(environ, start_response)

    def handle(self, request: Request) -> Response:
        """Answer one request. Raises ConnectionResetError where a fault cuts the connection."""
        started = time.monotonic()
        request_id = new_request_id()
        service, grant, status = _service(request.path), None, 0
        try:
            route, params = self._match(request)
            service = route.service
            grant, response = self._answer(route, params, request, request_id)
        except ApiFault as fault:
            response = error_response(service, fault, request_id)
        except HTTPException as error:
            response = error_response(service, _routing_fault(service, error), request_id)
        except ConnectionResetError:
            self._record(request, service, grant, status, started, request_id)
            raise
        except Exception:
            logger.exception("simulator.failed", extra={"path": request.path})
            failed = ApiFault(500, "InternalServerError", "The simulator failed; its log says how.")
            response = error_response(service, failed, request_id)
        for header in ("request-id", "client-request-id", "x-ms-request-id"):
            response.headers.setdefault(header, request.headers.get(header, request_id))
        self._record(request, service, grant, response.status_code, started, request_id)
        return response

    def _match(self, request: Request) -> tuple[Route, Mapping[str, str]]:
        adapter = self._map.bind_to_environ(request.environ)
        route, params = adapter.match(_canonical(request.path), method=request.method)
        if not isinstance(route, Route):
            raise TypeError("rules are made from routes only")
        return route, {key: str(value) for key, value in params.items()}

    def _answer(
        self, route: Route, params: Mapping[str, str], request: Request, request_id: str
    ) -> tuple[Grant | None, Response]:
        if route.service is Service.CONTROL:
            return None, route.handler(Call(self.simulator, request, params, None, request_id))
        active = self.simulator.faults.take(_subject(request), self._devices(params))
        faults.before(active, route.service)
        grant = authorise(self.simulator.tenant, route, request)
        if route.service in (Service.GRAPH, Service.DEFENDER, Service.LOG_ANALYTICS):
            self.simulator.quotas.spend("hunting" if "runHuntingQuery" in route.path else route.service.value)
        response = route.handler(Call(self.simulator, request, params, grant, request_id, active))
        return grant, faults.after(active, request, response)

    def _devices(self, params: Mapping[str, str]) -> tuple[str, ...]:
        """Id and names of the device that a request is about: named in its path, or the one of the path's action."""
        known = self.simulator.state.get("action", params["action"].lower()) if "action" in params else None
        device = self.simulator.device(known["machine"] if known else params.get("machine", ""))
        return (device.id, device.name, device.host) if device else ()

    def _record(
        self, request: Request, service: Service, grant: Grant | None, status: int, started: float, request_id: str
    ) -> None:
        if service is Service.CONTROL:
            return
        entry = {
            "method": request.method,
            "path": request.path,
            "query": _SECRET_QUERY.sub(r"\1=***", request.query_string.decode("utf-8", "replace")),
            "service": service.value,
            "status": status,
            "milliseconds": round((time.monotonic() - started) * 1000),
            "at": (datetime.now(UTC) - timedelta(seconds=time.monotonic() - started)).isoformat(),
            "app": grant.app_name if grant else None,
            "authorization": "Authorization" in request.headers,
            "request_id": request_id,
            "body": _visible_body(request),
        }
        self.simulator.requests.append(entry)
        logger.info("simulator.request", extra={key: entry[key] for key in ("method", "path", "status")})


def _service(path: str) -> Service:
    """The service that a path without a route belongs to, for the shape of its error."""
    for prefix, service in (
        ("/v1.0/", Service.GRAPH), ("/api/", Service.DEFENDER), ("/v1/rest/", Service.KUSTO),
        ("/v2/rest/", Service.KUSTO), ("/v1/", Service.LOG_ANALYTICS),
        ("/blob/", Service.BLOB), ("/tsa", Service.STAMPS), ("/_sim/", Service.CONTROL),
    ):  # fmt: skip
        if path.lower().startswith(prefix):
            return service
    return Service.ENTRA


def _routing_fault(service: Service, error: HTTPException) -> ApiFault:
    if isinstance(error, RequestEntityTooLarge):
        return ApiFault(413, "RequestEntityTooLarge", "The request body is too large.")
    if isinstance(error, MethodNotAllowed):
        return ApiFault(405, "MethodNotAllowed", "The method is not allowed here.")
    code = "PathNotFoundError" if service is Service.LOG_ANALYTICS else "NotFound"
    return ApiFault(error.code or 404, code, "There is no such resource.")


def _subject(request: Request) -> str:
    """What a fault's `match` is looked for in: method, path and (JSON) body, in lower case."""
    body = ""
    if request.mimetype == "application/json":
        body = request.get_data(cache=True)[:_RECORDED_BODY].decode("utf-8", "replace")
    return f"{request.method} {request.path} {body}".lower()


def _visible_body(request: Request) -> Any:
    """The body for the record of requests: JSON as it is, forms without secrets, of uploads only the fields."""
    if request.mimetype == "application/json":
        data = request.get_data(cache=True)[:_RECORDED_BODY]
        try:
            return json.loads(data)
        except ValueError:
            return data.decode("utf-8", "replace")
    if request.mimetype in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        return {key: "***" if key in _SECRET_KEYS else value[:200] for key, value in request.form.items()}
    return None
