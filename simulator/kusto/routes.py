"""The cluster's endpoints, and errors in its shape."""

from __future__ import annotations

import json
import uuid

from werkzeug.wrappers import Response

from simulator.http import ApiFault, Call, Handler, Route, json_response
from simulator.kusto.access import RESOURCE, principal
from simulator.kusto.answers import tables
from simulator.kusto.commands import run
from simulator.kusto.errors import fault, one_api_error
from simulator.kusto.ingesting import post_rows
from simulator.kusto.querying import post_query, properties, request_id
from simulator.tenant import Service

NAME = "kusto"
_PREFIXES = ("/v1/rest/", "/v2/rest/")
_CLIENT_APP = "db662dc1-0cfe-4e1c-a843-19a68e65be58"


def owns(path: str) -> bool:
    """Whether a path is the cluster's."""
    return path.lower().startswith(_PREFIXES)


def error_response(found: ApiFault) -> Response:
    """An error in the cluster's shape, of a fault that the cluster itself did not raise."""
    if found.raw is not None:
        return Response(found.raw[1], found.status, headers=found.headers, content_type=found.raw[0])
    if found.status == 401:
        return Response(b"", 401, headers={**found.headers, "WWW-Authenticate": "Bearer"})
    body = json.dumps(one_api_error(found.status, found.code, found.message))
    return Response(body, found.status, headers=found.headers, content_type="application/json; charset=utf-8")


def metadata(call: Call) -> Response:
    """Who issues tokens for the cluster, and for which audience. Needs no token."""
    base = call.simulator.base_url(call.request)
    known = {
        "LoginEndpoint": base, "LoginMfaRequired": False, "KustoClientAppId": _CLIENT_APP,
        "KustoClientRedirectUri": "http://localhost", "KustoServiceResourceId": RESOURCE,
        "FirstPartyAuthorityUrl": f"{base}/{call.simulator.tenant.id}",
    }  # fmt: skip
    return json_response({"AzureAD": known, "dSTS": None})


def post_command(call: Call) -> Response:
    """Run a management command."""
    who = principal(call)
    body = call.json()
    options = properties(body).get("Options") or {}
    command = str(body.get("csl") or "")
    if options.get("request_readonly") is True and not command.lstrip().lower().startswith(".show"):
        raise fault(400, "General_BadRequest", "The request is read-only and cannot run this command.")
    return json_response(tables(run(call.simulator, who, str(body.get("db") or ""), command)))


def _identified(handler: Handler) -> Handler:
    """The handler, with the ids that a cluster puts on every answer."""

    def wrapped(call: Call) -> Response:
        try:
            response = handler(call)
        except ApiFault as found:
            response = error_response(found)
        response.headers["x-ms-client-request-id"] = request_id(call)
        response.headers["x-ms-activity-id"] = str(uuid.uuid4())
        return response

    return wrapped


# No service of the tenant's list and no roles: the cluster checks tokens and rights itself, and counts no calls.
ROUTES = (
    Route("GET", "/v1/rest/auth/metadata", _identified(metadata), Service.ENTRA),
    Route("POST", "/v1/rest/mgmt", _identified(post_command), Service.ENTRA),
    Route("POST", "/v2/rest/query", _identified(post_query), Service.ENTRA),
    Route("POST", "/v1/rest/ingest/<database>/<table>", _identified(post_rows), Service.ENTRA),
)
