"""The API, assembled: /api/v1/, with its description at /api/v1/openapi.json."""

from ninja import NinjaAPI

from hunting.api import copies, library, notebooks, packs, runs, watches
from ircase.api import (
    approvals,
    cases,
    checklist,
    connections,
    evidence,
    exports,
    findings,
    intake,
    notes,
    people,
    problems,
    reports,
    stars,
)
from ircase.api.auth import PerToken, TokenAuth
from liveresponse.api import actions, collections

api = NinjaAPI(
    title="IRCase",
    version="1",
    description="Cases, hunts, collections and evidence. What a person may do here is what they may do in the browser.",
    urls_namespace="api",
    openapi_url="/openapi.json",
    docs_url=None,  # its page would need script from a content network
    auth=TokenAuth(),
    throttle=[PerToken()],
)
_AREAS = (people, cases, checklist, findings, notes, evidence, exports, stars, reports, approvals, intake, connections)
for _area in (*_AREAS, library, runs, packs, copies, notebooks, watches, collections, actions):
    api.add_router("", _area.router)
problems.install(api)
