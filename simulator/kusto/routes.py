"""The cluster's endpoints."""

from __future__ import annotations

import uuid

from werkzeug.wrappers import Response

from simulator.http import ApiFault, Call, Handler, Route, error_response, json_response
from simulator.kusto.access import RESOURCE, principal
from simulator.kusto.answers import tables
from simulator.kusto.commands import run
from simulator.kusto.errors import fault
from simulator.kusto.ingesting import post_rows
from simulator.kusto.querying import post_query, properties, request_id
from simulator.tenant import Service

_CLIENT_APP = "db662dc1-0cfe-4e1c-a843-19a68e65be58"


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
            response = error_response(Service.KUSTO, found, request_id(call))
        response.headers["x-ms-client-request-id"] = request_id(call)
        response.headers["x-ms-activity-id"] = str(uuid.uuid4())
        return response

    return wrapped


# No roles: the cluster checks tokens and rights itself, and counts no calls.
ROUTES = (
    Route("GET", "/v1/rest/auth/metadata", _identified(metadata), Service.KUSTO),
    Route("POST", "/v1/rest/mgmt", _identified(post_command), Service.KUSTO),
    Route("POST", "/v2/rest/query", _identified(post_query), Service.KUSTO),
    Route("POST", "/v1/rest/ingest/<database>/<table>", _identified(post_rows), Service.KUSTO),
)
